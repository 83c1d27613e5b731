// Spark SQL text -> tokens, with each token's place in the text. The grammar is in grammar.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace firesteel {

enum class TokenKind {
  kEnd,
  kWord,        // an identifier or a keyword: Spark reserves almost none
  kQuotedName,  // `name`; `value` is without backticks
  kString,      // '…', "…", r'…'; `value` is the decoded text
  kInteger,
  kDecimal,   // 1.5, .5
  kExponent,  // 1e3
  kSuffixed,  // 1L, 1.5BD
  kSymbol,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;  // as written
  std::string value;      // decoded string or name
  std::string upper;      // kWord: in capitals
  Span span;
  /// Of an opening parenthesis: the index of its closing one, or of the end token.
  size_t match = 0;
};

/// As many brackets may stand within each other, in a statement's text and in its plan.
constexpr int kNestingMax = 1000;
Error nested_too_deeply();

/// The tokens of `sql`, the last one kEnd. They point into `sql`. Comments and hints are skipped.
/// Throws UNCLOSED_BRACKETED_COMMENT, PARSE_SYNTAX_ERROR, and
/// FAILED_TO_PARSE_TOO_COMPLEX before brackets without end fill the memory.
std::vector<Token> tokenize(std::string_view sql);

/// Letters, digits and underscores, not starting with a digit.
bool is_plain_name(std::string_view name);

/// `name` between backticks, those inside doubled.
std::string quote_name(std::string_view name);

}  // namespace firesteel
