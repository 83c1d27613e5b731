// Functions that DuckDB lacks, as vectorised kernels and macros.
#pragma once

namespace duckdb {
class DatabaseInstance;
}

namespace firesteel {

void register_kernels(duckdb::DatabaseInstance& database);

/// Those that DuckDB's own SQL can say.
inline constexpr const char* kKernelMacros =
    // Skewness of the population from the count and the sums of the first three powers.
    "CREATE MACRO spark_skewness(n, s1, s2, s3) AS CASE WHEN n > 0 AND s2 / n - (s1 / n) * (s1 / n) > 0 THEN "
    "(s3 / n - 3 * (s1 / n) * (s2 / n) + 2 * pow(s1 / n, 3)) / pow(s2 / n - (s1 / n) * (s1 / n), 1.5) END";

}  // namespace firesteel
