// Arrow C++'s statuses as errors. For files that include Arrow's own headers.
#pragma once

#include <arrow/result.h>
#include <arrow/status.h>

#include <utility>

#include "base/error.h"

namespace firesteel {

inline void check_arrow(const arrow::Status& status) {
  if (!status.ok()) throw Error("INTERNAL_ERROR", "Arrow: " + status.message());
}

template <typename T>
T arrow_value(arrow::Result<T> result) {
  check_arrow(result.status());
  return std::move(result).ValueUnsafe();
}

}  // namespace firesteel
