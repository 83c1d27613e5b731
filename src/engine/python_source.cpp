// Asks python_source.py: JSON and pickles go out and come back.
#include "engine/python_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "engine/database.h"
#include "engine/python_protocol.h"
#include "engine/python_run.h"
#include "engine/values.h"
#include "functions/coercion.h"

namespace firesteel {

using nlohmann::json;

struct PythonSourceWorker::Request {
  json value;
  Pickles pickles = {};
};

struct PythonSourceWorker::Answer {
  json value;
  Pickles pickles;
};

namespace {

constexpr const char* kCommit = "commit or abort Python data source write";

/// The most rows of a batch, as Python counts.
int batch_rows(const PythonTask& session) {
  return static_cast<int>(std::min<size_t>(python_batch_rows(session), INT32_MAX));
}

}  // namespace

PythonSourceWorker::PythonSourceWorker(const PythonSource& source, PythonTask session)
    : source_(source), session_(std::move(session)) {
  session_.client_version = source_.client_version;
  worker_ = PythonWorker::take(python_setup(session_));
  worker_->interrupted = QueryGroup::interrupted_here;
  worker_->send_text("firesteel_source");
  worker_->send(python_session_message(session_, *worker_));
}

PythonSourceWorker::~PythonSourceWorker() {
  if (failed_) return;
  try {
    worker_->send_text(R"({"call": "end"})");
    worker_->send_int(0);
    if (worker_->read_int() == python_mark::kEndOfStream) worker_->finish();
  } catch (const Error&) {  // it is killed
  }
}

void PythonSourceWorker::interrupt_when(std::function<bool()> interrupted) {
  worker_->interrupted = std::move(interrupted);
}

/// Pickles and JSON of one request to the worker; `action` says in an error what was to be done.
PythonSourceWorker::Answer PythonSourceWorker::ask(const char* action, const Request& request) {
  if (failed_) throw Error("PYTHON_WORKER_CRASHED", "The Python data source failed before.");
  failed_ = true;  // unless it goes well
  worker_->send_text(request.value.dump());
  worker_->send_int(static_cast<int32_t>(request.pickles.size()));
  for (const auto& pickle : request.pickles) worker_->send_text(pickle);
  const auto mark = worker_->read_int();
  if (mark == python_mark::kException) {
    throw Error("PYTHON_DATA_SOURCE_ERROR",
                fmt::format("Failed to {}: {}", action, worker_->read_text()));
  }
  Answer answer{json::parse(worker_->read_text()), {}};
  for (auto left = worker_->read_int(); left > 0; --left)
    answer.pickles.push_back(worker_->read_text());
  failed_ = false;
  return answer;
}

PythonSourceWorker::Described PythonSourceWorker::describe(const std::optional<Schema>& given,
                                                           const Options& options) {
  auto answer = ask("create Python data source instance",
                    {{{"call", "describe"},
                      {"schema", given ? json(schema_json(*given)) : json()},
                      {"options", options}},
                     {source_.command}});
  const auto schema = answer.value.at("schema").get<std::string>();
  return {answer.pickles.at(0),
          answer.value.at("ddl") ? parse_schema(schema) : *type_from_json(schema).fields};
}

PythonSourceWorker::Planned PythonSourceWorker::plan(const Described& source) {
  auto answer =
      ask("initialize Python data source reader",
          {{{"call", "read_plan"},
            {"schema", schema_json(source.schema)},
            {"batch_rows", batch_rows(session_)},
            {"pushdown", session_.settings["spark.sql.python.filterPushdown.enabled"] == "true"}},
           {source.pickled}});
  auto partitions = ask("generate Python data source read partitions",
                        {{{"call", "read_partitions"}}, {answer.pickles.at(1)}});
  return {std::move(answer.pickles.at(0)), std::move(partitions.pickles)};
}

PythonSourceWorker::Writer PythonSourceWorker::plan_write(const Schema& schema,
                                                          const Options& options, bool overwrite,
                                                          bool streams) {
  auto answer = ask("initialize Python data source writer", {{{"call", "write_plan"},
                                                              {"schema", schema_json(schema)},
                                                              {"options", options},
                                                              {"overwrite", overwrite},
                                                              {"streams", streams}},
                                                             {source_.command}});
  return {answer.pickles.at(0), answer.pickles.at(1)};
}

void PythonSourceWorker::commit(const Writer& writer, const Pickles& messages,
                                std::optional<int64_t> batch) {
  Request request{{{"call", "commit"}, {"abort", false}, {"batch", batch ? json(*batch) : json()}},
                  {writer.pickled}};
  request.pickles.insert(request.pickles.end(), messages.begin(), messages.end());
  ask(kCommit, request);
}

void PythonSourceWorker::abort(const Writer& writer, std::optional<int64_t> batch) {
  // One task, which has left no message.
  ask(kCommit, {{{"call", "commit"}, {"abort", true}, {"batch", batch ? json(*batch) : json()}},
                {writer.pickled, ""}});
}

std::string PythonSourceWorker::open_stream(const Described& source) {
  return ask("initialize Python data source stream reader",
             {{{"call", "stream_open"},
               {"schema", schema_json(source.schema)},
               {"batch_rows", batch_rows(session_)}},
              {source.pickled}})
      .pickles.at(0);
}

std::string PythonSourceWorker::initial_offset() {
  return ask("get the initial offset of the Python data source stream",
             {{{"call", "stream_initial"}}})
      .value.at("offset")
      .get<std::string>();
}

std::string PythonSourceWorker::latest_offset(const std::string& start) {
  return ask("get the latest offset of the Python data source stream",
             {{{"call", "stream_latest"}, {"start", start}}})
      .value.at("offset")
      .get<std::string>();
}

bool PythonSourceWorker::stops_at_latest() {
  return ask("prepare the Python data source stream", {{{"call", "stream_prepare"}}})
      .value.at("knows")
      .get<bool>();
}

PythonSourceWorker::Batch PythonSourceWorker::partitions(const std::string& start,
                                                         const std::string& end) {
  auto answer = ask("plan the partitions of the Python data source stream",
                    {{{"call", "stream_partitions"}, {"start", start}, {"end", end}}});
  return {answer.value.at("rows").get<bool>(), std::move(answer.pickles)};
}

void PythonSourceWorker::commit_stream(const std::string& end) {
  ask("commit the Python data source stream", {{{"call", "stream_commit"}, {"end", end}}});
}

void PythonSourceWorker::stop_stream() {
  ask("stop the Python data source stream", {{{"call", "stream_stop"}}});
}

Scan PythonSourceWorker::scan(const Schema& schema, const Planned& planned, int workers) const {
  auto task = session_;
  task.kind = python_kind::kMapArrow;
  task.calls = {{planned.command, {0}}};
  task.input = {{"partition", make_type(TypeKind::kBinary), false}};
  task.output = struct_type(schema);
  Scan scan{.from = {}, .columns = {}};
  const auto count = planned.partitions.size();
  const auto parts = std::clamp<size_t>(count, 1, static_cast<size_t>(std::max(workers, 1)));
  for (size_t part = 0; part < parts; ++part) {  // neighbours together: rows stay in order
    std::string rows;
    for (auto i = count * part / parts; i < count * (part + 1) / parts; ++i)
      rows += fmt::format("{}(from_base64('{}'))", rows.empty() ? "VALUES " : ", ",
                          base64_text(planned.partitions[i]));
    task.rows = rows.empty() ? "SELECT ''::BLOB WHERE false" : rows;
    scan.from += fmt::format("{}SELECT * FROM spark_python_rows({})", part ? " UNION ALL " : "(",
                             sql_string(python_task_text(task)));
  }
  scan.from += ")";
  for (size_t i = 0; i < schema.size(); ++i)
    scan.columns.push_back({schema[i], fmt::format("c{}", i)});
  return scan;
}

std::string PythonSourceWorker::write_sql(const Writer& writer, const Schema& schema,
                                          const std::string& rows) const {
  auto task = session_;
  task.kind = python_kind::kMapArrow;
  task.calls = {{writer.command, {0}}};
  task.input = schema;
  task.output = struct_type({{"message", make_type(TypeKind::kBinary), false}});
  task.rows = rows;
  return fmt::format("SELECT to_base64(c0) FROM spark_python_rows({})",
                     sql_string(python_task_text(task)));
}

}  // namespace firesteel
