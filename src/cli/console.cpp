#include "src/cli/console.hpp"

#include <cstdlib>
#include <iostream>
#include <sys/ioctl.h>
#include <unistd.h>

namespace atq::cli {
namespace {

bool is_continuation(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

std::string_view code_of(Colour colour) noexcept {
  switch (colour) {
    case Colour::None:
      return "";
    case Colour::Red:
      return "\x1b[31m";
    case Colour::Green:
      return "\x1b[32m";
    case Colour::Yellow:
      return "\x1b[33m";
    case Colour::Dim:
      return "\x1b[2m";
    case Colour::Bold:
      return "\x1b[1m";
  }
  return "";
}

}  // namespace

int terminal_width() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

Console make_console() {
  const char* const no_colour = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  const bool live = ::isatty(STDERR_FILENO) == 1 && !dumb;
  const bool plain = no_colour != nullptr && *no_colour != '\0';
  return {.in = std::cin,
          .out = std::cout,
          .err = std::cerr,
          .live = live,
          .colour = live && ::isatty(STDOUT_FILENO) == 1 && !plain,
          .width = terminal_width()};
}

std::string paint(std::string_view text, Colour colour, bool enabled) {
  if (!enabled || colour == Colour::None || text.empty()) {
    return std::string(text);
  }
  return std::string(code_of(colour)).append(text).append("\x1b[0m");
}

size_t display_width(std::string_view text) noexcept {
  size_t width = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\x1b') {
      at = std::min(text.find('m', at), text.size());
    } else if (!is_continuation(text[at])) {
      ++width;
    }
  }
  return width;
}

std::string fit(std::string_view text, size_t width) {
  if (display_width(text) <= width) {
    return std::string(text);
  }
  if (width == 0) {
    return {};
  }
  size_t end = 0;
  for (size_t columns = 0; end < text.size(); ++end) {
    if (!is_continuation(text[end]) && ++columns == width) {
      break;
    }
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string pad(std::string_view text, size_t width) {
  const size_t used = display_width(text);
  return std::string(text) + std::string(used < width ? width - used : 0, ' ');
}

}  // namespace atq::cli
