// The sinks: files, tables, memory, console, noop and functions of users.
#include "engine/streaming_sink.h"

#include <fmt/format.h>

#include <cstdio>

#include "engine/show.h"
#include "engine/streaming_python.h"
#include "functions/coercion.h"
#include "plan/build.h"
#include "plan/names.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

std::string option(const proto::WriteStreamOperationStart& start, const char* name,
                   const std::string& otherwise) {
  for (const auto& [key, value] : start.options()) {
    if (equal_ignoring_case(key, name)) return value;
  }
  return otherwise;
}

std::string format_of(const proto::WriteStreamOperationStart& start) {
  if (start.has_foreach_batch()) return "foreachbatch";
  if (start.has_foreach_writer()) return "foreach";
  return lower_case(start.format().empty() ? "parquet" : start.format());
}

const char* mode_name(OutputMode mode) {
  return mode == OutputMode::kAppend   ? "append"
         : mode == OutputMode::kUpdate ? "update"
                                       : "complete";
}

void only_append(OutputMode mode, const std::string& source) {
  if (mode == OutputMode::kAppend) return;
  throw Error("STREAMING_OUTPUT_MODE.UNSUPPORTED_DATASOURCE",
              fmt::format("Invalid streaming output mode: {}. This output mode is not supported in "
                          "Data Source {}.",
                          mode_name(mode), source));
}

/// Files of a folder. A batch's files appear together with its entry of the sink's log.
class FileSink : public StreamSink {
 public:
  FileSink(std::shared_ptr<EmbeddedExecutor> engine, WriteRequest request, std::string log,
           Schema columns = {})
      : engine_(std::move(engine)),
        request_(std::move(request)),
        log_(std::move(log)),
        columns_(std::move(columns)) {}
  std::string description() const override { return fmt::format("FileSink[{}]", request_.path); }
  int64_t write(int64_t batch, const proto::Relation& rows) override {
    auto request = request_;
    request.once = fmt::format("{}/{}", log_, batch);
    if (columns_.empty()) {
      engine_->write_once(rows, std::move(request));
      return -1;
    }
    proto::Relation as_table;  // the table's columns, by name
    *as_table.mutable_to_schema()->mutable_input() = rows;
    type_to_proto(struct_type(columns_), as_table.mutable_to_schema()->mutable_schema());
    engine_->write_once(as_table, std::move(request));
    return -1;
  }

 private:
  std::shared_ptr<EmbeddedExecutor> engine_;
  WriteRequest request_;
  std::string log_;
  Schema columns_;
};

/// A temporary view of the user's session, over a table of all rows so far.
class MemorySink : public StreamSink {
 public:
  MemorySink(std::shared_ptr<EmbeddedExecutor> session, std::shared_ptr<EmbeddedExecutor> engine,
             std::string name, OutputMode mode, const Schema& schema)
      : session_(std::move(session)), engine_(std::move(engine)), mode_(mode) {
    std::string columns;
    for (size_t i = 0; i < schema.size(); ++i)
      columns +=
          fmt::format("{}{} {}", i ? ", " : "", HeldRows::column(i), duckdb_type(schema[i].type));
    table_ = session_->next_held_name();
    session_->database().execute(
        fmt::format("CREATE TABLE {} ({})", table_, columns.empty() ? "c0 INTEGER" : columns));
    const auto held = session_->hold_table(table_, schema);
    proto::Command command;
    auto* view = command.mutable_create_dataframe_view();
    view->set_name(quoted({name}));
    view->set_replace(true);
    *view->mutable_input() = held.relation();
    session_->run(command);
  }
  std::string description() const override { return "MemorySink"; }
  int64_t write(int64_t batch, const proto::Relation& rows) override {
    if (batch <= last_) return 0;
    const auto held = engine_->hold(rows);
    // Readers see all of a batch or nothing of it.
    engine_->database().execute(
        fmt::format("BEGIN; {}INSERT INTO {} SELECT * FROM {}; COMMIT",
                    mode_ == OutputMode::kComplete ? fmt::format("DELETE FROM {}; ", table_) : "",
                    table_, held.name));
    engine_->release(held.name);
    last_ = batch;
    return held.rows;
  }

