// Values with names that a user types: one table serves both directions, and the error.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"

namespace firesteel {

/// A row of such a table. Rows with more columns will do too: they have a `value` and a `name`.
template <typename Value>
struct Named {
  Value value;
  std::string_view name;
};

/// Empty for a value that the table has not.
template <typename Row, size_t N, typename Value>
std::string_view name_of(const Row (&rows)[N], Value value) {
  for (const auto& row : rows) {
    if (row.value == value) return row.name;
  }
  return "";
}

/// Throws INVALID_OPTION: "There is no `what` `name`; use a, b or c."
template <typename Row, size_t N>
auto value_named(const Row (&rows)[N], std::string_view what, std::string_view name) {
  std::string names;
  for (size_t i = 0; i < N; ++i) {
    if (rows[i].name == name) return rows[i].value;
    names += fmt::format("{}{}", i == 0 ? "" : i + 1 == N ? " or " : ", ", rows[i].name);
  }
  throw Error("INVALID_OPTION", fmt::format("There is no {} `{}`; use {}.", what, name, names));
}

}  // namespace firesteel
