// A place in the tokens of one statement: looking ahead, taking words and symbols, syntax errors.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "sql/lexer.h"

namespace firesteel {

/// The text must outlive the cursor. One thread.
class Cursor {
 public:
  explicit Cursor(std::string_view sql) : sql_(sql), tokens_(tokenize(sql)) {}

  std::string_view sql() const { return sql_; }
  const Token& token(size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  const Token& token_at(size_t index) const { return tokens_[std::min(index, tokens_.size() - 1)]; }
  size_t position() const { return at_; }
  void seek(size_t position) { at_ = position; }
  bool at_end() const { return token().kind == TokenKind::kEnd; }

  /// Is the token `ahead` this word (in capitals) or symbol?
  bool is(std::string_view text, size_t ahead = 0) const {
    const Token& token = this->token(ahead);
    if (token.kind == TokenKind::kWord) return token.upper == text;
    return token.kind == TokenKind::kSymbol && token.text == text;
  }
  template <typename... More>
  bool is_any(std::string_view first, More... more) const {
    return is(first) || (is(std::string_view(more)) || ...);
  }
  /// Are the next tokens these words?
  template <typename... More>
  bool are(std::string_view first, More... more) const {
    size_t ahead = 0;
    return is(first) && (is(std::string_view(more), ++ahead) && ...);
  }
  bool is_name(size_t ahead = 0) const {
    const auto kind = token(ahead).kind;
    return kind == TokenKind::kWord || kind == TokenKind::kQuotedName;
  }

  const Token& take() {
    const Token& taken = token();
    if (at_ + 1 < tokens_.size()) ++at_;
    return taken;
  }
  template <typename... More>
  bool accept(std::string_view first, More... more) {
    if (!are(first, more...)) return false;
    at_ += 1 + sizeof...(more);
    return true;
  }
  void expect(std::string_view text) {
    if (!accept(text)) fail(text);
  }

  /// Where the next token starts.
  int start() const { return token().span.start; }
  /// From `start` to the end of the token taken last.
  Span since(int start) const { return {start, at_ == 0 ? 0 : tokens_[at_ - 1].span.stop}; }
  Span span() const { return token().span; }

  /// A syntax error at the next token; `expected` is what could have stood there.
  [[noreturn]] void fail(std::string_view expected = {}) const {
    std::string near = "end of input";
    auto place = span();
    if (!at_end()) {
      near = "'" + std::string(token().text) + "'";
    } else if (at_ > 0) {
      place = tokens_[at_ - 1].span;  // the caret needs something to stand under
    }
    std::string message = "Syntax error at or near " + near;
    if (!expected.empty()) message += ": expected " + std::string(expected);
    throw Error("PARSE_SYNTAX_ERROR", message + ".").at(place).in(sql_);
  }
  [[noreturn]] void fail(const Error& error, Span place) const { throw error.at(place).in(sql_); }

 private:
  std::string_view sql_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
};

}  // namespace firesteel
