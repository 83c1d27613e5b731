// Numbers and moments in formats: Spark's number formats and Java's date patterns.
#include <fmt/format.h>

#include "engine/kernels.h"
#include "engine/row_function.h"
#include "functions/date_pattern.h"
#include "functions/number_format.h"

namespace firesteel {

namespace {

using Text = std::optional<std::string>;

Text to_char(Arguments a) { return made_of<NumberFormat>(a[1].text).format(a[0].text); }
Text try_to_number(Arguments a) { return made_of<NumberFormat>(a[1].text).parse(a[0].text); }

struct ParsingPattern : DatePattern {
  explicit ParsingPattern(std::string_view text) : DatePattern(text, true) {}
};
struct FormattingPattern : DatePattern {
  explicit FormattingPattern(std::string_view text) : DatePattern(text, false) {}
};

/// date_format(wall clock, the same moment in UTC, zone, pattern)
Text date_format(Arguments a) {
  const int64_t offset = (a[0].number - a[1].number) / 1000000;
  return made_of<FormattingPattern>(a[3].text).format(a[0].number, offset, a[2].text);
}

std::optional<int64_t> try_parse_local(Arguments a) {
  const auto moment = made_of<ParsingPattern>(a[1].text).parse(a[0].text);
  return moment ? std::optional(moment->micros) : std::nullopt;
}

/// The moment as text with its zone, which is the session's unless it names one.
Text try_parse_zoned(Arguments a) {
  const auto moment = made_of<ParsingPattern>(a[1].text).parse(a[0].text);
  if (!moment) return std::nullopt;
  static const DatePattern plain("yyyy-MM-dd HH:mm:ss.SSSSSS", false);
  const auto zone = moment->zone.empty() ? a[2].text : std::string_view(moment->zone);
  const bool offset = zone.starts_with('+') || zone.starts_with('-');
  return fmt::format("{}{}{}", plain.format(moment->micros, 0, ""), offset ? "" : " ", zone);
}

}  // namespace

void register_formats(duckdb::ExtensionLoader& loader) {
  add_row_function(loader, "spark_to_char", "ss>s", to_char);
  add_row_function(loader, "spark_try_to_number", "ss>s", try_to_number);
  add_row_function(loader, "spark_date_format", "TTss>s", date_format);
  add_row_function(loader, "spark_try_parse_local", "ss>T", try_parse_local);
  add_row_function(loader, "spark_try_parse_zoned", "sss>s", try_parse_zoned);
}

}  // namespace firesteel
