// Spark's folder of part files and its save modes. A failed write leaves nothing behind.
#include "engine/write.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>

#include "engine/commit.h"
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

std::string copy_options(const WriteRequest& request) {
  std::string options;
  if (request.format == "parquet") {
    options = fmt::format("FORMAT PARQUET, COMPRESSION {}",
                          request.compression.empty() ? "snappy" : request.compression);
  } else if (request.format == "csv") {
    options = fmt::format("FORMAT CSV, HEADER {}, DELIMITER {}", request.header,
                          sql_string(request.separator));
  } else {
    options = "FORMAT JSON";
  }
  if (!request.partition_by.empty()) {
    std::string columns;
    for (const auto& column : request.partition_by)
      columns += (columns.empty() ? "" : ", ") + sql_name(column);
    options += fmt::format(", PARTITION_BY ({})", columns);
  }
  return options;
}

constexpr const char* kNullPartition = "__HIVE_DEFAULT_PARTITION__";

using Partition = std::vector<std::pair<std::string, std::optional<std::string>>>;

bool fits_partition(const Partition& values, const Partition& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& part) {
    return std::find(values.begin(), values.end(), part) != values.end();
  });
}

/// Moments are stored as such: Parquet then says that they are in UTC.
std::string stored_columns(const Schema& schema) {
  std::string list;
  for (const auto& field : schema) {
    const auto name = sql_name(field.name);
    list += list.empty() ? "" : ", ";
    list += field.type.kind == TypeKind::kTimestamp
                ? fmt::format("make_timestamptz(epoch_us({0})) AS {0}", name)
                : name;
  }
  return list;
}

}  // namespace

void write_files(const WriteRequest& request, Database& database) {
  static const std::vector<std::string> formats = {"parquet", "csv", "json"};
  if (std::find(formats.begin(), formats.end(), request.format) == formats.end()) {
    throw Error("DATA_SOURCE_NOT_FOUND",
                fmt::format("There is no data source `{}`. Supported are parquet, csv and json.",
                            request.format));
  }
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
  const fs::path out = request.partition_by.empty()
                           ? aside.path / fmt::format("part-00000-{}.{}", suffix,
                                                      request.format == "parquet" ? "snappy.parquet"
                                                                                  : request.format)
                           : aside.path;
  const auto overwrites = request.partition_by.empty() ? "" : ", OVERWRITE_OR_IGNORE true";
  database.execute(fmt::format("COPY (SELECT {} FROM ({})) TO {} ({}{})",
                               stored_columns(request.schema), request.sql,
                               sql_string(out.string()), copy_options(request), overwrites));
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
  commit_change(target, change);
  if (!fs::exists(target / "_SUCCESS")) std::ofstream(target / "_SUCCESS").close();
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
