// Rows written in the formats of `firesteel sql --format`.
#pragma once

#include <string>

#include "dataframe/dataframe.h"

namespace firesteel::cli {

/// "csv", "json", "parquet" or "arrow" (IPC stream), to a file or, when empty, to standard output.
void write_rows(const DataFrame& df, const std::string& format, const std::string& path);

/// CSV holds no arrays, maps and structs: those columns as text.
DataFrame nested_as_text(const DataFrame& df);

}  // namespace firesteel::cli
