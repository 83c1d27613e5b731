// Sizes and strides come from files: every step is checked for overflow.
#include "models/storage_reach.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace firesteel {

namespace {
constexpr size_t kDimensionsMax = 64;
}

std::optional<uint64_t> storage_reach(torch::IntArrayRef sizes, torch::IntArrayRef strides,
                                      int64_t offset, torch::ScalarType type) {
  if (sizes.size() != strides.size() || sizes.size() > kDimensionsMax || offset < 0)
    return std::nullopt;
  int64_t last = offset;
  bool empty = false;
  for (size_t i = 0; i < sizes.size(); ++i) {
    int64_t step = 0;
    if (sizes[i] < 0 || strides[i] < 0) return std::nullopt;
    empty |= sizes[i] == 0;
    if (__builtin_mul_overflow(sizes[i] - (sizes[i] > 0), strides[i], &step) ||
        __builtin_add_overflow(last, step, &last)) {
      return std::nullopt;
    }
  }
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<uint64_t>(empty ? offset : last) + !empty,
                             torch::elementSize(type), &bytes)) {
    return std::nullopt;
  }
  return bytes;
}

bool elements_overlap(torch::IntArrayRef sizes, torch::IntArrayRef strides) {
  std::vector<std::pair<int64_t, int64_t>> steps;  // stride, size
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0) return false;
    if (sizes[i] > 1) steps.emplace_back(strides[i], sizes[i]);
  }
  std::sort(steps.begin(), steps.end());
  int64_t reached = 0;  // by the smaller strides
  for (const auto& [stride, size] : steps) {
    if (stride <= reached) return true;
    reached += stride * (size - 1);
  }
  return false;
}

}  // namespace firesteel
