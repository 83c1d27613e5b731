// The loop of a stream: offsets first, then the rows, the sink, the state and the commit, so that
// whatever dies between leaves a checkpoint from which the batch is done again.
#include "engine/streaming_query.h"

#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "plan/print.h"

namespace firesteel {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

constexpr int64_t kPollMillis = 10, kIdleMillis = 10000;
constexpr size_t kProgressMax = 100;

/// Adds the time of a step to the batch's durations.
class Timed {
 public:
  Timed(std::map<std::string, int64_t>& durations, const char* step)
      : durations_(durations), step_(step), began_(now_millis()) {}
  ~Timed() { durations_[step_] += now_millis() - began_; }
  Timed(const Timed&) = delete;

 private:
  std::map<std::string, int64_t>& durations_;
  const char* step_;
  int64_t began_;
};

ordered_json offset_json(const std::string& offset) {
  return offset.empty() ? ordered_json(nullptr) : ordered_json(offset);
}

}  // namespace

std::string iso_time(int64_t millis) {
  const std::time_t seconds = millis / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     millis % 1000);
}

StreamingQuery::StreamingQuery(
    Options options, proto::Relation plan, std::shared_ptr<EmbeddedExecutor> engine,
    const std::function<std::unique_ptr<StreamSink>(const std::string&)>& make_sink, Tell tell)
    : options_(std::move(options)),
      engine_(std::move(engine)),
      plan_(std::move(plan)),
      checkpoint_(options_.checkpoint),
      id_(checkpoint_.query_id()),
      run_id_(random_uuid()),
      started_at_(iso_time(now_millis())),
      operators_(plan_, options_.mode, *engine_),
      tell_(std::move(tell)) {
  for (size_t i = 0; i < operators_.reads().size(); ++i)
    sources_.push_back(make_stream_source(operators_.reads()[i], *engine_,
                                          checkpoint_.folder() / "sources" / std::to_string(i)));
  ends_.resize(sources_.size());
  sink_ = make_sink(id_);
}

StreamingQuery::~StreamingQuery() {
  stop();
  if (thread_.joinable()) thread_.join();
}

std::string StreamingQuery::started_event() const {
  return ordered_json{
      {"id", id_},
      {"runId", run_id_},
      {"name", options_.name.empty() ? ordered_json(nullptr) : ordered_json(options_.name)},
      {"timestamp", started_at_},
      {"jobTags", ordered_json::array()}}
      .dump();
}

void StreamingQuery::start() {
  running_ = true;
  thread_ = std::thread([this] { run(); });
}

bool StreamingQuery::active() const {
  std::lock_guard lock(mutex_);
  return running_;
}

void StreamingQuery::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    if (!running_) return;
  }
  changed_.notify_all();
  engine_->interrupt();
  await_termination(-1, false);
}

bool StreamingQuery::await_termination(int64_t timeout_ms, bool throws) {
  std::unique_lock lock(mutex_);
  const auto ended = [&] { return !running_; };
  if (timeout_ms < 0)
    changed_.wait(lock, ended);
  else
    changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), ended);
  if (!running_ && failure_ && throws) {
    throw Error("STREAM_FAILED",
                fmt::format("Query [id = {}, runId = {}] terminated with exception: {}", id_,
                            run_id_, failure_->what()));
  }
  return !running_;
}

void StreamingQuery::process_all_available() {
  std::unique_lock lock(mutex_);
  const auto wanted = checks_ + 1;  // a check that begins from now on
  changed_.wait(lock, [&] { return !running_ || idle_check_ >= wanted; });
  lock.unlock();
  await_termination(0, true);
}

void StreamingQuery::status(proto::StreamingQueryCommandResult::StatusResult* out) const {
  std::lock_guard lock(mutex_);
  out->set_status_message(message_);
  out->set_is_data_available(data_available_);
  out->set_is_trigger_active(trigger_active_);
  out->set_is_active(running_);
}

