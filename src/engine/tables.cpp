// What changes tables' rows: CREATE … AS, INSERT, UPDATE, DELETE, MERGE, TRUNCATE, saveAsTable.
// Every change is one commit to the table's folder.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "engine/commit.h"
#include "engine/embedded.h"
#include "functions/coercion.h"
#include "plan/build.h"
#include "plan/names.h"

namespace firesteel {

namespace fs = std::filesystem;
using enum TypeKind;

namespace {

constexpr const char* kOrphan = "_firesteel_orphan";

/// Spark's ANSI store assignment: may a value of one type be stored as another?
bool storable(const DataType& from, const DataType& to) {
  if (from == to || from.kind == kNull) return true;
  if (from.kind == kArray && to.kind == kArray) return storable(from.element(), to.element());
  if (from.kind == kMap && to.kind == kMap)
    return storable(from.key(), to.key()) && storable(from.value(), to.value());
  if (from.kind == kStruct && to.kind == kStruct) {
    return from.fields->size() == to.fields->size() &&
           std::equal(from.fields->begin(), from.fields->end(), to.fields->begin(),
                      [](const Field& a, const Field& b) { return storable(a.type, b.type); });
  }
  if (from.is_nested() || to.is_nested()) return false;
  if (from.kind == to.kind) return true;
  if (to.kind == kString) return true;
  if (from.is_numeric() && to.is_numeric()) return true;
  if (from.is_datetime() && to.is_datetime()) return true;
  return false;
}

/// The length of char(n) and varchar(n); 0 of anything else.
int declared_length(const std::string& declared) {
  const auto open = declared.find('(');
  return open == std::string::npos ? 0 : std::atoi(declared.c_str() + open + 1);
}

std::string column_list(const std::vector<ColumnDefinition>& columns) {
  std::string out;
  for (const auto& column : columns)
    out += fmt::format("{}`{}`", out.empty() ? "" : ", ", column.field.name);
  return out;
}

std::string column_list(const Schema& schema) {
  std::string out;
  for (const auto& field : schema)
    out += fmt::format("{}`{}`", out.empty() ? "" : ", ", field.name);
  return out;
}

void check_writable(const TableEntry& table, std::string_view operation) {
  if (table.kind != TableKind::kView) return;
  throw Error("EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE",
              fmt::format("'{}' expects a table but {} is a view.", operation, table.full_name()));
}

/// The columns of the partitions come last, wherever they are written.
void put_partitions_last(TableEntry& table) {
  for (auto& partition : table.partition_by) {
    const auto found = std::find_if(table.columns.begin(), table.columns.end(), [&](const auto& c) {
      return equal_ignoring_case(c.field.name, partition);
    });
    if (found == table.columns.end()) {
      throw Error("COLUMN_NOT_DEFINED_IN_TABLE",
                  fmt::format("partition column `{}` is not defined in table {}, defined table "
                              "columns are: {}.",
                              partition, table.full_name(), column_list(table.columns)));
    }
    std::rotate(found, found + 1, table.columns.end());
    partition = table.columns.back().field.name;
  }
}

/// VALUES (1, DEFAULT): the word becomes the column's value.
void put_defaults(proto::Relation& rows, const std::vector<ColumnDefinition>& columns) {
  if (rows.has_set_op()) {
    put_defaults(*rows.mutable_set_op()->mutable_left_input(), columns);
    put_defaults(*rows.mutable_set_op()->mutable_right_input(), columns);
  }
  if (!rows.has_project() || rows.project().has_input()) return;
  for (int i = 0; i < rows.project().expressions_size(); ++i) {
    auto* cell = rows.mutable_project()->mutable_expressions(i);
    if (cell->has_alias()) cell = cell->mutable_alias()->mutable_expr();
    if (!equal_ignoring_case(cell->unresolved_attribute().unparsed_identifier(), "default") ||
        i >= static_cast<int>(columns.size()))
      continue;
    const auto& text = columns[i].default_sql;
    *cell = firesteel::parse_expression(text.empty() ? "NULL" : text);
    cell->clear_common();
  }
}

const ColumnDefinition& column_named(const TableEntry& table, const std::string& name) {
  for (const auto& column : table.columns) {
    if (equal_ignoring_case(column.field.name, name)) return column;
  }
  throw Error("UNRESOLVED_COLUMN.WITH_SUGGESTION",
              fmt::format("A column, variable, or function parameter with name `{}` cannot be "
                          "resolved. Did you mean one of the following? [{}].",
                          name, column_list(table.columns)));
}

}  // namespace

void mark_orphan(const fs::path& folder) { std::ofstream(folder / kOrphan).close(); }

void read_write_options(const Properties& options, WriteRequest& request) {
  for (const auto& [key, value] : options) {
    const auto name = lower_case(key);
    request.options[name] = value;
    if (name == "partitionoverwritemode") request.partitions_alone = lower_case(value) == "dynamic";
  }
}

std::string EmbeddedExecutor::assigned(const LoweredPlan& rows,
                                       const std::vector<ColumnDefinition>& columns,
                                       const TableEntry& table, bool by_name) {
  const auto& given = rows.schema;
  if (given.size() != columns.size() && !(by_name && given.size() < columns.size())) {
    throw Error(
        fmt::format("INSERT_COLUMN_ARITY_MISMATCH.{}", given.size() < columns.size()
                                                           ? "NOT_ENOUGH_DATA_COLUMNS"
                                                           : "TOO_MANY_DATA_COLUMNS"),
        fmt::format("Cannot write to {}, the reason is {} data columns: Table columns: {}. Data "
                    "columns: {}.",
                    table.full_name(), given.size() < columns.size() ? "not enough" : "too many",
                    column_list(columns), column_list(given)));
  }
  std::string list, names;
  std::vector<bool> used(given.size(), false);
  for (size_t i = 0; i < given.size(); ++i) names += fmt::format("{}c{}", i ? ", " : "", i);
  for (size_t i = 0; i < columns.size(); ++i) {
    const auto& column = columns[i];
    size_t from = i;
    if (by_name) {
      for (from = 0;
           from < given.size() && !equal_ignoring_case(given[from].name, column.field.name);
           ++from) {
      }
    }
    Resolved value{.sql = fmt::format("CAST(NULL AS {})", duckdb_type(column.field.type)),
                   .type = column.field.type,
                   .name = column.field.name};
    if (from < given.size()) {
      used[from] = true;
      value = {.sql = fmt::format("c{}", from),
               .type = given[from].type,
               .nullable = given[from].nullable,
               .name = column.field.name};
    } else if (!column.default_sql.empty()) {
      const auto made = lowered(firesteel::parse_query("SELECT " + column.default_sql));
      value = {.sql = "(" + made.sql + ")", .type = made.schema.at(0).type};
    }
    if (!storable(value.type, column.field.type)) {
      throw Error("INCOMPATIBLE_DATA_FOR_TABLE.CANNOT_SAFELY_CAST",
                  fmt::format("Cannot write incompatible data for the table {}: Cannot safely cast "
                              "`{}` \"{}\" to \"{}\".",
                              table.full_name(), column.field.name, value.type.sql(),
                              column.field.type.sql()));
    }
    auto sql = coerce(value, column.field.type, time_zone()).sql;
    if (const int length = declared_length(column.declared); length > 0) {
      const auto failure =
          raise_sql("EXCEED_LIMIT_LENGTH",
                    fmt::format("Exceeds char/varchar type length limitation: {}.", length), {});
      sql = fmt::format(
          "CASE WHEN length({0}) <= {1} THEN {0} WHEN length(rtrim({0}, ' ')) <= {1} THEN "
          "substring({0}, 1, {1}) WHEN {0} IS NOT NULL THEN {2} END",
          sql, length, failure);
      if (column.declared.starts_with("char")) sql = fmt::format("rpad({}, {}, ' ')", sql, length);
    }
    list += fmt::format("{}{} AS {}", i ? ", " : "", sql, sql_name(column.field.name));
  }
  for (size_t i = 0; i < given.size(); ++i) {
    if (used[i]) continue;
    throw Error("INCOMPATIBLE_DATA_FOR_TABLE.EXTRA_COLUMNS",
                fmt::format("Cannot write incompatible data for the table {}: Cannot write extra "
                            "columns `{}`.",
                            table.full_name(), given[i].name));
  }
  return fmt::format("SELECT {} FROM ({}) AS t({})", list, rows.sql, names);
}

void EmbeddedExecutor::write_table(const TableEntry& table, const std::string& sql,
                                   WriteRequest request) {
  request.sql = sql;
  request.schema = table.schema();
  request.format = table.provider;
  request.path = table.location;
  request.partition_by = table.partition_by;
  Properties options = table.options;
  read_write_options(options, request);
  request.time_zone = time_zone();
  fs::create_directories(table.location);
  try {
    write_files(request, database_);
  } catch (const Error& error) {
    if (error.condition() != "CAST_OVERFLOW" &&
        !error.condition().starts_with("NUMERIC_VALUE_OUT_OF_RANGE"))
      throw;
    throw Error("CAST_OVERFLOW_IN_TABLE_INSERT",
                fmt::format("Fail to assign a value to a column of {} due to an overflow. Use "
                            "`try_cast` on the input value to tolerate overflow and return NULL "
                            "instead. ({})",
                            table.full_name(), error.message()));
  }
  forget_cached(table);
}

void EmbeddedExecutor::forget_cached(const TableEntry& table) {
  std::lock_guard lock(mutex_);
  const auto found = cached_.find(table.database + "." + table.name);
  if (found != cached_.end()) found->second.scan.reset();
}

TableEntry EmbeddedExecutor::new_table(const CreateTable& statement) {
  const auto [database, name] = table_name(statement.name);
  check_new_name(name);
  const auto place = database_entry(database);
  if (python_source(statement.provider)) {
    throw Error("UNSUPPORTED_FEATURE.PYTHON_DATA_SOURCE_TABLE",
                fmt::format("Tables of data sources written in Python are not supported. Write "
                            "with `df.write.format(\"{0}\").save()` and read with "
                            "`spark.read.format(\"{0}\").load()`.",
                            statement.provider));
  }
  TableEntry table{
      .database = database,
      .name = name,
      .kind = statement.location.empty() ? TableKind::kManaged : TableKind::kExternal,
      .provider = lower_case(statement.provider.empty() ? "parquet" : statement.provider),
      .location = statement.location,
      .comment = statement.comment,
      .columns = {},
      .partition_by = {},
      .options = statement.options,
      .properties = statement.properties,
      .created = std::time(nullptr)};
  if (const auto path = table.options.find("path"); path != table.options.end()) {
    table.location = path->second;
    table.kind = TableKind::kExternal;
    table.options.erase(path);
  }
  if (table.location.starts_with("file:"))
    table.location = table.location.substr(table.location.find_first_not_of('/', 5) - 1);
  if (table.location.empty()) table.location = place.location + "/" + name;
  table.location = fs::absolute(table.location).lexically_normal().string();
  static constexpr std::string_view kProviders[] = {"csv", "json", "orc", "parquet", "text"};
  if (!std::ranges::binary_search(kProviders, std::string_view(table.provider))) {
    throw Error("DATA_SOURCE_NOT_FOUND",
                fmt::format("Failed to find the data source: {}. A table is of parquet, orc, csv, "
                            "json or text.",
                            table.provider));
  }
  table.columns = statement.columns;
  // As in Spark, a file source's columns may all be null.
  for (auto& column : table.columns) column.field.nullable = true;
  table.partition_by = statement.partition_by;
  if (!statement.query) put_partitions_last(table);
  for (size_t i = 0; i < table.columns.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (!equal_ignoring_case(table.columns[i].field.name, table.columns[j].field.name)) continue;
      throw Error("COLUMN_ALREADY_EXISTS",
                  fmt::format("The column `{}` already exists. Choose another name or rename the "
                              "existing column.",
                              lower_case(table.columns[i].field.name)));
    }
  }
  if (!table.columns.empty() && table.columns.size() == table.partition_by.size()) {
    throw Error("ALL_PARTITION_COLUMNS_NOT_ALLOWED",
                "Cannot use all columns for partition columns.");
  }
  return table;
}

