// ORC files as Arrow streams, by Arrow's C++ library.
#pragma once

#include <string>
#include <vector>

#include "base/arrow_stream.h"

namespace firesteel {

/// A file's columns. Throws FAILED_READ_FILE.NO_HINT, which names the file.
void orc_schema(const std::string& path, ArrowSchema* out);
/// A file's rows, of these columns alone in this order; all when there are none.
void orc_rows(const std::string& path, const std::vector<std::string>& columns,
              ArrowArrayStream* out);
/// A stream's rows as a file. Compression: none, snappy, zlib, zstd or lz4.
void write_orc(ArrowStream rows, const std::string& path, const std::string& compression);

}  // namespace firesteel
