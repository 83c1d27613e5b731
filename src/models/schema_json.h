// Pieces of torch.export's JSON schema that all who read it share.
#pragma once

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace firesteel {

// Batch norms count their batches in training, beside the operator whose mode is switched.
inline constexpr std::string_view kBatchCount = "num_batches_tracked";

/// The one key of a union, {"as_tensor": …}, and its value. Writers of some versions list all keys.
inline std::pair<std::string, const nlohmann::json*> only(const nlohmann::json& value) {
  for (const auto& [key, inner] : value.items()) {
    if (!inner.is_null()) return {key, &inner};
  }
  return {"as_none", nullptr};
}

/// A number that JSON may have no word for.
inline double real(const nlohmann::json& value) {
  if (value.is_string()) {
    const auto text = value.get<std::string>();
    if (text == "Infinity") return std::numeric_limits<double>::infinity();
    if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
    return std::numeric_limits<double>::quiet_NaN();
  }
  return value.get<double>();
}

}  // namespace firesteel
