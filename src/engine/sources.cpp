// Parquet, CSV and JSON through DuckDB's readers; types found as Spark finds them.
#include "engine/sources.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <optional>

#include "engine/commit.h"
#include "engine/write.h"
#include "functions/coercion.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

std::string path_list(const std::vector<std::string>& files) {
  std::string out;
  for (const auto& file : files) out += (out.empty() ? "" : ", ") + sql_string(file);
  return "[" + out + "]";
}

std::string text_option(const SourceRequest& request, std::initializer_list<const char*> names,
                        const std::string& otherwise) {
  for (const char* name : names) {
    const auto found = request.options.find(name);
    if (found != request.options.end()) return found->second;
  }
  return otherwise;
}

bool flag_option(const SourceRequest& request, const char* name, bool otherwise) {
  auto value = text_option(request, {name}, otherwise ? "true" : "false");
  std::transform(value.begin(), value.end(), value.begin(), ::tolower);
  if (value != "true" && value != "false") {
    throw Error("INVALID_OPTION",
                fmt::format("The option `{}` takes true or false, not '{}'.", name, value));
  }
  return value == "true";
}

/// Options that are read; any other is an error when it would change the rows, else passed over.
void check_options(const SourceRequest& request, const std::vector<std::string>& known) {
  for (const auto& [key, value] : request.options) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const auto nearest = nearest_name(key, known);
    throw Error("INVALID_OPTION",
                fmt::format("The {} source has no option `{}`.{}", request.format, key,
                            nearest.empty() ? "" : fmt::format(" Did you mean `{}`?", nearest)));
  }
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return std::tolower(x) == std::tolower(y); });
}

/// Does every value read as the type?
bool all_of_type(const std::vector<std::string>& values, TypeKind kind) {
  return std::all_of(values.begin(), values.end(), [&](const std::string& text) {
    const char *end = text.data() + text.size(), *stop = nullptr;
    if (kind == TypeKind::kInteger || kind == TypeKind::kLong) {
      int64_t value = 0;
      const auto read = std::from_chars(text.data(), end, value);
      return read.ec == std::errc() && read.ptr == end &&
             (kind == TypeKind::kLong || value == static_cast<int32_t>(value));
    }
    if (kind == TypeKind::kDouble) {
      double value = 0;
      const auto read = std::from_chars(text.data(), end, value);
      stop = read.ptr;
      return read.ec == std::errc() && stop == end && std::isdigit(*(end - 1));
    }
    static constexpr std::string_view kDate = "dddd-dd-dd", kTime = "dddd-dd-dd dd:dd:dd";
    const auto shape = kind == TypeKind::kDate ? kDate : kTime;
    return text.size() == shape.size() &&
           std::equal(text.begin(), text.end(), shape.begin(), [](char c, char wanted) {
             return wanted == 'd' ? std::isdigit(c) != 0 : c == wanted;
           });
  });
}

/// A file and the part of its path below what was asked for, whose folders' names give columns.
struct FoundFile {
  std::string path, below;
};

struct Partitions {
  Schema columns;
  std::vector<std::string> names;  // all that the reader finds in the path

  bool contains(const std::string& name) const {
    return std::find(names.begin(), names.end(), name) != names.end();
  }
};

/// The columns that the folders' names give, typed as Spark infers them.
Partitions partitions_of(const SourceRequest& request, const std::vector<FoundFile>& files) {
  Partitions out;
  auto& schema = out.columns;
  std::vector<std::vector<std::string>> values;
  for (const auto& file : files) {
    const auto parts = partition_values(file.below);
    if (&file == &files.front()) {
      for (const auto& [name, value] : parts)
        schema.push_back({name, make_type(TypeKind::kString)});
      values.resize(schema.size());
    }
    bool same = parts.size() == schema.size();
    for (size_t i = 0; same && i < parts.size(); ++i) {
      same = parts[i].first == schema[i].name;
      if (parts[i].second) values[i].push_back(*parts[i].second);
    }
    if (!same) {
      throw Error(
          "CONFLICTING_PARTITION_COLUMN_NAMES",
          fmt::format("Conflicting partition column names detected: {} has other partitions "
                      "than {}. For partitioned table directories, data files should only "
                      "live in leaf directories.",
                      file.path, files.front().path));
    }
  }
  for (size_t i = 0; i < schema.size() && !request.partition_schema; ++i) {
    for (const auto kind : {TypeKind::kInteger, TypeKind::kLong, TypeKind::kDouble, TypeKind::kDate,
                            TypeKind::kTimestamp}) {
      if (values[i].empty() || !all_of_type(values[i], kind)) continue;
      schema[i].type = make_type(kind);
      break;
    }
  }
  if (request.partition_schema) schema = *request.partition_schema;
  for (const auto& [name, value] : partition_values(files.front().path)) out.names.push_back(name);
  return out;
}

