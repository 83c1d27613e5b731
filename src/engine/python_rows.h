// Rows as pickles, for the functions that take them one by one, and what these give as values.
#pragma once

#include <string>
#include <vector>

#include "plan/types.h"

namespace duckdb {
class DataChunk;
class Value;
}  // namespace duckdb

namespace firesteel {

struct PickledValue;

/// Rows [begin, end) of a chunk's columns from `first` on, as one pickle of a list.
std::string pickled_rows(duckdb::DataChunk& chunk, size_t first, const Schema& types, size_t begin,
                         size_t end);
/// One value, as a pickle.
std::string pickled_value(const duckdb::Value& value, const DataType& type);
/// A result as Spark takes it: null when it is of another type.
duckdb::Value value_of_pickled(const PickledValue& value, const DataType& type);

}  // namespace firesteel
