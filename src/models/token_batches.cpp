// Sorted by length, then cut.
#include "models/token_batches.h"

#include <algorithm>
#include <numeric>

namespace firesteel {

namespace {

/// As many as keep the processor busy, and its cache whole.
constexpr int64_t kBatchTokens = 4096;

}  // namespace

std::vector<TokenBatch> token_batches(const std::vector<int64_t>& lengths) {
  const auto length = [&](int64_t row) { return lengths[static_cast<size_t>(row)]; };
  std::vector<int64_t> order(lengths.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return length(a) > length(b); });
  std::vector<TokenBatch> batches;
  for (auto begin = order.begin(); begin != order.end();) {
    const auto longest = std::max<int64_t>(length(*begin), 1);
    const auto count =
        std::min<int64_t>(std::max<int64_t>(kBatchTokens / longest, 1), order.end() - begin);
    const auto end = begin + count;
    batches.push_back({{begin, end}, longest, length(*(end - 1)) < longest});
    begin = end;
  }
  return batches;
}

}  // namespace firesteel
