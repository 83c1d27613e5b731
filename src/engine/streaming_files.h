// Files that come into a folder, and a table's, as the source of a stream.
#pragma once

#include "engine/streaming_source.h"

namespace firesteel {

Schema file_stream_schema(const proto::Read_DataSource& source, EmbeddedExecutor& engine);
std::unique_ptr<StreamSource> make_file_source(const proto::Read_DataSource& source,
                                               EmbeddedExecutor& engine,
                                               const std::filesystem::path& log);
std::unique_ptr<StreamSource> make_table_source(const proto::Read::NamedTable& table,
                                                EmbeddedExecutor& engine,
                                                const std::filesystem::path& log);

}  // namespace firesteel
