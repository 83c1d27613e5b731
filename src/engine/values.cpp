// Types, decimals, dates, times and time zones as the kernels need them.
#include "engine/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <span>

#include "base/error.h"
#include "duckdb.hpp"
#include "duckdb/common/types/date.hpp"
#include "duckdb/common/types/hugeint.hpp"
#include "duckdb/common/types/timestamp.hpp"
#include "duckdb/execution/expression_executor.hpp"
#include "duckdb/function/function_binder.hpp"
#include "duckdb/planner/expression/bound_constant_expression.hpp"

namespace firesteel {

namespace {

using duckdb::LogicalType;
using duckdb::Value;

constexpr int64_t kSecond = 1000000, kDay = 86400 * kSecond;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<int64_t> days_of(int64_t year, int64_t month, int64_t day) {
  if (year < -290000 || year > 290000) return std::nullopt;
  const auto y = static_cast<int32_t>(year);
  if (!duckdb::Date::IsValid(y, static_cast<int32_t>(month), static_cast<int32_t>(day))) {
    return std::nullopt;
  }
  return duckdb::Date::FromDate(y, static_cast<int32_t>(month), static_cast<int32_t>(day)).days;
}

/// Reads digits from the front: at least `least`, at most `most`.
std::optional<int64_t> take_digits(std::string_view& text, size_t least, size_t most) {
  size_t n = 0;
  int64_t value = 0;
  while (n < text.size() && n < most && is_digit(text[n])) value = value * 10 + (text[n++] - '0');
  if (n < least) return std::nullopt;
  text.remove_prefix(n);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

/// [+-]yyyy[-[m]m[-[d]d]], from the front.
std::optional<int64_t> take_date(std::string_view& text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const auto year = take_digits(text, 4, 7);
  if (!year) return std::nullopt;
  int64_t month = 1, day = 1;
  if (take(text, '-')) {
    const auto m = take_digits(text, 1, 2);
    if (!m) return std::nullopt;
    month = *m;
    if (take(text, '-')) {
      const auto d = take_digits(text, 1, 2);
      if (!d) return std::nullopt;
      day = *d;
    }
  }
  return days_of(negative ? -*year : *year, month, day);
}

/// [h]h[:[m]m[:[s]s[.f…]]], from the front, as microseconds.
std::optional<int64_t> take_time(std::string_view& text) {
  const auto hour = take_digits(text, 1, 2);
  if (!hour) return std::nullopt;
  int64_t minute = 0, second = 0, micros = 0;
  if (take(text, ':')) {
    const auto m = take_digits(text, 1, 2);
    if (!m) return std::nullopt;
    minute = *m;
    if (take(text, ':')) {
      const auto s = take_digits(text, 1, 2);
      if (!s) return std::nullopt;
      second = *s;
      if (take(text, '.')) {
        for (int64_t unit = kSecond / 10; !text.empty() && is_digit(text.front()); unit /= 10) {
          micros += unit * (text.front() - '0');
          text.remove_prefix(1);
        }
      }
    }
  }
  if (*hour > 23 || minute > 59 || second > 59) return std::nullopt;
  return ((*hour * 60 + minute) * 60 + second) * kSecond + micros;
}

/// Z, UTC+1, +01:30 … as seconds; nothing for a region.
std::optional<int64_t> offset_seconds(std::string_view zone) {
  if (zone == "Z" || zone == "UTC" || zone == "GMT" || zone == "UT") return 0;
  for (const std::string_view prefix : {"UTC", "GMT", "UT"}) {
    if (zone.size() > prefix.size() && zone.starts_with(prefix) &&
        (zone[prefix.size()] == '+' || zone[prefix.size()] == '-')) {
      zone.remove_prefix(prefix.size());
      break;
    }
  }
  if (!zone.starts_with('+') && !zone.starts_with('-')) return std::nullopt;
  const int sign = zone[0] == '-' ? -1 : 1;
  zone.remove_prefix(1);
  const auto hours = take_digits(zone, 1, 2);
  if (!hours) return std::nullopt;
  int64_t minutes = 0, seconds = 0;
  if (!zone.empty()) {
    take(zone, ':');
    const auto m = take_digits(zone, 1, 2);
    if (!m) return std::nullopt;
    minutes = *m;
  }
  if (!zone.empty()) {
    take(zone, ':');
    const auto s = take_digits(zone, 2, 2);
    if (!s || !zone.empty()) return std::nullopt;
    seconds = *s;
  }
  if (*hours > 18 || minutes > 59 || seconds > 59) return std::nullopt;
  return sign * ((*hours * 60 + minutes) * 60 + seconds);
}

/// A timestamp's text: local time, and the zone behind it.
std::optional<MomentPattern::Moment> moment_of_text(std::string_view text) {
  text = trimmed(text);
  const auto days = take_date(text);
  if (!days) return std::nullopt;
  MomentPattern::Moment moment{.local = *days * kDay, .zone = std::nullopt};
  if (text.empty()) return moment;
  if (!take(text, ' ') && !take(text, 'T')) return std::nullopt;
  const auto time = take_time(text);
  if (!time) return std::nullopt;
  moment.local += *time;
  if (!text.empty()) moment.zone = std::string(trimmed(text));
  return moment;
}

/// DuckDB's timezone(zone, value): local time as UTC, or back.
int64_t in_zone(duckdb::ClientContext& context, const std::string& zone, const Value& value) {
  duckdb::vector<duckdb::unique_ptr<duckdb::Expression>> children;
  children.push_back(duckdb::make_uniq<duckdb::BoundConstantExpression>(Value(zone)));
  children.push_back(duckdb::make_uniq<duckdb::BoundConstantExpression>(value));
  duckdb::ErrorData error;
  const auto call = duckdb::FunctionBinder(context).BindScalarFunction(DEFAULT_SCHEMA, "timezone",
                                                                       std::move(children), error);
  if (!call) error.Throw();
  return duckdb::ExpressionExecutor::EvaluateScalar(context, *call).GetValueUnsafe<int64_t>();
}

}  // namespace

LogicalType logical_type(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBoolean:
      return LogicalType::BOOLEAN;
    case TypeKind::kByte:
      return LogicalType::TINYINT;
    case TypeKind::kShort:
      return LogicalType::SMALLINT;
    case TypeKind::kNull:
    case TypeKind::kInteger:
      return LogicalType::INTEGER;
    case TypeKind::kLong:
      return LogicalType::BIGINT;
    case TypeKind::kFloat:
      return LogicalType::FLOAT;
    case TypeKind::kDouble:
      return LogicalType::DOUBLE;
    case TypeKind::kDecimal:
      return LogicalType::DECIMAL(type.precision, type.scale);
    case TypeKind::kString:
      return LogicalType::VARCHAR;
    case TypeKind::kBinary:
      return LogicalType::BLOB;
    case TypeKind::kDate:
      return LogicalType::DATE;
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampNtz:
      return LogicalType::TIMESTAMP;
    case TypeKind::kTime:
      return LogicalType::TIME;
    case TypeKind::kDayTimeInterval:
    case TypeKind::kYearMonthInterval:
    case TypeKind::kCalendarInterval:
      return LogicalType::INTERVAL;
    case TypeKind::kVariant:
      return LogicalType::STRUCT({{"value", LogicalType::BLOB}, {"metadata", LogicalType::BLOB}});
    case TypeKind::kArray:
      return LogicalType::LIST(logical_type(type.element()));
    case TypeKind::kMap:
      return LogicalType::MAP(logical_type(type.key()), logical_type(type.value()));
    case TypeKind::kStruct: {
      duckdb::child_list_t<LogicalType> children;
      for (const auto& field : *type.fields) {
        children.emplace_back(field.name, logical_type(field.type));
      }
      return LogicalType::STRUCT(std::move(children));
    }
  }
  return LogicalType::SQLNULL;
}

Value null_of(const DataType& type) { return Value(logical_type(type)); }

std::optional<BigDecimal> BigDecimal::parse(std::string_view text) {
  BigDecimal out;
  out.negative = text.starts_with('-');
  if (out.negative || text.starts_with('+')) text.remove_prefix(1);
  bool point = false, any = false;
  while (!text.empty() && (is_digit(text.front()) || (text.front() == '.' && !point))) {
    if (text.front() == '.') {
      point = true;
    } else {
      any = true;
      out.digits += text.front();
      out.scale += point;
    }
    text.remove_prefix(1);
  }
  if (!any) return std::nullopt;
  if (!text.empty() && (text.front() == 'e' || text.front() == 'E')) {
    text.remove_prefix(1);
    if (text.starts_with('+')) text.remove_prefix(1);
    int exponent = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), exponent);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    out.scale -= exponent;
    text = {};
  }
  if (!text.empty()) return std::nullopt;
  out.digits.erase(0, std::min(out.digits.find_first_not_of('0'), out.digits.size() - 1));
  return out;
}