/// The reader's arguments for them.
std::string partition_arguments(const Partitions& partitions) {
  if (partitions.columns.empty()) return ", hive_partitioning = false";
  std::string types;
  for (const auto& field : partitions.columns) {
    types += fmt::format("{}{}: {}", types.empty() ? "" : ", ", sql_string(field.name),
                         sql_string(duckdb_type(field.type)));
  }
  return fmt::format(", hive_partitioning = true, hive_types = {{{}}}", types);
}

Scan described(Database& database, const std::string& from, const std::string& what) {
  Scan scan{.from = from, .columns = {}};
  try {
    for (auto& column : database.describe("SELECT * FROM " + from)) {
      scan.columns.push_back({{column.name, column.type, true}, column.sql});
    }
  } catch (const Error& error) {
    throw Error(
        error.condition() == "INTERNAL_ERROR" ? "FAILED_READ_FILE.NO_HINT" : error.condition(),
        fmt::format("{} ({})", error.message(), what));
  }
  return scan;
}

/// The user's schema in place of the file's: columns by name, cast, absent ones null.
Scan with_schema(Scan scan, const Schema& schema, const SourceRequest& request) {
  if (schema.empty()) return scan;
  const bool failfast = text_option(request, {"mode"}, "PERMISSIVE") == "FAILFAST";
  std::vector<Scan::Column> columns;
  for (const auto& field : schema) {
    // Capitals tell columns apart only where nothing else does.
    auto found = std::find_if(scan.columns.begin(), scan.columns.end(),
                              [&](const auto& column) { return column.field.name == field.name; });
    if (found == scan.columns.end()) {
      found = std::find_if(scan.columns.begin(), scan.columns.end(), [&](const auto& column) {
        return equal_ignoring_case(column.field.name, field.name);
      });
    }
    Resolved value{.sql = fmt::format("CAST(NULL AS {})", duckdb_type(field.type)),
                   .type = field.type};
    if (found != scan.columns.end()) {
      value = cast({.sql = found->sql, .type = found->field.type, .name = field.name}, field.type,
                   request.time_zone, !failfast);
    }
    columns.push_back({{field.name, field.type, true}, value.sql});
  }
  scan.columns = std::move(columns);
  return scan;
}

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

