// Spark's ANSI type rules, and the SQL of casts.
#include "functions/coercion.h"

#include <fmt/format.h>

#include <algorithm>

namespace firesteel {

namespace {

using enum TypeKind;

constexpr char kRaisedValue = '\x1e';
constexpr char kRaise = '\x1f';  // separates the parts of a raised error's text

int precedence(TypeKind kind) { return static_cast<int>(kind); }

DataType wider_decimal(const DataType& a, const DataType& b) {
  const int scale = std::max(a.scale, b.scale);
  const int range = std::max(a.precision - a.scale, b.precision - b.scale);
  return bounded_decimal(range + scale, scale);
}

std::optional<DataType> common_with_string(const DataType& other) {
  if (other.is_integral()) return make_type(kLong);
  if (other.is_numeric()) return make_type(kDouble);
  if (other.is_nested() || other.kind == kVariant) return std::nullopt;
  return other;
}

bool castable(const DataType& from, const DataType& to) {
  if (from == to || from.kind == kNull || from.kind == to.kind) {
    if (from.kind == kArray && to.kind == kArray) return castable(from.element(), to.element());
    if (from.kind == kMap && to.kind == kMap) {
      return castable(from.key(), to.key()) && castable(from.value(), to.value());
    }
    if (from.kind == kStruct && to.kind == kStruct) {
      if (from.fields->size() != to.fields->size()) return false;
      for (size_t i = 0; i < from.fields->size(); ++i) {
        if (!castable((*from.fields)[i].type, (*to.fields)[i].type)) return false;
      }
    }
    return true;
  }
  if (from.kind == kVariant) {
    if (to.kind == kMap) return to.key().kind == kString && castable(from, to.value());
    return to.kind != kDayTimeInterval && to.kind != kYearMonthInterval;
  }
  switch (to.kind) {
    case kString:
      return true;
    case kVariant:
      if (from.kind == kArray) return castable(from.element(), to);
      return !from.is_nested() && from.kind != kDayTimeInterval && from.kind != kYearMonthInterval;
    case kBinary:
      return from.kind == kString || from.is_integral();
    case kBoolean:
      return from.is_numeric() || from.kind == kString;
    case kTime:
      return from.kind == kString || from.kind == kTimestamp || from.kind == kTimestampNtz;
    case kByte:
    case kShort:
    case kInteger:
    case kLong:
    case kDecimal:
      if (from.kind == kTime) return true;
      [[fallthrough]];
    case kFloat:
    case kDouble:
      return from.is_numeric() || from.kind == kString || from.kind == kBoolean ||
             from.kind == kTimestamp;
    case kDate:
      return from.kind == kString || from.is_datetime();
    case kTimestamp:
      return from.kind == kString || from.is_datetime() || from.is_numeric() || from.kind == kTime;
    case kTimestampNtz:
      return from.kind == kString || from.is_datetime();
    case kDayTimeInterval:
    case kYearMonthInterval:
    case kCalendarInterval:
      return from.kind == kString;
    default:
      return false;
  }
}

/// A time of day of so many microseconds, cut to its type's digits.
std::string time_of(const std::string& micros, const DataType& type) {
  static constexpr int kUnits[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
  const int unit = kUnits[type.precision];
  return time_sql(unit == 1 ? micros : fmt::format("({} // {}) * {}", micros, unit, unit));
}

/// Local wall-clock time of a UTC timestamp.
std::string to_local(const std::string& sql, const std::string& zone) {
  if (zone == "UTC") return sql;
  return fmt::format("timezone({}, timezone('UTC', {}))", sql_string(zone), sql);
}

std::string to_utc(const std::string& sql, const std::string& zone) {
  if (zone == "UTC") return sql;
  return fmt::format("timezone('UTC', timezone({}, {}))", sql_string(zone), sql);
}

std::string invalid_input(const Resolved& value, const DataType& to) {
  return raise_sql(
      "CAST_INVALID_INPUT",
      fmt::format("The value '{}' of the type \"{}\" cannot be cast to \"{}\" because "
                  "it is malformed. Correct the value as per the syntax, or change its "
                  "target type. Use `try_cast` to tolerate malformed input and return "
                  "NULL instead.",
                  raised_value(value.sql), value.type.sql(), to.sql()),
      value.span);
}

/// `attempt`, or an error that quotes the value when `attempt` is null though the value is not.
std::string checked_parse(const Resolved& value, const std::string& attempt, const DataType& to,
                          bool try_cast) {
  if (try_cast) return attempt;
  return fmt::format("CASE WHEN {0} IS NULL AND {1} IS NOT NULL THEN {2} ELSE {0} END", attempt,
                     value.sql, invalid_input(value, to));
}

/// '1-2' as INTERVAL YEAR TO MONTH, '1 02:03:04.5' as INTERVAL DAY TO SECOND; the whole literal is
/// text of one too.
std::string parse_interval_sql(const std::string& text, const DataType& to) {
  static constexpr int64_t kMicros[] = {86400000000, 3600000000, 60000000, 1000000};
  const bool months = to.kind == kYearMonthInterval;
  const int start = to.start_field, end = to.end_field;
  std::string pattern = "^(?:INTERVAL *'')?([+-]?)(\\d+)";
  for (int field = start + 1; field <= end; ++field)
    pattern += fmt::format("{}(\\d{{1,2}})", months ? "-" : field == 1 ? " " : ":");
  if (!months && end == 3) pattern += "(?:\\.(\\d{1,6})\\d*)?";
  pattern += "(?:''.*)?$";
  const auto group = [&](int n) {
    return fmt::format("CAST(regexp_extract({}, '{}', {}) AS BIGINT)", text, pattern, n);
  };
  std::string sum;
  for (int field = start; field <= end; ++field) {
    const int64_t size = months ? (field == 0 ? 12 : 1) : kMicros[field];
    sum += fmt::format("{}{} * {}", field > start ? " + " : "", group(2 + field - start), size);
  }
  if (!months && end == 3) {
    sum += fmt::format(" + CAST(rpad(regexp_extract({}, '{}', {}), 6, '0') AS BIGINT)", text,
                       pattern, 3 + end - start);
  }
  const auto amount =
      fmt::format("(CASE WHEN regexp_extract({}, '{}', 1) = '-' THEN -1 ELSE 1 END * ({}))", text,
                  pattern, sum);
  return fmt::format("CASE WHEN regexp_matches({}, '{}') THEN {} END", text, pattern,
                     months ? fmt::format("to_months(CAST({} AS INTEGER))", amount)
                            : fmt::format("to_microseconds({})", amount));
}

std::string string_cast(const Resolved& value, const DataType& to, const std::string& zone,
                        bool try_cast) {
  const std::string trimmed = fmt::format("trim({}, ' \t\n\r')", value.sql);
  switch (to.kind) {
    case kBoolean:
      // DuckDB takes 't', 'true', '1' …; Spark also 'y', 'yes', 'n', 'no'.
      return checked_parse(
          value,
          fmt::format("CASE WHEN lower({0}) IN ('t', 'true', 'y', 'yes', '1') THEN true "
                      "WHEN lower({0}) IN ('f', 'false', 'n', 'no', '0') THEN false END",
                      trimmed),
          to, try_cast);
    case kTimestamp:
      return checked_parse(
          value,
          // An offset or a zone's name; else local time, where a time alone is today's and a year
          // or a month its start.
          fmt::format(
              "CASE WHEN regexp_matches({0}, '(Z|[+-]\\d{{1,2}}(:?\\d{{2}})?| "
              "?(UTC|GMT|[A-Z][A-Za-z_]+/[A-Za-z_/+-]+))$') AND "
              "strpos({0}, ':') > 0 THEN make_timestamp(epoch_us(TRY_CAST({0} AS TIMESTAMPTZ))) "
              "ELSE {1} END",
              trimmed,
              to_utc(fmt::format("coalesce(TRY_CAST({0} AS TIMESTAMP), CASE WHEN "
                                 "regexp_full_match({0}, 'T?\\d{{1,2}}:\\d{{1,2}}(:.*)?') "
                                 "THEN TRY_CAST(strftime({1}, '%Y-%m-%d ') || ltrim({0}, 'T') AS "
                                 "TIMESTAMP) WHEN "
                                 "regexp_full_match({0}, '\\d{{4}}(-\\d{{1,2}})?') THEN "
                                 "TRY_CAST(rpad({0} || '-01', 8, '-01') AS TIMESTAMP) WHEN "
                                 "regexp_full_match({0}, '\\d{{4}}-\\d{{1,2}}-\\d{{1,2}}[ "
                                 "T]\\d{{1,2}}(:\\d{{1,2}})?') THEN "
                                 "TRY_CAST({0} || CASE WHEN contains({0}, ':') THEN ':00' ELSE "
                                 "':00:00' END AS TIMESTAMP) END)",
                                 trimmed, to_local("make_timestamp(epoch_us(now()))", zone)),
                     zone)),
          to, try_cast);
    case kTime:
      return checked_parse(value, time_of(fmt::format("spark_try_time({})", value.sql), to), to,
                           try_cast);
    case kDate:
      // A year or a year and month stand for their first day.
      return checked_parse(value,
                           fmt::format("TRY_CAST(TRY_CAST(CASE WHEN regexp_full_match({0}, "
                                       "'\\d{{4}}') THEN {0} || '-01-01' WHEN "
                                       "regexp_full_match({0}, '\\d{{4}}-\\d{{1,2}}') THEN {0} || "
                                       "'-01' ELSE {0} END AS TIMESTAMP) "
                                       "AS DATE)",
                                       trimmed),
                           to, try_cast);
    case kBinary:
      return fmt::format("encode({})", value.sql);
    case kDayTimeInterval:
    case kYearMonthInterval:
      if (!try_cast) {
        const auto parsed = parse_interval_sql(trimmed, to);
        const auto raise = raise_sql(
            "INVALID_INTERVAL_FORMAT.UNMATCHED_FORMAT_STRING_WITH_NOTICE",
            fmt::format("The text does not match the format of \"{}\" when cast to an interval.",
                        to.sql()),
            value.span);
        return fmt::format("coalesce({}, CASE WHEN {} IS NOT NULL THEN {} END)", parsed, value.sql,
                           raise);
      }
      return parse_interval_sql(trimmed, to);
    case kCalendarInterval:  // null where the text is none, as in Spark
      return fmt::format("spark_calendar_interval({})", value.sql);
    case kByte:
    case kShort:
    case kInteger:
    case kLong:
      // Spark refuses '1.5' and '1e3' as integers; DuckDB would round them.
      return checked_parse(value,
                           fmt::format("CASE WHEN regexp_full_match({0}, '[+-]?[0-9]+') THEN "
                                       "TRY_CAST({0} AS {1}) END",
                                       trimmed, duckdb_type(to)),
                           to, try_cast);
    default:
      return checked_parse(value, fmt::format("TRY_CAST({} AS {})", trimmed, duckdb_type(to)), to,
                           try_cast);
  }
}

/// INTERVAL '1 02:03' DAY TO MINUTE: the type says which fields are shown.
std::string interval_text_sql(const Resolved& value) {
  static constexpr const char* kDayTime[] = {"DAY", "HOUR", "MINUTE", "SECOND"};
  static constexpr const char* kYearMonth[] = {"YEAR", "MONTH"};
  static constexpr int64_t kMicros[] = {86400000000, 3600000000, 60000000, 1000000};
  static constexpr int kWithin[] = {0, 24, 60, 60};
  const bool months = value.type.kind == kYearMonthInterval;
  const int start = value.type.start_field, end = value.type.end_field;
  const auto total =
      months ? fmt::format("CAST(date_part('year', {0}) * 12 + date_part('month', {0}) AS BIGINT)",
                           value.sql)
             : fmt::format("epoch_us({})", value.sql);
  std::string text = fmt::format("'INTERVAL ''' || CASE WHEN {} < 0 THEN '-' ELSE '' END", total);
  if (months) {
    if (start == 0) text += fmt::format(" || (abs({}) // 12)", total);
    if (start != end) text += fmt::format(" || '-' || (abs({}) % 12)", total);
    if (start == 1) text += fmt::format(" || abs({})", total);
  }
  for (int field = start; !months && field <= end; ++field) {
    const auto amount = fmt::format("(abs({}) // {})", total, kMicros[field]);
    if (field == start) {
      text += field == 0 ? fmt::format(" || {}", amount)
                         : fmt::format(" || printf('%02d', {})", amount);
    } else {
      text += fmt::format(" || printf('{}%02d', {} % {})", field == 1 ? " " : ":", amount,
                          kWithin[field]);
    }
  }
  if (!months && end == 3) {
    text += fmt::format(
        " || CASE WHEN {0} % 1000000 <> 0 THEN rtrim(printf('.%06d', abs({0}) % 1000000), '0') "
        "ELSE '' END",
        total);
  }
  const auto* fields = months ? kYearMonth : kDayTime;
  const auto unit = start == end ? std::string(fields[start])
                                 : fmt::format("{} TO {}", fields[start], fields[end]);
  return fmt::format("({} || ''' {}')", text, unit);
}

/// With `shown`, as show() prints: bytes in hexadecimal, and NULL within arrays, maps and structs.
std::string to_string_sql(const Resolved& value, const std::string& zone, bool shown = false) {
  const std::string& x = value.sql;
  switch (value.type.kind) {
    case kFloat:
    case kDouble:
      return fmt::format("spark_number_text({})", x);
    case kTimestamp:
    case kTimestampNtz: {
      const auto local = value.type.kind == kTimestamp ? to_local(x, zone) : x;
      return fmt::format("CAST({} AS VARCHAR)", local);
    }
    case kBinary:
      if (shown) {
        return fmt::format("'[' || rtrim(regexp_replace(hex({}), '(..)', '\\1 ', 'g')) || ']'", x);
      }
      // What is no UTF-8 is replaced.
      return fmt::format("spark_make_valid_utf8({})", x);
    case kDecimal:  // DuckDB leaves out the zero before the point when there is no digit for it
      return value.type.precision == value.type.scale && value.type.precision < 38
                 ? fmt::format("CAST(CAST({} AS DECIMAL({},{})) AS VARCHAR)", x,
                               value.type.precision + 1, value.type.scale)
                 : fmt::format("CAST({} AS VARCHAR)", x);
    case kDayTimeInterval:
    case kYearMonthInterval:
      return interval_text_sql(value);
    case kVariant:  // within arrays, maps and structs
      return fmt::format("spark_variant_json({}, 'VOID', '', {})", x, sql_string(zone));
    case kCalendarInterval:
      return fmt::format("spark_calendar_text({})", x);
    case kArray:
    case kMap:
    case kStruct: {
      const char* null = shown ? "NULL" : "null";
      // Spark prints [1, 2], {a -> 1} and {1, x}: built from the parts.
      if (value.type.kind == kArray) {
        Resolved element{.sql = "e", .type = value.type.element()};
        return fmt::format(
            "CASE WHEN {0} IS NOT NULL THEN '[' || array_to_string(list_transform({0}, lambda e: "
            "coalesce({1}, '{2}')), ', ') || ']' END",
            x, to_string_sql(element, zone, shown), null);
      }
      if (value.type.kind == kMap) {
        Resolved key{.sql = "e.key", .type = value.type.key()};
        Resolved item{.sql = "e.value", .type = value.type.value()};
        return fmt::format(
            "CASE WHEN {0} IS NOT NULL THEN '{{' || "
            "array_to_string(list_transform(map_entries({0}), "
            "lambda e: {1} || ' -> ' || coalesce({2}, '{3}')), ', ') || '}}' END",
            x, to_string_sql(key, zone, shown), to_string_sql(item, zone, shown), null);
      }
      std::string parts;
      for (const auto& field : *value.type.fields) {
        Resolved part{.sql = fmt::format("({}).{}", x, sql_name(field.name)), .type = field.type};
        parts += fmt::format("{}coalesce({}, '{}')", parts.empty() ? "" : " || ', ' || ",
                             to_string_sql(part, zone, shown), null);
      }
      return fmt::format("CASE WHEN {} IS NOT NULL THEN '{{' || {} || '}}' END", x,
                         parts.empty() ? "''" : parts);
    }
    default:
      return fmt::format("CAST({} AS VARCHAR)", x);
  }
}

std::string numeric_cast(const Resolved& value, const DataType& to, bool try_cast) {
  const char* word = try_cast ? "TRY_CAST" : "CAST";
  // Spark truncates fractions toward zero; DuckDB rounds.
  const bool truncates = to.is_integral() && !value.type.is_integral();
  const std::string inner = truncates ? fmt::format("trunc({})", value.sql) : value.sql;
  return fmt::format("{}({} AS {})", word, inner, duckdb_type(to));
}

/// Parts cast one by one, as Spark casts them: fields of structs by their place, not by name.
std::string nested_cast(const Resolved& value, const DataType& to, const std::string& zone,
                        bool try_cast) {
  const auto part = [&](std::string sql, const DataType& from, const DataType& wanted) {
    return cast({.sql = std::move(sql), .type = from, .name = value.name, .span = value.span},
                wanted, zone, try_cast)
        .sql;
  };
  if (to.kind == kArray) {
    return fmt::format("list_transform({}, lambda e: {})", value.sql,
                       part("e", value.type.element(), to.element()));
  }
  if (to.kind == kMap) {
    return fmt::format(
        "map(list_transform(map_keys({0}), lambda e: {1}), list_transform(map_values({0}), lambda "
        "e: {2}))",
        value.sql, part("e", value.type.key(), to.key()),
        part("e", value.type.value(), to.value()));
  }
  std::string fields;
  for (size_t i = 0; i < to.fields->size(); ++i) {
    const auto& from = (*value.type.fields)[i];
    fields +=
        fmt::format("{}{} := {}", i ? ", " : "", sql_name((*to.fields)[i].name),
                    part(fmt::format("struct_extract({}, {})", value.sql, sql_string(from.name)),
                         from.type, (*to.fields)[i].type));
  }
  return fmt::format("CASE WHEN {} IS NOT NULL THEN struct_pack({}) END", value.sql, fields);
}

std::string cast_sql(const Resolved& value, const DataType& to, const std::string& zone,
                     bool try_cast) {
  const DataType& from = value.type;
  const char* word = try_cast ? "TRY_CAST" : "CAST";
  if (from.kind == kNull)
    return fmt::format("CAST({} AS {})", value.sql, duckdb_type(to));  // perhaps an error
  if (from.kind == kVariant) {
    return fmt::format("spark_variant_get({}, '$', {}, {}, {})", value.sql, sql_string(to.sql()),
                       try_cast ? "'try\x1ftrue\x1f'" : "''", sql_string(zone));
  }
  if (to.kind == kVariant) {
    return fmt::format("spark_to_variant({}, {}, '', {})", value.sql, sql_string(from.sql()),
                       sql_string(zone));
  }
  if (to.kind == kString) return to_string_sql(value, zone);
  if (from.kind == kString) return string_cast(value, to, zone, try_cast);
  if (from.kind == to.kind && to.is_nested()) return nested_cast(value, to, zone, try_cast);
  if (from.kind == kTime && to.is_numeric()) {
    const auto micros = fmt::format("epoch_us({})", value.sql);
    return to.kind == kDecimal
               ? fmt::format("{}(CAST({} AS DECIMAL(20,0)) * 0.000001 AS {})", word, micros,
                             duckdb_type(to))
               : fmt::format("{}({} // 1000000 AS {})", word, micros, duckdb_type(to));
  }
  if (from.kind == kTime && to.kind == kTime)
    return time_of(fmt::format("epoch_us({})", value.sql), to);
  if (from.kind == kTime && to.kind == kTimestamp) {  // today's
    const auto today = to_local("make_timestamp(epoch_us(now()))", zone);
    return to_utc(fmt::format("(CAST({} AS DATE) + {})", today, value.sql), zone);
  }
  if (to.kind == kTime) {
    const auto local = from.kind == kTimestamp ? to_local(value.sql, zone) : value.sql;
    return time_of(fmt::format("epoch_us(CAST({} AS TIME))", local), to);
  }
  if (from.is_numeric() && to.kind == kBoolean) return fmt::format("({} <> 0)", value.sql);
  if (from.is_numeric() && to.kind == kTimestamp) {
    return fmt::format(
        "make_timestamp(CAST({} * 1000000 AS BIGINT))",
        from.is_integral() ? fmt::format("CAST({} AS BIGINT)", value.sql) : value.sql);
  }
  if (from.kind == kTimestamp && to.is_numeric()) {
    const auto seconds = fmt::format("(epoch_us({}) / 1e6)", value.sql);
    return to.is_integral() ? fmt::format("{}(floor({}) AS {})", word, seconds, duckdb_type(to))
                            : fmt::format("{}({} AS {})", word, seconds, duckdb_type(to));
  }
  if (from.is_numeric() && to.is_numeric()) return numeric_cast(value, to, try_cast);
  if (to.kind == kTimestamp && from.kind != kTimestamp) {
    return to_utc(fmt::format("CAST({} AS TIMESTAMP)", value.sql), zone);
  }
  if (from.kind == kTimestamp) {
    return fmt::format("CAST({} AS {})", to_local(value.sql, zone), duckdb_type(to));
  }
  return fmt::format("{}({} AS {})", word, value.sql, duckdb_type(to));
}

}  // namespace

std::string duckdb_type(const DataType& type) {
  switch (type.kind) {
    case kNull:
      return "INTEGER";
    case kBoolean:
      return "BOOLEAN";
    case kByte:
      return "TINYINT";
    case kShort:
      return "SMALLINT";
    case kInteger:
      return "INTEGER";
    case kLong:
      return "BIGINT";
    case kFloat:
      return "FLOAT";
    case kDouble:
      return "DOUBLE";
    case kDecimal:
      return fmt::format("DECIMAL({},{})", type.precision, type.scale);
    case kString:
      return "VARCHAR";
    case kBinary:
      return "BLOB";
    case kTime:
      return "TIME";
    case kDate:
      return "DATE";
    case kTimestamp:
    case kTimestampNtz:
      return "TIMESTAMP";
    case kDayTimeInterval:
    case kYearMonthInterval:
    case kCalendarInterval:
      return "INTERVAL";
    case kVariant:
      return "STRUCT(\"value\" BLOB, \"metadata\" BLOB)";
    case kArray:
      return duckdb_type(type.element()) + "[]";
    case kMap:
      return fmt::format("MAP({}, {})", duckdb_type(type.key()), duckdb_type(type.value()));
    case kStruct: {
      std::string inner;
      for (const auto& field : *type.fields) {
        inner += fmt::format("{}{} {}", inner.empty() ? "" : ", ", sql_name(field.name),
                             duckdb_type(field.type));
      }
      return fmt::format("STRUCT({})", inner);
    }
  }
  return "";
}

std::optional<DataType> common_type(const DataType& a, const DataType& b) {
  if (a == b) return a;
  if (a.kind == kNull) return b;
  if (b.kind == kNull) return a;
  if (a.kind == kString && b.kind != kString) return common_with_string(b);
  if (b.kind == kString && a.kind != kString) return common_with_string(a);
  if (a.is_numeric() && b.is_numeric()) {
    if (a.kind == kDecimal || b.kind == kDecimal) {
      if (a.is_fractional() || b.is_fractional()) return make_type(kDouble);
      return wider_decimal(decimal_for(a), decimal_for(b));
    }
    const TypeKind wider = std::max(a.kind, b.kind);
    // An integer beside a float would lose digits as a float.
    return make_type(wider == kFloat ? kDouble : wider);
  }
  if (a.kind == kTime && b.kind == kTime) return time_type(std::max(a.precision, b.precision));
  if (a.is_datetime() && b.is_datetime()) {
    return make_type(a.kind == kTimestamp || b.kind == kTimestamp ? kTimestamp : kTimestampNtz);
  }
  if (a.kind == kArray && b.kind == kArray) {
    const auto element = common_type(a.element(), b.element());
    if (!element) return std::nullopt;
    return array_type(*element, (*a.fields)[0].nullable || (*b.fields)[0].nullable);
  }
  if (a.kind == kMap && b.kind == kMap) {
    const auto key = common_type(a.key(), b.key());
    const auto value = common_type(a.value(), b.value());
    if (!key || !value) return std::nullopt;
    return map_type(*key, *value, (*a.fields)[1].nullable || (*b.fields)[1].nullable);
  }
  if (a.kind == kStruct && b.kind == kStruct && a.fields->size() == b.fields->size()) {
    Schema fields;
    for (size_t i = 0; i < a.fields->size(); ++i) {
      const auto type = common_type((*a.fields)[i].type, (*b.fields)[i].type);
      if (!type) return std::nullopt;
      fields.push_back(
          {(*a.fields)[i].name, *type, (*a.fields)[i].nullable || (*b.fields)[i].nullable});
    }
    return struct_type(std::move(fields));
  }
  if (a.kind == b.kind && (a.kind == kDayTimeInterval || a.kind == kYearMonthInterval)) {
    DataType type = a;
    type.start_field = std::min(a.start_field, b.start_field);
    type.end_field = std::max(a.end_field, b.end_field);
    return type;
  }
  return std::nullopt;
}

bool implicitly_castable(const Resolved& value, const DataType& to, bool narrowing) {
  const DataType& from = value.type;
  if (from == to || from.kind == kNull) return true;
  if (from.kind == kVariant || to.kind == kVariant) return false;
  if (from.kind == kString) return !to.is_nested() && to.kind != kNull && to.kind != kTime;
  if (to.kind == kString) return !from.is_nested() && from.kind != kBinary;
  if (from.is_numeric() && to.is_numeric()) {
    if (precedence(from.kind) <= precedence(to.kind)) return true;
    if (from.kind == kDecimal && to.is_fractional()) return true;
    return narrowing;
  }
  if (from.is_datetime() && to.is_datetime()) return true;
  if (from.kind == to.kind && from.is_nested()) {
    for (size_t i = 0; i < from.fields->size(); ++i) {
      if (i >= to.fields->size()) return false;
      Resolved part{.sql = "", .type = (*from.fields)[i].type};
      if (!implicitly_castable(part, (*to.fields)[i].type, narrowing)) return false;
    }
    return from.fields->size() == to.fields->size();
  }
  return from.kind == to.kind;
}

Resolved cast(const Resolved& value, const DataType& to, const std::string& time_zone,
              bool try_cast) {
  if (!castable(value.type, to)) {
    const bool from_days = value.type.is_numeric() && to.kind == kDate,
               to_days = value.type.kind == kDate && to.is_numeric();
    if (from_days || to_days) {
      throw Error(
          "DATATYPE_MISMATCH.CAST_WITH_FUNC_SUGGESTION",
          fmt::format(
              "Cannot resolve \"CAST({0} AS {1})\" due to data type mismatch: cannot cast \"{2}\" "
              "to \"{1}\". To "
              "convert values from \"{2}\" to \"{1}\", you can use the functions `{3}` instead.",
              value.name, to.sql(), value.type.sql(),
              from_days ? "DATE_FROM_UNIX_DATE" : "UNIX_DATE"))
          .at(value.span);
    }
    const bool moment_truth =
        (value.type.kind == kDate || value.type.kind == kTimestamp) && to.kind == kBoolean;
    const bool legacy = moment_truth || (value.type.kind == kBoolean &&
                                         to.kind == kTimestamp);  // casts that ANSI mode lacks
    throw Error(
        legacy ? "DATATYPE_MISMATCH.CAST_WITH_CONF_SUGGESTION"
               : "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION",
        fmt::format("Cannot resolve \"CAST({} AS {})\" due to data type mismatch: cannot cast "
                    "\"{}\" to \"{}\".",
                    value.name, to.sql(), value.type.sql(), to.sql()))
        .at(value.span);
  }
  if (!value.exact &&
      value.type != to) {  // DuckDB's wider result is checked before it is read as something else
    Resolved narrowed = value;
    narrowed.sql = fmt::format("CAST({} AS {})", value.sql, duckdb_type(value.type));
    narrowed.exact = true;
    return cast(narrowed, to, time_zone, try_cast);
  }
  Resolved result = value;
  result.nullable = value.nullable || try_cast;
  if (value.type == to && value.exact) return result;
  result.type = to;
  result.metadata.clear();
  result.exact = true;
  if (value.type == to) {
    result.sql = fmt::format("CAST({} AS {})", value.sql, duckdb_type(to));
    return result;
  }
  result.sql = cast_sql(value, to, time_zone, try_cast);
  if (value.type.kind != kNull) result.literal.clear();
  return result;
}

Resolved coerce(const Resolved& value, const DataType& to, const std::string& time_zone) {
  Resolved result = cast(value, to, time_zone);
  result.literal = value.literal;
  result.name = value.name;
  return result;
}

std::string shown_sql(const Resolved& value, const std::string& time_zone) {
  if (value.type.kind == kString) return value.sql;
  return to_string_sql(value, time_zone, true);
}

DataType decimal_for(const DataType& type) {
  switch (type.kind) {
    case kByte:
      return decimal_type(3, 0);
    case kShort:
      return decimal_type(5, 0);
    case kInteger:
      return decimal_type(10, 0);
    case kLong:
      return decimal_type(20, 0);
    case kDecimal:
      return type;
    default:
      return decimal_type(38, 18);
  }
}

DataType decimal_for(const Resolved& value) {
  if (value.type.is_integral() && !value.literal.empty() && !value.is_null()) {
    const bool negative = value.literal.front() == '-';
    return decimal_type(std::max<int>(1, static_cast<int>(value.literal.size()) - negative), 0);
  }
  return decimal_for(value.type);
}

DataType bounded_decimal(int precision, int scale) {
  if (precision <= 38) return decimal_type(precision, scale);
  const int digits = precision - scale;
  return decimal_type(38, std::max(38 - digits, std::min(scale, 6)));
}

std::string raised_text(std::string_view condition, std::string_view message, Span span) {
  return fmt::format("{0}{1}{0}{2}{0}{3}{0}{4}", kRaise, condition, span.start, span.stop, message);
}

std::string raised_value(std::string_view sql) {
  return fmt::format("{0}{1}{0}", kRaisedValue, sql);
}

std::string raise_sql(std::string_view condition, std::string_view message, Span span) {
  // '… <value> …' becomes '… ' || value || ' …'.
  std::string sql, text = raised_text(condition, message, span);
  std::string_view rest = text;
  for (bool value = false;; value = !value) {
    const auto end = rest.find(kRaisedValue);
    const auto part = rest.substr(0, end);
    sql += value ? fmt::format(" || CAST({} AS VARCHAR) || ", part) : sql_string(std::string(part));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return fmt::format("error({})", sql);
}

std::optional<Error> raised_error(std::string_view text) {
  const auto first = text.find(kRaise);
  if (first == std::string_view::npos) return std::nullopt;
  text.remove_prefix(first + 1);
  std::string parts[3];
  for (auto& part : parts) {
    const auto end = text.find(kRaise);
    if (end == std::string_view::npos) return std::nullopt;
    part = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  const Span span{std::atoi(parts[1].c_str()), std::atoi(parts[2].c_str())};
  return Error(parts[0], std::string(text)).at(span);
}

std::string time_sql(const std::string& micros) {
  return fmt::format("CAST(make_timestamp({}) AS TIME)", micros);
}

std::string sql_string(std::string_view text) {
  const bool has_zero = text.find('\0') != std::string_view::npos;  // ends DuckDB's text
  std::string out = has_zero ? "('" : "'";
  for (char c : text) {
    if (c == '\'') out += '\'';
    if (c == '\0')
      out += "' || chr(0) || '";
    else
      out += c;
  }
  return out + (has_zero ? "')" : "'");
}

std::string sql_name(std::string_view name) {
  std::string out = "\"";
  for (char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

}  // namespace firesteel