void EmbeddedExecutor::create_table_as(TableEntry table, const proto::Relation& query,
                                       bool replace) {
  const auto rows = lowered(query);
  for (const auto& field : rows.schema) {
    ColumnDefinition column{.field = {field.name, field.type, true}, .declared = {}};
    if (field.type.kind == kNull) column.field.type = make_type(kString);
    table.columns.push_back(std::move(column));
  }
  put_partitions_last(table);
  const auto sql = assigned(rows, table.columns, table, true);
  const auto catalog = warehouse();
  const auto old = catalog.table(table.database, table.name);
  std::error_code absent;
  const fs::path folder = table.location;
  const bool orphan = !old && fs::exists(folder / kOrphan);
  if (!old && !orphan && table.kind == TableKind::kManaged && fs::exists(folder) &&
      !fs::is_empty(folder, absent)) {
    throw Error("LOCATION_ALREADY_EXISTS",
                fmt::format("Cannot name the managed table as {}, as its associated location '{}' "
                            "already exists. Please pick a different table name, or remove the "
                            "existing location first.",
                            table.full_name(), table.location));
  }
  fs::create_directories(folder);
  if (!old) mark_orphan(folder);
  WriteRequest request;
  request.mode = WriteMode::kOverwrite;
  try {
    write_table(table, sql, request);
    catalog.save(table, replace);
  } catch (...) {
    if (!old && table.kind == TableKind::kManaged) fs::remove_all(folder, absent);
    throw;
  }
  fs::remove(folder / kOrphan);
  forget_cached(table);
}

