#include "controller/api/document.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "controller/api/tree_builder.hpp"
#include "controller/api/yaml_scalar.hpp"
#include "src/base/text.hpp"

namespace atq::api {

void Positions::add(std::string_view path, Position position) {
  entries_.emplace_back(path, position);
  if (!index_.empty()) index_.clear();
}

Position Positions::nearest(std::string_view path) const {
  if (index_.empty()) {
    index_.reserve(entries_.size());
    for (const auto& [known, position] : entries_) index_.try_emplace(known, position);
  }
  while (!path.empty()) {
    if (const auto found = index_.find(std::string(path)); found != index_.end())
      return found->second;
    const size_t cut = path.find_last_of(".[");
    path = path.substr(0, cut == std::string_view::npos ? 0 : cut);
  }
  return {};
}

namespace {

using nlohmann::json;

/// "[json.exception.parse_error.101] parse error at line 1, column 2: what" without its head.
std::string reason_of(const std::string& what) {
  const size_t column = what.find("column ");
  const size_t colon = what.find(": ", column == std::string::npos ? 0 : column);
  const std::string reason = colon == std::string::npos ? what : what.substr(colon + 2);
  return to_printable(truncate(reason, 300));
}

class JsonHandler : public nlohmann::json_sax<json> {
 public:
  explicit JsonHandler(const Limits& limits) : tree_(limits) {}

  bool null() override { return scalar(nullptr); }
  bool boolean(bool value) override { return scalar(value); }
  bool number_integer(number_integer_t value) override { return scalar(value); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(value); }
  bool number_float(number_float_t value, const string_t&) override {
    return scalar(number_of(value));
  }
  bool string(string_t& value) override { return scalar(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(true); }
  bool start_array(std::size_t) override { return open(false); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    tree_.key(std::move(name), {});
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    error_at_ = position;
    error_ = reason_of(error.what());
    return false;
  }

  TreeBuilder& tree() { return tree_; }
  const std::string& error() const { return error_; }
  size_t error_at() const { return error_at_; }

 private:
  bool scalar(json value) {
    tree_.scalar(std::move(value), {});
    return true;
  }
  bool open(bool is_map) {
    tree_.open(is_map, {});
    return true;
  }
  bool close() {
    tree_.close();
    return true;
  }

  TreeBuilder tree_;
  std::string error_;
  size_t error_at_ = 0;
};

Problem syntax_problem(std::string message, Position position) {
  return {"", std::move(message), "syntax", position.line, position.column};
}

Position position_of(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = std::count(before.begin(), before.end(), '\n');
  const size_t start = before.rfind('\n');
  const size_t column = before.size() - (start == std::string_view::npos ? 0 : start + 1);
  return {static_cast<int>(line) + 1, static_cast<int>(std::max<size_t>(column, 1))};
}

}  // namespace

PositionedJson parse_json(std::string_view text, const Limits& limits) {
  if (text.size() > limits.max_bytes) {
    PositionedJson refused;
    refused.value = std::make_shared<const json>();
    refused.broken = true;
    refused.problems.push_back(syntax_problem("found " + std::to_string(text.size()) +
                                                  " bytes, expected at most " +
                                                  std::to_string(limits.max_bytes),
                                              {}));
    return refused;
  }
  JsonHandler handler(limits);
  bool whole = false;
  Problem problem;
  try {
    whole = json::sax_parse(text, &handler);
    if (!whole) {
      problem = syntax_problem("not valid JSON: " + handler.error(),
                               position_of(text, handler.error_at()));
    }
  } catch (const Refused& refused) {
    problem = syntax_problem(refused.message, refused.position);
  }
  PositionedJson parsed = handler.tree().take();
  parsed.broken = !whole;
  if (!whole) parsed.problems.push_back(std::move(problem));
  return parsed;
}

}  // namespace atq::api
