// Random numbers with a seed: Spark's XORShiftRandom, as one partition of rows sees it. A row's
// number decides its value, so that threads may share the rows; rows in order are one step each.
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <vector>

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

/// The Mersenne twister, seeded with two words as Apache Commons Math does.
class Twister {
 public:
  explicit Twister(int64_t seed) {
    state_[0] = 19650218u;
    for (uint32_t i = 1; i < kSize; ++i)
      state_[i] = 1812433253u * (state_[i - 1] ^ state_[i - 1] >> 30) + i;
    const uint32_t key[] = {static_cast<uint32_t>(static_cast<uint64_t>(seed) >> 32),
                            static_cast<uint32_t>(seed)};
    uint32_t i = 1, j = 0;
    const auto step = [&](uint32_t factor) {
      return (state_[i - 1] ^ state_[i - 1] >> 30) * factor;
    };
    const auto advance = [&] {
      if (++i < kSize) return;
      state_[0] = state_[kSize - 1];
      i = 1;
    };
    for (uint32_t k = 0; k < kSize; ++k, j = 1 - j) {
      state_[i] = (state_[i] ^ step(1664525u)) + key[j] + j;
      advance();
    }
    for (uint32_t k = 1; k < kSize; ++k) {
      state_[i] = (state_[i] ^ step(1566083941u)) - i;
      advance();
    }
    state_[0] = 0x80000000u;
  }

  /// From 0 up to `bound`.
  int32_t below(int32_t bound) {
    if ((bound & -bound) == bound)
      return static_cast<int32_t>(static_cast<int64_t>(bound) * next() >> 31);
    for (;;) {
      const int32_t bits = next(), value = bits % bound;
      if (static_cast<int64_t>(bits) - value + (bound - 1) <= INT32_MAX) return value;
    }
  }

  int32_t next() {  // 31 bits
    if (place_ == kSize) {
      for (uint32_t i = 0; i < kSize; ++i) {
        const uint32_t y = (state_[i] & 0x80000000u) | (state_[(i + 1) % kSize] & 0x7fffffffu);
        state_[i] = state_[(i + 397) % kSize] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
      }
      place_ = 0;
    }
    uint32_t y = state_[place_++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return static_cast<int32_t>((y ^ y >> 18) >> 1);
  }

 private:
  static constexpr uint32_t kSize = 624;
  uint32_t state_[kSize] = {};
  uint32_t place_ = kSize;
};

/// order(length, seed, draws before): a permutation of 1 to `length`.
void order_kernel(duckdb::DataChunk& input, duckdb::ExpressionState&, duckdb::Vector& result) {
  duckdb::UnifiedVectorFormat lengths, seeds, skips;
  input.data[0].ToUnifiedFormat(input.size(), lengths);
  input.data[1].ToUnifiedFormat(input.size(), seeds);
  input.data[2].ToUnifiedFormat(input.size(), skips);
  const auto value = [](const duckdb::UnifiedVectorFormat& column, duckdb::idx_t row) {
    return duckdb::UnifiedVectorFormat::GetData<int64_t>(column)[column.sel->get_index(row)];
  };
  std::optional<Twister> twister;
  int64_t seed = 0, drawn = 0;
  for (duckdb::idx_t row = 0; row < input.size(); ++row) {
    if (!lengths.validity.RowIsValid(lengths.sel->get_index(row))) {
      duckdb::FlatVector::SetNull(result, row, true);
      continue;
    }
    if (!twister || seed != value(seeds, row) || drawn > value(skips, row)) {
      seed = value(seeds, row);
      twister.emplace(seed);
      drawn = 0;
    }
    for (; drawn < value(skips, row); ++drawn) twister->next();
    std::vector<int64_t> order(static_cast<size_t>(value(lengths, row)));
    for (size_t i = 0; i < order.size(); ++i, ++drawn) {
      const auto j = static_cast<size_t>(twister->below(static_cast<int32_t>(i + 1)));
      if (j != i) order[i] = order[j];
      order[j] = static_cast<int64_t>(i + 1);
    }
    duckdb::FlatVector::GetData<duckdb::list_entry_t>(result)[row] = {
        duckdb::ListVector::GetListSize(result), order.size()};
    for (const auto place : order)
      duckdb::ListVector::PushBack(result, duckdb::Value::BIGINT(place));
  }
  if (input.AllConstant()) result.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
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
  loader.RegisterFunction(duckdb::ScalarFunction(
      "spark_shuffled_order", {LogicalType::BIGINT, LogicalType::BIGINT, LogicalType::BIGINT},
      LogicalType::LIST(LogicalType::BIGINT), order_kernel));
}

}  // namespace firesteel
