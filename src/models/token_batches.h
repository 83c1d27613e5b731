// Texts of like length together, so that little of a batch is padding.
#pragma once

#include <cstdint>
#include <vector>

namespace firesteel {

struct TokenBatch {
  std::vector<int64_t> rows;  // the longest first
  int64_t length = 1;         // of the longest
  bool padded = false;        // the others are not all as long
};

/// Of rows of so many tokens each: batches of 4096 tokens at most, padding included, or of one row.
std::vector<TokenBatch> token_batches(const std::vector<int64_t>& lengths);

}  // namespace firesteel