std::optional<Wide> BigDecimal::unscaled(int precision, int wanted_scale) const {
  std::string kept = digits;
  int64_t more = wanted_scale - scale;
  bool up = false;
  if (more < 0) {
    const auto cut = static_cast<size_t>(std::min<int64_t>(-more, kept.size() + 1));
    if (cut > kept.size()) {
      kept.clear();
    } else {
      up = kept[kept.size() - cut] >= '5';
      kept.resize(kept.size() - cut);
    }
    more = 0;
  }
  if (digits == "0") more = 0;
  if (static_cast<int64_t>(kept.size()) + more > 38) return std::nullopt;
  kept.append(static_cast<size_t>(more), '0');
  Wide value = 0;
  for (const char c : kept) value = value * 10 + (c - '0');
  value += up;
  Wide limit = 1;
  for (int i = 0; i < precision; ++i) limit *= 10;
  if (value >= limit) return std::nullopt;
  return negative ? -value : value;
}

std::string BigDecimal::text() const {
  const std::string sign = negative && digits != "0" ? "-" : "";
  if (scale == 0) return sign + digits;
  const int64_t adjusted = precision() - 1 - scale;
  if (scale > 0 && adjusted >= -6) {
    std::string all = digits;
    if (scale >= precision()) all.insert(0, static_cast<size_t>(scale - precision() + 1), '0');
    all.insert(all.size() - static_cast<size_t>(scale), ".");
    return sign + all;
  }
  return fmt::format("{}{}{}{}E{}{}", sign, digits[0], digits.size() > 1 ? "." : "",
                     digits.substr(1), adjusted >= 0 ? "+" : "", adjusted);
}

