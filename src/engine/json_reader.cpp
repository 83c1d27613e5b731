// The tokens of JSON, and what is written as JSON. See the header.
#include "engine/json_reader.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "base/number_text.h"

namespace firesteel {

void append_utf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

namespace {

constexpr size_t kLevelsMax = 1000;  // Jackson's StreamReadConstraints
constexpr size_t kDigitsMax = 1000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_name_byte(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool is_high_surrogate(uint32_t unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool is_low_surrogate(uint32_t unit) { return unit >= 0xdc00 && unit < 0xe000; }

}  // namespace

void JsonReader::fail(const char* what) const {
  throw JsonError(fmt::format("{} at byte {}", what, at_));
}

void JsonReader::skip_blanks() {
  while (!at_end()) {
    const char c = input_[at_];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      ++at_;
    } else if (c == '/' && rules_.comments) {
      const auto two = input_.substr(at_, 2);
      const auto end = two == "/*"   ? input_.find("*/", at_ + 2)
                       : two == "//" ? std::min(input_.find('\n', at_), input_.size())
                                     : std::string_view::npos;
      if (end == std::string_view::npos) fail("a comment without its end");
      at_ = two == "/*" ? end + 2 : end;
    } else {
      return;
    }
  }
}

JsonToken JsonReader::next() {
  const bool after_field = token_ == JsonToken::kField;
  skip_blanks();
  broken_ = false;
  if (levels_.empty()) {
    if (at_end()) return token_ = JsonToken::kEnd;
    return token_ = value();
  }
  if (at_end()) fail("unexpected end of input");
  if (after_field) {
    if (input_[at_] != ':') fail("no colon after a field's name");
    ++at_;
    skip_blanks();
    return token_ = value();
  }
  auto& level = levels_.back();
  if (input_[at_] == (level.object ? '}' : ']')) {
    ++at_;
    const bool object = level.object;
    levels_.pop_back();
    text_ = object ? "}" : "]";
    return token_ = object ? JsonToken::kEndObject : JsonToken::kEndArray;
  }
  if (level.values++ > 0) {
    if (input_[at_] != ',') fail("no comma between values");
    ++at_;
    skip_blanks();
  }
  if (!level.object) return token_ = value();
  name();
  level.field = text_;
  return token_ = JsonToken::kField;
}

JsonToken JsonReader::value() {
  if (at_end()) fail("unexpected end of input");
  const char c = input_[at_];
  if (c == '{' || c == '[') {
    ++at_;
    levels_.push_back({c == '{'});
    if (levels_.size() > kLevelsMax) fail("nested too deeply");
    text_ = c;
    return c == '{' ? JsonToken::kStartObject : JsonToken::kStartArray;
  }
  if (c == '"' || (c == '\'' && rules_.single_quotes)) {
    ++at_;
    quoted(c);
    return JsonToken::kString;
  }
  const char after = at_ + 1 < input_.size() ? input_[at_ + 1] : '\0';
  if (is_digit(c) || (c == '-' && is_digit(after))) return number();
  return word();
}

JsonToken JsonReader::number() {
  const auto digits = [&] {
    const size_t from = at_;
    while (!at_end() && is_digit(input_[at_])) ++at_;
    if (at_ == from) fail("a digit is missing");
    if (at_ - from > kDigitsMax) fail("too many digits");
  };
  const bool negative = input_[at_] == '-';
  if (negative) ++at_;
  size_t whole = at_;
  digits();
  if (input_[whole] == '0' && at_ > whole + 1) {
    if (!rules_.leading_zeros) fail("a number with a leading zero");
    while (whole + 1 < at_ && input_[whole] == '0') ++whole;
  }
  bool integer = true;
  if (!at_end() && input_[at_] == '.') {
    integer = false;
    ++at_;
    digits();
  }
  if (!at_end() && (input_[at_] == 'e' || input_[at_] == 'E')) {
    integer = false;
    ++at_;
    if (!at_end() && (input_[at_] == '+' || input_[at_] == '-')) ++at_;
    digits();
  }
  // A number at the root ends with a blank.
  if (levels_.empty() && !at_end() && !std::isspace(static_cast<unsigned char>(input_[at_]))) {
    fail("unexpected character after a number");
  }
  text_ = (negative ? "-" : "") + std::string(input_.substr(whole, at_ - whole));
  return integer ? JsonToken::kInteger : JsonToken::kDecimal;
}

JsonToken JsonReader::word() {
  static constexpr std::pair<std::string_view, JsonToken> kWords[] = {
      {"true", JsonToken::kTrue}, {"false", JsonToken::kFalse}, {"null", JsonToken::kNull}};
  static constexpr std::string_view kNumbers[] = {"NaN",  "Infinity",  "INF", "+Infinity",
                                                  "+INF", "-Infinity", "-INF"};
  size_t end = at_;
  if (input_[end] == '-' || input_[end] == '+') ++end;
  while (end < input_.size() && is_name_byte(input_[end])) ++end;
  const auto word = input_.substr(at_, end - at_);
  for (const auto& [name, token] : kWords) {
    if (word != name) continue;
    at_ = end;
    text_ = word;
    return token;
  }
  for (const auto name : kNumbers) {
    if (word != name || !rules_.non_numeric) continue;
    at_ = end;
    text_ = word;
    return JsonToken::kDecimal;
  }
  fail("no JSON value");
}

void JsonReader::name() {
  if (at_end()) fail("unexpected end of input");
  const char c = input_[at_];
  if (c == '"' || (c == '\'' && rules_.single_quotes)) {
    ++at_;
    return quoted(c);
  }
  const size_t start = at_;
  while (!at_end() && is_name_byte(input_[at_])) ++at_;
  if (!rules_.unquoted_names || at_ == start || is_digit(input_[start])) {
    fail("a field's name is not in quotes");
  }
  text_ = input_.substr(start, at_ - start);
}

uint32_t JsonReader::escaped_unit() {
  uint32_t unit = 0;
  if (at_ + 4 > input_.size()) fail("a \\u escape is cut off");
  const auto* from = input_.data() + at_;
  const auto [end, error] = std::from_chars(from, from + 4, unit, 16);
  if (error != std::errc() || end != from + 4) fail("a \\u escape is not hexadecimal");
  at_ += 4;
  return unit;
}

void JsonReader::quoted(char quote) {
  text_.clear();
  while (true) {
    if (at_end()) fail("a string without its end");
    const char c = input_[at_++];
    if (c == quote) return;
    if (static_cast<unsigned char>(c) < ' ' && !rules_.control_characters) {
      fail("a control character in a string");
    }
    if (c != '\\') {
      text_ += c;
      continue;
    }
    if (at_end()) fail("a string without its end");
    const char escape = input_[at_++];
    static constexpr std::string_view kEscapes = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    const auto known = kEscapes.find(escape);
    if (known != std::string_view::npos) {
      text_ += kMeanings[known];
    } else if (escape == 'u') {
      uint32_t unit = escaped_unit();
      if (is_high_surrogate(unit) && input_.substr(at_, 2) == "\\u") {
        const size_t second = at_;
        at_ += 2;
        const uint32_t low = escaped_unit();
        if (is_low_surrogate(low)) {
          unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        } else {
          at_ = second;
        }
      }
      const bool half = is_high_surrogate(unit) || is_low_surrogate(unit);
      broken_ = broken_ || half;
      append_utf8(text_, half ? '?' : unit);
    } else if (rules_.any_escape || (escape == '\'' && rules_.single_quotes)) {
      text_ += escape;
    } else {
      fail("an unknown escape");
    }
  }
}

const std::string& JsonReader::field() const {
  static const std::string none;
  const size_t opened = token_ == JsonToken::kStartObject || token_ == JsonToken::kStartArray;
  if (levels_.size() <= opened) return none;
  const auto& level = levels_[levels_.size() - 1 - opened];
  return level.object ? level.field : none;
}

void JsonReader::skip_children() {
  if (token_ != JsonToken::kStartObject && token_ != JsonToken::kStartArray) return;
  const size_t outside = levels_.size() - 1;
  while (levels_.size() > outside) next();
}

std::string json_quoted(std::string_view text, bool ascii) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    static constexpr std::string_view kPlain = "\"\\\b\f\n\r\t", kEscapes = "\"\\bfnrt";
    if (const auto known = kPlain.find(text[i]); known != std::string_view::npos) {
      out += '\\';
      out += kEscapes[known];
    } else if (c < ' ') {
      out += fmt::format("\\u{:04X}", c);
    } else if (c >= 0x80 && ascii) {
      const int more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
      uint32_t code = c & (0x3f >> more);
      for (int k = 0; k < more && i + 1 < text.size(); ++k) code = (code << 6) | (text[++i] & 0x3f);
      if (code < 0x10000) {
        out += fmt::format("\\u{:04X}", code);
      } else {
        code -= 0x10000;
        out += fmt::format("\\u{:04X}\\u{:04X}", 0xd800 + (code >> 10), 0xdc00 + (code & 0x3ff));
      }
    } else {
      out += text[i];
    }
  }
  return out + "\"";
}

