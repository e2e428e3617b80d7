#pragma once
// Kubernetes quantities: "500m", "64Mi", "2", "1.5G", "1e3".

#include <optional>
#include <string_view>

namespace atq::api {

/// The value in base units (cores, bytes); nullopt for what is no quantity of 0 or more.
std::optional<double> parse_quantity(std::string_view text);

}  // namespace atq::api
