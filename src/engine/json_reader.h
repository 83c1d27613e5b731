// JSON as a stream of tokens, with the liberties that Spark's reader (Jackson) allows, and text
// written back as Jackson writes it. Nothing is built: what reads decides what it keeps.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace firesteel {

void append_utf8(std::string& out, uint32_t code);

enum class JsonToken {
  kEnd,  // nothing follows
  kStartObject,
  kEndObject,
  kStartArray,
  kEndArray,
  kField,
  kString,
  kInteger,
  kDecimal,  // a number with a fraction or an exponent, or NaN and the infinities
  kTrue,
  kFalse,
  kNull,
};

struct JsonRules {
  bool comments = false;
  bool unquoted_names = false;
  bool single_quotes = true;
  bool leading_zeros = false;
  bool non_numeric = true;  // NaN, Infinity, -INF …
  bool any_escape = false;  // \q is q
  bool control_characters = false;
};

struct JsonError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Reads one text, which must outlive it. Throws JsonError where the text is malformed.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text, const JsonRules& rules = {})
      : input_(text), rules_(rules) {}

  JsonToken next();
  JsonToken token() const { return token_; }
  /// Of a field its name, of a string what it says, of anything else the token as written.
  const std::string& text() const { return text_; }
  /// The field that the value belongs to; empty within an array and at the root.
  const std::string& field() const;
  /// The text has half a surrogate pair, which stands as `?`.
  bool broken_text() const { return broken_; }
  /// At the start of an object or array: goes on to its end.
  void skip_children();

 private:
  [[noreturn]] void fail(const char* what) const;
  void skip_blanks();
  bool at_end() const { return at_ >= input_.size(); }
  JsonToken value();
  JsonToken number();
  JsonToken word();
  void name();
  void quoted(char quote);
  uint32_t escaped_unit();

  std::string_view input_;
  JsonRules rules_;
  size_t at_ = 0;
  JsonToken token_ = JsonToken::kEnd;
  std::string text_;
  bool broken_ = false;
  struct Level {
    bool object;
    int64_t values = 0;
    std::string field = {};
  };
  std::vector<Level> levels_;
};

/// Writes JSON without spaces, or as Jackson's pretty printer does.
class JsonWriter {
 public:
  explicit JsonWriter(bool pretty = false, bool ascii = false) : pretty_(pretty), ascii_(ascii) {}

  void start(char bracket);
  void end(char bracket);
  void field(std::string_view name);
  void string(std::string_view text);
  /// What is JSON already.
  void raw(std::string_view json);
  /// Text outside of any value.
  void unquoted(std::string_view text) { out_ += text; }
  /// The value the reader stands at, as Jackson copies it: numbers as Java writes them.
  void copy(JsonReader& reader);

  const std::string& text() const { return out_; }

 private:
  void before_value();
  void line();

  std::string out_;
  bool pretty_, ascii_;
  struct Level {
    bool object;
    bool empty = true;
  };
  std::vector<Level> levels_;
  bool after_field_ = false;
};

/// The text in quotes.
std::string json_quoted(std::string_view text, bool ascii = false);
/// A number that is no integer, as Java's double or float: NaN and infinities are in quotes.
std::string json_number(double value);
std::string json_number(float value);
/// The double a JSON number stands for; infinite when it is too large.
double json_double(std::string_view text);

}  // namespace firesteel
