// Java's date patterns: reading and checking them, formatting and parsing by them.
#include "functions/date_pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <span>

namespace firesteel {

namespace {

constexpr int kOptionalDepthMax = 100;  // Java's own has no bound but its stack

constexpr const char* kMonths[] = {"January",   "February", "March",    "April",
                                   "May",       "June",     "July",     "August",
                                   "September", "October",  "November", "December"};
constexpr const char* kDays[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                 "Friday", "Saturday", "Sunday"};
constexpr int64_t kDayMicros = 86400000000;

/// The pattern is none because of what Spark refuses (`illegal`) or Java does.
struct Refused {
  bool illegal;
};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool contains(std::string_view letters, char c) {
  return letters.find(c) != std::string_view::npos;
}

bool same_letter(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}
bool starts_with(std::string_view text, std::string_view start) {
  return text.size() >= start.size() &&
         std::equal(start.begin(), start.end(), text.begin(), same_letter);
}

/// Whether Spark 2's SimpleDateFormat takes the pattern.
bool legacy_takes(std::string_view text) {
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\'') {
      quoted = !quoted;
    } else if (!quoted && is_letter(text[i])) {
      if (!contains("GyYMLwWDdFEuaHkKhmsSzZX", text[i])) return false;
      if (text.substr(i).starts_with("XXXX")) return false;
    }
  }
  return !quoted;
}

/// "+02:00" in one of the forms of X, x and Z.
std::string offset_text(int64_t seconds, std::string_view form, std::string_view zero) {
  if (seconds == 0 && !zero.empty()) return std::string(zero);
  const int64_t size = std::abs(seconds), minutes = size / 60 % 60;
  std::string out = fmt::format("{}{:02}", seconds < 0 ? '-' : '+', size / 3600);
  if (form == "+HHmm" && minutes == 0) return out;
  out += fmt::format("{}{:02}", contains(form, ':') ? ":" : "", minutes);
  if (contains(form, 's') && size % 60 != 0)
    out += fmt::format("{}{:02}", contains(form, ':') ? ":" : "", size % 60);
  return out;
}

/// X, x and Z by their number of letters.
std::pair<std::string_view, std::string_view> offset_form(char letter, int count) {
  static constexpr std::string_view kForms[] = {"+HHmm", "+HHMM", "+HH:MM", "+HHMMss", "+HH:MM:ss"};
  if (letter == 'Z') return count == 5 ? std::pair(kForms[4], "Z") : std::pair(kForms[1], "+0000");
  static constexpr std::string_view kZeros[] = {"+00", "+0000", "+00:00", "+0000", "+00:00"};
  return {kForms[count - 1], letter == 'X' ? "Z" : kZeros[count - 1]};
}

std::string localized_offset(int64_t seconds, bool full) {
  if (seconds == 0) return "GMT";
  if (full) return "GMT" + offset_text(seconds, "+HH:MM", "");
  const int64_t size = std::abs(seconds);
  std::string out = fmt::format("GMT{}{}", seconds < 0 ? '-' : '+', size / 3600);
  if (size / 60 % 60 != 0) out += fmt::format(":{:02}", size / 60 % 60);
  return out;
}

/// A number of at least `width` digits, with Java's sign for what exceeds them.
std::string padded(int64_t value, int width, bool exceeds_pad) {
  const auto digits = fmt::format("{:0{}}", std::abs(value), width);
  const bool longer = exceeds_pad && static_cast<int>(digits.size()) > width;
  return (value < 0 ? "-" : longer ? "+" : "") + digits;
}

}  // namespace

/// What a text says, field by field; INT64_MIN where it says nothing.
struct DatePattern::Fields {
  static constexpr int64_t kNone = INT64_MIN;
  int64_t year = kNone, era = kNone, month = kNone, day = kNone, day_of_year = kNone, hour = kNone,
          half_hour = kNone, half = kNone, minute = kNone, second = kNone, micros = kNone;
  std::string zone = {};

