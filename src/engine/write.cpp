// Spark's folder of part files and its save modes. A failed write leaves nothing behind.
#include "engine/write.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "engine/commit.h"
#include "engine/orc.h"
#include "engine/sources.h"
#include "functions/coercion.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

/// A folder beside the target that is removed unless it was renamed away.
struct Aside {
  fs::path path;
  ~Aside() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

std::string unique_suffix() {
  static std::atomic<int> counter{0};
  return fmt::format("{}-{}", ::getpid(), counter++);
}

std::string option(const WriteRequest& request, const char* name, const std::string& otherwise) {
  const auto found = request.options.find(name);
  return found == request.options.end() ? otherwise : found->second;
}

bool is_text(const WriteRequest& request) {
  return request.format == "csv" || request.format == "json" || request.format == "text" ||
         request.format == "xml";
}

/// How DuckDB and files' names call the codec.
struct Codec {
  std::string name, suffix;
};

Codec codec_of(const WriteRequest& request) {
  static const std::map<std::string, Codec> of_text = {{"none", {"none", ""}},
                                                       {"uncompressed", {"none", ""}},
                                                       {"gzip", {"gzip", ".gz"}},
                                                       {"zstd", {"zstd", ".zst"}}};
  static const std::map<std::string, Codec> of_parquet = {
      {"none", {"uncompressed", ""}},      {"uncompressed", {"uncompressed", ""}},
      {"snappy", {"snappy", "snappy."}},   {"gzip", {"gzip", "gz."}},
      {"zstd", {"zstd", "zstd."}},         {"lz4", {"lz4_raw", "lz4."}},
      {"lz4_raw", {"lz4_raw", "lz4raw."}}, {"brotli", {"brotli", "br."}}};
  static const std::map<std::string, Codec> of_orc = {{"none", {"none", ""}},
                                                      {"uncompressed", {"none", ""}},
                                                      {"snappy", {"snappy", "snappy."}},
                                                      {"zlib", {"zlib", "zlib."}},
                                                      {"zstd", {"zstd", "zstd."}},
                                                      {"lz4", {"lz4", "lz4."}}};
  static const std::map<std::string, Codec> of_xml = {{"none", {"none", ""}},
                                                      {"uncompressed", {"none", ""}}};
  const auto& known = request.format == "xml"   ? of_xml
                      : is_text(request)        ? of_text
                      : request.format == "orc" ? of_orc
                                                : of_parquet;
  auto name = option(request, "compression",
                     option(request, request.format == "orc" ? "orc.compress" : "codec",
                            option(request, "parquet.compression",
                                   is_text(request)          ? "none"
                                   : request.format == "orc" ? "zstd"
                                                             : "snappy")));
  std::transform(name.begin(), name.end(), name.begin(), ::tolower);
  const auto found = known.find(name);
  if (found != known.end()) return found->second;
  std::string names;
  for (const auto& [codec, ignored] : known) names += (names.empty() ? "" : ", ") + codec;
  throw Error("CODEC_NOT_AVAILABLE.WITH_AVAILABLE_CODECS_SUGGESTION",
              fmt::format("The codec {} is not available for {}. Available codecs are {}.", name,
                          request.format, names));
}

/// The columns that stand in the files: all but the partitions'.
Schema file_schema(const WriteRequest& request) {
  Schema schema = request.schema;
  std::erase_if(schema, [&](const Field& field) {
    return std::find(request.partition_by.begin(), request.partition_by.end(), field.name) !=
           request.partition_by.end();
  });
  return schema;
}

/// A row as one text, as to_csv and to_json write it.
std::string line_of(const WriteRequest& request) {
  const auto schema = file_schema(request);
  if (request.format == "text") {
    if (schema.size() != 1 || schema[0].type.kind != TypeKind::kString) {
      throw Error(
          "UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE",
          fmt::format("The Text datasource writes one column of the type \"STRING\", not {}.",
                      struct_type(schema).simple_string()));
    }
    return fmt::format("coalesce({}, '')", sql_name(schema[0].name));
  }
  std::string fields, options;
  for (const auto& field : schema) {
    const bool holds = field.type.is_nested() || field.type.kind == TypeKind::kVariant;
    if (request.format == "csv" && holds) {
      throw Error("UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE",
                  fmt::format("The CSV datasource doesn't support the column `{}` of the type "
                              "\"{}\".",
                              field.name, field.type.sql()));
    }
    fields += fmt::format("{}{} := {}", fields.empty() ? "" : ", ", sql_name(field.name),
                          sql_name(field.name));
  }
  for (const auto& [name, value] : request.options) options += name + '\x1f' + value + '\x1f';
  return fmt::format("spark_to_{}(struct_pack({}), {}, {}, {})", request.format, fields,
                     sql_string(struct_type(schema).sql()), sql_string(options),
                     sql_string(request.time_zone));
}

/// The header's line: names as to_csv writes them.
std::string header_of(const WriteRequest& request, Database& database) {
  WriteRequest names{
      .sql = {}, .schema = {}, .format = "csv", .path = {}, .options = request.options};
  std::string list;
  for (const auto& field : file_schema(request)) {
    names.schema.push_back({field.name, make_type(TypeKind::kString), false});
    list += fmt::format("{}{} AS {}", list.empty() ? "" : ", ", sql_string(field.name),
                        sql_name(field.name));
  }
  return database.rows(fmt::format("SELECT {} FROM (SELECT {})", line_of(names), list))
      .at(0)
      .at(0)
      .value_or("");
}

constexpr const char* kChunk = "__chunk";  // of at most maxRecordsPerFile rows

int64_t max_records(const WriteRequest& request) {
  const auto text = option(request, "maxrecordsperfile", "0");
  try {
    return std::stoll(text);
  } catch (const std::exception&) {
    throw Error("INVALID_OPTION",
                fmt::format("The option `maxRecordsPerFile` takes a number, not '{}'.", text));
  }
}

constexpr const char* kNullPartition = "__HIVE_DEFAULT_PARTITION__";

std::string partition_folder(const std::string& column, const std::optional<std::string>& value) {
  std::string out = column + "=";
  for (const char c : value.value_or(kNullPartition)) {
    const auto byte = static_cast<unsigned char>(c);
    const bool escaped =
        byte < 0x20 || std::string_view("\"#%'*/:=?\\\x7f{[]^").find(c) != std::string_view::npos;
    out += escaped ? fmt::format("%{:02X}", byte) : std::string(1, c);
  }
  return out;
}

using Partition = std::vector<std::pair<std::string, std::optional<std::string>>>;

bool fits_partition(const Partition& values, const Partition& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& part) {
    return std::find(values.begin(), values.end(), part) != values.end();
  });
}

