// Functions of one row's values, which need to know nothing of DuckDB: null when an argument is
// null or there is no result, and an Error becomes the query's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace duckdb {
class ExtensionLoader;
}

namespace firesteel {

/// A value of a row: text and bytes, or a whole number.
struct Argument {
  std::string_view text = {};
  int64_t number = 0;
};
using Arguments = std::span<const Argument>;

template <typename Result>
using RowFunction = std::optional<Result> (*)(Arguments);

/// Registers a function by its types, one letter each, the result behind '>': `s` text, `b` bytes,
/// `?` boolean, `i` int, `l` bigint, `d` double, `D` date, `T` timestamp. "ss>?" takes two texts
/// and gives a boolean.
void add_row_function(duckdb::ExtensionLoader& loader, const char* name, std::string_view types,
                      RowFunction<std::string> function);
void add_row_function(duckdb::ExtensionLoader& loader, const char* name, std::string_view types,
                      RowFunction<int64_t> function);
void add_row_function(duckdb::ExtensionLoader& loader, const char* name, std::string_view types,
                      RowFunction<double> function);

/// What is made of a text that seldom changes from row to row: a format, a pattern.
template <typename Made>
const Made& made_of(std::string_view text) {
  thread_local std::string known;
  thread_local std::unique_ptr<const Made> made;
  if (!made || known != text) {
    made = std::make_unique<const Made>(text);
    known = text;
  }
  return *made;
}

}  // namespace firesteel
