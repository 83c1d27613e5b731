// Functions that DuckDB lacks, as vectorised kernels and macros.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace duckdb {
class DatabaseInstance;
class ExtensionLoader;
}  // namespace duckdb

namespace firesteel {

void register_kernels(duckdb::DatabaseInstance& database);
/// Spark's Murmur3 of bytes.
uint32_t murmur3(const char* data, size_t size, uint32_t seed);
/// Bytes with U+FFFD for what is no UTF-8.
std::string repaired_utf8(std::string_view bytes);
/// Called by register_kernels, each in a file of its own.
void register_statistics(duckdb::ExtensionLoader& loader);
void register_random(duckdb::ExtensionLoader& loader);
void register_text(duckdb::ExtensionLoader& loader);
void register_crypto(duckdb::ExtensionLoader& loader);
void register_vectors(duckdb::ExtensionLoader& loader);
void register_formats(duckdb::ExtensionLoader& loader);
void register_regex(duckdb::ExtensionLoader& loader);
void register_summaries(duckdb::ExtensionLoader& loader);
void register_json(duckdb::ExtensionLoader& loader);
void register_variant(duckdb::ExtensionLoader& loader);
void register_csv(duckdb::ExtensionLoader& loader);
void register_xml(duckdb::ExtensionLoader& loader);
void register_sketches(duckdb::ExtensionLoader& loader);
void register_records(duckdb::ExtensionLoader& loader);
void register_orc(duckdb::ExtensionLoader& loader);
void register_images(duckdb::ExtensionLoader& loader);
void register_python(duckdb::ExtensionLoader& loader);
void register_python_rows(duckdb::ExtensionLoader& loader);

/// Those that DuckDB's own SQL can say.
inline constexpr const char* kKernelMacros =
    // Java's split: with a limit above zero the last part is the rest.
    "CREATE MACRO spark_split(s, p, n) AS CASE WHEN n <= 0 OR len(regexp_split_to_array(s, p)) <= "
    "n THEN "
    "regexp_split_to_array(s, p) ELSE list_append(list_slice(regexp_split_to_array(s, p), 1, n - "
    "1), substring(s, 1 + CAST("
    "coalesce(list_sum(list_transform(list_slice(regexp_split_to_array(s, p), 1, n - 1), lambda e: "
    "length(e))), 0) + "
    "coalesce(list_sum(list_transform(list_slice(regexp_extract_all(s, p), 1, n - 1), lambda e: "
    "length(e))), 0) AS BIGINT))) END";

}  // namespace firesteel
