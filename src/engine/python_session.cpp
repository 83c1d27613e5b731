// What a session knows of Python: functions registered by name, and which Python runs them.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/embedded.h"
#include "engine/values.h"
#include "plan/names.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

/// A name that a temporary function may be called by: `f` or `session.f`.
std::string temporary_name(const std::vector<std::string>& name) {
  const bool plain = name.size() == 1 ||
                     (name.size() == 2 && equal_ignoring_case(name[0], "session")) ||
                     (name.size() == 3 && equal_ignoring_case(name[0], "system") &&
                      equal_ignoring_case(name[1], "session"));
  return plain ? lower_case(name.back()) : "";
}

/// Megabytes of "512m", "2g" or a bare number of megabytes.
int megabytes(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  switch (*end) {
    case 'g':
    case 'G':
      return static_cast<int>(number * 1024);
    case 'k':
    case 'K':
      return static_cast<int>(number / 1024);
    case 't':
    case 'T':
      return static_cast<int>(number * 1024 * 1024);
    default:
      return static_cast<int>(number);
  }
}

/// The folder where a session's functions run, with its files, modules and unpacked archives by
/// their bare names;
/// empty when there are none. `includes` are those that Python must be told of, one a line.
std::string python_folder(const fs::path& artifacts, std::string& includes) {
  const auto folder = artifacts / "python";
  bool any = false;
  for (const char* kind : {"files", "pyfiles", "unpacked"}) {
    std::error_code absent;
    for (const auto& file : fs::directory_iterator(artifacts / kind, absent)) {
      any = true;
      fs::create_directories(folder);
      std::error_code exists;
      fs::create_symlink(fs::absolute(file.path()), folder / file.path().filename(), exists);
      const auto ending = file.path().extension();
      if (fs::is_directory(file)) continue;
      if (ending == ".zip" || ending == ".egg" || ending == ".whl" || ending == ".jar")
        includes += file.path().filename().string() + "\n";
    }
  }
  return any ? fs::absolute(folder).string() : "";
}

}  // namespace

std::string python_command(const CreateFunction& function) {
  std::string pickle = fmt::format(
      "\x80\x02"
      "cfiresteel_routine\n{}\n(",
      function.table ? "table" : "scalar");
  const auto add = [&](const std::string& text) {
    pickle += 'X';
    for (int shift = 0; shift < 32; shift += 8)
      pickle += static_cast<char>(text.size() >> shift & 255);
    pickle += text;
  };
  add(function.name);
  add(function.body);
  add(function.handler);
  if (!function.table) {
    std::string parameters;
    for (const auto& parameter : function.parameters) parameters += parameter.field.name + "\n";
    add(parameters);
    add(schema_json({{"value", parse_type(function.returns), true}}));
  }
  return pickle + "tR.";
}

std::shared_ptr<const proto::CommonInlineUserDefinedFunction> EmbeddedExecutor::python_function(
    const std::vector<std::string>& name) {
  std::lock_guard lock(mutex_);
  const auto found = python_functions_.find(temporary_name(name));
  return found == python_functions_.end() ? nullptr : found->second;
}

std::shared_ptr<const proto::CommonInlineUserDefinedTableFunction>
EmbeddedExecutor::python_table_function(const std::vector<std::string>& name) {
  std::lock_guard lock(mutex_);
  const auto found = python_tables_.find(temporary_name(name));
  return found == python_tables_.end() ? nullptr : found->second;
}

void EmbeddedExecutor::register_python(const proto::CommonInlineUserDefinedFunction& function) {
  if (!function.has_python_udf()) {
    throw Error("UNSUPPORTED_FEATURE.FUNCTION",
                "The function `" + function.function_name() +
                    "` is written in Java or Scala, which this engine does not run. Write it in "
                    "Python or SQL.");
  }
  std::lock_guard lock(mutex_);
  python_functions_[lower_case(function.function_name())] =
      std::make_shared<const proto::CommonInlineUserDefinedFunction>(function);
}

void EmbeddedExecutor::register_python(
    const proto::CommonInlineUserDefinedTableFunction& function) {
  std::lock_guard lock(mutex_);
  python_tables_[lower_case(function.function_name())] =
      std::make_shared<const proto::CommonInlineUserDefinedTableFunction>(function);
}

