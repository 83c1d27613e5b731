// What names mean: temporary views, tables, persistent views, functions, variables; and what is
// read of files.
#include "plan/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "engine/commit.h"
#include "engine/embedded.h"
#include "functions/coercion.h"

// Clients of Spark 3 give the arguments of SQL in fields that are deprecated.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kKeptTextBytesMax = 64 << 20;

[[noreturn]] void schema_not_found(const std::string& name) {
  throw Error(
      "SCHEMA_NOT_FOUND",
      fmt::format("The schema `spark_catalog`.`{}` cannot be found. Verify the spelling and "
                  "correctness of the schema and catalog.",
                  name));
}

Schema schema_of(const std::vector<ColumnDefinition>& columns) {
  Schema schema;
  for (const auto& column : columns) schema.push_back(column.field);
  return schema;
}

Routine routine_of(std::string name, const CreateFunction& function, NameScope scope) {
  Routine routine{.name = std::move(name),
                  .parameters = schema_of(function.parameters),
                  .defaults = {},
                  .returns = {},
                  .columns = {},
                  .table = function.table,
                  .body = function.body,
                  .python = function.python ? python_command(function) : "",
                  .scope = std::move(scope)};
  for (const auto& parameter : function.parameters)
    routine.defaults.push_back(parameter.default_sql);
  if (!function.returns.empty() && function.table)
    routine.columns = parse_schema(function.returns);
  else if (!function.returns.empty())
    routine.returns = parse_type(function.returns);
  return routine;
}

}  // namespace

void check_new_name(const std::string& name) {
  const bool valid = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return c < 0x80 && (std::isalnum(c) || c == '_');
  });
  if (valid) return;
  throw Error("INVALID_SCHEMA_OR_RELATION_NAME",
              fmt::format("`{}` is not a valid name for tables/schemas. Valid names only contain "
                          "alphabet characters, numbers and _.",
                          name));
}

Warehouse EmbeddedExecutor::warehouse() { return Warehouse(config("spark.sql.warehouse.dir")); }

std::string EmbeddedExecutor::current_database() {
  std::lock_guard lock(mutex_);
  return current_database_;
}

EmbeddedExecutor::TableName EmbeddedExecutor::table_name(const std::vector<std::string>& parts) {
  if (parts.size() > 3 || (parts.size() == 3 && lower_case(parts[0]) != "spark_catalog")) {
    throw Error("TABLE_OR_VIEW_NOT_FOUND",
                fmt::format("The table or view {} cannot be found: the one catalog is "
                            "`spark_catalog`.",
                            quoted(parts)));
  }
  return {parts.size() == 1 ? current_database() : lower_case(parts[parts.size() - 2]),
          lower_case(parts.back())};
}

EmbeddedExecutor::TableName EmbeddedExecutor::table_name(const SqlName& name) {
  return table_name(split_name(name));
}

DatabaseEntry EmbeddedExecutor::database_entry(const std::string& name) {
  auto entry = warehouse().database(name);
  if (!entry) schema_not_found(name);
  return *entry;
}

TableEntry EmbeddedExecutor::table_entry(const SqlName& name) {
  const auto [database, table] = table_name(name);
  auto entry = warehouse().table(database, table);
  if (!entry) {
    throw table_not_found(split_name(name), current_database(),
                          nearest_name(table, warehouse().tables(database)));
  }
  return *entry;
}

std::string EmbeddedExecutor::temporary_key(const std::vector<std::string>& parts) {
  if (parts.size() == 1) return lower_case(parts[0]);
  if (parts.size() == 2 && lower_case(parts[0]) == kGlobalViews)
    return fmt::format("{}.{}", kGlobalViews, lower_case(parts[1]));
  return "";
}

