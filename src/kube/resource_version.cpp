#include "src/kube/resource_version.hpp"

#include <algorithm>

namespace atq::kube {

namespace {

bool is_decimal(std::string_view text) {
  return !text.empty() && (text == "0" || text.front() != '0') &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::optional<std::strong_ordering> compare_versions(std::string_view a, std::string_view b) {
  if (!is_decimal(a) || !is_decimal(b)) {
    return std::nullopt;
  }
  return a.size() == b.size() ? a.compare(b) <=> 0 : a.size() <=> b.size();
}

}  // namespace atq::kube
