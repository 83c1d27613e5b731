// SHA-2 (FIPS 180-4), for the lengths that DuckDB lacks.
#pragma once

#include <string>
#include <string_view>

namespace firesteel {

/// The digest of 224, 256, 384 or 512 bits in hexadecimal.
std::string sha2_text(std::string_view bytes, int bits);

}  // namespace firesteel
