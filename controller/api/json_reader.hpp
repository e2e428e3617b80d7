#pragma once
// Lenient reading of members: the target keeps its value where the member is missing, null, of
// another type or out of range. Internal to api.

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "src/base/time.hpp"

namespace atq::api {

/// The member, or nullptr where `object` is none or lacks it or it is null.
const nlohmann::json* member(const nlohmann::json& object, const char* key);
/// The same where it is an object.
const nlohmann::json* object_member(const nlohmann::json& object, const char* key);
/// The member's text; nullopt where it is none. The view lives as long as `object`.
std::optional<std::string_view> text_member(const nlohmann::json& object, const char* key);
std::optional<int64_t> integer_member(const nlohmann::json& object, const char* key);

void read(const nlohmann::json& object, const char* key, std::string& out);
void read(const nlohmann::json& object, const char* key, bool& out);
void read(const nlohmann::json& object, const char* key, std::optional<int64_t>& out);
void read(const nlohmann::json& object, const char* key, TimePoint& out);
void read(const nlohmann::json& object, const char* key, std::optional<TimePoint>& out);
void read(const nlohmann::json& object, const char* key, std::vector<std::string>& out);
void read(const nlohmann::json& object, const char* key, std::vector<int>& out);
void read(const nlohmann::json& object, const char* key, std::map<std::string, std::string>& out);

template <std::signed_integral T>
void read(const nlohmann::json& object, const char* key, T& out) {
  const auto number = integer_member(object, key);
  if (number && *number >= std::numeric_limits<T>::min() &&
      *number <= std::numeric_limits<T>::max()) {
    out = static_cast<T>(*number);
  }
}

/// Calls `body(element)` for each object of the array member `key`.
void for_each_object(const nlohmann::json& object, const char* key,
                     const std::function<void(const nlohmann::json&)>& body);

/// The enumerator of `values` whose name stands in the member; unknown names change nothing.
template <class Enum>
void read_enum(const nlohmann::json& object, const char* key, std::initializer_list<Enum> values,
               Enum& out) {
  const auto text = text_member(object, key);
  if (!text) return;
  for (const Enum candidate : values) {
    if (*text == to_string(candidate)) out = candidate;
  }
}

}  // namespace atq::api