/// DuckDB's name of an encoding, or an error that names the option.
std::string csv_encoding(const SourceRequest& request) {
  const auto given = text_option(request, {"encoding", "charset"}, "UTF-8");
  std::string name;
  for (const char c : given) {
    if (std::isalnum(static_cast<unsigned char>(c)))
      name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  if (name == "UTF8" || name == "USASCII" || name == "ASCII") return "utf-8";
  if (name == "UTF16" || name == "UTF16LE") return "utf-16";
  if (name == "ISO88591" || name == "LATIN1") return "latin-1";
  throw Error(
      "INVALID_OPTION",
      fmt::format(
          "The option `encoding` takes UTF-8, US-ASCII, UTF-16 or ISO-8859-1 here, not '{}'.",
          given));
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

Scan scan_csv(const SourceRequest& request, const std::vector<std::string>& files,
              const Partitions& partitions, Database& database) {
  check_options(
      request, {"header", "sep", "delimiter", "quote", "escape", "nullvalue", "inferschema", "mode",
                "comment", "ignoreleadingwhitespace", "ignoretrailingwhitespace", "multiline",
                "encoding", "charset", "emptyvalue", "path", "basepath"});
  flag_option(request, "multiline", false);  // quoted line breaks are read either way
  const bool header = flag_option(request, "header", false);
  const auto separator = text_option(request, {"sep", "delimiter"}, ",");
  const auto mode = text_option(request, {"mode"}, "PERMISSIVE");
  const CsvText text(request);
  std::string reader = fmt::format(
      "read_csv({}, header = {}, delim = {}, quote = {}, escape = {}, nullstr = '', auto_detect = "
      "true, "
      "sample_size = 1000, strict_mode = false, null_padding = {}, encoding = {}{}{}",
      path_list(files), header, sql_string(separator == "\\t" ? "\t" : separator),
      sql_string(text.quote), sql_string(text_option(request, {"escape"}, "\"")),
      mode == "FAILFAST" ? "false" : "true", sql_string(csv_encoding(request)),
      text.plain() ? "" : ", allow_quoted_nulls = false", partition_arguments(partitions));
  if (mode == "DROPMALFORMED") reader += ", ignore_errors = true";
  const auto comment = text_option(request, {"comment"}, "");
  if (!comment.empty()) reader += fmt::format(", comment = {}", sql_string(comment));
  std::string as_text = reader + ", all_varchar = true)";
  auto columns = database.describe("SELECT * FROM " + as_text);
  std::erase_if(columns, [&](const auto& column) { return partitions.contains(column.name); });
  if (!text.plain()) {
    std::string list;
    for (const auto& field : partitions.columns)
      list += (list.empty() ? "" : ", ") + sql_name(field.name);
    for (const auto& column : columns)
      list += fmt::format("{}{} AS {}", list.empty() ? "" : ", ", text.value_of(column.sql),
                          column.sql);
    as_text = fmt::format("(SELECT {} FROM {})", list, as_text);
  }
  if (columns.empty()) {
    throw Error(
        "UNABLE_TO_INFER_SCHEMA",
        fmt::format("Unable to infer schema for CSV: {} is empty. Give the schema.", files[0]));
  }
  // Without a header Spark names the columns _c0, _c1 …
  auto shown_name = [&](size_t i) { return header ? columns[i].name : fmt::format("_c{}", i); };
  Scan scan{.from = as_text, .columns = {}};
  for (size_t i = 0; i < columns.size(); ++i) {
    scan.columns.push_back({{shown_name(i), make_type(TypeKind::kString), true}, columns[i].sql});
  }
  if (!request.schema.empty()) {
    if (!header) {
      for (size_t i = 0; i < scan.columns.size() && i < request.schema.size(); ++i)
        scan.columns[i].field.name = request.schema[i].name;
    }
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
    return {.from = as_text, .columns = std::move(typed)};
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
  return {.from = fmt::format("{}, types = {{{}}})", reader, types), .columns = std::move(typed)};
}

Scan scan_json(const SourceRequest& request, const std::vector<std::string>& files,
               const Partitions& partitions, Database& database) {
  check_options(request,
                {"multiline", "mode", "path", "basepath", "primitivesasstring", "encoding"});
  const bool multiline = flag_option(request, "multiline", false);
  const auto reader = fmt::format(
      "read_json({}, format = '{}', sample_size = -1, "
      "convert_strings_to_integers = false{}",
      path_list(files), multiline ? "auto" : "newline_delimited", partition_arguments(partitions));
  auto scan = described(database, reader + ")", fmt::format("JSON of {}", files[0]));
  std::erase_if(scan.columns,
                [&](const auto& column) { return partitions.contains(column.field.name); });
  // Spark leaves text that looks like a moment as text.
  std::string columns;
  for (auto& column : scan.columns) {
    if (column.field.type.is_datetime()) column.field.type = make_type(TypeKind::kString);
    column.sql = sql_name(column.field.name);
    columns += fmt::format("{}{}: {}", columns.empty() ? "" : ", ", sql_string(column.field.name),
                           sql_string(duckdb_type(column.field.type)));
  }
  scan.from = fmt::format("{}, columns = {{{}}})", reader, columns);
  // As Spark's inference: fields in alphabetical order.
  std::sort(
      scan.columns.begin(), scan.columns.end(),
      [](const Scan::Column& a, const Scan::Column& b) { return a.field.name < b.field.name; });
  return scan;
}

Scan scan_parquet(const SourceRequest& request, const std::vector<std::string>& files,
                  const Partitions& partitions, Database& database) {
  check_options(request, {"mergeschema", "path", "basepath", "compression", "recursivefilelookup"});
  const auto reader =
      fmt::format("read_parquet({}, union_by_name = {}{})", path_list(files),
                  flag_option(request, "mergeschema", false), partition_arguments(partitions));
  auto scan = described(database, reader, fmt::format("Parquet of {}", files[0]));
  std::erase_if(scan.columns,
                [&](const auto& column) { return partitions.contains(column.field.name); });
  return scan;
}

}  // namespace

std::vector<std::string> expand_path(const std::string& given) {
  const std::string path = given.starts_with("file://") ? given.substr(7) : given;
  std::vector<std::string> files;
  auto add_folder = [&](const fs::path& folder) {
    const auto more = folder_files(folder);
    files.insert(files.end(), more.begin(), more.end());
  };
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    add_folder(path);
  } else if (fs::exists(path, ignored)) {
    files.push_back(path);
  } else {
    glob_t found{};
    if (::glob(path.c_str(), GLOB_BRACE, nullptr, &found) == 0) {
      for (size_t i = 0; i < found.gl_pathc; ++i) {
        if (fs::is_directory(found.gl_pathv[i])) {
          add_folder(found.gl_pathv[i]);
        } else {
          files.emplace_back(found.gl_pathv[i]);
        }
      }
    }
    globfree(&found);
    if (files.empty()) {
      throw Error("PATH_NOT_FOUND", fmt::format("Path does not exist: {}.", given));
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

Scan scan_source(const SourceRequest& request, Database& database) {
  static const std::vector<std::string> formats = {"parquet", "csv", "json"};
  if (std::find(formats.begin(), formats.end(), request.format) == formats.end()) {
    throw Error("DATA_SOURCE_NOT_FOUND",
                fmt::format("There is no data source `{}`. Supported are parquet, csv and json.",
                            request.format));
  }
  std::vector<std::string> files;
  std::vector<FoundFile> found;
  const auto parts_of = [](const std::string& path) {
    auto plain = fs::path(path.starts_with("file:") ? path.substr(path.find('/')) : path);
    plain = fs::absolute(plain).lexically_normal();
    return std::vector<fs::path>(plain.begin(), plain.end());
  };
  for (const auto& path : request.paths) {
    auto base = parts_of(text_option(request, {"basepath"}, path));
    if (base.back().empty()) base.pop_back();
    for (const auto& file : expand_path(path)) {
      const auto parts = parts_of(file);
      fs::path below;
      for (size_t i = base.size(); i < parts.size(); ++i) below /= parts[i];
      files.push_back(file);
      found.push_back({file, below.string()});
    }
  }
  if (files.empty()) {
    throw Error(
        "UNABLE_TO_INFER_SCHEMA",
        fmt::format("Unable to infer schema for {}: {} holds no file. Give the schema.",
                    request.format, request.paths.empty() ? "(no path)" : request.paths[0]));
  }
  for (const auto& file : files) {
    if (fs::file_size(file) == 0 && files.size() == 1) {
      throw Error("UNABLE_TO_INFER_SCHEMA",
                  fmt::format("Unable to infer schema: the file {} is empty.", file));
    }
  }
  const auto partitions = partitions_of(request, found);
  auto scan = request.format == "csv"    ? scan_csv(request, files, partitions, database)
              : request.format == "json" ? scan_json(request, files, partitions, database)
                                         : scan_parquet(request, files, partitions, database);
  for (const auto& field : partitions.columns)
    scan.columns.push_back({{field.name, field.type, true}, sql_name(field.name)});
  return with_schema(std::move(scan), request.schema, request);
}

}  // namespace firesteel