std::string json_number(double value) {
  return std::isfinite(value) ? java_text(value) : json_quoted(java_text(value));
}
std::string json_number(float value) {
  return std::isfinite(value) ? java_text(value) : json_quoted(java_text(value));
}

double json_double(std::string_view text) {
  const bool sign = !text.empty() && (text[0] == '-' || text[0] == '+');
  const bool negative = text.starts_with('-');
  const auto rest = text.substr(sign);
  double value = 0;
  if (rest == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (rest == "INF" || rest == "Infinity") {
    value = std::numeric_limits<double>::infinity();
  } else {
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error == std::errc::result_out_of_range)
      value = std::strtod(std::string(rest).c_str(), nullptr);
  }
  return negative ? -value : value;
}

void JsonWriter::line() {
  out_ += '\n';
  int objects = 0;
  for (const auto& level : levels_) objects += level.object;
  out_.append(2 * objects, ' ');
}

void JsonWriter::before_value() {
  if (after_field_) {
    after_field_ = false;
    return;
  }
  if (levels_.empty() || levels_.back().object) return;
  auto& level = levels_.back();
  if (!level.empty) out_ += ',';
  if (pretty_) out_ += ' ';
  level.empty = false;
}

void JsonWriter::start(char bracket) {
  before_value();
  out_ += bracket;
  levels_.push_back({bracket == '{'});
}