 private:
  std::shared_ptr<EmbeddedExecutor> session_, engine_;
  OutputMode mode_;
  std::string table_;
  int64_t last_ = -1;
};

/// Each batch as a table on standard output.
class ConsoleSink : public StreamSink {
 public:
  ConsoleSink(std::shared_ptr<EmbeddedExecutor> engine,
              const proto::WriteStreamOperationStart& start)
      : engine_(std::move(engine)) {
    rows_ = std::stoi(option(start, "numRows", "20"));
    const auto truncate = lower_case(option(start, "truncate", "true"));
    truncate_ = truncate == "true" ? 20 : truncate == "false" ? 0 : std::stoi(truncate);
  }
  std::string description() const override {
    return fmt::format("org.apache.spark.sql.execution.streaming.ConsoleTable$@{:x}",
                       reinterpret_cast<uintptr_t>(this) & 0xffffffff);
  }
  int64_t write(int64_t batch, const proto::Relation& rows) override {
    const auto held = engine_->hold(rows);
    const auto text = engine_->shown(held.relation(), rows_, truncate_);
    engine_->release(held.name);
    const std::string rule(43, '-');
    fmt::print("{0}\nBatch: {1}\n{0}\n{2}\n", rule, batch, text);
    std::fflush(stdout);
    return held.rows;
  }

 private:
  std::shared_ptr<EmbeddedExecutor> engine_;
  int rows_ = 20, truncate_ = 20;
};

/// Reads the rows and forgets them.
class NoopSink : public StreamSink {
 public:
  explicit NoopSink(std::shared_ptr<EmbeddedExecutor> engine) : engine_(std::move(engine)) {}
  std::string description() const override {
    return "org.apache.spark.sql.execution.datasources.noop.NoopTable$";
  }
  int64_t write(int64_t, const proto::Relation& rows) override {
    const auto held = engine_->hold(rows);
    engine_->release(held.name);
    return held.rows;
  }

 private:
  std::shared_ptr<EmbeddedExecutor> engine_;
};

class FunctionSink : public StreamSink {
 public:
  FunctionSink(std::shared_ptr<EmbeddedExecutor> engine, BatchFunction function, bool of_batches)
      : engine_(std::move(engine)), function_(std::move(function)), of_batches_(of_batches) {}
  std::string description() const override {
    return of_batches_ ? "ForeachBatchSink" : "ForeachWriterTable";
  }
  int64_t write(int64_t batch, const proto::Relation& rows) override {
    // The function may run the batch's plan more than once: its rows are the same each time.
    const auto held = engine_->hold(rows);
    try {
      function_(held.relation(), batch);
    } catch (...) {
      engine_->release(held.name);
      throw;
    }
    engine_->release(held.name);
    return -1;
  }

 private:
  std::shared_ptr<EmbeddedExecutor> engine_;
  BatchFunction function_;
  bool of_batches_;
};

std::unique_ptr<StreamSink> make_table_sink(const SinkRequest& request) {
  const auto& start = request.start;
  only_append(request.mode, "table " + start.table_name());
  auto entry = request.session->table(start.table_name());
  if (!entry) {
    proto::Command command;
    auto* write = command.mutable_write_operation();
    write->mutable_table()->set_table_name(start.table_name());
    write->mutable_table()->set_save_method(
        proto::WriteOperation::SaveTable::TABLE_SAVE_METHOD_SAVE_AS_TABLE);
    write->set_mode(proto::WriteOperation::SAVE_MODE_ERROR_IF_EXISTS);
    write->set_source(start.format().empty() ? "parquet" : start.format());
    *write->mutable_partitioning_columns() = start.partitioning_column_names();
    // No rows, but their columns.
    const auto schema = request.engine->schema(request.plan);
    write->mutable_input()->mutable_local_relation()->set_schema(schema_json(schema));
    request.session->run(command);
    entry = request.session->table(start.table_name());
  }
  if (entry->kind == TableKind::kView) {
    throw Error("_LEGACY_ERROR_TEMP_1193",
                fmt::format("Streaming into views {} is not supported.", start.table_name()));
  }
  WriteRequest write{.sql = {},
                     .schema = {},
                     .format = entry->provider,
                     .path = entry->location,
                     .mode = WriteMode::kAppend,
                     .partition_by = entry->partition_by};
  read_write_options(entry->options, write);
  return std::make_unique<FileSink>(request.engine, std::move(write),
                                    "_firesteel_streams/" + request.query_id, entry->schema());
}

}  // namespace

