// Aggregates and window functions.
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

#include "functions/coercion.h"
#include "functions/groups.h"

namespace firesteel {

namespace {

using enum TypeKind;

/// An aggregate of intervals, worked out on their microseconds or months.
Resolved interval_aggregate(const Resolved& interval, const char* pattern) {
  const bool months = interval.type.kind == kYearMonthInterval;
  const auto amount =
      months ? fmt::format("CAST(date_part('year', {0}) * 12 + date_part('month', {0}) AS BIGINT)",
                           interval.sql)
             : fmt::format("epoch_us({})", interval.sql);
  const auto total = fmt::format(fmt::runtime(pattern), amount);
  return {.sql = months ? fmt::format("to_months(CAST({} AS INTEGER))", total)
                        : fmt::format("to_microseconds({})", total),
          .type = interval.type};
}

Resolved sum(std::vector<Resolved>& a, const CallContext& call) {
  if (a[0].type.kind == kString || a[0].is_null())
    a[0] = coerce(a[0], make_type(kDouble), call.time_zone);
  if (a[0].type.kind == kDayTimeInterval || a[0].type.kind == kYearMonthInterval) {
    return interval_aggregate(a[0], "CAST(sum({})/*over*/ AS BIGINT)");
  }
  if (a[0].type.kind == kDecimal) {
    return {.sql = fmt::format("sum({})", a[0].sql),
            .type = bounded_decimal(a[0].type.precision + 10, a[0].type.scale),
            .exact = false};
  }
  if (!a[0].type.is_numeric()) {
    throw Error(
        "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
        fmt::format(
            "Cannot resolve \"sum({0})\" due to data type mismatch: The first parameter requires "
            "the \"NUMERIC\" or \"ANSI INTERVAL\" type, however \"{0}\" has the type \"{1}\".",
            a[0].name, a[0].type.sql()))
        .at(call.span);
  }
  if (a[0].type.is_integral()) {
    return {.sql = fmt::format("sum({})", a[0].sql), .type = make_type(kLong), .exact = false};
  }
  return {.sql = fmt::format("sum(CAST({} AS DOUBLE))", a[0].sql), .type = make_type(kDouble)};
}

Resolved avg(std::vector<Resolved>& a, const CallContext& call) {
  if (a[0].type.kind == kDecimal) {
    const auto type = bounded_decimal(a[0].type.precision + 4, a[0].type.scale + 4);
    const auto sums = bounded_decimal(38, a[0].type.scale);
    return {
        .sql = fmt::format("spark_decimal_divide(CAST(sum({0})/*over*/ AS {1}), "
                           "CAST(nullif(count({0})/*over*/, 0) AS DECIMAL(20,0)), CAST(0 AS {2}))",
                           a[0].sql, duckdb_type(sums), duckdb_type(type)),
        .type = type,
        .exact = false};
  }
  if (a[0].type.kind == kDayTimeInterval || a[0].type.kind == kYearMonthInterval) {
    auto mean = interval_aggregate(a[0], "CAST(round(avg({})/*over*/) AS BIGINT)");
    mean.type = make_type(a[0].type.kind);
    return mean;
  }
  a[0] = coerce(a[0], make_type(kDouble), call.time_zone);
  return {.sql = fmt::format("avg({})", a[0].sql), .type = make_type(kDouble)};
}

/// Null where the sum overflows.
Resolved try_sum(std::vector<Resolved>& a, const CallContext& call) {
  auto result = sum(a, call);
  const bool months = result.type.kind == kYearMonthInterval;
  if (months || result.type.kind == kDayTimeInterval) {
    const auto tried =
        fmt::format("TRY_CAST(sum({{}})/*over*/ AS {})", months ? "INTEGER" : "BIGINT");
    return interval_aggregate(a[0], tried.c_str());
  }
  if (result.type.kind == kLong)
    return {.sql = fmt::format("TRY_CAST({}/*over*/ AS BIGINT)", result.sql), .type = result.type};
  if (result.type.kind == kDecimal) {
    auto most = std::string(result.type.precision, '9');
    most.insert(most.size() - result.type.scale, ".");
    result.sql = fmt::format("CASE WHEN {0}/*over*/ BETWEEN -{1} AND {1} THEN {0}/*over*/ END",
                             result.sql, most);
  }
  return result;
}
Resolved try_avg(std::vector<Resolved>& a, const CallContext& call) {
  auto result = avg(a, call);
  if (result.type.kind == kDecimal) {  // where neither the sum nor the mean has too many digits
    result.sql = fmt::format(
        "CASE WHEN {} IS NOT NULL AND abs(avg(CAST({} AS DOUBLE))/*over*/) < 1e{} THEN {} END",
        try_sum(a, call).sql, a[0].sql, result.type.precision - result.type.scale, result.sql);
  }
  return result;
}

/// The different elements of all arrays.
Resolved collect_union(std::vector<Resolved>& a, const CallContext& call) {
  if (a[0].type.kind != kArray) {
    throw Error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                fmt::format("Cannot resolve \"collect_union({0})\" due to data type mismatch: The "
                            "first parameter requires the \"ARRAY\" type, however \"{0}\" has the "
                            "type \"{1}\".",
                            a[0].name, a[0].type.sql()))
        .at(call.span);
  }
  return {.sql = fmt::format("list_distinct(flatten(coalesce(list({0}) FILTER (WHERE {0} IS NOT "
                             "NULL/*and*/)/*over*/, [])))",
                             a[0].sql),
          .type = array_type(a[0].type.element(), false),
          .nullable = false};
}

Resolved count(std::vector<Resolved>& a, const CallContext&) {
  std::string sql = "count(*)";
  if (a.size() == 1 && !a[0].literal.empty() && !a[0].is_null()) {
    sql = "count(*)";
  } else if (a.size() == 1) {
    sql = fmt::format("count({})", a[0].sql);
  } else {
    std::string all;
    for (const auto& value : a)
      all += fmt::format("{}{} IS NOT NULL", all.empty() ? "" : " AND ", value.sql);
    sql = fmt::format("count(CASE WHEN {} THEN 1 END)", all);
  }
  return {.sql = sql, .type = make_type(kLong), .nullable = false};
}

/// first/last(expr[, ignoreNulls]). A window function of DuckDB's skips nulls by a word, an
/// aggregate by a filter.
Resolved edge(std::vector<Resolved>& a, const CallContext& call, const char* function) {
  const bool ignore = a.size() > 1 && a[1].literal == "true";
  std::string sql = fmt::format("{}({})", function, a[0].sql);
  if (ignore && call.windowed) {
    sql = fmt::format("{}({} IGNORE NULLS)", function, a[0].sql);
  } else if (ignore) {
    sql += fmt::format(" FILTER (WHERE {} IS NOT NULL/*and*/)/*over*/", a[0].sql);
  }
  return {.sql = sql, .type = a[0].type, .exact = a[0].exact};
}
Resolved first(std::vector<Resolved>& a, const CallContext& call) { return edge(a, call, "first"); }
Resolved last(std::vector<Resolved>& a, const CallContext& call) { return edge(a, call, "last"); }
Resolved nth_value(std::vector<Resolved>& a, const CallContext&) {
  const bool ignore = a.size() > 2 && a[2].literal == "true";
  return {
      .sql = fmt::format("nth_value({}, {}{})", a[0].sql, a[1].sql, ignore ? " IGNORE NULLS" : ""),
      .type = a[0].type,
      .exact = a[0].exact,
      .name =
          fmt::format("nth_value({}, {}){}", a[0].name, a[1].name, ignore ? " ignore nulls" : "")};
}

Resolved ntile(std::vector<Resolved>& a, const CallContext& call) {
  if (!a[0].literal.empty() && (a[0].literal == "0" || a[0].literal[0] == '-')) {
    throw Error("DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE",
                fmt::format("Cannot resolve \"ntile({0})\" due to data type mismatch: The buckets "
                            "must be between (0, 2147483647] "
                            "(current value = {0}).",
                            a[0].literal))
        .at(call.span);
  }
  return {.sql = fmt::format("ntile({})", a[0].sql),
          .type = make_type(kInteger),
          .nullable = false,
          .exact = false};
}

/// The values of a group, for a kernel.
std::string listed(const std::string& sql) {
  return fmt::format("coalesce(list({0}) FILTER (WHERE {0} IS NOT NULL/*and*/)/*over*/, [])", sql);
}

/// histogram_numeric(expr, bins): the bins' centers, in the column's type, and heights.
Resolved histogram_numeric(std::vector<Resolved>& a, const CallContext& call) {
  if (a[1].literal.starts_with('-') || a[1].literal == "0" || a[1].literal == "1") {
    throw Error(
        "DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE",
        fmt::format("Cannot resolve \"histogram_numeric\" due to data type mismatch: The nb "
                    "must be between [2, 2147483647] (current value = {}).",
                    a[1].literal))
        .at(call.span);
  }
  const auto type = a[0].is_null() ? make_type(kDouble) : a[0].type;
  const auto bins = fmt::format("spark_histogram({}, {})",
                                listed(fmt::format("CAST({} AS DOUBLE)", a[0].sql)), a[1].sql);
  return {
      .sql = fmt::format("list_transform({}, lambda e: struct_pack(x := CAST({}(e.x) AS {}), y := "
                         "e.y))",
                         bins, type.is_integral() ? "trunc" : "", duckdb_type(type)),
      .type = array_type(struct_type({{"x", type}, {"y", make_type(kDouble)}}))};
}

/// count_min_sketch(expr, error, confidence, seed): Spark's own bytes.
Resolved count_min_sketch(std::vector<Resolved>& a, const CallContext& call) {
  const bool text = a[0].type.kind == kString || a[0].type.kind == kBinary;
  const bool types[] = {text || a[0].type.is_integral(), a[1].type.kind == kDouble,
                        a[2].type.kind == kDouble};
  for (size_t i = 0; i < 3; ++i) {
    if (types[i]) continue;
    throw Error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                fmt::format("Cannot resolve \"count_min_sketch\" due to data type mismatch: The {} "
                            "parameter requires the {} type, however \"{}\" has the type \"{}\".",
                            i == 0   ? "first"
                            : i == 1 ? "second"
                                     : "third",
                            i == 0 ? "(\"INTEGRAL\" or \"STRING\" or \"BINARY\")" : "\"DOUBLE\"",
                            a[i].name, a[i].type.sql()))
        .at(call.span);
  }
  const auto value = coerce(a[0], make_type(text ? kBinary : kLong), call.time_zone).sql;
  return {.sql = fmt::format("spark_count_min_sketch(CAST({} AS {}[]), {}, {}, {})", listed(value),
                             text ? "BLOB" : "BIGINT", a[1].sql, a[2].sql,
                             // Of a long Java's toInt() leaves the lower half.
                             static_cast<int32_t>(std::stoll(a[3].literal))),
          .type = make_type(kBinary),
          .nullable = false};
}