void EmbeddedExecutor::register_python(const proto::CommonInlineUserDefinedDataSource& source) {
  const auto& python = source.python_data_source();
  std::lock_guard lock(mutex_);
  python_sources_[lower_case(source.name())] = std::make_shared<const PythonSource>(
      PythonSource{source.name(), python.command(), python.python_ver()});
}

std::shared_ptr<const PythonSource> EmbeddedExecutor::python_source(const std::string& format) {
  if (is_source_format(lower_case(format))) return nullptr;
  std::lock_guard lock(mutex_);
  const auto found = python_sources_.find(lower_case(format));
  return found == python_sources_.end() ? nullptr : found->second;
}

PythonTask EmbeddedExecutor::python_session() {
  PythonTask task;
  set_python_session(task, python_settings(), time_zone());
  return task;
}

PythonSourceWorker::Described EmbeddedExecutor::describe_python(
    PythonSourceWorker& worker, const proto::Read_DataSource& source) {
  PythonSourceWorker::Options options{source.options().begin(), source.options().end()};
  if (source.paths_size() == 1) options["path"] = source.paths(0);
  if (source.paths_size() > 1)
    options["paths"] =
        nlohmann::json(std::vector<std::string>{source.paths().begin(), source.paths().end()})
            .dump();
  std::optional<Schema> given;
  if (!source.schema().empty()) given = parse_schema(source.schema());
  return worker.describe(given, options);
}

void EmbeddedExecutor::write_python(const PythonSource& source,
                                    const proto::WriteOperation& operation) {
  using Mode = proto::WriteOperation;
  const auto mode = operation.mode();
  if (mode != Mode::SAVE_MODE_APPEND && mode != Mode::SAVE_MODE_OVERWRITE) {
    throw Error("UNSUPPORTED_DATA_SOURCE_SAVE_MODE",
                fmt::format("The data source \"{}\" cannot be written in the \"{}\" mode. Please "
                            "use either the \"Append\" or \"Overwrite\" mode instead.",
                            operation.source(),
                            mode == Mode::SAVE_MODE_IGNORE ? "Ignore" : "ErrorIfExists"));
  }
  PythonSourceWorker::Options options{operation.options().begin(), operation.options().end()};
  if (!operation.path().empty()) options["path"] = operation.path();
  PythonSourceWorker worker(source, python_session());
  const auto writer = worker.plan_write(schema(operation.input()), options,
                                        mode == Mode::SAVE_MODE_OVERWRITE, false);
  write_python(worker, writer, operation.input());
}

void EmbeddedExecutor::write_python(PythonSourceWorker& worker,
                                    const PythonSourceWorker::Writer& writer,
                                    const proto::Relation& rows, std::optional<int64_t> batch) {
  try {
    const auto plan = lowered(rows, true);
    const PlanTables tables{database_, plan.tables};
    PythonSourceWorker::Pickles messages;
    for (const auto& row : database_.rows(worker.write_sql(writer, plan.schema, plan.sql)))
      messages.push_back(*bytes_of_base64(*row.at(0)));
    worker.commit(writer, messages, batch);
  } catch (...) {
    try {
      PythonSourceWorker(worker.source(), python_session()).abort(writer, batch);
    } catch (const Error&) {  // the first error says more
    }
    throw;
  }
}

std::map<std::string, std::string> EmbeddedExecutor::python_settings() {
  std::map<std::string, std::string> out = {
      {"spark.sql.execution.arrow.maxRecordsPerBatch", "10000"}};
  std::lock_guard lock(mutex_);
  for (const auto& [key, value] : config_) {
    if (key.starts_with("spark.sql.execution.") || key.starts_with("spark.sql.legacy.execution."))
      out[key] = value;
  }
  const auto value = [&](const char* key) {
    const auto found = config_.find(key);
    return found == config_.end() ? std::string() : found->second;
  };
  std::string program = value("spark.sql.execution.pyspark.python");
  if (program.empty()) program = value("spark.pyspark.python");
  if (const char* named = std::getenv("PYSPARK_PYTHON"); program.empty() && named) program = named;
  out["python"] = program.empty() ? "python3" : program;
  out["memory_mb"] = std::to_string(megabytes(value("spark.executor.pyspark.memory")));
  out["artifacts"] = python_folder(artifacts_, out["includes"]);
  return out;
}

}  // namespace firesteel
