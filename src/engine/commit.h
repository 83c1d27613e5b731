// Files that appear in a folder and vanish from it in one step, for every process that asks
// `folder_files`, whatever dies when.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace firesteel {

/// What one commit does to a folder. Paths are relative to it.
struct FolderChange {
  std::vector<std::pair<std::string, std::string>> add;  // renamed from … to …
  std::vector<std::string> remove;
};

/// Makes the change under the folder's lock: first a journal that says all of it, then its steps. A
/// process that dies between leaves the journal, and whoever takes the lock next goes on from
/// there. Throws IO_ERROR or DISK_FULL; then nothing has changed.
void commit_change(const std::filesystem::path& folder, const FolderChange& change);

/// The files of a folder and its subfolders, absolute and sorted, as of the last whole commit.
/// Hidden files and folders (_…, .…) are left out.
std::vector<std::string> folder_files(const std::filesystem::path& folder);

/// A lock on a file or folder that processes share, held while it lives. What cannot be opened is
/// not locked.
class PathLock {
 public:
  enum class Kind { kShared, kExclusive };
  PathLock(const std::filesystem::path& path, Kind kind);
  ~PathLock();
  PathLock(const PathLock&) = delete;
  PathLock& operator=(const PathLock&) = delete;

 private:
  int file_ = -1;
};

}  // namespace firesteel
