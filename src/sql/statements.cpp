// Statements: a query, or one of the commands the plan has a form for. The public entries are here.
#include <fmt/format.h>

#include "sql/grammar.h"
#include "sql/parser.h"

namespace firesteel {

namespace {

using spark::connect::Expression;
using spark::connect::Plan;
using spark::connect::Relation;

}  // namespace

Plan parse_statement(std::string_view sql) { return Grammar(sql).whole_statement(); }
Relation parse_query(std::string_view sql) { return Grammar(sql).whole_query(); }
Expression parse_expression(std::string_view sql) { return Grammar(sql).whole_expression(); }

Plan Grammar::whole_statement() {
  if (in_.at_end() || (in_.is(";") && in_.token(1).kind == TokenKind::kEnd)) {
    throw Error("PARSE_EMPTY_STATEMENT", "Syntax error, unexpected empty statement.").in(in_.sql());
  }
  Plan plan = statement();
  while (in_.accept(";")) {
  }
  expect_end();
  if (plan.has_root()) mark_text(*plan.mutable_root());
  if (plan.command().has_create_dataframe_view()) {
    mark_text(*plan.mutable_command()->mutable_create_dataframe_view()->mutable_input());
  }
  return plan;
}

Relation Grammar::whole_query() {
  if (in_.at_end()) {
    throw Error("PARSE_EMPTY_STATEMENT", "Syntax error, unexpected empty statement.").in(in_.sql());
  }
  Relation root = query();
  while (in_.accept(";")) {
  }
  expect_end();
  mark_text(root);
  return root;
}

Expression Grammar::whole_expression() {
  if (in_.at_end()) {
    throw Error("PARSE_EMPTY_STATEMENT", "Syntax error, unexpected empty statement.").in(in_.sql());
  }
  auto list = select_list();
  if (list.size() > 1) {
    in_.seek(0);
    in_.fail(Error("PARSE_SYNTAX_ERROR", "One expression was expected, not a list."), in_.span());
  }
  expect_end();
  list[0].mutable_common()->mutable_origin()->mutable_jvm_origin()->set_sql_text(
      std::string(in_.sql()));
  return std::move(list[0]);
}

void Grammar::expect_end() {
  if (!in_.at_end()) in_.fail();
}

void Grammar::mark_text(Relation& root) const {
  auto* origin = root.mutable_common()->mutable_origin()->mutable_jvm_origin();
  origin->set_sql_text(std::string(in_.sql()));
}

Plan Grammar::statement() {
  if (in_.is_any("SELECT", "WITH", "VALUES", "TABLE", "FROM", "(")) {
    Plan plan;
    *plan.mutable_root() = query();
    return plan;
  }
  if (in_.is("CREATE")) return create_view();
  if (in_.is("SET")) return set_statement();
  if (in_.is("DROP")) return drop();
  if (in_.is("SHOW")) return show();
  if (in_.is_any("DESCRIBE", "DESC")) return describe();
  if (in_.token().kind == TokenKind::kWord) {
    static constexpr std::string_view kKnown[] = {
        "ADD",     "ALTER",   "ANALYZE",  "BEGIN",   "CACHE",   "CALL",   "CLEAR",
        "COMMENT", "DECLARE", "DELETE",   "EXECUTE", "EXPLAIN", "GRANT",  "INSERT",
        "LIST",    "LOAD",    "MERGE",    "MSCK",    "REFRESH", "REPAIR", "REPLACE",
        "RESET",   "REVOKE",  "TRUNCATE", "UNCACHE", "UPDATE",  "USE",
    };
    for (const auto name : kKnown) {
      if (!in_.is(name)) continue;
      std::string what(name);
      const auto& next = in_.token(1);
      if (next.kind == TokenKind::kWord &&
          (next.upper == "INTO" || next.upper == "OVERWRITE" || next.upper == "TABLE")) {
        what += " " + next.upper;
      }
      in_.fail(Error("UNSUPPORTED_FEATURE.SQL_STATEMENT",
                     fmt::format("The statement {} is not supported.", what)),
               in_.span());
    }
  }
  in_.fail();
}

Plan Grammar::create_view() {
  const int start = in_.start();
  in_.take();
  Plan plan;
  auto* view = plan.mutable_command()->mutable_create_dataframe_view();
  view->set_replace(in_.accept("OR", "REPLACE"));
  view->set_is_global(in_.accept("GLOBAL"));
  const bool temporary = in_.accept("TEMPORARY") || in_.accept("TEMP");
  if (!temporary || !in_.is("VIEW")) {
    const auto what = in_.token().kind == TokenKind::kWord ? " " + in_.token().upper : "";
    in_.fail(Error("UNSUPPORTED_FEATURE.SQL_STATEMENT",
                   fmt::format("The statement CREATE{} is not supported. CREATE TEMPORARY VIEW is.",
                               what)),
             in_.since(start));
  }
  in_.take();
  if (in_.accept("IF", "NOT", "EXISTS")) {
    in_.fail(Error("INVALID_SQL_SYNTAX.CREATE_TEMP_FUNC_WITH_IF_NOT_EXISTS",
                   "A temporary view cannot be created with IF NOT EXISTS; use OR REPLACE."),
             in_.since(start));
  }
  view->set_name(table_name());
  std::vector<std::string> columns;
  if (in_.is("(")) columns = name_list();
  if (in_.accept("COMMENT")) string_literal();
  Relation input;
  if (in_.accept("USING")) {
    auto* source = input.mutable_read()->mutable_data_source();
    source->set_format(table_name());
    if (in_.accept("OPTIONS")) {
      in_.expect("(");
      do {
        std::string key = in_.token().kind == TokenKind::kString ? in_.take().value : table_name();
        in_.accept("=");
        std::string value = in_.token().kind == TokenKind::kString ? in_.take().value
                                                                   : std::string(in_.take().text);
        if (key == "path") {
          source->add_paths(std::move(value));
        } else {
          (*source->mutable_options())[key] = std::move(value);
        }
      } while (in_.accept(","));
      in_.expect(")");
    }
    input = located(std::move(input), start);
  } else {
    in_.expect("AS");
    input = query();
  }
  if (!columns.empty()) {
    Relation renamed;
    *renamed.mutable_to_df()->mutable_input() = std::move(input);
    for (auto& name : columns) renamed.mutable_to_df()->add_column_names(std::move(name));
    input = located(std::move(renamed), start);
  }
  *view->mutable_input() = std::move(input);
  return plan;
}

/// SET, SET key, SET key = value: the plan's SqlCommand over the canonical text.
Plan Grammar::set_statement() {
  in_.take();
  const int start = in_.start();
  Plan plan;
  std::string key, value;
  bool assigns = false;
  while (!in_.at_end() && !in_.is(";") && !in_.is("=")) in_.take();
  auto text = [&](int from, int to) {
    while (to > from && static_cast<unsigned char>(in_.sql()[to - 1]) <= ' ') --to;
    return std::string(in_.sql().substr(from, std::max(0, to - from)));
  };
  key = text(start, in_.start());
  if (key.size() > 1 && key.front() == '`' && key.back() == '`')
    key = key.substr(1, key.size() - 2);
  if (in_.accept("=")) {
    assigns = true;
    const int from = in_.start();
    const bool quoted = in_.token().kind == TokenKind::kQuotedName;
    value = quoted ? in_.take().value : "";
    while (!in_.at_end() && !in_.is(";")) in_.take();
    if (!quoted) value = text(from, in_.start());
  }
  auto* sql = plan.mutable_command()->mutable_sql_command()->mutable_input()->mutable_sql();
  sql->set_query(assigns       ? fmt::format("SET {}={}", key, value)
                 : key.empty() ? "SET"
                               : "SET " + key);
  return plan;
}

Plan Grammar::drop() {
  const int start = in_.start();
  in_.take();
  in_.accept("TEMPORARY") || in_.accept("TEMP");
  const bool view = in_.is("VIEW");
  if (!view && !in_.is("TABLE")) {
    in_.fail(Error("UNSUPPORTED_FEATURE.SQL_STATEMENT",
                   fmt::format("The statement DROP {} is not supported.", in_.token().text)),
             in_.since(start));
  }
  in_.take();
  const bool if_exists = in_.accept("IF", "EXISTS");
  Plan plan;
  auto* catalog = plan.mutable_root()->mutable_catalog();
  if (view) {
    catalog->mutable_drop_view()->set_view_name(table_name());
    catalog->mutable_drop_view()->set_if_exists(if_exists);
  } else {
    catalog->mutable_drop_table()->set_table_name(table_name());
    catalog->mutable_drop_table()->set_if_exists(if_exists);
    catalog->mutable_drop_table()->set_purge(in_.accept("PURGE"));
  }
  *plan.mutable_root() = located(std::move(*plan.mutable_root()), start);
  return plan;
}

Plan Grammar::show() {
  const int start = in_.start();
  in_.take();
  Plan plan;
  auto* catalog = plan.mutable_root()->mutable_catalog();
  const auto what = in_.token().upper;
  if (what != "TABLES" && what != "VIEWS" && what != "DATABASES" && what != "SCHEMAS" &&
      what != "COLUMNS" && what != "FUNCTIONS") {
    in_.fail(Error("UNSUPPORTED_FEATURE.SQL_STATEMENT",
                   fmt::format("The statement SHOW {} is not supported.", in_.token().text)),
             in_.since(start));
  }
  in_.take();
  std::optional<std::string> place, pattern;
  if (in_.accept("FROM") || in_.accept("IN")) place = table_name();
  if (in_.accept("LIKE") || in_.token().kind == TokenKind::kString) {
    if (in_.token().kind != TokenKind::kString) in_.fail("a string");
    pattern = in_.take().value;
  }
  const auto fill = [&](auto* list) {
    if (place) list->set_db_name(*place);
    if (pattern) list->set_pattern(*pattern);
  };
  if (what == "TABLES") {
    fill(catalog->mutable_list_tables());
  } else if (what == "VIEWS") {
    fill(catalog->mutable_list_views());
  } else if (what == "FUNCTIONS") {
    fill(catalog->mutable_list_functions());
  } else if (what == "COLUMNS") {
    if (!place) in_.fail("FROM or IN and a table");
    catalog->mutable_list_columns()->set_table_name(*place);
  } else {
    catalog->mutable_list_databases();
    if (pattern) catalog->mutable_list_databases()->set_pattern(*pattern);
  }
  *plan.mutable_root() = located(std::move(*plan.mutable_root()), start);
  return plan;
}

Plan Grammar::describe() {
  const int start = in_.start();
  in_.take();
  for (const auto* what : {"FUNCTION", "DATABASE", "SCHEMA", "QUERY"}) {
    if (!in_.is(what) || !in_.is_name(1)) continue;
    in_.fail(Error("UNSUPPORTED_FEATURE.SQL_STATEMENT",
                   fmt::format("The statement DESCRIBE {} is not supported.", what)),
             in_.since(start));
  }
  if (in_.is("TABLE") && in_.is_name(1)) in_.take();
  if (in_.is_any("EXTENDED", "FORMATTED") && in_.is_name(1)) in_.take();
  Plan plan;
  plan.mutable_root()->mutable_catalog()->mutable_list_columns()->set_table_name(table_name());
  *plan.mutable_root() = located(std::move(*plan.mutable_root()), start);
  return plan;
}

}  // namespace firesteel
