// Arrow batches as Python workers take and give them: DuckDB's chunks out, columns back in.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>

#include "plan/types.h"

namespace duckdb {
class ClientContext;
class DataChunk;
class Vector;
}  // namespace duckdb

namespace firesteel {

/// The Arrow type that Spark sends for a type. Throws UNSUPPORTED_DATA_TYPE_FOR_ARROW_CONVERSION.
std::shared_ptr<arrow::DataType> python_arrow_type(const DataType& type, const std::string& zone);
std::shared_ptr<arrow::Schema> python_arrow_schema(const Schema& schema, const std::string& zone);

/// A chunk's columns, from `first` on, as the schema's fields of these types.
std::shared_ptr<arrow::RecordBatch> batch_of_chunk(duckdb::ClientContext& context,
                                                   duckdb::DataChunk& chunk, size_t first,
                                                   const Schema& types,
                                                   const std::shared_ptr<arrow::Schema>& schema,
                                                   const std::string& zone);

/// A worker's column in the layout that DuckDB reads as the type.
std::shared_ptr<arrow::Array> column_for_duckdb(const std::shared_ptr<arrow::Array>& column,
                                                const DataType& type);
std::shared_ptr<arrow::DataType> duckdb_arrow_type(const DataType& type);
/// Such a column's values as a vector's.
void fill_vector(duckdb::ClientContext& context, const std::shared_ptr<arrow::Array>& column,
                 duckdb::Vector& out);

}  // namespace firesteel
