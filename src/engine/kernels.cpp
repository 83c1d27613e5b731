// Kernels: text of numbers as Java writes it, exact decimal division, Spark's hashes.
#include "engine/kernels.h"

#include <fmt/format.h>

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

void murmur3_kernel(DataChunk& input, ExpressionState&, Vector& result) {
  duckdb::BinaryExecutor::Execute<duckdb::string_t, int32_t, int32_t>(
      input.data[0], input.data[1], result, input.size(), [](duckdb::string_t text, int32_t seed) {
        return static_cast<int32_t>(murmur3(text.GetData(), text.GetSize(), static_cast<uint32_t>(seed)));
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
  loader.RegisterFunction(ScalarFunction("spark_murmur3", {LogicalType::VARCHAR, LogicalType::INTEGER},
                                         LogicalType::INTEGER, murmur3_kernel));
  loader.RegisterFunction(ScalarFunction("spark_crc32", {LogicalType::VARCHAR}, LogicalType::BIGINT, crc32_kernel));
}

}  // namespace firesteel