void EmbeddedExecutor::save_as_table(const proto::WriteOperation& operation) {
  const auto& name = operation.table().table_name();
  const auto [database, table_part] = table_name(name);
  const auto existing = warehouse().table(database, table_part);
  const bool inserts = operation.table().save_method() ==
                       proto::WriteOperation::SaveTable::TABLE_SAVE_METHOD_INSERT_INTO;
  const bool overwrites = operation.mode() == proto::WriteOperation::SAVE_MODE_OVERWRITE;
  const bool appends = operation.mode() == proto::WriteOperation::SAVE_MODE_APPEND;
  if (inserts || (existing && appends)) {
    Insert insert;
    insert.table = name;
    insert.overwrite = overwrites;
    insert.by_name = !inserts;
    insert.query = operation.input();
    run(insert);
    return;
  }
  if (existing && operation.mode() == proto::WriteOperation::SAVE_MODE_IGNORE) return;
  if (existing && !overwrites) throw table_exists(database, table_part);
  CreateTable statement;
  statement.name = name;
  statement.provider = operation.source();
  statement.options = {operation.options().begin(), operation.options().end()};
  auto table = new_table(statement);
  table.partition_by = {operation.partitioning_columns().begin(),
                        operation.partitioning_columns().end()};
  if (existing) check_writable(*existing, "saveAsTable");
  create_table_as(std::move(table), operation.input(), overwrites);
}

