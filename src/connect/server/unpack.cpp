// libarchive reads the archive and writes its entries aside.
#include "connect/server/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <memory>

#include "base/error.h"

namespace firesteel::connect {

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

}  // namespace firesteel::connect
