// SQL's statements about the session and the catalog.
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "engine/commit.h"
#include "engine/embedded.h"
#include "functions/coercion.h"
#include "functions/spec.h"
#include "plan/names.h"

namespace firesteel {

namespace fs = std::filesystem;
using enum TypeKind;

namespace {

constexpr const char* kRows = "spark.sql.statistics.numRows";
constexpr const char* kBytes = "spark.sql.statistics.totalSize";

std::string type_text(const ColumnDefinition& column) {
  return column.declared.empty() ? column.field.type.simple_string() : column.declared;
}

bool is_hidden(const std::string& property) { return property == kRows || property == kBytes; }

/// year=2024/region=a b%2Fc: only what paths cannot hold is escaped.
std::string partition_text(const std::string& path) {
  std::string out;
  for (const auto& [name, value] : partition_values(path + "/x")) {
    out += fmt::format("{}{}=", out.empty() ? "" : "/", name);
    for (const char c : value.value_or("__HIVE_DEFAULT_PARTITION__")) {
      const bool escaped = static_cast<unsigned char>(c) < ' ' || c == 0x7F ||
                           std::string_view("\"#%'*/:=?\\{[]^").find(c) != std::string_view::npos;
      out += escaped ? fmt::format("%{:02X}", c) : std::string(1, c);
    }
  }
  return out;
}

using Partition = std::vector<std::pair<std::string, std::optional<std::string>>>;

bool fits(const Partition& values, const PartitionSpec& spec) {
  return std::all_of(spec.begin(), spec.end(), [&](const PartitionValue& part) {
    return !part.given || std::any_of(values.begin(), values.end(), [&](const auto& value) {
      return equal_ignoring_case(value.first, part.column) && value.second == part.value;
    });
  });
}

/// The folders of partitions below a table's, with or without files.
std::vector<std::string> partitions(const TableEntry& table) {
  std::vector<std::string> out;
  std::error_code absent;
  for (auto entry = fs::recursive_directory_iterator(table.location, absent);
       entry != fs::recursive_directory_iterator(); entry.increment(absent)) {
    const auto name = entry->path().filename().string();
    const auto path = fs::relative(entry->path(), table.location).string();
    if (!entry->is_directory()) continue;
    if (name.find('=') == std::string::npos) {
      entry.disable_recursion_pending();
    } else if (partition_values(path + "/x").size() == table.partition_by.size()) {
      out.push_back(path);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string partition_path(const TableEntry& table, const PartitionSpec& spec) {
  std::string path;
  for (const auto& column : table.partition_by) {
    const auto part = std::find_if(spec.begin(), spec.end(), [&](const PartitionValue& value) {
      return equal_ignoring_case(value.column, column);
    });
    if (part == spec.end() || !part->given) {
      throw Error("INVALID_PARTITION_OPERATION.PARTITION_SPEC_MISMATCH",
                  fmt::format("The partition must give a value of `{}`.", column));
    }
    path += fmt::format("{}{}={}", path.empty() ? "" : "/", column,
                        part->value.value_or("__HIVE_DEFAULT_PARTITION__"));
  }
  return path;
}

[[noreturn]] void unsupported_operation(const TableEntry& table, std::string_view operation) {
  throw Error(
      "UNSUPPORTED_FEATURE.TABLE_OPERATION",
      fmt::format("The feature is not supported: Table {} does not support {}. Please check "
                  "the current catalog and namespace to make sure the qualified table name "
                  "is expected, and also check the catalog implementation which is "
                  "configured by \"spark.sql.catalog\".",
                  table.full_name(), operation));
}

void check_column_free(const TableEntry& table, const std::string& name) {
  for (const auto& column : table.columns) {
    if (!equal_ignoring_case(column.field.name, name)) continue;
    throw Error("COLUMN_ALREADY_EXISTS",
                fmt::format("The column `{}` already exists. Choose another name or rename the "
                            "existing column.",
                            lower_case(name)));
  }
}

/// A quoted property or option: 'a' = 'b'.
std::string property_lines(const Properties& properties) {
  std::string out;
  for (const auto& [key, value] : properties) {
    if (is_hidden(key)) continue;
    out += fmt::format("{}  '{}' = '{}'", out.empty() ? "" : ",\n", key, value);
  }
  return out;
}

std::string property_pairs(const Properties& properties) {
  std::string out;
  for (const auto& [key, value] : properties) {
    if (is_hidden(key)) continue;
    out += fmt::format("{}{}={}", out.empty() ? "" : ", ", key, value);
  }
  return "[" + out + "]";
}

}  // namespace

bool fits_pattern(std::string_view name, std::string_view pattern) {
  for (size_t bar = pattern.find('|'); bar != std::string_view::npos; bar = pattern.find('|')) {
    if (fits_pattern(name, pattern.substr(0, bar))) return true;
    pattern.remove_prefix(bar + 1);
  }
  while (!pattern.empty() && pattern.front() == ' ') pattern.remove_prefix(1);
  while (!pattern.empty() && pattern.back() == ' ') pattern.remove_suffix(1);
  if (pattern.empty()) return name.empty();
  if (pattern.front() == '*') {
    for (size_t i = 0; i <= name.size(); ++i) {
      if (pattern.size() == 1 || fits_pattern(name.substr(i), pattern.substr(1))) return true;
    }
    return false;
  }
  return !name.empty() &&
         std::tolower(static_cast<unsigned char>(name[0])) ==
             std::tolower(static_cast<unsigned char>(pattern[0])) &&
         (pattern.size() == 1 ? name.size() == 1 : fits_pattern(name.substr(1), pattern.substr(1)));
}

proto::Relation EmbeddedExecutor::run(const proto::Plan& plan) {
  if (plan.has_root()) {
    lowered(plan.root());
    return plan.root();
  }
  run(plan.command());
  return no_rows();
}

proto::Relation EmbeddedExecutor::run(const CreateDatabase& statement) {
  const auto name = lower_case(split_name(statement.name).back());
  check_new_name(name);
  const auto catalog = warehouse();
  if (catalog.database(name)) {
    if (statement.if_not_exists) return no_rows();
    throw Error(
        "SCHEMA_ALREADY_EXISTS",
        fmt::format("Cannot create schema `{}` because it already exists. Choose a different "
                    "name, drop the existing schema, or add the IF NOT EXISTS clause to "
                    "tolerate pre-existing schema.",
                    name));
  }
  DatabaseEntry entry{.name = name,
                      .comment = statement.comment,
                      .location = statement.location,
                      .properties = statement.properties};
  if (entry.location.empty())
    entry.location = (fs::absolute(catalog.folder()) / (name + ".db")).lexically_normal().string();
  catalog.save(entry);
  return no_rows();
}

proto::Relation EmbeddedExecutor::run(const AlterDatabase& statement) {
  auto entry = database_entry(lower_case(split_name(statement.name).back()));
  for (const auto& [key, value] : statement.properties) entry.properties[key] = value;
  if (!statement.location.empty()) entry.location = statement.location;
  warehouse().save(entry);
  return no_rows();
}

proto::Relation EmbeddedExecutor::run(const SetComment& statement) {
  if (statement.database) {
    auto entry = database_entry(lower_case(split_name(statement.name).back()));
    entry.comment = statement.comment;
    warehouse().save(entry);
  } else {
    auto entry = table_entry(statement.name);
    entry.comment = statement.comment;
    warehouse().save(entry, true);
  }
  return no_rows();
}

proto::Relation EmbeddedExecutor::run(const CreateTable& statement) {
  auto table = new_table(statement);
  const auto catalog = warehouse();
  const auto existing = catalog.table(table.database, table.name);
  if (existing && statement.if_not_exists) return no_rows();
  if (statement.replace)
    unsupported_operation(table,
                          statement.must_exist ? "REPLACE TABLE" : "CREATE OR REPLACE TABLE");
  if (existing) catalog.save(table, false);  // throws
  if (!statement.like.empty()) {
    const auto like = table_entry(statement.like);
    table.columns = like.columns;
    table.partition_by = like.partition_by;
    if (statement.provider.empty() && like.kind != TableKind::kView) table.provider = like.provider;
    table.options = like.options;
  }
  if (statement.query) {
    if (!statement.columns.empty()) {
      throw Error("INVALID_SQL_SYNTAX.CREATE_TABLE_AS_WITH_SCHEMA",
                  "Schema may not be specified in a Create Table As Select (CTAS) statement.");
    }
    create_table_as(std::move(table), *statement.query, false);
    return no_rows();
  }
  if (table.columns.empty()) {  // the files say what they hold
    std::error_code absent;
    if (table.kind == TableKind::kExternal && fs::is_directory(table.location, absent) &&
        !folder_files(table.location).empty()) {
      auto request = request_for(table.provider, table.options);
      request.paths = {table.location};
      for (const auto& column : scanned(request).columns)
        table.columns.push_back({.field = column.field, .declared = {}});
      for (const auto& [name, value] :
           partition_values(fs::relative(folder_files(table.location)[0], table.location).string()))
        table.partition_by.push_back(name);
    }
  }
  catalog.save(table, false);
  return no_rows();
}

proto::Relation EmbeddedExecutor::run(const CreateView& statement) {
  const auto [database, name] = table_name(statement.name);
  check_new_name(name);
  database_entry(database);
  const auto existing = warehouse().table(database, name);
  if (existing && statement.if_not_exists) return no_rows();
  if (existing && existing->kind != TableKind::kView) {
    throw Error("EXPECT_VIEW_NOT_TABLE.NO_ALTERNATIVE",
                fmt::format("'CREATE OR REPLACE VIEW' expects a view but {} is a table.",
                            existing->full_name()));
  }
  TableEntry view{.database = database,
                  .name = name,
                  .kind = TableKind::kView,
                  .provider = {},
                  .location = {},
                  .comment = statement.comment,
                  .columns = {},
                  .partition_by = {},
                  .properties = statement.properties,
                  .view_text = statement.text,
                  .view_database = current_database(),
                  .created = std::time(nullptr)};
  auto settings = this->settings();
  const auto rows = lower(statement.query, *this, settings);
  for (size_t i = 0; i < rows.schema.size(); ++i) {
    ColumnDefinition column{.field = rows.schema[i], .declared = {}};
    if (i < statement.columns.size()) column.comment = statement.columns[i].comment;
    view.columns.push_back(std::move(column));
  }
  // What it names must outlive the session.
  settings.temporary = false;
  try {
    lower(statement.query, *this, settings);
  } catch (const Error& error) {
    if (error.condition() != "TABLE_OR_VIEW_NOT_FOUND" && error.condition() != "UNRESOLVED_ROUTINE")
      throw;
    throw Error(
        "INVALID_TEMP_OBJ_REFERENCE",
        fmt::format("Cannot create the persistent object {} of the type VIEW because it "
                    "references a temporary object. Make the temporary object persistent, or "
                    "make the view temporary. ({})",
                    view.full_name(), error.message()))
        .at(error.span());
  }
  warehouse().save(view, statement.replace);
  return no_rows();
}

proto::Relation EmbeddedExecutor::run(const CreateFunction& statement) {
  const auto parts = split_name(statement.name);
  const auto already = [&] {
    throw Error(
        "ROUTINE_ALREADY_EXISTS",
        fmt::format("Cannot create the function {} because a function of that name already "
                    "exists. Choose a different name, drop or replace the existing routine, "
                    "or add the IF NOT EXISTS clause to tolerate a pre-existing one.",
                    quoted(parts)));
  };
  if (statement.temporary) {
    std::lock_guard lock(mutex_);
    auto& kept = functions_[lower_case(parts.back())];
    if (!kept.name.empty() && !statement.replace) already();
    kept = statement;
    return no_rows();
  }
  const auto [database, name] = table_name(statement.name);
  database_entry(database);
  if (warehouse().function(database, name) && !statement.replace) {
    if (statement.if_not_exists) return no_rows();
    already();
  }
  warehouse().save({.database = database, .name = name, .function = statement});
  return no_rows();
}

void EmbeddedExecutor::drop_table(const TableEntry& table) {
  // From here on the folder may go, whoever finds it.
  std::error_code ignored;
  if (table.kind == TableKind::kManaged && fs::is_directory(table.location, ignored))
    mark_orphan(table.location);
  warehouse().drop_table(table.database, table.name);
  if (table.kind == TableKind::kManaged) fs::remove_all(table.location, ignored);
  std::lock_guard lock(mutex_);
  cached_.erase(table.database + "." + table.name);
}

proto::Relation EmbeddedExecutor::run(const DropObject& statement) {
  using Kind = DropObject::Kind;
  const auto parts = split_name(statement.name);
  const auto catalog = warehouse();
  switch (statement.kind) {
    case Kind::kDatabase: {
      const auto name = lower_case(parts.back());
      if (!catalog.database(name) && statement.if_exists) return no_rows();
      const auto entry = database_entry(name);
      if (name == "default") {
        throw Error("UNSUPPORTED_FEATURE.DROP_DATABASE",
                    "The feature is not supported: Drop the default database `default`.");
      }
      const bool empty = catalog.tables(name).empty() && catalog.functions(name).empty();
      if (!empty && !statement.cascade) {
        throw Error("SCHEMA_NOT_EMPTY",
                    fmt::format("Cannot drop a schema `{}` because it contains objects. Use DROP "
                                "SCHEMA ... CASCADE to drop the schema and all its objects.",
                                name));
      }
      for (const auto& table : catalog.tables(name)) drop_table(*catalog.table(name, table));
      catalog.drop_database(name);
      std::error_code ignored;
      if (fs::is_empty(entry.location, ignored)) fs::remove(entry.location, ignored);
      std::lock_guard lock(mutex_);
      if (current_database_ == name) current_database_ = "default";
      return no_rows();
    }
    case Kind::kVariable: {
      std::lock_guard lock(mutex_);
      if (variables_.erase(lower_case(parts.back())) == 0 && !statement.if_exists) {
        throw Error("VARIABLE_NOT_FOUND",
                    fmt::format("The variable {} cannot be found. Verify the spelling and "
                                "correctness of the schema and catalog.",
                                quoted(parts)));
      }
      return no_rows();
    }
    case Kind::kFunction: {
      {
        std::lock_guard lock(mutex_);
        const auto name = lower_case(parts.back());
        if (functions_.erase(name) + python_functions_.erase(name) + python_tables_.erase(name) > 0)
          return no_rows();
      }
      if (!statement.temporary) {
        const auto [database, name] = table_name(statement.name);
        if (catalog.function(database, name)) {
          catalog.drop_function(database, name);
          return no_rows();
        }
      }
      if (statement.if_exists) return no_rows();
      throw Error("ROUTINE_NOT_FOUND",
                  fmt::format("The routine {} cannot be found. Verify the spelling and correctness "
                              "of the schema and catalog.",
                              quoted(parts)));
    }
    case Kind::kTable:
    case Kind::kView:
      break;
  }
  const bool view = statement.kind == Kind::kView;
  if (const auto key = temporary_key(parts); !key.empty()) {
    {
      std::lock_guard lock(mutex_);
      cached_.erase(key);
    }
    if (views(key).erase(key)) return no_rows();
  }
  const auto [database, name] = table_name(statement.name);
  const auto table = catalog.table(database, name);
  if (!table) {
    if (statement.if_exists) return no_rows();
    throw Error("TABLE_OR_VIEW_NOT_FOUND",
                fmt::format("The table or view {} cannot be found. Verify the spelling and "
                            "correctness of the schema and catalog. To tolerate the error on drop "
                            "use DROP {} IF EXISTS.",
                            quoted(parts), view ? "VIEW" : "TABLE"))
        .with("relationName", quoted({"spark_catalog", database, name}))
        .with("searchPath", fmt::format("[{}]", quoted({"spark_catalog", current_database()})));
  }
  if (view && table->kind != TableKind::kView) {
    throw Error("WRONG_COMMAND_FOR_OBJECT_TYPE",
                fmt::format("The operation DROP VIEW requires a VIEW, but {} is a table. Use DROP "
                            "TABLE instead.",
                            table->full_name()));
  }
  drop_table(*table);
  return no_rows();
}

proto::Relation EmbeddedExecutor::run(const AlterTable& statement) {
  using Action = AlterTable::Action;
  auto table = table_entry(statement.name);
  const auto catalog = warehouse();
  if (statement.view != (table.kind == TableKind::kView) && statement.action != Action::kRename) {
    throw Error(statement.view ? "EXPECT_VIEW_NOT_TABLE.NO_ALTERNATIVE"
                               : "EXPECT_TABLE_NOT_VIEW.USE_ALTER_VIEW",
                fmt::format("{} is a {}.", table.full_name(), statement.view ? "table" : "view"));
  }
  const auto column_at = [&](const std::string& name) -> ColumnDefinition& {
    for (auto& column : table.columns) {
      if (equal_ignoring_case(column.field.name, name)) return column;
    }
    std::string names;
    for (const auto& column : table.columns)
      names += fmt::format("{}`{}`", names.empty() ? "" : ", ", column.field.name);
    throw Error("UNRESOLVED_COLUMN.WITH_SUGGESTION",
                fmt::format("A column, variable, or function parameter with name `{}` cannot be "
                            "resolved. Did you mean one of the following? [{}].",
                            name, names));
  };
  switch (statement.action) {
    case Action::kRename: {
      auto renamed = table;
      auto parts = split_name(statement.new_name);
      if (parts.size() == 1) parts.insert(parts.begin(), table.database);
      const auto [database, name] = table_name(parts);
      check_new_name(name);
      renamed.database = database;
      renamed.name = name;
      if (table.kind == TableKind::kManaged)
        renamed.location = database_entry(database).location + "/" + name;
      catalog.save(renamed, false);
      std::error_code absent;
      if (renamed.location != table.location) fs::rename(table.location, renamed.location, absent);
      catalog.drop_table(table.database, table.name);
      return no_rows();
    }
    case Action::kAddColumns: {
      for (const auto& column : statement.columns) {
        check_column_free(table, column.field.name);
        table.columns.insert(table.columns.end() - static_cast<long>(table.partition_by.size()),
                             column);
      }
      table.options["mergeSchema"] = "true";  // older files lack them
      break;
    }
    case Action::kDropColumns:
      unsupported_operation(table, "DROP COLUMN");
    case Action::kRenameColumn:
      unsupported_operation(table, "RENAME COLUMN");
    case Action::kReplaceColumns:
      unsupported_operation(table, "REPLACE COLUMNS");
    case Action::kColumnType: {
      auto& column = column_at(statement.names[0]);
      if (column.field.type != statement.columns[0].field.type) {
        throw Error(
            "NOT_SUPPORTED_CHANGE_COLUMN",
            fmt::format("ALTER TABLE ALTER/CHANGE COLUMN is not supported for changing {}'s "
                        "column `{}` with type \"{}\" to `{}` with type \"{}\".",
                        table.full_name(), column.field.name, column.field.type.sql(),
                        column.field.name, statement.columns[0].field.type.sql()));
      }
      column.declared = statement.columns[0].declared;
      break;
    }
    case Action::kColumnComment: {
      auto& column = column_at(statement.names[0]);
      if (!statement.columns.empty() &&
          (statement.columns[0].field.type != column.field.type ||
           !equal_ignoring_case(statement.columns[0].field.name, column.field.name))) {
        throw Error(
            "NOT_SUPPORTED_CHANGE_COLUMN",
            fmt::format("ALTER TABLE ALTER/CHANGE COLUMN is not supported for changing {}'s "
                        "column `{}`.",
                        table.full_name(), column.field.name));
      }
      column.comment = statement.text;
      break;
    }
    case Action::kColumnDefault:
      column_at(statement.names[0]).default_sql = statement.text;
      break;
    case Action::kSetProperties:
      for (const auto& [key, value] : statement.properties) table.properties[key] = value;
      break;
    case Action::kUnsetProperties:
      for (const auto& key : statement.names) table.properties.erase(key);
      break;
    case Action::kSetLocation:
      table.location = fs::absolute(statement.location).lexically_normal().string();
      table.kind = TableKind::kExternal;
      break;
    case Action::kAddPartitions:
    case Action::kDropPartitions:
    case Action::kRenamePartition:
      change_partitions(statement, table);
      forget_cached(table);
      return no_rows();
    case Action::kRecoverPartitions:  // folders are looked at each time
      if (table.partition_by.empty()) {
        throw Error("NOT_A_PARTITIONED_TABLE",
                    fmt::format("Operation `MSCK REPAIR TABLE` is not allowed for {} because it is "
                                "not a partitioned table.",
                                table.full_name()));
      }
      return no_rows();
    case Action::kViewQuery: {
      table.view_text = statement.text;
      table.view_database = current_database();
      table.columns.clear();
      for (const auto& field : lowered(statement.query).schema)
        table.columns.push_back({.field = field, .declared = {}});
      break;
    }
  }
  catalog.save(table, true);
  return no_rows();
}

void EmbeddedExecutor::change_partitions(const AlterTable& statement, const TableEntry& table) {
  using Action = AlterTable::Action;
  const auto lock = warehouse().lock_rows(table.database, table.name, PathLock::Kind::kExclusive);
  const fs::path folder = table.location;
  const auto all = partitions(table);
  if (statement.action == Action::kAddPartitions) {
    for (const auto& spec : statement.partitions) {
      const auto path = partition_path(table, spec);
      if (fs::exists(folder / path) && !statement.if_exists) {
        throw Error("PARTITIONS_ALREADY_EXIST",
                    fmt::format("Cannot ADD or RENAME TO partition(s) PARTITION ({}) in table {} "
                                "because they already exist.",
                                path, table.full_name()));
      }
      fs::create_directories(folder / path);
    }
    return;
  }
  for (const auto& spec : statement.partitions) {
    if (statement.action == Action::kRenamePartition && &spec != &statement.partitions.front())
      break;
    FolderChange change;
    bool found = false;
    for (const auto& path : all) {
      if (!fits(partition_values(path + "/x"), spec)) continue;
      found = true;
      for (const auto& file : folder_files(folder / path)) {
        const auto from = fs::relative(file, folder).string();
        if (statement.action == Action::kDropPartitions) {
          change.remove.push_back(from);
        } else {
          change.add.emplace_back(from, partition_path(table, statement.partitions.at(1)) + "/" +
                                            fs::path(file).filename().string());
        }
      }
    }
    if (!found && !statement.if_exists) {
      throw Error("PARTITIONS_NOT_FOUND",
                  fmt::format("The partition(s) PARTITION ({}) cannot be found in table {}.",
                              partition_path(table, spec), table.full_name()));
    }
    commit_change(folder, change);
    std::error_code ignored;
    for (const auto& path : all) {
      if (fits(partition_values(path + "/x"), spec)) fs::remove(folder / path, ignored);
    }
  }
}

proto::Relation EmbeddedExecutor::run(const Use& statement) {
  const auto name = lower_case(split_name(statement.name).back());
  if (statement.catalog || name == "spark_catalog") {
    if (name == "spark_catalog") return no_rows();
    throw Error("CATALOG_NOT_FOUND",
                fmt::format("The catalog `{}` not found. Consider to set the SQL config "
                            "\"spark.sql.catalog.{}\" to a catalog plugin.",
                            name, name));
  }
  database_entry(name);
  std::lock_guard lock(mutex_);
  current_database_ = name;
  return no_rows();
}

proto::Relation EmbeddedExecutor::run(const SetConfig& statement) {
  if (statement.reset) {
    if (!statement.key.empty()) {
      unset_config(statement.key);
    } else {
      for (const auto& [key, value] : settings_set()) unset_config(key);
    }
    return no_rows();
  }
  if (statement.key.empty()) {
    Rows rows;
    for (const auto& [key, value] : settings_set()) rows.push_back({key, value});
    return text_rows(rows, {"key", "value"});
  }
  if (statement.value) set_config(statement.key, *statement.value);
  return text_rows({{statement.key, setting(statement.key).value_or("<undefined>")}},
                   {"key", "value"});
}

proto::Relation EmbeddedExecutor::run(const Cache& statement) {
  using Action = Cache::Action;
  if (statement.action == Action::kClear) {
    std::lock_guard lock(mutex_);
    for (auto& [name, cached] : cached_) {
      if (cached.scan) database_.execute("DROP TABLE IF EXISTS " + cached.scan->from);
    }
    cached_.clear();
    return no_rows();
  }
  const auto parts = split_name(statement.table);
  if (statement.query) {
    proto::CreateDataFrameViewCommand view;
    view.set_name(statement.table);
    *view.mutable_input() = *statement.query;
    create_view(view);
  }
  std::string key = temporary_key(parts);
  if (!views(key).contains(key)) key.clear();
  proto::Relation plan;
  if (key.empty() && statement.action != Action::kRefresh) {
    const auto [database, name] = table_name(statement.table);
    key = database + "." + name;
    if (statement.action != Action::kUncache || !statement.if_exists) table_entry(statement.table);
  }
  if (statement.action == Action::kCache) {
    plan.mutable_read()->mutable_named_table()->set_unparsed_identifier(statement.table);
    // By its plan, unless the plan's names are another session's.
    if (const auto view = views(key).find(key); view && !view->owner) plan = *view->plan;
    std::lock_guard lock(mutex_);
    cached_[key] = {.plan = std::move(plan), .scan = {}};
    return no_rows();
  }
  std::lock_guard lock(mutex_);
  if (statement.action == Action::kRefresh) {
    scans_.clear();
    for (auto& [name, cached] : cached_) cached.scan.reset();
  } else {
    cached_.erase(key);
  }
  return no_rows();
}

proto::Relation EmbeddedExecutor::run(const Analyze& statement) {
  auto table = table_entry(statement.table);
  uint64_t bytes = 0;
  std::error_code absent;
  if (fs::is_directory(table.location, absent)) {
    for (const auto& file : folder_files(table.location)) bytes += fs::file_size(file, absent);
  }
  table.properties[kBytes] = std::to_string(bytes);
  if (statement.scan) {
    table.properties[kRows] =
        database_.rows("SELECT count(*) FROM " + scan_table(table).from).at(0).at(0).value_or("0");
  }
  warehouse().save(table, true);
  return no_rows();
}

proto::Relation EmbeddedExecutor::run(const Variable& statement) {
  const auto rows = lowered(statement.value);
  if (rows.schema.size() != statement.names.size()) {
    throw Error("ASSIGNMENT_ARITY_MISMATCH",
                fmt::format("The number of columns or variables assigned or aliased: {} does not "
                            "match the number of source expressions: {}.",
                            statement.names.size(), rows.schema.size()));
  }
  std::string columns;
  for (size_t i = 0; i < rows.schema.size(); ++i) columns += fmt::format("{}c{}", i ? ", " : "", i);
  const auto values = new_name("variables");
  database_.execute(fmt::format("CREATE TABLE {} AS SELECT * FROM ({}) AS t({})", sql_name(values),
                                rows.sql, columns));
  const auto count =
      database_.rows("SELECT count(*) FROM " + sql_name(values)).at(0).at(0).value_or("0");
  if (count != "1" && count != "0") {
    database_.execute("DROP TABLE " + sql_name(values));
    throw Error("ROW_SUBQUERY_TOO_MANY_ROWS",
                "More than one row returned by a subquery used as a row.");
  }
  for (size_t i = 0; i < statement.names.size(); ++i) {
    const auto parts = split_name(statement.names[i]);
    const auto name = lower_case(parts.back());
    DataType type = rows.schema[i].type;
    {
      std::lock_guard lock(mutex_);
      const auto found = variables_.find(name);
      if (statement.assigns && found == variables_.end()) {
        throw Error("UNRESOLVED_VARIABLE",
                    fmt::format("Cannot resolve variable {} on search path `system`.`session`.",
                                quoted(parts)));
      }
      // Within a script a declaration hides what is outside its block.
      const bool hides = found != variables_.end() && found->second.depth < script_depth_;
      if (!statement.assigns && found != variables_.end() && !statement.replace && !hides) {
        throw Error("VARIABLE_ALREADY_EXISTS",
                    fmt::format("Cannot create the variable `system`.`session`.`{}` because it "
                                "already exists. Choose a different name, or drop or replace the "
                                "existing variable.",
                                name));
      }
      if (statement.assigns) type = found->second.type;
    }
    if (!statement.assigns && !statement.type.empty()) type = parse_type(statement.type);
    const Resolved value{.sql = fmt::format("(SELECT c{} FROM {})", i, sql_name(values)),
                         .type = rows.schema[i].type,
                         .name = name};
    const auto table = new_name("variable");
    database_.execute(fmt::format("CREATE TABLE {} AS SELECT {} AS v", sql_name(table),
                                  cast(value, type, time_zone()).sql));
    std::lock_guard lock(mutex_);
    auto& kept = variables_[name];
    const int depth = statement.assigns ? kept.depth : script_depth_;
    if (!kept.table.empty() && kept.depth == depth)
      database_.execute("DROP TABLE " + sql_name(kept.table));
    kept = {type, table, depth};
  }
  database_.execute("DROP TABLE " + sql_name(values));
  return no_rows();
}

proto::Relation EmbeddedExecutor::run(const ExecuteImmediate& statement) {
  const auto text = lowered(statement.text);
  const auto sql = database_.rows(text.sql).at(0).at(0);
  if (!sql) {
    throw Error("NULL_QUERY_STRING_EXECUTE_IMMEDIATE",
                "Execute immediate requires a non-null variable as the query string.");
  }
  SqlParameters parameters;
  for (const auto& [name, value] : statement.arguments) {
    if (name.empty()) {
      parameters.positional.push_back(value);
    } else {
      parameters.named[name] = value;
    }
  }
  const auto parsed = parse_statement(*sql, parameters);
  if (statement.into.empty())
    return std::visit([&](const auto& inner) { return run(inner); }, parsed);
  const auto* plan = std::get_if<proto::Plan>(&parsed);
  if (!plan || !plan->has_root()) {
    throw Error("INVALID_STATEMENT_FOR_EXECUTE_INTO",
                "The INTO clause of EXECUTE IMMEDIATE is only valid for queries.");
  }
  return run(Variable{.names = statement.into, .assigns = true, .type = {}, .value = plan->root()});
}

proto::Relation EmbeddedExecutor::run(const Explain& statement) {
  const auto parsed = parse_statement(statement.statement);
  const auto* plan = std::get_if<proto::Plan>(&parsed);
  if (!plan || !plan->has_root()) return text_rows({{"== Physical Plan ==\nCommand\n"}}, {"plan"});
  return text_rows({{explain(plan->root(), statement.mode)}}, {"plan"});
}

EmbeddedExecutor::Rows EmbeddedExecutor::list_tables(const Show& statement) {
  const auto database =
      statement.name.empty() ? current_database() : lower_case(split_name(statement.name).back());
  if (database != kGlobalViews) database_entry(database);
  const bool views = statement.what == Show::What::kViews;
  const auto wanted = [&](const std::string& name) {
    return !statement.pattern || fits_pattern(name, *statement.pattern);
  };
  Rows rows;
  const auto catalog = warehouse();
  for (const auto& name : catalog.tables(database)) {
    if (!wanted(name)) continue;
    const auto table = catalog.table(database, name);
    if (table && (!views || table->kind == TableKind::kView))
      rows.push_back({database, name, "false"});
  }
  for (const auto& name : views_.names()) {
    if (wanted(name)) rows.push_back({"", name, "true"});
  }
  if (database != kGlobalViews) return rows;
  for (const auto& key : global_views_->names()) {
    const auto name = key.substr(kGlobalViews.size() + 1);
    if (wanted(name)) rows.push_back({database, name, "true"});
  }
  return rows;
}

std::string EmbeddedExecutor::create_table_text(const TableEntry& table) {
  std::string columns;
  for (const auto& column : table.columns) {
    columns += columns.empty() ? "\n  " : ",\n  ";
    columns += column.field.name;
    if (table.kind != TableKind::kView) {
      auto type = type_text(column);
      std::transform(type.begin(), type.end(), type.begin(), ::toupper);
      type = column.declared.empty() ? column.field.type.sql() : type;
      for (size_t at = type.find("STRING"); at != std::string::npos;
           at = type.find("STRING", at + 1))
        type.replace(at, 6, "STRING COLLATE UTF8_BINARY");
      columns += " " + type;
      if (!column.default_sql.empty()) columns += " DEFAULT " + column.default_sql;
    }
    if (!column.comment.empty()) columns += fmt::format(" COMMENT '{}'", column.comment);
  }
  const bool view = table.kind == TableKind::kView;
  std::string text = fmt::format("CREATE {} {}.{} ({})\n", view ? "VIEW" : "TABLE",
                                 "spark_catalog." + table.database, table.name, columns);
  if (view) {
    text = fmt::format("CREATE VIEW {}.{} ({})\n", table.database, table.name, columns);
    if (!table.comment.empty()) text += fmt::format("COMMENT '{}'\n", table.comment);
    if (const auto lines = property_lines(table.properties); !lines.empty())
      text += fmt::format("TBLPROPERTIES (\n{})\n", lines);
    return text + "WITH SCHEMA COMPENSATION\nAS " + table.view_text + "\n";
  }
  text += fmt::format("USING {}\n", table.provider);
  if (const auto lines = property_lines(table.options); !lines.empty())
    text += fmt::format("OPTIONS (\n{})\n", lines);
  if (!table.partition_by.empty())
    text += fmt::format("PARTITIONED BY ({})\n", fmt::join(table.partition_by, ", "));
  if (!table.comment.empty()) text += fmt::format("COMMENT '{}'\n", table.comment);
  if (table.kind == TableKind::kExternal)
    text += fmt::format("LOCATION 'file:{}'\n", table.location);
  if (const auto lines = property_lines(table.properties); !lines.empty())
    text += fmt::format("TBLPROPERTIES (\n{})\n", lines);
  return text;
}

proto::Relation EmbeddedExecutor::run(const Show& statement) {
  using What = Show::What;
  const auto catalog = warehouse();
  const auto wanted = [&](const std::string& name) {
    return !statement.pattern || fits_pattern(name, *statement.pattern);
  };
  Rows rows;
  switch (statement.what) {
    case What::kCatalogs:
      if (wanted("spark_catalog")) rows.push_back({"spark_catalog"});
      return text_rows(rows, {"catalog"});
    case What::kCurrentNamespace:
      return text_rows({{"spark_catalog", current_database()}}, {"catalog", "namespace"});
    case What::kDatabases:
      for (const auto& name : catalog.databases()) {
        if (wanted(name)) rows.push_back({name});
      }
      return text_rows(rows, {"namespace"});
    case What::kTables:
      return text_rows(list_tables(statement), {"namespace", "tableName", "isTemporary"});
    case What::kViews:
      return text_rows(list_tables(statement), {"namespace", "viewName", "isTemporary"});
    case What::kColumns: {
      proto::Relation table;
      table.mutable_read()->mutable_named_table()->set_unparsed_identifier(statement.name);
      for (const auto& field : lowered(table).schema) rows.push_back({field.name});
      return text_rows(rows, {"col_name"});
    }
    case What::kCreateTable:
      return text_rows({{create_table_text(table_entry(statement.name))}}, {"createtab_stmt"});
    case What::kFunctions: {
      std::vector<std::string> names;
      if (statement.scope != "USER") names = function_names();
      if (statement.scope != "SYSTEM") {
        const auto database = statement.name.empty()
                                  ? current_database()
                                  : lower_case(split_name(statement.name).back());
        for (const auto& name : catalog.functions(database))
          names.push_back(fmt::format("spark_catalog.{}.{}", database, name));
        std::lock_guard lock(mutex_);
        for (const auto& [name, function] : functions_) names.push_back(name);
        for (const auto& [name, function] : python_functions_) names.push_back(name);
        for (const auto& [name, function] : python_tables_) names.push_back(name);
      }
      std::sort(names.begin(), names.end());
      for (const auto& name : names) {  // the pattern is of the name without its database
        if (wanted(name.substr(name.rfind('.') + 1))) rows.push_back({name});
      }
      return text_rows(rows, {"function"});
    }
    case What::kPartitions: {
      const auto table = table_entry(statement.name);
      if (table.partition_by.empty()) {
        throw Error("INVALID_PARTITION_OPERATION.PARTITION_SCHEMA_IS_EMPTY",
                    fmt::format("The partition command is invalid. Table {} is not partitioned.",
                                table.full_name()));
      }
      for (const auto& path : partitions(table)) {
        if (fits(partition_values(path + "/x"), statement.partition))
          rows.push_back({partition_text(path)});
      }
      return text_rows(rows, {"partition"});
    }
    case What::kProperties: {
      const auto table = table_entry(statement.name);
      for (const auto& [key, value] : table.properties) {
        if (!is_hidden(key) && (statement.scope.empty() || key == statement.scope))
          rows.push_back({key, value});
      }
      if (!statement.scope.empty() && rows.empty()) {
        rows.push_back({statement.scope,
                        fmt::format("Table {} does not have property: {}",
                                    fmt::format("spark_catalog.{}.{}", table.database, table.name),
                                    statement.scope)});
      }
      return text_rows(rows, {"key", "value"});
    }
    case What::kTableExtended: {
      for (const auto& row : list_tables(statement)) {
        std::string information;
        const auto& name = row[1].value();
        if (row[2] == "false") {
          const auto details = describe_table({.what = Describe::What::kTable,
                                               .name = *row[0] + ".`" + name + "`",
                                               .extended = true});
          bool detailed = false;
          for (const auto& line : details) {
            if (detailed) information += fmt::format("{}: {}\n", *line[0], line[1].value_or(""));
            detailed = detailed || *line[0] == "# Detailed Table Information";
          }
        }
        rows.push_back({row[0], name, row[2], information});
      }
      return text_rows(rows, {"namespace", "tableName", "isTemporary", "information"});
    }
  }
  return no_rows();
}

EmbeddedExecutor::Rows EmbeddedExecutor::describe_table(const Describe& statement) {
  Rows rows;
  std::optional<TableEntry> table;
  const auto parts = split_name(statement.name);
  const auto key = temporary_key(parts);
  const bool temporary = views(key).contains(key);
  if (!temporary && parts.size() <= 3) {
    const auto [database, name] = table_name(statement.name);
    table = warehouse().table(database, name);
  }
  if (!table) {  // a temporary view, or an error that says that there is no such table
    proto::Relation plan;
    plan.mutable_read()->mutable_named_table()->set_unparsed_identifier(statement.name);
    for (const auto& field : lowered(plan).schema)
      rows.push_back({field.name, field.type.simple_string(), std::nullopt});
    return rows;
  }
  const auto add = [&](const ColumnDefinition& column) {
    rows.push_back({column.field.name, type_text(column),
                    column.comment.empty() ? Cell() : Cell(column.comment)});
  };
  for (const auto& column : table->columns) add(column);
  if (!table->partition_by.empty()) {
    rows.push_back({"# Partition Information", "", ""});
    rows.push_back({"# col_name", "data_type", "comment"});
    for (auto column = table->columns.end() - static_cast<long>(table->partition_by.size());
         column != table->columns.end(); ++column) {
      add(*column);
    }
  }
  if (!statement.extended) return rows;
  const auto line = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) rows.push_back({name, value, ""});
  };
  rows.push_back({"", "", ""});
  rows.push_back({"# Detailed Table Information", "", ""});
  line("Catalog", "spark_catalog");
  line("Database", table->database);
  line("Table", table->name);
  char created[64];
  const std::time_t seconds = table->created;
  std::tm utc;
  std::strftime(created, sizeof created, "%a %b %d %H:%M:%S UTC %Y", ::gmtime_r(&seconds, &utc));
  line("Created Time", created);
  line("Created By", "Firesteel");
  line("Type", table->kind == TableKind::kManaged    ? "MANAGED"
               : table->kind == TableKind::kExternal ? "EXTERNAL"
                                                     : "VIEW");
  line("Provider", table->provider);
  line("Comment", table->comment);
  if (const auto pairs = property_pairs(table->properties); pairs != "[]")
    line("Table Properties", pairs);
  if (const auto bytes = table->properties.find(kBytes); bytes != table->properties.end()) {
    const auto count = table->properties.find(kRows);
    line("Statistics",
         bytes->second + " bytes" +
             (count == table->properties.end() ? "" : ", " + count->second + " rows"));
  }
  if (!table->location.empty()) line("Location", "file:" + table->location);
  if (const auto pairs = property_pairs(table->options); pairs != "[]")
    line("Storage Properties", pairs);
  if (table->kind == TableKind::kView) {
    line("View Text", table->view_text);
    line("View Catalog and Namespace", "spark_catalog." + table->view_database);
  }
  return rows;
}

proto::Relation EmbeddedExecutor::run(const Describe& statement) {
  using What = Describe::What;
  Rows rows;
  switch (statement.what) {
    case What::kTable:
      return text_rows(describe_table(statement), {"col_name", "data_type", "comment"});
    case What::kQuery:
      for (const auto& field : lowered(statement.query).schema)
        rows.push_back({field.name, field.type.simple_string(), std::nullopt});
      return text_rows(rows, {"col_name", "data_type", "comment"});
    case What::kColumn: {
      const auto name = split_name(statement.column).back();
      for (const auto& row : describe_table({.what = What::kTable, .name = statement.name})) {
        if (row[0]->starts_with("#")) break;
        if (!equal_ignoring_case(*row[0], name)) continue;
        return text_rows(
            {{"col_name", *row[0]}, {"data_type", row[1]}, {"comment", row[2].value_or("NULL")}},
            {"info_name", "info_value"});
      }
      throw Error("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION",
                  fmt::format("A column, variable, or function parameter with name `{}` cannot be "
                              "resolved.",
                              name));
    }
    case What::kDatabase: {
      const auto entry = database_entry(lower_case(split_name(statement.name).back()));
      rows = {{"Catalog Name", "spark_catalog"},
              {"Namespace Name", entry.name},
              {"Comment", entry.comment},
              {"Location", "file:" + entry.location}};
      if (statement.extended) {
        std::string pairs;
        for (const auto& [key, value] : entry.properties)
          pairs += fmt::format("{}({},{})", pairs.empty() ? "" : ", ", key, value);
        rows.push_back({"Properties", pairs.empty() ? "" : "(" + pairs + ")"});
      }
      return text_rows(rows, {"info_name", "info_value"});
    }
    case What::kFunction: {
      const auto parts = split_name(statement.name);
      const auto builtin = find_function(parts.back());
      if (!builtin.empty()) {
        rows.push_back({fmt::format("Function: {}", builtin[0]->name)});
        rows.push_back({fmt::format("Usage: {}{} - {}", builtin[0]->name, builtin[0]->signature,
                                    builtin[0]->doc)});
        if (statement.extended) {
          rows.push_back(
              {fmt::format("Extended Usage:\n    Examples:\n      > SELECT {};\n       {}",
                           builtin[0]->example, builtin[0]->gives)});
        }
        return text_rows(rows, {"function_desc"});
      }
      const auto routine = this->routine(parts, {.database = current_database()});
      if (!routine) {
        throw Error("UNRESOLVED_ROUTINE",
                    fmt::format("Cannot resolve routine {} on search path [`system`.`builtin`, "
                                "`system`.`session`, `spark_catalog`.`default`].",
                                quoted(parts)));
      }
      std::string input;
      for (const auto& field : routine->parameters)
        input += fmt::format("{}{} {}", input.empty() ? "" : ", ", field.name, field.type.sql());
      rows = {{fmt::format("Function: {}", parts.back())},
              {fmt::format("Type: {}", routine->table ? "TABLE" : "SCALAR")},
              {fmt::format("Input: {}", input.empty() ? "()" : input)},
              {fmt::format("Returns: {}", routine->returns ? routine->returns->sql() : "")},
              {fmt::format("Language: {}", routine->python.empty() ? "SQL" : "PYTHON")},
              {fmt::format("Body: {}", routine->body)}};
      return text_rows(rows, {"function_desc"});
    }
  }
  return no_rows();
}

}  // namespace firesteel