proto::Relation EmbeddedExecutor::run(const Insert& statement) {
  if (statement.table.empty()) {
    auto options = statement.options;
    WriteRequest request{.sql = {},
                         .schema = {},
                         .format = lower_case(statement.format),
                         .path = statement.directory,
                         .mode = WriteMode::kOverwrite,
                         .partition_by = {}};
    if (request.format.empty()) request.format = "parquet";
    read_write_options(options, request);
    write_rows(statement.query, std::move(request));
    return no_rows();
  }
  const auto table = table_entry(statement.table);
  check_writable(table, "INSERT");
  const auto lock = warehouse().lock_rows(
      table.database, table.name,
      statement.overwrite ? PathLock::Kind::kExclusive : PathLock::Kind::kShared);
  WriteRequest request;
  request.mode = statement.overwrite ? WriteMode::kOverwrite : WriteMode::kAppend;
  // The columns that the query gives, in its order: those without a value in PARTITION.
  std::vector<ColumnDefinition> wanted, fixed;
  for (const auto& part : statement.partition) {
    const bool known =
        std::any_of(table.partition_by.begin(), table.partition_by.end(),
                    [&](const auto& column) { return equal_ignoring_case(column, part.column); });
    if (!known) {
      throw Error("PARTITIONS_NOT_FOUND",
                  fmt::format("The partition(s) `{}` cannot be found in table {}.", part.column,
                              table.full_name()));
    }
  }
  for (const auto& column : table.columns) {
    const auto part = std::find_if(
        statement.partition.begin(), statement.partition.end(),
        [&](const auto& value) { return equal_ignoring_case(value.column, column.field.name); });
    const bool given = part != statement.partition.end() && part->given;
    (given ? fixed : wanted).push_back(column);
    if (given) request.partition.emplace_back(column.field.name, part->value);
  }
  const bool dynamic = lower_case(config("spark.sql.sources.partitionOverwriteMode")) == "dynamic";
  request.partitions_alone = dynamic && request.partition.size() < table.partition_by.size();
  if (statement.if_not_exists && !request.partition.empty()) {
    for (const auto& file : folder_files(table.location)) {
      if (partition_values(fs::relative(file, table.location).string()) == request.partition)
        return no_rows();
    }
  }
  auto query = statement.query;
  if (statement.columns.empty()) {
    put_defaults(query, wanted);
  } else {
    std::vector<ColumnDefinition> named;
    for (const auto& name : statement.columns) {
      for (const auto& column : wanted) {
        if (equal_ignoring_case(column.field.name, name)) named.push_back(column);
      }
    }
    put_defaults(query, named);
  }
  auto rows = lowered(query);
  if (!statement.columns.empty()) {  // INSERT INTO t (b, a): the rest has its defaults
    if (statement.columns.size() != rows.schema.size()) {
      throw Error(
          fmt::format("INSERT_COLUMN_ARITY_MISMATCH.{}",
                      rows.schema.size() < statement.columns.size() ? "NOT_ENOUGH_DATA_COLUMNS"
                                                                    : "TOO_MANY_DATA_COLUMNS"),
          fmt::format("Cannot write to {}: {} columns are named, and the query gives {}.",
                      table.full_name(), statement.columns.size(), rows.schema.size()));
    }
    std::string list, names;
    for (size_t i = 0; i < statement.columns.size(); ++i) {
      const bool known = std::any_of(wanted.begin(), wanted.end(), [&](const auto& column) {
        return equal_ignoring_case(column.field.name, statement.columns[i]);
      });
      if (!known) {
        throw Error(
            "UNRESOLVED_COLUMN.WITH_SUGGESTION",
            fmt::format("A column, variable, or function parameter with name `{}` cannot be "
                        "resolved. Did you mean one of the following? [{}].",
                        statement.columns[i], column_list(wanted)));
      }
      rows.schema[i].name = statement.columns[i];
      names += fmt::format("{}{}", i ? ", " : "", sql_name(statement.columns[i]));
    }
    rows.sql = fmt::format("SELECT * FROM ({}) AS t({})", rows.sql, names);
  }
  auto sql = assigned(rows, wanted, table, statement.by_name || !statement.columns.empty());
  if (!fixed.empty()) {
    std::string list;
    for (const auto& column : table.columns) {
      const auto part =
          std::find_if(request.partition.begin(), request.partition.end(),
                       [&](const auto& value) { return value.first == column.field.name; });
      list += list.empty() ? "" : ", ";
      if (part == request.partition.end()) {
        list += sql_name(column.field.name);
        continue;
      }
      const Resolved text{.sql = part->second ? sql_string(*part->second) : "NULL",
                          .type = make_type(part->second ? kString : kNull),
                          .name = column.field.name};
      list += fmt::format("{} AS {}", cast(text, column.field.type, time_zone()).sql,
                          sql_name(column.field.name));
    }
    sql = fmt::format("SELECT {} FROM ({})", list, sql);
  }
  try {
    write_table(table, sql, request);
  } catch (const Error& error) {
    throw error.in(text_of(statement.query));
  }
  return no_rows();
}

