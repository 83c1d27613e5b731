// UTF-8 and the classes of characters that tokenizers know, by ICU's data.
#pragma once

#include <unicode/utf8.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace firesteel::text {

/// Bytes [begin, end) of a text.
struct Range {
  uint32_t begin = 0, end = 0;
  uint32_t size() const { return end - begin; }
  bool operator==(const Range&) const = default;
};

/// The character at `at`, which moves behind it. `text` is valid UTF-8.
inline char32_t next_character(std::string_view text, uint32_t& at) {
  UChar32 c;
  U8_NEXT_UNSAFE(text.data(), at, c);
  return static_cast<char32_t>(c);
}
inline void append_character(std::string& text, char32_t c) {
  char bytes[4];
  int32_t size = 0;
  U8_APPEND_UNSAFE(bytes, size, c);
  text.append(bytes, size);
}
inline bool is_continuation(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }
inline uint32_t character_size(char first) {
  const auto byte = static_cast<uint8_t>(first);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

bool is_ascii(std::string_view text);
/// The place of the first byte that is no UTF-8, or `npos`.
size_t find_invalid(std::string_view text);
size_t count_characters(std::string_view text);

bool is_whitespace(char32_t c);       // White_Space
bool is_word(char32_t c);             // letters, marks, digits, connectors, joiners: UTS 18's \w
bool is_numeric(char32_t c);          // N
bool is_punctuation(char32_t c);      // P, and all of ASCII's signs
bool is_other(char32_t c);            // control, format, private use
bool is_nonspacing_mark(char32_t c);  // Mn
bool is_mark(char32_t c);             // M
char32_t to_lower(char32_t c);        // of one character; U+0130 apart

}  // namespace firesteel::text
