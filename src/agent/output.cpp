#include "src/agent/output.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/text.hpp"

namespace atq::agent {

BoundedLog::BoundedLog(std::string path, int64_t limit) : path_(std::move(path)), limit_(limit) {
  // Created at once, so that whoever follows the log finds it.
  fd_.reset(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  struct stat info{};
  if (fd_ && ::fstat(fd_.get(), &info) == 0) size_ = info.st_size;
}

void BoundedLog::append(std::string_view bytes) {
  while (!bytes.empty()) {
    if (size_ >= limit_) rotate();
    if (!fd_) fd_.reset(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    const auto room = static_cast<size_t>(std::max<int64_t>(limit_ - size_, 1));
    const ssize_t count = ::write(fd_.get(), bytes.data(), std::min(bytes.size(), room));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      dropped_ += static_cast<int64_t>(bytes.size());
      return;
    }
    size_ += count;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

void BoundedLog::rotate() {
  // Where it cannot move, its content is given up: the bound matters more.
  if (::rename(path_.c_str(), (path_ + ".1").c_str()) != 0) ::unlink(path_.c_str());
  fd_.reset();
  size_ = 0;
}

void LineSplitter::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t feed = bytes.find('\n');
    const size_t end = std::min(feed, bytes.substr(0, feed).find('\r'));
    const std::string_view piece = bytes.substr(0, end);
    if (end == std::string_view::npos) {
      begun_.append(piece.substr(0, kMaxLineBytes - std::min(begun_.size(), kMaxLineBytes)));
      return;
    }
    if (begun_.empty()) {
      callback_(piece.substr(0, kMaxLineBytes));
    } else {
      begun_.append(piece.substr(0, kMaxLineBytes - std::min(begun_.size(), kMaxLineBytes)));
      callback_(begun_);
      begun_.clear();
    }
    bytes.remove_prefix(end + 1);
  }
}

void LineSplitter::finish() {
  if (!begun_.empty()) callback_(begun_);
  begun_.clear();
}

void LastLines::add(std::string_view line) {
  if (line.find_first_not_of(" \t") == std::string_view::npos) return;
  if (lines_.size() == kLines) {
    // The oldest one's memory serves the newest.
    std::string recycled = std::move(lines_.front());
    lines_.pop_front();
    recycled.assign(line.substr(0, 2 * kLineBytes));
    lines_.push_back(std::move(recycled));
  } else {
    lines_.emplace_back(line.substr(0, 2 * kLineBytes));
  }
}

std::vector<std::string> LastLines::lines() const {
  std::vector<std::string> out;
  for (const std::string& line : lines_) {
    out.push_back(truncate(to_printable(strip_control_sequences(line)), kLineBytes));
  }
  return out;
}

std::string strip_control_sequences(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\x1b' || i + 1 == text.size()) {
      out += text[i];
    } else if (text[++i] == '[') {
      // ECMA-48: parameters, then one final byte of 0x40 to 0x7E.
      ++i;
      while (i < text.size() && (text[i] < '\x40' || text[i] > '\x7e')) ++i;
    }
  }
  return out;
}

}  // namespace atq::agent