std::optional<NamedRelation> EmbeddedExecutor::relation(const std::vector<std::string>& name,
                                                        const NameScope& scope) {
  if (name.back().starts_with("__session")) {
    std::lock_guard lock(mutex_);
    const auto found = held_.find(name.back());
    if (found != held_.end()) return NamedRelation{found->second, nullptr, {}, {name.back()}};
  }
  // Imported rows, and those that a statement keeps for itself.
  if (name.back().starts_with(prefix_)) {
    Scan scan{.from = sql_name(name.back()), .columns = {}};
    for (auto& column : database_.describe("SELECT * FROM " + scan.from))
      scan.columns.push_back({{column.name, column.type, true}, column.sql});
    return NamedRelation{std::move(scan), nullptr, {}, {name.back()}};
  }
  const auto key = temporary_key(name);
  if (!key.empty() && scope.temporary) {
    std::unique_lock lock(mutex_);
    if (const auto cached = cached_.find(key); cached != cached_.end()) {
      if (!cached->second.scan) {
        const auto plan = cached->second.plan;
        lock.unlock();
        const auto rows = lowered(plan);
        Scan scan{.from = "(" + rows.sql + ")", .columns = {}};
        for (const auto& field : rows.schema) scan.columns.push_back({field, sql_name(field.name)});
        scan = kept(scan);
        lock.lock();
        cached_[key].scan = scan;
      }
      return NamedRelation{cached_[key].scan, nullptr, {}, {name.back()}};
    }
    if (const auto found = views(key).find(key)) {
      NamedRelation view;
      view.view = found->plan;
      if (found->owner.get() != this) view.environment = found->owner;
      view.scope.database = current_database_;
      view.qualifiers = name;
      return view;
    }
  }
  if (name.size() > 3) return std::nullopt;
  auto full = name;
  if (full.size() == 1) full.insert(full.begin(), scope.database);
  const auto [database, table] = table_name(full);
  {
    std::unique_lock lock(mutex_);
    const auto cached = cached_.find(database + "." + table);
    if (cached != cached_.end() && cached->second.scan) {
      return NamedRelation{cached->second.scan, nullptr, {}, {"spark_catalog", database, table}};
    }
  }
  const auto entry = warehouse().table(database, table);
  if (!entry) return std::nullopt;
  if (entry->kind == TableKind::kView) return view_relation(*entry);
  auto scan = scan_table(*entry);
  bool caches = false;
  {
    std::lock_guard lock(mutex_);
    caches = cached_.contains(database + "." + table);
  }
  if (caches) {
    scan = kept(scan);
    std::lock_guard lock(mutex_);
    cached_[database + "." + table].scan = scan;
  }
  return NamedRelation{std::move(scan), nullptr, {}, {"spark_catalog", database, table}};
}

NamedRelation EmbeddedExecutor::view_relation(const TableEntry& view) {
  std::lock_guard lock(mutex_);
  std::string names;
  for (const auto& column : view.columns) names += "\n" + column.field.name;
  auto& plan = parsed_views_[view.view_text + names];
  if (!plan) {
    auto made = std::make_shared<proto::Relation>();
    auto* renamed = made->mutable_to_df();
    *renamed->mutable_input() = firesteel::parse_query(view.view_text);
    for (const auto& column : view.columns) renamed->add_column_names(column.field.name);
    plan = std::move(made);
  }
  return {{},
          plan,
          {.database = view.view_database, .temporary = false},
          {"spark_catalog", view.database, view.name}};
}

std::vector<std::string> EmbeddedExecutor::relation_names(const NameScope& scope) {
  auto names = warehouse().tables(scope.database);
  for (auto& name : views_.names()) names.push_back(std::move(name));
  return names;
}

std::optional<Routine> EmbeddedExecutor::routine(const std::vector<std::string>& name,
                                                 const NameScope& scope) {
  if (name.size() == 1 && scope.temporary) {
    std::lock_guard lock(mutex_);
    const auto found = functions_.find(lower_case(name[0]));
    if (found != functions_.end()) return routine_of(name[0], found->second, scope);
  }
  if (name.size() == 1) {
    if (auto native = database_.function(name[0]))
      return Routine{.name = name[0],
                     .parameters = std::move(native->parameters),
                     .returns = std::move(native->returns),
                     .native = std::move(native->sql)};
  }
  if (name.size() > 3) return std::nullopt;
  auto full = name;
  if (full.size() == 1) full.insert(full.begin(), scope.database);
  const auto [database, function] = table_name(full);
  const auto entry = warehouse().function(database, function);
  if (!entry) return std::nullopt;
  return routine_of("spark_catalog." + database + "." + function, entry->function,
                    {.database = database, .temporary = false});
}

std::optional<Resolved> EmbeddedExecutor::variable(const std::vector<std::string>& name) {
  // v, session.v, system.session.v
  const bool qualified = name.size() == 1 || lower_case(name[name.size() - 2]) == "session";
  if (name.size() > 3 || !qualified) return std::nullopt;
  std::lock_guard lock(mutex_);
  const auto found = variables_.find(lower_case(name.back()));
  if (found == variables_.end()) return std::nullopt;
  return Resolved{.sql = fmt::format("(SELECT v FROM {})", sql_name(found->second.table)),
                  .type = found->second.type,
                  .name = name.back()};
}

SourceRequest EmbeddedExecutor::request_for(const std::string& format, Properties options) {
  SourceRequest request{.format = lower_case(format.empty() ? "parquet" : format),
                        .paths = {},
                        .options = {},
                        .schema = {},
                        .time_zone = time_zone()};
  for (auto& [key, value] : options) request.options[lower_case(key)] = value;
  return request;
}

Scan EmbeddedExecutor::source(const proto::Read_DataSource& source, bool runs) {
  if (const auto python = python_source(source.format())) {
    PythonSourceWorker worker(*python, python_session());
    const auto made = describe_python(worker, source);
    const auto planned = runs ? worker.plan(made) : PythonSourceWorker::Planned();
    return worker.scan(made.schema, planned, database_.threads());
  }
  auto request = request_for(source.format(), {source.options().begin(), source.options().end()});
  request.paths = {source.paths().begin(), source.paths().end()};
  if (const auto path = request.options.find("path");
      path != request.options.end() && request.paths.empty()) {
    request.paths.push_back(path->second);
  }
  if (!source.schema().empty()) request.schema = parse_schema(source.schema());
  return scanned(request);
}

