#pragma once
// Compact JSON written straight into a string, several times faster than by way of a document tree.
// Members whose value is empty are left out; what is opened with open() and stays empty is taken
// back. Ill-formed UTF-8 is replaced by U+FFFD, so that the output is always JSON. One thread.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/time.hpp"

namespace atq::api {

class JsonWriter {
 public:
  /// What close() needs to take an empty object or array back.
  struct Mark {
    size_t before = 0;
    size_t begin = 0;
  };

  explicit JsonWriter(std::string& out) : out_(out) {}

  /// Members of an object; an empty text, zero, false, empty map or list is left out.
  void text(std::string_view key, std::string_view value);
  void number(std::string_view key, int64_t value);
  void flag(std::string_view key, bool value);
  void time(std::string_view key, const std::optional<TimePoint>& value);
  void map(std::string_view key, const std::map<std::string, std::string>& value);
  void list(std::string_view key, const std::vector<std::string>& value);
  /// `json` is compact JSON already; "" is left out.
  void raw(std::string_view key, std::string_view json);

  /// The same, written even when empty.
  void always_text(std::string_view key, std::string_view value);
  void always_number(std::string_view key, int64_t value);
  void always_flag(std::string_view key, bool value);
  void always_map(std::string_view key, const std::map<std::string, std::string>& value);

  Mark open(std::string_view key, char bracket = '{');
  void close(Mark mark, char bracket = '}');  ///< taken back if nothing came in between
  void close_keep(char bracket = '}') { out_ += bracket; }
  void element(char bracket = '{');   ///< an object as an element of an array, or the document
  void item(std::string_view value);  ///< a string as an element of an array

 private:
  void comma();
  void key(std::string_view name);
  void quote(std::string_view value);

  std::string& out_;
};

}  // namespace atq::api
