// Readers of one Arrow column through the C data interface: a value of row i without a branch on
// the type, for loops that are compiled once per type.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

#include "base/arrow_stream.h"

namespace firesteel::arrow {

inline bool bit(const void* bits, int64_t i) {
  return (static_cast<const uint8_t*>(bits)[i >> 3] >> (i & 7)) & 1;
}

/// Validity of an array; `valid` is called with the row number, offset included.
struct Validity {
  explicit Validity(const ArrowArray& array)
      : bits(array.null_count != 0 && array.n_buffers > 0 ? array.buffers[0] : nullptr) {}
  bool valid(int64_t i) const { return !bits || bit(bits, i); }
  const void* bits;
};

/// Numbers of fixed width, as they are.
template <typename T>
struct Fixed {
  explicit Fixed(const ArrowArray& array) : values(static_cast<const T*>(array.buffers[1])) {}
  T operator()(int64_t i) const { return values[i]; }
  const T* values;
};

struct Half {
  explicit Half(const ArrowArray& array) : values(static_cast<const uint16_t*>(array.buffers[1])) {}
  float operator()(int64_t i) const {
    const uint16_t half = values[i];
    const int exponent = (half >> 10) & 31;
    const float fraction = static_cast<float>(half & 1023);
    const float sign = half & 0x8000 ? -1.0f : 1.0f;
    if (exponent == 31) {
      return fraction != 0 ? std::numeric_limits<float>::quiet_NaN()
                           : sign * std::numeric_limits<float>::infinity();
    }
    return sign * (exponent == 0 ? std::ldexp(fraction, -24)
                                 : std::ldexp(fraction + 1024.0f, exponent - 25));
  }
  const uint16_t* values;
};

struct Boolean {
  explicit Boolean(const ArrowArray& array) : bits(array.buffers[1]) {}
  int64_t operator()(int64_t i) const { return bit(bits, i); }
  const void* bits;
};

struct Decimal128 {
  Decimal128(const ArrowArray& array, double scale)
      : bytes(static_cast<const char*>(array.buffers[1])), scale(scale) {}
  double operator()(int64_t i) const {
    uint64_t low;
    int64_t high;
    std::memcpy(&low, bytes + i * 16, 8);
    std::memcpy(&high, bytes + i * 16 + 8, 8);
    // Most fit 64 bits, where the conversion is exact to the last bit of a double.
    if (high == (static_cast<int64_t>(low) >> 63)) return static_cast<int64_t>(low) / scale;
    return (std::ldexp(static_cast<double>(high), 64) + static_cast<double>(low)) / scale;
  }
  const char* bytes;
  double scale;  // a power of ten
};

/// utf8 and large_utf8.
template <typename Offset>
struct Text {
  explicit Text(const ArrowArray& array)
      : offsets(static_cast<const Offset*>(array.buffers[1])),
        bytes(static_cast<const char*>(array.buffers[2])) {}
  std::string_view operator()(int64_t i) const {
    return {bytes + offsets[i], static_cast<size_t>(offsets[i + 1] - offsets[i])};
  }
  const Offset* offsets;
  const char* bytes;
};

/// utf8_view: 16 bytes a row, short texts inside them.
struct TextView {
  explicit TextView(const ArrowArray& array)
      : views(static_cast<const char*>(array.buffers[1])), buffers(array.buffers + 2) {}
  std::string_view operator()(int64_t i) const {
    const char* view = views + i * 16;
    int32_t length, buffer, offset;
    std::memcpy(&length, view, 4);
    if (length <= 12) return {view + 4, static_cast<size_t>(length)};
    std::memcpy(&buffer, view + 8, 4);
    std::memcpy(&offset, view + 12, 4);
    return {static_cast<const char*>(buffers[buffer]) + offset, static_cast<size_t>(length)};
  }
  const char* views;
  const void* const* buffers;
};

}  // namespace firesteel::arrow
