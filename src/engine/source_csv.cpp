// CSV: the common options by DuckDB's reader, which is fast, all others record by record; types
// found as Spark finds them.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "engine/source_reader.h"
#include "functions/coercion.h"
#include "plan/names.h"

namespace firesteel {

namespace {

// Spark's CSV inference: the narrowest of these that every value of the whole file fits.
constexpr TypeKind kInferred[] = {TypeKind::kInteger, TypeKind::kLong,      TypeKind::kDouble,
                                  TypeKind::kDate,    TypeKind::kTimestamp, TypeKind::kBoolean};

std::string fits_sql(const std::string& column, TypeKind kind) {
  const auto without = [&](std::string_view letters) {
    std::string sql;
    for (char c : letters) sql += fmt::format(" AND NOT contains({}, '{}')", column, c);
    return sql;
  };
  switch (kind) {
    case TypeKind::kDate:
      return fmt::format("(TRY_CAST({0} AS DATE) IS NOT NULL AND strlen({0}) = 10)", column);
    case TypeKind::kTimestamp:
      return fmt::format("(TRY_CAST({0} AS TIMESTAMP) IS NOT NULL AND strlen({0}) >= 8)", column);
    case TypeKind::kBoolean:
      return fmt::format("lower({}) IN ('true', 'false')", column);
    case TypeKind::kDouble:
      return fmt::format("(TRY_CAST({} AS DOUBLE) IS NOT NULL{})", column, without("_"));
    default:  // DuckDB takes 1.5 and 1e3 for integers, rounding them
      return fmt::format("(TRY_CAST({} AS {}) IS NOT NULL{})", column, duckdb_type(make_type(kind)),
                         without(".eE_"));
  }
}

/// Per test, whether every value of its column is of its type, or nothing where there is no value.
struct TypeTest {
  std::string column;
  size_t candidate;  // in kInferred; behind it: text, which all are
};
std::vector<std::optional<bool>> passed(Database& database, const std::string& from,
                                        const std::vector<TypeTest>& tests) {
  std::string list;
  for (const auto& [column, candidate] : tests) {
    list += (list.empty() ? "" : ", ") +
            (candidate < std::size(kInferred)
                 ? fmt::format("bool_and(CASE WHEN {} IS NOT NULL THEN {} END)", column,
                               fits_sql(column, kInferred[candidate]))
                 : std::string("true"));
  }
  const auto row = database.rows(fmt::format("SELECT {} FROM {}", list, from)).at(0);
  std::vector<std::optional<bool>> out;
  for (const auto& cell : row) out.push_back(cell ? std::optional(*cell == "true") : std::nullopt);
  return out;
}

/// The type of each column of text, as a place in kInferred. A sample proposes, then the whole must
/// agree.
std::vector<size_t> inferred_types(Database& database, const std::string& text,
                                   const std::vector<DatabaseColumn>& columns) {
  constexpr size_t kText = std::size(kInferred);
  std::vector<TypeTest> tests;
  for (const auto& column : columns) {
    for (size_t candidate = 0; candidate <= kText; ++candidate)
      tests.push_back({column.sql, candidate});
  }
  const auto of_sample =
      passed(database, fmt::format("(SELECT * FROM {} LIMIT 2000)", text), tests);
  std::vector<TypeTest> current;
  for (size_t i = 0; i < columns.size(); ++i) {
    size_t candidate = 0;
    while (of_sample[i * (kText + 1) + candidate] == false) ++candidate;
    current.push_back({columns[i].sql, candidate});
  }
  for (bool all = false; !all;) {
    const auto of_whole = passed(database, text, current);
    all = true;
    for (size_t i = 0; i < columns.size(); ++i) {
      if (!of_whole[i]) current[i].candidate = kText;  // no value: text, as Spark has it
      if (of_whole[i] == false) {
        ++current[i].candidate;
        all = false;
      }
    }
  }
  std::vector<size_t> types;
  for (const auto& test : current) types.push_back(test.candidate);
  return types;
}

/// What becomes of a field's text before it is a value: white space, null and empty texts.
struct CsvText {
  std::string quote, null_text;
  std::optional<std::string> empty_text;
  bool trims_left, trims_right;