/// counter_diff(value[, start]): what a counter grew by since the row before that has a value; null
/// where it was reset.
Resolved counter_diff(std::vector<Resolved>& a, const CallContext& call) {
  const auto& value = a[0].sql;
  const auto previous = fmt::format("lag({} IGNORE NULLS)/*over*/", value);
  std::string resets = fmt::format("{} < {}", value, previous), faults;
  if (a.size() > 1) {
    const auto start = fmt::format(
        "struct_extract(lag(CASE WHEN {} IS NOT NULL THEN struct_pack(s := {}) END IGNORE "
        "NULLS)/*over*/, 's')",
        value, a[1].sql);
    resets += fmt::format(" OR {} > {}", a[1].sql, start);
    faults = fmt::format(" WHEN {} < {} THEN {}", a[1].sql, start,
                         raise_sql("COUNTER_DIFF_START_TIME_DECREASED",
                                   "The start time of a counter cannot decrease.", call.span));
  }
  return {
      .sql = fmt::format("CASE WHEN {0} IS NULL THEN NULL WHEN {0} < 0 THEN {1}{2} WHEN {3} THEN "
                         "NULL ELSE {0} - {4} END",
                         value,
                         raise_sql("COUNTER_DIFF_NEGATIVE_COUNTER_VALUE",
                                   "The value of a counter cannot be negative.", call.span),
                         faults, resets, previous),
      .type = a[0].type,
      .exact = false};
}

