// What a tokenizer makes of a text, and how long that may be.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace firesteel {

/// Where a token stands in the text, [begin, end); {0, 0} for one that was added.
struct Offsets {
  uint32_t begin = 0, end = 0;
  bool operator==(const Offsets&) const = default;
};

/// Lists of the same length, an item per token.
struct Encoding {
  std::vector<int64_t> ids, type_ids;
  std::vector<int64_t> attention_mask;       // 0 for padding
  std::vector<int64_t> special_tokens_mask;  // 1 for what was added: padding, [CLS], …
  std::vector<Offsets> offsets;
  size_t size() const { return ids.size(); }
};

enum class Side { kLeft, kRight };

struct Truncation {
  enum class Strategy { kLongestFirst, kOnlyFirst, kOnlySecond };
  uint32_t length_max = 512;  // tokens, with those that are added
  Strategy strategy = Strategy::kLongestFirst;
  Side side = Side::kRight;  // where tokens go
};

struct Padding {
  std::optional<uint32_t> length;  // nothing: that of the longest text of a batch
  uint32_t multiple_of = 1;
  Side side = Side::kRight;
  int64_t id = 0, type_id = 0;
};

/// Adds padding up to the length that `padding` says.
void pad(std::vector<Encoding>& encodings, const Padding& padding);

}  // namespace firesteel
