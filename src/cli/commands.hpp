#pragma once
// What each command does; the value is the exit code of the process.

#include "src/cli/api_client.hpp"
#include "src/cli/command_line.hpp"
#include "src/cli/console.hpp"
#include "src/cli/run_session.hpp"

namespace atq::cli {

inline constexpr int kDone = 0;
inline constexpr int kNotDone = 1;
inline constexpr int kInvalid = 2;

int run_validate(const Command& command, Console& console);
int run_render(const Command& command, Console& console);

// Of a director or a cluster; the command's namespace is filled in.
int run_get(ApiClient& client, const Command& command, Console& console);
int run_describe(ApiClient& client, const Command& command, Console& console);
int run_logs(ApiClient& client, const Command& command, Console& console);
int run_stop(ApiClient& client, const Command& command, Console& console);
int run_rerun(ApiClient& client, const Command& command, Console& console);
int run_version(ApiClient& client, const Command& command, Console& console);

int run_run(const Command& command, Console& console, const RunSessionFactory& make_session);

/// Parses and does. `arguments` without the program's name.
int run_cli(const std::vector<std::string>& arguments, Console& console,
            const RunSessionFactory& make_session);

}  // namespace atq::cli