/// approx_percentile(expr, share or array of shares[, accuracy]): here the exact one, a value of
/// the group.
Resolved approx_percentile(std::vector<Resolved>& a, const CallContext& call) {
  if (a[0].type.kind == kString || a[0].is_null())
    a[0] = coerce(a[0], make_type(kDouble), call.time_zone);
  const bool many = a[1].type.kind == kArray;
  const auto real = make_type(kDouble);
  if (!many && !a[1].literal.empty() &&
      !(std::atof(a[1].literal.c_str()) >= 0 && std::atof(a[1].literal.c_str()) <= 1)) {
    throw Error("DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE",
                fmt::format("Cannot resolve \"{0}\" due to data type mismatch: The percentage must "
                            "be between [0.0, 1.0] (current value = {1}).",
                            call.name, a[1].literal))
        .at(call.span);
  }
  return {.sql = fmt::format("quantile_disc({}, {})", a[0].sql,
                             coerce(a[1], many ? array_type(real) : real, call.time_zone).sql),
          .type = many ? array_type(a[0].type, false) : a[0].type,
          .exact = a[0].exact,
          .name = fmt::format("{}({}, {}, {})", call.name, a[0].name, a[1].name,
                              a.size() > 2 ? a[2].name : "10000")};
}

Resolved percentile(std::vector<Resolved>& a, const CallContext& call) {
  a[0] = coerce(a[0], make_type(kDouble), call.time_zone);
  const bool many = a[1].type.kind == kArray;
  return {.sql = fmt::format("quantile_cont({}, {})", a[0].sql, a[1].sql),
          .type = many ? array_type(make_type(kDouble)) : make_type(kDouble)};
}

/// mode(expr, deterministic): the least of those that are most frequent, when it is asked for.
Resolved least_mode(std::vector<Resolved>& a, const CallContext& call) {
  const auto name = fmt::format("mode({})", a[0].name);
  if (a[1].literal != "true")
    return {.sql = fmt::format("mode({})", a[0].sql), .type = a[0].type, .name = name};
  return {.sql = fmt::format(
              "list_min(list_transform(list_filter(map_entries(histogram({0})/*over*/), lambda e: "
              "e.value = list_max(map_values(histogram({0})/*over*/))), lambda e: e.key))",
              a[0].sql),
          .type = a[0].type,
          .name = call.windowed ? name
                                : fmt::format("mode() WITHIN GROUP (ORDER BY {} DESC)", a[0].name)};
}

/// Each value as often as its frequency says.
Resolved percentile_of_counts(std::vector<Resolved>& a, const CallContext& call) {
  a[0] = coerce(a[0], make_type(kDouble), call.time_zone);
  const bool many = a[1].type.kind == kArray;
  return {.sql = fmt::format(
              "list_aggregate(flatten(list(list_transform(range({2}), lambda i: {0}))/*over*/), "
              "'quantile_cont', {1})",
              a[0].sql, a[1].sql, a[2].sql),
          .type = many ? array_type(make_type(kDouble)) : make_type(kDouble)};
}

Resolved shifted(std::vector<Resolved>& a, const CallContext& call, const char* function) {
  std::string sql = fmt::format("{}({}", function, a[0].sql);
  if (a.size() > 1) sql += ", " + a[1].sql;
  if (a.size() > 2) sql += ", " + coerce(a[2], a[0].type, call.time_zone).sql;
  if (a.size() > 3 && a[3].literal == "true") sql += " IGNORE NULLS";
  return {.sql = sql + ")",
          .type = a[0].type,
          .exact = a[0].exact,
          .name = fmt::format("{}({}, {}, {})", function, a[0].name, a.size() > 1 ? a[1].name : "1",
                              a.size() > 2 ? a[2].name : "NULL")};
}
Resolved lag(std::vector<Resolved>& a, const CallContext& call) { return shifted(a, call, "lag"); }
Resolved lead(std::vector<Resolved>& a, const CallContext& call) {
  return shifted(a, call, "lead");
}

/// Arguments hashed one after the other, each seeded with the hash before it; null leaves the seed.
Resolved hashed(std::vector<Resolved>& a, const CallContext& call, const char* kernel,
                std::string seed, TypeKind result) {
  for (const auto& value : a) {
    std::string bits;
    switch (value.type.kind) {
      case kNull:
        continue;
      case kBoolean:
      case kByte:
      case kShort:
      case kInteger:
        bits = fmt::format("CAST({} AS INTEGER)", value.sql);
        break;
      case kDate:
        bits = fmt::format("CAST({} - DATE '1970-01-01' AS INTEGER)", value.sql);
        break;
      case kLong:
        bits = fmt::format("CAST({} AS BIGINT)", value.sql);
        break;
      case kTime:  // nanoseconds
        bits = fmt::format("epoch_us({}) * 1000", value.sql);
        break;
      case kTimestamp:
      case kTimestampNtz:
        bits = fmt::format("epoch_us({})", value.sql);
        break;
      case kString:
      case kBinary:
      case kFloat:
      case kDouble:
        bits = value.sql;
        break;
      case kDecimal:
        if (value.type.precision <= 18) {
          bits = fmt::format("CAST(CAST({} AS {}) * 1{} AS BIGINT)", value.sql,
                             duckdb_type(value.type), std::string(value.type.scale, '0'));
          break;
        }
        [[fallthrough]];
      default:
        throw Error("UNSUPPORTED_FEATURE.HASH",
                    fmt::format("`{}` of \"{}\" ({}) is not supported.", call.name, value.name,
                                value.type.sql()))
            .at(call.span);
    }
    seed = fmt::format("{}({}, {})", kernel, bits, seed);
  }
  return {.sql = seed, .type = make_type(result), .nullable = false};
}
Resolved murmur3(std::vector<Resolved>& a, const CallContext& call) {
  return hashed(a, call, "spark_murmur3", "42", kInteger);
}
Resolved xxhash64(std::vector<Resolved>& a, const CallContext& call) {
  auto result = hashed(a, call, "spark_xxhash64", "CAST(42 AS BIGINT)", kLong);
  return result;
}

