// What operators join: literals, names, calls, CASE, subqueries, lambdas, and what may follow them
// (`[…]`, `.field`, `::type`).
#include <fmt/format.h>

#include <algorithm>

#include "plan/names.h"
#include "plan/types.h"
#include "sql/grammar.h"

namespace firesteel {

namespace {

using Expression = spark::connect::Expression;

/// Words that begin or continue a clause: names only where no clause can go on.
constexpr std::string_view kClauseWords[] = {
    "AND",       "AS", "BETWEEN", "BY",   "ELSE", "END", "EXCEPT", "GROUP", "HAVING", "IN",
    "INTERSECT", "IS", "JOIN",    "LIKE", "ON",   "OR",  "ORDER",  "THEN",  "UNION",  "WHEN",
};
static_assert(std::ranges::is_sorted(kClauseWords));

/// Functions that SQL calls without parentheses.
constexpr std::string_view kBareCalls[] = {
    "CURRENT_CATALOG",   "CURRENT_DATABASE", "CURRENT_DATE", "CURRENT_TIME",
    "CURRENT_TIMESTAMP", "CURRENT_USER",     "LOCALTIME",    "SESSION_USER",
};
static_assert(std::ranges::is_sorted(kBareCalls));

std::string part_as_written(const Token& token) {
  if (token.kind == TokenKind::kQuotedName || is_plain_name(token.text)) {
    return std::string(token.text);
  }
  return quote_name(token.text);
}

}  // namespace

Expression Grammar::postfix() {
  const int start = in_.start();
  Chain chain(*this);
  Expression value = primary();
  while (true) {
    const size_t before = in_.position();
    if (in_.accept("[")) {
      Expression made;
      auto* extract = made.mutable_unresolved_extract_value();
      *extract->mutable_extraction() = expression();
      in_.expect("]");
      *extract->mutable_child() = std::move(value);
      value = located(std::move(made), start);
    } else if (in_.is(".") && in_.is_name(1)) {
      in_.take();
      const int name_start = in_.start();
      Expression name;
      name.mutable_literal()->set_string(in_.take().value);
      name = located(std::move(name), name_start);
      Expression made;
      *made.mutable_unresolved_extract_value()->mutable_extraction() = std::move(name);
      *made.mutable_unresolved_extract_value()->mutable_child() = std::move(value);
      value = located(std::move(made), start);
    } else if (in_.is(":") && (in_.is_name(1) || in_.is("[", 1))) {
      value = variant_path(std::move(value), start);
    } else if (in_.is("COLLATE") && in_.is_name(1)) {
      in_.take();
      Expression made, name;
      name.mutable_literal()->set_string(in_.take().value);
      auto* call = made.mutable_unresolved_function();
      call->set_function_name("collate");
      *call->add_arguments() = std::move(value);
      *call->add_arguments() = std::move(name);
      value = located(std::move(made), start);
    } else if (in_.accept("::")) {
      Expression made;
      *made.mutable_cast()->mutable_type() = type();
      *made.mutable_cast()->mutable_expr() = std::move(value);
      value = located(std::move(made), start);
    }
    if (in_.position() == before) return value;
    chain.link();
  }
}

/// variant:name.name[0]['name'], whose column is called as its last name.
Expression Grammar::variant_path(Expression value, int start) {
  in_.expect(":");
  std::string path = "$", last;
  const auto name = [&](const std::string& text) {
    last = text;
    path += fmt::format("[\"{}\"]", text);
  };
  const auto plain_name = [&](const std::string& text) {
    last = text;
    path += "." + text;
  };
  if (in_.is_name()) plain_name(in_.take().value);
  while (true) {
    if (in_.accept("[")) {
      if (in_.is("*")) {
        throw Error("INVALID_USAGE_OF_STAR_OR_REGEX", "Invalid usage of '*' in a path.")
            .at({start, in_.start()});
      }
      const auto& token = in_.take();
      if (token.kind == TokenKind::kString) {
        name(token.value);
      } else {
        path += fmt::format("[{}]", token.text);
      }
      in_.expect("]");
    } else if (in_.is(".") && in_.is_name(1)) {
      in_.take();
      plain_name(in_.take().value);
    } else {
      break;
    }
  }
  Expression text;
  text.mutable_literal()->set_string(path);
  Expression made;
  auto* call = made.mutable_unresolved_function();
  call->set_function_name("variant_path");
  call->set_is_internal(true);
  *call->add_arguments() = std::move(value);
  *call->add_arguments() = located(std::move(text), start);
  made = located(std::move(made), start);
  if (last.empty()) return made;
  Expression alias;
  alias.mutable_alias()->add_name(last);
  *alias.mutable_alias()->mutable_expr() = std::move(made);
  return located(std::move(alias), start);
}

Expression Grammar::primary() {
  const int start = in_.start();
  const Token& token = in_.token();
  switch (token.kind) {
    case TokenKind::kEnd:
      in_.fail();
    case TokenKind::kString:
      return string_literal();
    case TokenKind::kInteger:
    case TokenKind::kDecimal:
    case TokenKind::kExponent:
    case TokenKind::kSuffixed:
      return number(false, start);
    case TokenKind::kSymbol:
      if (in_.is("(")) return parenthesised();
      if (in_.is("-")) {
        in_.take();
        return number(true, start);
      }
      if (in_.is("*")) {
        Expression star;
        star.mutable_unresolved_star();
        in_.take();
        return located(std::move(star), start);
      }
      if (in_.is(":") || in_.is("?")) return parameter();
      in_.fail();
    case TokenKind::kQuotedName:
      return name_or_call();
    case TokenKind::kWord:
      break;
  }
  if (in_.is("CASE") && in_.token(1).text != "." && !in_.is(",", 1) && !in_.is(")", 1)) {
    return case_expression();
  }
  if (in_.is("EXISTS") && in_.is("(", 1) && at_query(in_.position() + 2)) {
    in_.take();
    return subquery(spark::connect::SubqueryExpression::SUBQUERY_TYPE_EXISTS, start);
  }
  if (auto literal = typed_literal()) return std::move(*literal);
  if (at_interval()) return interval();
  if (std::ranges::binary_search(kBareCalls, std::string_view(token.upper)) && !in_.is("(", 1) &&
      !in_.is(".", 1)) {
    std::string name;
    for (const char c : in_.take().text) name += static_cast<char>(std::tolower(c));
    return function(name, {}, start);
  }
  const auto& after = in_.token(1);
  // Behind SELECT stands an expression, so that the word is a name there, as in Spark.
  const bool first = in_.position() > 0 && in_.token_at(in_.position() - 1).upper == "SELECT";
  const bool names_source = in_.is_any("FROM", "SELECT", "WHERE") && !first;
  const bool clause = std::ranges::binary_search(kClauseWords, std::string_view(token.upper));
  if (names_source ||
      (clause && after.kind != TokenKind::kSymbol && after.kind != TokenKind::kEnd &&
       !in_.is("FROM", 1)) ||
      (clause && in_.is("(", 1))) {
    in_.fail();
  }
  return name_or_call();
}

Expression Grammar::parenthesised() {
  const int start = in_.start();
  if (at_query_after_parenthesis()) {
    return subquery(spark::connect::SubqueryExpression::SUBQUERY_TYPE_SCALAR, start);
  }
  in_.take();
  Expression first = named_expression();
  if (in_.accept(")")) return first;
  std::vector<Expression> row;
  row.push_back(std::move(first));
  while (in_.accept(",")) row.push_back(named_expression());
  in_.expect(")");
  return function("struct", std::move(row), start);
}

Expression Grammar::case_expression() {
  const int start = in_.start();
  in_.take();
  std::optional<Expression> subject;
  if (!in_.is("WHEN")) subject = expression();
  std::vector<Expression> branches;
  if (!in_.is("WHEN")) in_.fail("WHEN");
  while (in_.is("WHEN")) {
    in_.take();
    const int condition_start = in_.start();
    Expression condition = expression();
    if (subject) condition = make("==", condition_start, *subject, std::move(condition));
    in_.expect("THEN");
    branches.push_back(std::move(condition));
    branches.push_back(expression());
  }
  if (in_.accept("ELSE")) branches.push_back(expression());
  in_.expect("END");
  return function("when", std::move(branches), start);
}

Expression Grammar::name_or_call() {
  const int start = in_.start();
  std::string name;
  std::vector<std::string> parts;
  const bool clause = in_.is("IDENTIFIER") && in_.is("(", 1);
  if (clause) {
    name = identifier_clause();
    parts = split_name(name);
  }
  while (!clause) {
    const Token& token = in_.take();
    parts.push_back(token.value);
    if (!name.empty()) name += '.';
    name += part_as_written(token);
    if (in_.is(".") && in_.is("*", 1)) {
      in_.take();
      in_.take();
      Expression star;
      star.mutable_unresolved_star()->set_unparsed_target(name + ".*");
      return located(std::move(star), start);
    }
    if (!in_.is(".") || !in_.is_name(1)) break;
    in_.take();
  }
  if (in_.is("(")) return call(name, start);
  for (auto scope = lambda_parameters_.rbegin(); scope != lambda_parameters_.rend(); ++scope) {
    if (std::ranges::find(*scope, parts[0]) == scope->end()) continue;
    Expression variable;
    for (auto& part : parts) {
      variable.mutable_unresolved_named_lambda_variable()->add_name_parts(std::move(part));
    }
    return located(std::move(variable), start);
  }
  Expression made;
  made.mutable_unresolved_attribute()->set_unparsed_identifier(name);
  return located(std::move(made), start);
}

bool Grammar::at_lambda() const {
  if (in_.is_name() && in_.is("->", 1)) return true;
  if (!in_.is("(") || !in_.is_name(1)) return false;
  size_t ahead = 2;
  while (in_.is(",", ahead) && in_.is_name(ahead + 1)) ahead += 2;
  return in_.is(")", ahead) && in_.is("->", ahead + 1);
}

Expression Grammar::lambda() {
  const int start = in_.start();
  std::vector<std::string> names;
  if (in_.is("(")) {
    names = name_list();
  } else {
    names.push_back(in_.take().value);
  }
  in_.expect("->");
  Expression made;
  for (const auto& name : names)
    made.mutable_lambda_function()->add_arguments()->add_name_parts(name);
  lambda_parameters_.push_back(std::move(names));
  *made.mutable_lambda_function()->mutable_function() = expression();
  lambda_parameters_.pop_back();
  return located(std::move(made), start);
}

Expression Grammar::subquery(spark::connect::SubqueryExpression::SubqueryType type, int start) {
  in_.expect("(");
  // Names of lambda parameters mean columns again inside a query.
  auto parameters = std::exchange(lambda_parameters_, {});
  Relation inner = query();
  lambda_parameters_ = std::move(parameters);
  in_.expect(")");
  return subquery_of(std::move(inner), type, start);
}

Expression Grammar::subquery_of(Relation inner,
                                spark::connect::SubqueryExpression::SubqueryType type, int start) {
  if (blocks_.empty()) {
    in_.fail(Error("UNSUPPORTED_FEATURE.SUBQUERY_IN_EXPRESSION_TEXT",
                   "An expression given as text cannot hold a subquery. Write the whole query as "
                   "SQL."),
             in_.since(start));
  }
  const auto plan_id = next_plan_id_++;
  inner.mutable_common()->set_plan_id(plan_id);
  blocks_.back().subqueries.push_back(std::move(inner));
  Expression made;
  made.mutable_subquery_expression()->set_plan_id(plan_id);
  made.mutable_subquery_expression()->set_subquery_type(type);
  return located(std::move(made), start);
}

Expression Grammar::parameter() {
  const int start = in_.start();
  std::string name = in_.take().text == "?" ? "_" + std::to_string(start) : "";
  if (!name.empty()) {
    if (next_parameter_ < parameters_.positional.size())
      return parameters_.positional[next_parameter_++];
  } else {
    if (!in_.is_name()) in_.fail("a parameter's name");
    name = in_.take().value;
    const auto found = parameters_.named.find(name);
    if (found != parameters_.named.end()) return found->second;
  }
  in_.fail(Error("UNBOUND_SQL_PARAMETER",
                 "Found the unbound parameter: " + name +
                     ". Please, fix `args` and provide a mapping of the parameter to either a SQL "
                     "literal or collection constructor functions such as `map()`, `array()`, "
                     "`struct()`."),
           in_.since(start));
}

spark::connect::DataType Grammar::type() {
  const int start = in_.start();
  if (!in_.is_name()) in_.fail("a type");
  const bool interval = in_.is("INTERVAL"), clock = in_.is("TIME") || in_.is("TIMESTAMP");
  in_.take();
  if (interval && in_.is_name()) {
    in_.take();
    if (in_.accept("TO")) in_.take();
  }
  if (in_.is("(")) {
    in_.seek(in_.token().match);
    in_.expect(")");
  }
  if (clock && in_.accept("WITHOUT")) {
    in_.expect("TIME");
    in_.expect("ZONE");
  }
  if (in_.is("<>")) {
    in_.take();
  } else if (in_.is("<")) {
    int depth = 0;
    do {
      if (in_.at_end()) in_.fail(">");
      depth += in_.is("<") ? 1 : in_.is(">") ? -1 : 0;
      in_.take();
    } while (depth > 0);
  }
  const Span span = in_.since(start);
  spark::connect::DataType proto;
  try {
    type_to_proto(parse_type(in_.sql().substr(span.start, span.stop - span.start)), &proto);
  } catch (const Error& error) {
    // Its own place points into the type's text.
    throw Error(error.condition(), error.message()).at(span).in(in_.sql());
  }
  return proto;
}

}  // namespace firesteel
