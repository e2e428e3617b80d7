#pragma once
// Where the command line reads and writes; tests put strings in place of the terminal.

#include <istream>
#include <ostream>
#include <string>
#include <string_view>

namespace atq::cli {

struct Console {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool live = false;    ///< err is a terminal that can redraw lines
  bool colour = false;  ///< of both: terminals, and NO_COLOR is not set
  int width = 80;       ///< columns of the terminal
};

/// The process's own streams.
Console make_console();
/// Columns of the terminal as of now.
int terminal_width();

enum class Colour { None, Red, Green, Yellow, Dim, Bold };
/// The text in that colour; as it is where `enabled` is false.
std::string paint(std::string_view text, Colour colour, bool enabled);

/// Columns that the text takes (a code point is one; escape sequences none).
size_t display_width(std::string_view text) noexcept;
/// Cut at `width` columns, with "…" for what is missing; text without escape sequences.
std::string fit(std::string_view text, size_t width);
/// Filled up with spaces to `width` columns.
std::string pad(std::string_view text, size_t width);

}  // namespace atq::cli
