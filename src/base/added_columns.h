// A stream of rows with more columns, worked out batch by batch. Knows the Arrow C data interface
// and nothing else.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/arrow_stream.h"

namespace firesteel {

/// A column of a batch: numbers, lists of so many numbers each, or texts.
struct AddedColumn {
  std::string name;
  enum class Kind { kDouble, kFloatList, kText } kind = Kind::kDouble;
  int64_t list_length = 0;  // of kFloatList
};

/// A column's values, of its kind; one for each row of the batch.
struct AddedValues {
  std::vector<double> numbers = {};
  std::vector<float> lists = {};  // one behind the other
  std::vector<std::string> texts = {};
  std::vector<bool> missing =
      {};  // rows without a value, which have some in the lists; empty: none
};

/// Errors that `values` throws are thrown by the stream as they are. Throws COLUMN_ALREADY_EXISTS.
ArrowStream with_added_columns(
    ArrowStream rows, std::vector<AddedColumn> columns,
    std::function<std::vector<AddedValues>(const ArrowArray& batch)> values);

}  // namespace firesteel
