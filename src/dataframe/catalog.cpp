// spark.catalog as calls of the protocol: what asks is a relation whose rows are collected, what
// acts is one that is run.
#include "dataframe/catalog.h"

#include <spark/connect/base.pb.h>

#include <algorithm>

#include "dataframe/derive.h"

namespace firesteel {

namespace proto = spark::connect;

std::vector<Row> Catalog::rows(const proto::Catalog& call) const {
  proto::Relation relation;
  *relation.mutable_catalog() = call;
  return DataFrame(executor_, shared(std::move(relation))).collect();
}

void Catalog::act(const proto::Catalog& call) const {
  proto::Relation relation;
  *relation.mutable_catalog() = call;
  auto stream = executor_->execute(*shared(std::move(relation)));
  while (stream.next()) {
  }
}

std::string Catalog::currentCatalog() const {
  proto::Catalog call;
  call.mutable_current_catalog();
  return rows(call).at(0).at(0).text;
}

std::string Catalog::currentDatabase() const {
  proto::Catalog call;
  call.mutable_current_database();
  return rows(call).at(0).at(0).text;
}

void Catalog::setCurrentDatabase(const std::string& name) const {
  proto::Catalog call;
  call.mutable_set_current_database()->set_db_name(name);
  act(call);
}

std::vector<DatabaseInfo> Catalog::listDatabases(const std::string& pattern) const {
  proto::Catalog call;
  call.mutable_list_databases();
  if (!pattern.empty()) call.mutable_list_databases()->set_pattern(pattern);
  std::vector<DatabaseInfo> found;
  for (const auto& row : rows(call))
    found.push_back({row[0].text, row[1].text, row[2].text, row[3].text});
  return found;
}

bool Catalog::databaseExists(const std::string& name) const {
  proto::Catalog call;
  call.mutable_database_exists()->set_db_name(name);
  return rows(call).at(0).at(0).text == "true";
}

namespace {

TableInfo table_info(const Row& row) {
  auto database = row[2].text;  // "[default]"
  if (database.size() > 1) database = database.substr(1, database.size() - 2);
  return {row[0].text, row[1].text, database, row[3].text, row[4].text, row[5].text == "true"};
}

}  // namespace

std::vector<TableInfo> Catalog::listTables(const std::string& database,
                                           const std::string& pattern) const {
  proto::Catalog call;
  call.mutable_list_tables();
  if (!database.empty()) call.mutable_list_tables()->set_db_name(database);
  if (!pattern.empty()) call.mutable_list_tables()->set_pattern(pattern);
  std::vector<TableInfo> found;
  for (const auto& row : rows(call)) found.push_back(table_info(row));
  return found;
}

TableInfo Catalog::getTable(const std::string& name) const {
  proto::Catalog call;
  call.mutable_get_table()->set_table_name(name);
  return table_info(rows(call).at(0));
}

bool Catalog::tableExists(const std::string& name) const {
  proto::Catalog call;
  call.mutable_table_exists()->set_table_name(name);
  return rows(call).at(0).at(0).text == "true";
}

std::vector<ColumnInfo> Catalog::listColumns(const std::string& table) const {
  proto::Catalog call;
  call.mutable_list_columns()->set_table_name(table);
  std::vector<ColumnInfo> found;
  for (const auto& row : rows(call)) {
    found.push_back(
        {row[0].text, row[1].text, row[2].text, row[3].text == "true", row[4].text == "true"});
  }
  return found;
}

std::vector<FunctionInfo> Catalog::listFunctions(const std::string& pattern) const {
  proto::Catalog call;
  call.mutable_list_functions();
  if (!pattern.empty()) call.mutable_list_functions()->set_pattern(pattern);
  std::vector<FunctionInfo> found;
  for (const auto& row : rows(call))
    found.push_back({row[0].text, row[1].text, row[3].text, row[5].text == "true"});
  return found;
}

bool Catalog::functionExists(const std::string& name) const {
  proto::Catalog call;
  call.mutable_function_exists()->set_function_name(name);
  return rows(call).at(0).at(0).text == "true";
}

DataFrame Catalog::createTable(const std::string& name, const std::string& path,
                               const std::string& source, const Schema& schema) const {
  proto::Catalog call;
  auto* create = call.mutable_create_table();
  create->set_table_name(name);
  if (!path.empty()) create->set_path(path);
  if (!source.empty()) create->set_source(source);
  if (!schema.empty()) type_to_proto(struct_type(schema), create->mutable_schema());
  act(call);
  proto::Relation relation;
  relation.mutable_read()->mutable_named_table()->set_unparsed_identifier(name);
  return DataFrame(executor_, shared(std::move(relation)));
}

bool Catalog::dropTempView(const std::string& name) const {
  proto::Catalog call;
  call.mutable_drop_temp_view()->set_view_name(name);
  const auto views = listTables("", name);
  const bool there = std::any_of(views.begin(), views.end(),
                                 [](const TableInfo& table) { return table.isTemporary; });
  act(call);
  return there;
}

bool Catalog::dropGlobalTempView(const std::string& name) const {
  proto::Catalog call;
  call.mutable_drop_global_temp_view()->set_view_name(name);
  const bool there = tableExists("global_temp." + name);
  act(call);
  return there;
}

bool Catalog::isCached(const std::string& table) const {
  proto::Catalog call;
  call.mutable_is_cached()->set_table_name(table);
  return rows(call).at(0).at(0).text == "true";
}

void Catalog::cacheTable(const std::string& table) const {
  proto::Catalog call;
  call.mutable_cache_table()->set_table_name(table);
  act(call);
}

void Catalog::uncacheTable(const std::string& table) const {
  proto::Catalog call;
  call.mutable_uncache_table()->set_table_name(table);
  act(call);
}

void Catalog::clearCache() const {
  proto::Catalog call;
  call.mutable_clear_cache();
  act(call);
}

void Catalog::refreshTable(const std::string& table) const {
  proto::Catalog call;
  call.mutable_refresh_table()->set_table_name(table);
  act(call);
}

}  // namespace firesteel
