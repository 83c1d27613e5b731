// The method that StrictMath prescribes (fdlibm's): x = 2^k (1 + f), and log(1 + f) by a polynomial
// in s = f / (2 + f). The order of the operations makes the last bit.
#include "engine/java_math.h"

#include <bit>
#include <cmath>
#include <cstdint>

namespace firesteel {

namespace {

constexpr double kLn2High = 6.93147180369123816490e-01, kLn2Low = 1.90821492927058770002e-10;
constexpr double kEven[] = {3.999999999940941908e-01, 2.222219843214978396e-01,
                            1.531383769920937332e-01};
constexpr double kOdd[] = {6.666666666666735130e-01, 2.857142874366239149e-01,
                           1.818357216161805012e-01, 1.479819860511658591e-01};

}  // namespace

double java_log(double x) {
  if (!std::isfinite(x)) return std::log(x);
  int exponent = 0;
  if (x < 2.2250738585072014e-308) {  // subnormal
    x *= 0x1p54;
    exponent = -54;
  }
  const auto bits = std::bit_cast<uint64_t>(x);
  auto high = static_cast<uint32_t>(bits >> 32);
  exponent += static_cast<int>(high >> 20) - 1023;
  high &= 0x000fffff;
  // 1 + f lies between the root of a half and the root of two.
  const uint32_t shift = (high + 0x95f64) & 0x100000;
  const uint64_t mantissa = static_cast<uint64_t>(high | (shift ^ 0x3ff00000)) << 32;
  exponent += static_cast<int>(shift >> 20);
  const double f = std::bit_cast<double>(mantissa | (bits & 0xffffffff)) - 1.0;
  const double k = exponent;
  if (((2 + high) & 0x000fffff) < 3) {  // |f| below 2^-20
    if (f == 0) return exponent == 0 ? 0 : k * kLn2High + k * kLn2Low;
    const double rest = f * f * (0.5 - 0.33333333333333333 * f);
    return exponent == 0 ? f - rest : k * kLn2High - ((rest - k * kLn2Low) - f);
  }
  const double s = f / (2.0 + f), z = s * s, w = z * z;
  const double even = w * (kEven[0] + w * (kEven[1] + w * kEven[2]));
  const double odd = z * (kOdd[0] + w * (kOdd[1] + w * (kOdd[2] + w * kOdd[3])));
  const double r = odd + even;
  const auto left = static_cast<int32_t>(high) - 0x6147a,
             right = 0x6b851 - static_cast<int32_t>(high);
  if ((left | right) > 0) {
    const double half = 0.5 * f * f;
    return exponent == 0 ? f - (half - s * (half + r))
                         : k * kLn2High - ((half - (s * (half + r) + k * kLn2Low)) - f);
  }
  return exponent == 0 ? f - s * (f - r) : k * kLn2High - ((s * (f - r) - k * kLn2Low) - f);
}

}  // namespace firesteel
