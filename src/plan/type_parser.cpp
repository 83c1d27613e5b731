// The text of a type or a table schema -> DataType, with all of Spark's names for each type.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "base/error.h"
#include "plan/names.h"
#include "plan/types.h"

namespace firesteel {

namespace {

constexpr int kLevelsMax = 200;

struct TypeName {
  std::string_view name;
  TypeKind kind;
};

constexpr TypeName kTypeNames[] = {
    {"bigint", TypeKind::kLong},
    {"binary", TypeKind::kBinary},
    {"boolean", TypeKind::kBoolean},
    {"byte", TypeKind::kByte},
    {"date", TypeKind::kDate},
    {"double", TypeKind::kDouble},
    {"float", TypeKind::kFloat},
    {"int", TypeKind::kInteger},
    {"integer", TypeKind::kInteger},
    {"long", TypeKind::kLong},
    {"null", TypeKind::kNull},
    {"real", TypeKind::kFloat},
    {"short", TypeKind::kShort},
    {"smallint", TypeKind::kShort},
    {"string", TypeKind::kString},
    {"timestamp", TypeKind::kTimestamp},
    {"timestamp_ltz", TypeKind::kTimestamp},
    {"timestamp_ntz", TypeKind::kTimestampNtz},
    {"tinyint", TypeKind::kByte},
    {"variant", TypeKind::kVariant},
    {"void", TypeKind::kNull},
};
static_assert(std::ranges::is_sorted(kTypeNames, {}, &TypeName::name));

class TypeParser {
 public:
  explicit TypeParser(std::string_view text) : text_(text) {}

  DataType whole_type() {
    DataType type = this->type(0);
    expect_end();
    return type;
  }

  Schema whole_schema() {
    Schema schema;
    skip_blanks();
    if (at_ == text_.size()) return schema;
    const size_t start = at_;
    if (lower_case(take_word()) == "struct" && peek() == '<') {
      at_ = start;
      schema = *type(0).fields;
    } else {
      at_ = start;
      schema = fields(0);
    }
    expect_end();
    return schema;
  }

 private:
  [[noreturn]] void fail() {
    skip_blanks();
    size_t stop = at_;
    while (stop < text_.size() && is_name_byte(text_[stop])) ++stop;
    stop = std::min(std::max(stop, at_ + 1), text_.size());
    const auto near = at_ < text_.size() ? fmt::format("'{}'", text_.substr(at_, stop - at_))
                                         : std::string("end of input");
    throw Error("PARSE_SYNTAX_ERROR", fmt::format("Syntax error at or near {}.", near))
        .at({static_cast<int>(at_), static_cast<int>(stop)})
        .in(text_);
  }

  static bool is_name_byte(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return std::isalnum(byte) || c == '_' || byte >= 0x80;
  }

  void skip_blanks() {
    while (at_ < text_.size() && static_cast<unsigned char>(text_[at_]) <= ' ') ++at_;
  }

