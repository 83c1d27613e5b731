// Catalog objects as JSON files: <warehouse>/.firesteel/<database>/{database.json, table/…,
// function/…}.
#include "engine/warehouse.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"

namespace firesteel {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* kDefault = "default";

/// A name as a file's: anything but letters, digits, _ and - as %XX.
std::string file_name(const std::string& name) {
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    out += std::isalnum(byte) || c == '_' || c == '-' ? std::string(1, c)
                                                      : fmt::format("%{:02X}", byte);
  }
  return out;
}

std::string name_of_file(const std::string& file) {
  std::string out;
  for (size_t i = 0; i < file.size(); ++i) {
    if (file[i] == '%' && i + 2 < file.size()) {
      out += static_cast<char>(std::stoi(file.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      out += file[i];
    }
  }
  return out;
}

json to_json(const std::vector<ColumnDefinition>& columns) {
  json list = json::array();
  for (const auto& column : columns) {
    list.push_back({{"name", column.field.name},
                    {"type", column.field.type.sql()},
                    {"nullable", column.field.nullable},
                    {"declared", column.declared},
                    {"comment", column.comment},
                    {"default", column.default_sql}});
  }
  return list;
}

std::vector<ColumnDefinition> columns_from(const json& list) {
  std::vector<ColumnDefinition> columns;
  for (const auto& item : list) {
    ColumnDefinition column;
    column.field.name = item.at("name");
    column.field.nullable = item.at("nullable");
    column.declared = item.at("declared");
    const std::string type = item.at("type");
    if (!type.empty()) column.field.type = parse_type(type);
    column.comment = item.at("comment");
    column.default_sql = item.at("default");
    columns.push_back(std::move(column));
  }
  return columns;
}

json to_json(const DatabaseEntry& database) {
  return {{"name", database.name},
          {"comment", database.comment},
          {"location", database.location},
          {"properties", database.properties}};
}

json to_json(const TableEntry& table) {
  return {{"database", table.database},
          {"name", table.name},
          {"kind", static_cast<int>(table.kind)},
          {"provider", table.provider},
          {"location", table.location},
          {"comment", table.comment},
          {"columns", to_json(table.columns)},
          {"partition_by", table.partition_by},
          {"options", table.options},
          {"properties", table.properties},
          {"view_text", table.view_text},
          {"view_database", table.view_database},
          {"created", table.created}};
}

TableEntry table_from(const json& item) {
  return {.database = item.at("database"),
          .name = item.at("name"),
          .kind = static_cast<TableKind>(item.at("kind").get<int>()),
          .provider = item.at("provider"),
          .location = item.at("location"),
          .comment = item.at("comment"),
          .columns = columns_from(item.at("columns")),
          .partition_by = item.at("partition_by"),
          .options = item.at("options"),
          .properties = item.at("properties"),
          .view_text = item.at("view_text"),
          .view_database = item.at("view_database"),
          .created = item.at("created")};
}

/// The object in a file; nothing when there is none.
std::optional<json> read_object(const fs::path& path) {
  if (!fs::exists(path)) return std::nullopt;
  try {
    return json::parse(read_file(path));
  } catch (const json::exception& error) {
    throw Error("CATALOG_DAMAGED", fmt::format("The catalog's file {} is damaged: {}. Restore it, "
                                               "or remove it and create the object again.",
                                               path.string(), error.what()));
  }
}

}  // namespace

Schema TableEntry::schema() const {
  Schema schema;
  for (const auto& column : columns) schema.push_back(column.field);
  return schema;
}

std::string TableEntry::full_name() const {
  return fmt::format("`spark_catalog`.`{}`.`{}`", database, name);
}

Error table_exists(const std::string& database, const std::string& name) {
  return Error(
      "TABLE_OR_VIEW_ALREADY_EXISTS",
      fmt::format(
          "Cannot create table or view `spark_catalog`.`{}`.`{}` because it already exists. Choose "
          "a different name, drop or replace the existing object, or add the IF "
          "NOT EXISTS clause to tolerate pre-existing objects.",
          database, name));
}

fs::path Warehouse::file(const std::string& database, const std::string& kind,
                         const std::string& name) const {
  return folder_ / ".firesteel" / file_name(database) / kind / (file_name(name) + ".json");
}

std::vector<std::string> Warehouse::names(const std::string& database,
                                          const std::string& kind) const {
  std::vector<std::string> out;
  std::error_code absent;
  for (const auto& entry :
       fs::directory_iterator(folder_ / ".firesteel" / file_name(database) / kind, absent)) {
    if (entry.path().extension() == ".json")
      out.push_back(name_of_file(entry.path().stem().string()));
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::string> Warehouse::databases() const {
  std::vector<std::string> out = {kDefault};
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(folder_ / ".firesteel", absent)) {
    const auto name = name_of_file(entry.path().filename().string());
    if (name != kDefault && fs::exists(entry.path() / "database.json")) out.push_back(name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::optional<DatabaseEntry> Warehouse::database(const std::string& name) const {
  const auto item = read_object(folder_ / ".firesteel" / file_name(name) / "database.json");
  if (!item && name == kDefault) {
    return DatabaseEntry{.name = kDefault,
                         .comment = "default database",
                         .location = fs::absolute(folder_).lexically_normal().string()};
  }
  if (!item) return std::nullopt;
  return DatabaseEntry{.name = item->at("name"),
                       .comment = item->at("comment"),
                       .location = item->at("location"),
                       .properties = item->at("properties")};
}

void Warehouse::save(const DatabaseEntry& database) const {
  const auto path = folder_ / ".firesteel" / file_name(database.name) / "database.json";
  fs::create_directories(path.parent_path());
  write_file_aside(path, to_json(database).dump(1));
}

void Warehouse::drop_database(const std::string& name) const {
  const auto folder = folder_ / ".firesteel" / file_name(name);
  fs::remove(folder / "database.json");
  fs::remove_all(folder);
}

std::vector<std::string> Warehouse::tables(const std::string& database) const {
  return names(database, "table");
}

std::optional<TableEntry> Warehouse::table(const std::string& database,
                                           const std::string& name) const {
  const auto item = read_object(file(database, "table", name));
  if (!item) return std::nullopt;
  return table_from(*item);
}

void Warehouse::save(const TableEntry& table, bool replace) const {
  const auto path = file(table.database, "table", table.name);
  fs::create_directories(path.parent_path());
  const PathLock lock(path.parent_path(), PathLock::Kind::kExclusive);
  if (!replace && fs::exists(path)) throw table_exists(table.database, table.name);
  write_file_aside(path, to_json(table).dump(1));
}

void Warehouse::drop_table(const std::string& database, const std::string& name) const {
  fs::remove(file(database, "table", name));
}

PathLock Warehouse::lock_rows(const std::string& database, const std::string& name,
                              PathLock::Kind kind) const {
  return PathLock(file(database, "table", name), kind);
}

std::vector<std::string> Warehouse::functions(const std::string& database) const {
  return names(database, "function");
}

std::optional<FunctionEntry> Warehouse::function(const std::string& database,
                                                 const std::string& name) const {
  const auto item = read_object(file(database, "function", name));
  if (!item) return std::nullopt;
  FunctionEntry entry{.database = database, .name = name, .function = {}};
  entry.function.name = name;
  entry.function.parameters = columns_from(item->at("parameters"));
  entry.function.returns = item->at("returns");
  entry.function.table = item->at("table");
  entry.function.body = item->at("body");
  entry.function.comment = item->at("comment");
  entry.function.python = item->value("python", false);
  entry.function.handler = item->value("handler", "");
  return entry;
}

void Warehouse::save(const FunctionEntry& entry) const {
  const auto path = file(entry.database, "function", entry.name);
  fs::create_directories(path.parent_path());
  write_file_aside(path, json{{"parameters", to_json(entry.function.parameters)},
                              {"returns", entry.function.returns},
                              {"table", entry.function.table},
                              {"body", entry.function.body},
                              {"comment", entry.function.comment},
                              {"python", entry.function.python},
                              {"handler", entry.function.handler}}
                             .dump(1));
}

void Warehouse::drop_function(const std::string& database, const std::string& name) const {
  fs::remove(file(database, "function", name));
}

}  // namespace firesteel
