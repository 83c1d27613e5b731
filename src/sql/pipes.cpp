// Pipe syntax: a query, and steps behind |> that each make a relation of the one before.
#include <fmt/format.h>

#include <algorithm>

#include "plan/names.h"
#include "sql/grammar.h"

namespace firesteel {

namespace {

using Expression = spark::connect::Expression;
using Relation = spark::connect::Relation;

}  // namespace

Relation Grammar::piped(Relation input) {
  in_.expect("|>");
  const int start = in_.start();
  blocks_.back().select_start = in_.position();
  blocks_.back().windows.clear();
  blocks_.back().windows_read = false;
  Relation made;
  const auto no_aggregates = [&](const Expression& item, std::string_view clause, int item_start) {
    if (!contains_aggregate(item)) return;
    in_.fail(Error("PIPE_OPERATOR_CONTAINS_AGGREGATE_FUNCTION",
                   fmt::format("Non-grouping expression is provided as an argument to the |> {} "
                               "pipe operator but contains an aggregate function; please update it "
                               "to use |> AGGREGATE instead.",
                               clause)),
             in_.since(item_start));
  };
  if (in_.is("SELECT")) return select(std::move(input));
  if (in_.accept("EXTEND")) {
    made.mutable_project()->add_expressions()->mutable_unresolved_star();
    const int list_start = in_.start();
    for (auto& item : select_list()) {
      no_aggregates(item, "EXTEND", list_start);
      *made.mutable_project()->add_expressions() = std::move(item);
    }
    if (in_.is("WINDOW")) read_window_clause();
    *made.mutable_project()->mutable_input() = std::move(input);
    return located(std::move(made), start);
  }
  if (in_.accept("SET")) {
    do {
      const int item_start = in_.start();
      auto* alias = made.mutable_with_columns()->add_aliases();
      alias->add_name(alias_name());
      in_.expect("=");
      *alias->mutable_expr() = expression();
      no_aggregates(alias->expr(), "SET", item_start);
    } while (in_.accept(","));
    *made.mutable_with_columns()->mutable_input() = std::move(input);
    made = located(std::move(made), start);
    // Not a way to add columns.
    made.mutable_common()->mutable_origin()->mutable_jvm_origin()->set_object_type("SET");
    return made;
  }
  if (in_.accept("DROP")) {
    std::vector<Expression> arguments(1);
    arguments[0].mutable_unresolved_star();
    do {
      arguments.push_back(name_or_call());
    } while (in_.accept(","));
    auto star = function("star_except", std::move(arguments), start);
    star.mutable_unresolved_function()->set_is_internal(true);
    *made.mutable_project()->add_expressions() = std::move(star);
    *made.mutable_project()->mutable_input() = std::move(input);
    return located(std::move(made), start);
  }
  if (in_.accept("AS")) {
    made.mutable_subquery_alias()->set_alias(alias_name());
    *made.mutable_subquery_alias()->mutable_input() = std::move(input);
    return located(std::move(made), start);
  }
  if (in_.accept("WHERE")) {
    *made.mutable_filter()->mutable_condition() = expression();
    *made.mutable_filter()->mutable_input() = std::move(input);
    return located(std::move(made), start);
  }
  if (in_.accept("AGGREGATE")) return piped_aggregate(std::move(input), start);
  if (in_.is("TABLESAMPLE")) return sampled(std::move(input));
  if (in_.is_any("ORDER", "SORT", "CLUSTER", "DISTRIBUTE", "LIMIT", "OFFSET", "WINDOW"))
    return ordered(std::move(input));
  if (in_.is_any("UNION", "EXCEPT", "MINUS")) return set_operations(std::move(input), 0);
  if (in_.is("INTERSECT")) return set_operations(std::move(input), 1);
  const size_t before = in_.position();
  input = relation_extensions(std::move(input));
  if (in_.position() == before) in_.fail("a pipe operator");
  return input;
}

/// AGGREGATE sums GROUP BY keys: the keys come first in the result.
Relation Grammar::piped_aggregate(Relation input, int start) {
  std::vector<Expression> items;
  if (!in_.is("GROUP")) items = select_list();
  Relation made;
  if (in_.accept("GROUP", "BY")) {
    std::vector<Expression> list;
    const auto is_sets = [&] {
      return in_.are("GROUPING", "SETS") || (in_.is_any("ROLLUP", "CUBE") && in_.is("(", 1));
    };
    if (!is_sets()) {
      do {
        list.push_back(named_expression());
      } while (in_.accept(","));
    }
    if (list.empty()) {
      made = group_by(std::move(input), {});
      const auto& keys = made.aggregate().grouping_expressions();
      list.assign(keys.begin(), keys.end());
      made.mutable_aggregate()->clear_aggregate_expressions();
    } else {
      auto* aggregate = made.mutable_aggregate();
      aggregate->set_group_type(spark::connect::Aggregate::GROUP_TYPE_GROUPBY);
      *aggregate->mutable_input() = std::move(input);
      for (const auto& key : list)
        *aggregate->add_grouping_expressions() = key.has_alias() ? key.alias().expr() : key;
    }
    for (auto& key : list) *made.mutable_aggregate()->add_aggregate_expressions() = key;
  } else {
    made.mutable_aggregate()->set_group_type(spark::connect::Aggregate::GROUP_TYPE_GROUPBY);
    *made.mutable_aggregate()->mutable_input() = std::move(input);
  }
  for (auto& item : items) *made.mutable_aggregate()->add_aggregate_expressions() = std::move(item);
  made = located(std::move(made), start);
  made.mutable_common()->mutable_origin()->mutable_jvm_origin()->set_object_type("SELECT");
  return made;
}

}  // namespace firesteel
