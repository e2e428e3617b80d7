#pragma once
// Which files of a folder are sources, and what a folder means. Pure.

#include <cstddef>
#include <string>
#include <string_view>

#include "src/base/error.hpp"

namespace atq::stores::directory {

/// `*.yaml` and `*.yml` that are not hidden; so no editor's swap or backup file.
bool is_source_name(std::string_view file_name);

/// Hidden: starts with a dot.
bool is_hidden(std::string_view file_name);

/// Namespace of the files in `folder` (relative to the root, "" = the root): "" -> "default",
/// "team" -> "team", "team/nightly" -> "team-nightly". Invalid where that is no namespace's name.
Result<std::string> namespace_of(std::string_view folder);

/// "a/b/c.yaml" -> "a/b"; "c.yaml" -> "".
std::string folder_of(std::string_view path);

/// A lower-case DNS label (RFC 1123): safe as a file name.
bool is_dns_label(std::string_view name);

/// A lower-case DNS subdomain of at most 253 signs: what a LoadTest may be called.
bool is_object_name(std::string_view name);

/// A path as it may stand in a message.
std::string shown(std::string_view path);

}  // namespace atq::stores::directory
