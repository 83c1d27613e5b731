// Statements about a table's rows: INSERT, UPDATE, DELETE, MERGE, TRUNCATE.
#include <fmt/format.h>

#include "plan/names.h"
#include "sql/grammar.h"
#include "sql/parser.h"

namespace firesteel {

namespace {

using spark::connect::Expression;
using spark::connect::MergeAction;
using spark::connect::MergeIntoTableCommand;
using spark::connect::Relation;

}  // namespace

/// What follows WITH's named queries.
const Token& Grammar::after_with() const {
  size_t at = in_.position() + 1;
  const auto word = [&](std::string_view text) { return in_.token_at(at).upper == text; };
  const auto skip_parentheses = [&] {
    if (in_.token_at(at).text == "(") at = in_.token_at(at).match + 1;
  };
  if (word("RECURSIVE")) ++at;
  do {
    if (in_.token_at(at).text == ",") ++at;
    ++at;  // its name
    skip_parentheses();
    if (word("MAX")) at += 4;  // MAX RECURSION LEVEL n
    if (word("AS")) ++at;
    skip_parentheses();
  } while (in_.token_at(at).text == ",");
  return in_.token_at(at);
}

Statement Grammar::insert() {
  const int start = in_.start();
  in_.take();
  Insert made;
  made.overwrite = in_.accept("OVERWRITE");
  if (made.overwrite && (in_.is("DIRECTORY") || in_.are("LOCAL", "DIRECTORY"))) {
    in_.accept("LOCAL");
    in_.take();
    if (in_.token().kind == TokenKind::kString) made.directory = text_value();
    if (in_.accept("USING")) made.format = table_name();
    if (in_.accept("STORED", "AS")) made.format = alias_name();
    if (in_.accept("OPTIONS")) made.options = property_list();
    if (made.directory.empty()) made.directory = made.options["path"];
  } else {
    if (!made.overwrite) in_.expect("INTO");
    in_.accept("TABLE");
    made.table = table_name();
    if (in_.accept("REPLACE", "WHERE")) unsupported("INSERT INTO … REPLACE WHERE", start);
    if (in_.is("PARTITION")) made.partition = partition_spec();
    made.if_not_exists = in_.accept("IF", "NOT", "EXISTS");
    if (in_.accept("BY", "NAME")) {
      made.by_name = true;
    } else if (in_.is("(") && !at_query(in_.position())) {
      made.columns = name_list();
    }
  }
  made.query = query();
  mark_text(made.query);
  return made;
}

/// The table of UPDATE, DELETE or MERGE with its alias.
Relation Grammar::target_table(std::string* name, std::string* alias) {
  const int start = in_.start();
  *name = table_name();
  Relation table;
  table.mutable_read()->mutable_named_table()->set_unparsed_identifier(*name);
  table = located(std::move(table), start);
  if (in_.accept("AS") || (in_.is_name() && !in_.is_any("SET", "WHERE", "USING"))) {
    *alias = alias_name();
    Relation named;
    named.mutable_subquery_alias()->set_alias(*alias);
    *named.mutable_subquery_alias()->mutable_input() = std::move(table);
    table = located(std::move(named), start);
  }
  return table;
}

/// Every column stays as it is but those that SET names, where WHERE holds.
Statement Grammar::update() {
  const int start = in_.start();
  in_.take();
  Rewrite made;
  std::string alias;
  auto table = target_table(&made.table, &alias);
  in_.expect("SET");
  blocks_.emplace_back();
  std::vector<std::pair<Expression, Expression>> assignments;
  do {
    auto column = name_or_call();
    in_.expect("=");
    assignments.emplace_back(std::move(column), expression());
  } while (in_.accept(","));
  std::optional<Expression> condition;
  if (in_.accept("WHERE")) condition = expression();
  Relation changed;
  for (auto& [column, value] : assignments) {
    if (!column.has_unresolved_attribute()) in_.fail("a column to set");
    const auto& written = column.unresolved_attribute().unparsed_identifier();
    auto* alias_proto = changed.mutable_with_columns()->add_aliases();
    alias_proto->add_name(split_name(written).back());
    *alias_proto->mutable_expr() =
        condition ? make("when", start, *condition, std::move(value), column) : std::move(value);
  }
  *changed.mutable_with_columns()->mutable_input() = std::move(table);
  made.rows = close_block(located(std::move(changed), start), start);
  mark_text(made.rows);
  return made;
}

Statement Grammar::delete_rows() {
  const int start = in_.start();
  in_.take();
  in_.expect("FROM");
  Rewrite made;
  std::string alias;
  auto table = target_table(&made.table, &alias);
  blocks_.emplace_back();
  Expression keeps;
  if (in_.accept("WHERE")) {
    Expression no;
    no.mutable_literal()->set_boolean(false);
    keeps = make("not", start, make("coalesce", start, expression(), std::move(no)));
  } else {
    keeps.mutable_literal()->set_boolean(false);
  }
  Relation kept;
  *kept.mutable_filter()->mutable_condition() = std::move(keeps);
  *kept.mutable_filter()->mutable_input() = std::move(table);
  made.rows = close_block(located(std::move(kept), start), start);
  mark_text(made.rows);
  return made;
}

Statement Grammar::merge() {
  const int start = in_.start();
  in_.take();
  Merge made;
  auto* command = &made.command;
  command->set_with_schema_evolution(in_.accept("WITH", "SCHEMA", "EVOLUTION"));
  in_.expect("INTO");
  target_table(command->mutable_target_table_name(), &made.target_alias);
  in_.expect("USING");
  *command->mutable_source_table_plan() = relation_primary();
  in_.expect("ON");
  blocks_.emplace_back();
  *command->mutable_merge_condition() = expression();
  if (!in_.is("WHEN")) in_.fail("WHEN");
  while (in_.is("WHEN")) merge_clause(command);
  if (!blocks_.back().subqueries.empty()) unsupported("MERGE with subqueries", start);
  blocks_.pop_back();
  mark_text(*command->mutable_source_table_plan());
  return made;
}

void Grammar::merge_clause(MergeIntoTableCommand* command) {
  in_.expect("WHEN");
  const bool matched = !in_.accept("NOT");
  in_.expect("MATCHED");
  bool by_source = false;
  if (!matched && in_.accept("BY")) {
    by_source = in_.accept("SOURCE");
    if (!by_source) in_.expect("TARGET");
  }
  auto* clause = matched     ? command->add_match_actions()
                 : by_source ? command->add_not_matched_by_source_actions()
                             : command->add_not_matched_actions();
  auto* action = clause->mutable_merge_action();
  if (in_.accept("AND")) *action->mutable_condition() = expression();
  in_.expect("THEN");
  const auto attribute = [&] {
    const int start = in_.start();
    Expression made;
    made.mutable_unresolved_attribute()->set_unparsed_identifier(table_name());
    return located(std::move(made), start);
  };
  if (!matched && !by_source) {
    in_.expect("INSERT");
    if (in_.accept("*")) {
      action->set_action_type(MergeAction::ACTION_TYPE_INSERT_STAR);
      return;
    }
    action->set_action_type(MergeAction::ACTION_TYPE_INSERT);
    in_.expect("(");
    do {
      *action->add_assignments()->mutable_key() = attribute();
    } while (in_.accept(","));
    in_.expect(")");
    in_.expect("VALUES");
    in_.expect("(");
    const int start = in_.start();
    const auto values = expression_list();
    if (static_cast<int>(values.size()) != action->assignments_size()) {
      in_.fail(Error("PARSE_SYNTAX_ERROR", "INSERT names as many columns as VALUES has values."),
               in_.since(start));
    }
    for (size_t i = 0; i < values.size(); ++i)
      *action->mutable_assignments(static_cast<int>(i))->mutable_value() = values[i];
    in_.expect(")");
    return;
  }
  if (in_.accept("DELETE")) {
    action->set_action_type(MergeAction::ACTION_TYPE_DELETE);
    return;
  }
  in_.expect("UPDATE");
  in_.expect("SET");
  if (in_.accept("*")) {
    action->set_action_type(MergeAction::ACTION_TYPE_UPDATE_STAR);
    return;
  }
  action->set_action_type(MergeAction::ACTION_TYPE_UPDATE);
  do {
    auto* assignment = action->add_assignments();
    *assignment->mutable_key() = attribute();
    in_.expect("=");
    *assignment->mutable_value() = expression();
  } while (in_.accept(","));
}

Statement Grammar::truncate() {
  in_.take();
  in_.expect("TABLE");
  Truncate made{.table = table_name(), .partition = {}};
  if (in_.is("PARTITION")) made.partition = partition_spec();
  return made;
}

}  // namespace firesteel
