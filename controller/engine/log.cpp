#include "controller/engine/log.hpp"

#include <memory>

#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "src/base/text.hpp"
#include "src/base/time.hpp"

namespace atq::engine {

namespace {

/// Parts the message from the rendered fields in spdlog's payload; to_printable leaves none of it.
constexpr char kSeparator = '\x1f';

void append_json(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  for (const char c : to_printable(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_text(std::string& out, std::string_view text) {
  if (!text.empty() && text.find_first_of(" \t\n\"=\\") == std::string_view::npos) {
    out += to_printable(text);
  } else {
    append_json(out, text);
  }
}

LogFormat& format() {
  static LogFormat value = LogFormat::Text;
  return value;
}

class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(LogFormat format) : format_(format) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const std::string_view payload(message.payload.data(), message.payload.size());
    const size_t cut = payload.find(kSeparator);
    const std::string_view text = payload.substr(0, cut);
    const std::string_view fields =
        cut == std::string_view::npos ? std::string_view() : payload.substr(cut + 1);
    const std::string time = to_rfc3339(std::chrono::time_point_cast<Duration>(message.time));
    const auto level = spdlog::level::to_string_view(message.level);
    std::string line;
    if (format_ == LogFormat::Json) {
      line = R"({"time":")" + time + R"(","level":")" + std::string(level.data(), level.size()) +
             R"(","msg":)";
      append_json(line, text);
      line += fields;
      line += "}\n";
    } else {
      line = time + " " + std::string(level.data(), level.size()) + " ";
      line += to_printable(text);
      line += fields;
      line += '\n';
    }
    out.append(line.data(), line.data() + line.size());
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(format_);
  }

 private:
  LogFormat format_;
};

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::Debug:
      return spdlog::level::debug;
    case LogLevel::Info:
      return spdlog::level::info;
    case LogLevel::Warn:
      return spdlog::level::warn;
    case LogLevel::Error:
      return spdlog::level::err;
    case LogLevel::Off:
      break;
  }
  return spdlog::level::off;
}

void install(LogFormat chosen, LogLevel level) {
  format() = chosen;
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("atq", std::move(sink));
  logger->set_formatter(std::make_unique<LineFormatter>(chosen));
  logger->set_level(to_spdlog(level));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

spdlog::logger& logger() {
  static const bool ready = [] {
    if (spdlog::default_logger_raw() == nullptr || spdlog::default_logger_raw()->name() != "atq") {
      install(LogFormat::Text, LogLevel::Info);
    }
    return true;
  }();
  (void)ready;
  return *spdlog::default_logger_raw();
}

}  // namespace

void setup_log(LogFormat chosen, LogLevel level) { install(chosen, level); }

Result<LogLevel> parse_log_level(std::string_view text) {
  if (text == "debug") return LogLevel::Debug;
  if (text == "info") return LogLevel::Info;
  if (text == "warn") return LogLevel::Warn;
  if (text == "error") return LogLevel::Error;
  if (text == "off") return LogLevel::Off;
  return fail(ErrorKind::Invalid, "log level: found \"" + to_printable(text) +
                                      "\", expected debug, info, warn, error or off");
}

bool log_enabled(LogLevel level) { return logger().should_log(to_spdlog(level)); }

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  spdlog::logger& target = logger();
  if (!target.should_log(to_spdlog(level))) {
    return;
  }
  std::string payload = to_printable(message);
  payload += kSeparator;
  for (const auto& [name, value] : fields) {
    if (value.empty()) {
      continue;
    }
    if (format() == LogFormat::Json) {
      payload += ',';
      append_json(payload, name);
      payload += ':';
      append_json(payload, value);
    } else {
      payload += ' ';
      payload += name;
      payload += '=';
      append_text(payload, value);
    }
  }
  target.log(to_spdlog(level), spdlog::string_view_t(payload.data(), payload.size()));
}

}  // namespace atq::engine
