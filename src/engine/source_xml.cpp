// XML files: each element of the row's tag is a record, read as from_xml() reads it.
#include <fmt/format.h>

#include "engine/source_reader.h"
#include "functions/coercion.h"
#include "plan/names.h"

namespace firesteel {

namespace {

constexpr int64_t kSampleBytesMax = 64 << 20;  // of what a schema is inferred from

std::string row_tag(const SourceRequest& request) {
  const auto tag = text_option(request, {"rowtag"}, "ROW");
  const bool valid =
      !tag.empty() && tag.find_first_of("<>\"'&/ \t\r\n()[]{}*+?|\\^$") == std::string::npos;
  if (valid) return tag;
  throw Error("INVALID_OPTION",
              fmt::format("The option `rowTag` takes an element's name, not '{}'.", tag));
}

/// The records of the files, as the column `record`, with the column `file`.
std::string xml_records(const SourceRequest& request, const SourceFiles& files) {
  if (!request.records.empty()) return records_of(request, files, "");  // a record each
  // Comments are left out first: what stands in them is no element.
  return fmt::format(
      "(SELECT unnest(regexp_extract_all(regexp_replace(record, '(?s)<!--.*?-->', '', 'g'), "
      "'(?s)<{0}(?:\\s[^>]*[^/>])?>.*?</{0}\\s*>|<{0}(?:\\s[^>]*)?/>')) AS record, file FROM {1})",
      row_tag(request), records_of(request, files, ", whole := true"));
}

/// The records' common type: that of a document of all of them, whose one field they are.
Schema inferred(const SourceRequest& request, const SourceFiles& files, Database& database) {
  const auto text = database.rows(fmt::format(
      "SELECT spark_schema_of_xml('<all>' || string_agg(record, '') || '</all>', 'STRING', {}, {}) "
      "FROM (SELECT record, sum(length(record)) OVER (ROWS UNBOUNDED PRECEDING) AS bytes FROM {}) "
      "WHERE bytes <= {}",
      sql_string(kernel_options(request)), sql_string(request.time_zone),
      xml_records(request, files), kSampleBytesMax));
  if (!text[0][0]) {
    throw Error("UNABLE_TO_INFER_SCHEMA",
                fmt::format("Unable to infer schema for XML: no element <{}> was found. Name the "
                            "rows' element with the option `rowTag`, or give the schema.",
                            row_tag(request)));
  }
  const auto whole = parse_type(*text[0][0]);
  if (whole.kind == TypeKind::kStruct && whole.fields->size() == 1) {
    const auto& rows = whole.fields->front().type;
    const auto& row = rows.kind == TypeKind::kArray ? rows.element() : rows;
    if (row.kind == TypeKind::kStruct) return *row.fields;
    return {{text_option(request, {"valuetag"}, "_VALUE"), row, true}};
  }
  return {};
}

}  // namespace

Scan scan_xml(const SourceRequest& request, const SourceFiles& files, Database& database) {
  check_options(request);
  if (lower_case(text_option(request, {"mode"}, "PERMISSIVE")) == "dropmalformed") {
    throw Error(
        "UNSUPPORTED_FEATURE.XML_MODE",
        "The mode DROPMALFORMED is not supported for XML: read with PERMISSIVE and filter.");
  }
  const auto schema =
      request.schema.empty() ? inferred(request, files, database) : data_schema(request, files);
  Scan scan{.from = fmt::format("(SELECT spark_from_xml(record, {}, {}, {}) AS row, file FROM {})",
                                sql_string(struct_type(schema).sql()),
                                sql_string(kernel_options(request)), sql_string(request.time_zone),
                                xml_records(request, files)),
            .columns = {},
            .file = "file"};
  for (const auto& field : schema) {
    scan.columns.push_back({{field.name, field.type, true},
                            fmt::format("struct_extract(row, {})", sql_string(field.name))});
  }
  add_partitions(scan, files, request);
  return scan;
}

}  // namespace firesteel
