// Packed rows on disk: what does not fit in a loader's memory, or is shared by several processes.
// Written once, mapped for reading, checked block by block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"

namespace firesteel {

/// Writes records, which appear under the file's name when `commit` returns. Throws DISK_FULL or
/// IO_ERROR; what was written is then removed.
class RecordFileWriter {
 public:
  /// `key` names what the records were made of; a reader with another key does not take the file.
  RecordFileWriter(const std::filesystem::path& path, std::string key, size_t record_bytes);
  void append(const std::byte* records, int64_t count);
  void commit();

 private:
  void end_block();

  FileAside file_;
  std::string key_;
  size_t record_bytes_;
  int64_t block_rows_;
  int64_t rows_ = 0;
  std::string block_;  // records that have no checksum yet
  std::vector<uint64_t> checksums_;
};

/// Such a file, mapped: processes that read the same file share one copy in memory. Const calls are
/// thread-safe. Move-only.
class RecordFile {
 public:
  /// Nothing when there is no whole file with this key.
  static std::optional<RecordFile> open(const std::filesystem::path& path, std::string_view key,
                                        size_t record_bytes);

  int64_t rows() const { return rows_; }
  int64_t block_rows() const { return block_rows_; }
  int64_t blocks() const { return static_cast<int64_t>(checksums_.size()); }
  /// Of a block: all but the last are full.
  int64_t rows_of(int64_t block) const;
  /// A row as it is mapped. What is mapped is checked by `check`, once; throws RECORDS_DAMAGED.
  const std::byte* at(int64_t row) const {
    return records_ + static_cast<size_t>(row) * record_bytes_;
  }
  void check() const;
  /// Copies a block's rows. Throws RECORDS_DAMAGED, IO_ERROR.
  void read(int64_t block, std::byte* out) const;
  /// The block will be read soon.
  void will_need(int64_t block) const;

 private:
  explicit RecordFile(OpenFile file) : file_(std::move(file)) {}
  size_t bytes_of(int64_t block) const;
  void compare(int64_t block, const std::byte* records) const;

  OpenFile file_;
  const std::byte* records_ = nullptr;
  size_t record_bytes_ = 0;
  int64_t rows_ = 0, block_rows_ = 0;
  std::vector<uint64_t> checksums_;
};

}  // namespace firesteel
