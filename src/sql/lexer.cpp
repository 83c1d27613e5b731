// The lexer, after the lexical rules of Spark's SqlBaseLexer.g4.
#include "sql/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdint>

namespace firesteel {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return std::isalnum(byte) || c == '_' || byte >= 0x80;
}
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

void append_utf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

/// The number in `digits` of `base`, or nothing when a digit is missing.
bool read_code(std::string_view text, size_t at, size_t digits, int base, uint32_t& code) {
  if (at + digits > text.size()) return false;
  code = 0;
  for (size_t i = at; i < at + digits; ++i) {
    const char c = text[i];
    int digit = -1;
    if (is_digit(c)) digit = c - '0';
    if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
    if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
    if (digit < 0 || digit >= base) return false;
    code = code * base + digit;
  }
  return true;
}

/// Spark's string escapes. `body` is what stands between the quotes.
std::string unescape(std::string_view body, char quote) {
  std::string out;
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] == quote) ++i;  // a doubled quote
    if (body[i] != '\\' || i + 1 == body.size()) {
      out += body[i];
      continue;
    }
    const char c = body[++i];
    uint32_t code = 0;
    if (c == 'u' && read_code(body, i + 1, 4, 16, code)) {
      if (uint32_t low = 0; code >= 0xD800 && code < 0xDC00 && body.substr(i + 5, 2) == "\\u" &&
                            read_code(body, i + 7, 4, 16, low)) {
        append_utf8(out, 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00));
        i += 10;
      } else {
        append_utf8(out, code);
        i += 4;
      }
    } else if (c == 'U' && read_code(body, i + 1, 8, 16, code)) {
      append_utf8(out, code);
      i += 8;
    } else if ((c == '0' || c == '1') && read_code(body, i, 3, 8, code)) {
      append_utf8(out, code);
      i += 2;
    } else {
      switch (c) {
        case '0':
          out += '\0';
          break;
        case 'b':
          out += '\b';
          break;
        case 'n':
          out += '\n';
          break;
        case 'r':
          out += '\r';
          break;
        case 't':
          out += '\t';
          break;
        case 'Z':
          out += '\x1A';
          break;
        // The backslash stays for LIKE to see.
        case '%':
          out += "\\%";
          break;
        case '_':
          out += "\\_";
          break;
        default:
          out += c;
      }
    }
  }
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view sql) : sql_(sql) {}

  std::vector<Token> run() {
    int nesting = 0;
    for (skip_blanks(); at_ < sql_.size(); skip_blanks()) {
      tokens_.push_back(next());
      const auto& token = tokens_.back();
      if (token.kind != TokenKind::kSymbol) continue;
      if (token.text == "(" || token.text == "[") ++nesting;
      if (token.text == ")" || token.text == "]") nesting = std::max(nesting - 1, 0);
      if (nesting > kNestingMax) throw nested_too_deeply().at(token.span).in(sql_);
    }
    Token end;
    end.span = {static_cast<int>(sql_.size()), static_cast<int>(sql_.size())};
    tokens_.push_back(std::move(end));
    match_parentheses();
    return std::move(tokens_);
  }

 private:
  char peek(size_t ahead = 0) const { return at_ + ahead < sql_.size() ? sql_[at_ + ahead] : '\0'; }

  void skip_blanks() {
    while (at_ < sql_.size()) {
      if (is_space(peek())) {
        ++at_;
      } else if (sql_.substr(at_, 2) == "\xC2\xA0") {  // a no-break space, as copied from pages
        at_ += 2;
      } else if (peek() == '-' && peek(1) == '-') {
        while (at_ < sql_.size() && peek() != '\n') ++at_;
      } else if (peek() == '/' && peek(1) == '*') {
        skip_comment();
      } else {
        return;
      }
    }
  }

  /// Bracketed comments nest. Hints (/*+ … */) only advise and are skipped too.
  void skip_comment() {
    const size_t start = at_;
    int depth = 0;
    do {
      if (at_ >= sql_.size()) {
        throw Error("UNCLOSED_BRACKETED_COMMENT",
                    "Found an unclosed bracketed comment. Please, append */ at the end of the "
                    "comment.")
            .at({static_cast<int>(start), static_cast<int>(start + 2)})
            .in(sql_);
      }
      if (peek() == '/' && peek(1) == '*') {
        ++depth;
        at_ += 2;
      } else if (peek() == '*' && peek(1) == '/') {
        --depth;
        at_ += 2;
      } else {
        ++at_;
      }
    } while (depth > 0);
  }

  Token next() {
    const size_t start = at_;
    Token token;
    const char c = peek();
    if (c == '\'' || c == '"') {
      token.kind = TokenKind::kString;
      token.value = unescape(quoted(c, true), c);
    } else if ((c == 'r' || c == 'R') && (peek(1) == '\'' || peek(1) == '"')) {
      ++at_;
      token.kind = TokenKind::kString;
      token.value = std::string(quoted(peek(), false));
    } else if (const auto mark = dollar_mark(); !mark.empty()) {
      token.kind = TokenKind::kString;
      token.value = std::string(between(mark));
    } else if (c == '`') {
      token.kind = TokenKind::kQuotedName;
      const auto body = quoted('`', false);
      for (size_t i = 0; i < body.size(); ++i) {
        token.value += body[i];
        if (body[i] == '`') ++i;  // doubled
      }
    } else if (is_digit(c) || (c == '.' && is_digit(peek(1)) && !after_name())) {
      token.kind = number();
    } else if (is_name_byte(c)) {
      while (is_name_byte(peek())) ++at_;
      token.kind = TokenKind::kWord;
    } else {
      token.kind = TokenKind::kSymbol;
      symbol();
    }
    token.text = sql_.substr(start, at_ - start);
    token.span = {static_cast<int>(start), static_cast<int>(at_)};
    if (token.kind == TokenKind::kWord) {
      token.value = token.text;
      for (const char byte : token.text) {
        token.upper += static_cast<char>(std::toupper(static_cast<unsigned char>(byte)));
      }
    }
    return token;
  }

  /// `t.1a` is a name with a dot, not `t` and a number.
  bool after_name() const {
    if (tokens_.empty() || tokens_.back().span.stop != static_cast<int>(at_)) return false;
    const auto& last = tokens_.back();
    return last.kind == TokenKind::kWord || last.kind == TokenKind::kQuotedName ||
           last.text == ")" || last.text == "]";
  }

  /// `$$` or `$name$`, which open and close a text; else empty.
  std::string_view dollar_mark() const {
    if (peek() != '$') return {};
    size_t end = at_ + 1;
    while (end < sql_.size() && is_name_byte(sql_[end])) ++end;
    return end < sql_.size() && sql_[end] == '$' ? sql_.substr(at_, end + 1 - at_)
                                                 : std::string_view();
  }

  /// What stands between two such marks, as it is.
  std::string_view between(std::string_view mark) {
    const size_t start = at_, first = at_ + mark.size(), end = sql_.find(mark, first);
    if (end == std::string_view::npos) {
      throw Error("PARSE_SYNTAX_ERROR",
                  fmt::format("Syntax error at or near '{}': nothing closes it.", mark))
          .at({static_cast<int>(start), static_cast<int>(first)})
          .in(sql_);
    }
    at_ = end + mark.size();
    return sql_.substr(first, end - first);
  }

  /// Reads from the opening to the closing quote; gives what is between. A doubled quote does not
  /// close; with `escapes`, neither does one after a backslash.
  std::string_view quoted(char quote, bool escapes) {
    const size_t start = at_++;
    while (at_ < sql_.size()) {
      if (escapes && peek() == '\\') {
        at_ += 2;
      } else if (peek() != quote) {
        ++at_;
      } else if (peek(1) == quote && (escapes || quote == '`')) {
        at_ += 2;
      } else {
        return sql_.substr(start + 1, at_++ - start - 1);
      }
    }
    throw Error("PARSE_SYNTAX_ERROR",
                fmt::format("Syntax error at or near '{}': nothing closes it.",
                            quote == '\'' ? "\\'" : std::string(1, quote)))
        .at({static_cast<int>(start), static_cast<int>(start + 1)})
        .in(sql_);
  }

  /// e3, E+3
  bool exponent_at(size_t ahead) const {
    if (peek(ahead) != 'e' && peek(ahead) != 'E') return false;
    const bool sign = peek(ahead + 1) == '+' || peek(ahead + 1) == '-';
    return is_digit(peek(ahead + (sign ? 2 : 1)));
  }

  TokenKind number() {
    const size_t start = at_;
    auto kind = TokenKind::kInteger;
    while (is_digit(peek())) ++at_;
    if (peek() == '.' && (is_digit(peek(1)) || !is_name_byte(peek(1)) || exponent_at(1))) {
      kind = TokenKind::kDecimal;
      ++at_;
      while (is_digit(peek())) ++at_;
    }
    if (exponent_at(0)) {
      kind = TokenKind::kExponent;
      at_ += 2;
      while (is_digit(peek())) ++at_;
    }
    if (!is_name_byte(peek())) return kind;
    size_t stop = at_;
    while (stop < sql_.size() && is_name_byte(sql_[stop])) ++stop;
    std::string suffix;
    for (size_t i = at_; i < stop; ++i) {
      suffix += static_cast<char>(std::toupper(static_cast<unsigned char>(sql_[i])));
    }
    const bool whole = kind == TokenKind::kInteger;
    if (suffix == "F" || suffix == "D" || suffix == "BD" ||
        (whole && (suffix == "L" || suffix == "S" || suffix == "Y"))) {
      at_ = stop;
      return TokenKind::kSuffixed;
    }
    if (!whole && kind != TokenKind::kExponent) return kind;
    at_ = start;  // 2nd_column is a name
    while (is_name_byte(peek())) ++at_;
    return TokenKind::kWord;
  }

  void symbol() {
    constexpr std::string_view kSymbols[] = {"<=>", "<>", "!=", "==", "<=", ">=", "<<",
                                             "||",  "|>", "->", "=>", "::", "!<", "!>"};
    for (const auto symbol : kSymbols) {
      if (sql_.substr(at_, symbol.size()) == symbol) {
        at_ += symbol.size();
        return;
      }
    }
    ++at_;
  }

  void match_parentheses() {
    std::vector<size_t> open;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i].kind != TokenKind::kSymbol) continue;
      if (tokens_[i].text == "(") {
        tokens_[i].match = tokens_.size() - 1;
        open.push_back(i);
      } else if (tokens_[i].text == ")" && !open.empty()) {
        tokens_[open.back()].match = i;
        open.pop_back();
      }
    }
  }

  std::string_view sql_;
  size_t at_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

Error nested_too_deeply() {
  return Error("FAILED_TO_PARSE_TOO_COMPLEX",
               "The statement is nested too deeply. Divide it into several, for example with "
               "temporary views.");
}

std::vector<Token> tokenize(std::string_view sql) { return Lexer(sql).run(); }

bool is_plain_name(std::string_view name) {
  if (name.empty() || is_digit(name[0])) return false;
  for (const char c : name) {
    if (!is_name_byte(c)) return false;
  }
  return true;
}

std::string quote_name(std::string_view name) {
  std::string out = "`";
  for (const char c : name) {
    out += c;
    if (c == '`') out += c;
  }
  return out + "`";
}

}  // namespace firesteel
