// Spark's ANSI type rules: which type two expressions share, what may be cast silently, and how a
// cast is said in DuckDB.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "functions/spec.h"

namespace firesteel {

/// DuckDB's name of the type that holds a Spark type. Timestamps with and without time zone are
/// both DuckDB's TIMESTAMP; the former in UTC.
std::string duckdb_type(const DataType& type);

/// The type both values have after implicit casts (comparison, CASE, coalesce, set operations).
std::optional<DataType> common_type(const DataType& a, const DataType& b);

/// Whether a value may be given where `to` is expected without a written cast.
/// With `narrowing` a number is also cast to a smaller type.
bool implicitly_castable(const Resolved& value, const DataType& to, bool narrowing = false);

/// The value cast: implicit or written. Throws DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION when Spark
/// has no such cast. With `try_cast`, null in place of an error.
Resolved cast(const Resolved& value, const DataType& to, const std::string& time_zone,
              bool try_cast = false);
/// `cast`, except that nothing is written when DuckDB's type is right already.
Resolved coerce(const Resolved& value, const DataType& to, const std::string& time_zone);

/// The value as `show` prints it: a variant is JSON, where its cast is the text of what it holds.
std::string shown_sql(const Resolved& value, const std::string& time_zone);

/// The decimal type that holds an integral or decimal type's values.
DataType decimal_for(const DataType& type);
/// `decimal_for`, but as narrow as the literal.
DataType decimal_for(const Resolved& value);
/// Spark's limit: 38 digits, giving up scale first, but not below 6.
DataType bounded_decimal(int precision, int scale);

/// In a message of `raise_sql`: the text that SQL, which must not be null, has when it is raised.
std::string raised_value(std::string_view sql);
/// SQL that raises a Spark error when it is evaluated.
std::string raise_sql(std::string_view condition, std::string_view message, Span span);
/// The text of a Spark error that a kernel throws as DuckDB's exception.
std::string raised_text(std::string_view condition, std::string_view message, Span span = {});
/// The Error in a text made by these two, if it is one.
std::optional<Error> raised_error(std::string_view text);

/// A time of day of so many microseconds since midnight.
std::string time_sql(const std::string& micros);

/// 'text' with quotes doubled.
std::string sql_string(std::string_view text);
/// "name" with quotes doubled.
std::string sql_name(std::string_view name);

}  // namespace firesteel
