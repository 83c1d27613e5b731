// The files of a source and the columns that their folders give; the formats are read by
// source_csv, source_json, source_text and, Parquet, here.
#include "engine/sources.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <glob.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <optional>

#include "engine/commit.h"
#include "engine/source_reader.h"
#include "engine/write.h"
#include "functions/coercion.h"
#include "plan/names.h"

namespace firesteel {

namespace fs = std::filesystem;

bool Partitions::contains(const std::string& name) const {
  return std::find(names.begin(), names.end(), name) != names.end();
}

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

const std::vector<std::string>& known_options(const std::string& format) {
  static const std::vector<std::string> common = {"path",
                                                  "header",
                                                  "basepath",
                                                  "pathglobfilter",
                                                  "recursivefilelookup",
                                                  "modifiedafter",
                                                  "modifiedbefore",
                                                  "timezone",
                                                  "ignorecorruptfiles",
                                                  "mergeschema",
                                                  "ignoremissingfiles",
                                                  "maxrecordsperfile",
                                                  "partitionoverwritemode"};
  static const std::vector<std::string> of_text = {"linesep", "encoding", "compression", "codec"};
  static const std::vector<std::string> of_values = {
      "mode",      "columnnameofcorruptrecord", "charset",       "dateformat", "timestampformat",
      "multiline", "timestampntzformat",        "samplingratio", "inferschema"};
  static const auto all = [](std::vector<std::string> own,
                             std::initializer_list<const std::vector<std::string>*> others) {
    for (const auto* other : others) own.insert(own.end(), other->begin(), other->end());
    return own;
  };
  static const std::map<std::string, std::vector<std::string>> formats = {
      {"csv", all({"sep", "delimiter", "quote", "escape", "nullvalue", "emptyvalue", "comment",
                   "ignoreleadingwhitespace", "ignoretrailingwhitespace", "nanvalue", "positiveinf",
                   "negativeinf", "maxcharspercolumn", "maxcolumns", "enforceschema",
                   "unescapedquotehandling", "preferdate", "quoteall"},
                  {&of_values, &of_text, &common})},
      {"json", all({"primitivesasstring", "prefersdecimal", "dropfieldifallnull", "allowcomments",
                    "allowunquotedfieldnames", "allowsinglequotes", "allownumericleadingzeros",
                    "allownonnumericnumbers", "allowbackslashescapinganycharacter",
                    "allowunquotedcontrolchars", "infertimestamp", "ignorenullfields"},
                   {&of_values, &of_text, &common})},
      {"xml",
       all({"rowtag", "roottag", "attributeprefix", "valuetag", "nullvalue", "excludeattribute",
            "treatemptyvaluesasnulls", "ignoresurroundingspaces", "ignorenamespace",
            "arrayelementname", "declaration", "indent", "locale", "prefersdecimal"},
           {&of_values, &of_text, &common})},
      {"text", all({"wholetext"}, {&of_text, &common})},
      {"parquet", all({"compression", "parquet.compression", "datetimerebasemode",
                       "int96rebasemode", "inferschema"},
                      {&common})},
      {"orc", all({"compression", "orc.compress"}, {&common})},
      {"image", all({"dropinvalid"}, {&common})}};
  const auto found = formats.find(format);
  return found == formats.end() ? common : found->second;
}

void check_options(const std::string& format, const std::map<std::string, std::string>& options) {
  const auto& known = known_options(format);
  for (const auto& [key, value] : options) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const auto nearest = nearest_name(key, known);
    throw Error("INVALID_OPTION",
                fmt::format("The {} source has no option `{}`.{}", format, key,
                            nearest.empty() ? "" : fmt::format(" Did you mean `{}`?", nearest)));
  }
}

void check_options(const SourceRequest& request) { check_options(request.format, request.options); }

std::string kernel_options(const SourceRequest& request) {
  std::string out;
  for (const auto& [name, value] : request.options) out += name + '\x1f' + value + '\x1f';
  return out;
}

