#include "controller/api/json_reader.hpp"

#include <nlohmann/json.hpp>

namespace atq::api {

using nlohmann::json;

const json* member(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

const json* object_member(const json& object, const char* key) {
  const json* value = member(object, key);
  return value && value->is_object() ? value : nullptr;
}

std::optional<std::string_view> text_member(const json& object, const char* key) {
  const json* value = member(object, key);
  if (!value || !value->is_string()) return std::nullopt;
  return value->get_ref<const std::string&>();
}

std::optional<int64_t> integer_member(const json& object, const char* key) {
  const json* value = member(object, key);
  if (!value || !value->is_number_integer()) return std::nullopt;
  if (value->is_number_unsigned() && value->get<uint64_t>() > uint64_t{INT64_MAX}) {
    return std::nullopt;
  }
  return value->get<int64_t>();
}

void read(const json& object, const char* key, std::string& out) {
  if (const auto text = text_member(object, key)) out = *text;
}

void read(const json& object, const char* key, bool& out) {
  const json* value = member(object, key);
  if (value && value->is_boolean()) out = value->get<bool>();
}

void read(const json& object, const char* key, std::optional<int64_t>& out) {
  if (const auto number = integer_member(object, key)) out = number;
}

void read(const json& object, const char* key, TimePoint& out) {
  const auto text = text_member(object, key);
  const auto time = text ? parse_rfc3339(*text) : std::nullopt;
  if (time) out = *time;
}

void read(const json& object, const char* key, std::optional<TimePoint>& out) {
  if (const auto text = text_member(object, key)) out = parse_rfc3339(*text);
}

void read(const json& object, const char* key, std::vector<std::string>& out) {
  const json* value = member(object, key);
  if (!value || !value->is_array()) return;
  out.reserve(value->size());
  for (const json& item : *value) {
    if (item.is_string()) out.push_back(item.get_ref<const std::string&>());
  }
}

void read(const json& object, const char* key, std::vector<int>& out) {
  const json* value = member(object, key);
  if (!value || !value->is_array()) return;
  out.clear();
  for (const json& item : *value) {
    if (item.is_number_integer()) out.push_back(item.get<int>());
  }
}

void read(const json& object, const char* key, std::map<std::string, std::string>& out) {
  const json* value = object_member(object, key);
  if (!value) return;
  for (const auto& [name, text] : value->items()) {
    if (text.is_string()) out.insert_or_assign(name, text.get_ref<const std::string&>());
  }
}

void for_each_object(const json& object, const char* key,
                     const std::function<void(const json&)>& body) {
  const json* value = member(object, key);
  if (!value || !value->is_array()) return;
  for (const json& item : *value) {
    if (item.is_object()) body(item);
  }
}

}  // namespace atq::api
