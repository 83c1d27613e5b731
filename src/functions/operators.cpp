// Operators and conditionals: arithmetic with Spark's ANSI checks, comparison, logic, CASE.
#include <fmt/format.h>

#include "functions/coercion.h"
#include "functions/groups.h"

namespace firesteel {

namespace {

using enum TypeKind;

/// As Spark writes it within an expression.
std::string_view operator_text(std::string_view name) {
  if (name == "and") return "AND";
  if (name == "or") return "OR";
  return name == "==" ? "=" : name;
}

[[noreturn]] void differing_types(const std::vector<Resolved>& arguments, const CallContext& call) {
  throw Error(
      "DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES",
      fmt::format("Cannot resolve \"({0} {2} {1})\" due to data type mismatch: the left and "
                  "right operands of the binary operator have incompatible types (\"{3}\" "
                  "and \"{4}\").",
                  arguments[0].name, arguments[1].name, operator_text(call.name),
                  arguments[0].type.sql(), arguments[1].type.sql()))
      .at(call.span);
}

[[noreturn]] void wrong_type(const std::vector<Resolved>& arguments, const CallContext& call,
                             std::string_view wanted) {
  throw Error(
      "DATATYPE_MISMATCH.BINARY_OP_WRONG_TYPE",
      fmt::format("Cannot resolve \"({0} {2} {1})\" due to data type mismatch: the binary operator "
                  "requires the input type \"{4}\", not \"{3}\".",
                  arguments[0].name, arguments[1].name, operator_text(call.name),
                  arguments[0].type.sql(), wanted))
      .at(call.span);
}

/// Both of one type, but not of one the operator takes; or of two types.
[[noreturn]] void refuse(const std::vector<Resolved>& arguments, const CallContext& call,
                         std::string_view wanted) {
  if (arguments[0].type == arguments[1].type) wrong_type(arguments, call, wanted);
  differing_types(arguments, call);
}

bool either(const std::vector<Resolved>& a, TypeKind kind) {
  return a[0].type.kind == kind || a[1].type.kind == kind;
}

bool is_interval(const DataType& type) {
  return type.kind == kDayTimeInterval || type.kind == kYearMonthInterval;
}

/// Both operands in their common numeric type; decimals keep their own precision.
DataType unify_numbers(std::vector<Resolved>& a, const CallContext& call) {
  auto common = common_type(a[0].type, a[1].type);
  if (common && common->kind == kNull) common = make_type(kDouble);
  if (!common || !common->is_numeric()) refuse(a, call, "NUMERIC");
  for (auto& value : a) {
    if (common->kind != kDecimal) {
      value = coerce(value, *common, call.time_zone);
    } else if (value.type.kind != kDecimal) {
      value = coerce(value, decimal_for(value), call.time_zone);
    }
  }
  return *common;
}

Resolved made(std::string sql, DataType type, const std::vector<Resolved>& a, bool exact = true) {
  bool nullable = false;
  for (const auto& value : a) nullable = nullable || value.nullable;
  return {.sql = std::move(sql), .type = std::move(type), .nullable = nullable, .exact = exact};
}

std::string guard_zero(const Resolved& divisor, const std::string& sql, const CallContext& call) {
  if (!divisor.literal.empty() && divisor.literal.find_first_of("123456789") != std::string::npos) {
    return sql;
  }
  return fmt::format("CASE WHEN {} = 0 THEN {} ELSE {} END", divisor.sql,
                     raise_sql("DIVIDE_BY_ZERO",
                               "Division by zero. Use `try_divide` to tolerate divisor being 0 and "
                               "return NULL instead.",
                               call.span),
                     sql);
}

/// A moment plus or minus an interval.
Resolved shift(const Resolved& moment, const Resolved& interval, std::string_view op,
               const CallContext& call) {
  const std::string sql = fmt::format("({} {} {})", moment.sql, op, interval.sql);
  const bool days = interval.type.kind == kDayTimeInterval && interval.type.end_field == 0;
  Resolved result;
  if (moment.type.kind == kDate && (days || interval.type.kind == kYearMonthInterval)) {
    result = made(fmt::format("CAST({} AS DATE)", sql), make_type(kDate), {moment, interval});
  } else if (moment.type.kind == kDate) {
    result = shift(coerce(moment, make_type(kTimestamp), call.time_zone), interval, op, call);
  } else if (moment.type.kind == kTimestamp && call.time_zone != "UTC") {
    // Months and whole days are those of the session's calendar, the rest is exact time.
    const bool months = interval.type.kind == kYearMonthInterval;
    const auto micros = fmt::format("({}epoch_us({}))", op == "-" ? "- " : "", interval.sql);
    auto local = cast(moment, make_type(kTimestampNtz), call.time_zone);
    local.sql = months ? fmt::format("({} {} {})", local.sql, op, interval.sql)
                       : fmt::format("({} + to_days(CAST({} // 86400000000 AS INTEGER)))",
                                     local.sql, micros);
    auto shifted = cast(local, make_type(kTimestamp), call.time_zone).sql;
    if (!months) shifted = fmt::format("({} + to_microseconds({} % 86400000000))", shifted, micros);
    result = made(shifted, moment.type, {moment, interval});
  } else {
    result = made(sql, moment.type, {moment, interval});
  }
  result.name = fmt::format("{} {} {}", moment.name, op, interval.name);
  if (moment.type.kind == kDate && days) {
    result.name =
        fmt::format(fmt::runtime(op == "-" ? "date_add({}, (- extractansiintervaldays({})))"
                                           : "date_add({}, extractansiintervaldays({}))"),
                    moment.name, interval.name);
  }
  return result;
}

/// A moment plus or minus a calendar interval: its months and days are those of the session's
/// calendar, the rest is exact time.
Resolved shift_calendar(const Resolved& moment, const Resolved& interval, std::string_view op,
                        const CallContext& call) {
  const auto by = op == "-" ? fmt::format("(- {})", interval.sql) : interval.sql;
  Resolved result;
  if (moment.type.kind == kDate) {
    const auto wrong =
        raise_sql("INVALID_INTERVAL_WITH_MICROSECONDS_ADDITION",
                  "Cannot add an interval to a date because its microseconds part is "
                  "not 0. To resolve this, cast the input date to a timestamp.",
                  call.span);
    result =
        made(fmt::format("CASE WHEN spark_calendar_part({0}, 2) <> 0 THEN {1} ELSE CAST({2} + {0} "
                         "AS DATE) END",
                         by, wrong, moment.sql),
             moment.type, {moment, interval});
  } else {
    auto local = cast(moment, make_type(kTimestampNtz), call.time_zone);
    local.sql = fmt::format(
        "({0} + to_months(CAST(spark_calendar_part({1}, 0) AS INTEGER)) + "
        "to_days(CAST(spark_calendar_part({1}, 1) AS INTEGER)))",
        local.sql, by);
    const auto shifted = cast(local, moment.type, call.time_zone).sql;
    result = made(fmt::format("({} + to_microseconds(spark_calendar_part({}, 2)))", shifted, by),
                  moment.type, {moment, interval});
  }
  result.name = fmt::format("{} {} {}", moment.name, op, interval.name);
  return result;
}

/// A time of day plus or minus an interval; it does not go on at midnight.
Resolved shift_time(const Resolved& time, const Resolved& interval, std::string_view op,
                    const CallContext& call) {
  const auto micros = fmt::format("(epoch_us({}) {} epoch_us({}))", time.sql, op, interval.sql);
  auto result = made(
      fmt::format("CASE WHEN {0} BETWEEN 0 AND 86399999999 THEN {1} WHEN {0} IS NOT NULL "
                  "THEN {2} END",
                  micros, time_sql(micros),
                  raise_sql("DATETIME_OVERFLOW",
                            "Datetime operation overflow: the time leaves its day.", call.span)),
      make_type(kTime), {time, interval});
  result.name = fmt::format("{} {} {}", time.name, op, interval.name);
  return result;
}

/// multiply_interval and divide_interval, of a calendar interval.
Resolved scaled_calendar(const Resolved& interval, const Resolved& number, const char* operation,
                         const CallContext& call) {
  const auto by = coerce(number, make_type(kDouble), call.time_zone);
  auto result = made(fmt::format("spark_calendar_{}({}, {})", operation, interval.sql, by.sql),
                     interval.type, {interval, number});
  result.name = fmt::format("{}_interval({}, {})", operation, interval.name, number.name);
  return result;
}

bool is_calendar(const Resolved& value) { return value.type.kind == kCalendarInterval; }

/// A date plus or minus a number of days.
Resolved shift_days(const Resolved& date, const Resolved& days, std::string_view op) {
  auto result = made(fmt::format("({} {} CAST({} AS INTEGER))", date.sql, op, days.sql), date.type,
                     {date, days});
  result.name =
      fmt::format("{}({}, {})", op == "+" ? "date_add" : "date_sub", date.name, days.name);
  return result;
}

[[noreturn]] void not_days(const Resolved& date, const Resolved& days, const CallContext& call) {
  throw Error(
      "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
      fmt::format(
          "Cannot resolve \"date_add({0}, {1})\" due to data type mismatch: The second parameter "
          "requires the "
          "(\"INT\" or \"SMALLINT\" or \"TINYINT\") type, however \"{1}\" has the type \"{2}\".",
          date.name, days.name, days.type.sql()))
      .at(call.span);
}

/// An interval times or divided by a number, given as the SQL of its microseconds or months.
Resolved scaled(const Resolved& interval, const std::string& amount,
                const std::vector<Resolved>& a) {
  const bool months = interval.type.kind == kYearMonthInterval;
  DataType type = make_type(interval.type.kind);
  type.end_field = months ? 1 : 3;
  return made(fmt::format(fmt::runtime(months ? "to_months(CAST({} AS INTEGER))"
                                              : "to_microseconds(CAST({} AS BIGINT))"),
                          amount),
              type, a);
}

std::string amount_of(const Resolved& interval) {
  return interval.type.kind == kYearMonthInterval
             ? fmt::format("(date_part('year', {0}) * 12 + date_part('month', {0}))", interval.sql)
             : fmt::format("epoch_us({})", interval.sql);
}

Resolved add(std::vector<Resolved>& a, const CallContext& call) {
  for (int i : {0, 1}) {
    if (is_calendar(a[i]) && a[1 - i].type.is_datetime())
      return shift_calendar(a[1 - i], a[i], "+", call);
    if (a[i].type.kind == kTime && a[1 - i].type.kind == kDayTimeInterval)
      return shift_time(a[i], a[1 - i], "+", call);
  }
  if (is_calendar(a[0]) && is_calendar(a[1]))
    return made(fmt::format("({} + {})", a[0].sql, a[1].sql), a[0].type, a);
  if (is_interval(a[1].type) && a[0].type.is_datetime()) return shift(a[0], a[1], "+", call);
  if (is_interval(a[0].type) && a[1].type.is_datetime()) return shift(a[1], a[0], "+", call);
  for (int i : {0, 1}) {
    if (a[i].type.kind != kDate || a[1 - i].is_null()) continue;
    if (!a[1 - i].type.is_integral()) not_days(a[i], a[1 - i], call);
    return shift_days(a[i], a[1 - i], "+");
  }
  if (is_interval(a[0].type) && is_interval(a[1].type)) {
    const auto common = common_type(a[0].type, a[1].type);
    if (!common) differing_types(a, call);
    return made(fmt::format("({} + {})", a[0].sql, a[1].sql), *common, a);
  }
  const auto common = unify_numbers(a, call);
  const std::string text = fmt::format("({} + {})", a[0].sql, a[1].sql);
  if (common.kind != kDecimal) return made(text, common, a);
  const int scale = std::max(a[0].type.scale, a[1].type.scale);
  const int range =
      std::max(a[0].type.precision - a[0].type.scale, a[1].type.precision - a[1].type.scale);
  return made(text, bounded_decimal(range + scale + 1, scale), a, false);
}

Resolved subtract(std::vector<Resolved>& a, const CallContext& call) {
  if (a[0].type.kind == kTime && a[1].type.kind == kDayTimeInterval)
    return shift_time(a[0], a[1], "-", call);
  if (a[0].type.kind == kTime && a[1].type.kind == kTime) {
    DataType hours = make_type(kDayTimeInterval);
    hours.start_field = 1;
    auto result = made(
        fmt::format("to_microseconds(epoch_us({}) - epoch_us({}))", a[0].sql, a[1].sql), hours, a);
    result.name = fmt::format("{} - {}", a[0].name, a[1].name);
    return result;
  }
  if (is_calendar(a[1]) && a[0].type.is_datetime()) return shift_calendar(a[0], a[1], "-", call);
  if (is_calendar(a[0]) && is_calendar(a[1]))
    return made(fmt::format("({} - {})", a[0].sql, a[1].sql), a[0].type, a);
  if (is_interval(a[1].type) && a[0].type.is_datetime()) return shift(a[0], a[1], "-", call);
  if (a[0].type.kind == kDate && a[1].type.is_integral()) return shift_days(a[0], a[1], "-");
  if (is_interval(a[0].type) && is_interval(a[1].type)) {
    const auto common = common_type(a[0].type, a[1].type);
    if (!common) differing_types(a, call);
    return made(fmt::format("({} - {})", a[0].sql, a[1].sql), *common, a);
  }
  for (int i : {0, 1}) {  // text beside a moment is one
    if (a[i].type.kind == kString && a[1 - i].type.is_datetime())
      a[i] = coerce(a[i], a[1 - i].type, call.time_zone);
  }
  if (a[0].type.kind == kDate && a[1].type.kind == kDate) {
    DataType days = make_type(kDayTimeInterval);
    days.end_field = 0;
    return made(fmt::format("to_days(CAST({} - {} AS INTEGER))", a[0].sql, a[1].sql), days, a);
  }
  if (a[0].type.is_datetime() && a[1].type.is_datetime()) {
    for (auto& value : a) value = coerce(value, make_type(kTimestamp), call.time_zone);
    return made(fmt::format("to_microseconds(epoch_us({}) - epoch_us({}))", a[0].sql, a[1].sql),
                make_type(kDayTimeInterval), a);
  }
  const auto common = unify_numbers(a, call);
  const std::string text = fmt::format("({} - {})", a[0].sql, a[1].sql);
  if (common.kind != kDecimal) return made(text, common, a);
  const int scale = std::max(a[0].type.scale, a[1].type.scale);
  const int range =
      std::max(a[0].type.precision - a[0].type.scale, a[1].type.precision - a[1].type.scale);
  return made(text, bounded_decimal(range + scale + 1, scale), a, false);
}

Resolved multiply(std::vector<Resolved>& a, const CallContext& call) {
  for (int i : {0, 1}) {
    if (is_calendar(a[i]) && a[1 - i].type.is_numeric())
      return scaled_calendar(a[i], a[1 - i], "multiply", call);
    if (is_interval(a[i].type) && a[1 - i].type.kind == kString)
      a[1 - i] = coerce(a[1 - i], make_type(kDouble), call.time_zone);
    if (is_interval(a[i].type) && a[1 - i].type.is_numeric()) {
      const auto product = fmt::format("{} * {}", amount_of(a[i]), a[1 - i].sql);
      return scaled(a[i], a[1 - i].type.is_integral() ? product : fmt::format("round({})", product),
                    a);
    }
  }
  const auto common = unify_numbers(a, call);
  const std::string text = fmt::format("({} * {})", a[0].sql, a[1].sql);
  if (common.kind != kDecimal) return made(text, common, a);
  const auto type = bounded_decimal(a[0].type.precision + a[1].type.precision + 1,
                                    a[0].type.scale + a[1].type.scale);
  return made(text, type, a, false);
}

Resolved divide(std::vector<Resolved>& a, const CallContext& call) {
  if (is_calendar(a[0]) && a[1].type.is_numeric()) {
    auto result = scaled_calendar(a[0], a[1], "divide", call);
    const auto zero = raise_sql(
        "INTERVAL_DIVIDED_BY_ZERO",
        "Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead.",
        call.span);
    result.sql = fmt::format("CASE WHEN {} = 0 THEN {} ELSE {} END", a[1].sql, zero, result.sql);
    return result;
  }
  if (is_interval(a[0].type) && a[1].type.kind == kString)
    a[1] = coerce(a[1], make_type(kDouble), call.time_zone);
  if (is_interval(a[0].type) && a[1].type.is_numeric()) {
    const auto zero = raise_sql(
        "INTERVAL_DIVIDED_BY_ZERO",
        "Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead.",
        call.span);
    return scaled(
        a[0],
        fmt::format("CASE WHEN {1} = 0 THEN {2} ELSE round({0} / CAST({1} AS DOUBLE)) END",
                    amount_of(a[0]), a[1].sql, zero),
        a);
  }
  if (either(a, kDecimal) && !either(a, kDouble) && !either(a, kFloat) && !either(a, kString)) {
    unify_numbers(a, call);
    const auto &x = a[0].type, &y = a[1].type;
    const int scale = std::max(6, x.scale + y.precision + 1);
    const auto type = bounded_decimal(x.precision - x.scale + y.scale + scale, scale);
    const auto sql = fmt::format("spark_decimal_divide({}, {}, CAST(0 AS {}))", a[0].sql, a[1].sql,
                                 duckdb_type(type));
    return made(guard_zero(a[1], sql, call), type, a, false);
  }
  for (auto& value : a) {
    if (!value.type.is_numeric() && value.type.kind != kString && !value.is_null()) {
      differing_types(a, call);
    }
    value = coerce(value, make_type(kDouble), call.time_zone);
  }
  return made(guard_zero(a[1], fmt::format("({} / {})", a[0].sql, a[1].sql), call),
              make_type(kDouble), a);
}

Resolved integral_divide(std::vector<Resolved>& a, const CallContext& call) {
  if (a[0].type.is_fractional() || a[1].type.is_fractional())
    refuse(a, call, "(\"BIGINT\" or \"DECIMAL\")");
  const auto common = unify_numbers(a, call);
  auto quotient = fmt::format("CAST(({} // {}) AS BIGINT)", a[0].sql, a[1].sql);
  if (common.kind == kDecimal) {  // DuckDB's // of decimals rounds
    quotient = fmt::format(
        "CAST(spark_decimal_divide({0} - {0} % {1}, {1}, CAST(0 AS DECIMAL(38,0))) AS BIGINT)",
        a[0].sql, a[1].sql);
  }
  return made(guard_zero(a[1], quotient, call), make_type(kLong), a);
}

Resolved remainder(std::vector<Resolved>& a, const CallContext& call) {
  const auto common = unify_numbers(a, call);
  const std::string zero = raise_sql("REMAINDER_BY_ZERO",
                                     "Remainder by zero. Use `try_mod` to tolerate divisor being 0 "
                                     "and return NULL instead.",
                                     call.span);
  std::string sql = fmt::format("({} % {})", a[0].sql, a[1].sql);
  if (a[1].literal.empty() || a[1].literal == "0") {
    sql = fmt::format("CASE WHEN {} = 0 THEN {} ELSE {} END", a[1].sql, zero, sql);
  }
  if (common.kind != kDecimal) return made(sql, common, a);
  const auto &x = a[0].type, &y = a[1].type;
  const int scale = std::max(x.scale, y.scale);
  return made(
      sql, bounded_decimal(std::min(x.precision - x.scale, y.precision - y.scale) + scale, scale),
      a, false);
}

Resolved positive_modulus(std::vector<Resolved>& a, const CallContext& call) {
  const auto common = unify_numbers(a, call);
  return made(fmt::format("CASE WHEN {0} % {1} < 0 THEN ({0} % {1} + {1}) % {1} ELSE {0} % {1} END",
                          a[0].sql, a[1].sql),
              common, a, common.kind != kDecimal);
}

template <typename Make>
Resolved compare(std::vector<Resolved>& a, const CallContext& call, Make make) {
  const auto common = common_type(a[0].type, a[1].type);
  if (!common || (common->kind == kMap)) differing_types(a, call);
  if (common->kind == kVariant) {
    throw Error("DATATYPE_MISMATCH.INVALID_ORDERING_TYPE",
                fmt::format("The `{}` does not support ordering on type \"VARIANT\".", call.name))
        .at(call.span);
  }
  if (common->kind == kCalendarInterval) {
    throw Error("DATATYPE_MISMATCH.INVALID_ORDERING_TYPE",
                fmt::format("Cannot resolve \"({0} {2} {1})\" due to data type mismatch: the `{2}` "
                            "does not support ordering on type \"INTERVAL\".",
                            a[0].name, a[1].name, call.name))
        .at(call.span);
  }
  if (!(common->kind == kDecimal)) {  // DuckDB compares decimals of any precision
    for (auto& value : a) {
      if (value.type != *common) value = coerce(value, *common, call.time_zone);
    }
  }
  return made(make(a[0].sql, a[1].sql), make_type(kBoolean), a);
}

#define COMPARISON(function, op)                                                    \
  Resolved function(std::vector<Resolved>& a, const CallContext& call) {            \
    return compare(a, call, [](const std::string& left, const std::string& right) { \
      return fmt::format("({} " op " {})", left, right);                            \
    });                                                                             \
  }
COMPARISON(equal, "=")
COMPARISON(less, "<")
COMPARISON(less_or_equal, "<=")
COMPARISON(greater, ">")
COMPARISON(greater_or_equal, ">=")
#undef COMPARISON

Resolved null_safe_equal(std::vector<Resolved>& a, const CallContext& call) {
  auto result = compare(a, call, [](const std::string& left, const std::string& right) {
    return fmt::format("({} IS NOT DISTINCT FROM {})", left, right);
  });
  result.nullable = false;
  return result;
}

/// All arguments in one type, or an error that names the function.
DataType unify(std::vector<Resolved>& a, size_t first, size_t step, const CallContext& call) {
  DataType common = make_type(kNull);
  for (size_t i = first; i < a.size(); i += step) {
    const auto wider = common_type(common, a[i].type);
    if (!wider) {
      throw Error(
          "DATATYPE_MISMATCH.DATA_DIFF_TYPES",
          fmt::format("Cannot resolve \"{}\" due to data type mismatch: Input to `{}` should "
                      "all be the same type, but it's [\"{}\", \"{}\"].",
                      call.name, call.name, common.sql(), a[i].type.sql()))
          .at(call.span);
    }
    common = *wider;
  }
  for (size_t i = first; i < a.size(); i += step) {
    if (common.kind != kNull) a[i] = coerce(a[i], common, call.time_zone);
  }
  return common;
}

std::string joined(const std::vector<Resolved>& a, size_t first = 0) {
  std::string out;
  for (size_t i = first; i < a.size(); ++i) out += (out.empty() ? "" : ", ") + a[i].sql;
  return out;
}

Resolved in_list(std::vector<Resolved>& a, const CallContext& call) {
  std::string names;
  for (size_t i = 1; i < a.size(); ++i) names += (i > 1 ? ", " : "") + a[i].name;
  const std::string name = fmt::format("({} IN ({}))", a[0].name, names);
  unify(a, 0, 1, call);
  auto result = made(fmt::format("({} IN ({}))", a[0].sql, joined(a, 1)), make_type(kBoolean), a);
  result.name = name;
  return result;
}

Resolved between(std::vector<Resolved>& a, const CallContext& call) {
  unify(a, 0, 1, call);
  return made(fmt::format("({} BETWEEN {} AND {})", a[0].sql, a[1].sql, a[2].sql),
              make_type(kBoolean), a);
}

Resolved coalesce(std::vector<Resolved>& a, const CallContext& call) {
  const auto type = unify(a, 0, 1, call);
  auto result = made(fmt::format("coalesce({})", joined(a)), type, a);
  result.nullable = true;
  for (const auto& value : a) result.nullable = result.nullable && value.nullable;
  return result;
}

Resolved nullif(std::vector<Resolved>& a, const CallContext& call) {
  const DataType type = a[0].type;
  unify(a, 0, 1, call);
  auto result = made(fmt::format("nullif({}, {})", a[0].sql, a[1].sql), a[0].type, a);
  result.nullable = true;
  return type == result.type ? result : coerce(result, type, call.time_zone);
}

/// when(c1, v1, …[, else])
Resolved case_when(std::vector<Resolved>& a, const CallContext& call) {
  std::string name = "CASE";
  for (size_t i = 0; i + 1 < a.size(); i += 2) {
    name += fmt::format(" WHEN {} THEN {}", a[i].name, a[i + 1].name);
  }
  const bool has_else = a.size() % 2 == 1;
  if (has_else) name += fmt::format(" ELSE {}", a.back().name);
  std::vector<Resolved> values;
  for (size_t i = 1; i < a.size(); i += 2) values.push_back(a[i]);
  if (has_else) values.push_back(a.back());
  const auto type = unify(values, 0, 1, call);
  std::string sql = "CASE";
  for (size_t i = 0; i + 1 < a.size(); i += 2) {
    if (a[i].type.kind != kBoolean) {
      throw Error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                  fmt::format("Cannot resolve \"{} END\" due to data type mismatch: The condition "
                              "requires the \"BOOLEAN\" type, however \"{}\" has the type \"{}\".",
                              name, a[i].name, a[i].type.sql()))
          .at(call.span);
    }
    sql += fmt::format(" WHEN {} THEN {}", a[i].sql, values[i / 2].sql);
  }
  if (has_else) sql += " ELSE " + values.back().sql;
  auto result = made("(" + sql + " END)", type, values);
  if (!has_else) result.nullable = true;
  result.name = name + " END";
  return result;
}

Resolved if_else(std::vector<Resolved>& a, const CallContext& call) {
  const std::string name = fmt::format("(IF({}, {}, {}))", a[0].name, a[1].name, a[2].name);
  auto result = case_when(a, call);
  result.name = name;
  return result;
}

Resolved negative(std::vector<Resolved>& a, const CallContext& call) {
  if (a[0].type.kind == kString || a[0].is_null())
    a[0] = coerce(a[0], make_type(kDouble), call.time_zone);
  if (!a[0].type.is_numeric() && !is_interval(a[0].type) && !is_calendar(a[0])) {
    throw Error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                fmt::format("Cannot resolve \"(- {0})\" due to data type mismatch: The first "
                            "parameter requires the (\"NUMERIC\" or "
                            "\"INTERVAL\") type, however \"{0}\" has the type \"{1}\".",
                            a[0].name, a[0].type.sql()))
        .at(call.span);
  }
  auto result = made(fmt::format("(- {})", a[0].sql), a[0].type, a, a[0].exact);
  if (!a[0].literal.empty() && a[0].literal != "NULL") result.literal = "-" + a[0].literal;
  return result;
}

