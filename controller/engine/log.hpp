#pragma once
// The process's log: lines to stderr, as text or JSON, with the same fields in both. Lines written
// through spdlog directly come out in the same shape, without fields.

#include <initializer_list>
#include <string>
#include <string_view>

#include "src/base/error.hpp"

namespace atq::engine {

enum class LogFormat { Text, Json };
enum class LogLevel { Debug, Info, Warn, Error, Off };

/// Before any thread is started; before it, lines go to stderr as text from Info up.
void setup_log(LogFormat format, LogLevel level);
/// "debug", "info", "warn", "error", "off". Invalid.
Result<LogLevel> parse_log_level(std::string_view text);

struct LogField {
  std::string_view name;  ///< "key", "run", "reconcile", "error", …
  std::string_view value;
};

/// Fields with an empty value are left out. Never give it a secret.
void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
bool log_enabled(LogLevel level);

}  // namespace atq::engine