std::string encoding_option(const SourceRequest& request) {
  const auto given = text_option(request, {"encoding", "charset"}, "UTF-8");
  std::string name;
  for (const char c : given) {
    if (std::isalnum(static_cast<unsigned char>(c)))
      name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  if (name == "UTF8" || name == "USASCII" || name == "ASCII") return "utf-8";
  if (name == "UTF16") return "utf-16";
  if (name == "UTF16LE") return "utf-16le";
  if (name == "UTF16BE") return "utf-16be";
  if (name == "ISO88591" || name == "LATIN1") return "latin-1";
  throw Error("INVALID_OPTION",
              fmt::format("The option `encoding` takes UTF-8, US-ASCII, UTF-16, UTF-16LE, UTF-16BE "
                          "or ISO-8859-1 here, not '{}'.",
                          given));
}

std::string separator_of_records(const SourceRequest& request) {
  const auto separator = text_option(request, {"linesep"}, "");
  if (request.options.contains("linesep") && separator.empty())
    throw Error("INVALID_OPTION", "The option `lineSep` cannot be an empty text.");
  return separator;
}

std::string reader_arguments(const SourceFiles& files) {
  return partition_arguments(files) + fmt::format(", filename = '{}'", kFileColumn);
}

std::string partition_arguments(const SourceFiles& files) {
  if (files.partitions.columns.empty()) return ", hive_partitioning = false";
  std::string types;
  for (const auto& field : files.partitions.columns) {
    types += fmt::format("{}{}: {}", types.empty() ? "" : ", ", sql_string(field.name),
                         sql_string(duckdb_type(field.type)));
  }
  return fmt::format(", hive_partitioning = true, hive_types = {{{}}}", types);
}

Scan described(Database& database, const std::string& from, const SourceFiles& files,
               const std::string& what) {
  Scan scan{.from = from, .columns = {}, .file = kFileColumn};
  try {
    for (auto& column : database.describe("SELECT * FROM " + from)) {
      if (column.name == kFileColumn || files.partitions.contains(column.name)) continue;
      scan.columns.push_back({{column.name, column.type, true}, column.sql});
    }
  } catch (const Error& error) {
    throw Error(
        error.condition() == "INTERNAL_ERROR" ? "FAILED_READ_FILE.NO_HINT" : error.condition(),
        fmt::format("{} ({})", error.message().substr(0, error.message().find("\n\nLINE ")), what));
  }
  return scan;
}

void add_read_partitions(Scan& scan, const SourceFiles& files) {
  for (const auto& field : files.partitions.columns)
    scan.columns.push_back({{field.name, field.type, true}, sql_name(field.name)});
}

std::string records_of(const SourceRequest& request, const SourceFiles& files,
                       const std::string& arguments) {
  if (!request.records.empty()) {
    const auto comment = text_option(request, {"comment"}, "");
    return fmt::format(
        "(SELECT '' AS file, record, row_number() OVER () - 1 AS number FROM ({}) WHERE "
        "trim(record) <> ''{})",
        request.records,
        comment.empty() ? ""
                        : fmt::format(" AND NOT starts_with(record, {})", sql_string(comment)));
  }
  return fmt::format(
      "spark_records({}, encoding := {}, separator := {}, ignore_corrupt := {}, "
      "ignore_missing := {}{})",
      path_list(files.paths), sql_string(encoding_option(request)),
      sql_string(separator_of_records(request)), flag_option(request, "ignorecorruptfiles", false),
      flag_option(request, "ignoremissingfiles", false), arguments);
}

void add_partitions(Scan& scan, const SourceFiles& files, const SourceRequest& request) {
  for (const auto& field : files.partitions.columns) {
    const Resolved text{
        .sql = fmt::format("spark_partition_value({}, {})", scan.file, sql_string(field.name)),
        .type = make_type(TypeKind::kString),
        .name = field.name};
    scan.columns.push_back(
        {{field.name, field.type, true}, cast(text, field.type, request.time_zone).sql});
  }
}

Schema data_schema(const SourceRequest& request, const SourceFiles& files) {
  Schema schema = request.schema;
  std::erase_if(schema, [&](const Field& field) {
    return std::any_of(files.partitions.columns.begin(), files.partitions.columns.end(),
                       [&](const Field& other) { return other.name == field.name; });
  });
  return schema;
}

MalformedRecords::MalformedRecords(const SourceRequest& request)
    : column(text_option(request, {"columnnameofcorruptrecord"}, "_corrupt_record")) {
  auto mode = text_option(request, {"mode"}, "PERMISSIVE");
  std::transform(mode.begin(), mode.end(), mode.begin(), ::toupper);
  permissive = mode != "FAILFAST" && mode != "DROPMALFORMED";
  const auto found = std::find_if(request.schema.begin(), request.schema.end(),
                                  [&](const Field& field) { return field.name == column; });
  kept = found != request.schema.end();
  if (kept && found->type.kind != TypeKind::kString) {
    throw Error("INVALID_CORRUPT_RECORD_TYPE",
                fmt::format("The column `{}` for corrupt records must have the nullable STRING "
                            "type, but got \"{}\".",
                            column, found->type.sql()));
  }
}

namespace {

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
  for (auto& field : schema) {  // as the user's schema has it, where it does
    for (const auto& given : request.schema) {
      if (equal_ignoring_case(given.name, field.name)) field.type = given.type;
    }
  }
  if (request.partition_schema) schema = *request.partition_schema;
  for (const auto& [name, value] : partition_values(files.front().path)) out.names.push_back(name);
  return out;
}

/// Does Spark's Parquet reader give values of a file's type as those of another?
bool parquet_reads(const DataType& file, const DataType& wanted) {
  using enum TypeKind;
  const auto whole = [](TypeKind kind) {
    return kind == kByte || kind == kShort || kind == kInteger;
  };
  if (file.is_nested() || wanted.is_nested()) return file.kind == wanted.kind;
  if (file.kind == wanted.kind && file.kind != kDecimal) return true;
  const int digits = wanted.precision - wanted.scale;
  switch (wanted.kind) {
    case kByte:
    case kShort:
    case kInteger:
    case kLong:
      return whole(file.kind);
    case kDouble:
      return whole(file.kind) || file.kind == kFloat;
    case kDecimal:
      if (file.kind == kDecimal)
        return wanted.scale >= file.scale && digits >= file.precision - file.scale;
      return (whole(file.kind) && digits >= 10) || (file.kind == kLong && digits >= 20);
    case kString:
      return file.kind == kBinary;
    case kBinary:
      return file.kind == kString;
    case kTimestampNtz:
      return file.kind == kDate || file.kind == kTimestamp;
    case kTimestamp:
      return file.kind == kTimestampNtz;
    default:
      return file.kind == kNull;
  }
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
    const bool refused = found != scan.columns.end() && request.format == "parquet" &&
                         !parquet_reads(found->field.type, field.type);
    if (refused) {
      value.sql = fmt::format(
          "CAST({} AS {})",
          raise_sql("FAILED_READ_FILE.PARQUET_COLUMN_DATA_TYPE_MISMATCH",
                    fmt::format("Encountered error while reading a file: Data type mismatches when "
                                "reading Parquet column `{}`. Expected Spark type {}, actual {}.",
                                field.name, field.type.simple_string(),
                                found->field.type.simple_string()),
                    {}),
          duckdb_type(field.type));
    } else if (found != scan.columns.end()) {
      value = cast({.sql = found->sql, .type = found->field.type, .name = field.name}, field.type,
                   request.time_zone, !failfast);
    }
    columns.push_back({{field.name, field.type, true}, value.sql});
  }
  scan.columns = std::move(columns);
  return scan;
}

}  // namespace

