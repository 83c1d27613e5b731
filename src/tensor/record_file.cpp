// The file: records, then a checksum per block, then a description in JSON, then the sizes and
// checksum of these two as a last line of fixed length.
#include "tensor/record_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kMagic = "firesteel records 1 ";
constexpr size_t kLastLineBytes = kMagic.size() + 3 * 17;
/// Enough that a disk reads a block about as fast as in order, few enough that a small window holds
/// many blocks of everywhere.
constexpr size_t kBlockBytes = 64 << 10, kBlockRows = 1024;

std::string_view text_of(const void* bytes, size_t size) {
  return {static_cast<const char*>(bytes), size};
}

}  // namespace

RecordFileWriter::RecordFileWriter(const fs::path& path, std::string key, size_t record_bytes)
    : file_(path),
      key_(std::move(key)),
      record_bytes_(record_bytes),
      block_rows_(
          static_cast<int64_t>(std::clamp<size_t>(kBlockBytes / record_bytes, 1, kBlockRows))) {}

void RecordFileWriter::append(const std::byte* records, int64_t count) {
  file_.write(text_of(records, static_cast<size_t>(count) * record_bytes_));
  rows_ += count;
  const size_t block_bytes = static_cast<size_t>(block_rows_) * record_bytes_;
  auto rest = text_of(records, static_cast<size_t>(count) * record_bytes_);
  while (!rest.empty()) {
    const size_t part = std::min(rest.size(), block_bytes - block_.size());
    block_ += rest.substr(0, part);
    rest.remove_prefix(part);
    if (block_.size() == block_bytes) end_block();
  }
}

void RecordFileWriter::end_block() {
  checksums_.push_back(hash_bytes(block_));
  block_.clear();
}

void RecordFileWriter::commit() {
  if (!block_.empty()) end_block();
  std::string end(text_of(checksums_.data(), checksums_.size() * sizeof(uint64_t)));
  const std::string json = nlohmann::json({{"key", key_},
                                           {"rows", rows_},
                                           {"record_bytes", record_bytes_},
                                           {"block_rows", block_rows_}})
                               .dump();
  end += json;
  file_.write(end);
  file_.write(fmt::format("{}{:016x} {:016x} {}\n", kMagic, end.size(), json.size(),
                          hash_text(hash_bytes(end))));
  file_.commit();
}

std::optional<RecordFile> RecordFile::open(const fs::path& path, std::string_view key,
                                           size_t record_bytes) {
  if (!fs::exists(path)) return std::nullopt;
  RecordFile file{OpenFile(path)};
  std::string_view bytes = file.file_.mapped();
  if (bytes.size() < kLastLineBytes) return std::nullopt;
  const auto last = bytes.substr(bytes.size() - kLastLineBytes);
  bytes.remove_suffix(kLastLineBytes);
  if (!last.starts_with(kMagic)) return std::nullopt;
  const size_t end_bytes = std::strtoull(last.data() + kMagic.size(), nullptr, 16);
  const size_t json_bytes = std::strtoull(last.data() + kMagic.size() + 17, nullptr, 16);
  if (end_bytes > bytes.size() || json_bytes > end_bytes) return std::nullopt;
  const auto end = bytes.substr(bytes.size() - end_bytes);
  bytes.remove_suffix(end_bytes);
  if (last.substr(kMagic.size() + 34, 16) != hash_text(hash_bytes(end))) return std::nullopt;
  const size_t json_at = end_bytes - json_bytes;
  const auto json = nlohmann::json::parse(end.substr(json_at));
  if (json.at("key") != key || json.at("record_bytes") != record_bytes) return std::nullopt;
  file.rows_ = json.at("rows");
  file.block_rows_ = json.at("block_rows");
  file.record_bytes_ = record_bytes;
  file.records_ = reinterpret_cast<const std::byte*>(bytes.data());
  file.checksums_.resize(json_at / sizeof(uint64_t));
  std::memcpy(file.checksums_.data(), end.data(), json_at);
  return file;
}

int64_t RecordFile::rows_of(int64_t block) const {
  return std::min(block_rows_, rows_ - block * block_rows_);
}

size_t RecordFile::bytes_of(int64_t block) const {
  return static_cast<size_t>(rows_of(block)) * record_bytes_;
}

void RecordFile::compare(int64_t block, const std::byte* records) const {
  if (hash_bytes(text_of(records, bytes_of(block))) == checksums_[static_cast<size_t>(block)]) {
    return;
  }
  throw Error("RECORDS_DAMAGED",
              fmt::format("The packed rows in `{}` are damaged. Remove the file: the rows are then "
                          "read from their source again.",
                          file_.path().string()));
}

void RecordFile::check() const {
  for (int64_t block = 0; block < blocks(); ++block) compare(block, at(block * block_rows_));
}

void RecordFile::read(int64_t block, std::byte* out) const {
  file_.read(static_cast<size_t>(block * block_rows_) * record_bytes_, bytes_of(block), out);
  compare(block, out);
}

void RecordFile::will_need(int64_t block) const {
  file_.will_need(static_cast<size_t>(block * block_rows_) * record_bytes_, bytes_of(block));
}

}  // namespace firesteel
