// Random numbers with a seed: Spark's XORShiftRandom, as one partition of rows sees it. A row's
// number decides its value, so that threads may share the rows; rows in order are one step each.
#include <bit>
#include <cmath>
#include <cstring>

#include "duckdb.hpp"
#include "duckdb/execution/expression_executor_state.hpp"
#include "duckdb/function/scalar_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "engine/kernels.h"

namespace firesteel {

namespace {

using duckdb::LogicalType;

/// Scala's MurmurHash3.bytesHash of eight bytes.
uint32_t murmur_of(const unsigned char* bytes, uint32_t seed) {
  uint32_t h = seed;
  for (int i = 0; i < 8; i += 4) {
    uint32_t k;
    std::memcpy(&k, bytes + i, 4);
    k = std::rotl(k * 0xcc9e2d51u, 15) * 0x1b873593u;
    h = std::rotl(h ^ k, 13) * 5 + 0xe6546b64u;
  }
  h ^= 8;
  h = (h ^ (h >> 16)) * 0x85ebca6bu;
  h = (h ^ (h >> 13)) * 0xc2b2ae35u;
  return h ^ (h >> 16);
}

class XorShift {
 public:
  explicit XorShift(int64_t seed = 0) {
    unsigned char bytes[8];
    for (int i = 0; i < 8; ++i)
      bytes[i] = static_cast<unsigned char>(static_cast<uint64_t>(seed) >> (56 - 8 * i));
    const uint32_t low = murmur_of(bytes, 0x3c074a61u),
                   high = murmur_of(bytes, low);  // Scala's arraySeed
    state_ = (static_cast<uint64_t>(high) << 32) | low;
  }

  double uniform() {
    const uint64_t high = next(26), low = next(27);
    return static_cast<double>((high << 27) + low) * 0x1.0p-53;
  }

  /// java.util.Random.nextGaussian: Marsaglia's polar method, two at a time.
  double normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    for (;;) {
      const double a = 2 * uniform() - 1, b = 2 * uniform() - 1, square = a * a + b * b;
      if (square >= 1 || square == 0) continue;
      const double scale = std::sqrt(-2 * std::log(square) / square);
      spare_ = b * scale;
      has_spare_ = true;
      return a * scale;
    }
  }

  /// One of 0-9, a-z, A-Z.
  char letter() {
    const int draw = std::abs(static_cast<int32_t>(next(32)) % 62);
    return "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[draw];
  }

 private:
  uint64_t next(int bits) {
    state_ ^= state_ << 21;
    state_ ^= state_ >> 35;
    state_ ^= state_ << 4;
    return state_ & ((uint64_t{1} << bits) - 1);
  }

  uint64_t state_ = 0;
  double spare_ = 0;
  bool has_spare_ = false;
};

/// Where a thread is in the sequence of its seed.
struct Sequence : duckdb::FunctionLocalState {
  bool started = false;
  int64_t seed = 0, next = 0;
  XorShift generator;
};

duckdb::unique_ptr<duckdb::FunctionLocalState> start(duckdb::ExpressionState&,
                                                     const duckdb::BoundFunctionExpression&,
                                                     duckdb::FunctionData*) {
  return duckdb::make_uniq<Sequence>();
}

/// Moves a sequence to where so many draws were made.
template <typename Draw>
void go_to(Sequence& sequence, int64_t seed, int64_t place, Draw draw) {
  if (!sequence.started || seed != sequence.seed || place < sequence.next) {
    sequence.started = true;
    sequence.seed = seed;
    sequence.next = 0;
    sequence.generator = XorShift(seed);
  }
  for (; sequence.next < place; ++sequence.next) (sequence.generator.*draw)();
}

template <double (XorShift::*draw)()>
void draw_kernel(duckdb::DataChunk& input, duckdb::ExpressionState& state, duckdb::Vector& result) {
  auto& sequence = duckdb::ExecuteFunctionState::GetFunctionState(state)->Cast<Sequence>();
  duckdb::BinaryExecutor::Execute<int64_t, int64_t, double>(
      input.data[0], input.data[1], result, input.size(), [&](int64_t seed, int64_t row) {
        go_to(sequence, seed, row, draw);
        ++sequence.next;
        return (sequence.generator.*draw)();
      });
}

/// Text of so many letters.
void text_kernel(duckdb::DataChunk& input, duckdb::ExpressionState& state, duckdb::Vector& result) {
  auto& sequence = duckdb::ExecuteFunctionState::GetFunctionState(state)->Cast<Sequence>();
  duckdb::TernaryExecutor::Execute<int32_t, int64_t, int64_t, duckdb::string_t>(
      input.data[0], input.data[1], input.data[2], result, input.size(),
      [&](int32_t length, int64_t seed, int64_t row) {
        go_to(sequence, seed, row * length, &XorShift::letter);
        std::string text;
        for (; length > 0; --length, ++sequence.next) text += sequence.generator.letter();
        return duckdb::StringVector::AddString(result, text);
      });
}

}  // namespace

void register_random(duckdb::ExtensionLoader& loader) {
  const auto add = [&](const char* name, duckdb::scalar_function_t kernel) {
    loader.RegisterFunction(duckdb::ScalarFunction(name, {LogicalType::BIGINT, LogicalType::BIGINT},
                                                   LogicalType::DOUBLE, std::move(kernel), nullptr,
                                                   nullptr, nullptr, start));
  };
  add("spark_rand", draw_kernel<&XorShift::uniform>);
  add("spark_randn", draw_kernel<&XorShift::normal>);
  loader.RegisterFunction(duckdb::ScalarFunction(
      "spark_randstr", {LogicalType::INTEGER, LogicalType::BIGINT, LogicalType::BIGINT},
      LogicalType::VARCHAR, text_kernel, nullptr, nullptr, nullptr, start));
}

}  // namespace firesteel
