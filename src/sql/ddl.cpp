// Statements about the catalog: CREATE, DROP, ALTER, COMMENT.
#include <fmt/format.h>

#include "plan/names.h"
#include "sql/grammar.h"
#include "sql/parser.h"

namespace firesteel {

namespace {

using spark::connect::Plan;
using spark::connect::Relation;

Relation renamed_columns(Relation input, const std::vector<ColumnDefinition>& columns) {
  if (columns.empty()) return input;
  Relation renamed;
  *renamed.mutable_to_df()->mutable_input() = std::move(input);
  for (const auto& column : columns) renamed.mutable_to_df()->add_column_names(column.field.name);
  return renamed;
}

}  // namespace

Statement Grammar::create() {
  const int start = in_.start();
  const bool must_exist = in_.take().upper == "REPLACE";
  const bool replace = must_exist || in_.accept("OR", "REPLACE");
  if (in_.is_any("DATABASE", "SCHEMA", "NAMESPACE")) return create_database(start);
  if (in_.is("TABLE") || in_.are("EXTERNAL", "TABLE")) {
    auto made = create_table(replace, start);
    std::get<CreateTable>(made).must_exist = must_exist;
    return made;
  }
  const bool global = in_.accept("GLOBAL");
  const bool temporary = in_.accept("TEMPORARY") || in_.accept("TEMP");
  if (in_.is("FUNCTION")) return create_function(temporary, replace);
  if (!in_.is("VIEW")) {
    const bool word = in_.token().kind == TokenKind::kWord;
    unsupported(word ? "CREATE " + in_.token().upper : "CREATE", start);
  }
  in_.take();
  if (!temporary) return create_view(replace, start);
  if (in_.accept("IF", "NOT", "EXISTS")) {
    in_.fail(Error("INVALID_SQL_SYNTAX.CREATE_TEMP_FUNC_WITH_IF_NOT_EXISTS",
                   "A temporary view cannot be created with IF NOT EXISTS; use OR REPLACE."),
             in_.since(start));
  }
  Plan plan;
  auto* view = plan.mutable_command()->mutable_create_dataframe_view();
  view->set_replace(replace);
  view->set_is_global(global);
  view->set_name(table_name());
  std::vector<ColumnDefinition> columns;
  if (in_.is("(")) columns = column_definitions();
  if (in_.accept("COMMENT")) text_value();
  if (in_.accept("TBLPROPERTIES")) property_list();
  Relation input;
  if (in_.accept("USING")) {
    auto* source = input.mutable_read()->mutable_data_source();
    source->set_format(table_name());
    std::string schema;
    for (const auto& [field, declared, comment, default_sql] : columns)
      schema += fmt::format("{}{} {}", schema.empty() ? "" : ", ", quoted({field.name}),
                            field.type.sql());
    source->set_schema(schema);
    columns.clear();
    if (in_.accept("OPTIONS")) {
      for (auto& [key, value] : property_list()) {
        if (key == "path") {
          source->add_paths(value);
        } else {
          (*source->mutable_options())[key] = value;
        }
      }
    }
    input = located(std::move(input), start);
  } else {
    in_.expect("AS");
    input = query();
  }
  *view->mutable_input() = located(renamed_columns(std::move(input), columns), start);
  return plan;
}

Statement Grammar::create_database(int) {
  in_.take();
  CreateDatabase made;
  made.if_not_exists = in_.accept("IF", "NOT", "EXISTS");
  made.name = table_name();
  for (;;) {
    if (in_.accept("COMMENT")) {
      made.comment = text_value();
    } else if (in_.accept("LOCATION")) {
      made.location = text_value();
    } else if (in_.accept("WITH", "DBPROPERTIES") || in_.accept("WITH", "PROPERTIES")) {
      made.properties = property_list();
    } else {
      return made;
    }
  }
}

Statement Grammar::create_table(bool replace, int start) {
  const bool external = in_.accept("EXTERNAL");
  in_.expect("TABLE");
  CreateTable made;
  made.replace = replace;
  made.if_not_exists = in_.accept("IF", "NOT", "EXISTS");
  made.name = table_name();
  if (in_.accept("LIKE")) made.like = table_name();
  if (in_.is("(") && !at_query(in_.position())) made.columns = column_definitions();
  for (;;) {
    if (in_.accept("USING")) {
      made.provider = table_name();
    } else if (in_.accept("STORED", "AS")) {
      made.provider = alias_name();
    } else if (in_.accept("OPTIONS")) {
      made.options = property_list();
    } else if (in_.accept("TBLPROPERTIES")) {
      made.properties = property_list();
    } else if (in_.accept("LOCATION")) {
      made.location = text_value();
    } else if (in_.accept("COMMENT")) {
      made.comment = text_value();
    } else if (in_.accept("PARTITIONED", "BY")) {
      in_.expect("(");
      do {
        if (in_.is("(", 1)) unsupported("PARTITIONED BY a transform", start);
        // Hive's form gives the column's type here.
        if (!in_.is(",", 1) && !in_.is(")", 1)) made.columns.push_back(column_definition());
        const bool typed = in_.is(",") || in_.is(")");
        made.partition_by.push_back(typed ? made.columns.back().field.name : alias_name());
      } while (in_.accept(","));
      in_.expect(")");
    } else if (in_.is_any("CLUSTERED", "CLUSTER", "ROW", "SKEWED")) {
      unsupported(fmt::format("CREATE TABLE … {}", in_.token().upper), start);
    } else {
      break;
    }
  }
  if (external && made.location.empty()) {
    in_.fail(Error("INVALID_SQL_SYNTAX.CREATE_EXTERNAL_TABLE_WITHOUT_LOCATION",
                   "CREATE EXTERNAL TABLE must be accompanied by LOCATION."),
             in_.since(start));
  }
  const bool as = in_.accept("AS");
  if (as || at_query(in_.position())) {
    made.query = query();
    mark_text(*made.query);
  }
  return made;
}

Statement Grammar::create_view(bool replace, int start) {
  CreateView made;
  made.replace = replace;
  made.if_not_exists = in_.accept("IF", "NOT", "EXISTS");
  made.name = table_name();
  if (in_.is("(")) made.columns = column_definitions();
  for (;;) {
    if (in_.accept("COMMENT")) {
      made.comment = text_value();
    } else if (in_.accept("TBLPROPERTIES")) {
      made.properties = property_list();
    } else if (in_.accept("WITH", "SCHEMA")) {
      in_.take();
    } else {
      break;
    }
  }
  in_.expect("AS");
  const int query_start = in_.start();
  made.query = query();
  made.text = text_since(query_start);
  made.query = located(renamed_columns(std::move(made.query), made.columns), start);
  mark_text(made.query);
  return made;
}

Statement Grammar::create_function(bool temporary, bool replace) {
  in_.take();
  CreateFunction made;
  made.temporary = temporary;
  made.replace = replace;
  made.if_not_exists = in_.accept("IF", "NOT", "EXISTS");
  const int start = in_.start();
  made.name = table_name();
  if (!in_.is("(")) unsupported("CREATE FUNCTION of a Java class", start);
  in_.take();
  if (!in_.accept(")")) {
    do {
      made.parameters.push_back(column_definition());
    } while (in_.accept(","));
    in_.expect(")");
  }
  if (in_.accept("RETURNS")) {
    const int type_start = in_.start();
    if (in_.accept("TABLE")) {
      made.table = true;
      const int schema_start = in_.start();
      if (in_.is("(")) {
        column_definitions();
        const auto text = text_since(schema_start);
        made.returns = text.substr(1, text.size() - 2);
      }
    } else {
      type();
      made.returns = text_since(type_start);
    }
  }
  for (;;) {
    if (in_.accept("COMMENT")) {
      made.comment = text_value();
    } else if (in_.accept("LANGUAGE", "PYTHON")) {
      made.python = true;
    } else if (in_.accept("HANDLER")) {
      made.handler = text_value();
    } else if (in_.accept("LANGUAGE", "SQL") || in_.accept("DETERMINISTIC") ||
               in_.accept("NOT", "DETERMINISTIC") || in_.accept("CONTAINS", "SQL") ||
               in_.accept("READS", "SQL", "DATA")) {
    } else if (in_.is("LANGUAGE")) {
      const int language = in_.start();
      in_.take();
      unsupported(fmt::format("functions in the language {}", in_.token().text), language);
    } else {
      break;
    }
  }
  if (made.python) {
    if (made.returns.empty()) in_.expect("RETURNS");
    in_.expect("AS");
    made.body = text_value();
    if (made.table && (made.handler.empty() || made.returns.empty()))
      unsupported("a table function in Python without a HANDLER or its columns", start);
    return made;
  }
  in_.expect("RETURN");
  const int body_start = in_.start();
  if (at_query(in_.position())) {
    query();
  } else {
    blocks_.emplace_back();
    expression();
    blocks_.pop_back();
  }
  made.body = text_since(body_start);
  return made;
}

Statement Grammar::drop() {
  using Kind = DropObject::Kind;
  const int start = in_.start();
  in_.take();
  DropObject made{.kind = Kind::kTable, .name = {}};
  made.temporary = in_.accept("TEMPORARY") || in_.accept("TEMP");
  static constexpr std::pair<std::string_view, Kind> kKinds[] = {
      {"DATABASE", Kind::kDatabase}, {"FUNCTION", Kind::kFunction}, {"NAMESPACE", Kind::kDatabase},
      {"SCHEMA", Kind::kDatabase},   {"TABLE", Kind::kTable},       {"VARIABLE", Kind::kVariable},
      {"VIEW", Kind::kView}};
  bool known = false;
  for (const auto& [word, kind] : kKinds) {
    if (!in_.is(word)) continue;
    made.kind = kind;
    known = true;
  }
  if (!known) unsupported("DROP " + std::string(in_.token().text), start);
  in_.take();
  made.if_exists = in_.accept("IF", "EXISTS");
  made.name = table_name();
  if (in_.accept("CASCADE")) made.cascade = true;
  in_.accept("RESTRICT") || in_.accept("PURGE");
  return made;
}

Statement Grammar::alter() {
  const int start = in_.start();
  in_.take();
  if (in_.is_any("DATABASE", "SCHEMA", "NAMESPACE")) {
    in_.take();
    AlterDatabase made{.name = table_name(), .properties = {}, .location = {}};
    in_.expect("SET");
    if (in_.accept("LOCATION")) {
      made.location = text_value();
    } else if (in_.accept("DBPROPERTIES") || in_.accept("PROPERTIES")) {
      made.properties = property_list();
    } else {
      in_.fail("DBPROPERTIES or LOCATION");
    }
    return made;
  }
  if (in_.accept("VIEW")) return alter_table(true, start);
  if (in_.accept("TABLE")) return alter_table(false, start);
  unsupported("ALTER " + std::string(in_.token().text), start);
}

Statement Grammar::alter_table(bool view, int start) {
  using Action = AlterTable::Action;
  AlterTable made{.name = table_name(), .view = view, .action = Action::kRename};
  if (view && (in_.is("AS") || at_query(in_.position()))) {
    in_.accept("AS");
    made.action = Action::kViewQuery;
    const int query_start = in_.start();
    made.query = query();
    made.text = text_since(query_start);
    mark_text(made.query);
    return made;
  }
  if (in_.is("PARTITION")) made.partitions.push_back(partition_spec());
  if (in_.accept("RENAME", "TO")) {
    if (in_.is("PARTITION")) {
      made.action = Action::kRenamePartition;
      made.partitions.push_back(partition_spec());
    } else {
      made.new_name = table_name();
    }
    return made;
  }
  if (in_.accept("RENAME", "COLUMN")) {
    made.action = Action::kRenameColumn;
    made.names = {table_name()};
    in_.expect("TO");
    made.new_name = alias_name();
    return made;
  }
  if (in_.accept("SET", "TBLPROPERTIES")) {
    made.action = Action::kSetProperties;
    made.properties = property_list();
    return made;
  }
  if (in_.accept("UNSET", "TBLPROPERTIES")) {
    made.action = Action::kUnsetProperties;
    made.if_exists = in_.accept("IF", "EXISTS");
    in_.expect("(");
    do {
      made.names.push_back(property_key());
    } while (in_.accept(","));
    in_.expect(")");
    return made;
  }
  if (in_.accept("SET", "LOCATION")) {
    made.action = Action::kSetLocation;
    made.location = text_value();
    return made;
  }
  if (in_.accept("RECOVER", "PARTITIONS")) {
    made.action = Action::kRecoverPartitions;
    return made;
  }
  if (in_.accept("ADD")) {
    made.if_exists = in_.accept("IF", "NOT", "EXISTS");
    if (in_.is("PARTITION")) {
      made.action = Action::kAddPartitions;
      while (in_.is("PARTITION")) {
        made.partitions.push_back(partition_spec());
        if (in_.accept("LOCATION")) unsupported("ADD PARTITION … LOCATION", start);
      }
      return made;
    }
    made.action = Action::kAddColumns;
    if (!in_.accept("COLUMNS")) in_.expect("COLUMN");
    if (in_.is("(")) {
      made.columns = column_definitions();
    } else {
      do {
        made.columns.push_back(column_definition());
      } while (in_.accept(","));
    }
    return made;
  }
  if (in_.accept("DROP")) {
    made.if_exists = in_.accept("IF", "EXISTS");
    if (in_.is("PARTITION")) {
      made.action = Action::kDropPartitions;
      do {
        made.partitions.push_back(partition_spec());
      } while (in_.accept(","));
      in_.accept("PURGE");
      return made;
    }
    made.action = Action::kDropColumns;
    if (!in_.accept("COLUMNS")) in_.expect("COLUMN");
    made.if_exists = in_.accept("IF", "EXISTS") || made.if_exists;
    const bool list = in_.accept("(");
    do {
      made.names.push_back(alias_name());
    } while (in_.accept(","));
    if (list) in_.expect(")");
    return made;
  }
  if (in_.accept("REPLACE", "COLUMNS")) {
    made.action = Action::kReplaceColumns;
    made.columns = column_definitions();
    return made;
  }
  if (in_.accept("ALTER") || in_.accept("CHANGE")) return alter_column(std::move(made));
  unsupported("ALTER TABLE … " + std::string(in_.token().text), start);
}

Statement Grammar::alter_column(AlterTable made) {
  using Action = AlterTable::Action;
  in_.accept("COLUMN");
  made.names = {alias_name()};
  if (in_.accept("TYPE")) {
    made.action = Action::kColumnType;
    ColumnDefinition column{.field = {made.names[0], {}}, .declared = {}};
    const int start = in_.start();
    column.field.type = type_from_proto(type());
    column.declared = text_since(start);
    made.columns = {column};
  } else if (in_.accept("COMMENT")) {
    made.action = Action::kColumnComment;
    made.text = text_value();
  } else if (in_.accept("SET", "DEFAULT")) {
    made.action = Action::kColumnDefault;
    made.text = expression_text();
  } else if (in_.accept("DROP", "DEFAULT")) {
    made.action = Action::kColumnDefault;
  } else if (in_.is_name()) {  // Hive's CHANGE a b INT COMMENT 'c'
    made.action = Action::kColumnComment;
    made.columns = {column_definition()};
    made.text = made.columns[0].comment;
  } else {
    in_.fail("TYPE, COMMENT, SET DEFAULT or DROP DEFAULT");
  }
  return made;
}

Statement Grammar::comment() {
  in_.take();
  in_.expect("ON");
  SetComment made;
  if (in_.is_any("DATABASE", "SCHEMA", "NAMESPACE")) {
    made.database = true;
    in_.take();
  } else {
    in_.expect("TABLE");
  }
  made.name = table_name();
  in_.expect("IS");
  if (!in_.accept("NULL")) made.comment = text_value();
  return made;
}

/// MSCK REPAIR TABLE t.
Statement Grammar::repair() {
  in_.accept("MSCK");
  in_.expect("REPAIR");
  in_.expect("TABLE");
  AlterTable made{.name = table_name(), .action = AlterTable::Action::kRecoverPartitions};
  in_.accept("ADD", "PARTITIONS") || in_.accept("SYNC", "PARTITIONS") ||
      in_.accept("DROP", "PARTITIONS");
  return made;
}

std::string Grammar::expression_text() {
  const int start = in_.start();
  blocks_.emplace_back();
  expression();
  blocks_.pop_back();
  return text_since(start);
}

/// name [:] type [NOT NULL] [DEFAULT value] [COMMENT 'text']; a view's columns have no type.
ColumnDefinition Grammar::column_definition() {
  ColumnDefinition made{.field = {alias_name(), {}}, .declared = {}};
  in_.accept(":");
  const bool typed = in_.is_name() && !in_.is("COMMENT");
  if (typed) {
    const int start = in_.start();
    made.field.type = type_from_proto(type());
    const auto text = text_since(start);
    if (in_.token_at(in_.position() - 1).text == ")") {
      std::string word;
      for (const char c : text) word += static_cast<char>(std::tolower(c));
      if (word.starts_with("char") || word.starts_with("varchar")) made.declared = word;
    }
  }
  for (;;) {
    if (in_.accept("NOT", "NULL")) {
      made.field.nullable = false;
    } else if (in_.accept("NULL")) {
    } else if (in_.accept("COMMENT")) {
      made.comment = text_value();
    } else if (in_.accept("DEFAULT")) {
      made.default_sql = expression_text();
    } else if (in_.is("GENERATED")) {
      unsupported("GENERATED columns", in_.start());
    } else {
      return made;
    }
  }
}

std::vector<ColumnDefinition> Grammar::column_definitions() {
  std::vector<ColumnDefinition> list;
  in_.expect("(");
  do {
    list.push_back(column_definition());
  } while (in_.accept(","));
  in_.expect(")");
  return list;
}

std::string Grammar::property_key() {
  if (in_.token().kind == TokenKind::kString) return text_value();
  std::string key = alias_name();
  while (in_.accept(".")) key += "." + alias_name();
  return key;
}

std::string Grammar::property_value() {
  if (in_.token().kind == TokenKind::kString) return text_value();
  const std::string sign = in_.accept("-") ? "-" : "";
  return sign + std::string(in_.take().text);
}

Properties Grammar::property_list() {
  Properties list;
  in_.expect("(");
  do {
    const auto key = property_key();
    in_.accept("=");
    list[key] = property_value();
  } while (in_.accept(","));
  in_.expect(")");
  return list;
}

PartitionSpec Grammar::partition_spec() {
  PartitionSpec spec;
  in_.expect("PARTITION");
  in_.expect("(");
  do {
    PartitionValue part{.column = alias_name(), .value = {}};
    if (in_.accept("=")) {
      part.given = true;
      const int start = in_.start();
      if (in_.token().kind == TokenKind::kString) {
        part.value = text_value();
      } else if (!in_.accept("NULL")) {
        if (in_.is_any("DATE", "TIMESTAMP") && in_.token(1).kind == TokenKind::kString) in_.take();
        part.value = in_.token().kind == TokenKind::kString ? text_value() : property_value();
        if (!in_.is(",") && !in_.is(")")) unsupported("PARTITION of an expression", start);
      }
    }
    spec.push_back(std::move(part));
  } while (in_.accept(","));
  in_.expect(")");
  return spec;
}

}  // namespace firesteel
