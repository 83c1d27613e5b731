// Binding, state and errors of the kernels of Python functions.
#include "engine/python_kernel.h"

#include <arrow/array/array_base.h>
#include <arrow/array/concatenate.h>
#include <arrow/type.h>

#include "base/error.h"
#include "duckdb.hpp"
#include "duckdb/execution/expression_executor.hpp"
#include "duckdb/function/scalar_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "engine/python_arrow.h"
#include "engine/typed_kernel.h"

namespace firesteel {

namespace {

struct Bound : duckdb::FunctionData {
  std::shared_ptr<const PythonKernel> kernel;
  PythonExecute execute = nullptr;

  duckdb::unique_ptr<duckdb::FunctionData> Copy() const override {
    return duckdb::make_uniq<Bound>(*this);
  }
  bool Equals(const duckdb::FunctionData& other) const override {
    return other.Cast<Bound>().kernel == kernel;
  }
};

struct Info : duckdb::ScalarFunctionInfo {
  PythonExecute execute;
  explicit Info(PythonExecute of) : execute(of) {}
};

struct State : duckdb::FunctionLocalState {
  PythonRunning running;
  explicit State(duckdb::ClientContext& context) : running{context} {}
};

duckdb::unique_ptr<duckdb::FunctionData> bind(
    duckdb::ClientContext& context, duckdb::ScalarFunction& function,
    duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>& arguments) {
  auto bound = duckdb::make_uniq<Bound>();
  try {
    const auto text = duckdb::ExpressionExecutor::EvaluateScalar(context, *arguments[0]);
    bound->kernel = std::make_shared<const PythonKernel>(duckdb::StringValue::Get(text));
    function.SetReturnType(logical_type(bound->kernel->task->output));
  } catch (const Error& error) {
    raise(error.condition(), error.message());
  }
  bound->execute = static_cast<const Info&>(*function.function_info).execute;
  return bound;
}

duckdb::unique_ptr<duckdb::FunctionLocalState> init(duckdb::ExpressionState& state,
                                                    const duckdb::BoundFunctionExpression&,
                                                    duckdb::FunctionData*) {
  return duckdb::make_uniq<State>(state.GetContext());
}

void execute(duckdb::DataChunk& input, duckdb::ExpressionState& state, duckdb::Vector& result) {
  const auto& bound = state.expr.Cast<duckdb::BoundFunctionExpression>().bind_info->Cast<Bound>();
  auto& running = duckdb::ExecuteFunctionState::GetFunctionState(state)->Cast<State>().running;
  result.SetVectorType(duckdb::VectorType::FLAT_VECTOR);
  if (input.size() == 0) return;
  try {
    running.idle = false;
    bound.execute(*bound.kernel, running, input, result);
    running.idle = true;
  } catch (const Error& error) {
    running.run.reset();
    raise(error.condition(), error.message());
  }
}

}  // namespace

PythonKernel::PythonKernel(const std::string& text) {
  auto read = python_task(text);
  zone = read.settings["spark.sql.session.timeZone"];
  schema = python_arrow_schema(read.input, zone);
  batch_rows = python_batch_rows(read);
  task = std::make_shared<const PythonTask>(std::move(read));
}

PythonRun& PythonRunning::started(const PythonKernel& kernel) {
  if (!run) {
    run = std::make_unique<PythonRun>(*kernel.task, [this] { return context.IsInterrupted(); });
    const auto form = run->form();
    if (form == PythonForm::kStream || form == PythonForm::kBatchGroups)
      run->begin_stream(kernel.schema);
  }
  return *run;
}

PythonRunning::~PythonRunning() {
  if (!run || !idle || context.IsInterrupted()) return;
  try {
    run->end();
  } catch (const std::exception&) {
    // All results are there: what the function says at its end changes none.
  }
}

void register_python_kernel(duckdb::ExtensionLoader& loader, const char* name, PythonExecute of) {
  // Volatile: nothing is worked out before the query runs, and nothing twice for being equal.
  duckdb::ScalarFunction function(name, {duckdb::LogicalType::VARCHAR}, duckdb::LogicalType::ANY,
                                  execute, bind, nullptr, nullptr, init, duckdb::LogicalType::ANY,
                                  duckdb::FunctionStability::VOLATILE,
                                  duckdb::FunctionNullHandling::SPECIAL_HANDLING);
  function.function_info = duckdb::make_shared_ptr<Info>(of);
  loader.RegisterFunction(function);
}

std::shared_ptr<arrow::Array> concatenated(const arrow::ArrayVector& parts) {
  if (parts.size() == 1) return parts[0];
  auto joined = arrow::Concatenate(parts);
  if (!joined.ok()) throw Error("INTERNAL_ERROR", "Arrow: " + joined.status().message());
  return std::move(joined).ValueUnsafe();
}

}  // namespace firesteel
