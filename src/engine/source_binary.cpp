// ORC by Arrow, Avro by DuckDB's extension.
#include <fmt/format.h>

#include "engine/source_reader.h"
#include "functions/coercion.h"

namespace firesteel {

Scan scan_orc(const SourceRequest& request, const SourceFiles& files, Database& database) {
  check_options(request);
  std::string from;
  for (const auto& path : files.paths) {
    from += fmt::format("{}SELECT *, {} AS {} FROM spark_orc({})",
                        from.empty() ? "" : " UNION ALL BY NAME ", sql_string(path), kFileColumn,
                        sql_string(path));
  }
  auto scan =
      described(database, "(" + from + ")", files, fmt::format("ORC of {}", files.paths[0]));
  // A timestamp without a zone is the wall clock's of the session's.
  for (auto& column : scan.columns) {
    if (column.field.type.kind != TypeKind::kTimestampNtz) continue;
    column.field.type = make_type(TypeKind::kTimestamp);
    column.sql = fmt::format("make_timestamp(epoch_us(timezone({}, {})))",
                             sql_string(request.time_zone), column.sql);
  }
  add_partitions(scan, files, request);
  return scan;
}

Scan scan_avro(const SourceRequest& request, const SourceFiles& files, Database& database) {
  check_options(request);
  const auto extension = Database::extension("avro");
  if (extension.empty()) {
    throw Error("DATA_SOURCE_NOT_FOUND",
                "The data source `avro` needs DuckDB's extension `avro.duckdb_extension` beside "
                "libduckdb.so, which is missing; tools/setup.sh fetches it.");
  }
  database.execute(fmt::format("LOAD {}", sql_string(extension)));
  auto scan = described(
      database, fmt::format("read_avro({}, filename = '{}')", path_list(files.paths), kFileColumn),
      files, fmt::format("Avro of {}", files.paths[0]));
  add_partitions(scan, files, request);
  return scan;
}

}  // namespace firesteel