proto::Relation EmbeddedExecutor::run(const Rewrite& statement) {
  const auto table = table_entry(statement.table);
  check_writable(table, "UPDATE or DELETE");
  const auto lock = warehouse().lock_rows(table.database, table.name, PathLock::Kind::kExclusive);
  // A new value is stored as the column's type, however it is chosen.
  auto plan = statement.rows;
  auto* changed = plan.has_with_relations() ? plan.mutable_with_relations()->mutable_root() : &plan;
  for (int i = 0; i < changed->with_columns().aliases_size(); ++i) {
    auto& alias = *changed->mutable_with_columns()->mutable_aliases(i);
    auto* value = alias.mutable_expr();
    if (value->unresolved_function().function_name() == "when")
      value = value->mutable_unresolved_function()->mutable_arguments(1);
    const auto& name = alias.name(0);
    const auto& column = column_named(table, name);
    {
      proto::Expression stored;
      *stored.mutable_common() = value->common();
      *stored.mutable_cast()->mutable_expr() = std::move(*value);
      type_to_proto(column.field.type, stored.mutable_cast()->mutable_type());
      *value = std::move(stored);
    }
  }
  const auto rows = lowered(plan);
  WriteRequest request;
  request.mode = WriteMode::kOverwrite;
  write_table(table, assigned(rows, table.columns, table, false), request);
  return no_rows();
}