void JsonWriter::end(char bracket) {
  const auto level = levels_.back();
  levels_.pop_back();
  if (pretty_ && level.object && !level.empty) line();
  if (pretty_ && (!level.object || level.empty)) out_ += ' ';
  out_ += bracket;
}

void JsonWriter::field(std::string_view name) {
  auto& level = levels_.back();
  if (!level.empty) out_ += ',';
  level.empty = false;
  if (pretty_) line();
  out_ += json_quoted(name, ascii_);
  out_ += pretty_ ? " : " : ":";
  after_field_ = true;
}

void JsonWriter::string(std::string_view text) { raw(json_quoted(text, ascii_)); }

void JsonWriter::raw(std::string_view json) {
  before_value();
  out_ += json;
}

void JsonWriter::copy(JsonReader& reader) {
  switch (reader.token()) {
    case JsonToken::kStartObject:
      start('{');
      while (reader.next() != JsonToken::kEndObject) {
        if (reader.broken_text()) throw JsonError("half a surrogate pair");
        field(reader.text());
        reader.next();
        copy(reader);
      }
      return end('}');
    case JsonToken::kStartArray:
      start('[');
      while (reader.next() != JsonToken::kEndArray) copy(reader);
      return end(']');
    case JsonToken::kString:
      if (reader.broken_text()) throw JsonError("half a surrogate pair");
      return string(reader.text());
    case JsonToken::kInteger:
      return raw(reader.text() == "-0" ? "0" : reader.text());
    case JsonToken::kDecimal:
      return raw(json_number(json_double(reader.text())));
    default:
      return raw(reader.text());
  }
}

}  // namespace firesteel
