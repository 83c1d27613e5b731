// JSON: plain values by DuckDB's reader, which is fast, all else record by record, as from_json
// reads it.
#include <fmt/format.h>

#include <algorithm>

#include "engine/source_reader.h"
#include "functions/coercion.h"

namespace firesteel {

namespace {

/// Spark leaves text that looks like a moment as text.
DataType as_text(const DataType& type) {
  if (type.is_datetime() || type.kind == TypeKind::kTime) return make_type(TypeKind::kString);
  if (!type.fields) return type;
  DataType out = type;
  Schema fields = *type.fields;
  for (auto& field : fields) field.type = as_text(field.type);
  // As Spark's inference: fields in alphabetical order.
  if (type.kind == TypeKind::kStruct) {
    std::sort(fields.begin(), fields.end(),
              [](const Field& a, const Field& b) { return a.name < b.name; });
  }
  out.fields = std::make_shared<const Schema>(std::move(fields));
  return out;
}

bool has_map(const DataType& type) {
  return type.kind == TypeKind::kMap ||
         (type.fields && std::any_of(type.fields->begin(), type.fields->end(),
                                     [](const Field& field) { return has_map(field.type); }));
}

/// Nothing where DuckDB finds what Spark would find otherwise.
std::optional<Scan> scan_fast(const SourceFiles& files, Database& database) {
  const auto reader = fmt::format(
      "read_json({}, format = 'newline_delimited', sample_size = -1, convert_strings_to_integers = "
      "false{}",
      path_list(files.paths), reader_arguments(files));
  Scan scan;
  try {
    scan = described(database, reader + ")", files, "");
  } catch (const Error&) {
    return std::nullopt;
  }
  std::string columns;
  for (auto& column : scan.columns) {
    const auto name = sql_name(column.field.name);
    if (column.sql != name || has_map(column.field.type)) return std::nullopt;
    column.field.type = as_text(column.field.type);
    columns += fmt::format("{}{}: {}", columns.empty() ? "" : ", ", sql_string(column.field.name),
                           sql_string(duckdb_type(column.field.type)));
  }
  scan.from = fmt::format("{}, columns = {{{}}})", reader, columns);
  std::sort(
      scan.columns.begin(), scan.columns.end(),
      [](const Scan::Column& a, const Scan::Column& b) { return a.field.name < b.field.name; });
  add_read_partitions(scan, files);
  return scan;
}

/// Options that DuckDB's reader cannot do, or does otherwise.
bool needs_records(const SourceRequest& request, const SourceFiles& files) {
  static constexpr const char* kOptions[] = {
      "multiline",  "primitivesasstring", "prefersdecimal",    "dropfieldifallnull",
      "linesep",    "encoding",           "charset",           "infertimestamp",
      "dateformat", "timestampformat",    "ignorecorruptfiles"};
  const bool named = std::any_of(std::begin(kOptions), std::end(kOptions),
                                 [&](const char* name) { return request.options.contains(name); });
  const bool allows = std::any_of(request.options.begin(), request.options.end(),
                                  [](const auto& o) { return o.first.starts_with("allow"); });
  return named || allows ||
         std::any_of(files.paths.begin(), files.paths.end(),
                     [](const std::string& path) { return path.ends_with(".bz2"); });
}

}  // namespace

Scan scan_json(const SourceRequest& request, const SourceFiles& files, Database& database) {
  check_options(request);
  const MalformedRecords malformed(request);
  if (request.records.empty() && request.schema.empty() && !needs_records(request, files)) {
    if (auto scan = scan_fast(files, database)) return *scan;
  }
  const auto records = records_of(
      request, files,
      flag_option(request, "multiline", false) ? ", whole := true" : ", skip_blank := true");
  const auto options = sql_string(kernel_options(request)), zone = sql_string(request.time_zone);
  Schema schema = data_schema(request, files);
  if (request.schema.empty()) {
    const auto found = database.rows(fmt::format(
        "SELECT spark_json_type_of_all(list(DISTINCT spark_json_type(record, 'STRING', {0}, {1})), "
        "'STRING', {0}, {1}) FROM {2}",
        options, zone, records));
    const auto type = parse_type(found.at(0).at(0).value_or("STRUCT<>"));
    schema = *type.fields;
  }
  Scan scan{.from = fmt::format("(SELECT file, unnest(spark_json_rows(record, {}, {}, {})) AS r "
                                "FROM {})",
                                sql_string(array_type(struct_type(schema)).sql()), options, zone,
                                records),
            .columns = {},
            .file = "file"};
  if (schema.empty()) scan.from = fmt::format("(SELECT file FROM {})", records);
  for (const auto& field : schema) {
    scan.columns.push_back({{field.name, field.type, true},
                            fmt::format("struct_extract(r, {})", sql_string(field.name))});
  }
  add_partitions(scan, files, request);
  return scan;
}

}  // namespace firesteel
