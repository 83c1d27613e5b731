// The table of Spark's settings, as tests/reference/record_config.py recorded it.
#include "engine/settings.h"

#include <algorithm>

namespace firesteel {

namespace {

constexpr Setting kSettings[] = {
#include "engine/settings.inc"
};

constexpr bool before(const Setting& left, const Setting& right) {
  return std::string_view(left.key) < right.key;
}
static_assert(std::is_sorted(std::begin(kSettings), std::end(kSettings), before));

/// Where the program answers otherwise.
constexpr Setting kOwn[] = {
    // There is no server's stack to show below a message.
    {"spark.sql.connect.serverStacktrace.enabled", "false", true},
};

}  // namespace

const Setting* find_setting(std::string_view key) {
  for (const auto& own : kOwn) {
    if (key == own.key) return &own;
  }
  const auto found = std::lower_bound(
      std::begin(kSettings), std::end(kSettings), key,
      [](const Setting& row, std::string_view wanted) { return row.key < wanted; });
  return found != std::end(kSettings) && key == found->key ? found : nullptr;
}

}  // namespace firesteel
