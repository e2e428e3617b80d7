#pragma once
// Everything about one LoadTest, in sections. Pure.

#include <string>
#include <vector>

#include "src/cli/render_table.hpp"

namespace atq::cli {

/// An event as the director recorded it.
struct EventLine {
  bool warning = false;
  std::string reason;
  std::string message;
  int64_t count = 1;
  std::string last_at;  ///< RFC 3339
};

std::string render_describe(const Item& item, const std::vector<EventLine>& events, TimePoint now,
                            bool colour);

}  // namespace atq::cli
