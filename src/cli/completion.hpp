#pragma once
// Completion scripts, made from the commands themselves. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "src/cli/command_line.hpp"

namespace atq::cli {

/// `shell` is bash, zsh or fish. Names of LoadTests are asked of `atq get -A -o name` when they are
/// needed.
std::string completion_script(std::string_view shell, const std::vector<CommandInfo>& commands);

}  // namespace atq::cli