Resolved assert_true(std::vector<Resolved>& a, const CallContext& call) {
  const auto message = a.size() > 1 ? a[1].name : fmt::format("'{}' is not true!", a[0].name);
  return {.sql = fmt::format("CASE WHEN {} THEN NULL ELSE {} END", a[0].sql,
                             raise_sql("USER_RAISED_EXCEPTION", message, call.span)),
          .type = make_type(kNull),
          .name = fmt::format("assert_true({}, {})", a[0].name, message)};
}
/// reflect(class, method, …): there is no JVM, but some methods that people call have their like.
Resolved java_method(std::vector<Resolved>& a, const CallContext& call) {
  struct Method {
    std::string_view name;
    size_t arguments;
    const char *sql, *tried;  // the latter is null in place of an exception
  };
  static constexpr Method kMethods[] = {
      {"java.util.UUID.randomUUID", 0, "CAST(uuid() AS VARCHAR)", "CAST(uuid() AS VARCHAR)"},
      {"java.util.UUID.fromString", 1, "CAST(CAST({0} AS UUID) AS VARCHAR)",
       "CAST(TRY_CAST({0} AS UUID) AS VARCHAR)"},
      {"scala.Predef.require", 1, "CASE WHEN CAST({0} AS BOOLEAN) THEN 'null' ELSE {1} END",
       "CASE WHEN CAST({0} AS BOOLEAN) THEN 'null' END"},
      {"java.net.URLDecoder.decode", 1,
       "coalesce(spark_try_url_decode({0}), CASE WHEN {0} IS NOT NULL THEN {1} END)",
       "spark_try_url_decode({0})"},
  };
  const auto wanted = fmt::format("{}.{}", a[0].literal, a[1].literal);
  std::vector<std::string_view> known;
  for (const auto& method : kMethods) {
    known.push_back(method.name);
    if (method.name != wanted || method.arguments + 2 != a.size()) continue;
    const auto argument =
        a.size() > 2 ? coerce(a[2], make_type(kString), call.time_zone).sql : std::string();
    const auto wrong = raise_sql("USER_RAISED_EXCEPTION",
                                 fmt::format("{} throws an exception.", wanted), call.span);
    return {.sql = fmt::format(fmt::runtime(call.name == "try_reflect" ? method.tried : method.sql),
                               argument, wrong),
            .type = make_type(kString)};
  }
  throw Error(
      "UNSUPPORTED_FEATURE.FUNCTION",
      fmt::format("The function `{}` cannot call {}: there is no JVM. What it can call: {}.",
                  call.name, wanted, fmt::join(known, ", ")))
      .at(call.span);
}

Resolved current_path(std::vector<Resolved>&, const CallContext& call) {
  return {.sql = sql_string(
              fmt::format("system.builtin,system.session,spark_catalog.{}", call.database)),
          .type = make_type(TypeKind::kString),
          .nullable = false};
}

Resolved current_database(std::vector<Resolved>&, const CallContext& call) {
  return {
      .sql = sql_string(call.database), .type = make_type(TypeKind::kString), .nullable = false};
}

Resolved raise_error(std::vector<Resolved>& a, const CallContext& call) {
  return {
      .sql = raise_sql("USER_RAISED_EXCEPTION", a[0].literal, call.span),
      .type = make_type(kNull),
      .name = fmt::format("raise_error(USER_RAISED_EXCEPTION, map(errorMessage, {}))", a[0].name)};
}

/// Who runs the program.
Resolved current_user(std::vector<Resolved>&, const CallContext&) {
  const auto* entry = getpwuid(getuid());
  return {.sql = sql_string(entry ? entry->pw_name : ""), .type = make_type(kString)};
}

}  // namespace

