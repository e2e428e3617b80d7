#include "controller/api/yaml_writer.hpp"

#include <nlohmann/json.hpp>

#include "controller/api/yaml_scalar.hpp"

namespace atq::api {
namespace {

using nlohmann::ordered_json;

/// C1 controls, line and paragraph separators, byte order mark: YAML takes them for breaks or
/// refuses them. Returns how many bytes the sign at `at` has if it is one of them, else 0.
size_t special_size(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  if (byte(0) == 0xC2 && byte(1) >= 0x80 && byte(1) <= 0x9F) return 2;
  if (byte(0) == 0xE2 && byte(1) == 0x80 && (byte(2) == 0xA8 || byte(2) == 0xA9)) return 3;
  if (byte(0) == 0xEF && byte(1) == 0xBB && byte(2) == 0xBF) return 3;
  if (byte(0) == 0xEF && byte(1) == 0xBF && byte(2) >= 0xBE) return 3;
  return 0;
}

std::string escape_of(std::string_view sign) {
  unsigned code = static_cast<unsigned char>(sign[0]);
  if (sign.size() == 2) code = (code & 0x1FU) << 6 | (static_cast<unsigned char>(sign[1]) & 0x3FU);
  if (sign.size() == 3) {
    code = (code & 0x0FU) << 12 | (static_cast<unsigned char>(sign[1]) & 0x3FU) << 6 |
           (static_cast<unsigned char>(sign[2]) & 0x3FU);
  }
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out = "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(code >> shift) & 15U];
  return out;
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size(); ++i) {
    const char sign = text[i];
    const size_t special = special_size(text, i);
    if (sign == '"' || sign == '\\') {
      out += {'\\', sign};
    } else if (sign == '\n') {
      out += "\\n";
    } else if (sign == '\t') {
      out += "\\t";
    } else if (special > 0) {
      out += escape_of(text.substr(i, special));
      i += special - 1;
    } else if (static_cast<unsigned char>(sign) < 0x20 || sign == 0x7f) {
      out += escape_of(text.substr(i, 1));
    } else {
      out += sign;
    }
  }
  return out + "\"";
}

bool is_letter(char sign) { return (sign >= 'a' && sign <= 'z') || (sign >= 'A' && sign <= 'Z'); }
bool is_digit(char sign) { return sign >= '0' && sign <= '9'; }

/// Texts like 2001-12-14 or 12:30 are strings to us but not to every reader.
bool looks_numeric(std::string_view text) {
  if (!is_digit(text[0])) return false;
  for (const char sign : text) {
    if (is_letter(sign) && std::string_view("eExXoObBtTzZ").find(sign) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

bool is_plain(std::string_view text) {
  if (text.empty() || text.back() == ' ') return false;
  if (!is_letter(text[0]) && !is_digit(text[0]) &&
      std::string_view("_/$(").find(text[0]) == std::string_view::npos) {
    return false;
  }
  for (size_t i = 0; i < text.size(); ++i) {
    const char sign = text[i];
    if (is_letter(sign) || is_digit(sign)) continue;
    if (sign == ':' && i + 1 < text.size() && text[i + 1] != ' ') continue;
    if (std::string_view("_/.$()+=@%;<>~^- ").find(sign) == std::string_view::npos) return false;
  }
  if (looks_numeric(text)) return false;
  const auto meaning = resolve_plain(text);
  return meaning && meaning->is_string();
}

bool fits_block(std::string_view text) {
  if (text.find('\n') == std::string_view::npos) return false;
  if (text[0] == ' ' || text[0] == '\n' || text[0] == '\t') return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f) return false;
    if (special_size(text, i) > 0) return false;
  }
  return true;
}

class BlockWriter {
 public:
  std::string take() && { return std::move(out_); }

  void members(const ordered_json& object, size_t indent, bool first_in_place) {
    bool in_place = first_in_place;
    for (const auto& [key, value] : object.items()) {
      if (!in_place) out_.append(indent, ' ');
      in_place = false;
      out_ += is_plain(key) ? key : in_quotes(key);
      out_ += ':';
      value_of(value, indent);
    }
  }

 private:
  void value_of(const ordered_json& value, size_t indent) {
    if (value.is_object() && !value.empty()) {
      out_ += '\n';
      members(value, indent + 2, false);
    } else if (value.is_array() && !value.empty()) {
      out_ += '\n';
      items(value, indent);
    } else {
      out_ += ' ';
      scalar(value, indent + 2);
    }
  }

  void items(const ordered_json& array, size_t indent) {
    for (const auto& value : array) {
      out_.append(indent, ' ');
      out_ += "-";
      if (value.is_object() && !value.empty()) {
        out_ += ' ';
        members(value, indent + 2, true);
      } else if (value.is_array() && !value.empty()) {
        out_ += '\n';
        items(value, indent + 2);
      } else {
        out_ += ' ';
        scalar(value, indent + 2);
      }
    }
  }

  void scalar(const ordered_json& value, size_t indent) {
    if (!value.is_string()) {
      out_ += value.dump() + "\n";
      return;
    }
    const auto& text = value.get_ref<const std::string&>();
    if (fits_block(text)) {
      block(text, indent);
    } else {
      out_ += (is_plain(text) ? text : in_quotes(text)) + "\n";
    }
  }

  void block(std::string_view text, size_t indent) {
    const bool ended = text.ends_with('\n');
    out_ += !ended ? "|-\n" : text.ends_with("\n\n") ? "|+\n" : "|\n";
    if (ended) text.remove_suffix(1);
    while (true) {
      const size_t end = text.find('\n');
      const std::string_view line = text.substr(0, end);
      if (!line.empty()) out_.append(indent, ' ').append(line);
      out_ += '\n';
      if (end == std::string_view::npos) return;
      text.remove_prefix(end + 1);
    }
  }

  std::string out_;
};

}  // namespace

std::string to_block_yaml(const ordered_json& document) {
  BlockWriter writer;
  writer.members(document, 0, false);
  return std::move(writer).take();
}

}  // namespace atq::api
