// Writes the first message, by the version of pyspark.
#include "engine/python_protocol.h"

#include <fmt/format.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace firesteel {

namespace {

/// What differs between versions.
struct Layout {
  int major, minor;
  /// The message says that it is one, and its length.
  bool framed;
};
constexpr Layout kLayouts[] = {{4, 2, false}, {4, 3, true}};

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
                          "to as those of pyspark 4.2 and 4.3. Install one of them there, or name "
                          "another Python by `spark.sql.execution.pyspark.python`.",
                          version));
}

std::string task_context() {
  static std::atomic<int64_t> next{0};
  const int64_t attempt = next++;
  return nlohmann::json{{"isBarrier", false},
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
      .dump();
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
  if (const auto bounds = task.settings.find("window_bound_types"); bounds != task.settings.end())
    out.insert(*bounds);
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

void arguments(Message& message, const PythonTask::Call& call) {
  message.number(static_cast<int32_t>(call.arguments.size() + call.named.size()));
  for (const int argument : call.arguments) {
    message.number(argument);
    message.flag(false);
  }
  for (const auto& [name, argument] : call.named) {
    message.number(argument);
    message.flag(true);
    message.text(name);
  }
}

}  // namespace

std::string python_init_message(const PythonTask& task, const std::string& version) {
  const auto& layout = layout_of(version);
  Message message;
  message.number(0);  // which part of the rows
  message.text(task.client_version);
  message.text(task_context());
  const auto folder = task.settings.find("artifacts");
  message.text(folder == task.settings.end() ? "" : folder->second);
  message.list(task.includes, [&](const std::string& name) { message.text(name); });
  message.flag(false);  // broadcast variables: none
  message.number(0);
  message.number(task.kind);
  message.pairs(runner_settings(task));
  message.pairs(evaluation_settings(task));
  const bool table = task.kind >= python_kind::kTable;
  if (table) {
    const auto& call = task.calls.at(0);
    arguments(message, call);
    message.list(task.partition_columns, [&](int column) { message.number(column); });
    message.flag(!task.analyzed.empty());
    if (!task.analyzed.empty()) message.text(task.analyzed);
    message.text(call.command);
    message.text(schema_json(*task.output.fields));
    message.text(task.name);
  } else {
    message.list(task.calls, [&](const PythonTask::Call& call) {
      arguments(message, call);
      message.number(1);
      message.text(call.command);
      message.wide(0);  // where a profiler's results belong
    });
  }
  if (!layout.framed) return message.take();
  Message framed;
  framed.number(python_mark::kInit);
  framed.text(message.take());
  return framed.take();
}

}  // namespace firesteel
