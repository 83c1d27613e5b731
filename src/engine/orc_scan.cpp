// spark_orc('file'): an ORC file's rows, of the columns that the query needs, by DuckDB's reader of
// Arrow streams.
#include "base/error.h"
#include "duckdb.hpp"
#include "duckdb/common/arrow/arrow_wrapper.hpp"
#include "duckdb/function/table/arrow.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "engine/kernels.h"
#include "engine/orc.h"
#include "engine/typed_kernel.h"

namespace firesteel {

namespace {

using duckdb::Value;

/// What a scan is made of; lives as long as its plan.
struct OrcFile : duckdb::DependencyItem {
  std::string path;
};

/// Runs `body`; its errors become DuckDB's, which carry them through.
template <typename Body>
void guarded(Body body) {
  try {
    body();
  } catch (const Error& error) {
    raise(error.condition(), error.message());
  }
}

void schema_of(ArrowArrayStream* file, ArrowSchema& schema) {
  guarded([&] { orc_schema(reinterpret_cast<OrcFile*>(file)->path, &schema); });
}

duckdb::unique_ptr<duckdb::ArrowArrayStreamWrapper> rows_of(
    uintptr_t file, duckdb::ArrowStreamParameters& parameters) {
  auto stream = duckdb::make_uniq<duckdb::ArrowArrayStreamWrapper>();
  guarded([&] {
    orc_rows(reinterpret_cast<OrcFile*>(file)->path, parameters.projected_columns.columns,
             &stream->arrow_array_stream);
  });
  return stream;
}

duckdb::unique_ptr<duckdb::FunctionData> bind(duckdb::ClientContext& context,
                                              duckdb::TableFunctionBindInput& input,
                                              duckdb::vector<duckdb::LogicalType>& types,
                                              duckdb::vector<std::string>& names) {
  auto file = duckdb::make_shared_ptr<OrcFile>();
  file->path = duckdb::StringValue::Get(input.inputs[0]);
  duckdb::vector<Value> pointers = {Value::POINTER(reinterpret_cast<uintptr_t>(file.get())),
                                    Value::POINTER(reinterpret_cast<uintptr_t>(&rows_of)),
                                    Value::POINTER(reinterpret_cast<uintptr_t>(&schema_of))};
  duckdb::TableFunctionBindInput of_stream(
      pointers, input.named_parameters, input.input_table_types, input.input_table_names,
      input.info, input.binder, input.table_function, input.ref);
  auto data = duckdb::ArrowTableFunction::ArrowScanBind(context, of_stream, types, names);
  data->Cast<duckdb::ArrowScanFunctionData>().dependency = std::move(file);
  return data;
}

}  // namespace

void register_orc(duckdb::ExtensionLoader& loader) {
  using Arrow = duckdb::ArrowTableFunction;
  duckdb::TableFunction function("spark_orc", {duckdb::LogicalType::VARCHAR},
                                 Arrow::ArrowScanFunction, bind, Arrow::ArrowScanInitGlobal,
                                 Arrow::ArrowScanInitLocal);
  function.projection_pushdown = true;
  loader.RegisterFunction(function);
}

}  // namespace firesteel
