#pragma once
// Small files, read and written whole. Blocking; for the agent and for the director's look into a
// replica's folder.

#include <cstddef>
#include <string>
#include <string_view>

#include "src/agent/unique_fd.hpp"
#include "src/base/error.hpp"

namespace atq::agent {

/// The file's bytes. NotFound; Invalid where it has more than `limit` bytes or is no regular file.
Result<std::string> read_whole(const std::string& path, size_t limit);

/// Writes PATH.tmp, syncs it where `durable`, and renames it to PATH: a reader sees all or nothing.
Result<void> write_by_rename(const std::string& path, std::string_view bytes, bool durable);

/// Creates PATH with these bytes so that it appears whole; Conflict where it is there already. One
/// writer at a time.
Result<void> create_exclusive(const std::string& path, std::string_view bytes);

/// Writes all bytes, going on after signals and short writes.
Result<void> write_all(int fd, std::string_view bytes, std::string_view what);

/// Takes the exclusive open-file-description lock, which lives as long as the description.
/// Conflict where another holds it.
Result<void> lock_exclusive(int fd, std::string_view path);

/// True while some process holds the lock of lock_exclusive on PATH; never takes it itself.
bool is_locked(const std::string& path);

}  // namespace atq::agent
