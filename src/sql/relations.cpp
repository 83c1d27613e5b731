// What stands in FROM: tables, subqueries, table functions, joins, LATERAL VIEW, PIVOT, UNPIVOT,
// TABLESAMPLE.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "plan/names.h"
#include "sql/grammar.h"

namespace firesteel {

namespace {

using Expression = spark::connect::Expression;
using Relation = spark::connect::Relation;
using spark::connect::Join;

/// Words that go on after a table, so that none is taken for its bare alias.
constexpr std::string_view kNeverTableAlias[] = {
    "ANTI",  "AS",      "CLUSTER", "CROSS",   "DISTRIBUTE", "DO",   "EXCEPT",
    "FULL",  "GROUP",   "HAVING",  "INNER",   "INTERSECT",  "JOIN", "LATERAL",
    "LEFT",  "LIMIT",   "MINUS",   "NATURAL", "OFFSET",     "ON",   "ORDER",
    "PIVOT", "QUALIFY", "RIGHT",   "SELECT",  "SEMI",       "SORT", "TABLESAMPLE",
    "UNION", "UNPIVOT", "USING",   "WHERE",   "WINDOW",     "WITH",
};
static_assert(std::ranges::is_sorted(kNeverTableAlias));

constexpr const char* kAutoAlias = "__auto_generated_subquery_name";  // Spark's own

std::string literal_text(const Expression::Literal& literal) {
  switch (literal.literal_type_case()) {
    case Expression::Literal::kString:
      return literal.string();
    case Expression::Literal::kInteger:
      return std::to_string(literal.integer());
    case Expression::Literal::kLong:
      return std::to_string(literal.long_());
    case Expression::Literal::kDecimal:
      return literal.decimal().value();
    case Expression::Literal::kBoolean:
      return literal.boolean() ? "true" : "false";
    case Expression::Literal::kNull:
      return "null";
    case Expression::Literal::kStruct: {
      std::string text;
      for (const auto& element : literal.struct_().elements())
        text += (text.empty() ? "" : ", ") + literal_text(element);
      return "{" + text + "}";
    }
    default:
      return literal.ShortDebugString();
  }
}

/// Columns of a VALUES list: a row is a projection of nothing, rows are unions of rows.
std::optional<size_t> inline_table_width(const Relation& relation) {
  const Relation* row = &relation;
  while (row->has_set_op()) row = &row->set_op().left_input();
  if (!row->has_project() || row->project().has_input()) return std::nullopt;
  return row->project().expressions_size();
}

}  // namespace

Relation Grammar::relation() {
  in_.accept("LATERAL");  // before the first table there is nothing to refer to
  return relation_extensions(relation_primary());
}

Relation Grammar::relation_extensions(Relation left) {
  Chain chain(*this, kRelationWeight);
  while (true) {
    if (in_.is("PIVOT") && in_.is("(", 1)) {
      left = pivot(std::move(left));
    } else if (in_.is("UNPIVOT")) {
      left = unpivot(std::move(left));
    } else if (in_.is_any("JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "FULL", "SEMI", "ANTI",
                          "NATURAL")) {
      left = joined(std::move(left));
    } else {
      return left;
    }
    chain.link();
  }
}

Relation Grammar::joined(Relation left) {
  const int start = in_.start();
  const bool natural = in_.accept("NATURAL");
  auto kind = Join::JOIN_TYPE_INNER;
  if (in_.accept("CROSS")) {
    kind = Join::JOIN_TYPE_CROSS;
  } else if (in_.accept("LEFT")) {
    kind = Join::JOIN_TYPE_LEFT_OUTER;
    if (in_.accept("SEMI")) {
      kind = Join::JOIN_TYPE_LEFT_SEMI;
    } else if (in_.accept("ANTI")) {
      kind = Join::JOIN_TYPE_LEFT_ANTI;
    } else {
      in_.accept("OUTER");
    }
  } else if (in_.accept("RIGHT")) {
    kind = Join::JOIN_TYPE_RIGHT_OUTER;
    in_.accept("OUTER");
  } else if (in_.accept("FULL")) {
    kind = Join::JOIN_TYPE_FULL_OUTER;
    in_.accept("OUTER");
  } else if (in_.accept("SEMI")) {
    kind = Join::JOIN_TYPE_LEFT_SEMI;
  } else if (in_.accept("ANTI")) {
    kind = Join::JOIN_TYPE_LEFT_ANTI;
  } else {
    in_.accept("INNER");
  }
  in_.expect("JOIN");
  const bool is_lateral = in_.accept("LATERAL");
  Relation right = relation_primary();
  if (is_lateral) {
    Relation made = lateral(std::move(left), std::move(right), kind);
    if (in_.accept("ON")) *made.mutable_lateral_join()->mutable_join_condition() = expression();
    return located(std::move(made), start);
  }
  Relation made;
  auto* join = made.mutable_join();
  join->set_join_type(kind);
  *join->mutable_left() = std::move(left);
  *join->mutable_right() = std::move(right);
  if (natural) {
    // The plan has no form for it; the resolver, which knows the columns, reads this mark.
    made = located(std::move(made), start);
    made.mutable_common()->mutable_origin()->mutable_jvm_origin()->set_object_type("NATURAL");
    return made;
  }
  if (in_.accept("ON")) {
    *join->mutable_join_condition() = expression();
  } else if (in_.accept("USING")) {
    for (auto& name : name_list()) join->add_using_columns(std::move(name));
  }
  return located(std::move(made), start);
}

Relation Grammar::lateral(Relation left, Relation right, Join::JoinType type) {
  Relation made;
  auto* join = made.mutable_lateral_join();
  join->set_join_type(type);
  *join->mutable_left() = std::move(left);
  *join->mutable_right() = std::move(right);
  return made;
}

Relation Grammar::lateral_view(Relation left) {
  const int start = in_.start();
  in_.take();
  in_.take();
  const bool outer = in_.accept("OUTER");
  std::string name = table_name();
  auto type = Join::JOIN_TYPE_INNER;
  if (outer) {
    const auto lower = lower_case(name);
    // The others have no form of their own that keeps rows without a result.
    if (lower == "explode" || lower == "posexplode" || lower == "inline") {
      name += "_outer";
    } else {
      type = Join::JOIN_TYPE_LEFT_OUTER;
    }
  }
  Relation right = table_function(name, start);
  // LATERAL VIEW explode(x) t AS a, b; either name may be missing.
  std::string alias;
  if (!in_.is("AS") && at_bare_table_alias()) alias = alias_name();
  if (in_.accept("AS")) {
    Relation renamed;
    do {
      renamed.mutable_to_df()->add_column_names(alias_name());
    } while (in_.accept(","));
    *renamed.mutable_to_df()->mutable_input() = std::move(right);
    right = located(std::move(renamed), start);
  }
  if (!alias.empty()) {
    Relation named;
    named.mutable_subquery_alias()->set_alias(alias);
    *named.mutable_subquery_alias()->mutable_input() = std::move(right);
    right = located(std::move(named), start);
  }
  return located(lateral(std::move(left), std::move(right), type), start);
}

Relation Grammar::relation_primary() {
  const Level level(*this);
  const int start = in_.start();
  if (in_.is("(")) {
    if (at_query(in_.position() + 1)) {
      in_.take();
      Relation inner = query();
      in_.expect(")");
      return aliased(sampled(std::move(inner)), start, true);
    }
    in_.take();
    Chain chain(*this, kRelationWeight);
    Relation inner = relation();
    while (in_.accept(",")) {
      chain.link();
      Relation made;
      made.mutable_join()->set_join_type(Join::JOIN_TYPE_CROSS);
      *made.mutable_join()->mutable_left() = std::move(inner);
      *made.mutable_join()->mutable_right() = relation();
      inner = located(std::move(made), start);
    }
    in_.expect(")");
    return aliased(sampled(std::move(inner)), start, false);
  }
  if (in_.is("VALUES")) {
    Relation rows = values();
    return aliased(std::move(rows), start, false);
  }
  if (in_.is("STREAM") && in_.is_name(1)) {
    in_.fail(Error("UNSUPPORTED_FEATURE.STREAM", "STREAM tables are not supported."), in_.span());
  }
  if (!in_.is_name()) in_.fail("a table");
  if (!in_.is("(", 1) && !at_bare_table_alias()) in_.fail("a table");
  const std::string name = table_name();
  if (in_.is("(")) {
    Relation table = table_function(name, start);
    return aliased(std::move(table), start, false);
  }
  Relation table;
  table.mutable_read()->mutable_named_table()->set_unparsed_identifier(name);
  return aliased(sampled(located(std::move(table), start)), start, false);
}

Relation Grammar::table_function(const std::string& name, int start) {
  Relation made;
  auto* function = made.mutable_unresolved_table_valued_function();
  function->set_function_name(name);
  in_.expect("(");
  if (!in_.is(")")) {
    do {
      *function->add_arguments() = table_argument();
    } while (in_.accept(","));
  }
  in_.expect(")");
  return located(std::move(made), start);
}

/// TABLE (query) or TABLE name, and how its rows are parted and ordered; else a plain argument.
Expression Grammar::table_argument() {
  const int start = in_.start();
  const bool named = in_.is_name() && in_.is("=>", 1);
  const size_t table = named ? 2 : 0;
  if (!in_.is("TABLE", table) || !(in_.is("(", table + 1) || in_.is_name(table + 1)))
    return argument();
  std::string key;
  if (named) {
    key = alias_name();
    in_.take();
  }
  in_.take();
  using spark::connect::SubqueryExpression;
  Expression made;
  if (in_.is("(") && at_query(in_.position() + 1)) {
    made = subquery(SubqueryExpression::SUBQUERY_TYPE_TABLE_ARG, start);
  } else {
    const bool closed = in_.accept("(");
    Relation rows;
    rows.mutable_read()->mutable_named_table()->set_unparsed_identifier(table_name());
    if (closed) in_.expect(")");
    made = subquery_of(located(std::move(rows), start), SubqueryExpression::SUBQUERY_TYPE_TABLE_ARG,
                       start);
  }
  auto* options = made.mutable_subquery_expression()->mutable_table_arg_options();
  if (in_.accept("WITH", "SINGLE", "PARTITION")) {
    options->set_with_single_partition(true);
  } else if (in_.accept("PARTITION", "BY") || in_.accept("DISTRIBUTE", "BY")) {
    const bool closed = in_.accept("(");
    do {
      *options->add_partition_spec() = expression();
    } while ((closed || options->partition_spec_size() == 0) && in_.accept(","));
    if (closed) in_.expect(")");
  }
  if (in_.accept("ORDER", "BY") || in_.accept("SORT", "BY")) {
    const bool closed = in_.accept("(");
    for (auto& term : sort_list()) *options->add_order_spec() = std::move(term);
    if (closed) in_.expect(")");
  }
  if (!named) return made;
  Expression keyword;
  keyword.mutable_named_argument_expression()->set_key(key);
  *keyword.mutable_named_argument_expression()->mutable_value() = std::move(made);
  return located(std::move(keyword), start);
}

Relation Grammar::aliased(Relation input, int start, bool auto_alias) {
  std::string alias;
  if (in_.accept("AS")) {
    if (!in_.is("(")) alias = alias_name();
  } else if (at_bare_table_alias()) {
    alias = alias_name();
  }
  if (!alias.empty() && in_.is("(")) {
    Relation renamed;
    *renamed.mutable_to_df()->mutable_input() = std::move(input);
    const auto names = name_list();
    if (const auto width = inline_table_width(renamed.to_df().input());
        width && *width != names.size()) {
      in_.fail(Error("INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH",
                     fmt::format("Invalid inline table. Inline table expected {} columns but found "
                                 "{} columns in row 0.",
                                 names.size(), *width)),
               in_.since(start));
    }
    for (const auto& name : names) renamed.mutable_to_df()->add_column_names(name);
    input = located(std::move(renamed), start);
  }
  // Spark names a subquery without an alias, so that the names inside stay inside.
  if (alias.empty() && auto_alias) alias = kAutoAlias;
  if (alias.empty()) return input;
  Relation named;
  named.mutable_subquery_alias()->set_alias(alias);
  *named.mutable_subquery_alias()->mutable_input() = std::move(input);
  named = located(std::move(named), start);
  if (in_.is("TABLESAMPLE")) return sampled(std::move(named));
  return named;
}

Relation Grammar::sampled(Relation input) {
  const int start = in_.start();
  if (!in_.accept("TABLESAMPLE")) return input;
  in_.accept("SYSTEM") || in_.accept("BERNOULLI");
  in_.expect("(");
  const auto number = [&] {
    const auto kind = in_.token().kind;
    if (kind != TokenKind::kInteger && kind != TokenKind::kDecimal) in_.fail("a number");
    return std::strtod(std::string(in_.take().text).c_str(), nullptr);
  };
  Relation made;
  double fraction = 0;
  if (in_.accept("BUCKET")) {
    const double bucket = number();
    in_.expect("OUT");
    in_.expect("OF");
    fraction = bucket / number();
  } else {
    const double amount = number();
    if (in_.accept("ROWS")) {
      in_.expect(")");
      made.mutable_limit()->set_limit(static_cast<int>(std::min(amount, 2147483647.0)));
      *made.mutable_limit()->mutable_input() = std::move(input);
      return located(std::move(made), start);
    }
    in_.expect("PERCENT");
    fraction = amount / 100;
  }
  in_.expect(")");
  if (fraction < 0 || fraction > 1) {
    in_.fail(
        Error("INVALID_PARAMETER_VALUE", fmt::format("Sampling fraction ({}) must be on interval "
                                                     "[0, 1].",
                                                     fraction)),
        in_.since(start));
  }
  made.mutable_sample()->set_lower_bound(0);
  made.mutable_sample()->set_upper_bound(fraction);
  if (in_.accept("REPEATABLE")) {
    in_.expect("(");
    made.mutable_sample()->set_seed(static_cast<int64_t>(number()));
    in_.expect(")");
  }
  *made.mutable_sample()->mutable_input() = std::move(input);
  return located(std::move(made), start);
}

Relation Grammar::pivot(Relation input) {
  const int start = in_.start();
  in_.take();
  in_.expect("(");
  Relation made;
  auto* aggregate = made.mutable_aggregate();
  aggregate->set_group_type(spark::connect::Aggregate::GROUP_TYPE_PIVOT);
  *aggregate->mutable_input() = std::move(input);
  // A star for the keys: every column that neither an aggregate nor FOR names, as SQL has it.
  aggregate->add_grouping_expressions()->mutable_unresolved_star();
  do {
    *aggregate->add_aggregate_expressions() = named_expression();
  } while (in_.accept(","));
  in_.expect("FOR");
  const bool several = in_.accept("(");
  if (several) {
    std::vector<Expression> columns;
    do {
      columns.push_back(name_or_call());
    } while (in_.accept(","));
    in_.expect(")");
    *aggregate->mutable_pivot()->mutable_col() = function("struct", std::move(columns), start);
  } else {
    *aggregate->mutable_pivot()->mutable_col() = name_or_call();
  }
  in_.expect("IN");
  in_.expect("(");
  std::vector<std::pair<std::string, std::string>> renames;
  do {
    const int value_start = in_.start();
    Expression value = named_expression();
    std::string alias;
    if (value.has_alias()) {
      alias = value.alias().name(0);
      Expression inner = value.alias().expr();
      value = std::move(inner);
    }
    if (several) {  // (1, 'x'): a struct of literals
      Expression row;
      for (const auto& part : value.unresolved_function().arguments()) {
        if (!part.has_literal()) continue;
        *row.mutable_literal()->mutable_struct_()->add_elements() = part.literal();
      }
      if (row.literal().struct_().elements_size() == value.unresolved_function().arguments_size())
        value = std::move(row);
    }
    if (!value.has_literal()) {
      in_.fail(Error("NON_LITERAL_PIVOT_VALUES", "Literal expressions required for pivot values."),
               in_.since(value_start));
    }
    if (!alias.empty()) renames.emplace_back(literal_text(value.literal()), alias);
    *aggregate->mutable_pivot()->add_values() = value.literal();
  } while (in_.accept(","));
  in_.expect(")");
  in_.expect(")");
  std::vector<std::string> suffixes;
  for (const auto& item : aggregate->aggregate_expressions()) {
    if (aggregate->aggregate_expressions_size() == 1) {
      suffixes.push_back("");
    } else if (item.has_alias()) {
      suffixes.push_back("_" + item.alias().name(0));
    } else if (!renames.empty()) {
      in_.fail(
          Error("UNSUPPORTED_FEATURE.PIVOT_VALUE_ALIAS",
                "Where PIVOT has several aggregates and named values, name the aggregates too."),
          in_.since(start));
    }
  }
  made = located(std::move(made), start);
  if (!renames.empty()) {
    // A literal carries no name: the columns are renamed after.
    Relation renamed;
    for (const auto& [value, alias] : renames) {
      for (const auto& suffix : suffixes) {
        auto* rename = renamed.mutable_with_columns_renamed()->add_renames();
        rename->set_col_name(value + suffix);
        rename->set_new_col_name(alias + suffix);
      }
    }
    *renamed.mutable_with_columns_renamed()->mutable_input() = std::move(made);
    made = located(std::move(renamed), start);
  }
  return aliased(std::move(made), start, false);
}

Relation Grammar::unpivot(Relation input) {
  const int start = in_.start();
  in_.take();
  bool nulls = false;
  if (in_.is_any("INCLUDE", "EXCLUDE")) {
    nulls = in_.take().upper == "INCLUDE";
    in_.expect("NULLS");
  }
  in_.expect("(");
  if (in_.is("(")) return unpivot_groups(std::move(input), nulls, start);
  Relation made;
  auto* unpivot = made.mutable_unpivot();
  // A star for the ids: every column that IN does not name.
  unpivot->add_ids()->mutable_unresolved_star();
  unpivot->set_value_column_name(alias_name());
  in_.expect("FOR");
  unpivot->set_variable_column_name(alias_name());
  in_.expect("IN");
  in_.expect("(");
  do {
    *unpivot->mutable_values()->add_values() = named_expression();
  } while (in_.accept(","));
  in_.expect(")");
  in_.expect(")");
  const auto value_name = quote_name(unpivot->value_column_name());
  *unpivot->mutable_input() = std::move(input);
  made = located(std::move(made), start);
  if (!nulls) {
    Expression value;
    value.mutable_unresolved_attribute()->set_unparsed_identifier(value_name);
    Relation filter;
    *filter.mutable_filter()->mutable_condition() =
        make("isnotnull", start, located(std::move(value), start));
    *filter.mutable_filter()->mutable_input() = std::move(made);
    made = located(std::move(filter), start);
  }
  return aliased(std::move(made), start, false);
}

/// UNPIVOT ((a, b) FOR name IN ((x1, y1) AS 'x', …)): a row per group, which the plan says as a
/// lateral stack().
Relation Grammar::unpivot_groups(Relation input, bool nulls, int start) {
  const auto values = name_list();
  in_.expect("FOR");
  const auto name = alias_name();
  in_.expect("IN");
  in_.expect("(");
  std::vector<Expression> used(1), cells(1);
  used[0].mutable_unresolved_star();
  int groups = 0;
  do {
    const int group_start = in_.start();
    std::vector<Expression> columns;
    std::string label;
    in_.expect("(");
    do {
      columns.push_back(name_or_call());
      const auto& written = columns.back().unresolved_attribute().unparsed_identifier();
      label += (label.empty() ? "" : "_") + split_name(written).back();
    } while (in_.accept(","));
    in_.expect(")");
    if (columns.size() != values.size()) {
      in_.fail(Error("UNPIVOT_VALUE_SIZE_MISMATCH",
                     fmt::format("All unpivot value columns must have the same size as there are "
                                 "value column names ({}).",
                                 values.size())),
               in_.since(group_start));
    }
    if (in_.accept("AS") || (in_.is_name() && !in_.is(",") && !in_.is(")"))) {
      label = in_.token().kind == TokenKind::kString ? text_value() : alias_name();
    }
    Expression text;
    text.mutable_literal()->set_string(label);
    cells.push_back(std::move(text));
    for (auto& column : columns) {
      used.push_back(column);
      cells.push_back(std::move(column));
    }
    ++groups;
  } while (in_.accept(","));
  in_.expect(")");
  in_.expect(")");
  cells[0].mutable_literal()->set_integer(groups);
  Relation rows;
  rows.mutable_unresolved_table_valued_function()->set_function_name("stack");
  for (auto& cell : cells)
    *rows.mutable_unresolved_table_valued_function()->add_arguments() = std::move(cell);
  Relation named;
  named.mutable_to_df()->add_column_names(name);
  for (const auto& value : values) named.mutable_to_df()->add_column_names(value);
  *named.mutable_to_df()->mutable_input() = located(std::move(rows), start);
  Relation made;
  auto star = function("star_except", std::move(used), start);
  star.mutable_unresolved_function()->set_is_internal(true);
  *made.mutable_project()->add_expressions() = std::move(star);
  const auto column = [&](const std::string& text) {
    Expression attribute;
    attribute.mutable_unresolved_attribute()->set_unparsed_identifier(quote_name(text));
    return located(std::move(attribute), start);
  };
  *made.mutable_project()->add_expressions() = column(name);
  std::vector<Expression> present;
  // The star is of what was there before.
  auto* star_call = made.mutable_project()->mutable_expressions(0)->mutable_unresolved_function();
  *star_call->add_arguments() = column(name);
  for (const auto& value : values) *star_call->add_arguments() = column(value);
  for (const auto& value : values) {
    *made.mutable_project()->add_expressions() = column(value);
    present.push_back(column(value));
  }
  *made.mutable_project()->mutable_input() =
      located(lateral(std::move(input), located(std::move(named), start),
                      spark::connect::Join::JOIN_TYPE_INNER),
              start);
  made = located(std::move(made), start);
  if (!nulls) {
    Relation filter;
    *filter.mutable_filter()->mutable_condition() =
        make("isnotnull", start, function("coalesce", std::move(present), start));
    *filter.mutable_filter()->mutable_input() = std::move(made);
    made = located(std::move(filter), start);
  }
  return aliased(std::move(made), start, false);
}

/// IDENTIFIER('a' || '.b'): the name that constant text gives.
std::string Grammar::identifier_clause() {
  const int start = in_.start();
  in_.take();
  in_.expect("(");
  const auto value = expression();
  in_.expect(")");
  const std::function<std::string(const Expression&)> text = [&](const Expression& part) {
    if (part.literal().has_string()) return part.literal().string();
    const auto& call = part.unresolved_function();
    if (call.function_name() != "concat" && call.function_name() != "||") {
      in_.fail(Error("NOT_A_CONSTANT_STRING.NOT_CONSTANT",
                     "The expression used for the routine or clause IDENTIFIER must be a constant "
                     "STRING which is NOT NULL."),
               in_.since(start));
    }
    std::string out;
    for (const auto& argument : call.arguments()) out += text(argument);
    return out;
  };
  return text(value);
}

/// A dotted name as written; parquet.`path` keeps its backticks.
std::string Grammar::table_name() {
  if (in_.is("IDENTIFIER") && in_.is("(", 1)) return identifier_clause();
  std::string name;
  while (true) {
    if (!in_.is_name()) in_.fail("a name");
    const Token& part = in_.take();
    name += part.kind == TokenKind::kQuotedName || is_plain_name(part.text) ? std::string(part.text)
                                                                            : quote_name(part.text);
    if (!in_.is(".") || !in_.is_name(1)) return name;
    in_.take();
    name += '.';
  }
}

std::string Grammar::alias_name() {
  if (!in_.is_name()) in_.fail("a name");
  return in_.take().value;
}

std::vector<std::string> Grammar::name_list() {
  std::vector<std::string> names;
  in_.expect("(");
  do {
    names.push_back(alias_name());
  } while (in_.accept(","));
  in_.expect(")");
  return names;
}

bool Grammar::at_bare_table_alias() const {
  const Token& token = in_.token();
  if (token.kind == TokenKind::kQuotedName) return true;
  return token.kind == TokenKind::kWord &&
         !std::ranges::binary_search(kNeverTableAlias, std::string_view(token.upper));
}

}  // namespace firesteel