/// Moments are stored as such: Parquet then says that they are in UTC.
std::string stored_columns(const Schema& schema, const WriteRequest& request) {
  std::string list;
  for (const auto& field : schema) {
    const auto name = sql_name(field.name);
    list += list.empty() ? "" : ", ";
    if (std::find(request.partition_by.begin(), request.partition_by.end(), field.name) !=
            request.partition_by.end() &&
        field.type.is_datetime()) {  // folders are named by the text that Spark prints
      const Resolved value{.sql = name, .type = field.type};
      list += fmt::format("{} AS {}",
                          cast(value, make_type(TypeKind::kString), request.time_zone).sql, name);
      continue;
    }
    list += field.type.kind == TypeKind::kTimestamp
                ? fmt::format("make_timestamptz(epoch_us({0})) AS {0}", name)
                : name;
  }
  return list;
}

/// The columns whose values become folders.
std::vector<std::string> folder_columns(const WriteRequest& request) {
  auto columns = request.partition_by;
  if (max_records(request) > 0) columns.push_back(kChunk);
  return columns;
}

std::string name_list(const std::vector<std::string>& names) {
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ", ") + sql_name(name);
  return list;
}

/// What is written, by DuckDB's own COPY: text as lines that stand as they are.
std::string copy_sql(const WriteRequest& request, const fs::path& out, Database& database) {
  const auto codec = codec_of(request);
  std::string rows = request.sql, columns = stored_columns(request.schema, request), options;
  if (const auto most = max_records(request); most > 0) {
    rows = fmt::format("SELECT *, (row_number() OVER () - 1) // {} AS {} FROM ({})", most, kChunk,
                       rows);
    columns += fmt::format(", {}", kChunk);
  }
  if (is_text(request)) {
    const bool header = request.format == "csv" && option(request, "header", "false") == "true";
    columns = fmt::format("{} AS {}", line_of(request),
                          sql_name(header ? header_of(request, database) : "value"));
    for (const auto& column : folder_columns(request)) columns += ", " + sql_name(column);
    options = fmt::format(
        "FORMAT CSV, HEADER {}, QUOTE '', ESCAPE '', DELIMITER '', NULLSTR '', "
        "NEW_LINE {}, COMPRESSION {}",
        header, sql_string(option(request, "linesep", "\n")), codec.name);
  } else {
    options = fmt::format("FORMAT PARQUET, COMPRESSION {}", codec.name);
  }
  if (const auto folders = folder_columns(request); !folders.empty()) {
    options += fmt::format(", PARTITION_BY ({}), OVERWRITE_OR_IGNORE true", name_list(folders));
    if (is_text(request))
      options += fmt::format(", FILE_EXTENSION '{}{}'", request.format, codec.suffix);
  }
  return fmt::format("COPY (SELECT {} FROM ({})) TO {} ({})", columns, rows,
                     sql_string(out.string()), options);
}

