// The persistent catalog: databases, tables, views and functions, each a small file below
// `<warehouse>/.firesteel`, written aside and renamed, so that processes share it and a crash
// leaves each object old or new. Names are kept in small letters, as Spark's catalog does.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/commit.h"
#include "sql/statement.h"

namespace firesteel {

struct DatabaseEntry {
  std::string name, comment, location;
  Properties properties = {};
};

enum class TableKind { kManaged, kExternal, kView };

struct TableEntry {
  std::string database, name;
  TableKind kind = TableKind::kManaged;
  std::string provider, location, comment;
  std::vector<ColumnDefinition> columns;  // those of the partitions last
  std::vector<std::string> partition_by;
  Properties options = {}, properties = {};
  std::string view_text = {}, view_database = {};
  int64_t created = 0;  // seconds since 1970

  Schema schema() const;
  /// "`spark_catalog`.`db`.`t`", as messages name it.
  std::string full_name() const;
  bool operator==(const TableEntry&) const = default;
};

struct FunctionEntry {
  std::string database, name;
  CreateFunction function;
};

/// That there is a table or view of the name already.
Error table_exists(const std::string& database, const std::string& name);

/// Thread-safe: it holds nothing but a path. Throws SCHEMA_NOT_FOUND, TABLE_OR_VIEW_ALREADY_EXISTS
/// …, IO_ERROR.
class Warehouse {
 public:
  explicit Warehouse(std::filesystem::path folder) : folder_(std::move(folder)) {}

  const std::filesystem::path& folder() const { return folder_; }

  std::vector<std::string> databases() const;
  std::optional<DatabaseEntry> database(const std::string& name) const;
  void save(const DatabaseEntry& database) const;
  /// With all in it.
  void drop_database(const std::string& name) const;

  std::vector<std::string> tables(const std::string& database) const;
  std::optional<TableEntry> table(const std::string& database, const std::string& name) const;
  /// Throws TABLE_OR_VIEW_ALREADY_EXISTS unless it may replace one.
  void save(const TableEntry& table, bool replace) const;
  void drop_table(const std::string& database, const std::string& name) const;
  /// Held by who changes a table's rows: shared to add some, exclusive to change what was read.
  PathLock lock_rows(const std::string& database, const std::string& name,
                     PathLock::Kind kind) const;

  std::vector<std::string> functions(const std::string& database) const;
  std::optional<FunctionEntry> function(const std::string& database, const std::string& name) const;
  void save(const FunctionEntry& function) const;
  void drop_function(const std::string& database, const std::string& name) const;

 private:
  std::filesystem::path file(const std::string& database, const std::string& kind,
                             const std::string& name) const;
  std::vector<std::string> names(const std::string& database, const std::string& kind) const;

  std::filesystem::path folder_;
};

}  // namespace firesteel