Scan scan_parquet(const SourceRequest& request, const SourceFiles& files, Database& database) {
  check_options(request);
  const auto reader = fmt::format("read_parquet({}, union_by_name = {}{})", path_list(files.paths),
                                  files.paths.size() > 1, partition_arguments(files));
  auto scan = described(database, reader, files, fmt::format("Parquet of {}", files.paths[0]));
  if (files.paths.size() > 1 && request.schema.empty() &&
      !flag_option(request, "mergeschema", false)) {  // the columns of one file
    const auto first = database.describe(
        fmt::format("SELECT * FROM read_parquet({})", sql_string(files.paths[0])));
    std::erase_if(scan.columns, [&](const auto& column) {
      return std::none_of(first.begin(), first.end(), [&](const auto& other) {
        return equal_ignoring_case(other.name, column.field.name);
      });
    });
  }
  // The reader's own column of this name, not one that it adds: with that, DuckDB 1.5 fails where
  // it takes an aggregate from the files' statistics.
  const bool named = std::any_of(scan.columns.begin(), scan.columns.end(), [](const auto& column) {
    return equal_ignoring_case(column.field.name, "filename");
  });
  scan.file = named ? "" : "filename";
  scan.row_index = "file_row_number";
  add_read_partitions(scan, files);
  return scan;
}

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

