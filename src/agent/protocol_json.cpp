#include "src/agent/protocol_json.hpp"

#include <limits>
#include <set>
#include <type_traits>

#include <nlohmann/json.hpp>

namespace atq::agent::json {

Result<Json> parse(std::string_view text) {
  constexpr int kMaxDepth = 6;
  std::string problem;
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && problem.empty()) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys.back().insert(key).second) problem = "key \"" + key + "\" stands twice";
    }
    if (depth > kMaxDepth && problem.empty()) problem = "nested too deeply";
    return problem.empty();
  };
  try {
    Json value = Json::parse(text, watch);
    if (problem.empty()) return value;
  } catch (const Json::exception& exception) {
    if (problem.empty()) problem = std::string("not valid JSON: ") + exception.what();
  }
  return fail(ErrorKind::Invalid, problem);
}

std::string to_text(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void Writer::operator()(const char* name, const std::string& value) { object_[name] = value; }
void Writer::operator()(const char* name, const std::vector<std::string>& value) {
  object_[name] = value;
}
void Writer::operator()(const char* name, const std::map<std::string, std::string>& value) {
  object_[name] = value;
}
void Writer::operator()(const char* name, bool value) { object_[name] = value; }
void Writer::operator()(const char* name, int value) { object_[name] = value; }
void Writer::operator()(const char* name, int64_t value) { object_[name] = value; }
void Writer::operator()(const char* name, uint64_t value) { object_[name] = value; }

Writer Writer::nested(const char* name) { return Writer(object_[name] = Json::object()); }

std::string Reader::path_of(const char* name) const {
  return path_.empty() ? name : path_ + "." + name;
}

const Json* Reader::find(const char* name) const {
  const auto found = object_.find(name);
  return error_ || found == object_.end() ? nullptr : &*found;
}

const Json* Reader::find_object(const char* name) {
  const Json* found = find(name);
  if (found == nullptr || found->is_object()) return found;
  expected(path_of(name), "an object", *found);
  return nullptr;
}

void Reader::expected(const std::string& path, std::string_view what, const Json& found) {
  error_ = path + ": expected " + std::string(what) + ", found " + found.type_name();
}

void Reader::take_text(const std::string& path, const Json& found, std::string& value) {
  if (!found.is_string()) return expected(path, "a string", found);
  value = found.get<std::string>();
  // Every string ends up in a system call or a log, where NUL would cut it silently.
  if (value.find('\0') != std::string::npos) error_ = path + ": holds a NUL character";
}

template <class Integer>
void Reader::take_integer(const char* name, Integer& value) {
  const Json* found = find(name);
  if (found == nullptr) return;
  if (!found->is_number_integer()) return expected(path_of(name), "a whole number", *found);
  using Limits = std::numeric_limits<Integer>;
  // Asked as what it is: get<> would wrap silently.
  const bool fits = found->is_number_unsigned()
                        ? found->get<uint64_t>() <= static_cast<uint64_t>(Limits::max())
                        : std::is_signed_v<Integer> &&
                              found->get<int64_t>() >= static_cast<int64_t>(Limits::min());
  if (fits) {
    value = found->get<Integer>();
  } else {
    error_ = path_of(name) + ": " + found->dump() + " is out of range";
  }
}

void Reader::operator()(const char* name, int& value) { take_integer(name, value); }
void Reader::operator()(const char* name, int64_t& value) { take_integer(name, value); }
void Reader::operator()(const char* name, uint64_t& value) { take_integer(name, value); }

void Reader::operator()(const char* name, std::string& value) {
  if (const Json* found = find(name)) take_text(path_of(name), *found, value);
}

void Reader::operator()(const char* name, bool& value) {
  const Json* found = find(name);
  if (found == nullptr) return;
  if (!found->is_boolean()) return expected(path_of(name), "true or false", *found);
  value = found->get<bool>();
}

void Reader::operator()(const char* name, std::vector<std::string>& value) {
  const Json* found = find(name);
  if (found == nullptr) return;
  if (!found->is_array()) return expected(path_of(name), "an array of strings", *found);
  value.clear();
  for (const Json& item : *found) {
    if (error_) return;
    const std::string path = path_of(name) + "[" + std::to_string(value.size()) + "]";
    take_text(path, item, value.emplace_back());
  }
}

void Reader::operator()(const char* name, std::map<std::string, std::string>& value) {
  const Json* found = find(name);
  if (found == nullptr) return;
  if (!found->is_object()) return expected(path_of(name), "an object of strings", *found);
  value.clear();
  for (const auto& [variable, item] : found->items()) {
    if (error_) return;
    if (variable.empty() || variable.find('=') != std::string::npos ||
        variable.find('\0') != std::string::npos) {
      error_ = path_of(name) + ": \"" + variable + "\" is no name of a variable";
      return;
    }
    take_text(path_of(name) + "." + variable, item, value[variable]);
  }
}

}  // namespace atq::agent::json
