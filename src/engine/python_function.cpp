// spark_python(task, arguments …): a scalar Python function, a vector of rows at a time.
// spark_python_group(task, list, …): one that makes a value of a group's rows, which an
// aggregation has gathered in lists, one for each argument.
// spark_pickled(type, value): a pickle in base64.
#include <arrow/array/array_nested.h>
#include <arrow/record_batch.h>

#include "base/error.h"
#include "duckdb.hpp"
#include "duckdb/function/scalar_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "engine/kernels.h"
#include "engine/pickle.h"
#include "engine/python_arrow.h"
#include "engine/python_kernel.h"
#include "engine/python_rows.h"
#include "engine/typed_kernel.h"
#include "engine/values.h"

namespace firesteel {

namespace {

constexpr size_t kPickledRows = 100;

[[noreturn]] void too_few() {
  throw Error("PYTHON_WORKER_CRASHED", "The Python worker gave fewer rows than it was given.");
}

void run_arrow(const PythonKernel& kernel, PythonRunning& running, duckdb::DataChunk& input,
               duckdb::Vector& result) {
  auto& run = running.started(kernel);
  const auto& task = *kernel.task;
  const auto batch =
      batch_of_chunk(running.context, input, 1, task.input, kernel.schema, kernel.zone);
  const auto rows = batch->num_rows();
  const auto step = static_cast<int64_t>(std::min(kernel.batch_rows, static_cast<size_t>(rows)));
  arrow::ArrayVector parts;
  for (int64_t at = 0; at < rows; at += step) {
    run.send(*batch->Slice(at, step));
    const auto wanted = std::min(step, rows - at);
    for (int64_t got = 0; got < wanted;) {
      const auto out = run.next();
      if (!out || out->num_columns() != 1) too_few();
      got += out->num_rows();
      parts.push_back(column_for_duckdb(out->column(0), task.output));
    }
  }
  const auto column = concatenated(parts);
  if (column->length() != rows) {
    throw Error("PYTHON_WORKER_CRASHED",
                "The Python worker gave another number of rows than it was given.");
  }
  fill_vector(running.context, column, result);
}

void run_pickled(const PythonKernel& kernel, PythonRunning& running, duckdb::DataChunk& input,
                 duckdb::Vector& result) {
  auto& run = running.started(kernel);
  const auto& task = *kernel.task;
  const size_t rows = input.size();
  for (size_t at = 0; at < rows; at += kPickledRows)
    run.worker().send_text(
        pickled_rows(input, 1, task.input, at, std::min(rows, at + kPickledRows)));
  std::string bytes;
  for (size_t row = 0; row < rows;) {
    if (!run.next_pickle(bytes)) too_few();
    for (const auto& value : unpickled(bytes).items) {
      if (row == rows) break;
      result.SetValue(row++, value_of_pickled(value, task.output));
    }
  }
}

void run_function(const PythonKernel& kernel, PythonRunning& running, duckdb::DataChunk& input,
                  duckdb::Vector& result) {
  if (python_form(kernel.task->kind) == PythonForm::kPickles) {
    run_pickled(kernel, running, input, result);
  } else {
    run_arrow(kernel, running, input, result);
  }
}

/// Sends a group's rows, in batches as long as the settings say.
void send_group(PythonRun& run, const PythonKernel& kernel, const arrow::RecordBatch& rows) {
  if (run.form() == PythonForm::kBatchGroups) return run.send(rows);
  run.worker().send_int(1);  // relations in the group
  run.begin_stream(kernel.schema);
  const auto step =
      static_cast<int64_t>(std::min(kernel.batch_rows, static_cast<size_t>(rows.num_rows())));
  if (step == 0) run.send(rows);
  for (int64_t at = 0; at < rows.num_rows(); at += step) run.send(*rows.Slice(at, step));
  run.end_stream();
}

void run_group(const PythonKernel& kernel, PythonRunning& running, duckdb::DataChunk& input,
               duckdb::Vector& result) {
  auto& run = running.started(kernel);
  const auto& types = kernel.task->input;
  Schema lists;
  for (const auto& field : types) lists.push_back({field.name, array_type(field.type), true});
  // A function without arguments is told how many rows there are.
  if (types.empty()) lists.push_back({"rows", array_type(make_type(TypeKind::kInteger)), true});
  const auto batch = batch_of_chunk(running.context, input, 1, lists,
                                    python_arrow_schema(lists, kernel.zone), kernel.zone);
  std::vector<std::shared_ptr<arrow::ListArray>> columns;
  for (int i = 0; i < batch->num_columns(); ++i)
    columns.push_back(std::static_pointer_cast<arrow::ListArray>(batch->column(i)));
  for (int64_t row = 0; row < batch->num_rows(); ++row) {
    const auto length = columns[0]->IsNull(row) ? 0 : columns[0]->value_length(row);
    arrow::ArrayVector values;
    for (size_t i = 0; i < types.size(); ++i)
      values.push_back(columns[i]->values()->Slice(columns[i]->value_offset(row), length));
    send_group(run, kernel, *arrow::RecordBatch::Make(kernel.schema, length, values));
  }
  arrow::ArrayVector parts;
  for (int64_t row = 0; row < batch->num_rows(); ++row) {
    const auto out = run.next();
    if (!out || out->num_columns() != 1 || out->num_rows() != 1)
      throw Error("PYTHON_WORKER_CRASHED", "The Python worker gave no value for a group.");
    parts.push_back(column_for_duckdb(out->column(0), kernel.task->output));
  }
  fill_vector(running.context, concatenated(parts), result);
}

/// Constants that a method `analyze` is told, as text.
void pickle_constants(duckdb::DataChunk& input, duckdb::ExpressionState&, duckdb::Vector& result) {
  try {
    for (duckdb::idx_t row = 0; row < input.size(); ++row) {
      const auto type = parse_type(duckdb::StringValue::Get(input.GetValue(0, row)));
      result.SetValue(row, duckdb::Value(base64_text(pickled_value(input.GetValue(1, row), type))));
    }
  } catch (const Error& error) {
    raise(error.condition(), error.message());
  }
}

}  // namespace

void register_python(duckdb::ExtensionLoader& loader) {
  register_python_kernel(loader, "spark_python", run_function);
  register_python_kernel(loader, "spark_python_group", run_group);
  register_python_rows(loader);
  loader.RegisterFunction(duckdb::ScalarFunction(
      "spark_pickled", {duckdb::LogicalType::VARCHAR, duckdb::LogicalType::ANY},
      duckdb::LogicalType::VARCHAR, pickle_constants, nullptr, nullptr, nullptr, nullptr,
      duckdb::LogicalType::INVALID, duckdb::FunctionStability::CONSISTENT,
      duckdb::FunctionNullHandling::SPECIAL_HANDLING));
}

}  // namespace firesteel
