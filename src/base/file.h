// Files that are whole or absent: written aside, synced and renamed into place; and their
// checksums.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace firesteel {

/// The bytes of a file. Throws PATH_NOT_FOUND or IO_ERROR.
std::string read_file(const std::filesystem::path& path);

/// Writes a file so that a crash leaves either the old one or the new one, never a part. Throws
/// DISK_FULL or IO_ERROR; the old file is then untouched.
void write_file_aside(const std::filesystem::path& path, std::string_view bytes);

/// A file written piece by piece under a temporary name beside `target`, put in its place by
/// `commit`, removed by the destructor when that was not called. One owner, one thread. Throws
/// DISK_FULL or IO_ERROR.
class FileAside {
 public:
  explicit FileAside(std::filesystem::path target);
  ~FileAside();
  FileAside(const FileAside&) = delete;
  FileAside& operator=(const FileAside&) = delete;

  void write(std::string_view bytes);
  void commit();

 private:
  std::filesystem::path target_, aside_;
  int file_ = -1;
};

/// A whole file in memory, read-only, as the system maps it: processes that map the same file share
/// one copy. Move-only. The file must not be shortened meanwhile.
class MappedFile {
 public:
  /// Throws PATH_NOT_FOUND or IO_ERROR.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::string_view bytes() const { return {bytes_, size_}; }
  /// Says that a part will be read soon, or no longer: its pages are fetched ahead, or leave this
  /// process.
  void will_need(size_t begin, size_t size) const;
  void done_with(size_t begin, size_t size) const;

 private:
  const char* bytes_ = nullptr;
  size_t size_ = 0;
};

/// xxhash64.
uint64_t hash_bytes(std::string_view bytes, uint64_t seed = 0);
/// xxhash64 of a file's bytes as 16 hexadecimal digits.
std::string hash_file(const std::filesystem::path& path);
/// 16 hexadecimal digits.
std::string hash_text(uint64_t hash);

/// A folder that is whole or absent: filled under a temporary name beside `target`, renamed by
/// `commit`, removed by the destructor when that was not called. One owner, one thread.
class FolderAside {
 public:
  explicit FolderAside(std::filesystem::path target);
  ~FolderAside();
  FolderAside(const FolderAside&) = delete;
  FolderAside& operator=(const FolderAside&) = delete;

  /// The folder to fill.
  const std::filesystem::path& path() const { return aside_; }
  /// Puts the folder in place of `target`, which may exist.
  void commit();

 private:
  std::filesystem::path target_, aside_;
};

}  // namespace firesteel
