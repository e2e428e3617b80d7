#pragma once
// What the commands' argument parsers share. Pure.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/agent/command_line.hpp"

namespace atq::agent {

struct Parsed {
  std::map<std::string, std::string> options;
  std::vector<std::string> words;
};

/// "--name value" and "--name=value" of the names allowed, from `first` on; everything else is a
/// word. Invalid for an unknown option, one that stands twice, or one without its value.
Result<Parsed> separate(const std::vector<std::string>& arguments, size_t first,
                        const std::vector<std::string_view>& allowed);

std::unexpected<Error> invalid(std::string message);
std::optional<int64_t> to_number(std::string_view text);

// The commands that a pod's containers run.
Result<PodOptions> parse_pod(const std::vector<std::string>& arguments);
Result<StartOptions> parse_start(const std::vector<std::string>& arguments);
Result<InstallOptions> parse_install(const std::vector<std::string>& arguments);

}  // namespace atq::agent
