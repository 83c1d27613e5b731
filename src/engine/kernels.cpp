// Scalar kernels: text of numbers as Java writes it, exact decimal division, hashes and digests,
// bit shifts.
#include "engine/kernels.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <array>
#include <cmath>
#include <string>

#include "base/number_text.h"
#include "duckdb.hpp"
#include "duckdb/function/scalar_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "engine/java_math.h"
#include "engine/sha2.h"
#include "functions/coercion.h"

namespace firesteel {

// Murmur3_x86_32 as Spark applies it to UTF-8: whole words, then each trailing byte (signed) as a
// word.
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
  for (; i < size; ++i)
    h = mix(h, static_cast<uint32_t>(static_cast<int32_t>(static_cast<signed char>(data[i]))));
  h ^= static_cast<uint32_t>(size);
  h ^= h >> 16;
  h *= 0x85ebca6bu;
  h ^= h >> 13;
  h *= 0xc2b2ae35u;
  return h ^ (h >> 16);
}

namespace {

using duckdb::DataChunk;
using duckdb::ExpressionState;
using duckdb::hugeint_t;
using duckdb::LogicalType;
using duckdb::Vector;

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

duckdb::unique_ptr<duckdb::FunctionData> bind_divide(
    duckdb::ClientContext&, duckdb::ScalarFunction& function,
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
  throw duckdb::OutOfRangeException(
      "Overflow in division of decimals: the quotient has more than 38 digits.");
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
  const int shift =
      state.expr.Cast<duckdb::BoundFunctionExpression>().bind_info->Cast<DivideData>().shift;
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

/// The hash of a column's values, each with its seed; null leaves the seed.
template <typename Value, typename Seed, typename Hash>
void hash_column(DataChunk& input, Vector& result, Hash hash) {
  duckdb::UnifiedVectorFormat values, seeds;
  input.data[0].ToUnifiedFormat(input.size(), values);
  input.data[1].ToUnifiedFormat(input.size(), seeds);
  const auto* value = duckdb::UnifiedVectorFormat::GetData<Value>(values);
  const auto* seed = duckdb::UnifiedVectorFormat::GetData<Seed>(seeds);
  auto* out = duckdb::FlatVector::GetData<Seed>(result);
  for (idx_t row = 0; row < input.size(); ++row) {
    const auto at = values.sel->get_index(row);
    const Seed before = seed[seeds.sel->get_index(row)];
    out[row] = values.validity.RowIsValid(at) ? hash_value(value[at], before, hash) : before;
  }
  if (input.AllConstant()) result.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
}

template <typename Value>
void murmur3_kernel(DataChunk& input, ExpressionState&, Vector& result) {
  hash_column<Value, int32_t>(input, result, [](const char* data, size_t size, int32_t seed) {
    return static_cast<int32_t>(murmur3(data, size, static_cast<uint32_t>(seed)));
  });
}

template <typename Value>
void xxhash64_kernel(DataChunk& input, ExpressionState&, Vector& result) {
  hash_column<Value, int64_t>(input, result, [](const char* data, size_t size, int64_t seed) {
    return static_cast<int64_t>(XXH64(data, size, static_cast<uint64_t>(seed)));
  });
}

template <double (*function)(double)>
void unary_kernel(DataChunk& input, ExpressionState&, Vector& result) {
  duckdb::UnaryExecutor::Execute<double, double>(input.data[0], result, input.size(), function);
}

double expm1_of(double x) { return std::expm1(x); }
double log1p_of(double x) { return std::log1p(x); }

/// exp as fdlibm (Java's StrictMath) computes it, whose last digit may differ from the C library's.
double exp_of(double x) {
  if (std::isnan(x) || x > 7.09782712893383973096e+02) return x > 0 ? HUGE_VAL : x;
  if (x < -7.45133219101941108420e+02) return 0;
  constexpr double kLn2High = 6.93147180369123816490e-01, kLn2Low = 1.90821492927058770002e-10;
  constexpr double kP[] = {1.66666666666666019037e-01, -2.77777777770155933842e-03,
                           6.61375632143793436117e-05, -1.65339022054652515390e-06,
                           4.13813679705723846039e-08};
  double high = x, low = 0;
  int k = 0;
  const double size = std::abs(x);
  if (size > 0.34657359027997264) {  // half of ln 2: x = k ln 2 + high - low
    k = size < 1.0397207708399179
            ? (x < 0 ? -1 : 1)
            : static_cast<int>(1.44269504088896338700e+00 * x + (x < 0 ? -0.5 : 0.5));
    high = x - k * kLn2High;
    low = k * kLn2Low;
    x = high - low;
  } else if (size < 3.7252902984619140625e-09) {
    return 1 + x;
  }
  const double t = x * x, c = x - t * (kP[0] + t * (kP[1] + t * (kP[2] + t * (kP[3] + t * kP[4]))));
  if (k == 0) return 1 - ((x * c) / (c - 2) - x);
  return std::ldexp(1 - ((low - (x * c) / (2 - c)) - high), k);
}
double cosh_of(double x) {
  const double size = std::abs(x);
  if (std::isnan(x) || size > 22) return std::cosh(x);
  if (size < 0.34657359027997264) {
    const double t = std::expm1(size), w = 1 + t;
    return size < 0x1p-55 ? w : 1 + (t * t) / (w + w);
  }
  const double t = exp_of(size);
  return 0.5 * t + 0.5 / t;
}
/// The C library's root may be off by one unit; a Newton step makes whole roots whole.
double cbrt_of(double x) {
  const double root = std::cbrt(x);
  return root == 0 || !std::isfinite(root) ? root
                                           : root - (root * root * root - x) / (3 * root * root);
}
double rint_of(double x) { return std::nearbyint(x); }

void hypot_kernel(DataChunk& input, ExpressionState&, Vector& result) {
  duckdb::BinaryExecutor::Execute<double, double, double>(
      input.data[0], input.data[1], result, input.size(),
      [](double x, double y) { return std::hypot(x, y); });
}

/// Hive's conv: 64 bits, unsigned unless the new base is negative; what is no digit ends the
/// number.
std::string converted(std::string_view text, int from, int to) {
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  uint64_t value = 0;
  for (char c : text) {
    const int digit = std::isdigit(static_cast<unsigned char>(c))   ? c - '0'
                      : std::isalpha(static_cast<unsigned char>(c)) ? std::toupper(c) - 'A' + 10
                                                                    : 99;
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
        return duckdb::StringVector::AddString(
            result, converted({text.GetData(), text.GetSize()}, from, to));
      });
}

/// The American Soundex code; what does not start with a letter is given back.
std::string soundex(std::string_view text) {
  static constexpr const char* kCodes =
      "01230127022455012623017202";  // 7: h and w, which separate nothing
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

/// Java's shifts: the bits beyond the width of the value are left out of the count.
template <typename Word, typename Shift>
void shift_kernel(DataChunk& input, Vector& result, Shift shift) {
  duckdb::BinaryExecutor::Execute<Word, int32_t, Word>(
      input.data[0], input.data[1], result, input.size(), [&](Word value, int32_t bits) {
        return static_cast<Word>(shift(value, bits & static_cast<int32_t>(8 * sizeof(Word) - 1)));
      });
}
template <typename Word>
void shift_left(DataChunk& input, ExpressionState&, Vector& result) {
  shift_kernel<Word>(input, result, [](Word value, int bits) {
    return static_cast<std::make_unsigned_t<Word>>(value) << bits;
  });
}
template <typename Word>
void shift_right(DataChunk& input, ExpressionState&, Vector& result) {
  shift_kernel<Word>(input, result, [](Word value, int bits) { return value >> bits; });
}
template <typename Word>
void shift_right_unsigned(DataChunk& input, ExpressionState&, Vector& result) {
  shift_kernel<Word>(input, result, [](Word value, int bits) {
    return static_cast<std::make_unsigned_t<Word>>(value) >> bits;
  });
}

void sha2_kernel(DataChunk& input, ExpressionState&, Vector& result) {
  duckdb::BinaryExecutor::ExecuteWithNulls<duckdb::string_t, int32_t, duckdb::string_t>(
      input.data[0], input.data[1], result, input.size(),
      [&](duckdb::string_t bytes, int32_t bits, duckdb::ValidityMask& mask, idx_t row) {
        if (bits == 0) bits = 256;
        if (bits != 224 && bits != 256 && bits != 384 && bits != 512) {
          mask.SetInvalid(row);
          return duckdb::string_t();
        }
        return duckdb::StringVector::AddString(result,
                                               sha2_text({bytes.GetData(), bytes.GetSize()}, bits));
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
  for (size_t i = 0; i < size; ++i)
    c = table[(c ^ static_cast<unsigned char>(data[i])) & 0xff] ^ (c >> 8);
  return c ^ 0xffffffffu;
}

void crc32_kernel(DataChunk& input, ExpressionState&, Vector& result) {
  duckdb::UnaryExecutor::Execute<duckdb::string_t, int64_t>(
      input.data[0], result, input.size(), [](duckdb::string_t text) {
        return static_cast<int64_t>(crc32(text.GetData(), text.GetSize()));
      });
}

// The calendar interval, whose fields are DuckDB's: months, days, microseconds.
using duckdb::interval_t;

/// "1 years 2 months -3 days 4 hours 5.5 seconds": the fields that are not zero.
std::string calendar_text(interval_t value) {
  constexpr int64_t kHour = 3600000000, kMinute = 60000000, kSecond = 1000000;
  std::string out;
  const auto add = [&](int64_t amount, const char* unit) {
    if (amount != 0) out += fmt::format("{}{} {}", out.empty() ? "" : " ", amount, unit);
  };
  add(value.months / 12, "years");
  add(value.months % 12, "months");
  add(value.days, "days");
  add(value.micros / kHour, "hours");
  add(value.micros % kHour / kMinute, "minutes");
  const int64_t rest = value.micros % kMinute, fraction = std::abs(rest % kSecond);
  if (rest != 0) {
    auto seconds = fmt::format("{}{}", rest < 0 ? "-" : "", std::abs(rest / kSecond));
    if (fraction != 0) {
      seconds += fmt::format(".{:06}", fraction);
      seconds.erase(seconds.find_last_not_of('0') + 1);
    }
    out += fmt::format("{}{} seconds", out.empty() ? "" : " ", seconds);
  }
  return out.empty() ? "0 seconds" : out;
}

void calendar_text_kernel(DataChunk& input, ExpressionState&, Vector& result) {
  duckdb::UnaryExecutor::Execute<interval_t, duckdb::string_t>(
      input.data[0], result, input.size(), [&](interval_t value) {
        return duckdb::StringVector::AddString(result, calendar_text(value));
      });
}

/// Text such as "interval -1 year 2.5 seconds"; false where it is none.
bool parse_calendar(std::string text, interval_t& out) {
  struct Unit {
    std::string_view name;
    int32_t interval_t::*whole;
    int64_t size;
  };
  static constexpr Unit kUnits[] = {
      {"year", &interval_t::months, 12}, {"month", &interval_t::months, 1},
      {"week", &interval_t::days, 7},    {"day", &interval_t::days, 1},
      {"hour", nullptr, 3600000000},     {"minute", nullptr, 60000000},
      {"second", nullptr, 1000000},      {"millisecond", nullptr, 1000},
      {"microsecond", nullptr, 1}};
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  std::string_view rest = text;
  const auto skip = [&] {
    while (!rest.empty() && std::isspace(static_cast<unsigned char>(rest[0])))
      rest.remove_prefix(1);
  };
  const auto digits = [&] {
    size_t size = 0;
    while (size < rest.size() && std::isdigit(static_cast<unsigned char>(rest[size]))) ++size;
    const auto found = rest.substr(0, size);
    rest.remove_prefix(size);
    return found;
  };
  skip();
  if (rest.starts_with("interval")) rest.remove_prefix(8);
  out = {};
  bool any = false;
  for (skip(); !rest.empty(); skip()) {
    const bool negative = rest[0] == '-';
    if (negative || rest[0] == '+') rest.remove_prefix(1);
    skip();
    const auto whole = digits();
    const bool point = !rest.empty() && rest[0] == '.';
    if (point) rest.remove_prefix(1);
    std::string fraction(point ? digits() : "");
    if (whole.size() > 18 || (whole.empty() && fraction.empty()) || fraction.size() > 9)
      return false;
    if (rest.empty() || !std::isspace(static_cast<unsigned char>(rest[0]))) return false;
    skip();
    size_t size = 0;
    while (size < rest.size() && std::isalpha(static_cast<unsigned char>(rest[size]))) ++size;
    auto name = rest.substr(0, size);
    rest.remove_prefix(size);
    if (name.ends_with('s')) name.remove_suffix(1);
    const auto* unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                    [&](const Unit& row) { return row.name == name; });
    if (unit == std::end(kUnits) || (point && name != "second")) return false;
    fraction.resize(6, '0');
    __int128 amount =
        static_cast<__int128>(whole.empty() ? 0 : std::stoll(std::string(whole))) * unit->size +
        (point ? std::stoll(fraction) : 0);
    if (negative) amount = -amount;
    amount += unit->whole ? out.*unit->whole : out.micros;
    const int64_t most = unit->whole ? INT32_MAX : INT64_MAX;
    if (amount > most || amount < -static_cast<__int128>(most) - 1) return false;
    if (unit->whole) {
      out.*unit->whole = static_cast<int32_t>(amount);
    } else {
      out.micros = static_cast<int64_t>(amount);
    }
    any = true;
  }
  return any;
}

void calendar_kernel(DataChunk& input, ExpressionState&, Vector& result) {
  duckdb::UnaryExecutor::ExecuteWithNulls<duckdb::string_t, interval_t>(
      input.data[0], result, input.size(),
      [&](duckdb::string_t text, duckdb::ValidityMask& mask, idx_t row) {
        interval_t value{};
        if (!parse_calendar(text.GetString(), value)) mask.SetInvalid(row);
        return value;
      });
}

/// Months (0), days (1) or microseconds (2).
void calendar_part_kernel(DataChunk& input, ExpressionState&, Vector& result) {
  duckdb::BinaryExecutor::Execute<interval_t, int32_t, int64_t>(
      input.data[0], input.data[1], result, input.size(), [](interval_t value, int32_t part) {
        return part == 0 ? value.months : part == 1 ? value.days : value.micros;
      });
}

/// Each field scaled; a part of a day becomes time, a part of a month is lost.
template <bool divide>
void calendar_scale_kernel(DataChunk& input, ExpressionState&, Vector& result) {
  duckdb::BinaryExecutor::Execute<interval_t, double, interval_t>(
      input.data[0], input.data[1], result, input.size(), [](interval_t value, double number) {
        const auto scaled = [&](int64_t field) {
          const auto wide = static_cast<double>(field);
          return divide ? wide / number : wide * number;
        };
        interval_t out{};
        const double days = scaled(value.days);
        out.months = static_cast<int32_t>(scaled(value.months));
        out.days = static_cast<int32_t>(days);
        out.micros = std::llround(scaled(value.micros) + (days - out.days) * 86400e6);
        return out;
      });
}

}  // namespace

void register_kernels(duckdb::DatabaseInstance& database) {
  using duckdb::ScalarFunction;
  duckdb::ExtensionLoader loader(database, "firesteel");
  duckdb::ScalarFunctionSet text("spark_number_text");
  text.AddFunction(ScalarFunction({LogicalType::FLOAT}, LogicalType::VARCHAR, number_text<float>));
  text.AddFunction(
      ScalarFunction({LogicalType::DOUBLE}, LogicalType::VARCHAR, number_text<double>));
  loader.RegisterFunction(text);
  loader.RegisterFunction(ScalarFunction("spark_decimal_divide",
                                         {LogicalType::ANY, LogicalType::ANY, LogicalType::ANY},
                                         LogicalType::DECIMAL(38, 0), decimal_divide, bind_divide));
  auto hashes = [&](const char* name, const LogicalType& seed, auto text, auto word, auto wide,
                    auto single, auto real) {
    duckdb::ScalarFunctionSet set(name);
    const auto add = [&](const LogicalType& value, auto kernel) {
      ScalarFunction function({value, seed}, seed, kernel);
      function.SetNullHandling(duckdb::FunctionNullHandling::SPECIAL_HANDLING);
      set.AddFunction(function);
    };
    add(LogicalType::VARCHAR, text);
    add(LogicalType::BLOB, text);
    add(LogicalType::INTEGER, word);
    add(LogicalType::BIGINT, wide);
    add(LogicalType::FLOAT, single);
    add(LogicalType::DOUBLE, real);
    loader.RegisterFunction(set);
  };
  hashes("spark_murmur3", LogicalType::INTEGER, murmur3_kernel<duckdb::string_t>,
         murmur3_kernel<int32_t>, murmur3_kernel<int64_t>, murmur3_kernel<float>,
         murmur3_kernel<double>);
  hashes("spark_xxhash64", LogicalType::BIGINT, xxhash64_kernel<duckdb::string_t>,
         xxhash64_kernel<int32_t>, xxhash64_kernel<int64_t>, xxhash64_kernel<float>,
         xxhash64_kernel<double>);
  const LogicalType real = LogicalType::DOUBLE, string = LogicalType::VARCHAR,
                    integer = LogicalType::INTEGER;
  auto shifts = [&](const char* name, auto word, auto wide) {
    duckdb::ScalarFunctionSet set(name);
    set.AddFunction(ScalarFunction({integer, integer}, integer, word));
    set.AddFunction(ScalarFunction({LogicalType::BIGINT, integer}, LogicalType::BIGINT, wide));
    loader.RegisterFunction(set);
  };
  shifts("spark_shiftleft", shift_left<int32_t>, shift_left<int64_t>);
  shifts("spark_shiftright", shift_right<int32_t>, shift_right<int64_t>);
  shifts("spark_shiftrightunsigned", shift_right_unsigned<int32_t>, shift_right_unsigned<int64_t>);
  const LogicalType interval = LogicalType::INTERVAL;
  loader.RegisterFunction(ScalarFunction("spark_calendar_text", {interval}, LogicalType::VARCHAR,
                                         calendar_text_kernel));
  loader.RegisterFunction(
      ScalarFunction("spark_calendar_interval", {LogicalType::VARCHAR}, interval, calendar_kernel));
  loader.RegisterFunction(ScalarFunction("spark_calendar_part", {interval, LogicalType::INTEGER},
                                         LogicalType::BIGINT, calendar_part_kernel));
  loader.RegisterFunction(ScalarFunction("spark_calendar_multiply", {interval, LogicalType::DOUBLE},
                                         interval, calendar_scale_kernel<false>));
  loader.RegisterFunction(ScalarFunction("spark_calendar_divide", {interval, LogicalType::DOUBLE},
                                         interval, calendar_scale_kernel<true>));
  register_statistics(loader);
  register_random(loader);
  register_json(loader);
  register_variant(loader);
  register_csv(loader);
  register_xml(loader);
  register_sketches(loader);
  register_records(loader);
  register_orc(loader);
  register_images(loader);
  register_python(loader);
  register_text(loader);
  register_crypto(loader);
  register_vectors(loader);
  register_formats(loader);
  register_regex(loader);
  register_summaries(loader);
  loader.RegisterFunction(ScalarFunction("spark_exp", {real}, real, unary_kernel<exp_of>));
  loader.RegisterFunction(ScalarFunction("spark_cosh", {real}, real, unary_kernel<cosh_of>));
  loader.RegisterFunction(
      ScalarFunction("spark_sha2", {LogicalType::BLOB, integer}, string, sha2_kernel));
  loader.RegisterFunction(ScalarFunction("spark_expm1", {real}, real, unary_kernel<expm1_of>));
  loader.RegisterFunction(ScalarFunction("spark_ln", {real}, real, unary_kernel<java_log>));
  loader.RegisterFunction(ScalarFunction("spark_log1p", {real}, real, unary_kernel<log1p_of>));
  loader.RegisterFunction(ScalarFunction("spark_cbrt", {real}, real, unary_kernel<cbrt_of>));
  loader.RegisterFunction(ScalarFunction("spark_rint", {real}, real, unary_kernel<rint_of>));
  loader.RegisterFunction(ScalarFunction("spark_hypot", {real, real}, real, hypot_kernel));
  loader.RegisterFunction(
      ScalarFunction("spark_conv", {string, integer, integer}, string, conv_kernel));
  loader.RegisterFunction(ScalarFunction("spark_soundex", {string}, string, soundex_kernel));
  loader.RegisterFunction(
      ScalarFunction("spark_crc32", {LogicalType::VARCHAR}, LogicalType::BIGINT, crc32_kernel));
}

}  // namespace firesteel
