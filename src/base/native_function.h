// A function of this program that SQL calls by its name, as a model is: columns in, a value for
// each row out. Knows the Arrow C data interface and nothing else.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/added_columns.h"

namespace firesteel {

struct NativeFunction {
  std::string name;
  enum class Argument { kText, kBytes };  // of Spark's types STRING and BINARY
  std::vector<Argument> arguments;
  AddedColumn returns;  // its name is not looked at
  /// Values of a batch's rows, a struct of the arguments (utf8, binary), none of them null: a row
  /// with a null has no value, nor has one that is missing from the values. Any thread may call it,
  /// several at once. Errors are the query's.
  std::function<AddedValues(const ArrowArray& rows)> call;
};

}  // namespace firesteel