  /// The next byte that is not blank; 0 at the end.
  char peek() {
    skip_blanks();
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  bool accept(char symbol) {
    if (peek() != symbol) return false;
    ++at_;
    return true;
  }

  void expect(char symbol) {
    if (!accept(symbol)) fail();
  }

  void expect_end() {
    if (peek() != '\0' || at_ < text_.size()) fail();
  }

  std::string_view take_word() {
    skip_blanks();
    const size_t start = at_;
    while (at_ < text_.size() && is_name_byte(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }

  bool accept_word(std::string_view word) {
    skip_blanks();
    const size_t start = at_;
    if (lower_case(take_word()) == word) return true;
    at_ = start;
    return false;
  }

  std::string name() {
    if (peek() != '`') {
      const auto word = take_word();
      if (word.empty()) fail();
      return std::string(word);
    }
    std::string name;
    for (++at_;; ++at_) {
      if (at_ >= text_.size()) fail();
      if (text_[at_] == '`') {
        if (at_ + 1 >= text_.size() || text_[at_ + 1] != '`') break;
        ++at_;
      }
      name += text_[at_];
    }
    ++at_;
    return name;
  }

  int integer() {
    skip_blanks();
    const bool negative = accept('-');
    const auto word = take_word();
    int value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size()) fail();
    return negative ? -value : value;
  }

  DataType type(int level) {
    if (level > kLevelsMax) {
      throw Error("UNSUPPORTED_DATATYPE", "The type is nested too deeply.");
    }
    skip_blanks();
    const size_t start = at_;
    const auto word = take_word();
    if (word.empty()) fail();
    const auto name = lower_case(word);
    if (name == "decimal" || name == "dec" || name == "numeric") return decimal(start);
    if (name == "char" || name == "character" || name == "varchar") {
      expect('(');
      integer();
      expect(')');
      return make_type(TypeKind::kString);  // its length is not kept
    }
    if (name == "interval") return interval(start);
    if (name == "time") return time(start);
    if (name == "timestamp" && accept_word("without")) {
      if (!accept_word("time") || !accept_word("zone")) fail();
      return make_type(TypeKind::kTimestampNtz);
    }
    if (name == "array") {
      expect('<');
      DataType element = type(level + 1);
      expect('>');
      return array_type(std::move(element));
    }
    if (name == "map") {
      expect('<');
      DataType key = type(level + 1);
      expect(',');
      DataType value = type(level + 1);
      expect('>');
      return map_type(std::move(key), std::move(value));
    }
    if (name == "struct") {
      expect('<');
      if (accept('>')) return struct_type({});
      auto members = fields(level + 1);
      expect('>');
      return struct_type(std::move(members));
    }
    const auto* found = std::ranges::lower_bound(kTypeNames, name, {}, &TypeName::name);
    if (found == std::end(kTypeNames) || found->name != name) {
      throw Error("UNSUPPORTED_DATATYPE",
                  fmt::format("Unsupported data type \"{}\".", std::string(word)))
          .at({static_cast<int>(start), static_cast<int>(at_)})
          .in(text_);
    }
    if (found->kind == TypeKind::kString && accept_word("collate")) this->name();
    return make_type(found->kind);
  }

  DataType decimal(size_t start) {
    int precision = 10, scale = 0;
    if (accept('(')) {
      precision = integer();
      if (accept(',')) scale = integer();
      expect(')');
    }
    if (precision > 38) {
      throw Error("DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION",
                  fmt::format("Decimal precision {} exceeds max precision 38.", precision))
          .at({static_cast<int>(start), static_cast<int>(at_)})
          .in(text_);
    }
    if (scale > precision) {
      throw Error("INVALID_PARAMETER_VALUE",
                  fmt::format("Decimal scale ({}) cannot be greater than precision ({}).", scale,
                              precision))
          .at({static_cast<int>(start), static_cast<int>(at_)})
          .in(text_);
    }
    return decimal_type(precision, scale);
  }

  DataType time(size_t start) {
    int precision = 6;
    if (accept('(')) {
      precision = integer();
      expect(')');
    }
    if (accept_word("without") && (!accept_word("time") || !accept_word("zone"))) fail();
    if (precision >= 0 && precision <= 6) return time_type(precision);
    throw Error(
        "UNSUPPORTED_TIME_PRECISION",
        fmt::format("The seconds precision {} of the TIME data type is out of the supported "
                    "range [0, 6].",
                    precision))
        .at({static_cast<int>(start), static_cast<int>(at_)})
        .in(text_);
  }

  DataType interval(size_t start) {
    static constexpr std::string_view kYearMonth[] = {"year", "month"};
    static constexpr std::string_view kDayTime[] = {"day", "hour", "minute", "second"};
    const size_t behind = at_;
    const auto first = lower_case(take_word());
    const auto is_field = [&](auto& names) {
      return std::ranges::find(names, first) != std::end(names);
    };
    if (!is_field(kYearMonth) && !is_field(kDayTime)) {
      at_ = behind;
      return make_type(TypeKind::kCalendarInterval);
    }
    const auto last = accept_word("to") ? lower_case(take_word()) : first;
    const auto pick = [&](auto& names, TypeKind kind) -> std::optional<DataType> {
      const auto from = std::ranges::find(names, first), to = std::ranges::find(names, last);
      if (from == std::end(names) || to == std::end(names) || from > to) return std::nullopt;
      DataType type = make_type(kind);
      type.start_field = static_cast<int>(from - std::begin(names));
      type.end_field = static_cast<int>(to - std::begin(names));
      return type;
    };
    if (auto type = pick(kYearMonth, TypeKind::kYearMonthInterval)) return *type;
    if (auto type = pick(kDayTime, TypeKind::kDayTimeInterval)) return *type;
    throw Error("UNSUPPORTED_DATATYPE",
                fmt::format("Unsupported data type \"{}\".", text_.substr(start, at_ - start)))
        .at({static_cast<int>(start), static_cast<int>(at_)})
        .in(text_);
  }

  /// "a INT NOT NULL COMMENT '…', b: STRING"; the colon may be left out.
  std::vector<Field> fields(int level) {
    std::vector<Field> fields;
    do {
      Field field;
      field.name = name();
      accept(':');
      field.type = type(level);
      if (accept_word("not")) {
        if (!accept_word("null")) fail();
        field.nullable = false;
      } else {
        accept_word("null");
      }
      if (accept_word("comment")) skip_string();
      fields.push_back(std::move(field));
    } while (accept(','));
    return fields;
  }

  void skip_string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail();
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    if (at_ >= text_.size()) fail();
    ++at_;
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

DataType parse_type(std::string_view text) {
  if (text.starts_with('{') || text.starts_with('"')) return type_from_json(text);
  return TypeParser(text).whole_type();
}

Schema parse_schema(std::string_view text) {
  if (!text.starts_with('{')) return TypeParser(text).whole_schema();
  const auto type = type_from_json(text);
  if (type.kind != TypeKind::kStruct)
    throw Error("INVALID_JSON_DATA_TYPE", "A schema's JSON must be that of a struct.");
  return *type.fields;
}

}  // namespace firesteel
