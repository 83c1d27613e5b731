// Which function names aggregate: a SELECT with one of them and no GROUP BY is one group.
#pragma once

#include <string_view>

namespace firesteel {

/// `name` in any case.
bool is_aggregate_function(std::string_view name);

}  // namespace firesteel
