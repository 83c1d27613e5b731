// spark.catalog: its calls are relations, whose rows are found when they are asked for.
#include <fmt/format.h>

#include "engine/embedded.h"
#include "functions/coercion.h"
#include "functions/spec.h"
#include "plan/names.h"

namespace firesteel {

using enum TypeKind;

namespace {

/// Rows as SQL text, cell by cell.
class SqlRows {
 public:
  explicit SqlRows(Schema schema) : schema_(std::move(schema)) {}

  void add(const std::vector<std::string>& cells) {
    std::string row;
    for (size_t i = 0; i < cells.size(); ++i) {
      row += fmt::format("{}CAST({} AS {})", i ? ", " : "", cells[i], duckdb_type(schema_[i].type));
    }
    rows_ += fmt::format("{}({})", rows_.empty() ? "" : ", ", row);
  }

  LoweredPlan plan() && {
    std::string names, none;
    for (const auto& field : schema_) {
      names += (names.empty() ? "" : ", ") + sql_name(field.name);
      none += fmt::format("{}CAST(NULL AS {})", none.empty() ? "" : ", ", duckdb_type(field.type));
    }
    return {.sql = rows_.empty()
                       ? fmt::format("SELECT * FROM (SELECT {}) AS t({}) WHERE false", none, names)
                       : fmt::format("SELECT * FROM (VALUES {}) AS t({})", rows_, names),
            .schema = std::move(schema_)};
  }

