#pragma once
// File work that survives crashes and hostile folders. Every call blocks: keep it off the event
// loop where the amount is not small. No call follows a symbolic link in the last part of a path.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/error.hpp"

namespace atq::proc {

/// The whole regular file. NotFound; Invalid where it is larger than `max_bytes` or no regular
/// file.
Result<std::string> read_file(const std::filesystem::path& path, size_t max_bytes);

/// The last `max_bytes` of a file; empty where it does not exist.
Result<std::string> read_tail(const std::filesystem::path& path, size_t max_bytes);

/// Durable: also after a power cut (file and folder synced). Plain: whole or not at all.
enum class Durability { Plain, Durable };

/// Writes a temporary file beside `path` and renames it there.
Result<void> write_atomic(const std::filesystem::path& path, std::string_view content,
                          Durability durability = Durability::Plain, unsigned mode = 0644);

/// The same, but only where `path` does not exist yet. True: it is ours; false: somebody was first.
Result<bool> write_once(const std::filesystem::path& path, std::string_view content);

/// Creates an empty file. True: it is ours; false: it exists.
Result<bool> create_marker(const std::filesystem::path& path);

/// True where something (also a broken link) has this name.
bool exists(const std::filesystem::path& path) noexcept;

/// Folder and parents, mode 0755. An existing folder is success; a symbolic link in its place is
/// Forbidden.
Result<void> make_folders(const std::filesystem::path& path);

/// Makes the entries of a folder durable.
Result<void> sync_folder(const std::filesystem::path& path);

/// Copies a regular file, by reference where the file system can. Conflict where `to` exists.
Result<void> copy_file(const std::filesystem::path& from, const std::filesystem::path& to,
                       unsigned mode);

/// Names in a folder (no . and ..), sorted; at most `max_entries`. NotFound.
Result<std::vector<std::string>> list_folder(const std::filesystem::path& path,
                                             size_t max_entries = 1'000'000);

/// Removes a tree and everything in it, links as links. Success where it does not exist.
Result<void> remove_tree(const std::filesystem::path& path);

}  // namespace atq::proc
