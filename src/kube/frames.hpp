#pragma once
// From the pieces of a body to the JSON texts in it, one at a time, so that a long list or watch
// never stands in memory as a whole. Pure; every size bounded.

#include <functional>
#include <string>
#include <string_view>

#include "src/base/error.hpp"

namespace atq::kube {

/// Takes one JSON text; false ends the reading.
using FrameSink = std::function<bool(std::string_view)>;

/// Lines of a watch. Where a line is too long, nothing after it is given.
class LineSplitter {
 public:
  explicit LineSplitter(size_t max_line) : max_line_(max_line) {}

  /// Invalid: a line is too long. Success with `sink` having said false: the rest is dropped.
  Result<void> feed(std::string_view piece, const FrameSink& sink);
  /// The body ended within a line.
  bool has_rest() const noexcept { return !rest_.empty(); }
  /// `sink` said false, or a line was too long: nothing more will be given.
  bool ended() const noexcept { return broken_; }

 private:
  size_t max_line_;
  std::string rest_;
  bool broken_ = false;
};

/// The members of "items" of one JSON object, and the object without them.
class ItemSplitter {
 public:
  ItemSplitter(size_t max_item, size_t max_envelope)
      : max_item_(max_item), max_envelope_(max_envelope) {}

  /// Invalid: an item or what is around the items is too large, or no list of objects.
  Result<void> feed(std::string_view piece, const FrameSink& sink);
  /// The object ended; then envelope() has it with "items":[].
  bool complete() const noexcept { return started_ && depth_ == 0 && !broken_; }
  const std::string& envelope() const noexcept { return envelope_; }

 private:
  bool take(char c);
  void take_in_string(char c);
  bool take_between_items(char c);
  void take_bracket(char c);

  size_t max_item_, max_envelope_;
  std::string envelope_, item_, key_;
  size_t depth_ = 0;
  bool started_ = false, broken_ = false;
  bool in_string_ = false, escaped_ = false;
  bool in_items_ = false, in_item_ = false, item_done_ = false;
};

}  // namespace atq::kube