 private:
  Schema schema_;
  std::string rows_;
};

Field text_field(const std::string& name, bool nullable = true) {
  return {name, make_type(kString), nullable};
}
Field flag_field(const std::string& name) { return {name, make_type(kBoolean), false}; }

std::string text_cell(const std::string& text) { return text.empty() ? "NULL" : sql_string(text); }
std::string flag_cell(bool flag) { return flag ? "true" : "false"; }

/// A database's name, with the catalog's before it or not.
std::string database_name(const std::string& text) {
  auto parts = split_name(text);
  if (parts.size() == 2 && lower_case(parts[0]) == "spark_catalog") parts.erase(parts.begin());
  return lower_case(parts.size() == 1 ? parts[0] : text);
}

const char* kind_text(TableKind kind) {
  switch (kind) {
    case TableKind::kManaged:
      return "MANAGED";
    case TableKind::kExternal:
      return "EXTERNAL";
    case TableKind::kView:
      return "VIEW";
  }
  return "";
}

}  // namespace

Scan EmbeddedExecutor::asked(const proto::Catalog& call) {
  const auto plan = catalog_call(call, false);
  Scan scan{.from = "(" + plan.sql + ")", .columns = {}};
  for (const auto& field : plan.schema) scan.columns.push_back({field, sql_name(field.name)});
  return scan;
}

LoweredPlan EmbeddedExecutor::catalog_call(const proto::Catalog& call, bool runs) {
  const auto catalog = warehouse();
  const auto one = [](DataType type, const std::string& cell) {
    SqlRows rows({{"value", std::move(type), false}});
    rows.add({cell});
    return std::move(rows).plan();
  };
  const auto flag = [&](bool value) { return one(make_type(kBoolean), flag_cell(value)); };
  const auto nothing = [] { return LoweredPlan{.sql = "SELECT NULL WHERE false", .schema = {}}; };
  const auto wanted = [](const auto& list, const std::string& name) {
    return !list.has_pattern() || fits_pattern(name, list.pattern());
  };
  const auto qualified = [](const auto& named, const std::string& name) {
    return named.has_db_name() && !named.db_name().empty() ? named.db_name() + "." + name : name;
  };
  const Schema table_schema = {text_field("name", false),
                               text_field("catalog"),
                               {"namespace", array_type(make_type(kString)), true},
                               text_field("description"),
                               text_field("tableType", false),
                               flag_field("isTemporary")};
  const auto add_table = [&](SqlRows& rows, const TableEntry& table) {
    rows.add({sql_string(table.name), "'spark_catalog'",
              fmt::format("[{}]", sql_string(table.database)), text_cell(table.comment),
              sql_string(kind_text(table.kind)), "false"});
  };
  const auto add_view = [&](SqlRows& rows, const std::string& name, const std::string& database) {
    rows.add({sql_string(name), "NULL",
              database.empty() ? "[]" : fmt::format("[{}]", sql_string(database)), "NULL",
              "'TEMPORARY'", "true"});
  };
  const auto add_views = [&](SqlRows& rows, const std::string& database, const auto& list) {
    for (const auto& name : views_.names()) {
      if (wanted(list, name)) add_view(rows, name, "");
    }
    if (database != kGlobalViews) return;
    for (const auto& key : global_views_->names()) {
      const auto name = key.substr(database.size() + 1);
      if (wanted(list, name)) add_view(rows, name, database);
    }
  };
  const auto is_view = [&](const std::string& name) {
    const auto key = temporary_key(split_name(name));
    return views(key).contains(key);
  };
  const auto is_table = [&](const std::string& name) {
    const auto [database, table] = table_name(name);
    return catalog.table(database, table).has_value();
  };
  const auto statement_rows = [&](const std::string& text) { return lowered(sql(text)); };
  switch (call.cat_type_case()) {
    case proto::Catalog::kCurrentDatabase:
      return one(make_type(kString), sql_string(current_database()));
    case proto::Catalog::kCurrentCatalog:
      return one(make_type(kString), "'spark_catalog'");
    case proto::Catalog::kSetCurrentDatabase:
      if (runs) run(Use{.name = call.set_current_database().db_name()});
      return nothing();
    case proto::Catalog::kSetCurrentCatalog:
      if (runs) run(Use{.name = call.set_current_catalog().catalog_name(), .catalog = true});
      return nothing();
    case proto::Catalog::kListCatalogs: {
      SqlRows rows({text_field("name", false), text_field("description")});
      if (wanted(call.list_catalogs(), "spark_catalog")) rows.add({"'spark_catalog'", "NULL"});
      return std::move(rows).plan();
    }
    case proto::Catalog::kListDatabases:
    case proto::Catalog::kGetDatabase: {
      SqlRows rows({text_field("name", false), text_field("catalog"), text_field("description"),
                    text_field("locationUri", false)});
      for (const auto& name : catalog.databases()) {
        if (call.has_list_databases() ? !wanted(call.list_databases(), name)
                                      : name != database_name(call.get_database().db_name()))
          continue;
        const auto entry = database_entry(name);
        rows.add({sql_string(name), "'spark_catalog'", text_cell(entry.comment),
                  sql_string("file:" + entry.location)});
      }
      if (call.has_get_database()) database_entry(database_name(call.get_database().db_name()));
      return std::move(rows).plan();
    }
    case proto::Catalog::kDatabaseExists:
      return flag(catalog.database(database_name(call.database_exists().db_name())).has_value());
    case proto::Catalog::kListTables: {
      const auto& list = call.list_tables();
      const auto database = list.has_db_name() ? lower_case(list.db_name()) : current_database();
      if (database != kGlobalViews) database_entry(database);
      SqlRows rows(table_schema);
      for (const auto& name : catalog.tables(database)) {
        const auto table = catalog.table(database, name);
        if (table && wanted(list, name)) add_table(rows, *table);
      }
      add_views(rows, database, list);
      return std::move(rows).plan();
    }
    case proto::Catalog::kGetTable: {
      const auto name = qualified(call.get_table(), call.get_table().table_name());
      SqlRows rows(table_schema);
      if (is_view(name)) {
        const auto parts = split_name(name);
        add_view(rows, parts.back(), parts.size() > 1 ? lower_case(parts[0]) : "");
      } else {
        add_table(rows, table_entry(name));
      }
      return std::move(rows).plan();
    }
    case proto::Catalog::kTableExists: {
      const auto name = qualified(call.table_exists(), call.table_exists().table_name());
      return flag(is_view(name) || is_table(name));
    }
    case proto::Catalog::kListColumns: {
      const auto name = qualified(call.list_columns(), call.list_columns().table_name());
      SqlRows rows({text_field("name", false), text_field("description"),
                    text_field("dataType", false), flag_field("nullable"),
                    flag_field("isPartition"), flag_field("isBucket"), flag_field("isCluster")});
      if (is_view(name)) {
        proto::Relation view;
        view.mutable_read()->mutable_named_table()->set_unparsed_identifier(name);
        for (const auto& field : lowered(view).schema) {
          rows.add({sql_string(field.name), "NULL", sql_string(field.type.simple_string()),
                    flag_cell(field.nullable), "false", "false", "false"});
        }
        return std::move(rows).plan();
      }
      const auto table = table_entry(name);
      for (const auto& column : table.columns) {
        const bool partition = std::find(table.partition_by.begin(), table.partition_by.end(),
                                         column.field.name) != table.partition_by.end();
        rows.add({sql_string(column.field.name), text_cell(column.comment),
                  sql_string(column.declared.empty() ? column.field.type.simple_string()
                                                     : column.declared),
                  flag_cell(column.field.nullable), flag_cell(partition), "false", "false"});
      }
      return std::move(rows).plan();
    }
    case proto::Catalog::kListFunctions:
    case proto::Catalog::kGetFunction: {
      SqlRows rows({text_field("name", false),
                    text_field("catalog"),
                    {"namespace", array_type(make_type(kString)), true},
                    text_field("description"),
                    text_field("className", false),
                    flag_field("isTemporary")});
      const auto chosen = [&](const std::string& name) {
        return call.has_list_functions()
                   ? wanted(call.list_functions(), name)
                   : name == lower_case(split_name(call.get_function().function_name()).back());
      };
      bool found = false;
      for (const auto& name : function_names()) {
        if (!chosen(name)) continue;
        found = true;
        rows.add({sql_string(name), "NULL", "NULL",
                  text_cell(std::string(find_function(name)[0]->doc)), "'firesteel'", "true"});
      }
      const auto database = current_database();
      for (const auto& name : catalog.functions(database)) {
        if (!chosen(name)) continue;
        found = true;
        rows.add({sql_string(name), "'spark_catalog'", fmt::format("[{}]", sql_string(database)),
                  text_cell(catalog.function(database, name)->function.comment), "'sql'", "false"});
      }
      if (!found && call.has_get_function()) {
        throw Error("UNRESOLVED_ROUTINE",
                    fmt::format("Cannot resolve routine `{}` on search path [`system`.`builtin`, "
                                "`system`.`session`, `spark_catalog`.`default`].",
                                call.get_function().function_name()));
      }
      return std::move(rows).plan();
    }
    case proto::Catalog::kFunctionExists: {
      const auto name = qualified(call.function_exists(), call.function_exists().function_name());
      return flag(!find_function(name).empty() || python_function(split_name(name)) ||
                  python_table_function(split_name(name)) ||
                  routine(split_name(name), {.database = current_database()}).has_value());
    }
    case proto::Catalog::kDropTempView:
    case proto::Catalog::kDropGlobalTempView: {
      const auto name = call.has_drop_temp_view()
                            ? call.drop_temp_view().view_name()
                            : "global_temp." + call.drop_global_temp_view().view_name();
      const auto key = temporary_key(split_name(name));
      return flag(runs && views(key).erase(key));
    }
    case proto::Catalog::kIsCached: {
      const auto& name = call.is_cached().table_name();
      const auto [database, table] = table_name(name);
      if (!relation(split_name(name), {.database = current_database()})) table_entry(name);
      std::lock_guard lock(mutex_);
      return flag(cached_.contains(temporary_key(split_name(name))) ||
                  cached_.contains(database + "." + table));
    }
    case proto::Catalog::kCacheTable:
      if (runs)
        run(Cache{.action = Cache::Action::kCache, .table = call.cache_table().table_name()});
      return nothing();
    case proto::Catalog::kUncacheTable:
      if (runs)
        run(Cache{.action = Cache::Action::kUncache, .table = call.uncache_table().table_name()});
      return nothing();
    case proto::Catalog::kClearCache:
      if (runs) run(Cache{.action = Cache::Action::kClear, .table = {}});
      return nothing();
    case proto::Catalog::kRefreshTable:
      if (runs)
        run(Cache{.action = Cache::Action::kRefresh, .table = call.refresh_table().table_name()});
      return nothing();
    case proto::Catalog::kRefreshByPath:
    case proto::Catalog::kRecoverPartitions:  // folders are looked at each time
      return nothing();
    case proto::Catalog::kCreateTable:
    case proto::Catalog::kCreateExternalTable: {
      const bool plain = call.has_create_table();
      CreateTable statement;
      const auto fill = [&](const auto& create) {
        statement.name = create.table_name();
        statement.provider = create.source();
        statement.location = create.path();
        statement.options = {create.options().begin(), create.options().end()};
        if (!create.has_schema()) return;
        const auto schema = type_from_proto(create.schema());
        for (const auto& field : *schema.fields)
          statement.columns.push_back({.field = field, .declared = {}});
      };
      if (plain) {
        fill(call.create_table());
        statement.comment = call.create_table().description();
      } else {
        fill(call.create_external_table());
      }
      if (!runs) {
        Schema schema;
        for (const auto& column : statement.columns) schema.push_back(column.field);
        return SqlRows(schema).plan();
      }
      run(statement);
      proto::Relation table;
      table.mutable_read()->mutable_named_table()->set_unparsed_identifier(statement.name);
      return lowered(table);
    }
    case proto::Catalog::kDropTable:
      if (runs) {
        run(DropObject{.kind = DropObject::Kind::kTable,
                       .name = call.drop_table().table_name(),
                       .if_exists = call.drop_table().if_exists()});
      }
      return nothing();
    case proto::Catalog::kDropView:
      if (runs) {
        run(DropObject{.kind = DropObject::Kind::kView,
                       .name = call.drop_view().view_name(),
                       .if_exists = call.drop_view().if_exists()});
      }
      return nothing();
    case proto::Catalog::kCreateDatabase: {
      const auto& create = call.create_database();
      CreateDatabase statement{.name = create.db_name(), .if_not_exists = create.if_not_exists()};
      for (const auto& [key, value] : create.properties()) {
        if (key == "comment") {
          statement.comment = value;
        } else if (key == "location") {
          statement.location = value;
        } else {
          statement.properties[key] = value;
        }
      }
      if (runs) run(statement);
      return nothing();
    }
    case proto::Catalog::kDropDatabase:
      if (runs) {
        run(DropObject{.kind = DropObject::Kind::kDatabase,
                       .name = call.drop_database().db_name(),
                       .if_exists = call.drop_database().if_exists(),
                       .cascade = call.drop_database().cascade()});
      }
      return nothing();
    case proto::Catalog::kListPartitions:
      return statement_rows("SHOW PARTITIONS " + call.list_partitions().table_name());
    case proto::Catalog::kGetTableProperties:
      return statement_rows("SHOW TBLPROPERTIES " + call.get_table_properties().table_name());
    case proto::Catalog::kGetCreateTableString:
      return statement_rows("SHOW CREATE TABLE " + call.get_create_table_string().table_name());
    case proto::Catalog::kTruncateTable:
      if (runs) sql("TRUNCATE TABLE " + call.truncate_table().table_name());
      return nothing();
    case proto::Catalog::kAnalyzeTable:
      if (runs) {
        sql(fmt::format("ANALYZE TABLE {} COMPUTE STATISTICS{}", call.analyze_table().table_name(),
                        call.analyze_table().no_scan() ? " NOSCAN" : ""));
      }
      return nothing();
    case proto::Catalog::kListViews: {
      const auto& list = call.list_views();
      const auto database = list.has_db_name() ? lower_case(list.db_name()) : current_database();
      if (database != kGlobalViews) database_entry(database);
      SqlRows rows(table_schema);
      for (const auto& name : catalog.tables(database)) {
        const auto table = catalog.table(database, name);
        if (table && table->kind == TableKind::kView && wanted(list, name)) add_table(rows, *table);
      }
      add_views(rows, database, list);
      return std::move(rows).plan();
    }
    default: {
      const auto* field = call.GetDescriptor()->FindFieldByNumber(call.cat_type_case());
      throw Error(
          "UNSUPPORTED_FEATURE.CATALOG",
          fmt::format("The catalog call `{}` is not supported.", field ? field->name() : "(none)"));
    }
  }
}

}  // namespace firesteel
