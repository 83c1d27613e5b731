// Dates and times. Timestamps are UTC in the engine; parts are taken in the session's time zone.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "functions/coercion.h"
#include "functions/date_pattern.h"
#include "functions/groups.h"
#include "plan/names.h"

namespace firesteel {

namespace {

using enum TypeKind;

/// A part of a date or of a timestamp's local time, as an int.
Resolved part(std::vector<Resolved>& a, const CallContext& call, const char* function) {
  const auto kind = a[0].type.kind;
  const bool clock = function == std::string_view("hour") ||
                     function == std::string_view("minute") ||
                     function == std::string_view("second");
  if (kind != kDate && kind != kTimestampNtz && !(clock && kind == kTime)) {
    if (!a[0].type.is_datetime())
      a[0] = coerce(a[0], make_type(clock ? kTimestamp : kDate), call.time_zone);
    if (a[0].type.kind == kTimestamp) a[0] = cast(a[0], make_type(kTimestampNtz), call.time_zone);
  }
  Resolved result{.sql = fmt::format("{}({})", function, a[0].sql),
                  .type = make_type(kInteger),
                  .nullable = a[0].nullable,
                  .exact = false};
  return result;
}
#define PART(function, duckdb)                                           \
  Resolved function(std::vector<Resolved>& a, const CallContext& call) { \
    return part(a, call, duckdb);                                        \
  }
PART(year_of, "year")
PART(quarter_of, "quarter")
PART(month_of, "month")
PART(week_of, "weekofyear")
PART(day_of, "day")
PART(day_of_year, "dayofyear")
PART(hour_of, "hour")
PART(minute_of, "minute")
PART(second_of, "second")
PART(iso_year, "isoyear")
PART(iso_day_of_week, "isodow")
#undef PART

/// Spark counts days of the week from Sunday = 1.
Resolved day_of_week(std::vector<Resolved>& a, const CallContext& call) {
  auto result = part(a, call, "dayofweek");
  result.sql = fmt::format("({} + 1)", result.sql);
  return result;
}
/// … and in `weekday` from Monday = 0.
Resolved next_day(std::vector<Resolved>& a, const CallContext& call) {
  // Three names a day, Monday first.
  constexpr std::string_view kDays =
      "['MO', 'MON', 'MONDAY', 'TU', 'TUE', 'TUESDAY', 'WE', 'WED', 'WEDNESDAY', 'TH', 'THU', "
      "'THURSDAY', 'FR', 'FRI', 'FRIDAY', 'SA', 'SAT', 'SATURDAY', 'SU', 'SUN', 'SUNDAY']";
  const auto failure =
      raise_sql("ILLEGAL_DAY_OF_WEEK",
                "Illegal input for day of week. Use `SU`, `SUN`, `SUNDAY`, …, `SA`, "
                "`SAT` or `SATURDAY`.",
                call.span);
  return {
      .sql = fmt::format(
          "CASE WHEN {0} IS NULL OR {1} IS NULL THEN NULL WHEN NOT list_contains({2}, upper({1})) "
          "THEN CAST({3} AS DATE) ELSE {0} + CAST(((list_position({2}, upper({1})) - 1) // 3 + 1 - "
          "isodow({0}) + 6) % 7 + 1 AS INTEGER) END",
          a[0].sql, a[1].sql, kDays, failure),
      .type = make_type(kDate)};
}

Resolved week_day(std::vector<Resolved>& a, const CallContext& call) {
  auto result = part(a, call, "isodow");
  result.sql = fmt::format("({} - 1)", result.sql);
  return result;
}

/// A field of an interval, with the interval's sign.
Resolved interval_part(const std::string& field, const std::vector<Resolved>& a,
                       const CallContext& call) {
  const bool calendar = a[1].type.kind == kCalendarInterval;
  const bool months = a[1].type.kind == kYearMonthInterval;
  const auto total =
      months ? fmt::format("CAST(date_part('year', {0}) * 12 + date_part('month', {0}) AS BIGINT)",
                           a[1].sql)
             : fmt::format("epoch_us({})", a[1].sql);
  struct Entry {
    std::string_view name;
    bool months;
    int64_t size, within;
    TypeKind kind;
  };
  static constexpr Entry kParts[] = {
      {"year", true, 12, 0, kInteger},          {"month", true, 1, 12, kByte},
      {"day", false, 86400000000, 0, kInteger}, {"hour", false, 3600000000, 24, kByte},
      {"minute", false, 60000000, 60, kByte},   {"second", false, 1, 60000000, kDecimal}};
  const auto singular =
      field.size() > 1 && field.back() == 's' ? field.substr(0, field.size() - 1) : field;
  for (const auto& part : kParts) {
    if (part.name != singular || (part.months != months && !calendar)) continue;
    const auto whole =
        !calendar ? total
                  : fmt::format("spark_calendar_part({}, {})", a[1].sql, part.months ? 0 : 2);
    auto amount = fmt::format("CAST(trunc({} / {}) AS BIGINT)", whole, part.size);
    if (part.size == 1) amount = whole;
    if (calendar && part.name == "day")
      amount = fmt::format("(spark_calendar_part({}, 1) + {})", a[1].sql, amount);
    if (part.within > 0) amount = fmt::format("({} % {})", amount, part.within);
    const auto type = part.kind == kDecimal ? decimal_type(8, 6) : make_type(part.kind);
    return {.sql = part.kind == kDecimal ? fmt::format("CAST({} / 1e6 AS DECIMAL(8,6))", amount)
                                         : fmt::format("CAST({} AS {})", amount, duckdb_type(type)),
            .type = type,
            .nullable = a[1].nullable};
  }
  throw Error("INVALID_EXTRACT_FIELD",
              fmt::format("Cannot extract `{}` from \"{}\".", a[0].literal, a[1].name))
      .at(call.span);
}

/// extract('field', source)
Resolved extract(std::vector<Resolved>& a, const CallContext& call) {
  const std::string field = lower_case(a[0].literal);
  const std::string name = fmt::format("extract({} FROM {})", a[0].name, a[1].name);
  if (a[1].type.kind == kDayTimeInterval || a[1].type.kind == kYearMonthInterval ||
      a[1].type.kind == kCalendarInterval) {
    auto part = interval_part(field, a, call);
    part.name = name;
    return part;
  }
  std::vector<Resolved> source = {a[1]};
  Resolved result;
  struct Entry {
    std::string_view field;
    LowerFunction lower;
  };
  static constexpr Entry kFields[] = {{"year", year_of},
                                      {"years", year_of},
                                      {"y", year_of},
                                      {"yrs", year_of},
                                      {"yr", year_of},
                                      {"quarter", quarter_of},
                                      {"qtr", quarter_of},
                                      {"month", month_of},
                                      {"mon", month_of},
                                      {"mons", month_of},
                                      {"months", month_of},
                                      {"week", week_of},
                                      {"weeks", week_of},
                                      {"day", day_of},
                                      {"d", day_of},
                                      {"days", day_of},
                                      {"dayofweek", day_of_week},
                                      {"dow", day_of_week},
                                      {"dayofweek_iso", iso_day_of_week},
                                      {"dow_iso", iso_day_of_week},
                                      {"yearofweek", iso_year},
                                      {"w", week_of},
                                      {"doy", day_of_year},
                                      {"hour", hour_of},
                                      {"hours", hour_of},
                                      {"h", hour_of},
                                      {"hr", hour_of},
                                      {"hrs", hour_of},
                                      {"minute", minute_of},
                                      {"minutes", minute_of},
                                      {"m", minute_of},
                                      {"min", minute_of},
                                      {"mins", minute_of}};
  const bool time = a[1].type.kind == kTime;
  for (const auto& entry : kFields) {
    const bool clock = entry.lower == hour_of || entry.lower == minute_of;
    if (entry.field == field && (clock || !time)) {
      result = entry.lower(source, call);
      result.name = name;
      return result;
    }
  }
  if (field == "second" || field == "seconds" || field == "sec" || field == "secs" ||
      field == "s") {
    auto moment = time ? a[1] : coerce(a[1], make_type(kTimestamp), call.time_zone);
    result = {
        .sql = fmt::format(
            "CAST((epoch_us({0}) - 60000000 * (epoch_us({0}) // 60000000)) / 1e6 AS DECIMAL(8,6))",
            moment.sql),
        .type = decimal_type(8, 6),
        .nullable = moment.nullable};
    result.name = name;
    return result;
  }
  throw Error("INVALID_EXTRACT_FIELD",
              fmt::format("Cannot extract `{}` from \"{}\".", a[0].literal, a[1].name))
      .at(call.span);
}

const std::string& constant(const Resolved& value, const CallContext& call) {
  if (value.literal.empty()) {
    throw Error("UNSUPPORTED_FEATURE.DATETIME_PATTERN",
                fmt::format("The format of {} must be a literal.", call.name))
        .at(call.span);
  }
  return value.literal;
}

/// A pattern of Java's, checked as far as it is known.
void check_pattern(const Resolved& pattern, bool parsing, const CallContext& call) {
  if (pattern.literal.empty() || pattern.sql.starts_with("CAST(NULL")) return;
  try {
    DatePattern(pattern.literal, parsing);
  } catch (const Error& error) {
    throw error.at(call.span);
  }
}

/// Text of a timestamp in a pattern, on the session's clock.
Resolved formatted(const Resolved& moment, const Resolved& pattern, const CallContext& call) {
  check_pattern(pattern, false, call);
  return {.sql = fmt::format("spark_date_format({}, {}, {}, {})",
                             cast(moment, make_type(kTimestampNtz), call.time_zone).sql, moment.sql,
                             sql_string(call.time_zone), pattern.sql),
          .type = make_type(kString),
          .nullable = moment.nullable || pattern.nullable};
}

Resolved date_format(std::vector<Resolved>& a, const CallContext& call) {
  auto moment = coerce(a[0], make_type(kTimestamp), call.time_zone);
  auto result = formatted(moment, a[1], call);
  result.name = fmt::format("date_format({}, {})", a[0].name, a[1].name);
  return result;
}

/// Text of a pattern as a date or timestamp; null where it is none.
Resolved parsed(const Resolved& text, const Resolved& pattern, TypeKind kind,
                const CallContext& call) {
  check_pattern(pattern, true, call);
  const bool known = !pattern.literal.empty();
  const bool zoned =
      kind != kTimestampNtz &&
      (!known || (pattern.literal != "NULL" && DatePattern(pattern.literal, true).has_zone()));
  const auto arguments =
      fmt::format("{}, {}", coerce(text, make_type(kString), call.time_zone).sql, pattern.sql);
  Resolved moment{.sql = fmt::format("spark_try_parse_local({})", arguments),
                  .type = make_type(kTimestampNtz)};
  if (zoned) {
    moment.sql = fmt::format(
        "make_timestamp(epoch_us(TRY_CAST(spark_try_parse_zoned({}, {}) AS TIMESTAMPTZ)))",
        arguments, sql_string(call.time_zone));
    moment.type = make_type(kTimestamp);
  }
  return cast(moment, make_type(kind), call.time_zone);
}

/// to_date, to_timestamp and kin: text by a pattern, or anything by a cast.
Resolved parse_with(std::vector<Resolved>& a, const CallContext& call, TypeKind kind) {
  if (a.size() == 1 || (a[0].type.kind != kString && !a[0].is_null()))
    return cast(a[0], make_type(kind), call.time_zone);
  auto result = parsed(a[0], a[1], kind, call);
  const auto raise = raise_sql("CANNOT_PARSE_TIMESTAMP",
                               fmt::format("Text could not be parsed as a timestamp of the pattern "
                                           "{}. Use `try_to_timestamp` to tolerate invalid "
                                           "input string and return NULL instead.",
                                           a[1].name),
                               call.span);
  result.sql = fmt::format("coalesce({}, CASE WHEN {} IS NOT NULL AND {} IS NOT NULL THEN {} END)",
                           result.sql, a[0].sql, a[1].sql, raise);
  result.nullable = true;
  return result;
}
template <TypeKind kind>
Resolved to_moment(std::vector<Resolved>& a, const CallContext& call) {
  const auto name =
      fmt::format("{}({}{})", call.name, a[0].name, a.size() > 1 ? ", " + a[1].name : "");
  auto result = parse_with(a, call, kind);
  result.name = name;
  return result;
}

Resolved truncated(const Resolved& moment, const Resolved& unit, const CallContext& call,
                   bool date) {
  static constexpr std::pair<std::string_view, std::string_view> kUnits[] = {
      {"year", "year"},    {"yyyy", "year"}, {"yy", "year"},   {"quarter", "quarter"},
      {"month", "month"},  {"mon", "month"}, {"mm", "month"},  {"week", "week"},
      {"day", "day"},      {"dd", "day"},    {"hour", "hour"}, {"minute", "minute"},
      {"second", "second"}};
  const auto wanted = lower_case(constant(unit, call));
  for (const auto& [name, duckdb] : kUnits) {
    if (name != wanted) continue;
    if (date && (duckdb == "day" || duckdb == "hour" || duckdb == "minute" || duckdb == "second"))
      break;
    if (date)
      return {.sql = fmt::format("CAST(date_trunc('{}', {}) AS DATE)", duckdb,
                                 coerce(moment, make_type(kDate), call.time_zone).sql),
              .type = make_type(kDate)};
    auto local = cast(coerce(moment, make_type(kTimestamp), call.time_zone),
                      make_type(kTimestampNtz), call.time_zone);
    local.sql = fmt::format("date_trunc('{}', {})", duckdb, local.sql);
    return cast(local, make_type(kTimestamp), call.time_zone);
  }
  return {.sql = "CAST(NULL AS DATE)",
          .type = make_type(date ? kDate : kTimestamp)};  // as Spark: an unknown unit gives null
}
Resolved trunc_date(std::vector<Resolved>& a, const CallContext& call) {
  auto result = truncated(a[0], a[1], call, true);
  result.name = fmt::format("trunc({}, {})", a[0].name, a[1].name);
  return result;
}
Resolved date_trunc(std::vector<Resolved>& a, const CallContext& call) {
  auto result = truncated(a[1], a[0], call, false);
  result.name = fmt::format("date_trunc({}, {})", a[0].name, a[1].name);
  return result;
}

Resolved last_day(std::vector<Resolved>& a, const CallContext&) {
  return {.sql = fmt::format("last_day({})", a[0].sql),
          .type = make_type(kDate),
          .nullable = a[0].nullable};
}

Resolved current_date(std::vector<Resolved>&, const CallContext& call) {
  Resolved now{
      .sql = "make_timestamp(epoch_us(now()))", .type = make_type(kTimestamp), .nullable = false};
  auto result = cast(now, make_type(kDate), call.time_zone);
  result.name = "current_date()";
  return result;
}

Resolved date_part(std::vector<Resolved>& a, const CallContext& call) {
  const auto name = call.name == "datepart"
                        ? fmt::format("datepart({} FROM {})", a[0].name, a[1].name)
                        : fmt::format("date_part({}, {})", a[0].name, a[1].name);
  auto result = extract(a, call);
  result.name = name;
  return result;
}

Resolved current_timezone(std::vector<Resolved>&, const CallContext& call) {
  return {.sql = sql_string(call.time_zone), .type = make_type(kString), .nullable = false};
}

Resolved from_unixtime(std::vector<Resolved>& a, const CallContext& call) {
  const std::string otherwise = "yyyy-MM-dd HH:mm:ss";
  const Resolved pattern = a.size() > 1 ? a[1]
                                        : Resolved{.sql = sql_string(otherwise),
                                                   .type = make_type(kString),
                                                   .nullable = false,
                                                   .literal = otherwise,
                                                   .name = otherwise};
  const Resolved moment{.sql = fmt::format("make_timestamp({} * 1000000)", a[0].sql),
                        .type = make_type(kTimestamp),
                        .nullable = a[0].nullable};
  auto result = formatted(moment, pattern, call);
  result.name = fmt::format("from_unixtime({}, {})", a[0].name, pattern.name);
  return result;
}

/// A date or timestamp of its parts, or an error where they are none.
std::string made_of(const char* function, const std::string& parts, const std::vector<Resolved>& a,
                    const CallContext& call) {
  std::string given;
  for (const auto& part : a)
    given += fmt::format("{}{} IS NOT NULL", given.empty() ? "" : " AND ", part.sql);
  const auto raise = raise_sql(
      "DATETIME_FIELD_OUT_OF_BOUNDS.WITHOUT_SUGGESTION",
      fmt::format("The fields of {} are no date or time of the calendar.", call.name), call.span);
  return fmt::format("coalesce(TRY({}({})), CASE WHEN {} THEN {} END)", function, parts, given,
                     raise);
}

Resolved make_date_of(std::vector<Resolved>& a, const CallContext& call) {
  const auto parts = fmt::format("{}, {}, {}", a[0].sql, a[1].sql, a[2].sql);
  return {.sql = made_of("make_date", parts, a, call), .type = make_type(kDate)};
}

constexpr std::pair<std::string_view, int64_t> kUnitMicros[] = {
    {"WEEK", 604800000000}, {"DAY", 86400000000},  {"HOUR", 3600000000}, {"MINUTE", 60000000},
    {"SECOND", 1000000},    {"MILLISECOND", 1000}, {"MICROSECOND", 1}};
constexpr std::pair<std::string_view, int> kUnitMonths[] = {
    {"YEAR", 12}, {"QUARTER", 3}, {"MONTH", 1}};

std::string upper_text(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

[[noreturn]] void wrong_unit(const Resolved& unit, const CallContext& call) {
  throw Error("INVALID_PARAMETER_VALUE.DATETIME_UNIT",
              fmt::format("The value of parameter `unit` in `{}` is invalid: expects one of the "
                          "units YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, "
                          "MINUTE, SECOND, MILLISECOND, MICROSECOND, but got '{}'.",
                          call.name, unit.literal))
      .at(call.span);
}

/// timestampadd(unit, amount, moment): days and longer units are those of the session's calendar.
Resolved timestamp_add(std::vector<Resolved>& a, const CallContext& call) {
  const auto unit = upper_text(a[0].literal);
  const bool ntz = a[2].type.kind == kTimestampNtz;
  const auto moment = ntz ? a[2] : coerce(a[2], make_type(kTimestamp), call.time_zone);
  std::string step;
  bool calendar = true;
  for (const auto& [name, months] : kUnitMonths) {
    if (name == unit) step = fmt::format("to_months(CAST({} * {} AS INTEGER))", a[1].sql, months);
  }
  for (const auto& [name, micros] : kUnitMicros) {
    if (name != unit) continue;
    calendar = micros >= 86400000000;
    step = calendar
               ? fmt::format("to_days(CAST({} * {} AS INTEGER))", a[1].sql, micros / 86400000000)
               : fmt::format("to_microseconds({} * {})", a[1].sql, micros);
  }
  if (step.empty()) wrong_unit(a[0], call);
  auto local = calendar && !ntz ? cast(moment, make_type(kTimestampNtz), call.time_zone) : moment;
  local.sql = fmt::format("({} + {})", local.sql, step);
  auto result = calendar && !ntz ? cast(local, make_type(kTimestamp), call.time_zone) : local;
  return {.sql = result.sql,
          .type = result.type,
          .nullable = a[1].nullable || a[2].nullable,
          .name = fmt::format("timestampadd({}, {}, {})", a[0].literal, a[1].name, a[2].name)};
}

/// timestampdiff(unit, start, end): whole units between.
Resolved timestamp_diff(std::vector<Resolved>& a, const CallContext& call) {
  const auto unit = upper_text(a[0].literal);
  const auto local = [&](const Resolved& value) {
    return cast(coerce(value,
                       make_type(value.type.kind == kTimestampNtz ? kTimestampNtz : kTimestamp),
                       call.time_zone),
                make_type(kTimestampNtz), call.time_zone)
        .sql;
  };
  std::string sql;
  for (const auto& [name, months] : kUnitMonths) {
    if (name != unit) continue;
    // Whole months as Java counts them: by the days' numbers, whatever the months' lengths.
    const auto place = [](const std::string& date) {
      return fmt::format("((year({0}) * 12 + month({0})) * 32 + day({0}))", date);
    };
    const auto start = local(a[1]), end = local(a[2]);
    const auto start_date = fmt::format("CAST({} AS DATE)", start),
               end_date = fmt::format("CAST({} AS DATE)", end);
    const auto last = fmt::format(
        "({0} + CASE WHEN {0} > {1} AND CAST({2} AS TIME) < CAST({3} AS TIME) THEN -1 WHEN {0} < "
        "{1} AND "
        "CAST({2} AS TIME) > CAST({3} AS TIME) THEN 1 ELSE 0 END)",
        end_date, start_date, end, start);
    sql = fmt::format("CAST(trunc(({} - {}) / 32) AS BIGINT)", place(last), place(start_date));
    if (months > 1) sql = fmt::format("CAST(trunc({} / {}) AS BIGINT)", sql, months);
  }
  for (const auto& [name, micros] : kUnitMicros) {
    if (name == unit)
      sql = fmt::format("CAST(trunc((epoch_us({}) - epoch_us({})) / {}) AS BIGINT)", local(a[2]),
                        local(a[1]), micros);
  }
  if (sql.empty()) wrong_unit(a[0], call);
  return {.sql = sql,
          .type = make_type(kLong),
          .nullable = a[1].nullable || a[2].nullable,
          .name = fmt::format("timestampdiff({}, {}, {})", a[0].literal, a[1].name, a[2].name)};
}

/// convert_timezone([from,] to, wall clock)
Resolved convert_timezone(std::vector<Resolved>& a, const CallContext& call) {
  const bool given = a.size() > 2;
  const auto from = given ? a[0].sql : sql_string(call.time_zone);
  const auto& to = a[given ? 1 : 0];
  const auto& moment = a[given ? 2 : 1];
  const auto local =
      cast(coerce(moment, make_type(moment.type.kind == kTimestamp ? kTimestamp : kTimestampNtz),
                  call.time_zone),
           make_type(kTimestampNtz), call.time_zone);
  return {.sql = fmt::format("timezone({}, timezone({}, {}))", to.sql, from, local.sql),
          .type = make_type(kTimestampNtz),
          .nullable = to.nullable || moment.nullable,
          .name = fmt::format("convert_timezone({}, {}, {})",
                              given ? a[0].name : "current_timezone()", to.name, moment.name)};
}

Resolved make_dt_interval(std::vector<Resolved>& a, const CallContext&) {
  static constexpr int64_t kMicros[] = {86400000000, 3600000000, 60000000};
  std::string sql, names;
  for (size_t i = 0; i < 4; ++i) {
    names += (i ? ", " : "") + (i < a.size() ? a[i].name : std::string(i < 3 ? "0" : "0.000000"));
    if (i >= a.size()) continue;
    sql +=
        (i ? " + " : "") + (i < 3 ? fmt::format("CAST({} AS BIGINT) * {}", a[i].sql, kMicros[i])
                                  : fmt::format("CAST(round({} * 1000000) AS BIGINT)", a[i].sql));
  }
  DataType type = make_type(kDayTimeInterval);
  return {.sql = fmt::format("to_microseconds({})", sql.empty() ? "0" : sql),
          .type = type,
          .name = fmt::format("make_dt_interval({})", names)};
}

Resolved make_ym_interval(std::vector<Resolved>& a, const CallContext&) {
  return {.sql = fmt::format("to_months(CAST({} * 12 + {} AS INTEGER))", a.empty() ? "0" : a[0].sql,
                             a.size() > 1 ? a[1].sql : "0"),
          .type = make_type(kYearMonthInterval),
          .name = fmt::format("make_ym_interval({}, {})", a.empty() ? "0" : a[0].name,
                              a.size() > 1 ? a[1].name : "0")};
}

/// make_interval([years, months, weeks, days, hours, minutes, seconds]); try_make_interval is null
/// where a part is too large.
Resolved make_interval(std::vector<Resolved>& a, const CallContext& call) {
  static constexpr int64_t kSizes[] = {12, 1, 7, 1, 3600000000, 60000000, 1000000};
  std::string parts[3], given;
  std::vector<std::string> names;
  for (size_t i = 0; i < 7; ++i) {
    names.push_back(i < a.size() ? a[i].name : i < 6 ? "0" : "0.000000");
    if (i >= a.size()) continue;
    const auto value = i < 6 ? fmt::format("CAST({} AS BIGINT)", a[i].sql)
                             : coerce(a[i], decimal_type(18, 6), call.time_zone).sql;
    auto& part = parts[i < 2 ? 0 : i < 4 ? 1 : 2];
    part += fmt::format("{}{} * {}", part.empty() ? "" : " + ", value, kSizes[i]);
    given += fmt::format("{}{} IS NOT NULL", i ? " AND " : "", a[i].sql);
  }
  for (auto& part : parts) part = part.empty() ? "0" : part;
  Resolved result{
      .sql = fmt::format("TRY(to_months(CAST({} AS INTEGER)) + to_days(CAST({} AS INTEGER)) + "
                         "to_microseconds(CAST({} AS BIGINT)))",
                         parts[0], parts[1], parts[2]),
      .type = make_type(kCalendarInterval),
      .name = fmt::format("{}({})", call.name, fmt::join(names, ", "))};
  if (call.name == "make_interval" && !a.empty()) {
    const auto large = raise_sql("ARITHMETIC_OVERFLOW",
                                 "Overflow in the parts of an interval. Use `try_make_interval` to "
                                 "tolerate overflow and return NULL instead.",
                                 call.span);
    result.sql = fmt::format("coalesce({}, CASE WHEN {} THEN {} END)", result.sql, given, large);
  }
  return result;
}

/// make_timestamp(year, month, day, hour, minute, second[, zone]) and kin; null where the parts are
/// none and the name begins with try_.
Resolved make_timestamp_of(std::vector<Resolved>& a, const CallContext& call) {
  const bool tolerant = call.name.starts_with("try_"), ntz = call.name.ends_with("_ntz");
  const auto second = coerce(a[5], decimal_type(16, 6), call.time_zone).sql;
  // A 60th second is the next minute's first; it has no fraction.
  const auto made = fmt::format(
      "TRY(make_timestamp({}, {}, {}, {}, {}, 0) + to_microseconds(CASE WHEN {} BETWEEN 0 AND 60 "
      "THEN "
      "CAST({} * 1000000 AS BIGINT) END))",
      a[0].sql, a[1].sql, a[2].sql, a[3].sql, a[4].sql, second, second);
  Resolved local{.sql = made, .type = make_type(kTimestampNtz)};
  if (!tolerant) {
    std::string given;
    for (size_t i = 0; i < 6; ++i)
      given += fmt::format("{}{} IS NOT NULL", i ? " AND " : "", a[i].sql);
    const auto outside = raise_sql(
        "DATETIME_FIELD_OUT_OF_BOUNDS.WITHOUT_SUGGESTION",
        fmt::format("The fields of {} are no date or time of the calendar.", call.name), call.span);
    const auto fraction = raise_sql(
        "INVALID_FRACTION_OF_SECOND",
        "Valid range for seconds is [0, 60] (inclusive), and 60 has no fraction.", call.span);
    local.sql = fmt::format(
        "coalesce({}, CASE WHEN {} THEN CASE WHEN {} > 60 AND {} < 61 THEN {} ELSE "
        "{} END END)",
        made, given, second, second, fraction, outside);
  }
  auto result = ntz ? local : cast(local, make_type(kTimestamp), call.time_zone);
  if (a.size() > 6)
    result.sql = fmt::format("timezone('UTC', timezone({}, {}))", a[6].sql, local.sql);
  std::string names;
  for (size_t i = 0; i < a.size() && (i < 6 || call.name != "try_make_timestamp"); ++i)
    names += (i ? ", " : "") + a[i].name;
  return {.sql = result.sql, .type = result.type, .name = fmt::format("{}({})", call.name, names)};
}

/// make_timestamp(date): its midnight.
Resolved midnight(std::vector<Resolved>& a, const CallContext& call) {
  const bool ntz = call.name.ends_with("_ntz");
  return {.sql = cast(a[0], make_type(ntz ? kTimestampNtz : kTimestamp), call.time_zone).sql,
          .type = make_type(ntz ? kTimestampNtz : kTimestamp),
          .nullable = a[0].nullable};
}

/// make_timestamp(date, time[, zone])
Resolved moment_of(std::vector<Resolved>& a, const CallContext& call) {
  const bool ntz = call.name.ends_with("_ntz");
  const Resolved local{.sql = fmt::format("({} + {})", a[0].sql, a[1].sql),
                       .type = make_type(kTimestampNtz)};
  auto result = ntz ? local : cast(local, make_type(kTimestamp), call.time_zone);
  if (a.size() > 2)
    result.sql = fmt::format("timezone('UTC', timezone({}, {}))", a[2].sql, local.sql);
  std::vector<std::string> names;
  for (const auto& value : a) names.push_back(value.name);
  const auto function =
      call.name.ends_with("_ltz") ? call.name.substr(0, call.name.size() - 4) : call.name;
  result.name = fmt::format("{}({})", function, fmt::join(names, ", "));
  return result;
}

constexpr std::pair<std::string_view, int64_t> kTimeUnits[] = {{"HOUR", 3600000000},
                                                               {"MINUTE", 60000000},
                                                               {"SECOND", 1000000},
                                                               {"MILLISECOND", 1000},
                                                               {"MICROSECOND", 1}};
/// Microseconds, as SQL: of a literal the number, of a column by its text.
std::string time_unit(const Resolved& unit, const CallContext& call) {
  const auto wrong = [&](const std::string& given) {
    return fmt::format(
        "The value of parameter `unit` in `{}` is invalid: expects one of the "
        "units HOUR, MINUTE, SECOND, MILLISECOND, MICROSECOND, but got {}.",
        call.name, given);
  };
  std::string cases;
  for (const auto& [name, micros] : kTimeUnits) {
    if (name == upper_text(unit.literal)) return std::to_string(micros);
    cases += fmt::format(" WHEN '{}' THEN {}", name, micros);
  }
  if (!unit.literal.empty()) {
    throw Error("INVALID_PARAMETER_VALUE.TIME_UNIT", wrong(fmt::format("'{}'", unit.literal)))
        .at(call.span);
  }
  return fmt::format("CASE upper({}){} ELSE {} END", unit.sql, cases,
                     raise_sql("INVALID_PARAMETER_VALUE.TIME_UNIT", wrong("another"), call.span));
}

/// time_diff(unit, start, end): whole units between two times of day.
Resolved time_difference(std::vector<Resolved>& a, const CallContext& call) {
  return {.sql = fmt::format("CAST(trunc((epoch_us({}) - epoch_us({})) / {}) AS BIGINT)", a[2].sql,
                             a[1].sql, "(" + time_unit(a[0], call) + ")"),
          .type = make_type(kLong)};
}

/// time_trunc(unit, time)
Resolved time_trunc(std::vector<Resolved>& a, const CallContext& call) {
  if (a[1].type.kind != kTime) a[1] = coerce(a[1], make_type(kTime), call.time_zone);
  const auto unit = "(" + time_unit(a[0], call) + ")";
  return {.sql = time_sql(fmt::format("(epoch_us({0}) // {1}) * {1}", a[1].sql, unit)),
          .type = a[1].type,
          .nullable = a[0].nullable || a[1].nullable};
}

/// The time of so many microseconds, or an error where the day has none such.
Resolved checked_time(const std::string& micros, const CallContext& call) {
  const auto outside =
      raise_sql("DATETIME_FIELD_OUT_OF_BOUNDS.WITHOUT_SUGGESTION",
                fmt::format("The arguments of {} are no time of day.", call.name), call.span);
  return {
      .sql = fmt::format("CASE WHEN {0} BETWEEN 0 AND 86399999999 THEN {1} WHEN {0} IS NOT NULL "
                         "THEN {2} END",
                         micros, time_sql(micros), outside),
      .type = make_type(kTime)};
}
Resolved make_time(std::vector<Resolved>& a, const CallContext& call) {
  const auto second = coerce(a[2], decimal_type(16, 6), call.time_zone).sql;
  // Minutes and seconds that are none make the whole none.
  return checked_time(
      fmt::format(
          "CASE WHEN {1} BETWEEN 0 AND 59 AND {2} >= 0 AND {2} < 60 THEN CAST({0} AS BIGINT) * "
          "3600000000 + CAST({1} AS BIGINT) * 60000000 + CAST({2} * 1000000 AS BIGINT) WHEN {0} IS "
          "NOT NULL "
          "AND {1} IS NOT NULL AND {2} IS NOT NULL THEN -1 END",
          a[0].sql, a[1].sql, second),
      call);
}
template <int64_t unit>
Resolved time_from(std::vector<Resolved>& a, const CallContext& call) {
  const auto value = a[0].type.is_integral() || a[0].is_null()
                         ? fmt::format("CAST({} AS DECIMAL(20,0))", a[0].sql)
                         : coerce(a[0], decimal_type(20, 6), call.time_zone).sql;
  return checked_time(fmt::format("CAST({} * {} AS BIGINT)", value, unit), call);
}

/// to_time(text[, pattern]) and try_to_time
Resolved to_time(std::vector<Resolved>& a, const CallContext& call) {
  const bool tolerant = call.name == "try_to_time";
  Resolved result{.sql = "", .type = make_type(kTime)};
  if (a.size() > 1) {
    check_pattern(a[1], true, call);
    result.sql = fmt::format("CAST(spark_try_parse_local({}, {}) AS TIME)", a[0].sql, a[1].sql);
  } else {
    result.sql = time_sql(fmt::format("spark_try_time({})", a[0].sql));
  }
  const auto name = fmt::format("to_time({}{})", a[0].name, a.size() > 1 ? ", " + a[1].name : "");
  result.name = tolerant ? fmt::format("try_to_time({})", name) : name;
  if (tolerant) return result;
  const auto wrong = raise_sql("CANNOT_PARSE_TIME",
                               "The input string cannot be parsed to a TIME value. Use "
                               "`try_to_time` to tolerate invalid input and return NULL instead.",
                               call.span);
  result.sql =
      fmt::format("coalesce({}, CASE WHEN {} IS NOT NULL{} THEN {} END)", result.sql, a[0].sql,
                  a.size() > 1 ? fmt::format(" AND {} IS NOT NULL", a[1].sql) : "", wrong);
  return result;
}

/// current_time([precision]), on the session's clock.
Resolved current_time(std::vector<Resolved>& a, const CallContext& call) {
  const auto digits = a.empty() ? std::string("6") : a[0].literal;
  if (digits.size() != 1 || digits[0] < '0' || digits[0] > '6') {
    throw Error(digits.empty() ? "DATATYPE_MISMATCH.NON_FOLDABLE_INPUT"
                               : "DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE",
                fmt::format("Cannot resolve \"current_time({0})\" due to data type mismatch: The "
                            "precision must be between [0, 6] (current value = {0}).",
                            a[0].name))
        .at(call.span);
  }
  const Resolved now{
      .sql = "make_timestamp(epoch_us(now()))", .type = make_type(kTimestamp), .nullable = false};
  auto result = cast(now, time_type(digits[0] - '0'), call.time_zone);
  result.name = fmt::format("current_time({})", digits);
  return result;
}

/// localtimestamp(): the session's wall clock.
Resolved local_timestamp(std::vector<Resolved>&, const CallContext& call) {
  const Resolved now{
      .sql = "make_timestamp(epoch_us(now()))", .type = make_type(kTimestamp), .nullable = false};
  auto result = cast(now, make_type(kTimestampNtz), call.time_zone);
  result.name = "localtimestamp()";
  return result;
}

/// window_time(window): the last moment of a window.
Resolved window_time(std::vector<Resolved>& a, const CallContext& call) {
  const bool window = a[0].type.kind == kStruct && a[0].type.fields->size() == 2 &&
                      (*a[0].type.fields)[1].name == "end";
  if (!window) {
    throw Error(
        "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
        fmt::format("Cannot resolve \"window_time({0})\" due to data type mismatch: The first "
                    "parameter requires a window, however \"{0}\" has the type \"{1}\".",
                    a[0].name, a[0].type.sql()))
        .at(call.span);
  }
  return {.sql = fmt::format("(struct_extract({}, 'end') - to_microseconds(1))", a[0].sql),
          .type = (*a[0].type.fields)[1].type,
          .nullable = a[0].nullable};
}

/// time_bucket(size, moment[, origin]): the start of the bucket that a moment is in.
Resolved time_bucket(std::vector<Resolved>& a, const CallContext& call) {
  const bool months = a[0].type.kind == kYearMonthInterval;
  if (!months && a[0].type.kind != kDayTimeInterval) {
    throw Error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                fmt::format("Cannot resolve \"time_bucket\" due to data type mismatch: The first "
                            "parameter requires the \"INTERVAL\" type, however \"{}\" has the type "
                            "\"{}\".",
                            a[0].name, a[0].type.sql()))
        .at(call.span);
  }
  const auto literal = std::string_view(a[0].name).substr(0, a[0].name.rfind('\''));
  if (literal.starts_with("INTERVAL '") &&
      (literal.find('-') == 10 || literal.find_first_of("123456789") == literal.npos)) {
    throw Error(
        "DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE",
        fmt::format("Cannot resolve \"time_bucket\" due to data type mismatch: The bucketSize "
                    "must be positive (current value = {}).",
                    a[0].name))
        .at(call.span);
  }
  const bool ntz = a[1].type.kind == kTimestampNtz;
  const auto local = [&](const Resolved& moment) {
    return cast(coerce(moment, make_type(ntz ? kTimestampNtz : kTimestamp), call.time_zone),
                make_type(kTimestampNtz), call.time_zone)
        .sql;
  };
  const auto moment = local(a[1]),
             origin = a.size() > 2 ? local(a[2]) : std::string("TIMESTAMP '1970-01-01'");
  std::string sql;
  if (months) {
    const auto size = fmt::format(
        "CAST(date_part('year', {0}) * 12 + date_part('month', {0}) AS BIGINT)", a[0].sql);
    // The bucket of the calendar's months, or the one before where the moment is not that late.
    const auto between =
        fmt::format("((year({0}) - year({1})) * 12 + month({0}) - month({1}))", moment, origin);
    const auto start = [&](const std::string& buckets) {
      return fmt::format("({} + to_months(CAST({} * {} AS INTEGER)))", origin, buckets, size);
    };
    const auto buckets = fmt::format("CAST(floor({} / {}) AS BIGINT)", between, size);
    sql = fmt::format("CASE WHEN {0} > {1} THEN {2} ELSE {0} END", start(buckets), moment,
                      start(fmt::format("({} - 1)", buckets)));
  } else {
    const auto size = fmt::format("epoch_us({})", a[0].sql),
               since = fmt::format("(epoch_us({}) - epoch_us({}))", moment, origin);
    sql = fmt::format("({0} - to_microseconds((({1}) % {2} + {2}) % {2}))", moment, since, size);
  }
  const Resolved bucket{.sql = sql, .type = make_type(kTimestampNtz)};
  auto result = ntz ? bucket : cast(bucket, make_type(kTimestamp), call.time_zone);
  std::vector<std::string> names;
  for (const auto& value : a) names.push_back(value.name);
  if (a.size() < 3)
    names.push_back(ntz ? "TIMESTAMP_NTZ '1970-01-01 00:00:00'"
                        : "TIMESTAMP '1970-01-01 00:00:00'");
  result.name = fmt::format("time_bucket({}, {}, {})", names[0], names[1], names[2]);
  return result;
}

Resolved months_between(std::vector<Resolved>& a, const CallContext& call) {
  const auto x = cast(a[0], make_type(kTimestampNtz), call.time_zone).sql,
             y = cast(a[1], make_type(kTimestampNtz), call.time_zone).sql;
  const auto months = fmt::format("((year({0}) - year({1})) * 12 + month({0}) - month({1}))", x, y);
  auto seconds = [](const std::string& sql) {
    return fmt::format("(day({0}) * 86400 + hour({0}) * 3600 + minute({0}) * 60 + second({0}))",
                       sql);
  };
  auto sql = fmt::format("({} + ({} - {}) / 2678400.0::DOUBLE)", months, seconds(x), seconds(y));
  if (a.size() < 3 || a[2].literal == "true") sql = fmt::format("round({}, 8)", sql);
  return {.sql = fmt::format("CASE WHEN day({0}) = day({1}) OR (last_day({0}) = CAST({0} AS DATE) "
                             "AND last_day({1}) = CAST({1} AS DATE)) "
                             "THEN CAST({2} AS DOUBLE) ELSE {3} END",
                             x, y, months, sql),
          .type = make_type(kDouble),
          .nullable = a[0].nullable || a[1].nullable,
          .name = fmt::format("months_between({}, {}, {})", a[0].name, a[1].name,
                              a.size() > 2 ? a[2].name : "true")};
}

Resolved unix_timestamp(std::vector<Resolved>& a, const CallContext& call) {
  const auto name = fmt::format("{}({}, {})", call.name, a[0].name,
                                a.size() > 1 ? a[1].name : "yyyy-MM-dd HH:mm:ss");
  const bool text = a[0].type.kind == kString;
  if (!text) a.resize(1);
  const auto moment = parse_with(a, call, kTimestamp);
  return {.sql = fmt::format("CAST(floor(epoch_us({}) / 1e6) AS BIGINT)", moment.sql),
          .type = make_type(kLong),
          .nullable = moment.nullable,
          .name = name};
}

/// try_to_date and try_to_timestamp: null where the text is none.
template <TypeKind kind>
Resolved try_to_moment(std::vector<Resolved>& a, const CallContext& call) {
  const auto name =
      fmt::format("{}({}{})", call.name, a[0].name, a.size() > 1 ? ", " + a[1].name : "");
  const bool by_pattern = a.size() > 1 && a[0].type.kind == kString;
  auto result = by_pattern ? parsed(a[0], a[1], kind, call)
                           : cast(a[0], make_type(kind), call.time_zone, true);
  result.name = name;
  return result;
}

}  // namespace

// clang-format off
constexpr FunctionSpec kDateTime[] = {
    {.name = "add_months", .signature = "(start: date, months: int) -> date", .lowering = "CAST({0} + to_months({1}) AS DATE)",
     .doc = "The date a number of months later.", .example = "add_months('2016-08-31', 1)", .gives = "2016-09-30"},
    {.name = "convert_timezone", .signature = "(to: any, moment: any, [third: any]) -> timestamp_ntz", .lower = convert_timezone, .nulls = Nulls::kAlways,
     .doc = "The wall clock of a zone at the wall clock of another (or the session's): `convert_timezone([from,] to, moment)`.", .example = "convert_timezone('Europe/Brussels', 'America/Los_Angeles', TIMESTAMP_NTZ'2021-12-06 00:00:00')", .gives = "2021-12-05 15:00:00"},
    {.name = "curdate", .signature = "() -> date", .lower = current_date, .nulls = Nulls::kNever,
     .doc = "Today, in the session's time zone.", .example = "curdate() > DATE'2020-01-01'", .gives = "true"},
    {.name = "current_date", .signature = "() -> date", .lower = current_date, .nulls = Nulls::kNever,
     .doc = "Today, in the session's time zone.", .example = "current_date() > DATE'2020-01-01'", .gives = "true"},
    {.name = "current_time", .signature = "([precision: int]) -> time", .lower = current_time, .nulls = Nulls::kNever,
     .doc = "The time of day, in the session's time zone.", .example = "current_time() >= TIME'00:00:00'", .gives = "true"},
    {.name = "current_timestamp", .signature = "() -> timestamp", .lowering = "make_timestamp(epoch_us(now()))", .nulls = Nulls::kNever,
     .doc = "Now.", .example = "current_timestamp() > TIMESTAMP'2020-01-01'", .gives = "true"},
    {.name = "current_timezone", .signature = "() -> string", .lower = current_timezone, .nulls = Nulls::kNever,
     .doc = "The session's time zone.", .example = "current_timezone()", .gives = "UTC"},
    {.name = "date_add", .signature = "(start: date, days: int) -> date", .exact_numbers = true, .lowering = "({0} + {1})",
     .doc = "The date a number of days later.", .example = "date_add('2016-07-30', 1)", .gives = "2016-07-31"},
    {.name = "date_diff", .signature = "(end: date, start: date) -> int", .lowering = "({0} - {1})",
     .doc = "Days from `start` to `end`.", .example = "date_diff('2009-07-31', '2009-07-30')", .gives = "1"},
    {.name = "date_format", .signature = "(moment: any, format: string) -> string", .lower = date_format,
     .doc = "As text of a Java pattern.", .example = "date_format('2016-04-08', 'y')", .gives = "2016"},
    {.name = "date_from_unix_date", .signature = "(days: int) -> date", .lowering = "(DATE '1970-01-01' + {0})",
     .doc = "The date so many days after 1970.", .example = "date_from_unix_date(1)", .gives = "1970-01-02"},
    {.name = "date_part", .signature = "(field: string, source: any) -> any", .lower = date_part,
     .doc = "A part of a date or timestamp.", .example = "date_part('YEAR', DATE'2019-08-12')", .gives = "2019"},
    {.name = "date_sub", .signature = "(start: date, days: int) -> date", .exact_numbers = true, .lowering = "({0} - {1})",
     .doc = "The date a number of days before.", .example = "date_sub('2016-07-30', 1)", .gives = "2016-07-29"},
    {.name = "date_trunc", .signature = "(unit: string, moment: any) -> timestamp", .lower = date_trunc, .nulls = Nulls::kAlways,
     .doc = "The start of the year, month, day, hour …", .example = "date_trunc('HOUR', '2015-03-05T09:32:05.359')", .gives = "2015-03-05 09:00:00"},
    {.name = "dateadd", .signature = "(start: date, days: int) -> date", .exact_numbers = true, .lowering = "({0} + {1})", .print = "date_add({0}, {1})",
     .doc = "The date a number of days later.", .example = "dateadd('2016-07-30', 1)", .gives = "2016-07-31"},
    {.name = "datediff", .signature = "(end: date, start: date) -> int", .lowering = "({0} - {1})",
     .doc = "Days from `start` to `end`.", .example = "datediff('2009-07-31', '2009-07-30')", .gives = "1"},
    {.name = "datepart", .signature = "(field: string, source: any) -> any", .lower = date_part,
     .doc = "A part of a date or timestamp.", .example = "datepart('YEAR', DATE'2019-08-12')", .gives = "2019"},
    {.name = "day", .signature = "(moment: any) -> int", .lower = day_of,
     .doc = "Day of the month.", .example = "day('2009-07-30')", .gives = "30"},
    {.name = "dayname", .signature = "(date: date) -> string", .lowering = "strftime({0}, '%a')",
     .doc = "Short name of the weekday.", .example = "dayname(DATE'2008-02-20')", .gives = "Wed"},
    {.name = "dayofmonth", .signature = "(moment: any) -> int", .lower = day_of,
     .doc = "Day of the month.", .example = "dayofmonth('2009-07-30')", .gives = "30"},
    {.name = "dayofweek", .signature = "(moment: any) -> int", .lower = day_of_week,
     .doc = "Day of the week, from Sunday = 1.", .example = "dayofweek('2009-07-30')", .gives = "5"},
    {.name = "dayofyear", .signature = "(moment: any) -> int", .lower = day_of_year,
     .doc = "Day of the year.", .example = "dayofyear('2016-04-09')", .gives = "100"},
    {.name = "extract", .signature = "(field: string, source: any) -> any", .lower = extract,
     .doc = "A part of a date or timestamp: `extract(YEAR FROM x)`.", .example = "extract(MONTH FROM DATE'2019-08-12')", .gives = "8"},
    {.name = "from_unixtime", .signature = "(seconds: long, [format: string]) -> string", .lower = from_unixtime,
     .doc = "Text of a moment in seconds since 1970.", .example = "from_unixtime(0, 'yyyy-MM-dd HH:mm:ss')", .gives = "1970-01-01 00:00:00"},
    {.name = "from_utc_timestamp", .signature = "(moment: timestamp, zone: string) -> timestamp", .lowering = "timezone({1}, timezone('UTC', {0}))",
     .doc = "The wall clock of a zone at a UTC time.", .example = "from_utc_timestamp('2016-08-31', 'Asia/Seoul')", .gives = "2016-08-31 09:00:00"},
    {.name = "hour", .signature = "(moment: any) -> int", .lower = hour_of,
     .doc = "Hour of the day, in the session's time zone.", .example = "hour('2009-07-30 12:58:59')", .gives = "12"},
    {.name = "last_day", .signature = "(date: date) -> date", .lower = last_day,
     .doc = "The last day of the month.", .example = "last_day('2009-01-12')", .gives = "2009-01-31"},
    {.name = "localtime", .signature = "([precision: int]) -> time", .lower = current_time, .nulls = Nulls::kNever,
     .doc = "The time of day, in the session's time zone.", .example = "localtime() >= TIME'00:00:00'", .gives = "true"},
    {.name = "localtimestamp", .signature = "() -> timestamp_ntz", .lower = local_timestamp, .nulls = Nulls::kNever,
     .doc = "The wall clock of the session's time zone.", .example = "localtimestamp() > TIMESTAMP_NTZ'2020-01-01 00:00:00'", .gives = "true"},
    {.name = "make_date", .signature = "(year: int, month: int, day: int) -> date", .lower = make_date_of, .nulls = Nulls::kAlways,
     .doc = "A date of its parts.", .example = "make_date(2013, 7, 15)", .gives = "2013-07-15"},
    {.name = "make_dt_interval", .signature = "([days: int], [hours: int], [minutes: int], [seconds: double]) -> any", .lower = make_dt_interval, .nulls = Nulls::kAlways,
     .doc = "A day-time interval of its parts.", .example = "make_dt_interval(1, 12, 30, 01.001001)", .gives = "INTERVAL '1 12:30:01.001001' DAY TO SECOND"},
    {.name = "make_interval", .signature = "([years: int], [months: int], [weeks: int], [days: int], [hours: int], [minutes: int], [seconds: any]) -> any", .lower = make_interval, .nulls = Nulls::kAlways,
     .doc = "A calendar interval of its parts: months, days and time, each on its own.", .example = "make_interval(100, 11, 1, 1, 12, 30, 01.001001)", .gives = "100 years 11 months 8 days 12 hours 30 minutes 1.001001 seconds"},
    {.name = "make_time", .signature = "(hour: int, minute: int, second: any) -> time", .lower = make_time, .nulls = Nulls::kAlways,
     .doc = "A time of day of its parts.", .example = "make_time(6, 30, 45.887)", .gives = "06:30:45.887"},
    {.name = "make_timestamp", .signature = "(year: int, month: int, day: int, hour: int, minute: int, second: any, [zone: string]) -> timestamp", .lower = make_timestamp_of, .nulls = Nulls::kAlways,
     .doc = "A timestamp of its parts, on the wall clock of a zone or the session's.", .example = "make_timestamp(2014, 12, 28, 6, 30, 45.887)", .gives = "2014-12-28 06:30:45.887"},
    {.name = "make_timestamp", .signature = "(date: date) -> timestamp", .lower = midnight, .nulls = Nulls::kAlways},
    {.name = "make_timestamp", .signature = "(date: date, time: time, [zone: string]) -> timestamp", .lower = moment_of, .nulls = Nulls::kAlways},
    {.name = "make_timestamp_ltz", .signature = "(year: int, month: int, day: int, hour: int, minute: int, second: any, [zone: string]) -> timestamp", .lower = make_timestamp_of, .nulls = Nulls::kAlways,
     .doc = "A timestamp of its parts, on the wall clock of a zone or the session's.", .example = "make_timestamp_ltz(2014, 12, 28, 6, 30, 45.887, 'CET')", .gives = "2014-12-28 05:30:45.887"},
    {.name = "make_timestamp_ltz", .signature = "(date: date) -> timestamp", .lower = midnight, .nulls = Nulls::kAlways},
    {.name = "make_timestamp_ltz", .signature = "(date: date, time: time, [zone: string]) -> timestamp", .lower = moment_of, .nulls = Nulls::kAlways},
    {.name = "make_timestamp_ntz", .signature = "(year: int, month: int, day: int, hour: int, minute: int, second: any) -> timestamp_ntz", .lower = make_timestamp_of, .nulls = Nulls::kAlways,
     .doc = "A timestamp without time zone of its parts.", .example = "make_timestamp_ntz(2014, 12, 28, 6, 30, 45.887)", .gives = "2014-12-28 06:30:45.887"},
    {.name = "make_timestamp_ntz", .signature = "(date: date) -> timestamp_ntz", .lower = midnight, .nulls = Nulls::kAlways},
    {.name = "make_timestamp_ntz", .signature = "(date: date, time: time) -> timestamp_ntz", .lower = moment_of, .nulls = Nulls::kAlways},
    {.name = "make_ym_interval", .signature = "([years: int], [months: int]) -> any", .lower = make_ym_interval, .nulls = Nulls::kAlways,
     .doc = "A year-month interval of its parts.", .example = "make_ym_interval(1, 2)", .gives = "INTERVAL '1-2' YEAR TO MONTH"},
    {.name = "minute", .signature = "(moment: any) -> int", .lower = minute_of,
     .doc = "Minute of the hour.", .example = "minute('2009-07-30 12:58:59')", .gives = "58"},
    {.name = "month", .signature = "(moment: any) -> int", .lower = month_of,
     .doc = "Month of the year.", .example = "month('2016-07-30')", .gives = "7"},
    {.name = "monthname", .signature = "(date: date) -> string", .lowering = "strftime({0}, '%b')",
     .doc = "Short name of the month.", .example = "monthname(DATE'2008-02-20')", .gives = "Feb"},
    {.name = "months_between", .signature = "(end: timestamp, start: timestamp, [round: boolean]) -> double", .lower = months_between,
     .doc = "Months from `start` to `end`, a day being 1/31.", .example = "months_between('1997-02-28 10:30:00', '1996-10-30')", .gives = "3.94959677"},
    {.name = "next_day", .signature = "(start: date, day: string) -> date", .lower = next_day, .nulls = Nulls::kAlways,
     .doc = "The first such weekday after the date.", .example = "next_day('2015-01-14', 'TU')", .gives = "2015-01-20"},
    {.name = "now", .signature = "() -> timestamp", .lowering = "make_timestamp(epoch_us(now()))", .nulls = Nulls::kNever,
     .doc = "Now.", .example = "now() > TIMESTAMP'2020-01-01'", .gives = "true"},
    {.name = "quarter", .signature = "(moment: any) -> int", .lower = quarter_of,
     .doc = "Quarter of the year.", .example = "quarter('2016-08-31')", .gives = "3"},
    {.name = "second", .signature = "(moment: any) -> int", .lower = second_of,
     .doc = "Second of the minute.", .example = "second('2009-07-30 12:58:59')", .gives = "59"},
    {.name = "session_window", .signature = "(time: timestamp, gap: any) -> any", .of_resolver = true,
     .doc = "The session that a time falls in: in GROUP BY, times less than a gap apart are one.", .example = "session_window(TIMESTAMP'2021-01-01 00:00:00', '5 minutes')", .gives = "{2021-01-01 00:00:00, 2021-01-01 00:05:00}"},
    {.name = "time_bucket", .signature = "(size: any, moment: any, [origin: any]) -> any", .lower = time_bucket, .nulls = Nulls::kAlways,
     .doc = "The start of the bucket of that size, from 1970 or an origin, that a moment is in.", .example = "time_bucket(INTERVAL '15' MINUTE, TIMESTAMP'2024-01-01 11:27:00')", .gives = "2024-01-01 11:15:00"},
    {.name = "time_diff", .signature = "(unit: string, start: time, end: time) -> long", .lower = time_difference, .nulls = Nulls::kAlways,
     .doc = "Whole units between two times of day.", .example = "time_diff('HOUR', TIME'20:30:29', TIME'12:00:00')", .gives = "-8"},
    {.name = "time_from_micros", .signature = "(micros: long) -> time", .lower = time_from<1>, .nulls = Nulls::kAlways,
     .doc = "The time so many microseconds after midnight.", .example = "time_from_micros(52200500000)", .gives = "14:30:00.5"},
    {.name = "time_from_millis", .signature = "(millis: long) -> time", .lower = time_from<1000>, .nulls = Nulls::kAlways,
     .doc = "The time so many milliseconds after midnight.", .example = "time_from_millis(52200500)", .gives = "14:30:00.5"},
    {.name = "time_from_seconds", .signature = "(seconds: numeric) -> time", .lower = time_from<1000000>, .nulls = Nulls::kAlways,
     .doc = "The time so many seconds after midnight.", .example = "time_from_seconds(52200.5)", .gives = "14:30:00.5"},
    {.name = "time_to_micros", .signature = "(time: time) -> long", .lowering = "epoch_us({0})",
     .doc = "Microseconds since midnight.", .example = "time_to_micros(TIME'14:30:00.5')", .gives = "52200500000"},
    {.name = "time_to_millis", .signature = "(time: time) -> long", .lowering = "(epoch_us({0}) // 1000)",
     .doc = "Milliseconds since midnight.", .example = "time_to_millis(TIME'14:30:00.5')", .gives = "52200500"},
    {.name = "time_to_seconds", .signature = "(time: time) -> any", .lower = [](std::vector<Resolved>& a, const CallContext& call) {
       return Resolved{.sql = cast(a[0], decimal_type(14, 6), call.time_zone).sql, .type = decimal_type(14, 6), .nullable = a[0].nullable};
     },
     .doc = "Seconds since midnight.", .example = "time_to_seconds(TIME'14:30:00.5')", .gives = "52200.500000"},
    {.name = "time_trunc", .signature = "(unit: string, time: any) -> any", .lower = time_trunc, .nulls = Nulls::kAlways,
     .doc = "The start of the time's hour, minute, second, millisecond or microsecond.", .example = "time_trunc('HOUR', TIME'09:32:05.359')", .gives = "09:00:00"},
    {.name = "timestamp_micros", .signature = "(value: long) -> timestamp", .exact_numbers = true, .lowering = "make_timestamp({0})",
     .doc = "The moment so many microseconds after 1970.", .example = "timestamp_micros(1230219000123123)", .gives = "2008-12-25 15:30:00.123123"},
    {.name = "timestamp_millis", .signature = "(value: long) -> timestamp", .exact_numbers = true, .lowering = "make_timestamp({0} * 1000)",
     .doc = "The moment so many milliseconds after 1970.", .example = "timestamp_millis(1230219000123)", .gives = "2008-12-25 15:30:00.123"},
    {.name = "timestamp_nanos", .signature = "(value: long) -> timestamp", .unsupported = "there are no timestamps of nanoseconds; use those of microseconds",
     .doc = "The moment so many nanoseconds after 1970."},
    {.name = "timestamp_seconds", .signature = "(value: numeric) -> timestamp", .lowering = "make_timestamp(CAST(CAST({0} AS DECIMAL(24,6)) * 1000000 AS BIGINT))",
     .doc = "The moment so many seconds after 1970.", .example = "timestamp_seconds(1230219000)", .gives = "2008-12-25 15:30:00"},
    {.name = "timestampadd", .signature = "(unit: string, amount: long, moment: any) -> any", .lower = timestamp_add, .nulls = Nulls::kAlways,
     .doc = "The moment so many units later: `timestampadd(HOUR, 1, x)`.", .example = "timestampadd(MONTH, 1, TIMESTAMP'2024-01-31')", .gives = "2024-02-29 00:00:00"},
    {.name = "timestampdiff", .signature = "(unit: string, start: any, end: any) -> long", .lower = timestamp_diff, .nulls = Nulls::kAlways,
     .doc = "Whole units between two moments: `timestampdiff(DAY, x, y)`.", .example = "timestampdiff(MONTH, DATE'2024-01-01', DATE'2024-03-01')", .gives = "2"},
    {.name = "to_date", .signature = "(value: any, [format: string]) -> date", .lower = to_moment<kDate>,
     .doc = "Text as a date.", .example = "to_date('2016-12-31', 'yyyy-MM-dd')", .gives = "2016-12-31"},
    {.name = "to_time", .signature = "(str: string, [format: string]) -> time", .lower = to_time, .nulls = Nulls::kAlways,
     .doc = "Text as a time of day.", .example = "to_time('12.10.05', 'HH.mm.ss')", .gives = "12:10:05"},
    {.name = "to_timestamp", .signature = "(value: any, [format: string]) -> timestamp", .lower = to_moment<kTimestamp>,
     .doc = "Text as a timestamp.", .example = "to_timestamp('2016-12-31 00:12:00')", .gives = "2016-12-31 00:12:00"},
    {.name = "to_timestamp_ltz", .signature = "(value: any, [format: string]) -> timestamp", .lower = to_moment<kTimestamp>,
     .doc = "Text as a timestamp.", .example = "to_timestamp_ltz('2016-12-31', 'yyyy-MM-dd')", .gives = "2016-12-31 00:00:00"},
    {.name = "to_timestamp_ntz", .signature = "(value: any, [format: string]) -> timestamp_ntz", .lower = to_moment<kTimestampNtz>,
     .doc = "Text as a timestamp without time zone.", .example = "to_timestamp_ntz('2016-12-31', 'yyyy-MM-dd')", .gives = "2016-12-31 00:00:00"},
    {.name = "to_unix_timestamp", .signature = "(moment: any, [format: string]) -> long", .lower = unix_timestamp,
     .doc = "Seconds since 1970.", .example = "to_unix_timestamp('2016-04-08', 'yyyy-MM-dd')", .gives = "1460073600"},
    {.name = "to_utc_timestamp", .signature = "(moment: timestamp, zone: string) -> timestamp", .lowering = "timezone('UTC', timezone({1}, {0}))",
     .doc = "The UTC time of the wall clock of a zone.", .example = "to_utc_timestamp('2016-08-31', 'Asia/Seoul')", .gives = "2016-08-30 15:00:00"},
    {.name = "trunc", .signature = "(date: any, unit: string) -> date", .lower = trunc_date, .nulls = Nulls::kAlways,
     .doc = "The first day of the year, quarter, month or week.", .example = "trunc('2009-02-12', 'MM')", .gives = "2009-02-01"},
    {.name = "try_make_interval", .signature = "(years: int, [months: int], [weeks: int], [days: int], [hours: int], [minutes: int], [seconds: any]) -> any", .lower = make_interval, .nulls = Nulls::kAlways,
     .doc = "A calendar interval of its parts; null where one is too large.", .example = "try_make_interval(2147483647)", .gives = "NULL"},
    {.name = "try_make_timestamp", .signature = "(year: int, month: int, day: int, hour: int, minute: int, second: any, [zone: string]) -> timestamp", .lower = make_timestamp_of, .nulls = Nulls::kAlways,
     .doc = "A timestamp of its parts; null where they are none.", .example = "try_make_timestamp(2024, 13, 22, 15, 30, 0)", .gives = "NULL"},
    {.name = "try_make_timestamp", .signature = "(date: date) -> timestamp", .lower = midnight, .nulls = Nulls::kAlways},
    {.name = "try_make_timestamp", .signature = "(date: date, time: time, [zone: string]) -> timestamp", .lower = moment_of, .nulls = Nulls::kAlways},
    {.name = "try_make_timestamp_ltz", .signature = "(year: int, month: int, day: int, hour: int, minute: int, second: any, [zone: string]) -> timestamp", .lower = make_timestamp_of, .nulls = Nulls::kAlways,
     .doc = "A timestamp of its parts; null where they are none.", .example = "try_make_timestamp_ltz(2024, 13, 22, 15, 30, 0)", .gives = "NULL"},
    {.name = "try_make_timestamp_ltz", .signature = "(date: date) -> timestamp", .lower = midnight, .nulls = Nulls::kAlways},
    {.name = "try_make_timestamp_ltz", .signature = "(date: date, time: time, [zone: string]) -> timestamp", .lower = moment_of, .nulls = Nulls::kAlways},
    {.name = "try_make_timestamp_ntz", .signature = "(year: int, month: int, day: int, hour: int, minute: int, second: any) -> timestamp_ntz", .lower = make_timestamp_of, .nulls = Nulls::kAlways,
     .doc = "A timestamp without time zone of its parts; null where they are none.", .example = "try_make_timestamp_ntz(2024, 13, 22, 15, 30, 0)", .gives = "NULL"},
    {.name = "try_make_timestamp_ntz", .signature = "(date: date, time: time) -> timestamp_ntz", .lower = moment_of, .nulls = Nulls::kAlways},
    {.name = "try_to_date", .signature = "(value: any, [format: string]) -> date", .lower = try_to_moment<kDate>, .nulls = Nulls::kAlways,
     .doc = "Text as a date; null where it is none.", .example = "try_to_date('x')", .gives = "NULL"},
    {.name = "try_to_time", .signature = "(str: string, [format: string]) -> time", .lower = to_time, .nulls = Nulls::kAlways,
     .doc = "Text as a time of day; null where it is none.", .example = "try_to_time('x')", .gives = "NULL"},
    {.name = "try_to_timestamp", .signature = "(value: any, [format: string]) -> timestamp", .lower = try_to_moment<kTimestamp>, .nulls = Nulls::kAlways,
     .doc = "Text as a timestamp; null where it is none.", .example = "try_to_timestamp('x')", .gives = "NULL"},
    {.name = "unix_date", .signature = "(date: date) -> int", .lowering = "({0} - DATE '1970-01-01')",
     .doc = "Days since 1970.", .example = "unix_date(DATE'1970-01-02')", .gives = "1"},
    {.name = "unix_micros", .signature = "(moment: timestamp) -> long", .lowering = "epoch_us({0})",
     .doc = "Microseconds since 1970.", .example = "unix_micros(TIMESTAMP'1970-01-01 00:00:01Z')", .gives = "1000000"},
    {.name = "unix_millis", .signature = "(moment: timestamp) -> long", .lowering = "((epoch_us({0}) - ((epoch_us({0}) % 1000) + 1000) % 1000) // 1000)",
     .doc = "Milliseconds since 1970.", .example = "unix_millis(TIMESTAMP'1970-01-01 00:00:01Z')", .gives = "1000"},
    {.name = "unix_nanos", .signature = "(moment: timestamp) -> long", .unsupported = "there are no timestamps of nanoseconds; use those of microseconds",
     .doc = "Nanoseconds since 1970."},
    {.name = "unix_seconds", .signature = "(moment: timestamp) -> long", .lowering = "((epoch_us({0}) - ((epoch_us({0}) % 1000000) + 1000000) % 1000000) // 1000000)",
     .doc = "Seconds since 1970.", .example = "unix_seconds(TIMESTAMP'1970-01-01 00:00:01Z')", .gives = "1"},
    {.name = "unix_timestamp", .signature = "(moment: any, [format: string]) -> long", .lower = unix_timestamp,
     .doc = "Seconds since 1970.", .example = "unix_timestamp(TIMESTAMP'1970-01-01 00:00:01Z')", .gives = "1"},
    {.name = "weekday", .signature = "(moment: any) -> int", .lower = week_day,
     .doc = "Day of the week, from Monday = 0.", .example = "weekday('2009-07-30')", .gives = "3"},
    {.name = "weekofyear", .signature = "(moment: any) -> int", .lower = week_of,
     .doc = "ISO week of the year.", .example = "weekofyear('2008-02-20')", .gives = "8"},
    {.name = "window", .signature = "(time: timestamp, duration: string, [slide: string], [start: string]) -> any", .of_resolver = true,
     .doc = "The window of a fixed length that a time falls in; in GROUP BY, windows may overlap.", .example = "window(TIMESTAMP'2021-01-01 00:07:00', '5 minutes')", .gives = "{2021-01-01 00:05:00, 2021-01-01 00:10:00}"},
    {.name = "window_time", .signature = "(window: any) -> any", .lower = window_time,
     .doc = "The last moment of a window that `window()` made.", .example = "window_time(window(TIMESTAMP'2021-01-01 00:00:00', '5 minutes'))", .gives = "2021-01-01 00:04:59.999999"},
    {.name = "year", .signature = "(moment: any) -> int", .lower = year_of,
     .doc = "The year.", .example = "year('2016-07-30')", .gives = "2016"},
};
// clang-format on
static_assert(checked(kDateTime));

std::span<const FunctionSpec> datetime_rows() { return kDateTime; }

}  // namespace firesteel