namespace {

/// What pathGlobFilter, modifiedBefore and modifiedAfter leave.
class FileFilter {
 public:
  FileFilter(const SourceRequest& request, Database& database)
      : glob_(text_option(request, {"pathglobfilter"}, "")) {
    const auto time = [&](const char* name) -> std::optional<int64_t> {
      const auto text = text_option(request, {name}, "");
      if (text.empty()) return std::nullopt;
      try {
        return std::stoll(
            *database
                 .rows(
                     fmt::format("SELECT epoch_us(timezone({}, CAST({} AS TIMESTAMP)))",
                                 sql_string(text_option(request, {"timezone"}, request.time_zone)),
                                 sql_string(text)))
                 .at(0)
                 .at(0));
      } catch (const Error&) {
        throw Error("INVALID_OPTION",
                    fmt::format("The option `{}` takes a time such as 2020-06-01T13:00:00, not "
                                "'{}'.",
                                name, text));
      }
    };
    before_ = time("modifiedbefore");
    after_ = time("modifiedafter");
  }

  bool keeps(const std::string& file) const {
    if (!glob_.empty() && ::fnmatch(glob_.c_str(), fs::path(file).filename().c_str(), 0) != 0)
      return false;
    if (!before_ && !after_) return true;
    const auto time = std::chrono::file_clock::to_sys(fs::last_write_time(file));
    const int64_t micros =
        std::chrono::floor<std::chrono::microseconds>(time.time_since_epoch()).count();
    return (!before_ || micros < *before_) && (!after_ || micros > *after_);
  }

 private:
  std::string glob_;
  std::optional<int64_t> before_, after_;
};

std::vector<FoundFile> found_files(const SourceRequest& request, Database& database) {
  const FileFilter filter(request, database);
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
      if (!filter.keeps(file)) continue;
      const auto parts = parts_of(file);
      fs::path below;
      for (size_t i = base.size(); i < parts.size(); ++i) below /= parts[i];
      found.push_back({file, below.string()});
    }
  }
  // Folders that are no partitions are looked into when it is asked for.
  const bool partitioned = std::any_of(found.begin(), found.end(), [](const FoundFile& file) {
    return !partition_values(file.below).empty();
  });
  if (flag_option(request, "recursivefilelookup", false)) {
    for (auto& file : found) file.below = fs::path(file.below).filename().string();
  } else if (!partitioned) {
    const bool globbed = std::any_of(request.paths.begin(), request.paths.end(), [](const auto& p) {
      return p.find_first_of("*?[{") != std::string::npos;
    });
    if (!globbed) {
      std::erase_if(
          found, [](const FoundFile& file) { return file.below.find('/') != std::string::npos; });
    }
  }
  return found;
}

/// The largest file is read first, as Spark packs files into partitions; a Parquet file alone says
/// the schema of all, so there the first is the same.
void order_by_size(const SourceRequest& request, std::vector<FoundFile>& found,
                   Database& database) {
  if (found.size() < 2) return;
  const auto first = found.front();
  const auto size = [](const FoundFile& file) {
    std::error_code ignored;
    const auto bytes = fs::file_size(file.path, ignored);
    return ignored ? 0 : bytes;
  };
  std::ranges::stable_sort(found, std::greater<>(), size);
  if (found.front().path == first.path || request.format != "parquet") return;
  const auto columns = [&](const FoundFile& file) {
    std::string text;
    for (const auto& column :
         database.describe(fmt::format("SELECT * FROM read_parquet({})", sql_string(file.path))))
      text += column.name + " " + column.type.sql() + "\n";
    return text;
  };
  try {
    if (columns(found.front()) == columns(first)) return;
  } catch (const Error&) {  // whoever reads it says what is wrong with it
  }
  std::ranges::sort(found, {}, &FoundFile::path);
}