BigDecimal big_decimal(Wide unscaled, int scale) {
  BigDecimal out{.negative = unscaled < 0, .digits = "", .scale = scale};
  auto rest = unscaled < 0 ? -static_cast<unsigned __int128>(unscaled)
                           : static_cast<unsigned __int128>(unscaled);
  do {
    out.digits.insert(out.digits.begin(), static_cast<char>('0' + static_cast<int>(rest % 10)));
    rest /= 10;
  } while (rest > 0);
  return out;
}

Value decimal_value(Wide unscaled, int precision, int scale) {
  const auto width = static_cast<uint8_t>(precision), digits = static_cast<uint8_t>(scale);
  if (precision <= 4) return Value::DECIMAL(static_cast<int16_t>(unscaled), width, digits);
  if (precision <= 9) return Value::DECIMAL(static_cast<int32_t>(unscaled), width, digits);
  if (precision <= 18) return Value::DECIMAL(static_cast<int64_t>(unscaled), width, digits);
  duckdb::hugeint_t wide;
  wide.lower = static_cast<uint64_t>(unscaled);
  wide.upper = static_cast<int64_t>(unscaled >> 64);
  return Value::DECIMAL(wide, width, digits);
}

Wide unscaled_of(const Value& decimal) {
  switch (decimal.type().InternalType()) {
    case duckdb::PhysicalType::INT16:
      return decimal.GetValueUnsafe<int16_t>();
    case duckdb::PhysicalType::INT32:
      return decimal.GetValueUnsafe<int32_t>();
    case duckdb::PhysicalType::INT64:
      return decimal.GetValueUnsafe<int64_t>();
    default: {
      const auto wide = decimal.GetValueUnsafe<duckdb::hugeint_t>();
      return (static_cast<Wide>(wide.upper) << 64) | static_cast<Wide>(wide.lower);
    }
  }
}

