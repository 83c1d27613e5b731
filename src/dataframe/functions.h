// `pyspark.sql.functions` in C++. Names that are C++ keywords or need other arguments are called
// with `call_function("name", {…})`; every function of docs/functions.md is reached that way.
#pragma once

#include <string>
#include <vector>

#include "dataframe/column.h"

namespace firesteel::functions {

Column call_function(const std::string& name, const std::vector<Column>& arguments);
/// A Spark SQL expression.
Column expr(const std::string& sql);
Column when(const Column& condition, const Column& value);
Column count_distinct(const std::vector<Column>& columns);
Column asc(const std::string& column);
Column desc(const std::string& column);
using firesteel::col;
using firesteel::lit;

#define FIRESTEEL_FUNCTION_0(name) \
  inline Column name() { return call_function(#name, {}); }
#define FIRESTEEL_FUNCTION_1(name) \
  inline Column name(const Column& column) { return call_function(#name, {column}); }
#define FIRESTEEL_FUNCTION_2(name)                                \
  inline Column name(const Column& first, const Column& second) { \
    return call_function(#name, {first, second});                 \
  }
#define FIRESTEEL_FUNCTION_3(name)                                                     \
  inline Column name(const Column& first, const Column& second, const Column& third) { \
    return call_function(#name, {first, second, third});                               \
  }
FIRESTEEL_FUNCTION_0(current_date)
FIRESTEEL_FUNCTION_0(current_timestamp)
FIRESTEEL_FUNCTION_0(row_number)
FIRESTEEL_FUNCTION_0(rank)
FIRESTEEL_FUNCTION_0(dense_rank)
FIRESTEEL_FUNCTION_0(percent_rank)
FIRESTEEL_FUNCTION_0(cume_dist)
FIRESTEEL_FUNCTION_1(abs)
FIRESTEEL_FUNCTION_1(avg)
FIRESTEEL_FUNCTION_1(ceil)
FIRESTEEL_FUNCTION_1(collect_list)
FIRESTEEL_FUNCTION_1(collect_set)
FIRESTEEL_FUNCTION_1(count)
FIRESTEEL_FUNCTION_1(count_if)
FIRESTEEL_FUNCTION_1(dayofmonth)
FIRESTEEL_FUNCTION_1(dayofweek)
FIRESTEEL_FUNCTION_1(dayofyear)
FIRESTEEL_FUNCTION_1(exp)
FIRESTEEL_FUNCTION_1(explode)
FIRESTEEL_FUNCTION_1(first)
FIRESTEEL_FUNCTION_1(floor)
FIRESTEEL_FUNCTION_1(hour)
FIRESTEEL_FUNCTION_1(isnan)
FIRESTEEL_FUNCTION_1(isnull)
FIRESTEEL_FUNCTION_1(lag)
FIRESTEEL_FUNCTION_1(last)
FIRESTEEL_FUNCTION_1(lead)
FIRESTEEL_FUNCTION_1(length)
FIRESTEEL_FUNCTION_1(log)
FIRESTEEL_FUNCTION_1(lower)
FIRESTEEL_FUNCTION_1(max)
FIRESTEEL_FUNCTION_1(mean)
FIRESTEEL_FUNCTION_1(median)
FIRESTEEL_FUNCTION_1(min)
FIRESTEEL_FUNCTION_1(minute)
FIRESTEEL_FUNCTION_1(month)
FIRESTEEL_FUNCTION_1(quarter)
FIRESTEEL_FUNCTION_1(second)
FIRESTEEL_FUNCTION_1(size)
FIRESTEEL_FUNCTION_1(sqrt)
FIRESTEEL_FUNCTION_1(stddev)
FIRESTEEL_FUNCTION_1(sum)
FIRESTEEL_FUNCTION_1(to_date)
FIRESTEEL_FUNCTION_1(to_timestamp)
FIRESTEEL_FUNCTION_1(trim)
FIRESTEEL_FUNCTION_1(unix_timestamp)
FIRESTEEL_FUNCTION_1(upper)
FIRESTEEL_FUNCTION_1(var_samp)
FIRESTEEL_FUNCTION_1(weekofyear)
FIRESTEEL_FUNCTION_1(year)
FIRESTEEL_FUNCTION_2(array_contains)
FIRESTEEL_FUNCTION_2(corr)
FIRESTEEL_FUNCTION_2(date_add)
FIRESTEEL_FUNCTION_2(date_format)
FIRESTEEL_FUNCTION_2(date_sub)
FIRESTEEL_FUNCTION_2(date_trunc)
FIRESTEEL_FUNCTION_2(datediff)
FIRESTEEL_FUNCTION_2(element_at)
FIRESTEEL_FUNCTION_2(max_by)
FIRESTEEL_FUNCTION_2(min_by)
FIRESTEEL_FUNCTION_2(nullif)
FIRESTEEL_FUNCTION_2(percentile)
FIRESTEEL_FUNCTION_2(pow)
FIRESTEEL_FUNCTION_2(round)
FIRESTEEL_FUNCTION_2(split)
FIRESTEEL_FUNCTION_3(regexp_extract)
FIRESTEEL_FUNCTION_3(regexp_replace)
FIRESTEEL_FUNCTION_3(substring)
#undef FIRESTEEL_FUNCTION_0
#undef FIRESTEEL_FUNCTION_1
#undef FIRESTEEL_FUNCTION_2
#undef FIRESTEEL_FUNCTION_3

template <typename... Columns>
Column coalesce(const Columns&... columns) {
  return call_function("coalesce", {columns...});
}
template <typename... Columns>
Column concat(const Columns&... columns) {
  return call_function("concat", {columns...});
}
template <typename... Columns>
Column greatest(const Columns&... columns) {
  return call_function("greatest", {columns...});
}
template <typename... Columns>
Column least(const Columns&... columns) {
  return call_function("least", {columns...});
}

}  // namespace firesteel::functions
