// Number formats: reading and checking them, and numbers in them, both ways.
#include "functions/number_format.h"

#include <fmt/format.h>

#include <algorithm>

namespace firesteel {

namespace {

[[noreturn]] void refuse(std::string_view reason, std::string_view format, std::string_view text) {
  throw Error(fmt::format("INVALID_FORMAT.{}", reason),
              fmt::format("The format is invalid: '{}'. {}", format, text));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// A sign's place is before the spaces that stand for missing digits …
void put_before_spaces(std::string& out, char c) {
  const auto last = out.find_last_not_of(' ');
  out.insert(last == std::string::npos ? 0 : last + 1, 1, c);
}
/// … or behind them.
void put_space(std::string& out) {
  const bool sign = !out.empty() && std::string_view("+-<").find(out.back()) != std::string::npos;
  out.insert(out.size() - sign, 1, ' ');
}

void drop_lone_point(std::string& out) {
  if (!out.empty() && out.back() == '.') out.back() = ' ';
}

}  // namespace

NumberFormat::NumberFormat(std::string_view text) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(), ::toupper);
  if (text.empty()) refuse("EMPTY", text, "The number format string cannot be empty.");
  read(upper);
  check(text);
}

void NumberFormat::read(std::string_view text) {
  bool fraction = false;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    const bool digit = c == '0' || c == '9', comma = c == ',' || c == 'G';
    if ((digit || comma) && (tokens_.empty() || tokens_.back().kind != Kind::kDigits))
      tokens_.push_back({Kind::kDigits, {{}}});
    if (digit) {
      auto& group = tokens_.back().groups.back();
      const size_t start = i;
      while (i < text.size() && (text[i] == '0' || text[i] == '9')) ++i;
      group = {static_cast<int>(i - start), c == '0' && !fraction};
      (fraction ? scale_ : whole_) += group.digits;
      continue;
    }
    const auto next = text.substr(i, 2);
    if (comma) {
      tokens_.back().groups.push_back({});
    } else if (c == '.' || c == 'D') {
      tokens_.push_back({Kind::kPoint});
      fraction = true;
    } else if (c == '$') {
      tokens_.push_back({Kind::kDollar});
    } else if (c == 'S') {
      tokens_.push_back({Kind::kSign});
    } else if (next == "MI") {
      tokens_.push_back({Kind::kMinus});
      ++i;
    } else if (next == "PR") {
      tokens_.insert(tokens_.begin(), {Kind::kOpen});
      tokens_.push_back({Kind::kClose});
      ++i;
    } else {
      tokens_.push_back({Kind::kOpen});  // what stands nowhere: refused by its place
      tokens_.push_back({Kind::kOpen});
    }
    ++i;
  }
}

void NumberFormat::check(std::string_view text) const {
  const auto first = [&](Kind kind) {
    return std::find_if(tokens_.begin(), tokens_.end(),
                        [&](const Token& token) { return token.kind == kind; });
  };
  const auto digits = first(Kind::kDigits), dollar = first(Kind::kDollar),
             point = first(Kind::kPoint), end = tokens_.end();
  if (whole_ + scale_ == 0)
    refuse("WRONG_NUM_DIGIT", text, "The format string requires at least one number digit.");
  if (dollar != end && dollar > digits)
    refuse("CUR_MUST_BEFORE_DIGIT", text, "Currency characters must appear before any digit.");
  if (dollar != end && dollar > point)
    refuse("CUR_MUST_BEFORE_DEC", text, "Currency characters must appear before any point.");
  for (auto token = tokens_.begin(); token != end; ++token) {
    if (token->kind != Kind::kDigits || token->groups.size() < 2) continue;
    if (token > point)
      refuse("THOUSANDS_SEPS_MUST_BEFORE_DEC", text, "Commas cannot appear after the point.");
    for (const auto& group : token->groups) {
      if (group.digits == 0)
        refuse("CONT_THOUSANDS_SEPS", text, "Commas must have digits in between them.");
    }
  }
  for (const Kind kind : {Kind::kPoint, Kind::kSign, Kind::kMinus, Kind::kDollar, Kind::kClose}) {
    if (std::count_if(tokens_.begin(), end, [&](const auto& t) { return t.kind == kind; }) > 1)
      refuse("WRONG_NUM_TOKEN", text, "A sign, currency character or point stands twice.");
  }
  // [<] [MI|S] [$] digits [.] digits [MI|S|>]
  static constexpr std::pair<Kind, Kind> kOrder[] = {
      {Kind::kOpen, Kind::kOpen},     {Kind::kMinus, Kind::kSign},  {Kind::kDollar, Kind::kDollar},
      {Kind::kDigits, Kind::kDigits}, {Kind::kPoint, Kind::kPoint}, {Kind::kDigits, Kind::kDigits},
      {Kind::kDollar, Kind::kDollar}, {Kind::kMinus, Kind::kSign},  {Kind::kClose, Kind::kClose}};
  auto token = tokens_.begin();
  for (const auto& [one, other] : kOrder) {
    if (token != end && (token->kind == one || token->kind == other)) ++token;
  }
  if (token != end) refuse("UNEXPECTED_TOKEN", text, "A character stands where it cannot.");
}

