#pragma once
// What a tool's output says: its closing statement and why it died. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/api/profile.hpp"
#include "controller/core/world.hpp"

namespace atq::core {

/// The last line that matches `pattern` (RE2, named groups requests, failures, rps). nullopt where
/// none does, the pattern is empty or broken, or the numbers are none.
std::optional<Statement> read_statement(std::string_view output, const std::string& pattern);

/// Sums of several workers' statements; nullopt where there is none at all.
std::optional<Statement> sum(const std::vector<Statement>& statements);

/// The message of the first diagnosis, in the profile's order, that matches a line; "" where none
/// does. At most 300 printable bytes.
std::string diagnose(std::string_view output, const std::vector<api::Diagnosis>& diagnoses);

}  // namespace atq::core