Resolved logical(std::vector<Resolved>& a, const CallContext& call, const char* word) {
  for (auto& value : a) {
    const bool given = value.type.kind == kBoolean || value.is_null() || value.type.kind == kString;
    if (!given) refuse(a, call, "BOOLEAN");
    value = coerce(value, make_type(kBoolean), call.time_zone);
  }
  return made(fmt::format("({} {} {})", a[0].sql, word, a[1].sql), make_type(kBoolean), a);
}
Resolved and_of(std::vector<Resolved>& a, const CallContext& call) {
  return logical(a, call, "AND");
}
Resolved or_of(std::vector<Resolved>& a, const CallContext& call) { return logical(a, call, "OR"); }

Resolved bitwise(std::vector<Resolved>& a, const CallContext& call, const char* pattern) {
  const auto common = common_type(a[0].type, a[1].type);
  if (!common || !(common->is_integral() || common->kind == kNull)) refuse(a, call, "INTEGRAL");
  const auto type = common->kind == kNull ? make_type(kInteger) : *common;
  for (auto& value : a) value = coerce(value, type, call.time_zone);
  return made(fmt::format(fmt::runtime(pattern), a[0].sql, a[1].sql), type, a);
}
Resolved bit_and(std::vector<Resolved>& a, const CallContext& call) {
  return bitwise(a, call, "({} & {})");
}
Resolved bit_or(std::vector<Resolved>& a, const CallContext& call) {
  return bitwise(a, call, "({} | {})");
}
Resolved bit_xor(std::vector<Resolved>& a, const CallContext& call) {
  return bitwise(a, call, "xor({}, {})");
}