bool NumberFormat::parse_digits(const Token& token, std::string_view text, size_t& at,
                                bool fraction, std::string& out) const {
  std::vector<int> sizes = {0};
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (is_digit(c)) {
      out += c;
      ++sizes.back();
    } else if (c == ',' && !fraction) {
      sizes.push_back(0);
    } else if (!std::isspace(static_cast<unsigned char>(c))) {
      break;
    }
  }
  if (sizes.size() > token.groups.size()) return false;
  for (size_t i = 0; i < token.groups.size(); ++i) {  // from the right
    const auto& group = token.groups[token.groups.size() - 1 - i];
    const int size = i < sizes.size() ? sizes[sizes.size() - 1 - i] : 0;
    if (group.exact ? size != group.digits : size > group.digits) return false;
  }
  return true;
}

std::optional<std::string> NumberFormat::parse(std::string_view text) const {
  std::string whole, fraction;
  bool negative = false, behind = false, open = false;
  size_t at = 0;
  const auto take = [&](char c) { return at < text.size() && text[at] == c && ++at; };
  for (const auto& token : tokens_) {
    switch (token.kind) {
      case Kind::kDigits:
        if (!parse_digits(token, text, at, behind, behind ? fraction : whole)) return std::nullopt;
        break;
      case Kind::kPoint:
        behind = take('.');
        break;
      case Kind::kDollar:
        if (!take('$')) return std::nullopt;
        break;
      case Kind::kSign:
        if (!take('+')) negative = take('-') != negative;
        break;
      case Kind::kMinus:
        negative = take('-') != negative;
        break;
      case Kind::kOpen:
        open = take('<');
        break;
      case Kind::kClose:
        if (take('>') != open) return std::nullopt;
        negative = open != negative;
        break;
    }
  }
  if (at < text.size() || whole.empty() + fraction.empty() == 2) return std::nullopt;
  const auto digits = whole.size() - std::min(whole.find_first_not_of('0'), whole.size());
  if (digits > static_cast<size_t>(whole_)) {  // digits behind a point that was left out
    throw Error("NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION",
                fmt::format("{} cannot be represented as Decimal({}, {}).", whole, whole_ + scale_,
                            scale_));
  }
  return fmt::format("{}{}{}{}", negative ? "-" : "", whole.empty() ? "0" : whole,
                     fraction.empty() ? "" : ".", fraction);
}

std::string NumberFormat::format(std::string_view number) const {
  const bool negative = number.starts_with('-');
  if (negative) number.remove_prefix(1);
  const auto point = std::min(number.find('.'), number.size());
  std::string whole(number.substr(0, point)),
      fraction(number.substr(std::min(point + 1, number.size())));
  whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
  fraction.erase(fraction.find_last_not_of('0') + 1);
  const bool fits =
      static_cast<int>(whole.size()) <= whole_ && static_cast<int>(fraction.size()) <= scale_;
  const bool below_zero = negative && !(whole.empty() && fraction.empty());
  std::string digits =
      std::string(std::max(0, whole_ - static_cast<int>(whole.size())), ' ') + whole + fraction;
  digits.resize(std::max<size_t>(digits.size(), whole_ + scale_), ' ');
  std::string out;
  bool behind = false;
  size_t at = 0;
  for (const auto& token : tokens_) {
    switch (token.kind) {
      case Kind::kDigits:
        for (size_t g = 0; g < token.groups.size(); ++g) {
          if (g > 0 && !out.empty() && is_digit(out.back())) {
            out += ',';
          } else if (g > 0) {
            put_space(out);
          }
          for (int i = 0; i < token.groups[g].digits; ++i, ++at) {
            if (!fits) {
              out += '#';
            } else if (digits[at] != ' ') {
              out += digits[at];
            } else if (behind || token.groups[g].exact) {
              out += '0';
            } else {
              put_space(out);
            }
          }
        }
        break;
      case Kind::kPoint:
        if (!out.empty() && out.back() == ' ') out.back() = '0';
        out += '.';
        behind = true;
        break;
      case Kind::kDollar:
        out += '$';
        break;
      case Kind::kSign:
        drop_lone_point(out);
        put_before_spaces(out, below_zero ? '-' : '+');
        break;
      case Kind::kMinus:
        if (below_zero) {
          drop_lone_point(out);
          put_before_spaces(out, '-');
        } else {
          out += ' ';
        }
        break;
      case Kind::kOpen:
        if (below_zero) out += '<';
        break;
      case Kind::kClose:
        drop_lone_point(out);
        if (below_zero) {
          put_before_spaces(out, '>');
        } else {
          out += "  ";
        }
        break;
    }
  }
  drop_lone_point(out);
  return out;
}

}  // namespace firesteel