/// The rows of XML files within an element.
void enclose_rows(const fs::path& folder, const std::string& root) {
  for (const auto& path : folder_files(folder)) {
    const auto rows = fs::path(path).string() + ".rows";
    fs::rename(path, rows);
    std::ifstream in(rows, std::ios::binary);
    std::ofstream out(path, std::ios::binary);
    out << "<" << root << ">\n";
    if (in.peek() != std::ifstream::traits_type::eof()) out << in.rdbuf();
    out << "</" << root << ">\n";
    out.close();
    fs::remove(rows);
    if (!out) throw Error("DISK_FULL", fmt::format("{} could not be written whole.", path));
  }
}

/// DuckDB escapes more characters in the folders' names than Spark does.
void respell_folders(const fs::path& folder) {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  for (const auto& path : folders) {
    respell_folders(path);
    const auto values = partition_values(path.filename().string() + "/");
    if (values.empty()) continue;
    const auto name = partition_folder(values[0].first, values[0].second);
    if (name != path.filename()) fs::rename(path, folder / name);
  }
}

/// The file of each chunk beside its folder, as part-00001-….
void flatten_chunks(const fs::path& folder, const std::string& suffix) {
  for (const auto& file : folder_files(folder)) {
    const auto chunk = fs::path(file).parent_path();
    const auto number = chunk.filename().string().substr(std::string(kChunk).size() + 1);
    fs::rename(file, chunk.parent_path() / fmt::format("part-{:0>5}-{}-{}", number, suffix,
                                                       fs::path(file).filename().string()));
    std::error_code not_empty;
    fs::remove(chunk, not_empty);
  }
}

/// ORC is written by Arrow, partition by partition.
void write_orc_files(const WriteRequest& request, const fs::path& folder, const std::string& name,
                     Database& database) {
  const auto codec = codec_of(request).name;
  Schema schema = file_schema(request);
  const auto query = [&](const std::string& where) {
    return database.query(
        fmt::format("SELECT {} FROM ({}){}", stored_columns(schema, request), request.sql, where),
        schema);
  };
  if (request.partition_by.empty()) return write_orc(query(""), folder / name, codec);
  const auto partitions =
      database.rows(fmt::format("SELECT DISTINCT COLUMNS(*)::VARCHAR FROM (SELECT {} FROM ({}))",
                                name_list(request.partition_by), request.sql));
  for (const auto& values : partitions) {
    fs::path below = folder;
    std::string where;
    for (size_t i = 0; i < values.size(); ++i) {
      below /= partition_folder(request.partition_by[i], values[i]);
      where += fmt::format("{}CAST({} AS VARCHAR) IS NOT DISTINCT FROM {}",
                           where.empty() ? " WHERE " : " AND ", sql_name(request.partition_by[i]),
                           values[i] ? sql_string(*values[i]) : "NULL");
    }
    fs::create_directories(below);
    write_orc(query(where), below / name, codec);
  }
}

/// What was added, as the file sink of Spark's streams logs it.
std::string sink_log(const FolderChange& change, const fs::path& target) {
  std::string log = "v1";
  for (const auto& [from, to] : change.add) {
    const auto size = fs::file_size(target / from);
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
    log += "\n" + nlohmann::ordered_json{{"path", "file://" + (target / to).string()},
                                         {"size", size},
                                         {"isDir", false},
                                         {"modificationTime", time},
                                         {"blockReplication", 1},
                                         {"blockSize", 33554432},
                                         {"action", "add"}}
                      .dump();
  }
  return log;
}

}  // namespace

