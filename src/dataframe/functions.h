// `pyspark.sql.functions` in C++: `sum("b")`, `date_format(col("day"), "yyyy")`, `lag("x", 1)`,
// `transform("xs", [](const Column& x) { return x + 1; })`. As in PySpark, text is a column's name
// where a column is expected and a constant where a pattern or a format is; numbers are constants.
// C++ keywords have an underscore: `struct_`, `char_`, `inline_`. SQL functions that PySpark does
// not name are called with `call_function`.
#pragma once

#include <concepts>
#include <functional>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "dataframe/column.h"

namespace firesteel::functions {

/// A function of Spark's, of the session's or of a database, `db.parse`.
Column call_function(const std::string& name, const std::vector<Column>& arguments);
/// One of Spark's own, whatever others there are of its name.
Column built_in(const std::string& name, const std::vector<Column>& arguments);
/// The natural logarithm, or that of a base.
Column log(const Column& column);
Column log(double base, const Column& column);
/// A Spark SQL expression.
Column expr(const std::string& sql);
Column when(const Column& condition, const Column& value);
Column count_distinct(const std::vector<Column>& columns);
Column sum_distinct(const Column& column);
Column listagg_distinct(const Column& column, const std::string& delimiter = "");
Column string_agg_distinct(const Column& column, const std::string& delimiter = "");
Column asc(const Column& column);
Column asc_nulls_first(const Column& column);
Column asc_nulls_last(const Column& column);
Column desc(const Column& column);
Column desc_nulls_first(const Column& column);
Column desc_nulls_last(const Column& column);
using firesteel::col;
using firesteel::lit;

/// A function of one to three columns, as `transform` and `aggregate` take it.
Column lambda(size_t parameters, const std::function<Column(const std::vector<Column>&)>& body);
/// Options as the map that `from_json` and its kin take.
Column options(const std::map<std::string, std::string>& options);

/// One argument of a call, as PySpark takes it.
template <typename Argument>
Column argument(const Argument& given, bool text_is_constant) {
  if constexpr (std::is_arithmetic_v<Argument>) {
    if constexpr (std::is_same_v<Argument, bool>)
      return lit(given);
    else if constexpr (std::is_floating_point_v<Argument>)
      return lit(double{given});
    else if constexpr (sizeof(Argument) > sizeof(int))
      return lit(static_cast<int64_t>(given));
    else
      return lit(static_cast<int>(given));
  } else if constexpr (std::is_convertible_v<Argument, std::string>) {
    return text_is_constant ? lit(std::string(given)) : col(std::string(given));
  } else if constexpr (std::is_convertible_v<Argument, Column>) {
    return given;
  } else if constexpr (std::is_convertible_v<Argument, std::map<std::string, std::string>>) {
    return options(given);
  } else if constexpr (std::is_invocable_v<Argument, Column>) {
    return lambda(1, [&](const auto& x) { return given(x[0]); });
  } else if constexpr (std::is_invocable_v<Argument, Column, Column>) {
    return lambda(2, [&](const auto& x) { return given(x[0], x[1]); });
  } else {
    return lambda(3, [&](const auto& x) { return given(x[0], x[1], x[2]); });
  }
}

/// Bit n of `texts`: argument n is a constant when it is text.
template <typename... Arguments>
Column called(const char* name, unsigned texts, const Arguments&... arguments) {
  std::vector<Column> columns;
  (columns.push_back(argument(arguments, texts >> columns.size() & 1)), ...);
  return built_in(name, columns);
}

#define FIRESTEEL_FUNCTION(name, sql_name, texts)                     \
  template <std::convertible_to<Column> First, typename... Arguments> \
  Column name(const First& first, const Arguments&... arguments) {    \
    return called(sql_name, texts, first, arguments...);              \
  }
#define FIRESTEEL_FUNCTION_ANY(name, sql_name, texts) \
  template <typename... Arguments>                    \
  Column name(const Arguments&... arguments) {        \
    return called(sql_name, texts, arguments...);     \
  }
#include "dataframe/functions.inc"
#undef FIRESTEEL_FUNCTION
#undef FIRESTEEL_FUNCTION_ANY

}  // namespace firesteel::functions
