// Text files by line or whole, any files as bytes, and images as pixels.
#include <fmt/format.h>

#include "engine/source_reader.h"
#include "functions/coercion.h"

namespace firesteel {

Scan scan_text(const SourceRequest& request, const SourceFiles& files) {
  check_options(request);
  const auto schema = data_schema(request, files);
  if (schema.size() > 1 || (!schema.empty() && schema[0].type.kind != TypeKind::kString)) {
    throw Error("UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE",
                fmt::format("The Text datasource reads one column of the type \"STRING\", not {}.",
                            struct_type(schema).simple_string()));
  }
  const bool whole = flag_option(request, "wholetext", false);
  Scan scan{
      .from = records_of(request, files, whole ? ", whole := true" : ""),
      .columns = {{{schema.empty() ? "value" : schema[0].name, make_type(TypeKind::kString), true},
                   "record"}},
      .file = "file"};
  add_partitions(scan, files, request);
  return scan;
}

Scan scan_binary_file(const SourceRequest& request, const SourceFiles& files) {
  check_options(request);
  Scan scan{.from = fmt::format("read_blob({})", path_list(files.paths)),
            .columns = {{{"path", make_type(TypeKind::kString), true},
                         "'file:' || substring(spark_file_uri(filename), 8)"},
                        {{"modificationTime", make_type(TypeKind::kTimestamp), true},
                         "spark_file_time(filename)"},
                        {{"length", make_type(TypeKind::kLong), true}, "size"},
                        {{"content", make_type(TypeKind::kBinary), true}, "content"}},
            .file = "filename"};
  add_partitions(scan, files, request);
  return scan;
}

Scan scan_image(const SourceRequest& request, const SourceFiles& files) {
  check_options(request);
  const bool drops = flag_option(request, "dropinvalid", false);
  Scan scan{
      .from = fmt::format("(SELECT filename, spark_image(content) AS pixels FROM read_blob({})){}",
                          path_list(files.paths), drops ? " WHERE pixels.nChannels > 0" : ""),
      .columns = {{{"image",
                    parse_type("struct<origin: string, height: int, width: int, nChannels: int, "
                               "mode: int, data: binary>"),
                    true},
                   "struct_pack(origin := spark_file_uri(filename), height := pixels.height, width "
                   ":= pixels.width, nChannels := pixels.nChannels, mode := pixels.mode, data := "
                   "pixels.data)"}},
      .file = "filename"};
  add_partitions(scan, files, request);
  return scan;
}

}  // namespace firesteel