// clang-format off
constexpr FunctionSpec kAggregates[] = {
    {.name = "any", .signature = "(expr: boolean) -> boolean", .lowering = "bool_or({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Whether one is true.", .example = "any(false)", .gives = "false"},
    {.name = "any_value", .signature = "(expr: any, [ignore_nulls: boolean]) -> any", .lower = first, .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways, .print = "any_value({0})",
     .doc = "Some value of the group.", .example = "any_value(5)", .gives = "5"},
    {.name = "approx_count_distinct", .signature = "(expr: any, [error: double]) -> long", .lowering = "approx_count_distinct({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever, .print = "approx_count_distinct({0})",
     .doc = "About how many different values.", .example = "approx_count_distinct(1)", .gives = "1"},
    {.name = "approx_percentile", .signature = "(expr: any, share: any, [accuracy: int]) -> any", .lower = approx_percentile, .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "The value at a share of the sorted group. Exact here, whatever the accuracy.", .example = "approx_percentile(10, 0.5)", .gives = "10"},
    {.name = "array_agg", .signature = "(expr: T) -> array<T>", .lowering = "coalesce(list({0}) FILTER (WHERE {0} IS NOT NULL/*and*/)/*over*/, [])", .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever, .print = "collect_list({0})",
     .doc = "The values as an array, without nulls.", .example = "array_agg(1)", .gives = "[1]"},
    {.name = "avg", .signature = "(expr: any) -> any", .lower = avg, .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "The mean; nulls are skipped.", .example = "avg(3)", .gives = "3.0"},
    {.name = "bit_and", .signature = "(expr: integral) -> integral", .lowering = "bit_and({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Bitwise and of all.", .example = "bit_and(3)", .gives = "3"},
    {.name = "bit_or", .signature = "(expr: integral) -> integral", .lowering = "bit_or({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Bitwise or of all.", .example = "bit_or(3)", .gives = "3"},
    {.name = "bit_xor", .signature = "(expr: integral) -> integral", .lowering = "bit_xor({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Bitwise exclusive or of all.", .example = "bit_xor(3)", .gives = "3"},
    {.name = "bool_and", .signature = "(expr: boolean) -> boolean", .lowering = "bool_and({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Whether all are true.", .example = "bool_and(true)", .gives = "true"},
    {.name = "bool_or", .signature = "(expr: boolean) -> boolean", .lowering = "bool_or({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Whether one is true.", .example = "bool_or(false)", .gives = "false"},
    {.name = "collect_list", .signature = "(expr: T) -> array<T>", .lowering = "coalesce(list({0}) FILTER (WHERE {0} IS NOT NULL/*and*/)/*over*/, [])", .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "The values as an array, without nulls.", .example = "collect_list(1)", .gives = "[1]"},
    {.name = "collect_set", .signature = "(expr: T) -> array<T>", .lowering = "coalesce(list(DISTINCT {0}) FILTER (WHERE {0} IS NOT NULL/*and*/)/*over*/, [])", .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "The different values as an array, in no order.", .example = "collect_set(1)", .gives = "[1]"},
    {.name = "collect_union", .signature = "(array: any) -> any", .lower = collect_union, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "The different elements of all arrays, in no order, without nulls.", .example = "collect_union(array(1))", .gives = "[1]"},
    {.name = "corr", .signature = "(y: double, x: double) -> double", .lowering = "spark_corr({0}, {1})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Pearson's correlation.", .example = "corr(1, 2)", .gives = "NULL"},
    {.name = "count", .signature = "(expr: any...) -> long", .lower = count, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "Rows whose arguments are not null; `count(*)` all rows.", .example = "count(*)", .gives = "1"},
    {.name = "count_if", .signature = "(condition: boolean) -> long", .lowering = "count(CASE WHEN {0} THEN 1 END)", .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "Rows for which the condition is true.", .example = "count_if(true)", .gives = "1"},
    {.name = "count_min_sketch", .signature = "(expr: any, error: any, confidence: any, seed: long) -> binary", .lower = count_min_sketch, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "A count-min sketch of a column, in Spark's bytes.", .example = "length(count_min_sketch(1, 0.5D, 0.5D, 1))", .gives = "60"},
    {.name = "covar_pop", .signature = "(y: double, x: double) -> double", .lowering = "spark_covar_pop({0}, {1})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Population covariance.", .example = "covar_pop(1, 2)", .gives = "0.0"},
    {.name = "covar_samp", .signature = "(y: double, x: double) -> double", .lowering = "spark_covar_samp({0}, {1})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Sample covariance.", .example = "covar_samp(1, 2)", .gives = "NULL"},
    {.name = "every", .signature = "(expr: boolean) -> boolean", .lowering = "bool_and({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Whether all are true.", .example = "every(true)", .gives = "true"},
    {.name = "first", .signature = "(expr: any, [ignore_nulls: boolean]) -> any", .lower = first, .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways, .print = "first({0})",
     .doc = "The first value of the group.", .example = "first(10)", .gives = "10"},
    {.name = "first_value", .signature = "(expr: any, [ignore_nulls: boolean]) -> any", .lower = first, .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways, .print = "first_value({0})",
     .doc = "The first value of the group.", .example = "first_value(10)", .gives = "10"},
    {.name = "histogram_numeric", .signature = "(expr: numeric, bins: int) -> any", .lower = histogram_numeric, .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Centers and heights of so many bins.", .example = "histogram_numeric(5, 2)", .gives = "[{5, 1.0}]"},
    {.name = "kurtosis", .signature = "(expr: double) -> double", .lowering = "spark_kurtosis({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Kurtosis of the population.", .example = "kurtosis(1)", .gives = "NULL"},
    {.name = "last", .signature = "(expr: any, [ignore_nulls: boolean]) -> any", .lower = last, .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways, .print = "last({0})",
     .doc = "The last value of the group.", .example = "last(10)", .gives = "10"},
    {.name = "last_value", .signature = "(expr: any, [ignore_nulls: boolean]) -> any", .lower = last, .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways, .print = "last_value({0})",
     .doc = "The last value of the group.", .example = "last_value(10)", .gives = "10"},
    {.name = "listagg", .signature = "(expr: string, [delimiter: string]) -> string", .lowering = "string_agg({0}, {1?{1}}{1!''})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways, .print = "listagg({0}, {1?{1}}{1!NULL})",
     .doc = "The strings joined.", .example = "listagg('a', ',')", .gives = "a"},
    {.name = "listagg", .signature = "(expr: binary, [delimiter: binary]) -> binary", .lowering = "unhex(string_agg(hex({0}), {1?hex({1})}{1!''})/*over*/)", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways, .print = "listagg({0}, {1?{1}}{1!NULL})"},
    {.name = "max", .signature = "(expr: T) -> T", .lowering = "max({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "The greatest value.", .example = "max(3)", .gives = "3"},
    {.name = "max_by", .signature = "(value: T, order: U) -> T", .lowering = "arg_max_null({0}, {1})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "The value beside the greatest `order`.", .example = "max_by('a', 10)", .gives = "a"},
    {.name = "max_by", .signature = "(value: T, order: U, count: int) -> array<T>", .lowering = "coalesce(arg_max({0}, {1}, {2})/*over*/, [])", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways},
    {.name = "mean", .signature = "(expr: any) -> any", .lower = avg, .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "The mean; nulls are skipped.", .example = "mean(3)", .gives = "3.0"},
    {.name = "measure", .signature = "(expr: any) -> any", .unsupported = "there are no metric views; write the aggregate itself", .kind = FunctionKind::kAggregate,
     .doc = "A measure of a metric view."},
    {.name = "median", .signature = "(expr: double) -> double", .lowering = "median({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "The median, exact.", .example = "median(3)", .gives = "3.0"},
    {.name = "min", .signature = "(expr: T) -> T", .lowering = "min({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "The least value.", .example = "min(3)", .gives = "3"},
    {.name = "min_by", .signature = "(value: T, order: U) -> T", .lowering = "arg_min_null({0}, {1})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "The value beside the least `order`.", .example = "min_by('a', 10)", .gives = "a"},
    {.name = "min_by", .signature = "(value: T, order: U, count: int) -> array<T>", .lowering = "coalesce(arg_min({0}, {1}, {2})/*over*/, [])", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways},
    {.name = "mode", .signature = "(expr: T) -> T", .lowering = "mode({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "The most frequent value.", .example = "mode(7)", .gives = "7"},
    {.name = "mode", .signature = "(expr: T, deterministic: boolean) -> T",
     .lower = least_mode, .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways},
    {.name = "percentile", .signature = "(expr: any, percentage: any) -> any", .lower = percentile, .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways, .print = "percentile({0}, {1}, 1)",
     .doc = "The exact percentile, interpolated.", .example = "percentile(10, 0.3)", .gives = "10.0"},
    {.name = "percentile", .signature = "(expr: any, percentage: any, frequency: integral) -> any", .lower = percentile_of_counts, .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways, .print = "percentile({0}, {1}, {2})"},
    {.name = "percentile_approx", .signature = "(expr: any, share: any, [accuracy: int]) -> any", .lower = approx_percentile, .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "The value at a share of the sorted group. Exact here, whatever the accuracy.", .example = "percentile_approx(10, array(0.5))", .gives = "[10]"},
    {.name = "percentile_cont", .signature = "(percentage: any) -> any", .of_resolver = true, .kind = FunctionKind::kAggregate,
     .doc = "The percentile, interpolated: `percentile_cont(p) WITHIN GROUP (ORDER BY x)`.", .example = "percentile_cont(0.5) WITHIN GROUP (ORDER BY 3)", .gives = "3.0"},
    {.name = "percentile_disc", .signature = "(percentage: any) -> any", .of_resolver = true, .kind = FunctionKind::kAggregate,
     .doc = "The first value at or above a percentile: `percentile_disc(p) WITHIN GROUP (ORDER BY x)`.", .example = "percentile_disc(0.5) WITHIN GROUP (ORDER BY 3)", .gives = "3.0"},
    {.name = "regr_avgx", .signature = "(y: double, x: double) -> double", .lowering = "regr_avgx({0}, {1})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Mean of x over the pairs without null.", .example = "regr_avgx(1, 2)", .gives = "2.0"},
    {.name = "regr_avgy", .signature = "(y: double, x: double) -> double", .lowering = "regr_avgy({0}, {1})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Mean of y over the pairs without null.", .example = "regr_avgy(1, 2)", .gives = "1.0"},
    {.name = "regr_count", .signature = "(y: double, x: double) -> long", .lowering = "regr_count({0}, {1})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "Number of pairs without null.", .example = "regr_count(1, 2)", .gives = "1"},
    {.name = "regr_intercept", .signature = "(y: double, x: double) -> double", .lowering = "spark_regr_intercept({0}, {1})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Intercept of the regression line.", .example = "regr_intercept(1, 2)", .gives = "NULL"},
    {.name = "regr_r2", .signature = "(y: double, x: double) -> double", .lowering = "spark_regr_r2({0}, {1})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Coefficient of determination.", .example = "regr_r2(1, 2)", .gives = "NULL"},
    {.name = "regr_slope", .signature = "(y: double, x: double) -> double", .lowering = "spark_regr_slope({0}, {1})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Slope of the regression line.", .example = "regr_slope(1, 2)", .gives = "NULL"},
    {.name = "regr_sxx", .signature = "(y: double, x: double) -> double", .lowering = "spark_regr_sxx({0}, {1})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Sum of squares of x around its mean.", .example = "regr_sxx(1, 2)", .gives = "0.0"},
    {.name = "regr_sxy", .signature = "(y: double, x: double) -> double", .lowering = "spark_regr_sxy({0}, {1})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Sum of products around the means.", .example = "regr_sxy(1, 2)", .gives = "0.0"},
    {.name = "regr_syy", .signature = "(y: double, x: double) -> double", .lowering = "spark_regr_syy({0}, {1})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Sum of squares of y around its mean.", .example = "regr_syy(1, 2)", .gives = "0.0"},
    {.name = "skewness", .signature = "(expr: double) -> double", .lowering = "spark_skewness({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Skewness of the population.", .example = "skewness(1)", .gives = "NULL"},
    {.name = "some", .signature = "(expr: boolean) -> boolean", .lowering = "bool_or({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Whether one is true.", .example = "some(true)", .gives = "true"},
    {.name = "std", .signature = "(expr: double) -> double", .lowering = "spark_stddev_samp({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Standard deviation of the sample.", .example = "std(1)", .gives = "NULL"},
    {.name = "stddev", .signature = "(expr: double) -> double", .lowering = "spark_stddev_samp({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Standard deviation of the sample.", .example = "stddev(1)", .gives = "NULL"},
    {.name = "stddev_pop", .signature = "(expr: double) -> double", .lowering = "spark_stddev_pop({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Standard deviation of the population.", .example = "stddev_pop(1)", .gives = "0.0"},
    {.name = "stddev_samp", .signature = "(expr: double) -> double", .lowering = "spark_stddev_samp({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Standard deviation of the sample.", .example = "stddev_samp(1)", .gives = "NULL"},
    {.name = "string_agg", .signature = "(expr: string, [delimiter: string]) -> string", .lowering = "string_agg({0}, {1?{1}}{1!''})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways, .print = "string_agg({0}, {1?{1}}{1!NULL})",
     .doc = "The strings joined.", .example = "string_agg('a', ',')", .gives = "a"},
    {.name = "string_agg", .signature = "(expr: binary, [delimiter: binary]) -> binary", .lowering = "unhex(string_agg(hex({0}), {1?hex({1})}{1!''})/*over*/)", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways, .print = "string_agg({0}, {1?{1}}{1!NULL})"},
    {.name = "sum", .signature = "(expr: any) -> any", .lower = sum, .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "The sum; nulls are skipped. Overflow is an error.", .example = "sum(5)", .gives = "5"},
    {.name = "try_avg", .signature = "(expr: any) -> any", .lower = try_avg, .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "The mean, or null where the sum overflows.", .example = "try_avg(3)", .gives = "3.0"},
    {.name = "try_sum", .signature = "(expr: any) -> any", .lower = try_sum, .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "The sum, or null where it overflows.", .example = "try_sum(5)", .gives = "5"},
    {.name = "var_pop", .signature = "(expr: double) -> double", .lowering = "spark_var_pop({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Variance of the population.", .example = "var_pop(1)", .gives = "0.0"},
    {.name = "var_samp", .signature = "(expr: double) -> double", .lowering = "spark_var_samp({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Variance of the sample.", .example = "var_samp(1)", .gives = "NULL"},
    {.name = "variance", .signature = "(expr: double) -> double", .lowering = "spark_var_samp({0})", .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "Variance of the sample.", .example = "variance(1)", .gives = "NULL"},
};

constexpr FunctionSpec kWindows[] = {
    {.name = "counter_diff", .signature = "(value: numeric, [start: any]) -> any", .lower = counter_diff, .kind = FunctionKind::kWindow, .nulls = Nulls::kAlways,
     .doc = "What a counter grew by since the row before; null where it was reset.", .example = "counter_diff(1) OVER (ORDER BY 1)", .gives = "NULL"},
    {.name = "cume_dist", .signature = "() -> double", .lowering = "cume_dist()", .kind = FunctionKind::kWindow, .nulls = Nulls::kNever,
     .doc = "Share of rows not after this one.", .example = "cume_dist() OVER (ORDER BY 1)", .gives = "1.0"},
    {.name = "dense_rank", .signature = "() -> int", .lowering = "dense_rank()", .kind = FunctionKind::kWindow, .nulls = Nulls::kNever, .print = "DENSE_RANK()",
     .doc = "Rank without gaps.", .example = "dense_rank() OVER (ORDER BY 1)", .gives = "1"},
    {.name = "lag", .signature = "(expr: any, [offset: int], [default: any], [ignore_nulls: boolean]) -> any", .lower = lag, .kind = FunctionKind::kWindow, .nulls = Nulls::kAlways,
     .doc = "The value some rows before.", .example = "lag(1) OVER (ORDER BY 1)", .gives = "NULL"},
    {.name = "lead", .signature = "(expr: any, [offset: int], [default: any], [ignore_nulls: boolean]) -> any", .lower = lead, .kind = FunctionKind::kWindow, .nulls = Nulls::kAlways,
     .doc = "The value some rows behind.", .example = "lead(1) OVER (ORDER BY 1)", .gives = "NULL"},
    {.name = "nth_value", .signature = "(expr: any, offset: int, [ignore_nulls: boolean]) -> any", .lower = nth_value, .kind = FunctionKind::kWindow, .nulls = Nulls::kAlways,
     .doc = "The value in row `offset` of the frame.", .example = "nth_value(1, 1) OVER (ORDER BY 1)", .gives = "1"},
    {.name = "ntile", .signature = "(buckets: int) -> int", .exact_numbers = true, .lower = ntile, .kind = FunctionKind::kWindow, .nulls = Nulls::kNever,
     .doc = "Which of so many equal parts the row is in.", .example = "ntile(4) OVER (ORDER BY 1)", .gives = "1"},
    {.name = "percent_rank", .signature = "() -> double", .lowering = "percent_rank()", .kind = FunctionKind::kWindow, .nulls = Nulls::kNever, .print = "PERCENT_RANK()",
     .doc = "Rank as a share.", .example = "percent_rank() OVER (ORDER BY 1)", .gives = "0.0"},
    {.name = "rank", .signature = "() -> int", .lowering = "rank()", .kind = FunctionKind::kWindow, .nulls = Nulls::kNever, .print = "RANK()",
     .doc = "Rank with gaps.", .example = "rank() OVER (ORDER BY 1)", .gives = "1"},
    {.name = "row_number", .signature = "() -> int", .lowering = "row_number()", .kind = FunctionKind::kWindow, .nulls = Nulls::kNever,
     .doc = "Number of the row, from 1.", .example = "row_number() OVER (ORDER BY 1)", .gives = "1"},
};

constexpr FunctionSpec kMiscellaneous[] = {
    {.name = "assert_true", .signature = "(condition: boolean, [message: string]) -> void", .lower = assert_true, .nulls = Nulls::kAlways,
     .doc = "An error unless the condition is true.", .example = "assert_true(0 < 1)", .gives = "NULL"},
    {.name = "crc32", .signature = "(expr: string) -> long", .lowering = "spark_crc32({0})",
     .doc = "CRC-32 checksum.", .example = "crc32('Spark')", .gives = "1557323817"},
    {.name = "current_catalog", .signature = "() -> string", .lowering = "'spark_catalog'", .nulls = Nulls::kNever,
     .doc = "The current catalog.", .example = "current_catalog()", .gives = "spark_catalog"},
    {.name = "current_database", .signature = "() -> string", .lower = current_database, .nulls = Nulls::kNever, .print = "current_schema()",
     .doc = "The current database.", .example = "current_database()", .gives = "default"},
    {.name = "current_path", .signature = "() -> string", .lower = current_path, .nulls = Nulls::kNever,
     .doc = "The schemas in which functions are looked up.", .example = "current_path()", .gives = "system.builtin,system.session,spark_catalog.default"},
    {.name = "current_schema", .signature = "() -> string", .lower = current_database, .nulls = Nulls::kNever,
     .doc = "The current database.", .example = "current_schema()", .gives = "default"},
    {.name = "current_user", .signature = "() -> string", .lower = current_user, .nulls = Nulls::kNever,
     .doc = "The user who runs the program.", .example = "current_user() = user()", .gives = "true"},
    {.name = "hash", .signature = "(expr: any...) -> int", .lower = murmur3, .nulls = Nulls::kNever,
     .doc = "32-bit Murmur3 hash of the arguments, seed 42.", .example = "hash('Spark', 123)", .gives = "1262264271"},
    {.name = "input_file_block_length", .signature = "() -> long", .of_resolver = true, .nulls = Nulls::kNever,
     .doc = "The size of the file that a row is of, -1 without one.", .example = "input_file_block_length()", .gives = "-1"},
    {.name = "input_file_block_start", .signature = "() -> long", .of_resolver = true, .nulls = Nulls::kNever,
     .doc = "0 for a row of a file, -1 without one.", .example = "input_file_block_start()", .gives = "-1"},
    {.name = "input_file_name", .signature = "() -> string", .of_resolver = true, .nulls = Nulls::kNever,
     .doc = "The URI of the file that a row is of, empty without one.", .example = "length(input_file_name())", .gives = "0"},
    {.name = "java_method", .signature = "(class: string, method: string, argument: any...) -> string", .lower = java_method, .nulls = Nulls::kAlways,
     .doc = "The result of a method of Java, of the few that are known without a JVM.", .example = "java_method('java.util.UUID', 'fromString', 'a5cf6c42-0c85-418f-af6c-3e4e5b1328f2')", .gives = "a5cf6c42-0c85-418f-af6c-3e4e5b1328f2"},
    {.name = "md5", .signature = "(expr: string) -> string", .lowering = "md5({0})",
     .doc = "MD5 checksum in hexadecimal.", .example = "md5('Spark')", .gives = "8cde774d6f7333752ed72cacddb05126"},
    {.name = "md5", .signature = "(bytes: binary) -> string", .lowering = "md5({0})"},
    {.name = "monotonically_increasing_id", .signature = "() -> long", .lowering = "(row_number() OVER () - 1)", .nulls = Nulls::kNever,
     .doc = "A number that grows from row to row.", .example = "monotonically_increasing_id()", .gives = "0"},
    {.name = "python_worker_logs", .signature = "() -> any", .unsupported = "what workers print goes to standard error, no table of it is kept",
     .doc = "The log of Python workers."},
    {.name = "raise_error", .signature = "(message: string) -> void", .lower = raise_error, .nulls = Nulls::kAlways,
     .doc = "An error of that message.", .example = "coalesce(1, raise_error('never'))", .gives = "1"},
    {.name = "rand", .signature = "([seed: long]) -> double", .lowering = "random()", .nulls = Nulls::kNever,
     .doc = "A random number from 0 to 1. With a seed, Spark's number for the row of that place in one partition.", .example = "rand() < 1", .gives = "true"},
    {.name = "random", .signature = "([seed: long]) -> double", .of_resolver = true,
     .doc = "A random number from 0 to 1, as `rand`.", .example = "random() < 1", .gives = "true"},
    {.name = "randstr", .signature = "(length: int, [seed: long]) -> string", .of_resolver = true,
     .doc = "Random letters and digits. With a seed, Spark's for the row of that place in one partition.", .example = "randstr(3, 0)", .gives = "ceV"},
    {.name = "reflect", .signature = "(class: string, method: string, argument: any...) -> string", .lower = java_method, .nulls = Nulls::kAlways,
     .doc = "The result of a method of Java, of the few that are known without a JVM.", .example = "reflect('java.util.UUID', 'fromString', 'a5cf6c42-0c85-418f-af6c-3e4e5b1328f2')", .gives = "a5cf6c42-0c85-418f-af6c-3e4e5b1328f2"},
    {.name = "session_user", .signature = "() -> string", .lower = current_user, .nulls = Nulls::kNever,
     .doc = "The user who runs the program.", .example = "session_user() = user()", .gives = "true"},
    {.name = "sha", .signature = "(expr: binary) -> string", .lowering = "sha1({0})",
     .doc = "SHA-1 checksum in hexadecimal.", .example = "sha('Spark')", .gives = "85f5955f4b27a9a4c2aab6ffe5d7189fc298b92c"},
    {.name = "sha1", .signature = "(expr: binary) -> string", .lowering = "sha1({0})",
     .doc = "SHA-1 checksum in hexadecimal.", .example = "sha1('Spark')", .gives = "85f5955f4b27a9a4c2aab6ffe5d7189fc298b92c"},
    {.name = "sha2", .signature = "(expr: binary, bits: int) -> string", .lowering = "spark_sha2({0}, {1})", .nulls = Nulls::kAlways,
     .doc = "SHA-2 checksum of 224, 256 (or 0), 384 or 512 bits in hexadecimal.", .example = "sha2('Spark', 256)", .gives = "529bc3b07127ecb7e53a4dcf1991d9152c24537d919178022b2c42657f79a26b"},
    {.name = "spark_partition_id", .signature = "() -> int", .lowering = "0", .nulls = Nulls::kNever, .print = "SPARK_PARTITION_ID()",
     .doc = "The partition: always 0, since rows are on one machine.", .example = "spark_partition_id()", .gives = "0"},
    {.name = "sql_keywords", .signature = "() -> any", .unsupported = "Spark's documentation lists the keywords",
     .doc = "The keywords of SQL, as a table."},
    {.name = "try_reflect", .signature = "(class: string, method: string, argument: any...) -> string", .lower = java_method, .nulls = Nulls::kAlways,
     .doc = "The result of a method of Java, of the few that are known without a JVM.", .example = "try_reflect('java.net.URLDecoder', 'decode', '%')", .gives = "NULL"},
    {.name = "typeof", .signature = "(expr: any) -> string", .lower = [](std::vector<Resolved>& a, const CallContext&) {
       return Resolved{.sql = sql_string(a[0].type.simple_string()), .type = make_type(kString), .nullable = false};
     }, .nulls = Nulls::kNever,
     .doc = "The type's name.", .example = "typeof(array(1))", .gives = "array<int>"},
    {.name = "uniform", .signature = "(min: numeric, max: numeric, [seed: long]) -> any", .of_resolver = true,
     .doc = "A random number of a range. With a seed, Spark's for the row of that place in one partition.", .example = "uniform(10, 20, 0)", .gives = "17"},
    {.name = "user", .signature = "() -> string", .lower = current_user, .nulls = Nulls::kNever,
     .doc = "The user who runs the program.", .example = "user() = current_user()", .gives = "true"},
    {.name = "uuid", .signature = "() -> string", .lowering = "CAST(gen_random_uuid() AS VARCHAR)", .nulls = Nulls::kNever,
     .doc = "A random UUID.", .example = "length(uuid())", .gives = "36"},
    {.name = "version", .signature = "() -> string", .lowering = "'4.3.0 firesteel'", .nulls = Nulls::kNever,
     .doc = "The version of Spark whose answers these are.", .example = "substring(version(), 1, 5)", .gives = "4.3.0"},
    {.name = "xxhash64", .signature = "(expr: any...) -> long", .lower = xxhash64, .nulls = Nulls::kNever,
     .doc = "64-bit xxHash of the arguments, seed 42.", .example = "xxhash64('Spark', 123)", .gives = "-7770970918500510695"},
};
// clang-format on
static_assert(checked(kAggregates) && checked(kWindows) && checked(kMiscellaneous));

std::span<const FunctionSpec> aggregate_rows() { return kAggregates; }
std::span<const FunctionSpec> window_rows() { return kWindows; }
std::span<const FunctionSpec> miscellaneous_rows() { return kMiscellaneous; }

}  // namespace firesteel
