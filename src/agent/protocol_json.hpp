#pragma once
// JSON of the protocol's value types: one list of fields each, `fields(visitor, value)`, for
// writing and reading.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "src/base/error.hpp"

namespace atq::agent::json {

using Json = nlohmann::json;

/// Parses one document. Invalid for what is no JSON, nests deeper than the protocol's types,
/// repeats a key, or has anything after it.
Result<Json> parse(std::string_view text);

/// The compact text; ill-formed UTF-8 becomes U+FFFD.
std::string to_text(const Json& value);

/// A value that has a list of fields itself.
template <class Visitor, class T>
concept Nested = requires(Visitor visitor, T& value) { fields(visitor, value); };

/// Puts fields into an object, which outlives it.
class Writer {
 public:
  explicit Writer(Json& object) : object_(object) {}
  void operator()(const char* name, const std::string& value);
  void operator()(const char* name, const std::vector<std::string>& value);
  void operator()(const char* name, const std::map<std::string, std::string>& value);
  void operator()(const char* name, bool value);
  void operator()(const char* name, int value);
  void operator()(const char* name, int64_t value);
  void operator()(const char* name, uint64_t value);
  template <class T>
    requires Nested<Writer, const T>
  void operator()(const char* name, const T& value) {
    Writer inner = nested(name);
    fields(inner, value);
  }

 private:
  Writer nested(const char* name);
  Json& object_;
};

/// Takes fields out of an object, which outlives it. Absent fields keep their defaults, unknown
/// ones are left alone (a newer partner may have written them); the first wrong one is kept as the
/// error.
class Reader {
 public:
  Reader(const Json& object, std::string path) : object_(object), path_(std::move(path)) {}
  void operator()(const char* name, std::string& value);
  void operator()(const char* name, std::vector<std::string>& value);
  void operator()(const char* name, std::map<std::string, std::string>& value);
  void operator()(const char* name, bool& value);
  void operator()(const char* name, int& value);
  void operator()(const char* name, int64_t& value);
  void operator()(const char* name, uint64_t& value);
  template <class T>
    requires Nested<Reader, T>
  void operator()(const char* name, T& value) {
    const Json* object = find_object(name);
    if (object == nullptr) return;
    Reader inner(*object, path_of(name));
    fields(inner, value);
    error_ = inner.error_;
  }
  /// "PATH: what is wrong"; unset if all went well.
  const std::optional<std::string>& error() const { return error_; }

 private:
  std::string path_of(const char* name) const;
  const Json* find(const char* name) const;
  const Json* find_object(const char* name);
  void expected(const std::string& path, std::string_view what, const Json& found);
  void take_text(const std::string& path, const Json& found, std::string& value);
  template <class Integer>
  void take_integer(const char* name, Integer& value);

  const Json& object_;
  std::string path_;
  std::optional<std::string> error_;
};

}  // namespace atq::agent::json
