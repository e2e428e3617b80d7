#include "controller/engine/deflated_text.hpp"

#include <limits>
#include <memory>
#include <stdexcept>
#include <zlib.h>

namespace atq::engine {

namespace {

// An 8 KiB window holds most objects whole and keeps zlib's own state at 50 KiB.
constexpr int kWindowBits = -13;  // negative: without header and checksum
constexpr int kMemoryLevel = 6;

/// zlib takes what it only reads as a pointer to non-const.
Bytef* bytes_of(std::string_view text) {
  return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
}

/// The state is made once and reset for each text: making it costs more than a text does.
struct Deflater {
  Deflater() {
    if (deflateInit2(&stream, 1, Z_DEFLATED, kWindowBits, kMemoryLevel, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~Deflater() { deflateEnd(&stream); }
  z_stream stream{};
};

struct Inflater {
  Inflater() {
    if (inflateInit2(&stream, kWindowBits) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~Inflater() { inflateEnd(&stream); }
  z_stream stream{};
};

}  // namespace

DeflatedText::DeflatedText(std::string_view text) : size_(text.size()) {
  if (text.size() < std::numeric_limits<uInt>::max()) {
    thread_local Deflater deflater;
    z_stream& stream = deflater.stream;
    deflateReset(&stream);
    std::string out(text.size(), '\0');
    stream.next_in = bytes_of(text);
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    if (deflate(&stream, Z_FINISH) == Z_STREAM_END && stream.total_out < text.size()) {
      bytes_.assign(out, 0, stream.total_out);
      bytes_.shrink_to_fit();
      return;
    }
  }
  bytes_.assign(text);
}

std::string DeflatedText::str() const {
  if (bytes_.size() == size_) {
    return bytes_;
  }
  thread_local Inflater inflater;
  z_stream& stream = inflater.stream;
  inflateReset(&stream);
  std::string text(size_, '\0');
  stream.next_in = bytes_of(bytes_);
  stream.avail_in = static_cast<uInt>(bytes_.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  if (inflate(&stream, Z_FINISH) != Z_STREAM_END || stream.total_out != size_) {
    throw std::logic_error("deflated text is damaged");
  }
  return text;
}

}  // namespace atq::engine
