// Streams in the protocol's terms: what a start asks for becomes a StreamingQuery, and commands
// its methods.
#include "engine/streaming.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "engine/streaming_query.h"
#include "plan/names.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

constexpr size_t kEndedQueriesMax = 100;

std::string option(const proto::WriteStreamOperationStart& start, const char* name) {
  for (const auto& [key, value] : start.options()) {
    if (equal_ignoring_case(key, name)) return value;
  }
  return "";
}

OutputMode output_mode(const std::string& text) {
  const auto mode = lower_case(text);
  if (mode.empty() || mode == "append") return OutputMode::kAppend;
  if (mode == "complete") return OutputMode::kComplete;
  if (mode == "update") return OutputMode::kUpdate;
  throw Error("STREAMING_OUTPUT_MODE.INVALID",
              fmt::format("Invalid streaming output mode: {}. Accepted output modes are 'Append', "
                          "'Complete', 'Update'.",
                          text));
}

StreamTrigger trigger_of(const proto::WriteStreamOperationStart& start) {
  using Start = proto::WriteStreamOperationStart;
  switch (start.trigger_case()) {
    case Start::kAvailableNow:
      return {.kind = StreamTrigger::Kind::kAvailableNow};
    case Start::kOnce:
      return {.kind = StreamTrigger::Kind::kOnce};
    case Start::kContinuousCheckpointInterval:
      throw Error("_LEGACY_ERROR_TEMP_3102",
                  "Continuous processing is not supported; use a trigger of processing time.");
    case Start::kRealTimeBatchDuration:
      throw Error("STREAMING_REAL_TIME_MODE.OPERATOR_OR_SINK_NOT_IN_ALLOWLIST",
                  "Streaming real-time mode is not supported; use a trigger of processing time.");
    case Start::kProcessingTimeInterval: {
      const auto& text = start.processing_time_interval();
      try {
        return {.interval_ms = interval_micros(text) / 1000};
      } catch (const Error&) {
        throw Error("INVALID_INTERVAL_FORMAT.UNRECOGNIZED_NUMBER",
                    fmt::format("Error parsing '{}' to interval. Please ensure that the value "
                                "provided is in a valid format for defining an interval.",
                                text));
      }
    }
    default:
      return {};
  }
}

/// Where the query's checkpoint is; empty: nowhere that stays.
std::string checkpoint_of(const proto::WriteStreamOperationStart& start, EmbeddedExecutor& engine) {
  auto given = option(start, "checkpointLocation");
  if (given.empty()) {
    const auto folder = engine.config("spark.sql.streaming.checkpointLocation");
    if (!folder.empty())
      given = (fs::path(folder) / (start.query_name().empty() ? random_uuid() : start.query_name()))
                  .string();
  }
  if (given.empty() && sink_needs_checkpoint(start)) {
    throw Error("_LEGACY_ERROR_TEMP_1298",
                "checkpointLocation must be specified either through "
                "option(\"checkpointLocation\", ...) or "
                "SparkSession.conf.set(\"spark.sql.streaming.checkpointLocation\", ...).");
  }
  if (given.starts_with("file:")) given = given.substr(given.find_first_not_of('/', 5) - 1);
  return given;
}

}  // namespace

StreamingQueries::StreamingQueries(std::shared_ptr<EmbeddedExecutor> session)
    : session_(std::move(session)) {}

StreamingQueries::~StreamingQueries() { stop_all(); }

void StreamingQueries::set_functions(BatchFunctionFactory functions) {
  functions_ = std::move(functions);
}

std::vector<std::shared_ptr<StreamingQuery>> StreamingQueries::queries() {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<StreamingQuery>> out;
  for (const auto& [id, query] : queries_) out.push_back(query);
  return out;
}

bool StreamingQueries::active() {
  const auto all = queries();
  return std::any_of(all.begin(), all.end(), [](const auto& query) { return query->active(); });
}

void StreamingQueries::stop_all() {
  for (const auto& query : queries()) query->stop();
}

proto::WriteStreamOperationStartResult StreamingQueries::start(
    const proto::WriteStreamOperationStart& start) {
  const auto mode = output_mode(start.output_mode());
  auto engine = session_->clone();
  auto plan = expanded(start.input(), *engine);
  engine->schema(plan);  // a bad plan is found now
  check_streaming(plan, mode, *engine);
  check_sink_format(start, *engine);
  StreamingQuery::Options options{
      .name = start.query_name(), .trigger = trigger_of(start), .mode = mode, .checkpoint = {}};
  for (const auto& query : queries()) {
    if (!options.name.empty() && query->name() == options.name && query->active()) {
      throw Error("STREAMING_QUERY_ALREADY_ACTIVE",
                  fmt::format("Cannot start query with name {} as a query with that name is "
                              "already active in this SparkSession",
                              options.name));
    }
  }
  const auto checkpoint = checkpoint_of(start, *session_);
  options.keeps_checkpoint = !checkpoint.empty();
  options.checkpoint = options.keeps_checkpoint
                           ? fs::absolute(checkpoint).lexically_normal()
                           : fs::temp_directory_path() / ("firesteel-stream-" + random_uuid());
  const auto make_sink = [&](const std::string& query_id) {
    return make_stream_sink({.start = start,
                             .query_id = query_id,
                             .mode = mode,
                             .session = session_,
                             .engine = engine,
                             .plan = plan,
                             .functions = functions_});
  };
  const auto query = std::make_shared<StreamingQuery>(
      std::move(options), plan, engine, make_sink,
      [this](const proto::StreamingQueryListenerEvent& event) { tell(event); });
  {
    std::lock_guard lock(mutex_);
    queries_[query->run_id()] = query;
    // Old queries that have ended are forgotten.
    for (auto entry = queries_.begin();
         entry != queries_.end() && queries_.size() > kEndedQueriesMax;)
      entry = entry->second != query && !entry->second->active() ? queries_.erase(entry)
                                                                 : std::next(entry);
  }
  query->start();
  proto::WriteStreamOperationStartResult result;
  result.mutable_query_id()->set_id(query->id());
  result.mutable_query_id()->set_run_id(query->run_id());
  result.set_name(query->name());
  result.set_query_started_event_json(query->started_event());
  return result;
}

