// The file source: which files a query has seen is logged in its checkpoint, as Spark's
// FileStreamSource does, and an offset is the number of a log's entry.
#include "engine/streaming_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/file.h"
#include "functions/coercion.h"
#include "plan/names.h"

namespace firesteel {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// Options of the stream, which the readers of files do not know.
constexpr const char* kStreamOptions[] = {"maxfilespertrigger", "maxbytespertrigger", "latestfirst",
                                          "filenameonly",       "maxfileage",         "cleansource",
                                          "sourcearchivedir",   "maxcachedfiles"};

struct FoundFile {
  std::string path;
  int64_t millis = 0;
  uintmax_t bytes = 0;
};

class FileSource : public StreamSource {
 public:
  FileSource(SourceRequest request, std::string name, EmbeddedExecutor& engine, fs::path log)
      : engine_(engine),
        request_(std::move(request)),
        name_(std::move(name)),
        log_(std::move(log)) {
    const auto number = [&](const char* option, const char* shown) -> std::optional<int64_t> {
      const auto found = request_.options.find(option);
      if (found == request_.options.end()) return std::nullopt;
      char* end = nullptr;
      const auto value = std::strtoll(found->second.c_str(), &end, 10);
      if (*end != 0 || value <= 0) {
        throw Error("_LEGACY_ERROR_TEMP_3175",
                    fmt::format("Invalid value '{}' for option '{}', must be a positive integer",
                                found->second, shown));
      }
      return value;
    };
    files_max_ = number("maxfilespertrigger", "maxFilesPerTrigger");
    bytes_max_ = number("maxbytespertrigger", "maxBytesPerTrigger");
    if (const auto found = request_.options.find("latestfirst"); found != request_.options.end())
      latest_first_ = lower_case(found->second) == "true";
    if (const auto found = request_.options.find("cleansource");
        found != request_.options.end() && lower_case(found->second) != "off") {
      throw Error("UNSUPPORTED_FEATURE.STREAMING_CLEAN_SOURCE",
                  "The option `cleanSource` is not supported: files are left where they are.");
    }
    for (const auto* option : kStreamOptions) request_.options.erase(option);
    if (request_.paths.size() == 1) request_.options.try_emplace("basepath", request_.paths[0]);
    read_log();
  }

  std::string description() const override {
    return fmt::format("FileStreamSource[file:{}]", name_);
  }

  std::string next(const std::string& start) override {
    const int64_t from = start.empty() ? -1 : entry_of(start);
    if (from < last_entry_) return offset(last_entry_);  // logged, but in no batch yet
    auto fresh = unseen();
    std::vector<FoundFile> taken;
    uintmax_t bytes = 0;
    for (auto& file : fresh) {
      if (files_max_ && taken.size() >= static_cast<size_t>(*files_max_)) break;
      if (bytes_max_ && !taken.empty() && bytes + file.bytes > static_cast<uintmax_t>(*bytes_max_))
        break;
      bytes += file.bytes;
      taken.push_back(std::move(file));
    }
    if (taken.empty()) return start;
    log_entry(taken);
    return offset(last_entry_);
  }

  void stop_at_latest() override {
    std::set<std::string> there;
    for (const auto& file : unseen()) there.insert(file.path);
    allowed_ = std::move(there);
  }

  void take_all() override {
    files_max_.reset();
    bytes_max_.reset();
    stop_at_latest();
  }

  HeldRows rows(const std::string& start, const std::string& end) override {
    const int64_t from = start.empty() ? -1 : entry_of(start),
                  to = end.empty() ? -1 : entry_of(end);
    auto request = request_;
    request.paths.clear();
    for (const auto& [path, entry] : seen_) {
      if (entry > from && entry <= to) request.paths.push_back(path);
    }
    std::sort(request.paths.begin(), request.paths.end());
    if (request.paths.empty()) {
      Scan none{.from = "(SELECT 1 WHERE false)", .columns = {}};
      for (const auto& field : request.schema)
        none.columns.push_back({field, fmt::format("CAST(NULL AS {})", duckdb_type(field.type))});
      return engine_.hold(none);
    }
    return engine_.hold(scan_source(request, engine_.database()));
  }

 private:
  static std::string offset(int64_t entry) { return fmt::format("{{\"logOffset\":{}}}", entry); }
  static int64_t entry_of(const std::string& offset) {
    return json::parse(offset).at("logOffset").get<int64_t>();
  }

  /// What has come, in the order it is read in.
  std::vector<FoundFile> unseen() const {
    std::vector<FoundFile> out;
    for (const auto& path : request_.paths) {
      std::vector<std::string> files;
      try {
        files = expand_path(path);
      } catch (const Error& error) {  // the folder may come and go, or be empty
        if (error.condition() != "PATH_NOT_FOUND") throw;
      }
      for (const auto& file : files) {
        if (seen_.contains(file) || (allowed_ && !allowed_->contains(file))) continue;
        std::error_code gone;
        FoundFile found{.path = file, .bytes = fs::file_size(file, gone)};
        const auto time = fs::last_write_time(file, gone);
        if (gone) continue;
        found.millis = std::chrono::duration_cast<std::chrono::milliseconds>(
                           std::chrono::file_clock::to_sys(time).time_since_epoch())
                           .count();
        out.push_back(std::move(found));
      }
    }
    std::stable_sort(out.begin(), out.end(), [&](const FoundFile& a, const FoundFile& b) {
      return latest_first_ ? a.millis > b.millis : a.millis < b.millis;
    });
    return out;
  }