int64_t Zone::to_local(int64_t utc) const {
  if (const auto offset = offset_seconds(name_)) return utc + *offset * kSecond;
  return in_zone(context_, name_, Value::TIMESTAMPTZ(duckdb::timestamp_tz_t(utc)));
}

std::optional<int64_t> Zone::to_utc(int64_t local, const std::string& zone) const {
  if (const auto offset = offset_seconds(zone)) return local - *offset * kSecond;
  try {
    return in_zone(context_, zone, Value::TIMESTAMP(duckdb::timestamp_t(local)));
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

namespace {

constexpr const char* kMonths[] = {"January",   "February", "March",    "April",
                                   "May",       "June",     "July",     "August",
                                   "September", "October",  "November", "December"};
constexpr const char* kWeekdays[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                     "Friday", "Saturday", "Sunday"};

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

std::string offset_text(int64_t seconds, char letter, int count) {
  if (seconds == 0 && letter == 'X') return "Z";
  const char sign = seconds < 0 ? '-' : '+';
  const int64_t minutes = std::abs(seconds) / 60, hour = minutes / 60, minute = minutes % 60;
  if (count == 1) {
    return minute == 0 ? fmt::format("{}{:02}", sign, hour)
                       : fmt::format("{}{:02}{:02}", sign, hour, minute);
  }
  return count == 2 ? fmt::format("{}{:02}{:02}", sign, hour, minute)
                    : fmt::format("{}{:02}:{:02}", sign, hour, minute);
}

/// A name at the front, full or its first three letters: its place.
std::optional<int> take_name(std::string_view& text, std::span<const char* const> names,
                             bool full) {
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string_view name = full ? names[i] : std::string_view(names[i]).substr(0, 3);
    if (!text.starts_with(name)) continue;
    text.remove_prefix(name.size());
    return static_cast<int>(i);
  }
  return std::nullopt;
}

}  // namespace

MomentPattern::MomentPattern(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '\'') {
      const auto end = std::min(text.find('\'', i + 1), text.size());
      parts_.push_back({.text = end == i + 1 ? "'" : std::string(text.substr(i + 1, end - i - 1))});
      i = end + 1;
      continue;
    }
    if (!std::isalpha(static_cast<unsigned char>(text[i])) && text[i] != '[' && text[i] != ']') {
      parts_.push_back({.text = std::string(1, text[i++])});
      continue;
    }
    size_t end = i + 1;
    while (std::isalpha(static_cast<unsigned char>(text[i])) && end < text.size() &&
           text[end] == text[i]) {
      ++end;
    }
    const int count = static_cast<int>(end - i);
    static constexpr std::string_view kLetters = "yuMLdHhmsSaEXxZ[]";
    if (kLetters.find(text[i]) == std::string_view::npos || (text[i] == 'y' && count == 3) ||
        (text[i] == 'Z' && count > 3)) {
      throw Error(
          "UNSUPPORTED_FEATURE.DATETIME_PATTERN",
          fmt::format("The pattern letters `{}` are not supported.", text.substr(i, end - i)));
    }
    parts_.push_back({.letter = text[i], .count = count});
    i = end;
  }
}

