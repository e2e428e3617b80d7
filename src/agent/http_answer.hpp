#pragma once
// Reads one HTTP/1.x answer of a health check from a stream that nobody trusts.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace atq::agent {

/// Bounded: at most kMaxHeadBytes of head (interim 1xx answers included), of the body the first
/// kMaxBodyBytes. Chunked bodies are put together.
class HttpAnswer {
 public:
  static constexpr size_t kMaxHeadBytes = 16 << 10;
  static constexpr size_t kMaxBodyBytes = 64 << 10;

  void feed(std::string_view bytes);
  /// The other side has closed. What was announced but did not come is a problem.
  void end_of_stream();

  /// 0 until the head has been read.
  int status() const { return status_; }
  const std::string& body() const { return body_; }
  /// Nothing more is needed: complete, at its bound, or a problem.
  bool done() const { return state_ == State::Done; }
  /// "not HTTP: …", "the head is larger than …"; "" = none.
  const std::string& problem() const { return problem_; }

 private:
  enum class State { Head, Body, ChunkSize, ChunkData, ChunkEnd, Done };
  void fail(std::string problem);
  void read_head();
  void take_head(std::string_view head);
  void take_header(std::string_view line);
  void begin_body();
  void read_body();
  void read_chunks();
  std::optional<std::string_view> take_line();
  void keep(size_t count);

  State state_ = State::Head;
  int status_ = 0;
  size_t head_bytes_ = 0;  ///< of interim answers
  bool chunked_ = false;
  std::optional<size_t> left_;  ///< of the body, or of the chunk; unset: until the end of stream
  std::string buffer_;          ///< received, not yet consumed
  std::string body_;
  std::string problem_;
};

}  // namespace atq::agent
