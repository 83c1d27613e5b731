// Writing a query's rows as files: aside first, then renamed into place.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/database.h"

namespace firesteel {

enum class WriteMode { kError, kOverwrite, kAppend, kIgnore };

struct WriteRequest {
  std::string sql;
  Schema schema;
  std::string format;  // parquet, csv, json, text, orc
  std::string path;    // a folder, as Spark writes
  WriteMode mode = WriteMode::kError;
  std::vector<std::string> partition_by;
  /// kOverwrite replaces the partitions that are written, or those that have these values, alone.
  bool partitions_alone = false;
  std::vector<std::pair<std::string, std::optional<std::string>>> partition = {};
  std::map<std::string, std::string> options = {};  // keys in lower case
  std::string time_zone = "UTC";
  /// A file of the folder, hidden, that appears together with the rows: where it is already there
  /// nothing is written. For kAppend and kOverwrite.
  std::string once = {};
};

/// Writes a folder of part files: whole or not at all.
void write_files(const WriteRequest& request, Database& database);

/// What the folders of a file's path say: {"year", "2024"}, {"month", "1"}; null is nothing.
std::vector<std::pair<std::string, std::optional<std::string>>> partition_values(
    const std::string& path);

}  // namespace firesteel
