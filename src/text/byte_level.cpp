// Printable bytes stand for themselves, the others for characters from U+0100 on.
#include "text/byte_level.h"

#include <array>

namespace firesteel::text {

namespace {

constexpr bool is_printable(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
}

constexpr auto kCharacters = [] {
  std::array<char16_t, 256> characters{};
  char16_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte)
    characters[byte] = is_printable(byte) ? static_cast<char16_t>(byte) : next++;
  return characters;
}();
constexpr auto kBytes = [] {
  std::array<int16_t, 0x144> bytes{};
  bytes.fill(-1);
  for (int byte = 0; byte < 256; ++byte) bytes[kCharacters[byte]] = static_cast<int16_t>(byte);
  return bytes;
}();

/// As UTF-8, of one byte or two.
constexpr auto kEncoded = [] {
  std::array<std::array<char, 2>, 256> encoded{};
  for (int byte = 0; byte < 256; ++byte) {
    const char16_t c = kCharacters[byte];
    if (c < 0x80) {
      encoded[byte] = {static_cast<char>(c), '\0'};
    } else {
      encoded[byte] = {static_cast<char>(0xC0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3F))};
    }
  }
  return encoded;
}();

}  // namespace

char32_t byte_character(uint8_t byte) { return kCharacters[byte]; }

std::optional<uint8_t> character_byte(char32_t c) {
  if (c >= kBytes.size() || kBytes[c] < 0) return std::nullopt;
  return static_cast<uint8_t>(kBytes[c]);
}

void put_bytes(Range range, Rewrite& rewrite) {
  rewrite.put_table(range.begin, range.end, kEncoded);
}

}  // namespace firesteel::text
