// What the readers of the formats share: options, the files found, how to ask for them in SQL.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "engine/sources.h"

namespace firesteel {

/// The columns that the folders' names give (year=2024/), typed as Spark infers them.
struct Partitions {
  Schema columns;
  std::vector<std::string> names;  // all that DuckDB's readers find in the paths

  bool contains(const std::string& name) const;
};

struct SourceFiles {
  std::vector<std::string> paths;
  Partitions partitions;
};

/// The column in which DuckDB's readers say a row's file.
inline constexpr const char* kFileColumn = "__file";

std::string path_list(const std::vector<std::string>& files);
std::string text_option(const SourceRequest& request, std::initializer_list<const char*> names,
                        const std::string& otherwise);
bool flag_option(const SourceRequest& request, const char* name, bool otherwise);
/// Refuses options that neither reading nor writing has. Throws INVALID_OPTION.
void check_options(const SourceRequest& request);
/// The options as kernels take them.
std::string kernel_options(const SourceRequest& request);
/// DuckDB's name of the text's encoding.
std::string encoding_option(const SourceRequest& request);
std::string separator_of_records(const SourceRequest& request);

/// Arguments of DuckDB's readers: partitions, and with the file's column.
std::string partition_arguments(const SourceFiles& files);
std::string reader_arguments(const SourceFiles& files);
/// What a reader gives, without partitions and the file's column. Throws FAILED_READ_FILE.
Scan described(Database& database, const std::string& from, const SourceFiles& files,
               const std::string& what);

/// The partitions' columns as DuckDB's readers give them.
void add_read_partitions(Scan& scan, const SourceFiles& files);

/// spark_records(…) of the files, with more arguments.
std::string records_of(const SourceRequest& request, const SourceFiles& files,
                       const std::string& arguments);
/// The partitions' columns of the file that a row is of.
void add_partitions(Scan& scan, const SourceFiles& files, const SourceRequest& request);

/// The given schema without the partitions' columns.
Schema data_schema(const SourceRequest& request, const SourceFiles& files);

/// Of modes and schemas that have a column for malformed records.
struct MalformedRecords {
  std::string column;
  bool permissive, kept;  // the column is in the schema

  MalformedRecords(const SourceRequest& request);
};

Scan scan_csv(const SourceRequest& request, const SourceFiles& files, Database& database);
Scan scan_json(const SourceRequest& request, const SourceFiles& files, Database& database);
Scan scan_parquet(const SourceRequest& request, const SourceFiles& files, Database& database);
Scan scan_orc(const SourceRequest& request, const SourceFiles& files, Database& database);
Scan scan_avro(const SourceRequest& request, const SourceFiles& files, Database& database);
Scan scan_xml(const SourceRequest& request, const SourceFiles& files, Database& database);
Scan scan_text(const SourceRequest& request, const SourceFiles& files);
Scan scan_image(const SourceRequest& request, const SourceFiles& files);
Scan scan_binary_file(const SourceRequest& request, const SourceFiles& files);

}  // namespace firesteel
