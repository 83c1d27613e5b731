// libarchive reads and writes archives; what is unpacked is made aside and renamed.
#include "cluster/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace firesteel::cluster {

namespace fs = std::filesystem;

namespace {

constexpr size_t kBlockBytes = 65536;

/// An entry's path within the folder. Names that climb out are refused by the writer.
std::string within(const fs::path& folder, const char* name) {
  return (folder / fs::path(name ? name : "").relative_path()).string();
}

void unpack_into(const fs::path& archive, const fs::path& folder) {
  const std::unique_ptr<struct archive, decltype(&archive_read_free)> in(archive_read_new(),
                                                                         archive_read_free);
  const std::unique_ptr<struct archive, decltype(&archive_write_free)> out(archive_write_disk_new(),
                                                                           archive_write_free);
  const auto check = [&](int result, struct archive* of) {
    if (result >= ARCHIVE_WARN) return;
    const auto* why = archive_error_string(of);
    throw Error(
        "INVALID_ARCHIVE",
        fmt::format("The archive {} cannot be unpacked: {}. It is to be a .zip, .jar, .tar, "
                    ".tar.gz or .tgz file, complete, and of names without `..`.",
                    archive.filename().string(), why ? why : "it is not one"));
  };
  archive_read_support_filter_all(in.get());
  archive_read_support_format_all(in.get());
  archive_write_disk_set_options(out.get(), ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
                                                ARCHIVE_EXTRACT_SECURE_NODOTDOT |
                                                ARCHIVE_EXTRACT_SECURE_SYMLINKS);
  check(archive_read_open_filename(in.get(), archive.c_str(), kBlockBytes), in.get());
  archive_entry* entry = nullptr;
  for (;;) {
    const int read = archive_read_next_header(in.get(), &entry);
    if (read == ARCHIVE_EOF) break;
    check(read, in.get());
    archive_entry_set_pathname(entry, within(folder, archive_entry_pathname(entry)).c_str());
    if (const auto* other = archive_entry_hardlink(entry))
      archive_entry_set_hardlink(entry, within(folder, other).c_str());
    check(archive_write_header(out.get(), entry), out.get());
    const void* block = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    for (;;) {
      const int got = archive_read_data_block(in.get(), &block, &size, &offset);
      if (got == ARCHIVE_EOF) break;
      check(got, in.get());
      check(static_cast<int>(archive_write_data_block(out.get(), block, size, offset)), out.get());
    }
    check(archive_write_finish_entry(out.get()), out.get());
  }
  check(archive_write_close(out.get()), out.get());
}

}  // namespace

void unpack(const fs::path& archive, const fs::path& folder) {
  const fs::path aside = folder.string() + ".part";
  fs::remove_all(aside);
  fs::create_directories(aside);
  try {
    unpack_into(archive, fs::canonical(aside));
    fs::rename(aside, folder);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(aside, ignored);
    throw;
  }
}

ArchiveFiles files_of(const fs::path& folder) {
  ArchiveFiles files;
  for (const auto& entry :
       fs::recursive_directory_iterator(folder, fs::directory_options::follow_directory_symlink)) {
    if (entry.is_regular_file()) files[fs::relative(entry.path(), folder).string()] = entry.path();
  }
  return files;
}

std::string content_name(const ArchiveFiles& files) {
  std::string all;
  for (const auto& [name, path] : files) all += fmt::format("{} {}\n", name, hash_file(path));
  return fmt::format("firesteel-{}", hash_text(hash_bytes(all)));
}

void pack(const ArchiveFiles& files, const fs::path& archive) {
  const fs::path aside = fmt::format("{}.{}", archive.string(), ::getpid());
  const std::unique_ptr<struct archive, decltype(&archive_write_free)> out(archive_write_new(),
                                                                           archive_write_free);
  const auto check = [&](int result) {
    if (result >= ARCHIVE_WARN) return;
    const int code = archive_errno(out.get());
    std::error_code ignored;
    fs::remove(aside, ignored);
    throw Error(code == ENOSPC ? "DISK_FULL" : "IO_ERROR",
                fmt::format("{} cannot be written: {}.", archive.string(),
                            archive_error_string(out.get())));
  };
  archive_write_set_format_pax_restricted(out.get());
  check(archive_write_open_filename(out.get(), aside.c_str()));
  std::vector<char> block(1 << 20);
  for (const auto& [name, path] : files) {
    const std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry(archive_entry_new(),
                                                                              archive_entry_free);
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(fs::file_size(path)));
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    const auto mode = fs::status(path).permissions();
    const bool runs = (mode & fs::perms::owner_exec) != fs::perms::none;
    archive_entry_set_perm(entry.get(), runs ? 0755 : 0644);
    check(archive_write_header(out.get(), entry.get()));
    std::ifstream in(path, std::ios::binary);
    while (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() > 0)
      check(static_cast<int>(
          archive_write_data(out.get(), block.data(), static_cast<size_t>(in.gcount()))));
  }
  check(archive_write_close(out.get()));
  fs::rename(aside, archive);
}

fs::path machine_cache() {
  const char* given = std::getenv("FIRESTEEL_CACHE");
  const fs::path cache = given && *given
                             ? fs::path(given)
                             : fs::temp_directory_path() / fmt::format("firesteel-{}", ::getuid());
  fs::create_directories(cache);
  if (!given) fs::permissions(cache, fs::perms::owner_all);
  struct stat status {};
  if (::stat(cache.c_str(), &status) != 0 || status.st_uid != ::getuid()) {
    throw Error("IO_ERROR", fmt::format("`{}` is another user's: programs are not kept there. Set "
                                        "FIRESTEEL_CACHE to a folder of yours.",
                                        cache.string()));
  }
  return cache;
}

fs::path unpacked_once(const std::string& name, const fs::path& archive) {
  const auto folder = machine_cache() / name;
  if (fs::exists(folder)) return folder;
  const auto lock = ::open((folder.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ::flock(lock, LOCK_EX);
  try {
    if (!fs::exists(folder)) unpack(archive, folder);
  } catch (...) {
    ::close(lock);
    throw;
  }
  ::close(lock);
  return folder;
}

}  // namespace firesteel::cluster
