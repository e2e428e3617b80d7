#pragma once
// LoadTests as a table. Pure.

#include <string>
#include <vector>

#include "controller/api/codec.hpp"
#include "controller/api/types.hpp"
#include "src/cli/console.hpp"

namespace atq::cli {

/// A LoadTest with what is wrong with its document.
struct Item {
  api::LoadTest test;
  std::vector<api::Problem> problems;
};

/// Something in the director's store that is no LoadTest.
struct SourceIssue {
  std::string source;
  std::string message;
};

struct TableOptions {
  bool namespaces = false;  ///< a column for the namespace
  bool wide = false;        ///< also RUN, TOOL and the reason with its message
  bool header = true;
  bool colour = false;
  TimePoint now{};
};

/// Header and a line per item; "" for no items.
std::string render_table(const std::vector<Item>& items, const TableOptions& options);

/// What stands below the table: documents that are refused and files that cannot be read; "" where
/// there are none.
std::string render_issues(const std::vector<Item>& items, const std::vector<SourceIssue>& issues);

Colour colour_of(api::Verdict verdict) noexcept;
/// "1.4", in percent; "-" where nothing was requested.
std::string error_percent(const api::LoadTestStatus& status);
/// A latency for people, "-" where it is not known.
std::string latency_text(const std::optional<int64_t>& microseconds);
/// Lines of aligned columns, two spaces between them; no spaces at the ends of lines.
std::string align(const std::vector<std::vector<std::string>>& rows,
                  const std::string& indent = {});

}  // namespace atq::cli
