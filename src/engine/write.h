// Writing a query's rows as files: aside first, then renamed into place.
#pragma once

#include <string>
#include <vector>

#include "engine/database.h"

namespace firesteel {

enum class WriteMode { kError, kOverwrite, kAppend, kIgnore };

struct WriteRequest {
  std::string sql;
  Schema schema;
  std::string format;  // parquet, csv, json
  std::string path;    // a folder, as Spark writes
  WriteMode mode = WriteMode::kError;
  std::vector<std::string> partition_by;
  bool header = false;
  std::string separator = ",", compression;
};

void write_files(const WriteRequest& request, Database& database);

}  // namespace firesteel
