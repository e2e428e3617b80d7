#pragma once
// KEP-5504: resourceVersions of one kind on one server are decimal numbers that can be compared.

#include <compare>
#include <optional>
#include <string_view>

namespace atq::kube {

/// By length, then bytes; nullopt where either is something else: then nothing is known.
std::optional<std::strong_ordering> compare_versions(std::string_view a, std::string_view b);

}  // namespace atq::kube