std::vector<std::string> StreamingQuery::progress() const {
  std::lock_guard lock(mutex_);
  return {progress_.begin(), progress_.end()};
}

std::string StreamingQuery::explain(bool extended) {
  {
    std::lock_guard lock(mutex_);
    if (progress_.empty()) return "No physical plan. Waiting for data.";
  }
  const auto physical = engine_->explain(plan_, "simple");
  if (!extended) return physical;
  // One plan stands for Spark's three: it is lowered to SQL at once.
  const auto logical = print(plan_);
  return fmt::format(
      "== Parsed Logical Plan ==\n{0}\n== Analyzed Logical Plan ==\n{0}\n== Optimized Logical "
      "Plan ==\n{0}\n{1}",
      logical, physical);
}

std::optional<Error> StreamingQuery::failure() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

std::string StreamingQuery::offsets_text(const std::vector<std::string>& offsets) const {
  std::string out;
  for (size_t i = 0; i < offsets.size(); ++i) {
    if (!offsets[i].empty())
      out +=
          fmt::format("{}{}: {}", out.empty() ? "" : ", ", sources_[i]->description(), offsets[i]);
  }
  return "{" + out + "}";
}

std::string StreamingQuery::failure_text() const {
  std::lock_guard lock(mutex_);
  if (!failure_) return "";
  return fmt::format(
      "{}\n=== Streaming Query ===\nIdentifier: {} [id = {}, runId = {}]\nCurrent Committed "
      "Offsets: {}\n\nCurrent State: TERMINATED\n",
      failure_->what(), options_.name, id_, run_id_, offsets_text(ends_));
}

void StreamingQuery::say(const std::string& message, bool data, bool trigger) {
  std::lock_guard lock(mutex_);
  message_ = message;
  data_available_ = data;
  trigger_active_ = trigger;
}

bool StreamingQuery::wait(int64_t millis) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, std::chrono::milliseconds(millis), [&] { return stopping_; });
}

void StreamingQuery::run() {
  std::optional<Error> failure;
  try {
    restore();
    const auto kind = options_.trigger.kind;
    for (auto& source : sources_) {
      if (kind == StreamTrigger::Kind::kAvailableNow) source->stop_at_latest();
      if (kind == StreamTrigger::Kind::kOnce) source->take_all();
    }
    for (bool goes_on = true; goes_on;) {
      {
        std::lock_guard lock(mutex_);
        if (stopping_) break;
        ++checks_;
      }
      const auto began = now_millis();
      const bool ran = run_batch();
      if (!ran) {
        {
          std::lock_guard lock(mutex_);
          idle_check_ = checks_;
        }
        changed_.notify_all();
        if (kind != StreamTrigger::Kind::kProcessingTime) break;
        say("Waiting for data to arrive", false, false);
        tell_idle();
        goes_on = wait(std::max(kPollMillis, options_.trigger.interval_ms > 0
                                                 ? options_.trigger.interval_ms -
                                                       now_millis() % options_.trigger.interval_ms
                                                 : kPollMillis));
      } else if (options_.trigger.interval_ms > 0) {
        const auto interval = options_.trigger.interval_ms;
        const auto next = (began / interval + 1) * interval;
        const auto rest = next - now_millis();
        if (rest > 0) {
          say("Waiting for next trigger", true, false);
          goes_on = wait(rest);
        }
      }
    }
  } catch (const Error& error) {
    failure = error;
  } catch (const std::exception& error) {
    failure = Error("INTERNAL_ERROR", error.what());
  }
  bool stopped = false;
  {
    std::lock_guard lock(mutex_);
    stopped = stopping_;
    if (failure && !stopped) failure_ = failure;  // what a stop cut off is no failure
    message_ = failure_ ? fmt::format("Terminated with exception: {}", failure_->what())
                        : std::string("Stopped");
    data_available_ = trigger_active_ = false;
  }
  checkpoint_.release();
  sources_.clear();
  sink_.reset();
  if (!options_.keeps_checkpoint) {
    std::error_code ignored;
    fs::remove_all(options_.checkpoint, ignored);
  }
  proto::StreamingQueryListenerEvent event;
  event.set_event_type(proto::QUERY_TERMINATED_EVENT);
  const auto failed = this->failure();
  event.set_event_json(ordered_json{
      {"id", id_},
      {"runId", run_id_},
      {"exception", failed ? ordered_json(failed->what()) : ordered_json(nullptr)},
      {"errorClassOnException", failed ? ordered_json(failed->condition()) : ordered_json(nullptr)}}
                           .dump());
  tell_(event);
  {
    std::lock_guard lock(mutex_);
    running_ = false;
  }
  changed_.notify_all();
}

