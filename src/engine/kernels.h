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
    "(s3 / n - 3 * (s1 / n) * (s2 / n) + 2 * pow(s1 / n, 3)) / pow(s2 / n - (s1 / n) * (s1 / n), 1.5) END;"
    // INTERVAL '-1 02:03:04.5' DAY TO SECOND from microseconds.
    "CREATE MACRO spark_interval_text(us) AS 'INTERVAL ''' || CASE WHEN us < 0 THEN '-' ELSE '' END || "
    "(abs(us) // 86400000000) || printf(' %02d:%02d:%02d', (abs(us) // 3600000000) % 24, (abs(us) // 60000000) % 60, "
    "(abs(us) // 1000000) % 60) || CASE WHEN us % 1000000 <> 0 THEN rtrim(printf('.%06d', abs(us) % 1000000), '0') ELSE '' END "
    "|| ''' DAY TO SECOND';"
    // INTERVAL '1-2' YEAR TO MONTH from months.
    "CREATE MACRO spark_months_text(m) AS 'INTERVAL ''' || CASE WHEN m < 0 THEN '-' ELSE '' END || (abs(m) // 12) || '-' || "
    "(abs(m) % 12) || ''' YEAR TO MONTH'";

}  // namespace firesteel
