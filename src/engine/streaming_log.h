// A query's checkpoint: who it is, the offsets of each batch before it runs, and that it is done.
// In the form of Spark's checkpoints.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace firesteel {

/// What a batch reads: the end offsets of its sources, and its watermark.
struct BatchOffsets {
  std::vector<std::string> ends;  // empty: the source gave nothing yet
  int64_t watermark = 0;          // in milliseconds
  int64_t time = 0;
};

/// One query owns it. Every entry is whole or absent.
class StreamCheckpoint {
 public:
  /// Makes the folder, or takes up what is there. Throws
  /// STREAMING_CHECKPOINT_MISSING_METADATA_FILE, CONCURRENT_STREAM_LOG_UPDATE when another query
  /// has it.
  explicit StreamCheckpoint(std::filesystem::path folder);
  ~StreamCheckpoint();
  StreamCheckpoint(const StreamCheckpoint&) = delete;

  /// Another query may take the folder from now on.
  void release();

  const std::string& query_id() const { return query_id_; }
  const std::filesystem::path& folder() const { return folder_; }

  /// The last batch that was planned, and the last that was committed; -1: none.
  int64_t last_planned() const;
  int64_t last_committed() const;
  BatchOffsets offsets(int64_t batch) const;
  void plan(int64_t batch, const BatchOffsets& offsets);
  void commit(int64_t batch, int64_t next_watermark);
  int64_t next_watermark(int64_t batch) const;

 private:
  std::filesystem::path folder_;
  std::string query_id_;
  int lock_ = -1;
};

/// A random id of version 4.
std::string random_uuid();

}  // namespace firesteel