std::string MomentPattern::format(int64_t local, int64_t offset_seconds) const {
  const int64_t days = floor_div(local, kDay), time = local - days * kDay;
  int32_t year, month, day;
  duckdb::Date::Convert(duckdb::date_t(static_cast<int32_t>(days)), year, month, day);
  const int64_t hour = time / (3600 * kSecond), minute = time / (60 * kSecond) % 60,
                second = time / kSecond % 60, micros = time % kSecond;
  std::string out;
  const auto padded = [&](int64_t value, int count) { out += fmt::format("{:0{}}", value, count); };
  for (const auto& part : parts_) {
    switch (part.letter) {
      case 0:
        out += part.text;
        break;
      case 'y':
      case 'u':
        padded(part.count == 2 ? year % 100 : year, part.count);
        break;
      case 'M':
      case 'L':
        if (part.count <= 2) {
          padded(month, part.count);
        } else {
          out +=
              part.count == 3 ? std::string(kMonths[month - 1]).substr(0, 3) : kMonths[month - 1];
        }
        break;
      case 'd':
        padded(day, part.count);
        break;
      case 'H':
        padded(hour, part.count);
        break;
      case 'h':
        padded((hour + 11) % 12 + 1, part.count);
        break;
      case 'm':
        padded(minute, part.count);
        break;
      case 's':
        padded(second, part.count);
        break;
      case 'S':
        out += fmt::format("{:06}000", micros).substr(0, part.count);
        break;
      case 'a':
        out += hour < 12 ? "AM" : "PM";
        break;
      case 'E': {
        const std::string name = kWeekdays[((days + 3) % 7 + 7) % 7];
        out += part.count < 4 ? name.substr(0, 3) : name;
        break;
      }
      case 'X':
      case 'x':
        out += offset_text(offset_seconds, part.letter, part.count);
        break;
      case 'Z':
        out += offset_text(offset_seconds, 'x', 2);
        break;
    }
  }
  return out;
}