bool sink_needs_checkpoint(const proto::WriteStreamOperationStart& start) {
  const auto format = format_of(start);
  return start.has_table_name() || (format != "memory" && format != "console" && format != "noop" &&
                                    format != "foreachbatch" && format != "foreach");
}

void check_sink_format(const proto::WriteStreamOperationStart& start, EmbeddedExecutor& session) {
  static constexpr const char* kFormats[] = {"parquet", "csv",    "json", "text",
                                             "orc",     "memory", "noop", "foreachbatch",
                                             "foreach", "console"};
  const auto format = format_of(start);
  if (std::find(std::begin(kFormats), std::end(kFormats), format) != std::end(kFormats)) return;
  if (session.python_source(format)) return;
  throw Error("DATA_SOURCE_NOT_FOUND",
              fmt::format("Failed to find the data source: {}. Make sure the provider name is "
                          "correct and the package is properly registered and compatible with "
                          "your Spark version.",
                          start.format()));
}

std::unique_ptr<StreamSink> make_stream_sink(const SinkRequest& request) {
  const auto& start = request.start;
  if (start.has_table_name() && !start.table_name().empty()) return make_table_sink(request);
  const auto format = format_of(start);
  if (format == "memory") {
    if (start.query_name().empty())
      throw Error("_LEGACY_ERROR_TEMP_1194", "queryName must be specified for memory sink.");
    return std::make_unique<MemorySink>(request.session, request.engine, start.query_name(),
                                        request.mode, request.engine->schema(request.plan));
  }
  if (format == "console") return std::make_unique<ConsoleSink>(request.engine, start);
  if (format == "noop") return std::make_unique<NoopSink>(request.engine);
  if (format == "foreachbatch" || format == "foreach") {
    if (!request.functions) {
      throw Error("UNSUPPORTED_FEATURE.STREAMING_PYTHON_FUNCTION",
                  fmt::format("{} needs a Python worker, which is not there.",
                              format == "foreach" ? "foreach" : "foreachBatch"));
    }
    return std::make_unique<FunctionSink>(request.engine, request.functions(start, request.engine),
                                          format == "foreachbatch");
  }
  if (const auto python = request.session->python_source(format))
    return make_python_sink(*python, request);
  only_append(request.mode, format);
  auto path = start.path().empty() ? option(start, "path", "") : start.path();
  if (path.empty()) throw Error("_LEGACY_ERROR_TEMP_2047", "'path' is not specified");
  WriteRequest write{
      .sql = {},
      .schema = {},
      .format = format,
      .path = path.starts_with("file:") ? path.substr(path.find_first_not_of('/', 5) - 1) : path,
      .mode = WriteMode::kAppend,
      .partition_by = {start.partitioning_column_names().begin(),
                       start.partitioning_column_names().end()}};
  Properties options;
  for (const auto& [key, value] : start.options()) {
    const auto name = lower_case(key);
    if (name != "checkpointlocation" && name != "path" && name != "queryname" &&
        name != "retention")
      options[key] = value;
  }
  read_write_options(options, write);
  write.path = fs::absolute(write.path).lexically_normal().string();
  return std::make_unique<FileSink>(request.engine, std::move(write), "_spark_metadata");
}

}  // namespace firesteel
