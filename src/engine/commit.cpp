// A commit is a journal, written aside and renamed, and then renames that can be done again.
#include "engine/commit.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

constexpr const char* kJournal = "_firesteel_commit";

/// The steps of the journal. What was done before is passed over.
void finish(const fs::path& folder) {
  const auto journal_path = folder / kJournal;
  const auto journal = nlohmann::json::parse(read_file(journal_path));
  std::error_code failure;
  for (const auto& pair : journal.at("add")) {
    const auto from = folder / pair.at(0).get<std::string>(),
               to = folder / pair.at(1).get<std::string>();
    if (!fs::exists(from)) continue;
    fs::create_directories(to.parent_path());
    fs::rename(from, to);
  }
  for (const auto& path : journal.at("remove")) {
    const auto gone = folder / path.get<std::string>();
    fs::remove(gone, failure);
    // Folders of partitions that are empty now go too.
    for (auto parent = gone.parent_path(); parent != folder && fs::is_empty(parent, failure);
         parent = parent.parent_path()) {
      fs::remove(parent, failure);
    }
  }
  fs::remove(journal_path);
}

}  // namespace

PathLock::PathLock(const fs::path& path, Kind kind)
    : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (file_ >= 0) ::flock(file_, kind == Kind::kShared ? LOCK_SH : LOCK_EX);
}

PathLock::~PathLock() {
  if (file_ >= 0) ::close(file_);
}

void commit_change(const fs::path& folder, const FolderChange& change) {
  const PathLock lock(folder, PathLock::Kind::kExclusive);
  if (fs::exists(folder / kJournal)) finish(folder);
  if (change.add.empty() && change.remove.empty()) return;
  write_file_aside(folder / kJournal,
                   nlohmann::json{{"add", change.add}, {"remove", change.remove}}.dump());
  finish(folder);
}

std::vector<std::string> folder_files(const fs::path& folder) {
  if (fs::exists(folder / kJournal)) commit_change(folder, {});
  const PathLock lock(folder, PathLock::Kind::kShared);
  std::vector<std::string> files;
  for (auto entry = fs::recursive_directory_iterator(folder);
       entry != fs::recursive_directory_iterator(); ++entry) {
    const auto name = entry->path().filename().string();
    // _year=2024 would be a partition's folder.
    if (name[0] == '.' || (name[0] == '_' && name.find('=') == std::string::npos)) {
      if (entry->is_directory()) entry.disable_recursion_pending();
      continue;
    }
    if (entry->is_regular_file()) files.push_back(entry->path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace firesteel
