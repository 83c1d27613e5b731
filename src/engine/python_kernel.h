// What the kernels of Python functions share: their task, known when they are bound, and the
// worker that each thread keeps while the query runs.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>

#include "engine/python_run.h"

namespace duckdb {
class ClientContext;
class DataChunk;
class ExtensionLoader;
class Vector;
struct ExpressionState;
}  // namespace duckdb

namespace firesteel {

/// A task, and what follows from it.
struct PythonKernel {
  std::shared_ptr<const PythonTask> task;
  std::shared_ptr<arrow::Schema> schema;  // of the batches that go out
  std::string zone;
  size_t batch_rows = 0;

  /// Of the text that calls carry.
  explicit PythonKernel(const std::string& text);
};

/// A thread's worker. The destructor lets it end when it has answered all; else it is killed.
struct PythonRunning {
  duckdb::ClientContext& context;
  std::unique_ptr<PythonRun> run = {};
  bool idle = false;  // no rows are on their way

  PythonRun& started(const PythonKernel& kernel);
  ~PythonRunning();
};

using PythonExecute = void (*)(const PythonKernel& kernel, PythonRunning& running,
                               duckdb::DataChunk& input, duckdb::Vector& result);
/// name(task, arguments …): a scalar function of DuckDB's. Errors are turned into DuckDB's.
void register_python_kernel(duckdb::ExtensionLoader& loader, const char* name,
                            PythonExecute execute);
/// Equal-typed columns one behind the other.
std::shared_ptr<arrow::Array> concatenated(const arrow::ArrayVector& parts);

}  // namespace firesteel
