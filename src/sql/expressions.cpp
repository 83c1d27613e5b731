// Operators, by precedence as in Spark's SqlBaseParser.g4: OR, AND, NOT, predicates (IS, IN, LIKE,
// BETWEEN), comparison, |, ^, &, shifts, sums, products, signs.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "sql/grammar.h"

namespace firesteel {

namespace {

using Expression = spark::connect::Expression;

constexpr int kHeightMax = 2000;

struct Operator {
  std::string_view text;
  int level;  // higher binds tighter
  std::string_view function;
};

constexpr Operator kOperators[] = {
    {"=", 1, "=="},  {"==", 1, "=="},     {"<=>", 1, "<=>"},      {"<>", 1, "!="},
    {"!=", 1, "!="}, {"<", 1, "<"},       {"<=", 1, "<="},        {"!>", 1, "<="},
    {">", 1, ">"},   {">=", 1, ">="},     {"!<", 1, ">="},        {"|", 2, "|"},
    {"^", 3, "^"},   {"&", 4, "&"},       {"<<", 5, "shiftleft"}, {"+", 6, "+"},
    {"-", 6, "-"},   {"||", 6, "concat"}, {"*", 7, "*"},          {"/", 7, "/"},
    {"%", 7, "%"},   {"DIV", 7, "div"},
};
constexpr int kLevelShift = 5;

/// Words that end an expression in a list, so that none is taken for a bare alias.
constexpr std::string_view kNeverAlias[] = {
    "AND",    "AS",     "ASC",     "BETWEEN",   "CLUSTER", "CROSS",  "DESC",    "DISTRIBUTE",
    "DIV",    "ELSE",   "END",     "EXCEPT",    "FOR",     "FROM",   "FULL",    "GROUP",
    "HAVING", "IN",     "INNER",   "INTERSECT", "IS",      "JOIN",   "LATERAL", "LIKE",
    "LIMIT",  "MINUS",  "NATURAL", "NOT",       "NULLS",   "OFFSET", "ON",      "OR",
    "ORDER",  "RLIKE",  "SELECT",  "SORT",      "THEN",    "UNION",  "USING",   "WHEN",
    "WHERE",  "WINDOW", "WITH",
};
static_assert(std::ranges::is_sorted(kNeverAlias));

Expression boolean_literal(bool truth) {
  Expression value;
  value.mutable_literal()->set_boolean(truth);
  return value;
}

}  // namespace

Grammar::Level::Level(Grammar& grammar)
    : grammar_(grammar), outer_height_(std::exchange(grammar.height_, 0)) {
  if (++grammar_.depth_ > kNestingMax) {
    --grammar_.depth_;
    grammar_.fail_too_deep();
  }
}

Grammar::Level::~Level() {
  --grammar_.depth_;
  grammar_.height_ = std::max(outer_height_, grammar_.height_ + 1);
}

Grammar::Chain::Chain(Grammar& grammar, int weight)
    : grammar_(grammar), outer_height_(std::exchange(grammar.height_, 0)), weight_(weight) {}

Grammar::Chain::~Chain() { grammar_.height_ = std::max(outer_height_, grammar_.height_); }

void Grammar::Chain::link() {
  grammar_.height_ += weight_;
  if (grammar_.height_ > kHeightMax) grammar_.fail_too_deep();
}

void Grammar::fail_too_deep() const { in_.fail(nested_too_deeply(), in_.span()); }

Expression Grammar::located(Expression made, int start) const {
  const auto span = in_.since(start);
  auto* origin = made.mutable_common()->mutable_origin()->mutable_jvm_origin();
  origin->set_start_index(span.start);
  origin->set_stop_index(span.stop - 1);
  return made;
}

Expression Grammar::function(std::string_view name, std::vector<Expression> arguments,
                             int start) const {
  Expression made;
  auto* call = made.mutable_unresolved_function();
  call->set_function_name(std::string(name));
  for (auto& argument : arguments) *call->add_arguments() = std::move(argument);
  return located(std::move(made), start);
}

Expression Grammar::expression() {
  const Level level(*this);
  if (at_lambda()) return lambda();
  const int start = in_.start();
  std::vector<Expression> parts;
  parts.push_back(conjunction());
  while (in_.accept("OR")) parts.push_back(conjunction());
  return chained("or", std::move(parts), start);
}

Expression Grammar::conjunction() {
  const int start = in_.start();
  std::vector<Expression> parts;
  parts.push_back(negation());
  while (in_.accept("AND")) parts.push_back(negation());
  return chained("and", std::move(parts), start);
}

Expression Grammar::chained(std::string_view name, std::vector<Expression> parts, int start) const {
  const auto join = [&](Expression& left, Expression& right) {
    const int from = &left == &parts[0] ? start : left.common().origin().jvm_origin().start_index();
    const int stop = right.common().origin().jvm_origin().stop_index();
    Expression made = make(name, from, std::move(left), std::move(right));
    made.mutable_common()->mutable_origin()->mutable_jvm_origin()->set_stop_index(stop);
    return made;
  };
  // Long chains become balanced trees, whose depth every walker can take.
  while (parts.size() > 8) {
    std::vector<Expression> pairs;
    for (size_t i = 0; i + 1 < parts.size(); i += 2) pairs.push_back(join(parts[i], parts[i + 1]));
    if (parts.size() % 2 == 1) pairs.push_back(std::move(parts.back()));
    parts = std::move(pairs);
  }
  for (size_t i = 1; i < parts.size(); ++i) parts[0] = join(parts[0], parts[i]);
  return std::move(parts[0]);
}

Expression Grammar::negation() {
  const int start = in_.start();
  // `not(x)` and a column named `not` followed by a symbol do not differ in Spark either.
  if (!in_.is("NOT") && !in_.is("!")) return predicated();
  const Level level(*this);
  in_.take();
  return make("not", start, negation());
}

Expression Grammar::predicated() {
  const int start = in_.start();
  Chain chain(*this);
  Expression left = operators(1);
  while (auto next = predicate(left, start)) {
    left = std::move(*next);
    chain.link();
  }
  return left;
}

std::optional<Expression> Grammar::predicate(Expression& left, int start) {
  if (in_.accept("IS")) {
    const bool negated = in_.accept("NOT");
    if (in_.accept("NULL")) {
      return make(negated ? "isnotnull" : "isnull", start, std::move(left));
    }
    Expression made;
    if (in_.accept("DISTINCT", "FROM")) {
      made = make("<=>", start, std::move(left), operators(1));
      return negated ? std::move(made) : make("not", start, std::move(made));
    }
    const int truth_start = in_.start();
    if (in_.accept("UNKNOWN")) {
      return make(negated ? "isnotnull" : "isnull", start, std::move(left));
    }
    if (!in_.is_any("TRUE", "FALSE")) in_.fail("NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM");
    const bool truth = in_.take().upper == "TRUE";
    made = make("<=>", start, std::move(left), located(boolean_literal(truth), truth_start));
    return negated ? make("not", start, std::move(made)) : std::move(made);
  }
  const size_t before = in_.position();
  const bool negated = in_.accept("NOT") || in_.accept("!");
  const auto finish = [&](Expression made) {
    return negated ? make("not", start, std::move(made)) : std::move(made);
  };
  if (in_.accept("BETWEEN")) {
    in_.accept("ASYMMETRIC");
    Expression low = operators(1);
    in_.expect("AND");
    Expression high = operators(1);
    return finish(make("between", start, std::move(left), std::move(low), std::move(high)));
  }
  if (in_.accept("IN")) return finish(in_predicate(std::move(left), start));
  if (in_.is_any("LIKE", "ILIKE", "RLIKE", "REGEXP")) {
    return like_predicate(std::move(left), negated, start);
  }
  in_.seek(before);
  return std::nullopt;
}

Expression Grammar::in_predicate(Expression left, int start) {
  if (!in_.is("(")) in_.fail("(");
  if (at_query_after_parenthesis()) {
    const bool row =
        left.unresolved_function().function_name() == "struct" && in_.sql()[start] == '(';
    Expression made = subquery(spark::connect::SubqueryExpression::SUBQUERY_TYPE_IN, start);
    auto* values = made.mutable_subquery_expression()->mutable_in_subquery_values();
    if (row) {
      *values = std::move(*left.mutable_unresolved_function()->mutable_arguments());
    } else {
      *values->Add() = std::move(left);
    }
    return made;
  }
  in_.take();
  std::vector<Expression> arguments;
  arguments.push_back(std::move(left));
  for (auto& option : expression_list()) arguments.push_back(std::move(option));
  in_.expect(")");
  return function("in", std::move(arguments), start);
}

Expression Grammar::like_predicate(Expression left, bool negated, int start) {
  std::string name = in_.take().upper == "REGEXP" ? "rlike" : "";
  if (name.empty()) {
    for (const char c : in_.token_at(in_.position() - 1).text) {
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  if (name != "rlike" && in_.is_any("ANY", "SOME", "ALL") && in_.is("(", 1)) {
    const std::string_view joint = in_.take().upper == "ALL" ? "and" : "or";
    in_.take();
    auto patterns = expression_list();
    const bool small_letters = name == "ilike";
    const bool literals = std::ranges::all_of(patterns, [&](const Expression& pattern) {
      const auto& text = pattern.literal().string();
      const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
      return pattern.literal().has_string() &&
             (!small_letters || std::ranges::all_of(text, is_ascii));
    });
    if (literals && name != "rlike") {
      in_.expect(")");
      if (small_letters) {  // as Spark: small letters are compared
        left = make("lower", start, std::move(left));
        for (auto& pattern : patterns) {
          for (char& c : *pattern.mutable_literal()->mutable_string()) {
            c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
          }
        }
      }
      patterns.insert(patterns.begin(), std::move(left));
      std::string many = joint == "and" ? "likeall" : "likeany";
      Expression made = function(negated ? "not" + many : many, std::move(patterns), start);
      made.mutable_unresolved_function()->set_is_internal(true);
      return made;
    }
    std::vector<Expression> parts;
    for (auto& pattern : patterns) {
      Expression one = make(name, start, left, std::move(pattern));
      // NOT LIKE ALL refuses every pattern: the negation is of each.
      parts.push_back(negated ? make("not", start, std::move(one)) : std::move(one));
    }
    in_.expect(")");
    return located(chained(joint, std::move(parts), start), start);
  }
  std::vector<Expression> arguments;
  arguments.push_back(std::move(left));
  arguments.push_back(operators(1));
  if (name != "rlike" && in_.accept("ESCAPE")) {
    if (in_.token().kind != TokenKind::kString) in_.fail("a string");
    if (in_.token().value.size() != 1) {
      in_.fail(Error("INVALID_ESCAPE_CHAR",
                     fmt::format("`EscapeChar` should be a string literal of length one, but got "
                                 "\"{}\".",
                                 in_.token().value)),
               in_.span());
    }
    arguments.push_back(string_literal());
  }
  Expression made = function(name, std::move(arguments), start);
  return negated ? make("not", start, std::move(made)) : std::move(made);
}

/// Operators of this level and tighter ones, by precedence climbing.
Expression Grammar::operators(int least_level) {
  const int start = in_.start();
  Chain chain(*this);
  Expression left = unary();
  while (true) {
    std::string_view name;
    int level = 0;
    size_t length = 1;
    // Types need every `>` alone, so a shift is two or three that touch.
    const auto touches = [&](size_t ahead) {
      return in_.is(">", ahead) && in_.token(ahead - 1).span.stop == in_.token(ahead).span.start;
    };
    if (in_.is(">") && touches(1)) {
      level = kLevelShift;
      length = touches(2) ? 3 : 2;
      name = length == 3 ? "shiftrightunsigned" : "shiftright";
    } else {
      const auto found = std::ranges::find_if(
          kOperators, [&](const Operator& candidate) { return in_.is(candidate.text); });
      if (found == std::end(kOperators)) return left;
      level = found->level;
      name = found->function;
    }
    if (level < least_level) return left;
    in_.seek(in_.position() + length);
    Expression right = operators(level + 1);
    chain.link();
    if (name == "!=") {
      left = make("==", start, std::move(left), std::move(right));
      left = make("not", start, std::move(left));
    } else {
      left = make(name, start, std::move(left), std::move(right));
      // The operator names its column (x << n), the function shiftleft(x, n).
      if (level == kLevelShift) left.mutable_unresolved_function()->set_is_internal(true);
    }
  }
}

Expression Grammar::unary() {
  const int start = in_.start();
  const auto kind = in_.token(1).kind;
  const bool number_next = kind == TokenKind::kInteger || kind == TokenKind::kDecimal ||
                           kind == TokenKind::kExponent || kind == TokenKind::kSuffixed;
  if (!in_.is_any("-", "+", "~") || (in_.is("-") && number_next)) return postfix();
  const Level level(*this);
  const auto sign = in_.take().text;
  const std::string_view name = sign == "-" ? "negative" : sign == "+" ? "positive" : "~";
  Expression made = make(name, start, unary());
  // The operator names its column (- x), the function negative(x).
  if (sign == "-") made.mutable_unresolved_function()->set_is_internal(true);
  return made;
}

std::vector<Expression> Grammar::expression_list() {
  std::vector<Expression> list;
  do {
    list.push_back(expression());
  } while (in_.accept(","));
  return list;
}

Expression Grammar::named_expression() {
  const int start = in_.start();
  Expression value = expression();
  Expression made;
  if (in_.accept("AS")) {
    if (in_.is("(")) {
      for (auto& name : name_list()) made.mutable_alias()->add_name(name);
    } else {
      made.mutable_alias()->add_name(alias_name());
    }
  } else if (at_bare_alias()) {
    made.mutable_alias()->add_name(alias_name());
  } else if (in_.is("(") && in_.is_name(1) && (in_.is(",", 2) || in_.is(")", 2))) {
    for (auto& name : name_list()) made.mutable_alias()->add_name(name);
  } else {
    return value;
  }
  *made.mutable_alias()->mutable_expr() = std::move(value);
  return located(std::move(made), start);
}

bool Grammar::at_bare_alias() const {
  const Token& token = in_.token();
  if (token.kind == TokenKind::kQuotedName) return true;
  if (token.kind != TokenKind::kWord) return false;
  if (token.upper == "WINDOW") return !(in_.is_name(1) && in_.is("AS", 2));
  // No condition can follow where the statement ends.
  if (token.upper == "WHERE") return in_.token(1).kind == TokenKind::kEnd;
  return !std::ranges::binary_search(kNeverAlias, std::string_view(token.upper));
}

Grammar::SortOrder Grammar::sort_item() {
  SortOrder order;
  *order.mutable_child() = expression();
  const bool descending = in_.accept("DESC");
  if (!descending) in_.accept("ASC");
  order.set_direction(descending ? SortOrder::SORT_DIRECTION_DESCENDING
                                 : SortOrder::SORT_DIRECTION_ASCENDING);
  bool nulls_first = !descending;
  if (in_.accept("NULLS")) {
    nulls_first = in_.is("FIRST");
    if (!nulls_first && !in_.is("LAST")) in_.fail("FIRST or LAST");
    in_.take();
  }
  order.set_null_ordering(nulls_first ? SortOrder::SORT_NULLS_FIRST : SortOrder::SORT_NULLS_LAST);
  return order;
}

std::vector<Grammar::SortOrder> Grammar::sort_list() {
  std::vector<SortOrder> list;
  do {
    list.push_back(sort_item());
  } while (in_.accept(","));
  return list;
}

}  // namespace firesteel
