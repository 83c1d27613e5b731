// spark_python_rows(task): the rows that a Python function over a relation gives.
#include <string>

#include "base/error.h"
#include "duckdb.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "engine/database.h"
#include "engine/kernels.h"
#include "engine/python_stage.h"
#include "engine/typed_kernel.h"

namespace firesteel {

namespace {

struct Bound : duckdb::TableFunctionData {
  std::shared_ptr<const PythonKernel> kernel;
};

/// One thread reads, so that rows stay in order.
struct State : duckdb::GlobalTableFunctionState {
  std::unique_ptr<PythonStage> stage;
};

template <typename Body>
void guarded(Body body) {
  try {
    body();
  } catch (const Error& error) {
    raise(error.condition(), error.message());
  }
}

duckdb::unique_ptr<duckdb::FunctionData> bind(duckdb::ClientContext& context,
                                              duckdb::TableFunctionBindInput& input,
                                              duckdb::vector<duckdb::LogicalType>& types,
                                              duckdb::vector<std::string>& names) {
  auto bound = duckdb::make_uniq<Bound>();
  guarded([&] {
    bound->kernel = std::make_shared<const PythonKernel>(duckdb::StringValue::Get(input.inputs[0]));
    const auto& task = *bound->kernel->task;
    if (task.kept > 0) {  // their types are those of the query below
      duckdb::Connection connection(*context.db);
      const auto rows = connection.Prepare(task.rows);
      if (rows->HasError()) throw from_duckdb(rows->GetError());
      types.assign(rows->GetTypes().begin(), rows->GetTypes().begin() + task.kept);
    }
    if (python_gives_value(task.kind)) {
      types.push_back(logical_type(task.output));
    } else {
      for (const auto& field : *task.output.fields) types.push_back(logical_type(field.type));
    }
    for (size_t i = 0; i < types.size(); ++i) names.push_back("c" + std::to_string(i));
    if (types.empty()) {  // rows without columns are counted all the same
      types.push_back(duckdb::LogicalType::INTEGER);
      names.push_back("c0");
    }
  });
  return bound;
}

duckdb::unique_ptr<duckdb::GlobalTableFunctionState> init(duckdb::ClientContext&,
                                                          duckdb::TableFunctionInitInput&) {
  return duckdb::make_uniq<State>();
}

void scan(duckdb::ClientContext& context, duckdb::TableFunctionInput& input,
          duckdb::DataChunk& output) {
  auto& state = input.global_state->Cast<State>();
  guarded([&] {
    if (!state.stage)
      state.stage = std::make_unique<PythonStage>(context, input.bind_data->Cast<Bound>().kernel);
    state.stage->next(output);
  });
}

}  // namespace

void register_python_rows(duckdb::ExtensionLoader& loader) {
  loader.RegisterFunction(
      duckdb::TableFunction("spark_python_rows", {duckdb::LogicalType::VARCHAR}, scan, bind, init));
}

}  // namespace firesteel
