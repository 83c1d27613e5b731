// Names of several parts, as plans carry them: "a.`b c`.d".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace firesteel {

/// "a.`b c`.d" → {"a", "b c", "d"}.
std::vector<std::string> split_name(const std::string& unparsed);
/// {"a", "b c"} → "`a`.`b c`".
std::string quoted(const std::vector<std::string>& parts);

/// TABLE_OR_VIEW_NOT_FOUND, for a name as it was written where `database` is the current one.
Error table_not_found(const std::vector<std::string>& name, const std::string& database,
                      const std::string& nearest = "");

/// ASCII letters small.
std::string lower_case(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b);

}  // namespace firesteel