void write_files(const WriteRequest& request, Database& database) {
  static const std::vector<std::string> formats = {"parquet", "csv", "json", "text", "orc", "xml"};
  if (std::find(formats.begin(), formats.end(), request.format) == formats.end()) {
    throw Error("DATA_SOURCE_NOT_FOUND",
                fmt::format("There is no data source `{}` that can be written. Supported are {}.",
                            request.format, fmt::join(formats, ", ")));
  }
  check_options(request.format, request.options);
  for (const auto& column : request.partition_by) {
    const bool there = std::any_of(request.schema.begin(), request.schema.end(),
                                   [&](const Field& field) { return field.name == column; });
    if (!there)
      throw Error("COLUMN_NOT_FOUND",
                  fmt::format("The partition column `{}` is not among the columns.", column));
  }
  const fs::path target =
      fs::absolute(request.path.starts_with("file://") ? request.path.substr(7) : request.path)
          .lexically_normal();
  if (!request.once.empty()) {
    fs::create_directories(target);
    folder_files(target);  // what was cut is finished first
    if (fs::exists(target / request.once)) return;
  }
  const bool exists = fs::exists(target);
  if (exists && request.mode == WriteMode::kIgnore) return;
  if (exists && request.mode == WriteMode::kError) {
    throw Error(
        "PATH_ALREADY_EXISTS",
        fmt::format(
            "Path {} already exists. Set mode as \"overwrite\" to overwrite the existing path.",
            target.string()));
  }
  if (exists && !fs::is_directory(target)) {
    throw Error("PATH_ALREADY_EXISTS",
                fmt::format("{} is a file; a folder of part files is written.", target.string()));
  }
  std::error_code failure;
  fs::create_directories(exists ? target : target.parent_path(), failure);
  if (failure)
    throw Error("IO_ERROR", fmt::format("Cannot create {}: {}.", target.parent_path().string(),
                                        failure.message()));
  const auto suffix = unique_suffix();
  const auto aside_name = fmt::format("_temporary-{}-{}", target.filename().string(), suffix);
  const Aside aside{(exists ? target : target.parent_path()) / aside_name};
  fs::create_directory(aside.path, failure);
  if (failure)
    throw Error("IO_ERROR", fmt::format("Cannot write in {}: {}.",
                                        aside.path.parent_path().string(), failure.message()));
  const auto codec = codec_of(request);
  const auto name = fmt::format(
      "part-00000-{}.{}", suffix,
      is_text(request) ? (request.format == "text" ? "txt" : request.format) + codec.suffix
                       : codec.suffix + request.format);
  if (request.format == "orc") {
    write_orc_files(request, aside.path, name, database);
  } else {
    const bool one_file = folder_columns(request).empty();
    database.execute(copy_sql(request, one_file ? aside.path / name : aside.path, database));
    if (max_records(request) > 0) flatten_chunks(aside.path, suffix);
    if (request.format == "xml") enclose_rows(aside.path, option(request, "roottag", "ROWS"));
    if (!request.partition_by.empty()) respell_folders(aside.path);
  }
  if (!exists) {
    std::ofstream(aside.path / "_SUCCESS").close();
    fs::rename(aside.path, target);
    return;
  }
  FolderChange change;
  std::set<std::string> written;  // partitions
  for (const auto& file : folder_files(aside.path)) {
    const auto to = fs::relative(file, aside.path);
    written.insert(to.parent_path().string());
    change.add.emplace_back(
        fs::relative(file, target).string(),
        (to.parent_path() / fmt::format("{}-{}", suffix, to.filename().string())).string());
  }
  if (request.mode == WriteMode::kOverwrite) {
    for (const auto& file : folder_files(target)) {
      const auto path = fs::relative(file, target);
      if (request.partitions_alone && !written.contains(path.parent_path().string())) continue;
      if (fits_partition(partition_values(path.string()), request.partition))
        change.remove.push_back(path.string());
    }
  }
  if (!request.once.empty()) {
    write_file_aside(aside.path / "_once", sink_log(change, target));
    change.add.emplace_back((fs::path(aside_name) / "_once").string(), request.once);
  }
  commit_change(target, change);
  if (request.once.empty() && !fs::exists(target / "_SUCCESS"))
    std::ofstream(target / "_SUCCESS").close();
}

std::vector<std::pair<std::string, std::optional<std::string>>> partition_values(
    const std::string& path) {
  std::vector<std::pair<std::string, std::optional<std::string>>> values;
  for (const auto& part : fs::path(path).parent_path()) {
    const auto text = part.string();
    const auto equals = text.find('=');
    if (equals == std::string::npos) continue;
    std::string value;
    for (size_t i = equals + 1; i < text.size(); ++i) {
      const bool escaped = text[i] == '%' && i + 2 < text.size();
      value += escaped ? static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16)) : text[i];
      if (escaped) i += 2;
    }
    values.emplace_back(text.substr(0, equals),
                        value == kNullPartition ? std::nullopt : std::optional<std::string>(value));
  }
  return values;
}

}  // namespace firesteel
