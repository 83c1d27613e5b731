// Writes the first message, by the version of pyspark.
#include "engine/python_protocol.h"

#include <fmt/format.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "engine/python_worker.h"

namespace firesteel {

namespace {

/// What differs between versions.
struct Layout {
  int major, minor;
  bool framed;           // the message says that it is one, and its length
  bool context_is_json;  // else its parts stand in binary
  bool barrier_always;   // a port and a secret stand there though there is no barrier
  bool settings_always;  // two lists; else one, of kinds that take Arrow batches
  bool input_types;      // where there is one list, these kinds have their input's types behind it
  int end_numbers;       // long ones that a worker says at the end of a task
  bool keywords_always;  // else kinds over relations have bare places
};
constexpr Layout kLayouts[] = {{4, 0, false, false, true, false, false, 5, false},
                               {4, 1, false, false, false, false, true, 5, false},
                               {4, 2, false, true, false, true, false, 6, true},
                               {4, 3, true, true, false, true, false, 6, true}};

class Message {
 public:
  void number(int32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes_ += static_cast<char>(value >> shift & 255);
  }
  void wide(int64_t value) {
    number(static_cast<int32_t>(value >> 32));
    number(static_cast<int32_t>(value));
  }
  void flag(bool value) { bytes_ += static_cast<char>(value); }
  void text(std::string_view value) {
    number(static_cast<int32_t>(value.size()));
    bytes_ += value;
  }
  template <typename List, typename Write>
  void list(const List& values, Write write) {
    number(static_cast<int32_t>(values.size()));
    for (const auto& value : values) write(value);
  }
  void pairs(const std::map<std::string, std::string>& values) {
    list(values, [&](const auto& pair) {
      text(pair.first);
      text(pair.second);
    });
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

const Layout& layout_of(const std::string& version) {
  int major = 0, minor = 0;
  std::sscanf(version.c_str(), "%d.%d", &major, &minor);
  for (const auto& layout : kLayouts)
    if (layout.major == major && layout.minor == minor) return layout;
  throw Error("UNSUPPORTED_PYTHON_WORKER",
              fmt::format("The Python named for functions has pyspark {}; its workers are spoken "
                          "to as those of pyspark 4.0 to 4.3. Install one of them there, or name "
                          "another Python by `spark.sql.execution.pyspark.python`.",
                          version));
}

void write_context(Message& message, const Layout& layout) {
  static std::atomic<int64_t> next{0};
  const int64_t attempt = next++;
  if (layout.context_is_json) {
    message.text(nlohmann::json{{"isBarrier", false},
                                {"connInfo", nullptr},
                                {"secret", nullptr},
                                {"stageId", 0},
                                {"partitionId", 0},
                                {"attemptNumber", 0},
                                {"taskAttemptId", attempt},
                                {"cpus", 1},
                                {"cpuAmount", "1"},
                                {"resources", nlohmann::json::object()},
                                {"localProperties", nlohmann::json::object()}}
                     .dump());
    return;
  }
  message.flag(false);  // a barrier
  if (layout.barrier_always) {
    message.number(0);
    message.text("");
  }
  for (int i = 0; i < 3; ++i) message.number(0);  // stage, partition, attempt
  message.wide(attempt);
  message.number(1);  // processors
  message.number(0);  // resources
  message.number(0);  // properties
}

/// The session's files and modules; broadcast variables, of which there are none.
void write_files(Message& message, const PythonTask& task) {
  const auto folder = task.settings.find("artifacts");
  message.text(folder == task.settings.end() ? "" : folder->second);
  message.list(task.includes, [&](const std::string& name) { message.text(name); });
  message.flag(false);
  message.number(0);
}

/// The Python that pickled the function: workers refuse another's. A function that is text is of
/// the worker's own.
void write_python(Message& message, const PythonTask& task, const PythonWorker& worker) {
  message.text(task.client_version.empty() ? worker.python_version() : task.client_version);
}

void write_session(Message& message, const PythonTask& task, const PythonWorker& worker) {
  write_python(message, task, worker);
  write_files(message, task);
}

/// Settings that functions read, with what they are when nobody set them.
std::map<std::string, std::string> runner_settings(const PythonTask& task) {
  static constexpr const char* kPassed[] = {
      "spark.sql.session.timeZone",
      "spark.sql.execution.arrow.maxRecordsPerBatch",
      "spark.sql.execution.arrow.maxBytesPerBatch",
      "spark.sql.execution.arrow.useLargeVarTypes",
      "spark.sql.execution.pandas.convertToArrowArraySafely",
      "spark.sql.execution.pyspark.binaryAsBytes",
      "spark.sql.execution.pythonUDF.arrow.concurrency.level",
      "spark.sql.execution.pythonUDF.pandas.intToDecimalCoercionEnabled",
      "spark.sql.execution.pythonUDF.pandas.preferIntExtensionDtype",
      "spark.sql.execution.pythonUDF.mapInBatch.legacy.acceptAnyIterable.enabled",
      "spark.sql.legacy.execution.pandas.groupedMap.assignColumnsByName",
      "spark.sql.legacy.execution.pythonUDF.pandas.conversion.enabled",
      "spark.sql.legacy.execution.pythonUDTF.pandas.conversion.enabled"};
  std::map<std::string, std::string> out;
  for (const char* key : kPassed)
    if (const auto found = task.settings.find(key); found != task.settings.end())
      out.insert(*found);
  if (const auto bounds = task.settings.find("window_bound_types"); bounds != task.settings.end()) {
    out.insert(*bounds);
    out["pandas_window_bound_types"] = bounds->second;  // as 4.0 calls it
  }
  return out;
}

std::map<std::string, std::string> evaluation_settings(const PythonTask& task) {
  std::map<std::string, std::string> out;
  if (task.kind == python_kind::kArrowBatched || task.kind == python_kind::kArrowTable)
    out["input_type"] = schema_json(task.input);
  if (!task.table_arguments.empty())
    out["table_arg_offsets"] = fmt::format("{}", fmt::join(task.table_arguments, ","));
  return out;
}

void write_settings(Message& message, const PythonTask& task, const Layout& layout) {
  using namespace python_kind;
  if (layout.settings_always) {
    message.pairs(runner_settings(task));
    message.pairs(evaluation_settings(task));
    return;
  }
  if (task.kind == kBatched || task.kind == kTable) return;
  message.pairs(runner_settings(task));
  if (!layout.input_types) return;
  if (task.kind == kArrowBatched || task.kind == kArrowTable) message.text(schema_json(task.input));
  if (task.kind == kArrowUdtf)
    message.list(task.table_arguments, [&](int place) { message.number(place); });
}

bool takes_keywords(int kind) {
  using namespace python_kind;
  switch (kind) {
    case kMapPandas:
    case kMapArrow:
    case kGroupedMapPandas:
    case kGroupedMapPandasIter:
    case kGroupedMapArrow:
    case kGroupedMapArrowIter:
    case kCogroupedMapPandas:
    case kCogroupedMapArrow:
      return false;
    default:
      return true;
  }
}

void write_arguments(Message& message, const PythonTask::Call& call, bool keywords) {
  message.number(static_cast<int32_t>(call.arguments.size() + call.named.size()));
  for (const int argument : call.arguments) {
    message.number(argument);
    if (keywords) message.flag(false);
  }
  for (const auto& [name, argument] : call.named) {
    message.number(argument);
    message.flag(true);
    message.text(name);
  }
}

}  // namespace

std::string python_session_message(const PythonTask& task, const PythonWorker& worker) {
  Message message;
  write_session(message, task, worker);
  return message.take();
}

std::string python_analyze_message(const PythonTask& task,
                                   const std::vector<AnalyzeArgument>& arguments,
                                   const PythonWorker& worker) {
  const auto& layout = layout_of(worker.version());
  Message message;
  write_session(message, task, worker);
  if (layout.settings_always) message.pairs({});
  message.text(task.name);
  message.text(task.calls.at(0).command);
  message.list(arguments, [&](const AnalyzeArgument& argument) {
    const auto field = nlohmann::json::parse(schema_json({{"value", argument.type, true}}));
    message.text(field["fields"][0]["type"].dump());
    message.flag(argument.pickled.has_value());
    if (argument.pickled) message.text(*argument.pickled);
    message.flag(argument.table);
    message.flag(!argument.keyword.empty());
    if (!argument.keyword.empty()) message.text(argument.keyword);
  });
  message.number(python_mark::kEndOfStream);
  return message.take();
}

int python_end_numbers(const std::string& version) { return layout_of(version).end_numbers; }

std::string python_init_message(const PythonTask& task, const PythonWorker& worker) {
  const auto& layout = layout_of(worker.version());
  Message message;
  message.number(0);  // which part of the rows
  write_python(message, task, worker);
  write_context(message, layout);
  write_files(message, task);
  message.number(task.kind);
  write_settings(message, task, layout);
  const bool table = task.kind >= python_kind::kTable;
  if (table) {
    const auto& call = task.calls.at(0);
    write_arguments(message, call, true);
    message.list(task.partition_columns, [&](int column) { message.number(column); });
    message.flag(!task.analyzed.empty());
    if (!task.analyzed.empty()) message.text(task.analyzed);
    message.text(call.command);
    message.text(schema_json(*task.output.fields));
    message.text(task.name);
  } else {
    if (!layout.settings_always) message.flag(false);  // a profiler
    message.list(task.calls, [&](const PythonTask::Call& call) {
      write_arguments(message, call, layout.keywords_always || takes_keywords(task.kind));
      message.number(1);
      message.text(call.command);
      if (layout.settings_always) message.wide(0);  // where a profiler's results belong
    });
  }
  if (!layout.framed) return message.take();
  Message framed;
  framed.number(python_mark::kInit);
  framed.text(message.take());
  return framed.take();
}

}  // namespace firesteel
