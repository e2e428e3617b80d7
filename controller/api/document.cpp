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

/// Walks the text for the parser and counts what it has taken: its events say nothing of where.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, size_t* taken) : at_(at), taken_(taken) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    ++*taken_;
    return *this;
  }
  void operator++(int) { ++*this; }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }

 private:
  const char* at_;
  size_t* taken_;
};

/// Offset of the token that ends before `end`. Of a number the parser has taken one sign more.
size_t start_of_token(std::string_view text, size_t end) {
  const auto in_number = [](char c) {
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
  };
  if (end == 0) return 0;
  const char last = text[end - 1];
  if (last == '{' || last == '[') return end - 1;
  if (last == '"') {
    for (size_t at = end - 1; at > 0;) {
      if (text[--at] != '"') continue;
      const size_t before = text.substr(0, at).find_last_not_of('\\');
      const size_t slashes = before == std::string_view::npos ? at : at - before - 1;
      if (slashes % 2 == 0) return at;
    }
    return 0;
  }
  for (const std::string_view word : {"true", "false", "null"}) {
    if (text.substr(0, end).ends_with(word)) return end - word.size();
  }
  size_t at = end - (in_number(last) ? 0 : 1);
  while (at > 0 && in_number(text[at - 1])) --at;
  return at;
}

class JsonHandler : public nlohmann::json_sax<json> {
 public:
  JsonHandler(std::string_view text, const Limits& limits, bool positions)
      : text_(text), positions_(positions), tree_(limits) {}

  CountingIterator begin() { return {text_.begin(), &taken_}; }
  CountingIterator end() { return {text_.end(), &taken_}; }

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
    tree_.key(std::move(name), here());
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
    tree_.scalar(std::move(value), here());
    return true;
  }
  bool open(bool is_map) {
    tree_.open(is_map, here());
    return true;
  }
  bool close() {
    tree_.close();
    return true;
  }

  /// Of the token that the parser has just taken. They come in order: each line is counted once.
  Position here() {
    if (!positions_) return {};
    const size_t start = start_of_token(text_, taken_);
    for (; counted_ < start; ++counted_) {
      if (text_[counted_] != '\n') continue;
      ++line_;
      line_start_ = counted_ + 1;
    }
    return {line_, static_cast<int>(start - line_start_) + 1};
  }

  std::string_view text_;
  bool positions_;
  size_t taken_ = 0;
  size_t counted_ = 0;
  size_t line_start_ = 0;
  int line_ = 1;
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

PositionedJson parse_json(std::string_view text, const Limits& limits, bool positions) {
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
  JsonHandler handler(text, limits, positions);
  bool whole = false;
  Problem problem;
  try {
    whole = json::sax_parse(handler.begin(), handler.end(), &handler);
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