  /// False where the field is out of range or has another value already.
  static bool set(int64_t& field, int64_t value, int64_t low, int64_t high) {
    if (value < low || value > high || (field != kNone && field != value)) return false;
    field = value;
    return true;
  }

  std::optional<Moment> resolve() const {
    const auto or_else = [](int64_t value, int64_t otherwise) {
      return value == kNone ? otherwise : value;
    };
    int64_t y = or_else(year, 1970);
    if (era == 0) y = 1 - y;
    const std::chrono::year_month_day date{
        std::chrono::year(static_cast<int>(y)),
        std::chrono::month(static_cast<unsigned>(or_else(month, 1))),
        std::chrono::day(static_cast<unsigned>(or_else(day, 1)))};
    if (y < -32767 || y > 32767 || !date.ok()) return std::nullopt;
    auto days = std::chrono::sys_days(date);
    if (day_of_year != kNone && month == kNone && day == kNone) {
      days += std::chrono::days(day_of_year - 1);
      if (std::chrono::year_month_day(days).year() != date.year()) return std::nullopt;
    }
    if (hour != kNone && half != kNone && hour / 12 != half) return std::nullopt;
    int64_t h = or_else(hour, or_else(half_hour, 0));
    if (hour == kNone && half == 1) h += 12;
    const int64_t seconds = (h * 60 + or_else(minute, 0)) * 60 + or_else(second, 0);
    return Moment{
        days.time_since_epoch().count() * kDayMicros + seconds * 1000000 + or_else(micros, 0),
        zone};
  }
};

DatePattern::DatePattern(std::string_view text, bool parsing) {
  try {
    read(text);
    for (const auto& token : tokens_) {
      if (contains("YWwu", token.letter)) throw Refused{true};
      if (contains("ABcenNp", token.letter) || (parsing && contains("EFqQ", token.letter)))
        throw Refused{true};
      era_ = era_ || token.letter == 'G';
      check(token);
    }
  } catch (const Refused& refused) {
    if (legacy_takes(text)) {
      throw Error(
          "INCONSISTENT_BEHAVIOR_CROSS_VERSION.DATETIME_PATTERN_RECOGNITION",
          fmt::format("You may get a different result due to the upgrading to Spark >= 3.0: "
                      "Fail to recognize '{}' pattern in the DateTimeFormatter.",
                      text));
    }
    throw Error(refused.illegal ? "INVALID_DATETIME_PATTERN.ILLEGAL_CHARACTER"
                                : "INVALID_DATETIME_PATTERN.WITH_SUGGESTION",
                fmt::format("Unrecognized datetime pattern: '{}'.", text));
  }
}

void DatePattern::read(std::string_view text) {
  int depth = 0;
  const auto literal = [&](char c) {
    if (tokens_.empty() || tokens_.back().letter != 0) tokens_.push_back({});
    tokens_.back().text += c;
  };
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '\'') {
      const size_t start = ++i;
      for (; i < text.size() && (text[i] != '\'' || text.substr(i, 2) == "''"); ++i) {
        if (text[i] == '\'') ++i;
        literal(text[i]);
      }
      if (i >= text.size()) throw Refused{false};
      if (i == start) literal('\'');
      ++i;
    } else if (is_letter(c)) {
      size_t end = i;
      while (end < text.size() && text[end] == c) ++end;
      tokens_.push_back({c, static_cast<int>(end - i)});
      i = end;
    } else {
      if (contains("{}#", c)) throw Refused{false};
      if (c == '[' || c == ']') {
        depth += c == '[' ? 1 : -1;
        if (depth < 0 || depth > kOptionalDepthMax) throw Refused{false};
        tokens_.push_back({c, 1});
      } else {
        literal(c);
      }
      ++i;
    }
  }
  for (; depth > 0; --depth) tokens_.push_back({']', 1});
}

