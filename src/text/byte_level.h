// GPT-2's alphabet: a printable character for each byte.
#pragma once

#include <optional>
#include <string>

#include "text/aligned_text.h"

namespace firesteel::text {

/// The character of a byte.
char32_t byte_character(uint8_t byte);
/// The byte of a character, or nothing for one that stands for none.
std::optional<uint8_t> character_byte(char32_t c);

/// Puts a character for each byte of a part of the text that `rewrite` makes anew.
void put_bytes(Range range, Rewrite& rewrite);

}  // namespace firesteel::text
