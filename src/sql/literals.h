// Texts of literals -> values: dates and intervals.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace firesteel {

/// Days since 1970-01-01 of a date as Spark casts it from a string: "2020", "2020-1", "2020-01-31".
std::optional<int32_t> parse_date(std::string_view text);

/// The fields of an interval. Year-month: 0 year, 1 month, `value` in months; day-time: 0 day,
/// 1 hour, 2 minute, 3 second, `value` in microseconds.
struct IntervalValue {
  bool year_month = false;
  int start_field = 0, end_field = 0;
  int64_t value = 0;
};

/// The text of `INTERVAL 'text' START TO END`; `start` and `end` in capitals, e.g. "DAY", "SECOND".
std::optional<IntervalValue> parse_interval_range(std::string_view text, std::string_view start,
                                                  std::string_view end);

/// Adds `number unit`, as in INTERVAL 1 DAY 2 HOURS, to `sum`. False for an unknown unit, a number
/// not of the unit's kind, or a value out of range.
bool add_interval_unit(std::string_view number, std::string_view unit,
                       std::optional<IntervalValue>& sum);

}  // namespace firesteel