void StreamingQuery::restore() {
  const auto committed = checkpoint_.last_committed();
  if (committed < 0) return;
  const auto offsets = checkpoint_.offsets(committed);
  for (size_t i = 0; i < ends_.size() && i < offsets.ends.size(); ++i) ends_[i] = offsets.ends[i];
  watermark_ = checkpoint_.next_watermark(committed);
  last_watermark_ = offsets.watermark;
  next_batch_ = committed + 1;
  operators_.load(checkpoint_.folder() / "state", committed);
}

bool StreamingQuery::run_batch() {
  last_trigger_started_ = trigger_started_;
  trigger_started_ = now_millis();
  durations_.clear();
  if (checkpoint_.last_planned() >= next_batch_) {  // it was cut: the same again
    const auto offsets = checkpoint_.offsets(next_batch_);
    execute(next_batch_, offsets);
    return true;
  }
  BatchOffsets offsets{.watermark = watermark_, .time = trigger_started_};
  bool data = false;
  {
    const Timed timed(durations_, "latestOffset");
    for (size_t i = 0; i < sources_.size(); ++i) {
      offsets.ends.push_back(sources_[i]->next(ends_[i]));
      data = data || offsets.ends.back() != ends_[i];
    }
  }
  // State that the watermark has finished is put out without waiting for rows.
  const bool finishes = operators_.evicts() && next_batch_ > 0 && watermark_ > last_watermark_;
  if (!data && !finishes) return false;
  say("Processing new data", data, true);
  {
    const Timed timed(durations_, "walCommit");
    checkpoint_.plan(next_batch_, offsets);
  }
  execute(next_batch_, offsets);
  return true;
}

void StreamingQuery::execute(int64_t batch, const BatchOffsets& offsets) {
  const auto starts = ends_;
  std::vector<HeldRows> sources;
  std::vector<int64_t> counts;
  int64_t written = -1;
  {
    const Timed timed(durations_, "getBatch");
    for (size_t i = 0; i < sources_.size(); ++i) {
      sources.push_back(sources_[i]->rows(starts[i], offsets.ends.at(i)));
      counts.push_back(sources.back().rows);
    }
  }
  proto::Relation rows;
  {
    const Timed timed(durations_, "queryPlanning");
    rows = operators_.run(sources, {.late = last_watermark_, .evict = offsets.watermark});
  }
  {
    const Timed timed(durations_, "addBatch");
    written = sink_->write(batch, rows);
    if (options_.keeps_checkpoint) operators_.save(checkpoint_.folder() / "state", batch);
  }
  watermark_ = std::max(watermark_, operators_.watermark());
  {
    const Timed timed(durations_, "commitOffsets");
    checkpoint_.commit(batch, watermark_);
  }
  const auto operators = operators_.finish();
  for (const auto& source : sources) engine_->release(source.name);
  {
    std::lock_guard lock(mutex_);
    ends_ = offsets.ends;
  }
  last_watermark_ = offsets.watermark;
  next_batch_ = batch + 1;
  report(batch, starts, offsets, counts, written, operators);
}