  explicit CsvText(const SourceRequest& request)
      : quote(text_option(request, {"quote"}, "\"")),
        null_text(text_option(request, {"nullvalue"}, "")),
        trims_left(flag_option(request, "ignoreleadingwhitespace", false)),
        trims_right(flag_option(request, "ignoretrailingwhitespace", false)) {
    if (request.options.contains("emptyvalue"))
      empty_text = text_option(request, {"emptyvalue"}, "");
  }

  /// The reader gives the right text itself.
  bool plain() const { return null_text.empty() && !empty_text && !trims_left && !trims_right; }

  std::string value_of(const std::string& column) const {
    std::string sql = column;
    if (trims_left) sql = fmt::format("ltrim({}, ' \t')", sql);
    if (trims_right) sql = fmt::format("rtrim({}, ' \t')", sql);
    // A null is an empty field; what is empty but not null was quoted.
    std::string cases;
    if (trims_left || trims_right)
      cases += fmt::format(" WHEN {} = '' AND {} <> '' THEN NULL", sql, column);
    cases += fmt::format(" WHEN {} = {} THEN NULL", sql, sql_string(null_text));
    if (empty_text)
      cases = fmt::format(" WHEN {} = '' THEN {}", column,
                          *empty_text == null_text ? "NULL" : sql_string(*empty_text)) +
              cases;
    return fmt::format("CASE{} ELSE {} END", cases, sql);
  }
};

/// The common options, by DuckDB's reader.
Scan scan_fast(const SourceRequest& request, const SourceFiles& files, Database& database) {
  const bool header = flag_option(request, "header", false);
  const auto separator = text_option(request, {"sep", "delimiter"}, ",");
  const CsvText text(request);
  std::string reader = fmt::format(
      "read_csv({}, header = {}, delim = {}, quote = {}, escape = {}, nullstr = '', auto_detect = "
      "true, "
      "sample_size = 1000, strict_mode = false, null_padding = true, encoding = {}{}{}",
      path_list(files.paths), header, sql_string(separator == "\\t" ? "\t" : separator),
      sql_string(text.quote), sql_string(text_option(request, {"escape"}, "\"")),
      sql_string(encoding_option(request)), text.plain() ? "" : ", allow_quoted_nulls = false",
      reader_arguments(files));
  const auto comment = text_option(request, {"comment"}, "");
  if (!comment.empty()) reader += fmt::format(", comment = {}", sql_string(comment));
  std::string as_text = reader + ", all_varchar = true)";
  auto columns = database.describe("SELECT * FROM " + as_text);
  std::erase_if(columns, [&](const auto& column) {
    return column.name == kFileColumn || files.partitions.contains(column.name);
  });
  if (!text.plain()) {
    std::string list = kFileColumn;
    for (const auto& field : files.partitions.columns) list += ", " + sql_name(field.name);
    for (const auto& column : columns)
      list += fmt::format(", {} AS {}", text.value_of(column.sql), column.sql);
    as_text = fmt::format("(SELECT {} FROM {})", list, as_text);
  }
  if (columns.empty()) {
    throw Error("UNABLE_TO_INFER_SCHEMA",
                fmt::format("Unable to infer schema for CSV: {} is empty. Give the schema.",
                            files.paths[0]));
  }
  // Without a header Spark names the columns _c0, _c1 …
  auto shown_name = [&](size_t i) { return header ? columns[i].name : fmt::format("_c{}", i); };
  Scan scan{.from = as_text, .columns = {}, .file = kFileColumn};
  for (size_t i = 0; i < columns.size(); ++i) {
    scan.columns.push_back({{shown_name(i), make_type(TypeKind::kString), true}, columns[i].sql});
  }
  if (!request.schema.empty()) {  // by place, whatever the header says
    const auto names = data_schema(request, files);
    for (size_t i = 0; i < scan.columns.size() && i < names.size(); ++i)
      scan.columns[i].field.name = names[i].name;
    return scan;
  }
  if (!flag_option(request, "inferschema", false)) return scan;
  const auto inferred = inferred_types(database, as_text, columns);
  std::string types;
  std::vector<Scan::Column> typed;
  const auto type_of = [&](size_t i) {
    return make_type(inferred[i] < std::size(kInferred) ? kInferred[inferred[i]]
                                                        : TypeKind::kString);
  };
  // Text that is not the file's own, or means another time in the session's zone, is cast.
  bool local_times = false;
  for (size_t i = 0; i < columns.size(); ++i)
    local_times =
        local_times || (type_of(i).kind == TypeKind::kTimestamp && request.time_zone != "UTC");
  if (!text.plain() || local_times) {
    for (size_t i = 0; i < columns.size(); ++i) {
      const DataType type = type_of(i);
      const Resolved value{
          .sql = columns[i].sql, .type = make_type(TypeKind::kString), .name = shown_name(i)};
      // Every value was found to be of its type: DuckDB's own cast will do for numbers, and is
      // faster.
      typed.push_back({{shown_name(i), type, true},
                       type.is_numeric()
                           ? fmt::format("CAST({} AS {})", value.sql, duckdb_type(type))
                           : cast(value, type, request.time_zone, true).sql});
    }
    return {.from = as_text, .columns = std::move(typed), .file = kFileColumn};
  }
  // Verified columns are parsed by the reader itself, which is faster than casting text.
  for (size_t i = 0; i < columns.size(); ++i) {
    const DataType type = type_of(i);
    const bool moment = type.kind == TypeKind::kTimestamp;  // its text may carry an offset
    types += fmt::format("{}{}: {}", types.empty() ? "" : ", ", sql_string(columns[i].name),
                         sql_string(moment ? "TIMESTAMPTZ" : duckdb_type(type)));
    typed.push_back(
        {{shown_name(i), type, true},
         moment ? fmt::format("make_timestamp(epoch_us({}))", columns[i].sql) : columns[i].sql});
  }
  return {.from = fmt::format("{}, types = {{{}}})", reader, types),
          .columns = std::move(typed),
          .file = kFileColumn};
}

constexpr uintmax_t kLookedThroughBytesMax = 64 << 20;

/// DuckDB's reader takes doubled quotes by default, Spark's a backslash before them. Large files
/// are not looked through.
bool has_escaped_quotes(const SourceRequest& request, const SourceFiles& files,
                        Database& database) {
  if (request.options.contains("escape")) return false;
  uintmax_t bytes = 0;
  for (const auto& path : files.paths) bytes += std::filesystem::file_size(path);
  if (bytes > kLookedThroughBytesMax) return false;
  return !database
              .rows(fmt::format("SELECT 1 FROM {} WHERE contains(record, {}) LIMIT 1",
                                records_of(request, files, ""),
                                sql_string("\\" + text_option(request, {"quote"}, "\""))))
              .empty();
}

/// Options that DuckDB's reader cannot do, or does otherwise.
bool needs_records(const SourceRequest& request, const SourceFiles& files) {
  static constexpr const char* kOptions[] = {"dateformat", "timestampformat", "timestampntzformat",
                                             "nanvalue",   "positiveinf",     "negativeinf",
                                             "linesep",    "preferdate",      "enforceschema"};
  const MalformedRecords malformed(request);
  const auto encoding = encoding_option(request);
  return !malformed.permissive || malformed.kept || encoding == "utf-16le" ||
         encoding == "utf-16be" ||
         std::any_of(std::begin(kOptions), std::end(kOptions),
                     [&](const char* name) { return request.options.contains(name); }) ||
         std::any_of(files.paths.begin(), files.paths.end(),
                     [](const std::string& path) { return path.ends_with(".bz2"); });
}

/// Spark's names of a header's columns: numbered where there is none, or one twice.
std::vector<std::string> header_names(const std::vector<std::optional<std::string>>& fields) {
  std::vector<std::string> names, seen;
  std::map<std::string, int> counts;
  const auto lower = [](std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), ::tolower);
    return text;
  };
  for (const auto& field : fields) ++counts[lower(field.value_or(""))];
  for (size_t i = 0; i < fields.size(); ++i) {
    const auto name = fields[i].value_or("");
    names.push_back(name.empty()              ? fmt::format("_c{}", i)
                    : counts[lower(name)] > 1 ? fmt::format("{}{}", name, i)
                                              : name);
  }
  return names;
}

