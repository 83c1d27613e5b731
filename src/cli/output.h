// Rows written in the formats of `firesteel sql --format`.
#pragma once

#include <string>

#include "dataframe/dataframe.h"

namespace firesteel::cli {

/// "csv", "json", "parquet" or "arrow" (IPC stream), to a file or, when empty, to standard output.
void write_rows(const DataFrame& df, const std::string& format, const std::string& path);

}  // namespace firesteel::cli
