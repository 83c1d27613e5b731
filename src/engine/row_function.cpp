// Runs functions of one row's values over DuckDB's vectors.
#include "engine/row_function.h"

#include "base/error.h"
#include "duckdb.hpp"
#include "duckdb/function/scalar_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "functions/coercion.h"

namespace firesteel {

namespace {

using duckdb::idx_t;
using duckdb::LogicalType;
using duckdb::Vector;

LogicalType type_of(char letter) {
  switch (letter) {
    case 's':
      return LogicalType::VARCHAR;
    case 'b':
      return LogicalType::BLOB;
    case '?':
      return LogicalType::BOOLEAN;
    case 'i':
      return LogicalType::INTEGER;
    case 'd':
      return LogicalType::DOUBLE;
    case 'D':
      return LogicalType::DATE;
    case 'T':
      return LogicalType::TIMESTAMP;
    default:
      return LogicalType::BIGINT;
  }
}

/// An argument of every row, whatever the vector's layout.
class Column {
 public:
  Column(Vector& vector, idx_t rows) : type_(vector.GetType().InternalType()) {
    vector.ToUnifiedFormat(rows, format_);
  }

  /// False where the value is null.
  bool read(idx_t row, Argument& out) const {
    const idx_t at = format_.sel->get_index(row);
    if (!format_.validity.RowIsValid(at)) return false;
    switch (type_) {
      case duckdb::PhysicalType::VARCHAR: {
        const auto& text = data<duckdb::string_t>()[at];
        out.text = {text.GetData(), text.GetSize()};
        return true;
      }
      case duckdb::PhysicalType::BOOL:
        out.number = data<bool>()[at];
        return true;
      case duckdb::PhysicalType::INT32:
        out.number = data<int32_t>()[at];
        return true;
      default:
        out.number = data<int64_t>()[at];
        return true;
    }
  }

 private:
  template <typename T>
  const T* data() const {
    return duckdb::UnifiedVectorFormat::GetData<T>(format_);
  }

  duckdb::UnifiedVectorFormat format_;
  duckdb::PhysicalType type_;
};

void write(Vector& result, idx_t row, const std::string& value) {
  auto* out = duckdb::FlatVector::GetData<duckdb::string_t>(result);
  out[row] = duckdb::StringVector::AddStringOrBlob(result, value);
}
void write(Vector& result, idx_t row, double value) {
  duckdb::FlatVector::GetData<double>(result)[row] = value;
}
void write(Vector& result, idx_t row, int64_t value) {
  switch (result.GetType().InternalType()) {
    case duckdb::PhysicalType::BOOL:
      duckdb::FlatVector::GetData<bool>(result)[row] = value != 0;
      return;
    case duckdb::PhysicalType::INT32:
      duckdb::FlatVector::GetData<int32_t>(result)[row] = static_cast<int32_t>(value);
      return;
    default:
      duckdb::FlatVector::GetData<int64_t>(result)[row] = value;
  }
}

template <typename Result>
void run(RowFunction<Result> function, duckdb::DataChunk& input, Vector& result) {
  std::vector<Column> columns;
  for (auto& vector : input.data) columns.emplace_back(vector, input.size());
  const bool constant = input.AllConstant();
  const idx_t rows = constant ? 1 : input.size();
  std::vector<Argument> arguments(columns.size());
  for (idx_t row = 0; row < rows; ++row) {
    bool given = true;
    for (size_t i = 0; i < columns.size() && given; ++i) given = columns[i].read(row, arguments[i]);
    std::optional<Result> value;
    try {
      if (given) value = function(arguments);
    } catch (const Error& error) {
      throw duckdb::InvalidInputException(
          raised_text(error.condition(), error.message(), error.span()));
    }
    if (value) {
      write(result, row, *value);
    } else {
      duckdb::FlatVector::SetNull(result, row, true);
    }
  }
  if (constant) result.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
}

template <typename Result>
void add(duckdb::ExtensionLoader& loader, const char* name, std::string_view types,
         RowFunction<Result> function) {
  duckdb::vector<LogicalType> arguments;
  for (const char letter : types.substr(0, types.find('>'))) arguments.push_back(type_of(letter));
  loader.RegisterFunction(
      duckdb::ScalarFunction(name, arguments, type_of(types.back()),
                             [function](duckdb::DataChunk& input, duckdb::ExpressionState&,
                                        Vector& result) { run(function, input, result); }));
}

}  // namespace

void add_row_function(duckdb::ExtensionLoader& loader, const char* name, std::string_view types,
                      RowFunction<std::string> function) {
  add(loader, name, types, function);
}
void add_row_function(duckdb::ExtensionLoader& loader, const char* name, std::string_view types,
                      RowFunction<int64_t> function) {
  add(loader, name, types, function);
}
void add_row_function(duckdb::ExtensionLoader& loader, const char* name, std::string_view types,
                      RowFunction<double> function) {
  add(loader, name, types, function);
}

}  // namespace firesteel
