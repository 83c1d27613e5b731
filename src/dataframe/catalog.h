// spark.catalog: what databases, tables, columns and functions there are.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataframe/dataframe.h"

namespace spark::connect {
class Catalog;
}

namespace firesteel {

struct DatabaseInfo {
  std::string name, catalog, description, locationUri;
};
struct TableInfo {
  std::string name, catalog, database, description;
  std::string tableType;  // MANAGED, EXTERNAL, VIEW or TEMPORARY
  bool isTemporary = false;
};
struct ColumnInfo {
  std::string name, description, dataType;
  bool nullable = true, isPartition = false;
};
struct FunctionInfo {
  std::string name, catalog, description;
  bool isTemporary = false;
};

/// PySpark's `spark.catalog`. Names may be of one part, in the current database, or `db.name`;
/// patterns are those of SHOW, none means all. A cheap value.
class Catalog {
 public:
  explicit Catalog(std::shared_ptr<Executor> executor) : executor_(std::move(executor)) {}

  std::string currentCatalog() const;
  std::string currentDatabase() const;
  void setCurrentDatabase(const std::string& name) const;
  std::vector<DatabaseInfo> listDatabases(const std::string& pattern = "") const;
  bool databaseExists(const std::string& name) const;
  std::vector<TableInfo> listTables(const std::string& database = "",
                                    const std::string& pattern = "") const;
  TableInfo getTable(const std::string& name) const;
  bool tableExists(const std::string& name) const;
  std::vector<ColumnInfo> listColumns(const std::string& table) const;
  std::vector<FunctionInfo> listFunctions(const std::string& pattern = "") const;
  bool functionExists(const std::string& name) const;
  DataFrame createTable(const std::string& name, const std::string& path = "",
                        const std::string& source = "", const Schema& schema = {}) const;
  bool dropTempView(const std::string& name) const;
  bool dropGlobalTempView(const std::string& name) const;
  bool isCached(const std::string& table) const;
  void cacheTable(const std::string& table) const;
  void uncacheTable(const std::string& table) const;
  void clearCache() const;
  void refreshTable(const std::string& table) const;

 private:
  void act(const spark::connect::Catalog& call) const;
  std::vector<Row> rows(const spark::connect::Catalog& call) const;

  std::shared_ptr<Executor> executor_;
};

}  // namespace firesteel