/// How many letters of a kind may stand together.
void DatePattern::check(const Token& token) const {
  static constexpr std::pair<std::string_view, int> kMost[] = {
      {"[]aF", 1}, {"dhHkKms", 2}, {"D", 3}, {"GMLEQqzO", 4}, {"XxZ", 5}, {"y", 6}, {"S", 9}};
  if (token.letter == 0) return;
  if (token.letter == 'V' ? token.count == 2 : token.letter == 'O' && token.count % 4 > 1) {
    if (token.letter == 'O') throw Refused{false};
    return;
  }
  for (const auto& [letters, most] : kMost) {
    if (!contains(letters, token.letter)) continue;
    if (token.count <= most) return;
    throw Refused{contains("GMLEQqy", token.letter)};
  }
  throw Refused{false};
}

bool DatePattern::has_zone() const {
  return std::any_of(tokens_.begin(), tokens_.end(), [](const Token& token) {
    return token.letter && contains("VzOXxZ", token.letter);
  });
}

std::string DatePattern::format(int64_t micros, int64_t offset, std::string_view zone) const {
  using namespace std::chrono;
  const auto days_since = floor<days>(std::chrono::microseconds(micros));
  const year_month_day date{sys_days(days_since)};
  const int64_t year = static_cast<int>(date.year()), month = static_cast<unsigned>(date.month()),
                day = static_cast<unsigned>(date.day());
  const int64_t clock = micros - days_since.count() * kDayMicros;
  const int64_t hour = clock / 3600000000, second = clock / 1000000 % 60, rest = clock % 1000000;
  const auto week_day = weekday(sys_days(days_since)).iso_encoding() - 1;
  std::string out;
  for (const auto& [letter, count, text] : tokens_) {
    const auto number = [&](int64_t value) { out += padded(value, count, false); };
    const auto name = [&](std::string_view full, size_t size) {
      out += count < 4 ? full.substr(0, size) : full;
    };
    switch (letter) {
      case 0:
        out += text;
        break;
      case 'G':
        out += count < 4 ? (year > 0 ? "AD" : "BC") : (year > 0 ? "Anno Domini" : "Before Christ");
        break;
      case 'y': {
        const int64_t shown = era_ && year < 1 ? 1 - year : year;
        out +=
            count == 2 ? padded(std::abs(shown) % 100, 2, false) : padded(shown, count, count > 3);
        break;
      }
      case 'M':
      case 'L':
        if (count < 3) {
          number(month);
        } else {
          name(kMonths[month - 1], 3);
        }
        break;
      case 'd':
        number(day);
        break;
      case 'D':
        number((sys_days(days_since) - sys_days(date.year() / 1 / 1)).count() + 1);
        break;
      case 'E':
        name(kDays[week_day], 3);
        break;
      case 'F':
        number((day - 1) % 7 + 1);
        break;
      case 'Q':
      case 'q': {
        static constexpr const char* kQuarters[] = {"1st", "2nd", "3rd", "4th"};
        const auto quarter = (month - 1) / 3 + 1;
        if (count < 3) {
          number(quarter);
        } else {
          out += count == 3 ? fmt::format("Q{}", quarter)
                            : fmt::format("{} quarter", kQuarters[quarter - 1]);
        }
        break;
      }
      case 'a':
        out += hour < 12 ? "AM" : "PM";
        break;
      case 'H':
        number(hour);
        break;
      case 'k':
        number(hour == 0 ? 24 : hour);
        break;
      case 'K':
        number(hour % 12);
        break;
      case 'h':
        number(hour % 12 == 0 ? 12 : hour % 12);
        break;
      case 'm':
        number(clock / 60000000 % 60);
        break;
      case 's':
        number(second);
        break;
      case 'S':
        out += fmt::format("{:06}000", rest).substr(0, static_cast<size_t>(count));
        break;
      case 'V':
        out += zone;
        break;
      case 'z':
        if (zone != "UTC") {
          throw Error("UNSUPPORTED_FEATURE.DATETIME_PATTERN",
                      "The names of time zones (`z`) are supported for UTC alone; use `VV`.");
        }
        out += count < 4 ? "UTC" : "Coordinated Universal Time";
        break;
      case 'O':
        out += localized_offset(offset, count == 4);
        break;
      case 'X':
      case 'x':
      case 'Z': {
        const auto [form, zero] = offset_form(letter, count);
        out += letter == 'Z' && count == 4 ? localized_offset(offset, true)
                                           : offset_text(offset, form, zero);
        break;
      }
      default:  // [ and ]
        break;
    }
  }
  return out;
}