std::shared_ptr<StreamingQuery> StreamingQueries::find(const proto::StreamingQueryInstanceId& id) {
  std::lock_guard lock(mutex_);
  const auto found = queries_.find(id.run_id());
  if (found == queries_.end() || found->second->id() != id.id()) {
    throw Error("STREAMING_QUERY_NOT_FOUND",
                fmt::format("Streaming query not found: id {}, run id {}.", id.id(), id.run_id()));
  }
  return found->second;
}

proto::StreamingQueryCommandResult StreamingQueries::run(
    const proto::StreamingQueryCommand& command) {
  using Command = proto::StreamingQueryCommand;
  const auto query = find(command.query_id());
  proto::StreamingQueryCommandResult result;
  *result.mutable_query_id() = command.query_id();
  switch (command.command_case()) {
    case Command::kStatus:
      query->status(result.mutable_status());
      break;
    case Command::kLastProgress:
    case Command::kRecentProgress: {
      const auto progress = query->progress();
      auto* out = result.mutable_recent_progress();
      const bool last = command.has_last_progress();
      for (size_t i = last && !progress.empty() ? progress.size() - 1 : 0; i < progress.size(); ++i)
        out->add_recent_progress_json(progress[i]);
      break;
    }
    case Command::kStop:
      query->stop();
      break;
    case Command::kProcessAllAvailable:
      query->process_all_available();
      break;
    case Command::kExplain:
      result.mutable_explain()->set_result(query->explain(command.explain().extended()));
      break;
    case Command::kException: {
      auto* out = result.mutable_exception();
      if (const auto failure = query->failure()) {
        out->set_exception_message("org.apache.spark.sql.streaming.StreamingQueryException: " +
                                   query->failure_text());
        out->set_error_class("STREAM_FAILED");
      }
      break;
    }
    case Command::kAwaitTermination: {
      const auto& await = command.await_termination();
      result.mutable_await_termination()->set_terminated(
          query->await_termination(await.has_timeout_ms() ? await.timeout_ms() : -1));
      break;
    }
    default:
      throw Error("UNSUPPORTED_FEATURE.STREAMING_COMMAND",
                  "The command of a streaming query is not known.");
  }
  return result;
}

bool StreamingQueries::await_any(int64_t timeout_ms) {
  std::unique_lock lock(mutex_);
  const auto any = [&] { return !terminated_.empty(); };
  if (timeout_ms < 0)
    changed_.wait(lock, any);
  else
    changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), any);
  if (terminated_.empty()) return false;
  std::vector<std::shared_ptr<StreamingQuery>> ended;
  for (const auto& id : terminated_) {
    const auto found = queries_.find(id);
    if (found != queries_.end()) ended.push_back(found->second);
  }
  lock.unlock();
  for (const auto& query : ended) query->await_termination(-1);
  return true;
}

proto::StreamingQueryManagerCommandResult StreamingQueries::run(
    const proto::StreamingQueryManagerCommand& command) {
  using Command = proto::StreamingQueryManagerCommand;
  proto::StreamingQueryManagerCommandResult result;
  const auto fill = [](const StreamingQuery& query, auto* out) {
    out->mutable_id()->set_id(query.id());
    out->mutable_id()->set_run_id(query.run_id());
    if (!query.name().empty()) out->set_name(query.name());
  };
  switch (command.command_case()) {
    case Command::kActive:
      result.mutable_active();
      for (const auto& query : queries()) {
        if (query->active()) fill(*query, result.mutable_active()->add_active_queries());
      }
      break;
    case Command::kGetQuery:
      for (const auto& query : queries()) {
        if (query->active() && query->id() == command.get_query())
          fill(*query, result.mutable_query());
      }
      break;
    case Command::kAwaitAnyTermination: {
      const auto& await = command.await_any_termination();
      result.mutable_await_any_termination()->set_terminated(
          await_any(await.has_timeout_ms() ? await.timeout_ms() : -1));
      break;
    }
    case Command::kResetTerminated: {
      std::lock_guard lock(mutex_);
      terminated_.clear();
      result.set_reset_terminated(true);
      break;
    }
    case Command::kListListeners:
      result.mutable_list_listeners();
      break;
    default:
      throw Error("UNSUPPORTED_FEATURE.STREAMING_COMMAND",
                  "Listeners run in the client; the server keeps none of their own.");
  }
  return result;
}

uint64_t StreamingQueries::add_listener(Listener listener) {
  std::lock_guard lock(listeners_mutex_);
  listeners_[++next_listener_] = std::move(listener);
  return next_listener_;
}

void StreamingQueries::remove_listener(uint64_t id) {
  std::lock_guard lock(listeners_mutex_);
  listeners_.erase(id);
}

void StreamingQueries::tell(const proto::StreamingQueryListenerEvent& event) {
  if (event.event_type() == proto::QUERY_TERMINATED_EVENT) {
    const auto run = nlohmann::json::parse(event.event_json()).at("runId").get<std::string>();
    std::lock_guard lock(mutex_);
    terminated_.push_back(run);
  }
  changed_.notify_all();
  std::lock_guard lock(listeners_mutex_);
  for (const auto& [id, listener] : listeners_) listener(event);
}

}  // namespace firesteel
