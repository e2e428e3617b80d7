#include "controller/api/tree_builder.hpp"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "src/base/text.hpp"

namespace atq::api {
namespace {

using nlohmann::json;

/// Longer paths are not recorded (their parents are): a bound on memory, far above any real path.
constexpr size_t kMaxPath = 512;
constexpr size_t kMaxDuplicates = 20;

}  // namespace

struct TreeBuilder::Frame {
  json value;
  std::string key;
  std::set<std::string> merged;  ///< keys that came by a merge and may be set again
  size_t path_size = 0;          ///< of the path of the parent
  Cost before;
  Position position;
  bool expects_key = false;
  bool merging = false;
  bool duplicate = false;
};

TreeBuilder::TreeBuilder(const Limits& limits) : limits_(limits) {}
TreeBuilder::~TreeBuilder() = default;

bool TreeBuilder::expects_key() const { return !stack_.empty() && stack_.back().expects_key; }

const json& TreeBuilder::open_value() const { return stack_.back().value; }

void TreeBuilder::spend(Cost cost, Position position) {
  used_.nodes += cost.nodes;
  used_.bytes += cost.bytes;
  if (used_.nodes > limits_.max_nodes) {
    throw Refused{"found more than " + std::to_string(limits_.max_nodes) +
                      " values after aliases are expanded, expected fewer",
                  position};
  }
  if (used_.bytes > 4 * limits_.max_bytes) {
    throw Refused{"found more than " + std::to_string(4 * limits_.max_bytes) +
                      " bytes of text after aliases are expanded, expected less",
                  position};
  }
}

/// Makes `path_` that of the value which comes now, records it; returns the parent's size.
size_t TreeBuilder::enter(Position position) {
  const size_t parent = path_.size();
  if (stack_.empty()) {
    result_.line = position.line;
    return parent;
  }
  const Frame& frame = stack_.back();
  const std::string step =
      frame.value.is_array() ? '[' + std::to_string(frame.value.size()) + ']' : frame.key;
  if (parent + step.size() > kMaxPath) return parent;
  if (!frame.value.is_array() && parent > 0) path_ += '.';
  path_ += step;
  if (position.line > 0) {
    result_.positions.add(path_, frame.value.is_array() ? position : frame.position);
  }
  return parent;
}

void TreeBuilder::open(bool is_map, Position position) {
  if (stack_.size() >= limits_.max_depth) {
    throw Refused{"found values nested deeper than " + std::to_string(limits_.max_depth) +
                      " levels, expected fewer",
                  position};
  }
  const size_t parent = enter(position);
  Frame frame;
  frame.value = is_map ? json::object() : json::array();
  frame.path_size = parent;
  frame.before = used_;
  frame.expects_key = is_map;
  frame.position = position;
  spend({1, 0}, position);
  stack_.push_back(std::move(frame));
}

void TreeBuilder::key(std::string name, Position position) {
  Frame& frame = stack_.back();
  spend({0, name.size()}, position);
  frame.position = position;
  frame.expects_key = false;
  frame.duplicate = frame.value.contains(name) && !frame.merged.contains(name);
  if (frame.duplicate) {
    const std::string path = path_.empty() ? name : path_ + '.' + name;
    const Position first = result_.positions.nearest(path);
    std::string message = "found the key \"" + to_printable(truncate(name, 100)) + "\" twice";
    if (first.line > 0) message += " (first on line " + std::to_string(first.line) + ")";
    result_.problems.push_back({truncate(path, kMaxPath), message + ", expected it once",
                                "duplicate-key", position.line, position.column});
    if (result_.problems.size() > kMaxDuplicates) {
      throw Refused{"found too many keys that stand twice", position};
    }
  }
  frame.key = std::move(name);
}

void TreeBuilder::merge_key() {
  stack_.back().expects_key = false;
  stack_.back().merging = true;
  stack_.back().key = "<<";
}

void TreeBuilder::scalar(json value, Position position) {
  size_t bytes = 0;
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    bytes = text.size();
    if (text.find('\0') != std::string::npos) {
      throw Refused{"found a text with a NUL sign in it, expected none", position};
    }
  }
  const size_t parent = enter(position);
  spend({1, bytes}, position);
  path_.resize(parent);
  put(std::move(value), position);
}

void TreeBuilder::copy(const json& value, Cost cost, Position position) {
  spend(cost, position);
  const size_t parent = enter(position);
  path_.resize(parent);
  put(value, position);
}

void TreeBuilder::close() {
  Frame frame = std::move(stack_.back());
  stack_.pop_back();
  path_.resize(frame.path_size);
  put(std::move(frame.value), frame.position);
}

void TreeBuilder::put(json value, Position position) {
  if (stack_.empty()) {
    result_.value = std::make_shared<const json>(std::move(value));
    return;
  }
  Frame& frame = stack_.back();
  if (frame.value.is_array()) {
    frame.value.push_back(std::move(value));
    return;
  }
  frame.expects_key = true;
  if (frame.merging) {
    frame.merging = false;
    merge(frame, std::move(value), position);
    return;
  }
  if (frame.duplicate) return;
  if (!frame.merged.empty()) frame.merged.erase(frame.key);
  frame.value.get_ref<json::object_t&>().insert_or_assign(frame.key, std::move(value));
}

void TreeBuilder::merge(Frame& frame, json value, Position position) {
  const auto add = [&frame](const json& source) {
    for (const auto& [name, member] : source.items()) {
      if (!frame.value.contains(name)) frame.merged.insert(name);
      frame.value[name] = member;
    }
  };
  bool fits = value.is_object();
  if (value.is_object()) {
    add(value);
  } else if (value.is_array()) {
    fits = true;
    for (const json& item : value) fits = fits && item.is_object();
    // Of several maps the first wins.
    if (fits) std::for_each(value.rbegin(), value.rend(), add);
  }
  if (!fits) {
    throw Refused{"found a merge key (<<) whose value is no map, expected a map or a list of maps",
                  position};
  }
}

TreeBuilder::Cost TreeBuilder::spend_copy() {
  const Frame& frame = stack_.back();
  const Cost cost{used_.nodes - frame.before.nodes, used_.bytes - frame.before.bytes};
  spend(cost, frame.position);
  return cost;
}

PositionedJson TreeBuilder::take() {
  for (Frame& frame : stack_) frame.merging = false;
  while (!stack_.empty()) close();
  PositionedJson taken = std::move(result_);
  if (!taken.value) taken.value = std::make_shared<const json>();
  result_ = {};
  used_ = {};
  path_.clear();
  return taken;
}

}  // namespace atq::api
