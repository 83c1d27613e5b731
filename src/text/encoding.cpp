// Padding.
#include "text/encoding.h"

#include <algorithm>

namespace firesteel {

namespace {

template <typename T>
void fill_up(std::vector<T>& values, size_t size, const T& value, Side side) {
  if (values.size() >= size) return;
  values.insert(side == Side::kLeft ? values.begin() : values.end(), size - values.size(), value);
}

}  // namespace

void pad(std::vector<Encoding>& encodings, const Padding& padding) {
  size_t size = padding.length.value_or(0);
  if (!padding.length) {
    for (const Encoding& encoding : encodings) size = std::max(size, encoding.size());
  }
  if (padding.multiple_of > 1)
    size = (size + padding.multiple_of - 1) / padding.multiple_of * padding.multiple_of;
  for (Encoding& encoding : encodings) {
    fill_up(encoding.ids, size, padding.id, padding.side);
    fill_up(encoding.type_ids, size, padding.type_id, padding.side);
    fill_up(encoding.attention_mask, size, int64_t{0}, padding.side);
    fill_up(encoding.special_tokens_mask, size, int64_t{1}, padding.side);
    fill_up(encoding.offsets, size, {}, padding.side);
  }
}

}  // namespace firesteel
