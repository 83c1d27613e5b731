// What a session knows of Python: functions registered by name, and which Python runs them.
#include <cstdlib>
#include <filesystem>

#include "engine/embedded.h"
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

/// The folder where a session's functions run, with its files and modules by their bare names;
/// empty when there are none. `includes` are those that Python must be told of, one a line.
std::string python_folder(const fs::path& artifacts, std::string& includes) {
  const auto folder = artifacts / "python";
  bool any = false;
  for (const char* kind : {"files", "pyfiles"}) {
    std::error_code absent;
    for (const auto& file : fs::directory_iterator(artifacts / kind, absent)) {
      any = true;
      fs::create_directories(folder);
      std::error_code exists;
      fs::create_symlink(fs::absolute(file.path()), folder / file.path().filename(), exists);
      const auto ending = file.path().extension();
      if (ending == ".zip" || ending == ".egg" || ending == ".whl" || ending == ".jar")
        includes += file.path().filename().string() + "\n";
    }
  }
  return any ? fs::absolute(folder).string() : "";
}

}  // namespace

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
