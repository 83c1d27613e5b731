// The table that `show()` prints, as Spark draws it.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace firesteel {

/// `rows` may hold one more than `limit`, which tells that there are more. `truncate` 0 leaves
/// cells whole.
std::string show_table(const std::vector<std::string>& names,
                       const std::vector<std::vector<std::optional<std::string>>>& rows, int limit,
                       int truncate, bool vertical);

/// The same as HTML, as notebooks show it.
std::string html_table(const std::vector<std::string>& names,
                       const std::vector<std::vector<std::optional<std::string>>>& rows, int limit,
                       int truncate);

}  // namespace firesteel
