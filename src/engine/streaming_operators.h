// The operators of a stream's plan that remember: aggregations, duplicates, limits, joins of two
// streams. Their state is a table of the engine, and a Parquet file of the checkpoint per batch.
#pragma once

#include <spark/connect/relations.pb.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/streaming_aggregate.h"
#include "engine/streaming_plan.h"

namespace firesteel {

/// What a batch's times are held to, in milliseconds; 0: nothing yet.
struct Watermarks {
  int64_t late = 0;   // rows of before are dropped
  int64_t evict = 0;  // state of before is finished
};

/// In milliseconds.
struct EventTimes {
  int64_t latest, first, mean;
};

/// What progress says of one operator.
struct OperatorProgress {
  std::string name;
  int64_t rows_total = 0, rows_updated = 0, rows_removed = 0, rows_dropped = 0;
};

/// A query's plan, run batch by batch. One thread.
class StreamOperators {
 public:
  /// `plan` is expanded and checked.
  StreamOperators(proto::Relation plan, OutputMode mode, EmbeddedExecutor& engine);
  ~StreamOperators();
  StreamOperators(const StreamOperators&) = delete;

  /// The reads of streams in the plan, in the order in which `sources` come to `run`.
  const std::vector<proto::Read>& reads() const { return reads_; }
  /// Is there state that the watermark's advance finishes?
  bool evicts() const { return evicts_; }
  bool has_watermark() const { return !delays_.empty(); }

  /// The plan of what a batch gives, valid until `finish`.
  proto::Relation run(const std::vector<HeldRows>& sources, const Watermarks& watermarks);
  /// Ends a batch: what it held is released. The state is that of after it.
  std::vector<OperatorProgress> finish();
  /// The watermark that the batches so far ask for: of several the least.
  int64_t watermark() const;
  /// The events of the batch.
  const std::optional<EventTimes>& event_times() const { return event_times_; }

  void save(const std::filesystem::path& folder, int64_t batch);
  /// Throws STREAMING_STATEFUL_OPERATOR_MISSING_STATE_DIRECTORY.
  void load(const std::filesystem::path& folder, int64_t batch);

 private:
  struct State {
    std::optional<HeldRows> rows;
    OperatorProgress progress;
    std::optional<SplitAggregate> split;
  };
  void look(const proto::Relation& relation);
  proto::Relation reduced(const proto::Relation& relation);
  /// `events`: the columns of its input that hold the events' time.
  proto::Relation aggregated(const proto::Relation& relation, const std::set<std::string>& events);
  proto::Relation deduplicated(const proto::Relation& relation,
                               const std::set<std::string>& events);
  proto::Relation limited(const proto::Relation& relation);
  proto::Relation joined(const proto::Relation& relation);
  void watch(const proto::WithWatermark& watermark);
  proto::Relation given(const proto::Relation& original, HeldRows rows);
  HeldRows held(const proto::Relation& relation);
  HeldRows made(const std::string& sql, const Schema& schema);
  State& next_state(const char* name);
  void put_state(State& state, HeldRows rows);
  int64_t erase(HeldRows& rows, const std::string& condition);

  const proto::Relation plan_;
  const OutputMode mode_;
  EmbeddedExecutor& engine_;
  std::vector<proto::Read> reads_;
  std::vector<int64_t> delays_;  // of the watermarks, in milliseconds
  std::vector<std::optional<int64_t>> latest_;
  bool evicts_ = false;
  std::vector<State> states_;

  // Of the batch:
  const std::vector<HeldRows>* sources_ = nullptr;
  Watermarks watermarks_;
  size_t next_read_ = 0, next_state_ = 0, next_watermark_ = 0;
  std::vector<std::string> held_;
  std::optional<EventTimes> event_times_;
};

}  // namespace firesteel
