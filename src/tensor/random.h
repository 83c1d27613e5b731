// Random numbers of the loader: the same on every platform, which std::shuffle does not promise.
#pragma once

#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

namespace firesteel {

/// xoshiro256++ (https://prng.di.unimi.it), seeded by splitmix64 of (seed, epoch, part).
class Random {
 public:
  Random(uint64_t seed, uint64_t epoch, uint64_t part = 0) {
    uint64_t state =
        seed * 0x9e3779b97f4a7c15 + epoch * 0xd1342543de82ef95 + part * 0xaf251af3b0f025b5 + 1;
    for (auto& word : words_) {
      state += 0x9e3779b97f4a7c15;
      uint64_t z = state;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      word = z ^ (z >> 31);
    }
  }
  /// Uniform in [0, bound), without bias (Lemire, https://arxiv.org/abs/1805.10941).
  uint64_t below(uint64_t bound) {
    unsigned __int128 product = static_cast<unsigned __int128>(next()) * bound;
    if (static_cast<uint64_t>(product) < bound) {
      const uint64_t threshold = -bound % bound;
      while (static_cast<uint64_t>(product) < threshold) {
        product = static_cast<unsigned __int128>(next()) * bound;
      }
    }
    return static_cast<uint64_t>(product >> 64);
  }
  /// Uniform in [0, 1).
  double share() { return static_cast<double>(next() >> 11) * 0x1p-53; }

  template <typename Value>
  void shuffle(std::vector<Value>* values) {
    for (size_t i = values->size(); i > 1; --i) std::swap((*values)[i - 1], (*values)[below(i)]);
  }

 private:
  uint64_t next() {
    const uint64_t result = std::rotl(words_[0] + words_[3], 23) + words_[0];
    const uint64_t shifted = words_[1] << 17;
    words_[2] ^= words_[0];
    words_[3] ^= words_[1];
    words_[1] ^= words_[2];
    words_[0] ^= words_[3];
    words_[2] ^= shifted;
    words_[3] = std::rotl(words_[3], 45);
    return result;
  }
  uint64_t words_[4];
};

}  // namespace firesteel