Resolved zero_if_null(std::vector<Resolved>& a, const CallContext& call) {
  const auto name = fmt::format("zeroifnull({})", a[0].name);
  a.push_back(
      {.sql = "0", .type = make_type(kInteger), .nullable = false, .literal = "0", .name = "0"});
  auto result = coalesce(a, call);
  result.name = name;
  return result;
}

Resolved extremum(std::vector<Resolved>& a, const CallContext& call, const char* function) {
  const auto type = unify(a, 0, 1, call);
  auto result = made(fmt::format("{}({})", function, joined(a)), type, a);
  result.nullable = true;
  for (const auto& value : a) result.nullable = result.nullable && value.nullable;
  return result;
}
Resolved greatest(std::vector<Resolved>& a, const CallContext& call) {
  return extremum(a, call, "greatest");
}
Resolved least(std::vector<Resolved>& a, const CallContext& call) {
  return extremum(a, call, "least");
}

/// The operator's result, or null where it raises an error.
Resolved tried(Resolved result) {
  result.sql = fmt::format("TRY(CAST({} AS {}))", result.sql, duckdb_type(result.type));
  result.nullable = result.exact = true;
  result.name.clear();
  return result;
}

Resolved try_divide(std::vector<Resolved>& a, const CallContext& call) {
  if (is_calendar(a[0]) || is_interval(a[0].type)) {
    a[1].sql = fmt::format("nullif({}, 0)", a[1].sql);
    auto result = divide(a, call);
    result.name.clear();
    return result;
  }
  if (either(a, kDecimal)) return tried(divide(a, call));
  for (auto& value : a) value = coerce(value, make_type(kDouble), call.time_zone);
  auto result =
      made(fmt::format("({} / nullif({}, 0))", a[0].sql, a[1].sql), make_type(kDouble), a);
  result.nullable = true;
  return result;
}
Resolved try_sum(std::vector<Resolved>& a, const CallContext& call) { return tried(add(a, call)); }
Resolved try_difference(std::vector<Resolved>& a, const CallContext& call) {
  return tried(subtract(a, call));
}
Resolved try_product(std::vector<Resolved>& a, const CallContext& call) {
  return tried(multiply(a, call));
}
Resolved try_remainder(std::vector<Resolved>& a, const CallContext& call) {
  const auto common = unify_numbers(a, call);
  return tried(made(fmt::format("({} % nullif({}, 0))", a[0].sql, a[1].sql), common, a));
}

}  // namespace

