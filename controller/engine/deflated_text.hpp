#pragma once
// Text kept deflated: an encoded LoadTest with its conditions is to two thirds the same words.

#include <string>
#include <string_view>

namespace atq::engine {

class DeflatedText {
 public:
  DeflatedText() = default;
  /// Any text; one that does not get smaller is kept as it is.
  explicit DeflatedText(std::string_view text);
  std::string str() const;
  /// Bytes it takes in memory, for tests.
  size_t stored_size() const noexcept { return bytes_.size(); }

 private:
  std::string bytes_;
  size_t size_ = 0;
};

}  // namespace atq::engine
