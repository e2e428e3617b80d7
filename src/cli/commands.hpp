#pragma once
// What each command does; the value is the exit code of the process.

#include "src/cli/command_line.hpp"
#include "src/cli/console.hpp"
#include "src/cli/run_session.hpp"

namespace atq::cli {

inline constexpr int kDone = 0;
inline constexpr int kNotDone = 1;
inline constexpr int kInvalid = 2;

int run_validate(const Command& command, Console& console);
int run_render(const Command& command, Console& console);

int run_get(const Command& command, Console& console);
int run_describe(const Command& command, Console& console);
int run_logs(const Command& command, Console& console);
int run_stop(const Command& command, Console& console);
int run_rerun(const Command& command, Console& console);
int run_version(const Command& command, Console& console);

int run_run(const Command& command, Console& console, const RunSessionFactory& make_session);

/// Parses and does. `arguments` without the program's name.
int run_cli(const std::vector<std::string>& arguments, Console& console,
            const RunSessionFactory& make_session);

}  // namespace atq::cli