Scan no_rows(const Schema& schema) {
  Scan scan{.from = "(SELECT 1 WHERE false)", .columns = {}};
  for (const auto& field : schema)
    scan.columns.push_back({field, fmt::format("CAST(NULL AS {})", duckdb_type(field.type))});
  return scan;
}

/// Files that cannot be opened as what they should be.
void leave_out_corrupt(const SourceRequest& request, SourceFiles& files, Database& database) {
  const auto* reader = request.format == "parquet" ? "read_parquet"
                       : request.format == "orc"   ? "spark_orc"
                                                   : nullptr;
  if (!reader) return;
  std::erase_if(files.paths, [&](const std::string& path) {
    try {
      database.describe(fmt::format("SELECT * FROM {}({})", reader, sql_string(path)));
      return false;
    } catch (const Error&) {
      return true;
    }
  });
}

Scan scan_format(const SourceRequest& request, const SourceFiles& files, Database& database) {
  auto scan = request.format == "csv"    ? scan_csv(request, files, database)
              : request.format == "json" ? scan_json(request, files, database)
              : request.format == "orc"  ? scan_orc(request, files, database)
              : request.format == "avro" ? scan_avro(request, files, database)
              : request.format == "xml"  ? scan_xml(request, files, database)
                                         : scan_parquet(request, files, database);
  return with_schema(std::move(scan), request.schema, request);
}

}  // namespace

bool is_source_format(std::string_view format) {
  return std::find(std::begin(kSourceFormats), std::end(kSourceFormats), format) !=
         std::end(kSourceFormats);
}

Scan scan_texts(const SourceRequest& request, Database& database) {
  auto scan = request.format == "csv"   ? scan_csv(request, {}, database)
              : request.format == "xml" ? scan_xml(request, {}, database)
                                        : scan_json(request, {}, database);
  scan.file.clear();
  return with_schema(std::move(scan), request.schema, request);
}

Scan scan_source(const SourceRequest& request, Database& database) {
  if (!is_source_format(request.format)) {
    throw Error("DATA_SOURCE_NOT_FOUND",
                fmt::format("There is no data source `{}`. Supported are {}.", request.format,
                            fmt::join(kSourceFormats, ", ")));
  }
  auto found = found_files(request, database);
  order_by_size(request, found, database);
  if (found.empty() && request.format == "text")
    return no_rows({{"value", make_type(TypeKind::kString), true}});
  if (found.empty() && !request.schema.empty()) return no_rows(request.schema);
  if (found.empty()) {
    throw Error(
        "UNABLE_TO_INFER_SCHEMA",
        fmt::format("Unable to infer schema for {}: {} holds no file. Give the schema.",
                    request.format, request.paths.empty() ? "(no path)" : request.paths[0]));
  }
  SourceFiles files{.paths = {}, .partitions = partitions_of(request, found)};
  for (const auto& file : found) files.paths.push_back(file.path);
  if (flag_option(request, "ignorecorruptfiles", false))
    leave_out_corrupt(request, files, database);
  if (files.paths.empty() && !request.schema.empty()) return no_rows(request.schema);
  const bool lines =
      request.format == "text" || request.format == "binaryfile" || request.format == "image";
  const bool given = !request.schema.empty() && request.format != "parquet";
  if (files.paths.empty() ||
      (!lines && !given && files.paths.size() == 1 && fs::file_size(files.paths[0]) == 0)) {
    throw Error("UNABLE_TO_INFER_SCHEMA",
                fmt::format("Unable to infer schema: the file {} is empty.", found[0].path));
  }
  if (request.format == "text") return scan_text(request, files);
  if (request.format == "binaryfile") return scan_binary_file(request, files);
  if (request.format == "image") return scan_image(request, files);
  try {
    return scan_format(request, files, database);
  } catch (const Error& error) {
    const bool of_rows = error.condition() == "FAILED_READ_FILE.NO_HINT" ||
                         error.condition() == "INVALID_CORRUPT_RECORD_TYPE";
    if (!of_rows || request.schema.empty()) throw;
    // What a schema is given for is read, and fails, when its rows are asked for.
    auto failing = no_rows(request.schema);
    failing.from = fmt::format("(SELECT {} AS failure) WHERE failure IS NULL",
                               raise_sql(error.condition(), error.message(), {}));
    return failing;
  }
}

}  // namespace firesteel