/// Record by record, as from_csv reads it.
Scan scan_records(const SourceRequest& request, const SourceFiles& files, Database& database) {
  const bool header = flag_option(request, "header", false);
  std::string arguments = fmt::format(", skip_blank := true, comment := {}",
                                      sql_string(text_option(request, {"comment"}, "")));
  if (flag_option(request, "multiline", false)) {
    arguments += fmt::format(", quote := {}, escape := {}, delimiter := {}",
                             sql_string(text_option(request, {"quote"}, "\"")),
                             sql_string(text_option(request, {"escape"}, "\\")),
                             sql_string(text_option(request, {"sep", "delimiter"}, ",")));
  }
  const auto options = sql_string(kernel_options(request)), zone = sql_string(request.time_zone);
  const auto records =
      fmt::format("{}{}", records_of(request, files, arguments), header ? " WHERE number > 0" : "");
  Schema schema = data_schema(request, files);
  const bool checks_header = header && !flag_option(request, "enforceschema", true);
  if (request.schema.empty() || checks_header) {
    SourceFiles first;
    if (!files.paths.empty()) first.paths.push_back(files.paths[0]);
    std::vector<std::optional<std::string>> fields;
    for (const auto& row : database.rows(fmt::format(
             "SELECT unnest(spark_csv_fields(record, 'STRING', {}, {})) FROM {} WHERE number = 0",
             options, zone, records_of(request, first, arguments)))) {
      fields.push_back(row[0]);
    }
    if (!header) std::fill(fields.begin(), fields.end(), std::nullopt);
    const auto names = header_names(fields);
    if (checks_header && !request.schema.empty()) {
      for (size_t i = 0; i < schema.size(); ++i) {
        if (i < names.size() && equal_ignoring_case(schema[i].name, names[i])) continue;
        throw Error(
            "FAILED_READ_FILE.NO_HINT",
            fmt::format("CSV header does not conform to the schema. Header: {}. Schema: {}.",
                        fmt::join(names, ", "), struct_type(schema).simple_string()));
      }
    }
    if (request.schema.empty()) {
      for (const auto& name : names) schema.push_back({name, make_type(TypeKind::kString), true});
      if (flag_option(request, "inferschema", false)) {
        const auto found = database.rows(fmt::format(
            "SELECT spark_csv_type_of_all(list(DISTINCT spark_csv_type(record, 'STRING', {0}, "
            "{1})), 'STRING', {0}, {1}) FROM {2}",
            options, zone, records));
        const auto types = parse_type(found.at(0).at(0).value_or("STRUCT<>"));
        for (size_t i = 0; i < schema.size() && i < types.fields->size(); ++i)
          schema[i].type = (*types.fields)[i].type;
      }
    }
  }
  Scan scan{.from = fmt::format("(SELECT file, unnest(spark_csv_rows(record, {}, {}, {})) AS r "
                                "FROM {})",
                                sql_string(array_type(struct_type(schema)).sql()), options, zone,
                                records),
            .columns = {},
            .file = "file"};
  for (const auto& field : schema) {
    scan.columns.push_back({{field.name, field.type, true},
                            fmt::format("struct_extract(r, {})", sql_string(field.name))});
  }
  add_partitions(scan, files, request);
  return scan;
}

}  // namespace

Scan scan_csv(const SourceRequest& request, const SourceFiles& files, Database& database) {
  check_options(request);
  const auto quotes = text_option(request, {"unescapedquotehandling"}, "STOP_AT_DELIMITER");
  if (quotes != "STOP_AT_DELIMITER") {
    throw Error("INVALID_OPTION",
                fmt::format("The option `unescapedQuoteHandling` takes STOP_AT_DELIMITER here, not "
                            "'{}'.",
                            quotes));
  }
  flag_option(request, "multiline", false);  // quoted line breaks are read either way
  if (!request.records.empty() || needs_records(request, files) ||
      has_escaped_quotes(request, files, database))
    return scan_records(request, files, database);
  auto scan = scan_fast(request, files, database);
  add_read_partitions(scan, files);
  return scan;
}

}  // namespace firesteel
