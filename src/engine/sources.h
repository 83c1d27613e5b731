// Files as sources of rows, with Spark's options.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/database.h"
#include "lower/lower.h"

namespace firesteel {

/// What is read: the options' keys are in lower case.
struct SourceRequest {
  std::string format;
  std::vector<std::string> paths;
  std::map<std::string, std::string> options;
  Schema schema;  // empty: read from the files
  /// The columns that the folders' names give (year=2024/); nothing: found out.
  std::optional<Schema> partition_schema = {};
  std::string time_zone = "UTC";  // of timestamps whose text has no offset
  std::string records = {};       // in place of files: a query of texts, its column `record`
};

inline constexpr std::string_view kSourceFormats[] = {
    "parquet", "csv", "json", "text", "orc", "avro", "binaryfile", "xml", "image"};
bool is_source_format(std::string_view format);
void check_options(const std::string& format, const std::map<std::string, std::string>& options);

/// How DuckDB reads the files. Throws PATH_NOT_FOUND, UNABLE_TO_INFER_SCHEMA, INVALID_OPTION …
Scan scan_source(const SourceRequest& request, Database& database);

/// How the texts of `request.records` are read, one record each: CSV or JSON.
Scan scan_texts(const SourceRequest& request, Database& database);

/// The files that a path means: itself, a folder's files (hidden ones left out), a glob's.
std::vector<std::string> expand_path(const std::string& path);

}  // namespace firesteel
