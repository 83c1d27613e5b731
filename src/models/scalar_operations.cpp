// Python's rules: integers stay integers but for `/`, `//` and `%` round down, comparisons are
// bools that count as 0 and 1.
#include "models/scalar_operations.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"

namespace firesteel {

namespace {

using c10::IValue;
using Arguments = c10::ArrayRef<IValue>;

bool is_whole(const IValue& value) { return value.isInt() || value.isBool(); }
int64_t whole(const IValue& value) { return value.isBool() ? value.toBool() : value.toInt(); }
double real(const IValue& value) {
  return value.isDouble() ? value.toDouble() : static_cast<double>(whole(value));
}
bool truth(const IValue& value) {
  return value.isDouble() ? value.toDouble() != 0 : whole(value) != 0;
}

template <typename Function>
IValue arithmetic(Arguments a, Function function) {
  if (is_whole(a[0]) && is_whole(a[1])) return function(whole(a[0]), whole(a[1]));
  return function(real(a[0]), real(a[1]));
}

[[noreturn]] void divided_by_zero() {
  throw Error("MODEL_RUN_FAILED", "The program divides by a size of zero.");
}

int64_t floor_divide(int64_t a, int64_t b) {
  if (b == 0) divided_by_zero();
  if (b == -1) return -a;
  const int64_t quotient = a / b;
  return quotient - (a % b != 0 && (a < 0) != (b < 0));
}

IValue floordiv(Arguments a) {
  if (is_whole(a[0]) && is_whole(a[1])) return floor_divide(whole(a[0]), whole(a[1]));
  if (real(a[1]) == 0) divided_by_zero();
  return std::floor(real(a[0]) / real(a[1]));
}

IValue mod(Arguments a) {
  if (is_whole(a[0]) && is_whole(a[1])) {
    return whole(a[0]) - floor_divide(whole(a[0]), whole(a[1])) * whole(a[1]);
  }
  if (real(a[1]) == 0) divided_by_zero();
  const double remainder = std::fmod(real(a[0]), real(a[1]));
  return remainder != 0 && (remainder < 0) != (real(a[1]) < 0) ? remainder + real(a[1]) : remainder;
}

IValue power(Arguments a) {
  if (!is_whole(a[0]) || !is_whole(a[1]) || whole(a[1]) < 0)
    return std::pow(real(a[0]), real(a[1]));
  int64_t result = 1, base = whole(a[0]);
  for (int64_t exponent = whole(a[1]); exponent > 0; exponent >>= 1) {
    if (exponent & 1) result *= base;
    if (exponent > 1) base *= base;
  }
  return result;
}

IValue round_half_even(Arguments a) {
  if (a.size() > 1 && !a[1].isNone()) {
    const double scale = std::pow(10.0, real(a[1]));
    return std::nearbyint(real(a[0]) * scale) / scale;
  }
  return static_cast<int64_t>(std::nearbyint(real(a[0])));
}

IValue sum(Arguments a) {
  const auto list = a[0].toIntVector();
  int64_t total = 0;
  for (const int64_t value : list) total += value;
  return total;
}

template <double (*function)(double)>
IValue of_real(Arguments a) {
  return function(real(a[0]));
}
template <double (*function)(double)>
IValue to_whole(Arguments a) {
  return is_whole(a[0]) ? whole(a[0]) : static_cast<int64_t>(function(real(a[0])));
}
template <typename Compare>
IValue compare(Arguments a) {
  return arithmetic(a, [](auto x, auto y) { return Compare{}(x, y); });
}
template <typename Operation>
IValue calculate(Arguments a) {
  return arithmetic(a, [](auto x, auto y) { return Operation{}(x, y); });
}
IValue negative(Arguments a) {
  if (is_whole(a[0])) return -whole(a[0]);
  return -real(a[0]);
}
IValue absolute(Arguments a) {
  if (is_whole(a[0])) return std::abs(whole(a[0]));
  return std::fabs(real(a[0]));
}
/// Of two bools a bool, as in Python.
template <typename Operation>
IValue bits(Arguments a) {
  const int64_t result = Operation{}(whole(a[0]), whole(a[1]));
  if (a[0].isBool() && a[1].isBool()) return result != 0;
  return result;
}
IValue shift_left(Arguments a) { return whole(a[0]) << whole(a[1]); }
IValue shift_right(Arguments a) { return whole(a[0]) >> whole(a[1]); }
IValue invert(Arguments a) { return !truth(a[0]); }
IValue choose(Arguments a) { return truth(a[0]) ? a[1] : a[2]; }
IValue same(Arguments a) { return a[0]; }
IValue to_real(Arguments a) { return real(a[0]); }
IValue largest(Arguments a) {
  return arithmetic(a, [](auto x, auto y) { return std::max(x, y); });
}
IValue smallest(Arguments a) {
  return arithmetic(a, [](auto x, auto y) { return std::min(x, y); });
}
IValue true_divide(Arguments a) {
  if (real(a[1]) == 0) divided_by_zero();
  return real(a[0]) / real(a[1]);
}

IValue size(Arguments a) {
  return a.size() > 1 ? IValue(a[0].toTensor().size(a[1].toInt()))
                      : IValue(a[0].toTensor().sizes());
}
IValue stride(Arguments a) { return a[0].toTensor().stride(a[1].toInt()); }
IValue count(Arguments a) { return a[0].toTensor().numel(); }
IValue storage_offset(Arguments a) { return a[0].toTensor().storage_offset(); }

struct Row {
  std::string_view target;
  ScalarFunction function;
};
constexpr Row kFunctions[] = {
    {"_operator.abs", absolute},
    {"_operator.add", calculate<std::plus<>>},
    {"_operator.and_", bits<std::bit_and<>>},
    {"_operator.eq", compare<std::equal_to<>>},
    {"_operator.floordiv", floordiv},
    {"_operator.ge", compare<std::greater_equal<>>},
    {"_operator.gt", compare<std::greater<>>},
    {"_operator.le", compare<std::less_equal<>>},
    {"_operator.lshift", shift_left},
    {"_operator.lt", compare<std::less<>>},
    {"_operator.mod", mod},
    {"_operator.mul", calculate<std::multiplies<>>},
    {"_operator.ne", compare<std::not_equal_to<>>},
    {"_operator.neg", negative},
    {"_operator.not_", invert},
    {"_operator.or_", bits<std::bit_or<>>},
    {"_operator.pos", same},
    {"_operator.pow", power},
    {"_operator.rshift", shift_right},
    {"_operator.sub", calculate<std::minus<>>},
    {"_operator.truediv", true_divide},
    {"_operator.xor", bits<std::bit_xor<>>},
    {"builtins.round", round_half_even},
    {"math.acos", of_real<std::acos>},
    {"math.asin", of_real<std::asin>},
    {"math.atan", of_real<std::atan>},
    {"math.ceil", to_whole<std::ceil>},
    {"math.cos", of_real<std::cos>},
    {"math.cosh", of_real<std::cosh>},
    {"math.exp", of_real<std::exp>},
    {"math.floor", to_whole<std::floor>},
    {"math.log", of_real<std::log>},
    {"math.log2", of_real<std::log2>},
    {"math.pow", power},
    {"math.sin", of_real<std::sin>},
    {"math.sinh", of_real<std::sinh>},
    {"math.sqrt", of_real<std::sqrt>},
    {"math.tan", of_real<std::tan>},
    {"math.tanh", of_real<std::tanh>},
    {"math.trunc", to_whole<std::trunc>},
    {"torch.ops.aten.sym_numel.default", count},
    {"torch.ops.aten.sym_size.default", size},
    {"torch.ops.aten.sym_size.int", size},
    {"torch.ops.aten.sym_storage_offset.default", storage_offset},
    {"torch.ops.aten.sym_stride.int", stride},
    {"torch.sym_float", to_real},
    {"torch.sym_int", to_whole<std::trunc>},
    {"torch.sym_ite", choose},
    {"torch.sym_log2", of_real<std::log2>},
    {"torch.sym_max", largest},
    {"torch.sym_min", smallest},
    {"torch.sym_not", invert},
    {"torch.sym_sqrt", of_real<std::sqrt>},
    {"torch.sym_sum", sum},
};

}  // namespace

ScalarFunction scalar_function(std::string_view target) {
  // Some of torch's own are defined under an underscore: torch._sym_sqrt.
  std::string plain(target);
  if (const auto at = plain.find("torch._sym_"); at == 0) plain.erase(6, 1);
  const auto* row = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                                 [&](const Row& candidate) { return candidate.target == plain; });
  return row == std::end(kFunctions) ? nullptr : row->function;
}

}  // namespace firesteel
