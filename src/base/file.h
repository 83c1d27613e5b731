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

/// An open file, read-only: all of it as the system maps it, so that processes that map the same
/// file share one copy, or parts of it read into own memory. Move-only. The file must not be
/// shortened meanwhile. Const calls are thread-safe.
class OpenFile {
 public:
  /// Throws PATH_NOT_FOUND or IO_ERROR.
  explicit OpenFile(std::filesystem::path path);
  ~OpenFile();
  OpenFile(OpenFile&& other) noexcept;
  OpenFile& operator=(OpenFile&& other) noexcept;

  std::string_view mapped() const { return {mapped_, size_}; }
  /// Reads a part. Throws IO_ERROR.
  void read(size_t begin, size_t size, void* out) const;
  /// Says that a part will be read soon: the system fetches it ahead.
  void will_need(size_t begin, size_t size) const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int file_ = -1;
  const char* mapped_ = nullptr;
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