void StreamingQuery::report(int64_t batch, const std::vector<std::string>& starts,
                            const BatchOffsets& offsets, const std::vector<int64_t>& rows,
                            int64_t written, const std::vector<OperatorProgress>& operators) {
  const auto took = std::max<int64_t>(now_millis() - trigger_started_, 1);
  ordered_json durations{{"triggerExecution", took}};
  for (const char* step :
       {"queryPlanning", "getBatch", "commitOffsets", "latestOffset", "addBatch", "walCommit"})
    durations[step] = durations_[step];
  const auto rate = [](int64_t count, int64_t millis) {
    return millis > 0 ? static_cast<double>(count) * 1000 / static_cast<double>(millis) : 0.0;
  };
  const auto since = last_trigger_started_ > 0 ? trigger_started_ - last_trigger_started_ : 0;
  int64_t total = 0;
  auto sources = ordered_json::array();
  for (size_t i = 0; i < sources_.size(); ++i) {
    total += rows[i];
    sources.push_back({{"description", sources_[i]->description()},
                       {"startOffset", offset_json(starts[i])},
                       {"endOffset", offset_json(offsets.ends[i])},
                       {"latestOffset", offset_json(offsets.ends[i])},
                       {"numInputRows", rows[i]},
                       {"inputRowsPerSecond", rate(rows[i], since)},
                       {"processedRowsPerSecond", rate(rows[i], took)},
                       {"metrics", ordered_json::object()}});
  }
  auto times = ordered_json::object();
  if (const auto& events = operators_.event_times()) {
    times["avg"] = iso_time(events->mean);
    times["max"] = iso_time(events->latest);
    times["min"] = iso_time(events->first);
  }
  if (operators_.has_watermark()) times["watermark"] = iso_time(offsets.watermark);
  auto states = ordered_json::array();
  for (auto state = operators.rbegin(); state != operators.rend(); ++state) {
    states.push_back({{"operatorName", state->name},
                      {"numRowsTotal", state->rows_total},
                      {"numRowsUpdated", state->rows_updated},
                      {"allUpdatesTimeMs", 0},
                      {"numRowsRemoved", state->rows_removed},
                      {"allRemovalsTimeMs", 0},
                      {"commitTimeMs", 0},
                      {"memoryUsedBytes", 0},
                      {"numRowsDroppedByWatermark", state->rows_dropped},
                      {"numShufflePartitions", 1},
                      {"numStateStoreInstances", 1},
                      {"customMetrics", ordered_json::object()}});
  }
  const ordered_json progress{
      {"id", id_},
      {"runId", run_id_},
      {"name", options_.name.empty() ? ordered_json(nullptr) : ordered_json(options_.name)},
      {"timestamp", iso_time(trigger_started_)},
      {"batchId", batch},
      {"batchDuration", took},
      {"numInputRows", total},
      {"inputRowsPerSecond", rate(total, since)},
      {"processedRowsPerSecond", rate(total, took)},
      {"durationMs", std::move(durations)},
      {"eventTime", std::move(times)},
      {"stateOperators", std::move(states)},
      {"sources", std::move(sources)},
      {"sink",
       {{"description", sink_->description()},
        {"numOutputRows", written},
        {"metrics", ordered_json::object()}}},
      {"observedMetrics", ordered_json::object()}};
  {
    std::lock_guard lock(mutex_);
    progress_.push_back(progress.dump());
    if (progress_.size() > kProgressMax) progress_.pop_front();
  }
  last_told_ = now_millis();
  proto::StreamingQueryListenerEvent event;
  event.set_event_type(proto::QUERY_PROGRESS_EVENT);
  event.set_event_json(ordered_json{{"progress", progress}}.dump());
  tell_(event);
}

void StreamingQuery::tell_idle() {
  if (now_millis() - last_told_ < kIdleMillis) return;
  if (last_told_ > 0) {
    proto::StreamingQueryListenerEvent event;
    event.set_event_type(proto::QUERY_IDLE_EVENT);
    event.set_event_json(
        ordered_json{{"id", id_}, {"runId", run_id_}, {"timestamp", iso_time(now_millis())}}
            .dump());
    tell_(event);
  }
  last_told_ = now_millis();
}

}  // namespace firesteel
