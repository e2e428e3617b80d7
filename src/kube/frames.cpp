#include "src/kube/frames.hpp"

#include <utility>

namespace atq::kube {

namespace {

constexpr size_t kMaxKey = 64;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

Result<void> LineSplitter::feed(std::string_view piece, const FrameSink& sink) {
  while (!piece.empty() && !broken_) {
    const size_t end = piece.find('\n');
    const bool whole = end != std::string_view::npos;
    const std::string_view part = piece.substr(0, end);
    if (rest_.size() + part.size() > max_line_) {
      broken_ = true;
      rest_.clear();
      return fail(ErrorKind::Invalid,
                  "an event of the watch has more than " + std::to_string(max_line_) + " bytes");
    }
    if (!whole) {
      rest_ += part;
      break;
    }
    piece.remove_prefix(end + 1);
    const std::string line = std::exchange(rest_, {});
    const std::string joined = line.empty() ? std::string() : line + std::string(part);
    const std::string_view text = line.empty() ? part : std::string_view(joined);
    if (text.find_first_not_of(" \t\r") != std::string_view::npos && !sink(text)) {
      broken_ = true;
    }
  }
  return {};
}

Result<void> ItemSplitter::feed(std::string_view piece, const FrameSink& sink) {
  for (const char c : piece) {
    if (broken_) {
      break;
    }
    if (!take(c)) {
      broken_ = true;
      return fail(ErrorKind::Invalid, "found no list of objects, expected one of the API server");
    }
    if (item_.size() > max_item_ || envelope_.size() > max_envelope_) {
      broken_ = true;
      return fail(ErrorKind::Invalid, item_.size() > max_item_
                                          ? "an object of the list has more than " +
                                                std::to_string(max_item_) + " bytes"
                                          : "what is around the list's items has more than " +
                                                std::to_string(max_envelope_) + " bytes");
    }
    if (item_done_) {
      item_done_ = false;
      broken_ = !sink(item_);
      item_.clear();
    }
  }
  return {};
}

bool ItemSplitter::take(char c) {
  if (in_items_ && !in_item_ && depth_ == 2) {
    return take_between_items(c);
  }
  (in_item_ ? item_ : envelope_) += c;
  if (in_string_) {
    take_in_string(c);
    return true;
  }
  if (!started_ || depth_ == 0) {
    const bool opens = !started_ && c == '{';
    started_ = started_ || opens;
    depth_ += opens ? 1 : 0;
    return opens || is_space(c);
  }
  if (c == '"') {
    in_string_ = true;
    if (depth_ == 1) {
      key_.clear();
    }
  } else {
    take_bracket(c);
  }
  return true;
}

void ItemSplitter::take_in_string(char c) {
  if (escaped_) {
    escaped_ = false;
  } else if (c == '\\') {
    escaped_ = true;
  } else if (c == '"') {
    in_string_ = false;
    return;
  }
  if (depth_ == 1 && key_.size() < kMaxKey) {
    key_ += c;
  }
}

/// Within the array of items: each begins with a brace.
bool ItemSplitter::take_between_items(char c) {
  if (c == '{') {
    in_item_ = true;
    item_ = c;
    ++depth_;
    return true;
  }
  if (c == ']') {
    in_items_ = false;
    envelope_ += c;
    --depth_;
    return true;
  }
  return c == ',' || is_space(c);
}

void ItemSplitter::take_bracket(char c) {
  if (c == '{' || c == '[') {
    in_items_ = in_items_ || (depth_ == 1 && c == '[' && key_ == "items");
    ++depth_;
  } else if (c == '}' || c == ']') {
    --depth_;
    if (in_item_ && depth_ == 2) {
      in_item_ = false;
      item_done_ = true;
    }
  }
}

}  // namespace atq::kube