  void log_entry(const std::vector<FoundFile>& files) {
    ++last_entry_;
    std::string text = "v1";
    for (const auto& file : files) {
      seen_[file.path] = last_entry_;
      text += "\n" + nlohmann::ordered_json{{"path", "file://" + file.path},
                                            {"timestamp", file.millis},
                                            {"batchId", last_entry_}}
                         .dump();
    }
    fs::create_directories(log_);
    write_file_aside(log_ / std::to_string(last_entry_), text);
  }

  void read_log() {
    for (int64_t entry = 0; fs::exists(log_ / std::to_string(entry)); ++entry) {
      std::istringstream lines(read_file(log_ / std::to_string(entry)));
      std::string line;
      std::getline(lines, line);
      while (std::getline(lines, line)) {
        const auto path = json::parse(line).at("path").get<std::string>();
        seen_[path.starts_with("file://") ? path.substr(7) : path] = entry;
      }
      last_entry_ = entry;
    }
  }

  EmbeddedExecutor& engine_;
  SourceRequest request_;
  std::string name_;
  fs::path log_;
  std::optional<int64_t> files_max_, bytes_max_;
  bool latest_first_ = false;
  std::map<std::string, int64_t> seen_;  // the entry of each file
  int64_t last_entry_ = -1;
  std::optional<std::set<std::string>> allowed_;
};

SourceRequest request_of(const proto::Read_DataSource& source, EmbeddedExecutor& engine) {
  auto request =
      engine.request_for(source.format(), {source.options().begin(), source.options().end()});
  request.paths = {source.paths().begin(), source.paths().end()};
  if (const auto path = request.options.find("path"); path != request.options.end()) {
    if (request.paths.empty()) request.paths.push_back(path->second);
    request.options.erase(path);
  }
  for (auto& path : request.paths) {
    if (path.starts_with("file:")) path = path.substr(path.find_first_not_of('/', 5) - 1);
    path = fs::absolute(path).lexically_normal().string();
  }
  if (!source.schema().empty()) request.schema = parse_schema(source.schema());
  for (auto& field : request.schema) field.nullable = true;
  return request;
}

}  // namespace

Schema file_stream_schema(const proto::Read_DataSource& source, EmbeddedExecutor& engine) {
  const auto request = request_of(source, engine);
  if (!is_source_format(request.format)) {
    throw Error("DATA_SOURCE_NOT_FOUND",
                fmt::format("Failed to find the data source: {}. Make sure the provider name is "
                            "correct and the package is properly registered and compatible with "
                            "your Spark version.",
                            source.format()));
  }
  if (request.paths.empty()) throw Error("_LEGACY_ERROR_TEMP_2047", "'path' is not specified");
  for (const auto& path : request.paths) {
    if (path.find_first_of("*?[{") == std::string::npos && !fs::exists(path))
      throw Error("PATH_NOT_FOUND", fmt::format("Path does not exist: {}.", path));
  }
  if (!request.schema.empty()) return request.schema;
  if (request.format == "text") return {{"value", make_type(TypeKind::kString), true}};
  if (lower_case(engine.config("spark.sql.streaming.schemaInference")) == "true") {
    auto inferred = request;
    for (const auto* option : kStreamOptions) inferred.options.erase(option);
    Schema schema;
    for (const auto& column : scan_source(inferred, engine.database()).columns)
      schema.push_back({column.field.name, column.field.type, true});
    return schema;
  }
  throw Error("_LEGACY_ERROR_TEMP_2048",
              "Schema must be specified when creating a streaming source DataFrame. If some files "
              "already exist in the directory, then depending on the file format you may be able "
              "to create a static DataFrame on that directory with 'spark.read.load(directory)' "
              "and infer schema from it.");
}

std::unique_ptr<StreamSource> make_file_source(const proto::Read_DataSource& source,
                                               EmbeddedExecutor& engine, const fs::path& log) {
  auto request = request_of(source, engine);
  request.schema = file_stream_schema(source, engine);
  const auto name = request.paths[0];
  return std::make_unique<FileSource>(std::move(request), name, engine, log);
}

std::unique_ptr<StreamSource> make_table_source(const proto::Read::NamedTable& table,
                                                EmbeddedExecutor& engine, const fs::path& log) {
  const auto entry = engine.table(table.unparsed_identifier());
  if (!entry || entry->kind == TableKind::kView) {
    throw table_not_found(split_name(table.unparsed_identifier()), engine.current_database());
  }
  Properties options = entry->options;
  for (const auto& [key, value] : table.options()) options[key] = value;
  auto request = engine.request_for(entry->provider, options);
  request.schema = entry->schema();
  request.partition_schema = Schema(
      request.schema.end() - static_cast<long>(entry->partition_by.size()), request.schema.end());
  request.paths = {entry->location};
  return std::make_unique<FileSource>(std::move(request), entry->location, engine, log);
}

}  // namespace firesteel