// clang-format off
constexpr FunctionSpec kOperators[] = {
    {.name = "!", .signature = "(expr: boolean) -> boolean", .lowering = "(NOT {0})", .print = "(NOT {0})",
     .doc = "Logical not.", .example = "!true", .gives = "false"},
    {.name = "!=", .signature = "(left: any, right: any) -> boolean", .of_resolver = true,
     .doc = "Not equal.", .example = "1 != 2", .gives = "true"},
    {.name = "%", .signature = "(left: any, right: any) -> any", .lower = remainder, .nulls = Nulls::kAlways, .print = "({0} % {1})",
     .doc = "Remainder; the sign is the dividend's.", .example = "-7 % 3", .gives = "-1"},
    {.name = "&", .signature = "(left: any, right: any) -> any", .lower = bit_and, .print = "({0} & {1})",
     .doc = "Bitwise and.", .example = "12 & 10", .gives = "8"},
    {.name = "*", .signature = "(left: any, right: any) -> any", .lower = multiply, .print = "({0} * {1})",
     .doc = "Product. Overflow is an error.", .example = "6 * 7", .gives = "42"},
    {.name = "+", .signature = "(left: any, right: any) -> any", .lower = add, .print = "({0} + {1})",
     .doc = "Sum. Overflow is an error. A date or timestamp plus an interval, a date plus days.",
     .example = "DATE'2013-01-31' + INTERVAL 1 MONTH", .gives = "2013-02-28"},
    {.name = "-", .signature = "(left: any, right: any) -> any", .lower = subtract, .print = "({0} - {1})",
     .doc = "Difference. Overflow is an error.", .example = "1.50 - 2", .gives = "-0.50"},
    {.name = "/", .signature = "(left: any, right: any) -> any", .lower = divide, .nulls = Nulls::kAlways, .print = "({0} / {1})",
     .doc = "Quotient: a double, or a decimal of decimals. Division by zero is an error.",
     .example = "7 / 2", .gives = "3.5"},
    {.name = "<", .signature = "(left: any, right: any) -> boolean", .lower = less, .print = "({0} < {1})",
     .doc = "Less than.", .example = "1 < 2", .gives = "true"},
    {.name = "<<", .signature = "(value: any, bits: int) -> any", .of_resolver = true,
     .doc = "Bits moved left.", .example = "1 << 3", .gives = "8"},
    {.name = "<=", .signature = "(left: any, right: any) -> boolean", .lower = less_or_equal, .print = "({0} <= {1})",
     .doc = "Less than or equal.", .example = "2 <= 1", .gives = "false"},
    {.name = "<=>", .signature = "(left: any, right: any) -> boolean", .lower = null_safe_equal, .print = "({0} <=> {1})",
     .doc = "Equal, where two nulls are equal.", .example = "NULL <=> NULL", .gives = "true"},
    {.name = "<>", .signature = "(left: any, right: any) -> boolean", .of_resolver = true,
     .doc = "Not equal.", .example = "1 <> 1", .gives = "false"},
    {.name = "=", .signature = "(left: any, right: any) -> boolean", .lower = equal, .print = "({0} = {1})",
     .doc = "Equal.", .example = "1 = 1", .gives = "true"},
    {.name = "==", .signature = "(left: any, right: any) -> boolean", .lower = equal, .print = "({0} = {1})",
     .doc = "Equal.", .example = "1 == '1'", .gives = "true"},
    {.name = ">", .signature = "(left: any, right: any) -> boolean", .lower = greater, .print = "({0} > {1})",
     .doc = "Greater than.", .example = "2 > 1", .gives = "true"},
    {.name = ">=", .signature = "(left: any, right: any) -> boolean", .lower = greater_or_equal, .print = "({0} >= {1})",
     .doc = "Greater than or equal.", .example = "1 >= 2", .gives = "false"},
    {.name = ">>", .signature = "(value: any, bits: int) -> any", .of_resolver = true,
     .doc = "Bits moved right, keeping the sign.", .example = "-8 >> 1", .gives = "-4"},
    {.name = ">>>", .signature = "(value: any, bits: int) -> any", .of_resolver = true,
     .doc = "Bits moved right, filled with zeros.", .example = "-8 >>> 28", .gives = "15"},
    {.name = "^", .signature = "(left: any, right: any) -> any", .lower = bit_xor, .print = "({0} ^ {1})",
     .doc = "Bitwise exclusive or.", .example = "5 ^ 3", .gives = "6"},
    {.name = "and", .signature = "(left: any, right: any) -> boolean", .lower = and_of, .print = "({0} AND {1})",
     .doc = "Logical and, of three values.", .example = "NULL AND false", .gives = "false"},
    {.name = "between", .signature = "(expr: any, low: any, high: any) -> boolean", .lower = between,
     .print = "between({0}, {1}, {2})",
     .doc = "Whether `low <= expr <= high`.", .example = "2 BETWEEN 1 AND 3", .gives = "true"},
    {.name = "bigint", .signature = "(expr: any) -> long", .of_resolver = true,
     .doc = "The value cast to BIGINT.", .example = "bigint('1')", .gives = "1"},
    {.name = "binary", .signature = "(expr: any) -> binary", .of_resolver = true,
     .doc = "The value cast to BINARY.", .example = "binary('abc')", .gives = "abc"},
    {.name = "boolean", .signature = "(expr: any) -> boolean", .of_resolver = true,
     .doc = "The value cast to BOOLEAN.", .example = "boolean('yes')", .gives = "true"},
    {.name = "case", .signature = "(condition: any, value: any, rest: any...) -> any", .of_resolver = true,
     .doc = "`CASE expr WHEN value THEN result … ELSE … END`.", .example = "CASE 1 WHEN 1 THEN 'a' ELSE 'b' END", .gives = "a"},
    {.name = "cast", .signature = "(expr: any) -> any", .of_resolver = true,
     .doc = "The value as another type: `CAST(expr AS type)`.", .example = "CAST('1' AS INT)", .gives = "1"},
    {.name = "coalesce", .signature = "(expr: any...) -> any", .lower = coalesce,
     .doc = "The first argument that is not null.", .example = "coalesce(NULL, 2, 3)", .gives = "2"},
    {.name = "date", .signature = "(expr: any) -> date", .of_resolver = true,
     .doc = "The value cast to DATE.", .example = "date('2024-02-29')", .gives = "2024-02-29"},
    {.name = "decimal", .signature = "(expr: any) -> any", .of_resolver = true,
     .doc = "The value cast to DECIMAL.", .example = "decimal('1.5')", .gives = "2"},
    {.name = "div", .signature = "(left: any, right: any) -> long", .lower = integral_divide, .nulls = Nulls::kAlways, .print = "({0} div {1})",
     .doc = "Quotient without its fraction.", .example = "7 div 2", .gives = "3"},
    {.name = "double", .signature = "(expr: any) -> double", .of_resolver = true,
     .doc = "The value cast to DOUBLE.", .example = "double('1')", .gives = "1.0"},
    {.name = "equal_null", .signature = "(left: any, right: any) -> boolean", .lower = null_safe_equal,
     .doc = "Equal, where two nulls are equal.", .example = "equal_null(3, 3)", .gives = "true"},
    {.name = "float", .signature = "(expr: any) -> float", .of_resolver = true,
     .doc = "The value cast to FLOAT.", .example = "float('1.5')", .gives = "1.5"},
    {.name = "greatest", .signature = "(first: any, rest: any...) -> any", .lower = greatest,
     .doc = "The greatest argument; nulls are skipped.", .example = "greatest(3, NULL, 7)", .gives = "7"},
    {.name = "if", .signature = "(condition: any, then: any, otherwise: any) -> any", .lower = if_else,
     .doc = "`then` where the condition is true, else `otherwise`.", .example = "if(1 < 2, 'a', 'b')", .gives = "a"},
    {.name = "ifnull", .signature = "(expr: any, otherwise: any) -> any", .lower = coalesce,
     .doc = "`otherwise` where the first is null.", .example = "ifnull(NULL, 'x')", .gives = "x"},
    {.name = "in", .signature = "(expr: any, value: any...) -> boolean", .lower = in_list,
     .doc = "Whether the list holds the value.", .example = "2 IN (1, 2)", .gives = "true"},
    {.name = "int", .signature = "(expr: any) -> int", .of_resolver = true,
     .doc = "The value cast to INT.", .example = "int('1')", .gives = "1"},
    {.name = "isnan", .signature = "(expr: double) -> boolean", .lowering = "coalesce(isnan({0}), false)", .nulls = Nulls::kNever,
     .doc = "Whether the number is NaN.", .example = "isnan(double('NaN'))", .gives = "true"},
    {.name = "isnotnull", .signature = "(expr: any) -> boolean", .lowering = "({0} IS NOT NULL)", .nulls = Nulls::kNever, .print = "({0} IS NOT NULL)",
     .doc = "Whether the value is there.", .example = "isnotnull(1)", .gives = "true"},
    {.name = "isnull", .signature = "(expr: any) -> boolean", .lowering = "({0} IS NULL)", .nulls = Nulls::kNever, .print = "({0} IS NULL)",
     .doc = "Whether the value is null.", .example = "isnull(1)", .gives = "false"},
    {.name = "least", .signature = "(first: any, rest: any...) -> any", .lower = least,
     .doc = "The least argument; nulls are skipped.", .example = "least(3, NULL, 7)", .gives = "3"},
    {.name = "mod", .signature = "(left: any, right: any) -> any", .lower = remainder, .nulls = Nulls::kAlways,
     .doc = "Remainder; the sign is the dividend's.", .example = "mod(2, 1.8)", .gives = "0.2"},
    {.name = "negative", .signature = "(expr: any) -> any", .lower = negative,
     .doc = "The number or interval with its sign turned.", .example = "negative(3)", .gives = "-3"},
    {.name = "not", .signature = "(expr: boolean) -> boolean", .lowering = "(NOT {0})", .print = "(NOT {0})",
     .doc = "Logical not.", .example = "NOT false", .gives = "true"},
    {.name = "nullif", .signature = "(left: any, right: any) -> any", .lower = nullif, .nulls = Nulls::kAlways,
     .doc = "Null where both are equal, else the first.", .example = "nullif(2, 2)", .gives = "NULL"},
    {.name = "nullifzero", .signature = "(expr: numeric) -> numeric", .lowering = "nullif({0}, 0)", .nulls = Nulls::kAlways,
     .doc = "Null where the number is zero.", .example = "nullifzero(0)", .gives = "NULL"},
    {.name = "nvl", .signature = "(expr: any, otherwise: any) -> any", .lower = coalesce,
     .doc = "`otherwise` where the first is null.", .example = "nvl(NULL, 1)", .gives = "1"},
    {.name = "nvl2", .signature = "(expr: any, then: T, otherwise: T) -> T", .lowering = "CASE WHEN {0} IS NOT NULL THEN {1} ELSE {2} END", .nulls = Nulls::kAlways,
     .doc = "`then` where the first is not null, else `otherwise`.", .example = "nvl2(NULL, 2, 1)", .gives = "1"},
    {.name = "or", .signature = "(left: any, right: any) -> boolean", .lower = or_of, .print = "({0} OR {1})",
     .doc = "Logical or, of three values.", .example = "NULL OR true", .gives = "true"},
    {.name = "pmod", .signature = "(left: any, right: any) -> any", .lower = positive_modulus, .nulls = Nulls::kAlways,
     .doc = "Remainder that is never negative.", .example = "pmod(-7, 3)", .gives = "2"},
    {.name = "positive", .signature = "(expr: numeric) -> numeric", .lowering = "{0}", .print = "(+ {0})",
     .doc = "The number itself.", .example = "positive(3)", .gives = "3"},
    {.name = "shiftleft", .signature = "(value: int, bits: int) -> int", .lowering = "spark_shiftleft({0}, {1})",
     .doc = "Bits moved left.", .example = "shiftleft(2, 1)", .gives = "4"},
    {.name = "shiftleft", .signature = "(value: long, bits: int) -> long", .lowering = "spark_shiftleft({0}, {1})"},
    {.name = "shiftright", .signature = "(value: int, bits: int) -> int", .lowering = "spark_shiftright({0}, {1})",
     .doc = "Bits moved right, keeping the sign.", .example = "shiftright(4, 1)", .gives = "2"},
    {.name = "shiftright", .signature = "(value: long, bits: int) -> long", .lowering = "spark_shiftright({0}, {1})"},
    {.name = "shiftrightunsigned", .signature = "(value: int, bits: int) -> int", .lowering = "spark_shiftrightunsigned({0}, {1})",
     .doc = "Bits moved right, filled with zeros.", .example = "shiftrightunsigned(4, 1)", .gives = "2"},
    {.name = "shiftrightunsigned", .signature = "(value: long, bits: int) -> long", .lowering = "spark_shiftrightunsigned({0}, {1})"},
    {.name = "smallint", .signature = "(expr: any) -> short", .of_resolver = true,
     .doc = "The value cast to SMALLINT.", .example = "smallint('1')", .gives = "1"},
    {.name = "string", .signature = "(expr: any) -> string", .of_resolver = true,
     .doc = "The value cast to STRING.", .example = "string(1)", .gives = "1"},
    {.name = "time", .signature = "(expr: any) -> time", .of_resolver = true,
     .doc = "The value cast to TIME.", .example = "time('12:30')", .gives = "12:30:00"},
    {.name = "timestamp", .signature = "(expr: any) -> timestamp", .of_resolver = true,
     .doc = "The value cast to TIMESTAMP.", .example = "timestamp('2024-02-29')", .gives = "2024-02-29 00:00:00"},
    {.name = "tinyint", .signature = "(expr: any) -> byte", .of_resolver = true,
     .doc = "The value cast to TINYINT.", .example = "tinyint('1')", .gives = "1"},
    {.name = "try_add", .signature = "(left: any, right: any) -> any", .lower = try_sum, .nulls = Nulls::kAlways,
     .doc = "Sum, or null where it overflows.", .example = "try_add(2147483647, 1)", .gives = "NULL"},
    {.name = "try_divide", .signature = "(left: any, right: any) -> double", .lower = try_divide, .nulls = Nulls::kAlways,
     .doc = "Quotient, or null where the divisor is zero.", .example = "try_divide(1, 0)", .gives = "NULL"},
    {.name = "try_mod", .signature = "(left: any, right: any) -> any", .lower = try_remainder, .nulls = Nulls::kAlways,
     .doc = "Remainder, or null where the divisor is zero.", .example = "try_mod(3, 0)", .gives = "NULL"},
    {.name = "try_multiply", .signature = "(left: any, right: any) -> any", .lower = try_product, .nulls = Nulls::kAlways,
     .doc = "Product, or null where it overflows.", .example = "try_multiply(2147483647, 2)", .gives = "NULL"},
    {.name = "try_subtract", .signature = "(left: any, right: any) -> any", .lower = try_difference, .nulls = Nulls::kAlways,
     .doc = "Difference, or null where it overflows.", .example = "try_subtract(2, 1)", .gives = "1"},
    {.name = "when", .signature = "(condition: any, value: any, [rest: any...]) -> any", .lower = case_when,
     .doc = "`CASE WHEN condition THEN value … ELSE … END`.", .example = "CASE WHEN 1 > 2 THEN 'a' ELSE 'b' END", .gives = "b"},
    {.name = "zeroifnull", .signature = "(expr: any) -> any", .lower = zero_if_null, .nulls = Nulls::kNever,
     .doc = "Zero where the number is null.", .example = "zeroifnull(NULL)", .gives = "0"},
    {.name = "|", .signature = "(left: any, right: any) -> any", .lower = bit_or, .print = "({0} | {1})",
     .doc = "Bitwise or.", .example = "12 | 10", .gives = "14"},
    {.name = "||", .signature = "(left: any, right: any) -> any", .of_resolver = true,
     .doc = "Strings or arrays one after the other; null when one is null.", .example = "'a' || 'b'", .gives = "ab"},
    {.name = "~", .signature = "(expr: N) -> N", .lowering = "(~ {0})", .print = "~{0}",
     .doc = "Bitwise not.", .example = "~ 0", .gives = "-1"},
};
// clang-format on
static_assert(checked(kOperators));

std::span<const FunctionSpec> operator_rows() { return kOperators; }

}  // namespace firesteel
