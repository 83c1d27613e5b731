// Statements: the dispatch, and those of the session: settings, SHOW, DESCRIBE, EXPLAIN, CACHE,
// variables. The public entries are here.
#include <fmt/format.h>

#include "sql/grammar.h"
#include "sql/parser.h"

namespace firesteel {

namespace {

using spark::connect::Expression;
using spark::connect::Plan;
using spark::connect::Relation;

Error empty_statement() {
  return Error("PARSE_EMPTY_STATEMENT", "Syntax error, unexpected empty statement.");
}

}  // namespace

Statement parse_statement(std::string_view sql, const SqlParameters& parameters) {
  return Grammar(sql, parameters).whole_statement();
}
Relation parse_query(std::string_view sql, const SqlParameters& parameters) {
  return Grammar(sql, parameters).whole_query();
}
Expression parse_expression(std::string_view sql) { return Grammar(sql).whole_expression(); }

Statement Grammar::whole_statement() {
  if (in_.at_end() || (in_.is(";") && in_.token(1).kind == TokenKind::kEnd))
    throw empty_statement().in(in_.sql());
  Statement made = statement();
  while (in_.accept(";")) {
  }
  expect_end();
  if (auto* plan = std::get_if<Plan>(&made)) {
    if (plan->has_root()) mark_text(*plan->mutable_root());
    if (plan->command().has_create_dataframe_view())
      mark_text(*plan->mutable_command()->mutable_create_dataframe_view()->mutable_input());
  }
  return made;
}

Relation Grammar::whole_query() {
  if (in_.at_end()) throw empty_statement().in(in_.sql());
  Relation root = query();
  while (in_.accept(";")) {
  }
  expect_end();
  mark_text(root);
  return root;
}

Expression Grammar::whole_expression() {
  if (in_.at_end()) throw empty_statement().in(in_.sql());
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

Statement Grammar::statement() {
  const Level level(*this);
  const int start = in_.start();
  if (in_.is("WITH") && after_with().upper == "INSERT") {
    in_.take();
    auto tables = common_tables();
    auto made = insert();
    auto& query = std::get<Insert>(made).query;
    query = with_references(std::move(query), std::move(tables), start);
    return made;
  }
  if (in_.is_any("SELECT", "WITH", "VALUES", "TABLE", "FROM", "(")) {
    Plan plan;
    *plan.mutable_root() = query();
    return plan;
  }
  if (in_.is("BEGIN") || (in_.is(":", 1) && in_.is("BEGIN", 2))) return script();
  using Method = Statement (Grammar::*)();
  static constexpr std::pair<std::string_view, Method> kStatements[] = {
      {"ALTER", &Grammar::alter},       {"ANALYZE", &Grammar::analyze},
      {"CACHE", &Grammar::cache},       {"CLEAR", &Grammar::cache},
      {"COMMENT", &Grammar::comment},   {"CREATE", &Grammar::create},
      {"DECLARE", &Grammar::variable},  {"DELETE", &Grammar::delete_rows},
      {"DESC", &Grammar::describe},     {"DESCRIBE", &Grammar::describe},
      {"DROP", &Grammar::drop},         {"EXECUTE", &Grammar::execute_immediate},
      {"EXPLAIN", &Grammar::explain},   {"INSERT", &Grammar::insert},
      {"MERGE", &Grammar::merge},       {"MSCK", &Grammar::repair},
      {"REFRESH", &Grammar::cache},     {"REPAIR", &Grammar::repair},
      {"REPLACE", &Grammar::create},    {"RESET", &Grammar::set},
      {"SET", &Grammar::set},           {"SHOW", &Grammar::show},
      {"TRUNCATE", &Grammar::truncate}, {"UNCACHE", &Grammar::cache},
      {"UPDATE", &Grammar::update},     {"USE", &Grammar::use},
  };
  for (const auto& [word, method] : kStatements) {
    if (in_.is(word)) return (this->*method)();
  }
  for (const auto name : {"ADD", "CALL", "GRANT", "LIST", "LOAD", "REVOKE"}) {
    if (in_.is(name)) unsupported(name, start);
  }
  in_.fail();
}

void Grammar::unsupported(std::string_view what, int start) {
  in_.fail(Error("UNSUPPORTED_FEATURE.SQL_STATEMENT",
                 fmt::format("The statement {} is not supported.", what)),
           in_.at_end() ? in_.since(start) : Span{start, in_.span().stop});
}

std::string Grammar::text_since(int start) const {
  const auto span = in_.since(start);
  return std::string(in_.sql().substr(span.start, span.stop - span.start));
}

std::string Grammar::text_value() {
  if (in_.token().kind != TokenKind::kString) in_.fail("a string");
  std::string text;
  while (in_.token().kind == TokenKind::kString) text += in_.take().value;
  return text;
}

std::optional<std::string> Grammar::pattern() {
  if (!in_.accept("LIKE") && in_.token().kind != TokenKind::kString) return std::nullopt;
  return text_value();
}

/// SET, SET key, SET key = value; RESET, RESET key; SET VARIABLE, SET TIME ZONE, SET CATALOG.
Statement Grammar::set() {
  const bool reset = in_.take().upper == "RESET";
  if (!reset && (in_.is("VARIABLE") || in_.is("VAR")) && !in_.is("=", 1)) {
    in_.take();
    return assignments();
  }
  if (!reset && in_.accept("CATALOG")) {
    const bool text = in_.token().kind == TokenKind::kString;
    return Use{.name = text ? text_value() : alias_name(), .catalog = true};
  }
  if (!reset && in_.accept("TIME", "ZONE")) {
    SetConfig made{.key = "spark.sql.session.timeZone", .value = {}};
    if (in_.accept("LOCAL")) {
      made.value = "UTC";
    } else if (in_.token().kind == TokenKind::kString) {
      made.value = text_value();
    } else {
      in_.fail("a time zone as a string, or LOCAL");
    }
    return made;
  }
  const int start = in_.start();
  while (!in_.at_end() && !in_.is(";") && !in_.is("=")) in_.take();
  const auto text = [&](int from, int to) {
    while (to > from && static_cast<unsigned char>(in_.sql()[to - 1]) <= ' ') --to;
    return std::string(in_.sql().substr(from, std::max(0, to - from)));
  };
  SetConfig made{.key = text(start, in_.start()), .value = {}, .reset = reset};
  if (made.key.size() > 1 && made.key.front() == '`' && made.key.back() == '`')
    made.key = made.key.substr(1, made.key.size() - 2);
  if (made.key == "-v") made = {.key = "", .value = {}, .verbose = true};
  if (!reset && in_.accept("=")) {
    const int from = in_.start();
    const bool quoted = in_.token().kind == TokenKind::kQuotedName;
    std::string value = quoted ? in_.take().value : "";
    while (!in_.at_end() && !in_.is(";")) in_.take();
    made.value = quoted ? value : text(from, in_.start());
  }
  return made;
}

Statement Grammar::use() {
  in_.take();
  in_.accept("NAMESPACE") || in_.accept("DATABASE") || in_.accept("SCHEMA");
  return Use{.name = table_name()};
}

Statement Grammar::cache() {
  const auto word = in_.take().upper;
  if (word == "CLEAR") {
    in_.expect("CACHE");
    return Cache{.action = Cache::Action::kClear, .table = {}};
  }
  if (word == "CACHE") in_.accept("LAZY");
  if (word == "REFRESH" && in_.token().kind == TokenKind::kString)
    return Cache{.action = Cache::Action::kRefresh, .table = text_value()};
  if (word == "REFRESH" && in_.accept("FUNCTION"))
    return Cache{.action = Cache::Action::kRefresh, .table = table_name()};
  if (word != "REFRESH" || in_.is("TABLE")) in_.expect("TABLE");
  Cache made{.action = word == "CACHE"     ? Cache::Action::kCache
                       : word == "UNCACHE" ? Cache::Action::kUncache
                                           : Cache::Action::kRefresh,
             .table = {}};
  made.if_exists = in_.accept("IF", "EXISTS");
  made.table = table_name();
  if (in_.accept("OPTIONS")) property_list();
  if (word == "CACHE" && !in_.at_end() && !in_.is(";")) {
    in_.accept("AS");
    made.query = query();
  }
  return made;
}

Statement Grammar::analyze() {
  in_.take();
  if (in_.accept("TABLES")) unsupported("ANALYZE TABLES", 0);
  in_.expect("TABLE");
  Analyze made{.table = table_name(), .scan = true, .columns = {}};
  if (in_.is("PARTITION")) partition_spec();
  in_.expect("COMPUTE");
  in_.expect("STATISTICS");
  if (in_.accept("NOSCAN")) made.scan = false;
  if (in_.accept("FOR")) {
    if (in_.accept("ALL")) {
      in_.expect("COLUMNS");
    } else {
      in_.expect("COLUMNS");
      do {
        made.columns.push_back(alias_name());
      } while (in_.accept(","));
    }
  }
  return made;
}

Statement Grammar::show() {
  using What = Show::What;
  const int start = in_.start();
  in_.take();
  if (in_.accept("CURRENT")) {
    in_.accept("NAMESPACE") || in_.accept("SCHEMA") || in_.accept("DATABASE");
    return Show{.what = What::kCurrentNamespace, .name = {}, .pattern = {}};
  }
  const auto place = [&](Show& made) {
    if (in_.accept("FROM") || in_.accept("IN")) made.name = table_name();
  };
  static constexpr std::pair<std::string_view, What> kLists[] = {
      {"CATALOGS", What::kCatalogs},    {"DATABASES", What::kDatabases},
      {"NAMESPACES", What::kDatabases}, {"SCHEMAS", What::kDatabases},
      {"TABLES", What::kTables},        {"VIEWS", What::kViews},
      {"FUNCTIONS", What::kFunctions}};
  Show made{.what = What::kFunctions, .name = {}, .pattern = {}};
  for (const auto scope : {"ALL", "SYSTEM", "USER"}) {
    if (!in_.is(scope) || !in_.is("FUNCTIONS", 1)) continue;
    made.scope = in_.take().upper;
    break;
  }
  for (const auto& [word, what] : kLists) {
    if (!in_.accept(word)) continue;
    made.what = what;
    place(made);
    if (what == What::kFunctions && !in_.is("LIKE") && in_.is_name()) {
      made.pattern = table_name();  // SHOW FUNCTIONS trim
    } else {
      made.pattern = pattern();
    }
    return made;
  }
  if (in_.accept("COLUMNS")) {
    made.what = What::kColumns;
    if (!in_.accept("FROM") && !in_.accept("IN")) in_.fail("FROM or IN and a table");
    made.name = table_name();
    if (in_.accept("FROM") || in_.accept("IN")) made.name = table_name() + "." + made.name;
    return made;
  }
  if (in_.accept("CREATE", "TABLE")) {
    made.what = What::kCreateTable;
    made.name = table_name();
    if (in_.accept("AS")) in_.expect("SERDE");
    return made;
  }
  if (in_.accept("PARTITIONS")) {
    made.what = What::kPartitions;
    made.name = table_name();
    if (in_.is("PARTITION")) made.partition = partition_spec();
    return made;
  }
  if (in_.accept("TBLPROPERTIES")) {
    made.what = What::kProperties;
    made.name = table_name();
    if (in_.accept("(")) {
      made.scope = property_key();
      in_.expect(")");
    }
    return made;
  }
  if (in_.is("TABLE") && in_.is_any("EXTENDED", "TABLE")) {
    in_.take();
    in_.expect("EXTENDED");
    made.what = What::kTableExtended;
    place(made);
    in_.expect("LIKE");
    made.pattern = text_value();
    if (in_.is("PARTITION")) made.partition = partition_spec();
    return made;
  }
  unsupported("SHOW " + std::string(in_.token().text), start);
}

Statement Grammar::describe() {
  in_.take();
  const auto extended = [&] {
    return in_.is_any("EXTENDED", "FORMATTED") && in_.is_name(1) && (in_.take(), true);
  };
  Describe made{.what = Describe::What::kTable, .name = {}};
  if (in_.is("FUNCTION") && in_.token(1).kind != TokenKind::kEnd && !in_.is(".", 1)) {
    in_.take();
    made.what = Describe::What::kFunction;
    made.extended = extended();
    if (in_.token().kind == TokenKind::kString || in_.token().kind == TokenKind::kSymbol) {
      made.name =
          in_.token().kind == TokenKind::kString ? in_.take().value : std::string(in_.take().text);
      while (in_.token().kind == TokenKind::kSymbol && !in_.is(";")) made.name += in_.take().text;
    } else {
      made.name = table_name();
    }
    return made;
  }
  for (const auto* word : {"DATABASE", "SCHEMA", "NAMESPACE"}) {
    if (!in_.is(word) || !in_.is_name(1)) continue;
    in_.take();
    made.what = Describe::What::kDatabase;
    made.extended = extended();
    made.name = table_name();
    return made;
  }
  // DESCRIBE TABLE t is no TABLE t.
  if ((in_.is("QUERY") && at_query(in_.position() + 1)) ||
      (!in_.is("TABLE") && at_query(in_.position()))) {
    in_.accept("QUERY");
    made.what = Describe::What::kQuery;
    made.query = query();
    mark_text(made.query);
    return made;
  }
  if (in_.is("TABLE") && in_.is_name(1)) in_.take();
  made.extended = extended();
  made.name = table_name();
  if (in_.is("PARTITION")) made.partition = partition_spec();
  if (in_.is_name() && made.partition.empty()) {
    made.what = Describe::What::kColumn;
    made.column = table_name();
  }
  if (in_.accept("AS", "JSON")) unsupported("DESCRIBE … AS JSON", 0);
  return made;
}

Statement Grammar::explain() {
  in_.take();
  Explain made{.mode = "simple", .statement = {}};
  for (const auto* mode : {"EXTENDED", "CODEGEN", "COST", "FORMATTED", "ANALYZE"}) {
    if (!in_.is(mode)) continue;
    made.mode.clear();
    for (const char c : in_.take().text) made.mode += static_cast<char>(std::tolower(c));
    break;
  }
  const int start = in_.start();
  statement();  // its faults are found now
  made.statement = text_since(start);
  return made;
}

/// DECLARE [OR REPLACE] [VARIABLE] a, b INT [DEFAULT | =] value.
Statement Grammar::variable() {
  in_.take();
  Variable made{.names = {}, .type = {}, .value = {}};
  made.replace = in_.accept("OR", "REPLACE");
  in_.accept("VARIABLE") || in_.accept("VAR");
  do {
    made.names.push_back(table_name());
  } while (in_.accept(","));
  if (!in_.is_any("DEFAULT", "=", ";") && !in_.at_end()) {
    const int start = in_.start();
    type();
    made.type = text_since(start);
  }
  const int start = in_.start();
  blocks_.emplace_back();
  Expression value;
  if (in_.accept("DEFAULT") || in_.accept("=")) {
    value = expression();
  } else {
    value.mutable_literal()->mutable_null()->mutable_null();
    if (made.type.empty()) in_.fail("a type, DEFAULT or =");
  }
  Relation row;
  for (size_t i = 0; i < made.names.size(); ++i) *row.mutable_project()->add_expressions() = value;
  made.value = close_block(located(std::move(row), start), start);
  return made;
}

/// SET VARIABLE a = 1, b = DEFAULT; SET VARIABLE (a, b) = (SELECT 1, 2).
Statement Grammar::assignments() {
  const int start = in_.start();
  Variable made{.names = {}, .assigns = true, .type = {}, .value = {}};
  if (in_.accept("(")) {
    do {
      made.names.push_back(table_name());
    } while (in_.accept(","));
    in_.expect(")");
    in_.expect("=");
    in_.expect("(");
    made.value = query();
    in_.expect(")");
    return made;
  }
  blocks_.emplace_back();
  Relation row;
  do {
    made.names.push_back(table_name());
    in_.expect("=");
    if (in_.is("DEFAULT") && !in_.is(".", 1) && !in_.is("(", 1)) {
      in_.take();
      made.to_default = true;
      row.mutable_project()->add_expressions()->mutable_literal()->mutable_null()->mutable_null();
      continue;
    }
    *row.mutable_project()->add_expressions() = expression();
  } while (in_.accept(","));
  made.value = close_block(located(std::move(row), start), start);
  return made;
}

Statement Grammar::execute_immediate() {
  in_.take();
  in_.expect("IMMEDIATE");
  ExecuteImmediate made;
  const int start = in_.start();
  blocks_.emplace_back();
  Relation row;
  *row.mutable_project()->add_expressions() = expression();
  made.text = close_block(located(std::move(row), start), start);
  if (in_.accept("INTO")) {
    do {
      made.into.push_back(table_name());
    } while (in_.accept(","));
  }
  if (in_.accept("USING")) {
    const bool list = in_.is("(") && in_.token_at(in_.token().match + 1).kind == TokenKind::kEnd &&
                      in_.accept("(");
    do {
      auto value = named_expression();
      std::string name;
      if (value.has_alias()) {
        name = value.alias().name(0);
        auto inner = value.alias().expr();
        value = std::move(inner);
      }
      made.arguments.emplace_back(std::move(name), std::move(value));
    } while (in_.accept(","));
    if (list) in_.expect(")");
  }
  return made;
}

}  // namespace firesteel