/// Digits that the fixed-width numbers right behind a number take.
size_t DatePattern::reserved(size_t token) const {
  size_t digits = 0;
  for (++token; token < tokens_.size(); ++token) {
    const auto& next = tokens_[token];
    const bool fixed = (next.count == 2 && next.letter && contains("MLdhHkKmsy", next.letter)) ||
                       (next.letter == 'D' && next.count == 3);
    if (!fixed) break;
    digits += static_cast<size_t>(next.count);
  }
  return digits;
}

bool DatePattern::parse_token(size_t place, std::string_view text, size_t& at,
                              Fields& fields) const {
  const auto& [letter, count, literal] = tokens_[place];
  const auto rest = text.substr(std::min(at, text.size()));
  if (letter == 0) {
    if (!starts_with(rest, literal)) return false;
    at += literal.size();
    return true;
  }
  // A number of `least` to `most` digits, of which those behind it take theirs.
  const auto number = [&](size_t least, size_t most, bool sign, int64_t& out) {
    size_t i = 0;
    const bool minus = sign && rest.starts_with('-'), plus = sign && rest.starts_with('+');
    if (minus || plus) i = 1;
    size_t digits = 0;
    while (i + digits < rest.size() && is_digit(rest[i + digits])) ++digits;
    if (least != most) {
      const size_t kept = reserved(place);
      digits = digits > kept + least ? digits - kept : std::min(digits, least);
    }
    digits = std::min(digits, most);
    if (digits < least || digits > 18) return false;
    const bool padded = letter == 'y' && count >= 4;
    if (padded && !minus && (digits > static_cast<size_t>(count)) != plus) return false;
    if (!padded && plus) return false;
    out = 0;
    for (size_t k = 0; k < digits; ++k) out = out * 10 + (rest[i + k] - '0');
    if (minus) out = -out;
    at += i + digits;
    return true;
  };
  const auto ranged = [&](int64_t& field, int64_t low, int64_t high) {
    int64_t value = 0;
    const size_t most = count == 1 ? 18 : letter == 'D' ? 3 : static_cast<size_t>(count);
    return number(static_cast<size_t>(count), most, count == 1, value) &&
           Fields::set(field, value, low, high);
  };
  const auto named = [&](std::span<const char* const> names, size_t length, int64_t& field) {
    for (size_t i = 0; i < names.size(); ++i) {
      const auto name = std::string_view(names[i]).substr(0, length);
      if (!starts_with(rest, name)) continue;
      at += name.size();
      return Fields::set(field, static_cast<int64_t>(i), 0, 100);
    }
    return false;
  };
  int64_t value = Fields::kNone;
  switch (letter) {
    case 'G': {
      static constexpr const char* kShort[] = {"BC", "AD"};
      static constexpr const char* kLong[] = {"Before Christ", "Anno Domini"};
      return named(count < 4 ? kShort : kLong, 100, fields.era);
    }
    case 'y':
      if (count == 2) {
        return number(2, 2, false, value) && Fields::set(fields.year, 2000 + value, 2000, 2099);
      }
      return number(static_cast<size_t>(count), 18, true, value) &&
             Fields::set(fields.year, value, era_ ? 1 : -999999, 999999);
    case 'M':
    case 'L':
      if (count < 3) return ranged(fields.month, 1, 12);
      return named(kMonths, count == 3 ? 3 : 100, value) &&
             Fields::set(fields.month, value + 1, 1, 12);
    case 'd':
      return ranged(fields.day, 1, 31);
    case 'D':
      return ranged(fields.day_of_year, 1, 366);
    case 'a': {
      static constexpr const char* kHalves[] = {"AM", "PM"};
      return named(kHalves, 2, fields.half);
    }
    case 'H':
      return ranged(fields.hour, 0, 23);
    case 'k':
      return ranged(value, 1, 24) && Fields::set(fields.hour, value % 24, 0, 23);
    case 'K':
      return ranged(fields.half_hour, 0, 11);
    case 'h':
      return ranged(value, 1, 12) && Fields::set(fields.half_hour, value % 12, 0, 11);
    case 'm':
      return ranged(fields.minute, 0, 59);
    case 's':
      return ranged(fields.second, 0, 59);
    case 'S': {
      size_t digits = 0;
      int64_t micros = 0;
      for (; digits < static_cast<size_t>(count) && digits < rest.size() && is_digit(rest[digits]);
           ++digits) {
        if (digits < 6) micros = micros * 10 + (rest[digits] - '0');
      }
      for (size_t k = digits; k < 6; ++k) micros *= 10;
      at += digits;
      return digits > 0 && Fields::set(fields.micros, micros, 0, 999999);
    }
    default:
      break;
  }
  // A zone: its name, or an offset, which is kept as "+02:00".
  size_t i = 0;
  if (letter == 'V' || letter == 'z') {
    while (i < rest.size() &&
           (is_letter(rest[i]) || is_digit(rest[i]) || contains("_/+-:", rest[i])))
      ++i;
    fields.zone = rest.substr(0, i);
    at += i;
    return i > 0;
  }
  const bool localized = letter == 'O' || (letter == 'Z' && count == 4);
  if (localized) {
    if (!starts_with(rest, "GMT")) return false;
    i = 3;
  } else if ((letter == 'X' || (letter == 'Z' && count == 5)) && starts_with(rest, "Z")) {
    fields.zone = "+00:00";
    at += 1;
    return true;
  }
  if (i >= rest.size() || !contains("+-", rest[i])) {
    fields.zone = "+00:00";
    at += i;
    return localized;
  }
  const bool colon = localized || contains(offset_form(letter, count).first, ':');
  std::string zone(1, rest[i++]);
  const size_t start = i;
  while (i < rest.size() && is_digit(rest[i]) && i - start < 2) ++i;
  if (i == start || (i - start < 2 && !(letter == 'O' && count == 1))) return false;
  zone += fmt::format("{:0>2}", rest.substr(start, i - start));
  const bool more = colon ? i + 2 < rest.size() && rest[i] == ':' && is_digit(rest[i + 1])
                          : i + 1 < rest.size() && is_digit(rest[i]) && is_digit(rest[i + 1]);
  const bool needed = !(letter == 'O' && count == 1) && count > 1;
  if (!more && (needed || letter == 'Z')) return false;
  zone += more ? fmt::format(":{}", rest.substr(i + colon, 2)) : ":00";
  fields.zone = zone;
  at += i + (more ? 2 + colon : 0);
  return true;
}

/// Tokens up to the end of a section; one that does not fit is left out whole.
bool DatePattern::parse_section(size_t& token, std::string_view text, size_t& at,
                                Fields& fields) const {
  for (; token < tokens_.size(); ++token) {
    if (tokens_[token].letter == ']') return true;
    if (tokens_[token].letter != '[') {
      if (!parse_token(token, text, at, fields)) return false;
      continue;
    }
    auto inner = fields;
    size_t place = token + 1, position = at;
    if (parse_section(place, text, position, inner)) {
      fields = inner;
      at = position;
    }
    for (int depth = 0; token < tokens_.size(); ++token) {
      depth += tokens_[token].letter == '[' ? 1 : tokens_[token].letter == ']' ? -1 : 0;
      if (depth == 0) break;
    }
  }
  return true;
}

std::optional<DatePattern::Moment> DatePattern::parse(std::string_view text) const {
  Fields fields;
  size_t token = 0, at = 0;
  if (!parse_section(token, text, at, fields) || at != text.size()) return std::nullopt;
  return fields.resolve();
}

}  // namespace firesteel
