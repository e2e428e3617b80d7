#include "src/agent/http_answer.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "src/base/text.hpp"

namespace atq::agent {
namespace {

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](unsigned char sign) { return static_cast<char>(std::tolower(sign)); });
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  return text;
}

std::optional<size_t> to_size(std::string_view text, int base) {
  size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string quoted_start(std::string_view text) {
  constexpr size_t kShown = 40;
  return "\"" + truncate(to_printable(text.substr(0, text.find_first_of("\r\n"))), kShown) + "\"";
}

}  // namespace

void HttpAnswer::feed(std::string_view bytes) {
  if (done()) return;
  buffer_.append(bytes);
  if (state_ == State::Head) read_head();
  if (state_ == State::Body) read_body();
  if (state_ != State::Head && state_ != State::Body) read_chunks();
}

void HttpAnswer::end_of_stream() {
  if (done()) return;
  if (state_ == State::Head && buffer_.empty()) return fail("closed without an answer");
  if (state_ == State::Head) {
    const bool http =
        buffer_.starts_with("HTTP/") || std::string_view("HTTP/").starts_with(buffer_);
    return fail(http ? "closed within the head" : "not HTTP: " + quoted_start(buffer_));
  }
  if (state_ != State::Body || left_) return fail("closed within the body");
  state_ = State::Done;
}

void HttpAnswer::fail(std::string problem) {
  problem_ = std::move(problem);
  state_ = State::Done;
}

void HttpAnswer::read_head() {
  const std::string_view magic = "HTTP/";
  if (!std::string_view(buffer_).starts_with(magic.substr(0, buffer_.size()))) {
    return fail("not HTTP: " + quoted_start(buffer_));
  }
  while (state_ == State::Head) {
    // An empty line ends the head; bare line feeds are taken as RFC 9112, 2.2 allows.
    size_t end = std::string::npos, after = 0;
    for (const std::string_view mark : {"\r\n\r\n", "\n\n"}) {
      const size_t found = buffer_.find(mark);
      if (found < end) {
        end = found;
        after = found + mark.size();
      }
    }
    if (head_bytes_ + std::min(end, buffer_.size()) > kMaxHeadBytes) {
      return fail("the head is larger than " + std::to_string(kMaxHeadBytes) + " bytes");
    }
    if (end == std::string::npos) return;
    head_bytes_ += after;
    take_head(buffer_.substr(0, end));
    buffer_.erase(0, after);
  }
}

void HttpAnswer::take_head(std::string_view head) {
  const std::string_view first = head.substr(0, head.find('\n'));
  // "HTTP/1.1 200 OK"
  const size_t blank = first.find(' ');
  const auto code = blank == std::string_view::npos ? std::nullopt
                                                    : to_size(trim(first.substr(blank + 1, 3)), 10);
  if (!first.starts_with("HTTP/1.") || !code || *code < 100 || *code > 999) {
    return fail("not HTTP/1.x: " + quoted_start(first));
  }
  if (*code < 200 && *code != 101) return;  // an interim answer: the real one follows
  status_ = static_cast<int>(*code);
  for (size_t at = first.size(); at < head.size();) {
    const size_t end = std::min(head.find('\n', at + 1), head.size());
    take_header(head.substr(at + 1, end - at - 1));
    at = end;
  }
  if (!done()) begin_body();
}

void HttpAnswer::take_header(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string name = lower_case(trim(line.substr(0, colon)));
  const std::string_view value = trim(line.substr(colon + 1));
  if (name == "transfer-encoding") chunked_ = lower_case(value).ends_with("chunked");
  if (name == "content-length") {
    left_ = to_size(value, 10);
    if (!left_) fail("content-length is no number: " + quoted_start(value));
  }
}

void HttpAnswer::begin_body() {
  if (chunked_) left_.reset();
  state_ = chunked_ ? State::ChunkSize : State::Body;
  if (status_ == 204 || status_ == 304 || status_ == 101) state_ = State::Done;
}

void HttpAnswer::keep(size_t count) {
  body_.append(buffer_, 0, std::min(count, kMaxBodyBytes - body_.size()));
  buffer_.erase(0, count);
}

void HttpAnswer::read_body() {
  const size_t count = left_ ? std::min(*left_, buffer_.size()) : buffer_.size();
  keep(count);
  if (left_) *left_ -= count;
  if ((left_ && *left_ == 0) || body_.size() == kMaxBodyBytes) state_ = State::Done;
}

std::optional<std::string_view> HttpAnswer::take_line() {
  const size_t end = buffer_.find('\n');
  if (end == std::string::npos) return std::nullopt;
  return trim(std::string_view(buffer_).substr(0, end));
}

void HttpAnswer::read_chunks() {
  constexpr size_t kMaxLine = 1024;
  while (!done()) {
    if (state_ == State::ChunkData) {
      const size_t count = std::min(*left_, buffer_.size());
      keep(count);
      *left_ -= count;
      if (body_.size() == kMaxBodyBytes) state_ = State::Done;
      if (*left_ != 0 || done()) return;
      state_ = State::ChunkEnd;
    }
    const auto line = take_line();
    if (!line && buffer_.size() > kMaxLine) return fail("a chunk without a size");
    if (!line) return;
    if (state_ == State::ChunkSize) {
      left_ = to_size(trim(line->substr(0, line->find(';'))), 16);
      if (!left_) return fail("a chunk without a size: " + quoted_start(*line));
      state_ = *left_ == 0 ? State::Done : State::ChunkData;
    } else {
      state_ = State::ChunkSize;
    }
    buffer_.erase(0, buffer_.find('\n') + 1);
  }
}

}  // namespace atq::agent