std::optional<MomentPattern::Moment> MomentPattern::parse(std::string_view text) const {
  int64_t year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0, micros = 0;
  std::optional<bool> afternoon;
  std::optional<std::string> zone;
  const auto part = [&](size_t index) {
    const auto& p = parts_[index];
    // Digits beside digits have just the width of the pattern.
    const bool tight = index + 1 < parts_.size() && parts_[index + 1].letter != 0 &&
                       std::isalpha(static_cast<unsigned char>(parts_[index + 1].letter));
    const auto number = [&](int64_t& into, size_t most) {
      const auto least = static_cast<size_t>(p.count);
      const auto value = take_digits(text, least, p.count > 1 || tight ? least : most);
      if (value) into = *value;
      return value.has_value();
    };
    switch (p.letter) {
      case 0:
        if (!text.starts_with(p.text)) return false;
        text.remove_prefix(p.text.size());
        return true;
      case 'y':
      case 'u':
        if (p.count == 2) {
          if (!number(year, 2)) return false;
          year += 2000;
          return true;
        }
        return number(year, 6);
      case 'M':
      case 'L':
        if (p.count > 2) {
          const auto found = take_name(text, kMonths, p.count > 3);
          if (found) month = *found + 1;
          return found.has_value();
        }
        return number(month, 2);
      case 'd':
        return number(day, 2);
      case 'H':
        return number(hour, 2);
      case 'h':
        afternoon = afternoon.value_or(false);
        return number(hour, 2);
      case 'm':
        return number(minute, 2);
      case 's':
        return number(second, 2);
      case 'S': {
        // Spark reads as many digits as there are, up to the pattern's.
        int64_t unit = kSecond / 10;
        size_t n = 0;
        micros = 0;
        for (; n < text.size() && n < static_cast<size_t>(p.count) && is_digit(text[n]);
             ++n, unit /= 10) {
          micros += unit * (text[n] - '0');
        }
        text.remove_prefix(n);
        return n > 0;
      }
      case 'a':
        if (!text.starts_with("AM") && !text.starts_with("PM")) return false;
        afternoon = text[0] == 'P';
        text.remove_prefix(2);
        return true;
      case 'E':
        return take_name(text, kWeekdays, p.count > 3).has_value();
      default: {
        size_t n = 0;
        while (n < text.size() && (is_digit(text[n]) || text[n] == ':' || text[n] == '+' ||
                                   text[n] == '-' || text[n] == 'Z')) {
          ++n;
        }
        if (n == 0) return false;
        zone = std::string(text.substr(0, n));
        text.remove_prefix(n);
        return true;
      }
    }
  };
  for (size_t i = 0; i < parts_.size(); ++i) {
    if (parts_[i].letter == ']') continue;
    if (parts_[i].letter != '[') {
      if (!part(i)) return std::nullopt;
      continue;
    }
    const auto before = text;
    size_t end = i + 1;
    while (end < parts_.size() && parts_[end].letter != ']') ++end;
    for (size_t k = i + 1; k < end; ++k) {
      if (part(k)) continue;
      text = before;
      break;
    }
    i = end;
  }
  if (!text.empty()) return std::nullopt;
  if (afternoon) hour = hour % 12 + (*afternoon ? 12 : 0);
  const auto days = days_of(year, month, day);
  if (!days || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  return Moment{.local = *days * kDay + ((hour * 60 + minute) * 60 + second) * kSecond + micros,
                .zone = zone};
}

std::optional<int64_t> timestamp_of_text(std::string_view text, const Zone& zone) {
  auto moment = moment_of_text(text);
  if (!moment && text.find(':') != std::string_view::npos) {  // a time is today's
    auto rest = trimmed(text);
    take(rest, 'T');
    const auto time = take_time(rest);
    if (!time || !rest.empty()) return std::nullopt;
    const auto now = zone.to_local(duckdb::Timestamp::GetCurrentTimestamp().value);
    moment = {.local = now - now % kDay + *time, .zone = std::nullopt};
  }
  if (!moment) return std::nullopt;
  return moment->zone ? zone.to_utc(moment->local, *moment->zone) : zone.to_utc(moment->local);
}

std::optional<int64_t> timestamp_ntz_of_text(std::string_view text, bool zone_allowed) {
  const auto moment = moment_of_text(text);
  if (!moment || (moment->zone && !zone_allowed)) return std::nullopt;
  return moment->local;
}

std::optional<int32_t> date_of_text(std::string_view text) {
  text = trimmed(text);
  const auto days = take_date(text);
  if (!days || (!text.empty() && text.front() != ' ' && text.front() != 'T')) return std::nullopt;
  return static_cast<int32_t>(*days);
}

std::optional<int64_t> integer_of_text(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string date_text(int64_t days) { return MomentPattern("yyyy-MM-dd").format(days * kDay, 0); }

std::string timestamp_text(int64_t local) {
  std::string text = MomentPattern("yyyy-MM-dd HH:mm:ss.SSSSSS").format(local, 0);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

Options::Options(std::string_view literal) {
  while (!literal.empty()) {
    std::string parts[2];
    for (auto& part : parts) {
      const auto end = std::min(literal.find('\x1f'), literal.size());
      part = literal.substr(0, end);
      literal.remove_prefix(std::min(end + 1, literal.size()));
    }
    std::transform(parts[0].begin(), parts[0].end(), parts[0].begin(), ::tolower);
    values_[parts[0]] = parts[1];
  }
}

std::optional<std::string> Options::find(const std::string& name) const {
  std::string key = name;
  std::transform(key.begin(), key.end(), key.begin(), ::tolower);
  const auto found = values_.find(key);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

std::string Options::get(const std::string& name, const std::string& otherwise) const {
  return find(name).value_or(otherwise);
}

bool Options::flag(const std::string& name, bool otherwise) const {
  const auto value = find(name);
  if (!value) return otherwise;
  std::string lower = *value;
  std::transform(lower.begin(), lower.end(), lower.begin(), ::tolower);
  return lower == "true";
}

std::optional<std::string> bytes_of_base64(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  for (const char c : text) {
    const int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 26
                      : is_digit(c)          ? c - '0' + 52
                      : c == '+'             ? 62
                      : c == '/'             ? 63
                                             : -1;
    if (value < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) out += static_cast<char>((bits >> (count -= 8)) & 0xff);
  }
  return out;
}

std::string base64_text(std::string_view bytes) {
  static constexpr char kLetters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    for (size_t k = 0; k < 3; ++k)
      bits = (bits << 8) | (k < n ? static_cast<unsigned char>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) out += k <= n ? kLetters[(bits >> (18 - 6 * k)) & 63] : '=';
  }
  return out;
}

}  // namespace firesteel
