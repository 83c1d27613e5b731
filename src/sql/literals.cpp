// Literals: numbers, strings, typed literals (DATE '…', X'…') and intervals.
#include "sql/literals.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "plan/types.h"
#include "sql/grammar.h"

namespace firesteel {

namespace {

using Expression = spark::connect::Expression;

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string upper_case(std::string_view text) {
  std::string out;
  for (const char c : text) out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

bool read_int64(std::string_view digits, int64_t& value) {
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc() && end == digits.data() + digits.size();
}

/// Digits only, and at least one.
bool read_digits(std::string_view& text, int64_t& value, size_t digits_max = 18) {
  size_t count = 0;
  while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
  if (count == 0 || count > digits_max || !read_int64(text.substr(0, count), value)) return false;
  text.remove_prefix(count);
  return true;
}

bool read_symbol(std::string_view& text, char symbol) {
  if (text.empty() || text[0] != symbol) return false;
  text.remove_prefix(1);
  return true;
}

/// ".5" -> "0.5", "007.10" -> "7.10".
std::string plain_decimal(std::string_view digits, int exponent, int& precision, int& scale) {
  std::string number;
  scale = 0;
  bool fraction = false;
  for (const char c : digits) {
    if (c == '.') {
      fraction = true;
      continue;
    }
    number += c;
    if (fraction) ++scale;
  }
  scale -= exponent;
  if (scale < 0) {
    number.append(-scale, '0');
    scale = 0;
  }
  number.erase(0, std::min(number.find_first_not_of('0'), number.size() - 1));
  precision = std::max<int>(static_cast<int>(number.size()), scale);
  if (scale == 0) return number;
  if (static_cast<int>(number.size()) <= scale) number.insert(0, scale + 1 - number.size(), '0');
  return number.insert(number.size() - scale, ".");
}

constexpr std::array<std::string_view, 4> kDayTimeFields = {"DAY", "HOUR", "MINUTE", "SECOND"};
constexpr std::array<int64_t, 4> kDayTimeMicros = {86400000000, 3600000000, 60000000, 1000000};

std::optional<int64_t> seconds_to_micros(std::string_view& text) {
  int64_t seconds = 0;
  if (!read_digits(text, seconds)) return std::nullopt;
  int64_t micros = 0;
  if (read_symbol(text, '.')) {
    int count = 0;
    while (!text.empty() && text[0] >= '0' && text[0] <= '9' && count < 9) {
      if (count < 6) micros = micros * 10 + (text[0] - '0');
      ++count;
      text.remove_prefix(1);
    }
    for (; count < 6; ++count) micros *= 10;
  }
  if (__builtin_mul_overflow(seconds, int64_t{1000000}, &seconds)) return std::nullopt;
  return seconds + micros;
}

}  // namespace

std::optional<int32_t> parse_date(std::string_view text) {
  text = trimmed(text);
  const bool negative = read_symbol(text, '-');
  if (!negative) read_symbol(text, '+');
  const size_t before = text.size();
  int64_t year = 0, month = 1, day = 1;
  if (!read_digits(text, year, 7) || before - text.size() < 4) return std::nullopt;
  if (negative) year = -year;
  if (read_symbol(text, '-')) {
    if (!read_digits(text, month, 2)) return std::nullopt;
    if (read_symbol(text, '-')) {
      if (!read_digits(text, day, 2)) return std::nullopt;
      // A time of day may follow.
      if (!text.empty() && (text[0] == ' ' || text[0] == 'T')) text = {};
    }
  }
  if (!text.empty() || month < 1 || month > 12 || day < 1) return std::nullopt;
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  if (day > kDays[month - 1] + (month == 2 && leap ? 1 : 0)) return std::nullopt;
  // Days from civil, with years that start in March.
  const int64_t shifted = month <= 2 ? year - 1 : year;
  const int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
  const int64_t year_of_era = shifted - era * 400;
  const int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return static_cast<int32_t>(era * 146097 + day_of_era - 719468);
}

std::optional<IntervalValue> parse_interval_range(std::string_view text, std::string_view start,
                                                  std::string_view end) {
  text = trimmed(text);
  bool negative = read_symbol(text, '-');
  if (!negative) read_symbol(text, '+');
  text = trimmed(text);
  IntervalValue interval;
  if (start == "YEAR" && end == "MONTH") {
    int64_t years = 0, months = 0;
    if (!read_digits(text, years, 9) || !read_symbol(text, '-') || !read_digits(text, months, 2) ||
        !text.empty() || months > 11) {
      return std::nullopt;
    }
    interval = {true, 0, 1, years * 12 + months};
  } else {
    const auto first = std::ranges::find(kDayTimeFields, start) - kDayTimeFields.begin();
    const auto last = std::ranges::find(kDayTimeFields, end) - kDayTimeFields.begin();
    if (first >= last || last > 3) return std::nullopt;
    static constexpr int64_t kMost[] = {std::numeric_limits<int64_t>::max(), 23, 59, 59};
    interval = {false, static_cast<int>(first), static_cast<int>(last), 0};
    for (auto field = first; field <= last; ++field) {
      if (field > first && !read_symbol(text, field == 1 ? ' ' : ':')) return std::nullopt;
      int64_t value = 0;
      if (field == 3) {
        const auto micros = seconds_to_micros(text);
        if (!micros || *micros >= 60 * 1000000LL) return std::nullopt;
        value = *micros;
      } else if (!read_digits(text, value) || (field > first && value > kMost[field]) ||
                 __builtin_mul_overflow(value, kDayTimeMicros[field], &value)) {
        return std::nullopt;
      }
      if (__builtin_add_overflow(interval.value, value, &interval.value)) return std::nullopt;
    }
    if (!text.empty()) return std::nullopt;
  }
  if (negative) interval.value = -interval.value;
  return interval;
}

bool add_interval_unit(std::string_view number, std::string_view unit,
                       std::optional<IntervalValue>& sum) {
  number = trimmed(number);
  const bool negative = read_symbol(number, '-');
  if (!negative) read_symbol(number, '+');
  std::string name = upper_case(unit);
  if (name.size() > 1 && name.back() == 'S') name.pop_back();
  struct Unit {
    std::string_view name;
    bool year_month;
    int field;
    int64_t size;
  };
  static constexpr Unit kUnits[] = {
      {"YEAR", true, 0, 12},
      {"MONTH", true, 1, 1},
      {"WEEK", false, 0, 7 * 86400000000},
      {"DAY", false, 0, 86400000000},
      {"HOUR", false, 1, 3600000000},
      {"MINUTE", false, 2, 60000000},
      {"SECOND", false, 3, 1000000},
      {"MILLISECOND", false, 3, 1000},
      {"MICROSECOND", false, 3, 1},
  };
  const auto found = std::ranges::find(kUnits, name, &Unit::name);
  if (found == std::end(kUnits)) return false;
  int64_t value = 0;
  if (name == "SECOND") {
    const auto micros = seconds_to_micros(number);
    if (!micros) return false;
    value = *micros;
  } else if (!read_digits(number, value) || __builtin_mul_overflow(value, found->size, &value)) {
    return false;
  }
  if (!number.empty()) return false;
  if (negative) value = -value;
  if (!sum) {
    sum = IntervalValue{found->year_month, found->field, found->field, value};
    return true;
  }
  if (sum->year_month != found->year_month) return false;
  sum->start_field = std::min(sum->start_field, found->field);
  sum->end_field = std::max(sum->end_field, found->field);
  return !__builtin_add_overflow(sum->value, value, &sum->value);
}

Expression Grammar::number(bool negative, int start) {
  const Token token = in_.take();
  if (token.kind == TokenKind::kWord || token.kind == TokenKind::kSymbol) in_.fail();
  const std::string sign = negative ? "-" : "";
  std::string text(token.text);
  std::string suffix;
  if (token.kind == TokenKind::kSuffixed) {
    const size_t length = upper_case(text).ends_with("BD") ? 2 : 1;
    suffix = upper_case(text.substr(text.size() - length));
    text.resize(text.size() - length);
  }
  Expression made;
  auto* literal = made.mutable_literal();
  const auto out_of_range = [&](std::string_view type, std::string_view least,
                                std::string_view most) {
    in_.fail(
        Error("INVALID_NUMERIC_LITERAL_RANGE",
              fmt::format("Numeric literal {}{} is outside the valid range for {} with minimum "
                          "value of {} and maximum value of {}. Please adjust the value "
                          "accordingly.",
                          sign, text, type, least, most)),
        in_.since(start));
  };
  int64_t value = 0;
  const bool fits = read_int64(sign + text, value);
  if (suffix == "L") {
    if (!fits) out_of_range("bigint", "-9223372036854775808", "9223372036854775807");
    literal->set_long_(value);
  } else if (suffix == "S") {
    if (!fits || value < -32768 || value > 32767) out_of_range("smallint", "-32768", "32767");
    literal->set_short_(static_cast<int>(value));
  } else if (suffix == "Y") {
    if (!fits || value < -128 || value > 127) out_of_range("tinyint", "-128", "127");
    literal->set_byte(static_cast<int>(value));
  } else if (suffix == "F") {
    const float number = std::strtof((sign + text).c_str(), nullptr);
    if (std::isinf(number))
      out_of_range("float", "-3.4028234663852886E+38", "3.4028234663852886E+38");
    literal->set_float_(number);
  } else if (suffix == "D" || (suffix.empty() && token.kind == TokenKind::kExponent)) {
    const double number = std::strtod((sign + text).c_str(), nullptr);
    if (std::isinf(number)) {
      out_of_range("double", "-1.7976931348623157E+308", "1.7976931348623157E+308");
    }
    literal->set_double_(number);
  } else if (token.kind == TokenKind::kInteger && fits) {
    if (value >= std::numeric_limits<int32_t>::min() &&
        value <= std::numeric_limits<int32_t>::max()) {
      literal->set_integer(static_cast<int32_t>(value));
    } else {
      literal->set_long_(value);
    }
  } else {
    const size_t mark = text.find_first_of("eE");
    int64_t exponent = 0;
    const bool readable = mark == std::string::npos ||
                          read_int64(text.substr(mark + (text[mark + 1] == '+' ? 2 : 1)), exponent);
    int precision = 0, scale = 0;
    const bool small = readable && exponent > -100 && exponent < 100;
    const auto digits =
        small ? plain_decimal(text.substr(0, mark), static_cast<int>(exponent), precision, scale)
              : "";
    if (!small || precision > 38) {
      in_.fail(Error("DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION",
                     fmt::format("Decimal precision {} exceeds max precision 38.",
                                 small ? precision : 100)),
               in_.since(start));
    }
    literal->mutable_decimal()->set_value(sign + digits);
    literal->mutable_decimal()->set_precision(precision);
    literal->mutable_decimal()->set_scale(scale);
  }
  return located(std::move(made), start);
}

Expression Grammar::string_literal() {
  const int start = in_.start();
  Expression made;
  std::string text = in_.take().value;
  // Strings that stand side by side are one.
  while (in_.token().kind == TokenKind::kString) text += in_.take().value;
  made.mutable_literal()->set_string(std::move(text));
  return located(std::move(made), start);
}

std::optional<Expression> Grammar::typed_literal() {
  const int start = in_.start();
  Expression made;
  const auto name = in_.token().upper;
  if ((name == "TRUE" || name == "FALSE" || name == "NULL") && !in_.is("(", 1) && !in_.is(".", 1)) {
    in_.take();
    if (name == "NULL") {
      made.mutable_literal()->mutable_null()->mutable_null();
    } else {
      made.mutable_literal()->set_boolean(name == "TRUE");
    }
    return located(std::move(made), start);
  }
  if (in_.token(1).kind != TokenKind::kString) return std::nullopt;
  const auto invalid = [&](std::string_view text) {
    in_.fail(
        Error("INVALID_TYPED_LITERAL",
              fmt::format("The value of the typed literal \"{}\" is invalid: '{}'.", name, text)),
        in_.since(start));
  };
  if (name == "DATE") {
    in_.take();
    const auto text = in_.take().value;
    const auto days = parse_date(text);
    if (!days) invalid(text);
    made.mutable_literal()->set_date(*days);
  } else if (name == "TIMESTAMP" || name == "TIMESTAMP_NTZ" || name == "TIMESTAMP_LTZ" ||
             name == "TIME") {
    in_.take();
    *made.mutable_cast()->mutable_expr() = string_literal();
    const auto kind = name == "TIMESTAMP_NTZ" ? TypeKind::kTimestampNtz
                      : name == "TIME"        ? TypeKind::kTime
                                              : TypeKind::kTimestamp;
    type_to_proto(make_type(kind), made.mutable_cast()->mutable_type());
    // A cast, since the session's time zone is not known here; the mark tells it from a written
    // one.
    made = located(std::move(made), start);
    made.mutable_common()->mutable_origin()->mutable_jvm_origin()->set_object_type("LITERAL");
    return made;
  } else if (name == "X") {
    in_.take();
    auto hex = in_.take().value;
    if (hex.size() % 2 == 1) hex.insert(0, "0");
    std::string bytes;
    for (size_t i = 0; i < hex.size(); i += 2) {
      int byte = 0;
      const auto [end, error] = std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
      if (error != std::errc() || end != hex.data() + i + 2) invalid(hex);
      bytes += static_cast<char>(byte);
    }
    made.mutable_literal()->set_binary(std::move(bytes));
  } else {
    return std::nullopt;
  }
  return located(std::move(made), start);
}

bool Grammar::at_interval() const {
  if (!in_.is("INTERVAL")) return false;
  const size_t value = in_.is("-", 1) || in_.is("+", 1) ? 2 : 1;
  switch (in_.token(value).kind) {
    case TokenKind::kString:
      return true;
    case TokenKind::kInteger:
    case TokenKind::kDecimal:
      return in_.token(value + 1).kind == TokenKind::kWord;
    default:
      return false;
  }
}

Expression Grammar::interval() {
  const int start = in_.start();
  in_.take();
  std::optional<IntervalValue> value;
  const auto invalid = [&] {
    const Span span = in_.since(start);
    in_.fail(
        Error("INVALID_INTERVAL_FORMAT",
              fmt::format("Error parsing '{}' to interval. Please ensure that the value provided "
                          "is in a valid format for defining an interval.",
                          in_.sql().substr(span.start, span.stop - span.start))),
        span);
  };
  const auto at_unit = [&](size_t ahead) {
    if (in_.token(ahead).kind != TokenKind::kWord) return false;
    std::optional<IntervalValue> probe;
    return add_interval_unit("1", in_.token(ahead).text, probe);
  };
  const bool text_alone = in_.token().kind == TokenKind::kString && !at_unit(1);
  if (text_alone) {
    // 'interval 1 day -2 hours'
    const auto text = in_.take().value;
    std::vector<std::string_view> words;
    for (std::string_view rest = trimmed(text); !rest.empty(); rest = trimmed(rest)) {
      const size_t length = std::min(rest.find_first_of(" \t\n"), rest.size());
      words.push_back(rest.substr(0, length));
      rest.remove_prefix(length);
    }
    if (!words.empty() && upper_case(words[0]) == "INTERVAL") words.erase(words.begin());
    if (words.empty() || words.size() % 2 == 1) invalid();
    for (size_t i = 0; i < words.size(); i += 2) {
      if (!add_interval_unit(words[i], words[i + 1], value)) invalid();
    }
  }
  while (!text_alone) {
    const size_t before = in_.position();
    const bool minus = in_.is("-");
    if (value && (minus || in_.is("+")) && in_.token(1).kind == TokenKind::kString) break;
    if (minus || in_.is("+")) in_.take();
    const auto kind = in_.token().kind;
    if ((kind != TokenKind::kString && kind != TokenKind::kInteger &&
         kind != TokenKind::kDecimal) ||
        !at_unit(1)) {
      in_.seek(before);
      break;
    }
    const Token number = in_.take();
    std::string text(kind == TokenKind::kString ? number.value : std::string(number.text));
    if (minus)
      text = trimmed(text).starts_with('-') ? std::string(trimmed(text).substr(1)) : "-" + text;
    const auto unit = in_.take().upper;
    if (!value && kind == TokenKind::kString && in_.accept("TO")) {
      const auto end = in_.take().upper;
      value = parse_interval_range(text, unit, end);
      if (!value) invalid();
      break;
    }
    if (!add_interval_unit(text, unit, value)) {
      if (value) {
        in_.fail(Error("UNSUPPORTED_FEATURE.MIXED_INTERVAL",
                       "Cannot mix year-month and day-time fields in one interval."),
                 in_.since(start));
      }
      invalid();
    }
  }
  if (!value) invalid();
  Expression made;
  auto* literal = made.mutable_literal();
  if (value->year_month) {
    if (value->value != static_cast<int32_t>(value->value)) invalid();
    literal->set_year_month_interval(static_cast<int32_t>(value->value));
    auto* type = literal->mutable_data_type()->mutable_year_month_interval();
    type->set_start_field(value->start_field);
    type->set_end_field(value->end_field);
  } else {
    literal->set_day_time_interval(value->value);
    auto* type = literal->mutable_data_type()->mutable_day_time_interval();
    type->set_start_field(value->start_field);
    type->set_end_field(value->end_field);
  }
  return located(std::move(made), start);
}

}  // namespace firesteel
