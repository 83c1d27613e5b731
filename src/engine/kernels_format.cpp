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

/// Microseconds of "12:30", "T1:2:3.45" or "1:30 PM"; null where the text is no time of day.
std::optional<int64_t> try_time(Arguments a) {
  auto text = a[0].text;
  const auto space = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  const auto end = [&](char half) {
    return text.size() > 2 && (text[text.size() - 2] | 0x20) == half && (text.back() | 0x20) == 'm';
  };
  const bool morning = end('a'), afternoon = end('p');
  if (morning || afternoon) {
    text.remove_suffix(2);
    while (!text.empty() && space(text.back())) text.remove_suffix(1);
  }
  if (text.starts_with('T')) text.remove_prefix(1);
  int64_t parts[3] = {0, 0, 0};
  int count = 0;
  for (; count < 3; ++count) {
    if (count > 0 && (text.empty() || text[0] != ':')) break;
    if (count > 0) text.remove_prefix(1);
    size_t digits = 0;
    for (; digits < 3 && digits < text.size() && text[digits] >= '0' && text[digits] <= '9';
         ++digits)
      parts[count] = parts[count] * 10 + (text[digits] - '0');
    if (digits < 1 || digits > 2) return std::nullopt;
    text.remove_prefix(digits);
  }
  int64_t micros = 0;
  if (count == 3 && text.starts_with('.')) {
    text.remove_prefix(1);
    for (int i = 0; i < 6; ++i)
      micros = micros * 10 + (static_cast<size_t>(i) < text.size() ? text[i] - '0' : 0);
    if (text.find_first_not_of("0123456789") != text.npos) return std::nullopt;
    text = {};
  }
  if (count < 2 || !text.empty() || parts[0] > 23 || parts[1] > 59 || parts[2] > 59)
    return std::nullopt;
  if (morning || afternoon) {
    if (parts[0] < 1 || parts[0] > 12) return std::nullopt;
    parts[0] = parts[0] % 12 + (afternoon ? 12 : 0);
  }
  return ((parts[0] * 60 + parts[1]) * 60 + parts[2]) * 1000000 + micros;
}

}  // namespace

void register_formats(duckdb::ExtensionLoader& loader) {
  add_row_function(loader, "spark_to_char", "ss>s", to_char);
  add_row_function(loader, "spark_try_to_number", "ss>s", try_to_number);
  add_row_function(loader, "spark_try_time", "s>l", try_time);
  add_row_function(loader, "spark_date_format", "TTss>s", date_format);
  add_row_function(loader, "spark_try_parse_local", "ss>T", try_parse_local);
  add_row_function(loader, "spark_try_parse_zoned", "sss>s", try_parse_zoned);
}

}  // namespace firesteel
