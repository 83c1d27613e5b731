// Kernels: text of numbers as Java writes it, exact decimal division, Spark's hashes.
#include "engine/kernels.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <array>
#include <charconv>
#include <cmath>
#include <string>

#include "duckdb.hpp"
#include "duckdb/function/scalar_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "functions/coercion.h"

namespace firesteel {

namespace {

using duckdb::DataChunk;
using duckdb::ExpressionState;
using duckdb::hugeint_t;
using duckdb::LogicalType;
using duckdb::Vector;

/// Java's Double.toString: shortest digits; plain from 10^-3 to 10^7, else d.dddE±n.
template <typename Float>
std::string java_text(Float value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (value == 0) return std::signbit(value) ? "-0.0" : "0.0";
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  std::string text(buffer, end);
  const bool negative = text[0] == '-';
  if (negative) text.erase(0, 1);
  const auto e = text.find('e');
  const int exponent = std::atoi(text.c_str() + e + 1);
  std::string digits;
  for (char c : text.substr(0, e)) {
    if (c != '.') digits += c;
  }
  std::string out;
  if (exponent >= -3 && exponent < 7) {
    if (exponent < 0) {
      out = "0." + std::string(-exponent - 1, '0') + digits;
    } else {
      const size_t whole = exponent + 1;
      if (digits.size() < whole) digits.append(whole - digits.size(), '0');
      out = digits.substr(0, whole) + "." + (digits.size() > whole ? digits.substr(whole) : "0");
    }
  } else {
    out = digits.substr(0, 1) + "." + (digits.size() > 1 ? digits.substr(1) : "0") + "E" + std::to_string(exponent);
  }
  return (negative ? "-" : "") + out;
}

template <typename Float>
void number_text(DataChunk& input, ExpressionState&, Vector& result) {
  duckdb::UnaryExecutor::Execute<Float, duckdb::string_t>(
      input.data[0], result, input.size(),
      [&](Float value) { return duckdb::StringVector::AddString(result, java_text(value)); });
}

// Decimal division, rounding half up: the dividend is widened digit by digit, so nothing overflows
// before the quotient does.
using Wide = unsigned __int128;

struct DivideData : duckdb::FunctionData {
  int shift = 0;  // digits the quotient gains over the integral quotient of the unscaled values
  duckdb::unique_ptr<duckdb::FunctionData> Copy() const override {
    auto copy = duckdb::make_uniq<DivideData>();
    copy->shift = shift;
    return copy;
  }
  bool Equals(const duckdb::FunctionData& other) const override {
    return other.Cast<DivideData>().shift == shift;
  }
};

duckdb::unique_ptr<duckdb::FunctionData> bind_divide(duckdb::ClientContext&, duckdb::ScalarFunction& function,
                                                     duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>& arguments) {
  auto data = duckdb::make_uniq<DivideData>();
  uint8_t width = 0, scale[3] = {0, 0, 0};
  for (int i = 0; i < 3; ++i) arguments[i]->return_type.GetDecimalProperties(width, scale[i]);
  function.arguments[0] = LogicalType::DECIMAL(38, scale[0]);
  function.arguments[1] = LogicalType::DECIMAL(38, scale[1]);
  function.arguments[2] = arguments[2]->return_type;
  function.SetReturnType(LogicalType::DECIMAL(38, scale[2]));
  data->shift = scale[2] - scale[0] + scale[1];
  return data;
}

__int128 to_int128(hugeint_t value) {
  return (static_cast<__int128>(value.upper) << 64) | static_cast<__int128>(value.lower);
}

hugeint_t from_int128(__int128 value) {
  hugeint_t out;
  out.lower = static_cast<uint64_t>(value);
  out.upper = static_cast<int64_t>(value >> 64);
  return out;
}

constexpr Wide kDecimalMax = [] {
  Wide value = 1;
  for (int i = 0; i < 38; ++i) value *= 10;
  return value;
}();

[[noreturn]] void quotient_too_large() {
  throw duckdb::OutOfRangeException("Overflow in division of decimals: the quotient has more than 38 digits.");
}

__int128 divide_decimals(__int128 dividend, __int128 divisor, int shift) {
  const bool negative = (dividend < 0) != (divisor < 0);
  const Wide a = dividend < 0 ? -static_cast<Wide>(dividend) : static_cast<Wide>(dividend);
  Wide b = divisor < 0 ? -static_cast<Wide>(divisor) : static_cast<Wide>(divisor);
  for (; shift < 0; ++shift) {
    if (b > kDecimalMax / 10) return 0;
    b *= 10;
  }
  Wide quotient = a / b, rest = a % b;
  for (int i = 0; i < shift; ++i) {
    if (quotient >= kDecimalMax / 10) quotient_too_large();
    quotient *= 10;
    if (rest <= ~Wide{0} / 10) {
      quotient += rest * 10 / b;
      rest = rest * 10 % b;
    } else {  // rest * 10 would overflow: ten additions modulo b
      Wide sum = 0;
      for (int k = 0; k < 10; ++k) {
        sum += rest;
        if (sum >= b) {
          sum -= b;
          ++quotient;
        }
      }
      rest = sum;
    }
  }
  if (rest >= b - rest) ++quotient;
  if (quotient >= kDecimalMax) quotient_too_large();
  const auto result = static_cast<__int128>(quotient);
  return negative ? -result : result;
}

void decimal_divide(DataChunk& input, ExpressionState& state, Vector& result) {
  const int shift = state.expr.Cast<duckdb::BoundFunctionExpression>().bind_info->Cast<DivideData>().shift;
  duckdb::BinaryExecutor::ExecuteWithNulls<hugeint_t, hugeint_t, hugeint_t>(
      input.data[0], input.data[1], result, input.size(),
      [&](hugeint_t a, hugeint_t b, duckdb::ValidityMask& mask, idx_t row) {
        if (b == hugeint_t(0)) {
          mask.SetInvalid(row);
          return hugeint_t(0);
        }
        return from_int128(divide_decimals(to_int128(a), to_int128(b), shift));
      });
}

// Murmur3_x86_32 as Spark applies it to UTF-8: whole words, then each trailing byte (signed) as a word.
uint32_t murmur3(const char* data, size_t size, uint32_t seed) {
  auto rotate = [](uint32_t x, int bits) { return (x << bits) | (x >> (32 - bits)); };
  auto mix = [&](uint32_t h, uint32_t k) {
    k = rotate(k * 0xcc9e2d51u, 15) * 0x1b873593u;
    return rotate(h ^ k, 13) * 5 + 0xe6546b64u;
  };
  uint32_t h = seed;
  size_t i = 0;
  for (; i + 4 <= size; i += 4) {
    uint32_t word;
    std::memcpy(&word, data + i, 4);
    h = mix(h, word);
  }
  for (; i < size; ++i) h = mix(h, static_cast<uint32_t>(static_cast<int32_t>(static_cast<signed char>(data[i]))));
  h ^= static_cast<uint32_t>(size);
  h ^= h >> 16;
  h *= 0x85ebca6bu;
  h ^= h >> 13;
  h *= 0xc2b2ae35u;
  return h ^ (h >> 16);
}

/// The bytes Spark hashes of a value: text as it is, numbers as little-endian words.
template <typename Value, typename Seed, typename Hash>
Seed hash_value(Value value, Seed seed, Hash hash) {
  if constexpr (std::is_same_v<Value, duckdb::string_t>) {
    return hash(value.GetData(), value.GetSize(), seed);
  } else {
    if (value == 0) value = 0;  // -0.0
    return hash(reinterpret_cast<const char*>(&value), sizeof value, seed);
  }
}

template <typename Value>
void murmur3_kernel(DataChunk& input, ExpressionState&, Vector& result) {
  duckdb::BinaryExecutor::Execute<Value, int32_t, int32_t>(
      input.data[0], input.data[1], result, input.size(), [](Value value, int32_t seed) {
        return hash_value(value, seed, [](const char* data, size_t size, int32_t seed) {
          return static_cast<int32_t>(murmur3(data, size, static_cast<uint32_t>(seed)));
        });
      });
}

template <typename Value>
void xxhash64_kernel(DataChunk& input, ExpressionState&, Vector& result) {
  duckdb::BinaryExecutor::Execute<Value, int64_t, int64_t>(
      input.data[0], input.data[1], result, input.size(), [](Value value, int64_t seed) {
        return hash_value(value, seed, [](const char* data, size_t size, int64_t seed) {
          return static_cast<int64_t>(XXH64(data, size, static_cast<uint64_t>(seed)));
        });
      });
}

template <double (*function)(double)>
void unary_kernel(DataChunk& input, ExpressionState&, Vector& result) {
  duckdb::UnaryExecutor::Execute<double, double>(input.data[0], result, input.size(), function);
}

double expm1_of(double x) { return std::expm1(x); }
/// The C library's root may be off by one unit; a Newton step makes whole roots whole.
double cbrt_of(double x) {
  const double root = std::cbrt(x);
  return root == 0 || !std::isfinite(root) ? root : root - (root * root * root - x) / (3 * root * root);
}
double rint_of(double x) { return std::nearbyint(x); }

void hypot_kernel(DataChunk& input, ExpressionState&, Vector& result) {
  duckdb::BinaryExecutor::Execute<double, double, double>(input.data[0], input.data[1], result, input.size(),
                                                          [](double x, double y) { return std::hypot(x, y); });
}

/// Hive's conv: 64 bits, unsigned unless the new base is negative; what is no digit ends the number.
std::string converted(std::string_view text, int from, int to) {
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  uint64_t value = 0;
  for (char c : text) {
    const int digit = std::isdigit(static_cast<unsigned char>(c)) ? c - '0'
                      : std::isalpha(static_cast<unsigned char>(c)) ? std::toupper(c) - 'A' + 10 : 99;
    if (digit >= std::abs(from)) break;
    const auto wide = static_cast<unsigned __int128>(value) * std::abs(from) + digit;
    value = wide > UINT64_MAX ? UINT64_MAX : static_cast<uint64_t>(wide);
  }
  if (negative) value = -value;
  const bool minus = to < 0 && static_cast<int64_t>(value) < 0;
  if (minus) value = -value;
  std::string out;
  do {
    out.insert(out.begin(), "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[value % std::abs(to)]);
    value /= std::abs(to);
  } while (value > 0);
  return (minus ? "-" : "") + out;
}

void conv_kernel(DataChunk& input, ExpressionState&, Vector& result) {
  duckdb::TernaryExecutor::ExecuteWithNulls<duckdb::string_t, int32_t, int32_t, duckdb::string_t>(
      input.data[0], input.data[1], input.data[2], result, input.size(),
      [&](duckdb::string_t text, int32_t from, int32_t to, duckdb::ValidityMask& mask, idx_t row) {
        if (from < 2 || from > 36 || std::abs(to) < 2 || std::abs(to) > 36 || text.GetSize() == 0) {
          mask.SetInvalid(row);
          return duckdb::string_t();
        }
        return duckdb::StringVector::AddString(result, converted({text.GetData(), text.GetSize()}, from, to));
      });
}

/// The American Soundex code; what does not start with a letter is given back.
std::string soundex(std::string_view text) {
  static constexpr const char* kCodes = "01230127022455012623017202";  // 7: h and w, which separate nothing
  auto letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; };
  if (text.empty() || !letter(text[0])) return std::string(text);
  std::string out(1, static_cast<char>(std::toupper(text[0])));
  char last = kCodes[out[0] - 'A'];
  for (size_t i = 1; i < text.size() && out.size() < 4; ++i) {
    if (!letter(text[i])) {
      last = '0';
      continue;
    }
    const char code = kCodes[std::toupper(text[i]) - 'A'];
    if (code == '7') continue;
    if (code != '0' && code != last) out += code;
    last = code;
  }
  return out.append(4 - out.size(), '0');
}

void soundex_kernel(DataChunk& input, ExpressionState&, Vector& result) {
  duckdb::UnaryExecutor::Execute<duckdb::string_t, duckdb::string_t>(
      input.data[0], result, input.size(), [&](duckdb::string_t text) {
        return duckdb::StringVector::AddString(result, soundex({text.GetData(), text.GetSize()}));
      });
}

uint32_t crc32(const char* data, size_t size) {
  static const auto table = [] {
    std::array<uint32_t, 256> out{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
      out[i] = c;
    }
    return out;
  }();
  uint32_t c = 0xffffffffu;
  for (size_t i = 0; i < size; ++i) c = table[(c ^ static_cast<unsigned char>(data[i])) & 0xff] ^ (c >> 8);
  return c ^ 0xffffffffu;
}

void crc32_kernel(DataChunk& input, ExpressionState&, Vector& result) {
  duckdb::UnaryExecutor::Execute<duckdb::string_t, int64_t>(
      input.data[0], result, input.size(),
      [](duckdb::string_t text) { return static_cast<int64_t>(crc32(text.GetData(), text.GetSize())); });
}

}  // namespace

void register_kernels(duckdb::DatabaseInstance& database) {
  using duckdb::ScalarFunction;
  duckdb::ExtensionLoader loader(database, "firesteel");
  duckdb::ScalarFunctionSet text("spark_number_text");
  text.AddFunction(ScalarFunction({LogicalType::FLOAT}, LogicalType::VARCHAR, number_text<float>));
  text.AddFunction(ScalarFunction({LogicalType::DOUBLE}, LogicalType::VARCHAR, number_text<double>));
  loader.RegisterFunction(text);
  loader.RegisterFunction(ScalarFunction("spark_decimal_divide", {LogicalType::ANY, LogicalType::ANY, LogicalType::ANY},
                                         LogicalType::DECIMAL(38, 0), decimal_divide, bind_divide));
  auto hashes = [&](const char* name, const LogicalType& seed, auto text, auto word, auto wide, auto single, auto real) {
    duckdb::ScalarFunctionSet set(name);
    set.AddFunction(ScalarFunction({LogicalType::VARCHAR, seed}, seed, text));
    set.AddFunction(ScalarFunction({LogicalType::BLOB, seed}, seed, text));
    set.AddFunction(ScalarFunction({LogicalType::INTEGER, seed}, seed, word));
    set.AddFunction(ScalarFunction({LogicalType::BIGINT, seed}, seed, wide));
    set.AddFunction(ScalarFunction({LogicalType::FLOAT, seed}, seed, single));
    set.AddFunction(ScalarFunction({LogicalType::DOUBLE, seed}, seed, real));
    loader.RegisterFunction(set);
  };
  hashes("spark_murmur3", LogicalType::INTEGER, murmur3_kernel<duckdb::string_t>, murmur3_kernel<int32_t>,
         murmur3_kernel<int64_t>, murmur3_kernel<float>, murmur3_kernel<double>);
  hashes("spark_xxhash64", LogicalType::BIGINT, xxhash64_kernel<duckdb::string_t>, xxhash64_kernel<int32_t>,
         xxhash64_kernel<int64_t>, xxhash64_kernel<float>, xxhash64_kernel<double>);
  const LogicalType real = LogicalType::DOUBLE, string = LogicalType::VARCHAR, integer = LogicalType::INTEGER;
  loader.RegisterFunction(ScalarFunction("spark_expm1", {real}, real, unary_kernel<expm1_of>));
  loader.RegisterFunction(ScalarFunction("spark_cbrt", {real}, real, unary_kernel<cbrt_of>));
  loader.RegisterFunction(ScalarFunction("spark_rint", {real}, real, unary_kernel<rint_of>));
  loader.RegisterFunction(ScalarFunction("spark_hypot", {real, real}, real, hypot_kernel));
  loader.RegisterFunction(ScalarFunction("spark_conv", {string, integer, integer}, string, conv_kernel));
  loader.RegisterFunction(ScalarFunction("spark_soundex", {string}, string, soundex_kernel));
  loader.RegisterFunction(ScalarFunction("spark_crc32", {LogicalType::VARCHAR}, LogicalType::BIGINT, crc32_kernel));
}

}  // namespace firesteel
