// java.util.Random: the generator whose numbers Spark's summaries are made with.
#pragma once

#include <cstdint>

namespace firesteel {

class JavaRandom {
 public:
  explicit JavaRandom(int64_t seed)
      : state_((static_cast<uint64_t>(seed) ^ 0x5DEECE66Du) & ((uint64_t{1} << 48) - 1)) {}

  /// From 0 up to `bound`, which is no power of two.
  int32_t below(int32_t bound) {
    for (;;) {
      const auto bits = static_cast<int32_t>(next(31));
      const int32_t value = bits % bound;
      if (static_cast<int64_t>(bits) - value + (bound - 1) <= INT32_MAX) return value;
    }
  }
  double uniform() {
    const uint64_t high = next(26), low = next(27);
    return static_cast<double>((high << 27) + low) * 0x1.0p-53;
  }

 private:
  uint64_t next(int bits) {
    state_ = (state_ * 0x5DEECE66Du + 0xB) & ((uint64_t{1} << 48) - 1);
    return state_ >> (48 - bits);
  }

  uint64_t state_;
};

}  // namespace firesteel
