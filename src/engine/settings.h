// Spark's session settings: their defaults, and whether a session may change them.
#pragma once

#include <string_view>

namespace firesteel {

struct Setting {
  const char* key;
  const char* value;  // nullptr: none
  bool modifiable;
};

/// Nothing when Spark has no such setting.
const Setting* find_setting(std::string_view key);

}  // namespace firesteel
