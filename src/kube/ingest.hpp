#pragma once
// The JSON texts of a watch and of a list, checked and trimmed of what nobody reads. Pure.

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "src/kube/resource.hpp"

namespace atq::kube {

/// metadata.resourceVersion; "" where there is none.
std::string version_of(const nlohmann::json& object);

/// Fills in apiVersion and kind where a list left them out, drops metadata.managedFields. False: no
/// object of that kind with a name.
bool trim_object(nlohmann::json& object, const Resource& resource);

/// One line of a watch.
struct WatchLine {
  std::string type;
  std::string version;  ///< of the object; "": it is none, or of another kind
  bool initial_events_end = false;
};
/// `object` gets what stands in "object" (trimmed), for an ERROR the Status as it came. nullopt: no
/// JSON object with a type.
std::optional<WatchLine> parse_watch_line(std::string_view line, const Resource& resource,
                                          nlohmann::json& object);

/// What a list's page says besides its items.
struct PageHead {
  std::string version;
  std::string token;  ///< `continue`
};
/// nullopt: no JSON object with metadata.
std::optional<PageHead> parse_page_head(std::string_view envelope);

}  // namespace atq::kube
