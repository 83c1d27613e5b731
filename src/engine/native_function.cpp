// A chunk's rows without a null go out as an Arrow batch; the values come back beside them.
#include "engine/native_function.h"

#include <algorithm>
#include <span>
#include <vector>

#include "base/arrow_stream.h"
#include "base/error.h"
#include "duckdb.hpp"
#include "duckdb/common/arrow/arrow_converter.hpp"
#include "duckdb/function/scalar_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "engine/typed_kernel.h"

namespace firesteel {

namespace {

using duckdb::idx_t;
using duckdb::LogicalType;
using duckdb::Vector;

/// Offsets of Arrow's bytes are of 32 bits, and bytes are images of megabytes.
constexpr idx_t kRowsOfBytes = 64;

struct Info : duckdb::ScalarFunctionInfo {
  std::shared_ptr<const NativeFunction> function;
  idx_t rows_at_once;
  explicit Info(std::shared_ptr<const NativeFunction> of) : function(std::move(of)) {
    const auto& arguments = function->arguments;
    const bool bytes =
        std::ranges::find(arguments, NativeFunction::Argument::kBytes) != arguments.end();
    rows_at_once = bytes ? kRowsOfBytes : STANDARD_VECTOR_SIZE;
  }
};

LogicalType type_of(const AddedColumn& column) {
  switch (column.kind) {
    case AddedColumn::Kind::kDouble:
      return LogicalType::DOUBLE;
    case AddedColumn::Kind::kText:
      return LogicalType::VARCHAR;
    case AddedColumn::Kind::kFloatList:
      return LogicalType::LIST(LogicalType::FLOAT);
  }
  return LogicalType::INVALID;
}

/// The rows in which no column is null.
std::vector<idx_t> whole_rows(duckdb::DataChunk& input) {
  std::vector<duckdb::UnifiedVectorFormat> columns(input.ColumnCount());
  for (idx_t i = 0; i < columns.size(); ++i)
    input.data[i].ToUnifiedFormat(input.size(), columns[i]);
  std::vector<idx_t> rows;
  for (idx_t row = 0; row < input.size(); ++row) {
    if (std::ranges::all_of(columns, [&](const auto& column) {
          return column.validity.RowIsValid(column.sel->get_index(row));
        }))
      rows.push_back(row);
  }
  return rows;
}

ArrowBatch batch_of(duckdb::ClientContext& context, duckdb::DataChunk& input,
                    std::span<const idx_t> rows) {
  duckdb::SelectionVector chosen(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) chosen.set_index(i, rows[i]);
  duckdb::DataChunk part;
  part.Initialize(context, input.GetTypes());
  part.Slice(input, chosen, rows.size());
  ArrowArray array{};
  duckdb::ArrowConverter::ToArrowArray(part, &array, context.GetClientProperties(), {});
  return ArrowBatch(array);
}

void set_values(Vector& result, std::span<const idx_t> rows, const AddedColumn& column,
                const AddedValues& values) {
  switch (column.kind) {
    case AddedColumn::Kind::kDouble:
      for (size_t i = 0; i < rows.size(); ++i)
        duckdb::FlatVector::GetData<double>(result)[rows[i]] = values.numbers[i];
      break;
    case AddedColumn::Kind::kText:
      for (size_t i = 0; i < rows.size(); ++i)
        duckdb::FlatVector::GetData<duckdb::string_t>(result)[rows[i]] =
            duckdb::StringVector::AddString(result, values.texts[i]);
      break;
    case AddedColumn::Kind::kFloatList: {
      const auto before = duckdb::ListVector::GetListSize(result);
      duckdb::ListVector::Reserve(result, before + values.lists.size());
      auto& elements = duckdb::ListVector::GetEntry(result);
      std::ranges::copy(values.lists, duckdb::FlatVector::GetData<float>(elements) + before);
      duckdb::ListVector::SetListSize(result, before + values.lists.size());
      const auto length = static_cast<idx_t>(column.list_length);
      auto* entries = duckdb::FlatVector::GetData<duckdb::list_entry_t>(result);
      for (size_t i = 0; i < rows.size(); ++i) entries[rows[i]] = {before + i * length, length};
      break;
    }
  }
}

void execute(duckdb::DataChunk& input, duckdb::ExpressionState& state, Vector& result) {
  const auto& bound = state.expr.Cast<duckdb::BoundFunctionExpression>();
  const auto& info = static_cast<const Info&>(*bound.function.function_info);
  const auto& function = *info.function;
  result.SetVectorType(duckdb::VectorType::FLAT_VECTOR);
  const auto rows = whole_rows(input);
  auto& validity = duckdb::FlatVector::Validity(result);
  validity.SetAllInvalid(input.size());
  try {
    for (size_t at = 0; at < rows.size(); at += info.rows_at_once) {
      const auto part = std::span(rows).subspan(at, std::min(info.rows_at_once, rows.size() - at));
      const auto batch = batch_of(state.GetContext(), input, part);
      const auto values = function.call(*batch.get());
      set_values(result, part, function.returns, values);
      for (size_t i = 0; i < part.size(); ++i)
        if (values.missing.empty() || !values.missing[i]) validity.SetValid(part[i]);
    }
  } catch (const Error& error) {
    raise(error.condition(), error.message());
  }
}

}  // namespace

void register_native(duckdb::DatabaseInstance& database, const std::string& name,
                     std::shared_ptr<const NativeFunction> function) {
  duckdb::vector<LogicalType> arguments;
  for (const auto argument : function->arguments)
    arguments.push_back(argument == NativeFunction::Argument::kText ? LogicalType::VARCHAR
                                                                    : LogicalType::BLOB);
  // The same rows give the same values: a constant's value is worked out once.
  duckdb::ScalarFunction made(name, arguments, type_of(function->returns), execute);
  made.function_info = duckdb::make_shared_ptr<Info>(std::move(function));
  duckdb::ExtensionLoader(database, "firesteel").RegisterFunction(made);
}

}  // namespace firesteel
