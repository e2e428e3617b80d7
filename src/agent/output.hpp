#pragma once
// What becomes of a tool's output: bounded files and the last lines.

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "src/agent/unique_fd.hpp"

namespace atq::agent {

/// A file that never holds more than `limit` bytes: when it would, it moves to PATH.1 and is begun
/// anew. What cannot be written (disk full) is dropped and counted; the next append tries again.
class BoundedLog {
 public:
  BoundedLog(std::string path, int64_t limit);
  void append(std::string_view bytes);
  int64_t dropped_bytes() const { return dropped_; }

 private:
  void rotate();
  std::string path_;
  int64_t limit_;
  int64_t size_ = 0;
  int64_t dropped_ = 0;
  UniqueFd fd_;
};

/// Cuts a stream into lines at \n and \r. Of an overlong line only the first kMaxLineBytes are
/// given; binary junk is as good as text here.
class LineSplitter {
 public:
  static constexpr size_t kMaxLineBytes = 4096;
  using LineCallback = std::function<void(std::string_view line)>;
  explicit LineSplitter(LineCallback callback) : callback_(std::move(callback)) {}
  void feed(std::string_view bytes);
  /// Gives the line begun, if there is one.
  void finish();

 private:
  LineCallback callback_;
  std::string begun_;
};

/// The last kLines non-empty lines of several streams in the order they came.
class LastLines {
 public:
  static constexpr size_t kLines = 20;
  static constexpr size_t kLineBytes = 400;
  void add(std::string_view line);
  /// Printable, without terminal control sequences, each at most kLineBytes.
  std::vector<std::string> lines() const;

 private:
  std::deque<std::string> lines_;
};

/// The text without ANSI control sequences (colours, cursor moves).
std::string strip_control_sequences(std::string_view text);

}  // namespace atq::agent
