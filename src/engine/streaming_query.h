// One running stream: its thread goes from batch to batch.
#pragma once

#include <spark/connect/commands.pb.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "engine/streaming_log.h"
#include "engine/streaming_operators.h"
#include "engine/streaming_sink.h"
#include "engine/streaming_source.h"

namespace firesteel {

/// When batches begin.
struct StreamTrigger {
  enum class Kind { kProcessingTime, kAvailableNow, kOnce };
  Kind kind = Kind::kProcessingTime;
  int64_t interval_ms = 0;
};

/// Thread-safe. The destructor stops it.
class StreamingQuery {
 public:
  struct Options {
    std::string name;
    StreamTrigger trigger;
    OutputMode mode;
    std::filesystem::path checkpoint;
    bool keeps_checkpoint = true;
  };
  /// What others are told of: a StreamingQueryListenerEvent.
  using Tell = std::function<void(const proto::StreamingQueryListenerEvent&)>;

  /// `plan` is expanded and checked; `make_sink` is given the query's id.
  StreamingQuery(Options options, proto::Relation plan, std::shared_ptr<EmbeddedExecutor> engine,
                 const std::function<std::unique_ptr<StreamSink>(const std::string&)>& make_sink,
                 Tell tell);
  ~StreamingQuery();
  StreamingQuery(const StreamingQuery&) = delete;

  const std::string& id() const { return id_; }
  const std::string& run_id() const { return run_id_; }
  const std::string& name() const { return options_.name; }
  std::string started_event() const;

  void start();
  bool active() const;
  void stop();
  /// Whether it has ended; when it failed STREAM_FAILED is thrown, or not. Negative: no limit.
  bool await_termination(int64_t timeout_ms, bool throws = true);
  void process_all_available();
  void status(proto::StreamingQueryCommandResult::StatusResult* out) const;
  std::vector<std::string> progress() const;
  std::string explain(bool extended);
  /// The error that ended it.
  std::optional<Error> failure() const;
  std::string failure_text() const;

 private:
  void run();
  void restore();
  bool run_batch();
  void execute(int64_t batch, const BatchOffsets& offsets);
  void report(int64_t batch, const std::vector<std::string>& starts, const BatchOffsets& offsets,
              const std::vector<int64_t>& rows, int64_t written,
              const std::vector<OperatorProgress>& operators);
  void say(const std::string& message, bool data, bool trigger);
  void tell_idle();
  bool wait(int64_t millis);  // false: it is to stop
  std::string offsets_text(const std::vector<std::string>& offsets) const;

  const Options options_;
  const std::shared_ptr<EmbeddedExecutor> engine_;
  const proto::Relation plan_;
  StreamCheckpoint checkpoint_;
  const std::string id_, run_id_, started_at_;
  StreamOperators operators_;
  std::vector<std::unique_ptr<StreamSource>> sources_;
  std::unique_ptr<StreamSink> sink_;
  Tell tell_;

  // The thread's own:
  std::vector<std::string> ends_;
  int64_t next_batch_ = 0, watermark_ = 0, last_watermark_ = 0, batch_watermark_ = 0;
  std::map<std::string, int64_t> durations_;
  int64_t trigger_started_ = 0, last_trigger_started_ = 0, last_told_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool running_ = false, stopping_ = false;
  uint64_t checks_ = 0, idle_check_ = 0;
  std::string message_ = "Initializing sources";
  bool data_available_ = false, trigger_active_ = false;
  std::deque<std::string> progress_;
  std::optional<Error> failure_;
  std::thread thread_;
};

/// "2024-01-01T00:00:00.000Z".
std::string iso_time(int64_t millis);

}  // namespace firesteel
