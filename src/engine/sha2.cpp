// One algorithm for words of 32 and of 64 bits: SHA-256's constants are the upper halves of
// SHA-512's, and SHA-224 starts from the lower halves of SHA-384's.
#include "engine/sha2.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstdint>

namespace firesteel {

namespace {

constexpr uint64_t kRounds[80] = {
    0x428a2f98d728ae22u, 0x7137449123ef65cdu, 0xb5c0fbcfec4d3b2fu, 0xe9b5dba58189dbbcu,
    0x3956c25bf348b538u, 0x59f111f1b605d019u, 0x923f82a4af194f9bu, 0xab1c5ed5da6d8118u,
    0xd807aa98a3030242u, 0x12835b0145706fbeu, 0x243185be4ee4b28cu, 0x550c7dc3d5ffb4e2u,
    0x72be5d74f27b896fu, 0x80deb1fe3b1696b1u, 0x9bdc06a725c71235u, 0xc19bf174cf692694u,
    0xe49b69c19ef14ad2u, 0xefbe4786384f25e3u, 0x0fc19dc68b8cd5b5u, 0x240ca1cc77ac9c65u,
    0x2de92c6f592b0275u, 0x4a7484aa6ea6e483u, 0x5cb0a9dcbd41fbd4u, 0x76f988da831153b5u,
    0x983e5152ee66dfabu, 0xa831c66d2db43210u, 0xb00327c898fb213fu, 0xbf597fc7beef0ee4u,
    0xc6e00bf33da88fc2u, 0xd5a79147930aa725u, 0x06ca6351e003826fu, 0x142929670a0e6e70u,
    0x27b70a8546d22ffcu, 0x2e1b21385c26c926u, 0x4d2c6dfc5ac42aedu, 0x53380d139d95b3dfu,
    0x650a73548baf63deu, 0x766a0abb3c77b2a8u, 0x81c2c92e47edaee6u, 0x92722c851482353bu,
    0xa2bfe8a14cf10364u, 0xa81a664bbc423001u, 0xc24b8b70d0f89791u, 0xc76c51a30654be30u,
    0xd192e819d6ef5218u, 0xd69906245565a910u, 0xf40e35855771202au, 0x106aa07032bbd1b8u,
    0x19a4c116b8d2d0c8u, 0x1e376c085141ab53u, 0x2748774cdf8eeb99u, 0x34b0bcb5e19b48a8u,
    0x391c0cb3c5c95a63u, 0x4ed8aa4ae3418acbu, 0x5b9cca4f7763e373u, 0x682e6ff3d6b2b8a3u,
    0x748f82ee5defb2fcu, 0x78a5636f43172f60u, 0x84c87814a1f0ab72u, 0x8cc702081a6439ecu,
    0x90befffa23631e28u, 0xa4506cebde82bde9u, 0xbef9a3f7b2c67915u, 0xc67178f2e372532bu,
    0xca273eceea26619cu, 0xd186b8c721c0c207u, 0xeada7dd6cde0eb1eu, 0xf57d4f7fee6ed178u,
    0x06f067aa72176fbau, 0x0a637dc5a2c898a6u, 0x113f9804bef90daeu, 0x1b710b35131c471bu,
    0x28db77f523047d84u, 0x32caab7b40c72493u, 0x3c9ebe0a15c9bebcu, 0x431d67c49c100d4cu,
    0x4cc5d4becb3e42b6u, 0x597f299cfc657e2au, 0x5fcb6fab3ad6faecu, 0x6c44198c4a475817u,
};
constexpr std::array<uint64_t, 8> kStart512 = {
    0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
    0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u};
constexpr std::array<uint64_t, 8> kStart384 = {
    0xcbbb9d5dc1059ed8u, 0x629a292a367cd507u, 0x9159015a3070dd17u, 0x152fecd8f70e5939u,
    0x67332667ffc00b31u, 0x8eb44a8768581511u, 0xdb0c2e0d64f98fa7u, 0x47b5481dbefa4fa4u};

template <typename Word>
struct Rotations;
template <>
struct Rotations<uint32_t> {
  static constexpr int rounds = 64, big0[] = {2, 13, 22}, big1[] = {6, 11, 25},
                       small0[] = {7, 18, 3}, small1[] = {17, 19, 10};
};
template <>
struct Rotations<uint64_t> {
  static constexpr int rounds = 80, big0[] = {28, 34, 39}, big1[] = {14, 18, 41},
                       small0[] = {1, 8, 7}, small1[] = {19, 61, 6};
};

template <typename Word>
void compress(std::array<Word, 8>& hash, const unsigned char* block) {
  using R = Rotations<Word>;
  const auto big = [](Word x, const int(&r)[3]) {
    return std::rotr(x, r[0]) ^ std::rotr(x, r[1]) ^ std::rotr(x, r[2]);
  };
  const auto small = [](Word x, const int(&r)[3]) {
    return std::rotr(x, r[0]) ^ std::rotr(x, r[1]) ^ (x >> r[2]);
  };
  Word w[R::rounds];
  for (int i = 0; i < 16; ++i) {
    w[i] = 0;
    for (size_t b = 0; b < sizeof(Word); ++b) w[i] = (w[i] << 8) | block[i * sizeof(Word) + b];
  }
  for (int i = 16; i < R::rounds; ++i)
    w[i] = small(w[i - 2], R::small1) + w[i - 7] + small(w[i - 15], R::small0) + w[i - 16];
  auto [a, b, c, d, e, f, g, h] = hash;
  for (int i = 0; i < R::rounds; ++i) {
    const Word k =
        sizeof(Word) == 8 ? static_cast<Word>(kRounds[i]) : static_cast<Word>(kRounds[i] >> 32);
    const Word first = h + big(e, R::big1) + ((e & f) ^ (~e & g)) + k + w[i];
    const Word second = big(a, R::big0) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + first, d = c, c = b, b = a, a = first + second;
  }
  const Word added[] = {a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; ++i) hash[i] += added[i];
}

template <typename Word>
std::string digest(std::string_view bytes, std::array<Word, 8> hash, size_t digits) {
  constexpr size_t block = 16 * sizeof(Word), length_bytes = 2 * sizeof(Word);
  std::string padded(bytes);
  padded += '\x80';
  while (padded.size() % block != block - length_bytes) padded += '\0';
  padded.append(length_bytes - 8, '\0');
  const uint64_t bit_count = static_cast<uint64_t>(bytes.size()) * 8;
  for (int shift = 56; shift >= 0; shift -= 8) padded += static_cast<char>(bit_count >> shift);
  for (size_t at = 0; at < padded.size(); at += block) {
    compress(hash, reinterpret_cast<const unsigned char*>(padded.data()) + at);
  }
  std::string text;
  for (const Word word : hash) text += fmt::format("{:0{}x}", word, 2 * sizeof(Word));
  return text.substr(0, digits);
}

}  // namespace

std::string sha2_text(std::string_view bytes, int bits) {
  const size_t digits = bits / 4;
  const auto& start = bits == 384 || bits == 224 ? kStart384 : kStart512;
  if (bits > 256) return digest<uint64_t>(bytes, start, digits);
  std::array<uint32_t, 8> halves;
  for (int i = 0; i < 8; ++i)
    halves[i] = static_cast<uint32_t>(bits == 224 ? start[i] : start[i] >> 32);
  return digest<uint32_t>(bytes, halves, digits);
}

}  // namespace firesteel
