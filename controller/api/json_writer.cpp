#include "controller/api/json_writer.hpp"

#include <charconv>

#include "src/base/text.hpp"

namespace atq::api {
namespace {

bool is_plain(char sign) noexcept {
  return static_cast<unsigned char>(sign) >= 0x20 && sign != '"' && sign != '\\';
}

void append_escape(std::string& out, char sign) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  switch (sign) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(sign);
  out += "\\u00";
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

}  // namespace

void JsonWriter::comma() {
  if (out_.empty()) return;
  const char last = out_.back();
  if (last != '{' && last != '[' && last != ':') out_ += ',';
}

void JsonWriter::key(std::string_view name) {
  comma();
  quote(name);
  out_ += ':';
}

void JsonWriter::quote(std::string_view value) {
  std::string repaired;
  for (const char sign : value) {
    if (static_cast<unsigned char>(sign) < 0x80) continue;
    if (!is_clean_utf8(value)) {
      repaired = to_printable(value);
      value = repaired;
    }
    break;
  }
  out_ += '"';
  size_t from = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    if (is_plain(value[i])) continue;
    out_.append(value.substr(from, i - from));
    append_escape(out_, value[i]);
    from = i + 1;
  }
  out_.append(value.substr(from));
  out_ += '"';
}

void JsonWriter::text(std::string_view name, std::string_view value) {
  if (!value.empty()) always_text(name, value);
}

void JsonWriter::always_text(std::string_view name, std::string_view value) {
  key(name);
  quote(value);
}

void JsonWriter::number(std::string_view name, int64_t value) {
  if (value != 0) always_number(name, value);
}

void JsonWriter::always_number(std::string_view name, int64_t value) {
  key(name);
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out_.append(digits, end);
}

void JsonWriter::flag(std::string_view name, bool value) {
  if (value) always_flag(name, value);
}

void JsonWriter::always_flag(std::string_view name, bool value) {
  key(name);
  out_ += value ? "true" : "false";
}

void JsonWriter::time(std::string_view name, const std::optional<TimePoint>& value) {
  if (value) always_text(name, to_rfc3339(*value));
}

void JsonWriter::map(std::string_view name, const std::map<std::string, std::string>& value) {
  if (!value.empty()) always_map(name, value);
}

void JsonWriter::always_map(std::string_view name,
                            const std::map<std::string, std::string>& value) {
  open(name);
  for (const auto& [member, text] : value) always_text(member, text);
  close_keep();
}

void JsonWriter::list(std::string_view name, const std::vector<std::string>& value) {
  if (value.empty()) return;
  open(name, '[');
  for (const std::string& text : value) item(text);
  close_keep(']');
}

void JsonWriter::raw(std::string_view name, std::string_view json) {
  if (json.empty()) return;
  key(name);
  out_ += json;
}

JsonWriter::Mark JsonWriter::open(std::string_view name, char bracket) {
  const size_t before = out_.size();
  key(name);
  out_ += bracket;
  return {before, out_.size()};
}

void JsonWriter::close(Mark mark, char bracket) {
  if (out_.size() == mark.begin) {
    out_.resize(mark.before);
  } else {
    out_ += bracket;
  }
}

void JsonWriter::element(char bracket) {
  comma();
  out_ += bracket;
}

void JsonWriter::item(std::string_view value) {
  comma();
  quote(value);
}

}  // namespace atq::api