proto::Relation EmbeddedExecutor::run(const Truncate& statement) {
  const auto table = table_entry(statement.table);
  check_writable(table, "TRUNCATE TABLE");
  const auto lock = warehouse().lock_rows(table.database, table.name, PathLock::Kind::kExclusive);
  if (!statement.partition.empty() && table.partition_by.empty()) {
    throw Error("INVALID_PARTITION_OPERATION.PARTITION_SCHEMA_IS_EMPTY",
                fmt::format("The table {} is not partitioned.", table.full_name()));
  }
  FolderChange change;
  std::error_code absent;
  if (!fs::is_directory(table.location, absent)) return no_rows();
  for (const auto& file : folder_files(table.location)) {
    const auto path = fs::relative(file, table.location).string();
    const auto values = partition_values(path);
    const bool fits =
        std::all_of(statement.partition.begin(), statement.partition.end(), [&](const auto& part) {
          return std::any_of(values.begin(), values.end(), [&](const auto& value) {
            return equal_ignoring_case(value.first, part.column) && value.second == part.value;
          });
        });
    if (fits) change.remove.push_back(path);
  }
  commit_change(table.location, change);
  forget_cached(table);
  return no_rows();
}

/// The table's new rows are a full join of its rows and the source's: each clause is a case of what
/// becomes of a pair, numbered in `action`; 0 keeps the table's row.
proto::Relation EmbeddedExecutor::run(const Merge& statement) {
  const auto& command = statement.command;
  const auto table = table_entry(command.target_table_name());
  check_writable(table, "MERGE INTO");
  constexpr const char *kInTable = "__in_table", *kInSource = "__in_source", *kRow = "__row",
                       *kAction = "__action";
  const auto source_schema = lowered(command.source_table_plan()).schema;

  const auto marked = [&](proto::Relation input, const char* mark, bool numbered) {
    proto::Relation made;
    auto* columns = made.mutable_with_columns();
    auto* flag = columns->add_aliases();
    flag->add_name(mark);
    flag->mutable_expr()->mutable_literal()->set_boolean(true);
    if (numbered) {
      auto* row = columns->add_aliases();
      row->add_name(kRow);
      *row->mutable_expr() = build::call("monotonically_increasing_id", {});
    }
    *columns->mutable_input() = std::move(input);
    return made;
  };
  proto::Relation target;
  target.mutable_read()->mutable_named_table()->set_unparsed_identifier(
      command.target_table_name());
  target = marked(std::move(target), kInTable, true);
  const auto target_name = statement.target_alias.empty() ? table.name : statement.target_alias;
  proto::Relation named_target;
  named_target.mutable_subquery_alias()->set_alias(target_name);
  *named_target.mutable_subquery_alias()->mutable_input() = std::move(target);
  proto::Relation source = command.source_table_plan();
  std::string source_name = "__source";
  if (source.has_subquery_alias()) {
    source_name = source.subquery_alias().alias();
    proto::Relation inner = source.subquery_alias().input();
    source = std::move(inner);
  } else if (source.has_read()) {
    source_name = split_name(source.read().named_table().unparsed_identifier()).back();
  }
  proto::Relation named_source;
  named_source.mutable_subquery_alias()->set_alias(source_name);
  *named_source.mutable_subquery_alias()->mutable_input() =
      marked(std::move(source), kInSource, false);

  proto::Relation joined;
  joined.mutable_join()->set_join_type(proto::Join::JOIN_TYPE_FULL_OUTER);
  *joined.mutable_join()->mutable_left() = std::move(named_target);
  *joined.mutable_join()->mutable_right() = std::move(named_source);
  *joined.mutable_join()->mutable_join_condition() = command.merge_condition();

  // Which clause a row falls under: the first of its kind whose condition holds.
  std::vector<const proto::MergeAction*> actions;
  std::vector<proto::Expression> cases;
  const auto add = [&](const auto& clauses, bool in_table, bool in_source) {
    for (const auto& clause : clauses) {
      const auto& action = clause.merge_action();
      actions.push_back(&action);
      const auto there = [&](const char* mark, bool wanted) {
        return build::call(wanted ? "isnotnull" : "isnull", {build::attribute(mark)});
      };
      auto condition = build::call("and", {there(kInTable, in_table), there(kInSource, in_source)});
      if (action.has_condition()) condition = build::call("and", {condition, action.condition()});
      cases.push_back(std::move(condition));
      cases.push_back(build::integer(static_cast<int>(actions.size())));
    }
  };
  add(command.match_actions(), true, true);
  add(command.not_matched_actions(), false, true);
  add(command.not_matched_by_source_actions(), true, false);
  cases.push_back(build::call("when", {build::call("isnotnull", {build::attribute(kInTable)}),
                                       build::integer(0), build::integer(-1)}));
  proto::Relation decided;
  auto* action_column = decided.mutable_with_columns()->add_aliases();
  action_column->add_name(kAction);
  *action_column->mutable_expr() = build::call("when", cases);
  *decided.mutable_with_columns()->mutable_input() = std::move(joined);

  // A row of the table that several of the source would change is an error.
  const auto matches = lowered(decided);
  if (!command.match_actions().empty()) {
    const auto twice = database_.rows(fmt::format(
        "SELECT 1 FROM ({}) WHERE {} IS NOT NULL AND {} IS NOT NULL AND {} > 0 GROUP BY "
        "{} HAVING count(*) > 1 LIMIT 1",
        matches.sql, sql_name(kInTable), sql_name(kInSource), sql_name(kAction), sql_name(kRow)));
    if (!twice.empty()) {
      throw Error("MERGE_CARDINALITY_VIOLATION",
                  "The ON search condition of the MERGE statement matched a single row from the "
                  "target table with multiple rows of the source table. This could result in the "
                  "target row being operated on more than once with an update or delete operation "
                  "and is not allowed.");
    }
  }

  const auto source_column = [&](const std::string& name) {
    return build::attribute(quoted({source_name, name}));
  };
  proto::Relation changed;
  for (const auto& column : table.columns) {
    const auto& name = column.field.name;
    const auto own = build::attribute(quoted({target_name, name}));
    std::vector<proto::Expression> values;
    for (size_t i = 0; i < actions.size(); ++i) {
      std::optional<proto::Expression> value;
      const auto type = actions[i]->action_type();
      const bool star = type == proto::MergeAction::ACTION_TYPE_UPDATE_STAR ||
                        type == proto::MergeAction::ACTION_TYPE_INSERT_STAR;
      const bool there =
          std::any_of(source_schema.begin(), source_schema.end(),
                      [&](const Field& f) { return equal_ignoring_case(f.name, name); });
      if (star && there) value = source_column(name);
      for (const auto& assignment : actions[i]->assignments()) {
        // PySpark gives the column as the text of an expression.
        const auto key =
            assignment.key().has_expression_string()
                ? firesteel::parse_expression(assignment.key().expression_string().expression())
                : assignment.key();
        const auto parts = split_name(key.unresolved_attribute().unparsed_identifier());
        if (equal_ignoring_case(parts.back(), name)) value = assignment.value();
      }
      if (!value && type == proto::MergeAction::ACTION_TYPE_INSERT) {
        value.emplace();
        if (column.default_sql.empty()) {
          value->mutable_literal()->mutable_null()->mutable_null();
        } else {
          *value = firesteel::parse_expression(column.default_sql);
        }
      }
      if (!value) continue;
      proto::Expression cast_value;
      *cast_value.mutable_cast()->mutable_expr() = std::move(*value);
      type_to_proto(column.field.type, cast_value.mutable_cast()->mutable_type());
      values.push_back(
          build::call("==", {build::attribute(kAction), build::integer(static_cast<int>(i + 1))}));
      values.push_back(std::move(cast_value));
    }
    values.push_back(own);
    *changed.mutable_project()->add_expressions() =
        build::alias(values.size() == 1 ? own : build::call("when", std::move(values)), name);
  }
  proto::Relation kept;
  const auto is_not = [&](int action) {
    return build::call("not",
                       {build::call("==", {build::attribute(kAction), build::integer(action)})});
  };
  auto stays = is_not(-1);
  for (size_t i = 0; i < actions.size(); ++i) {
    if (actions[i]->action_type() != proto::MergeAction::ACTION_TYPE_DELETE) continue;
    stays = build::call("and", {stays, is_not(static_cast<int>(i + 1))});
  }
  *kept.mutable_filter()->mutable_condition() = std::move(stays);
  *kept.mutable_filter()->mutable_input() = std::move(decided);
  *changed.mutable_project()->mutable_input() = std::move(kept);
  return run(Rewrite{.table = command.target_table_name(), .rows = std::move(changed)});
}

}  // namespace firesteel
