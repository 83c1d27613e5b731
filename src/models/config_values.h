// Values of a model's config.json, which has other names for the same in each family.
#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>

namespace firesteel {

/// The value of the first key that is there and not null; else `value` stays as it is.
template <typename Value>
void read_value(const nlohmann::json& config, std::initializer_list<const char*> keys,
                Value& value) {
  for (const char* key : keys) {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null()) continue;
    found->get_to(value);
    return;
  }
}

}  // namespace firesteel
