// Sources of streams: what has come since an offset, and its rows. An offset is JSON text, as
// Spark's checkpoints have it.
#pragma once

#include <spark/connect/relations.pb.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "engine/embedded.h"

namespace firesteel {

/// One source of one query. One thread, the query's.
class StreamSource {
 public:
  virtual ~StreamSource() = default;
  /// As Spark's progress names it: "FileStreamSource[file:/data]".
  virtual std::string description() const = 0;
  /// The offset that the next batch goes to, from `start` (empty: the beginning). Equal to `start`
  /// when nothing has come; empty when nothing ever came.
  virtual std::string next(const std::string& start) = 0;
  /// From now on `next` gives what is there now, no more: Trigger.AvailableNow.
  virtual void stop_at_latest() = 0;
  /// The same, all of it at once: Trigger.Once.
  virtual void take_all() { stop_at_latest(); }
  /// The rows after `start` up to `end`.
  virtual HeldRows rows(const std::string& start, const std::string& end) = 0;
};

/// Throws DATA_SOURCE_NOT_FOUND and what the options deserve. `log` is the source's own folder in
/// the checkpoint.
std::unique_ptr<StreamSource> make_stream_source(const proto::Read& read, EmbeddedExecutor& engine,
                                                 const std::filesystem::path& log);
Schema stream_schema(const proto::Read& read, EmbeddedExecutor& engine);

/// How many rows the rate source has given after so many seconds: Spark's RateStreamProvider.
int64_t rate_value_at(int64_t second, int64_t rows_per_second, int64_t ramp_up_seconds);
/// "10 seconds", "5m" as microseconds. Throws CANNOT_PARSE_INTERVAL.
int64_t interval_micros(std::string text);
int64_t now_millis();

}  // namespace firesteel