/// A source is asked about for every plan over it: what was found is kept while its files are the
/// same.
Scan EmbeddedExecutor::scanned(const SourceRequest& request) {
  std::string key = request.format + " " + struct_type(request.schema).sql() + " " +
                    struct_type(request.partition_schema.value_or(Schema())).sql() + " " +
                    request.time_zone;
  std::string state;
  for (const auto& path : request.paths) key += "\n" + path;
  for (const auto& [option, value] : request.options) key += "\n" + option + "=" + value;
  uint64_t bytes = 0;
  for (const auto& path : request.paths) {
    for (const auto& file : expand_path(path)) {
      std::error_code ignored;
      bytes += fs::file_size(file, ignored);
      state += fmt::format("{} {} {}\n", file, fs::file_size(file, ignored),
                           fs::last_write_time(file, ignored).time_since_epoch().count());
    }
  }
  {
    std::lock_guard lock(mutex_);
    const auto found = scans_.find(key);
    if (found != scans_.end() && found->second.first == state) return found->second.second;
  }
  auto scan = scan_source(request, database_);
  // Text is parsed once: a plan may read the same file several times. What is malformed where
  // nothing may be is an error of the query.
  const bool text = request.format == "csv" || request.format == "json";
  if (text && bytes < kKeptTextBytesMax) {
    try {
      scan = kept(scan);
    } catch (const Error&) {
    }
  }
  std::lock_guard lock(mutex_);
  scans_[key] = {state, scan};
  return scan;
}

Scan EmbeddedExecutor::scan_table(const TableEntry& table) {
  const auto schema = table.schema();
  std::error_code absent;
  if (!fs::is_directory(table.location, absent) || folder_files(table.location).empty()) {
    Scan none{.from = "(SELECT 1 WHERE false)", .columns = {}};
    for (const auto& field : schema)
      none.columns.push_back({field, fmt::format("CAST(NULL AS {})", duckdb_type(field.type))});
    return none;
  }
  auto request = request_for(table.provider, table.options);
  request.paths = {table.location};
  request.schema = schema;
  request.partition_schema =
      Schema(schema.end() - static_cast<long>(table.partition_by.size()), schema.end());
  auto scan = scanned(request);
  for (size_t i = 0; i < scan.columns.size() && i < schema.size(); ++i)
    scan.columns[i].field.nullable = schema[i].nullable;
  return scan;
}

Scan EmbeddedExecutor::parsed(const proto::Parse& parse, const std::string& sql) {
  const char* format = parse.format() == proto::Parse::PARSE_FORMAT_CSV    ? "csv"
                       : parse.format() == proto::Parse::PARSE_FORMAT_JSON ? "json"
                       : parse.format() == proto::Parse::PARSE_FORMAT_XML  ? "xml"
                                                                           : nullptr;
  if (!format)
    throw Error("UNSUPPORTED_FEATURE.PARSE_FORMAT", "Texts are read as CSV, JSON and XML here.");
  auto request = request_for(format, {parse.options().begin(), parse.options().end()});
  request.records = sql;
  if (parse.has_schema()) request.schema = *type_from_proto(parse.schema()).fields;
  return scan_texts(request, database_);
}

std::optional<std::string> EmbeddedExecutor::evaluate(const std::string& sql) {
  return database_.rows("SELECT " + sql).at(0).at(0);
}

SqlParameters parameters_of(const proto::SQL& sql) {
  SqlParameters parameters;
  for (const auto& [name, value] : sql.args()) *parameters.named[name].mutable_literal() = value;
  for (const auto& value : sql.pos_args())
    *parameters.positional.emplace_back().mutable_literal() = value;
  for (const auto& [name, value] : sql.named_arguments()) parameters.named[name] = value;
  for (const auto& value : sql.pos_arguments()) parameters.positional.push_back(value);
  return parameters;
}

namespace {
std::atomic<int32_t> resource_profiles = 0;  // of all sessions, as in Spark; 0 is the default's
}

int32_t EmbeddedExecutor::add_resource_profile() { return ++resource_profiles; }

void EmbeddedExecutor::check_resource_profile(int32_t id) {
  if (id < 0 || id > resource_profiles) {
    throw Error("RESOURCE_PROFILE_NOT_FOUND",
                fmt::format("ResourceProfileId {} not found! Make the profile in this server first "
                            "(ResourceProfileBuilder).",
                            id));
  }
}

proto::Relation EmbeddedExecutor::parse_query(const proto::SQL& sql) {
  return firesteel::parse_query(sql.query(), parameters_of(sql));
}

proto::Expression EmbeddedExecutor::parse_expression(std::string_view sql) {
  return firesteel::parse_expression(sql);
}

}  // namespace firesteel
