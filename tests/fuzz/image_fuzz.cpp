// Any bytes to the decoder of images; a PNG's also with the checksums that they ought to have,
// since otherwise nothing gets past those. MALFORMED_IMAGE is a good answer.
#include <zlib.h>

#include <cstdlib>
#include <string>

#include "images/decode.h"

namespace {

using namespace firesteel;

constexpr int64_t kPixelsMax = 1 << 20;

void decode(std::span<const uint8_t> bytes) {
  try {
    decode_stored(std::as_bytes(bytes), kPixelsMax);
    const auto image = decode_image(std::as_bytes(bytes), kPixelsMax);
    if (image.rgb.size() != static_cast<size_t>(image.width * image.height * 3)) std::abort();
  } catch (const Error& error) {
    if (error.condition() != "MALFORMED_IMAGE") std::abort();
  }
}

/// Of a PNG's chunks: length, kind, data, checksum of kind and data.
void correct_checksums(std::string& png) {
  auto* bytes = reinterpret_cast<uint8_t*>(png.data());
  const auto at = [&](size_t i) { return static_cast<size_t>(bytes[i]); };
  for (size_t i = 8; i + 12 <= png.size();) {
    const size_t length = at(i) << 24 | at(i + 1) << 16 | at(i + 2) << 8 | at(i + 3);
    if (length > png.size() - i - 12) return;
    const auto sum = crc32(0, bytes + i + 4, static_cast<uInt>(length + 4));
    for (int byte = 0; byte < 4; ++byte)
      bytes[i + 8 + length + byte] = static_cast<uint8_t>(sum >> (24 - 8 * byte));
    i += 12 + length;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  decode({data, size});
  std::string png(reinterpret_cast<const char*>(data), size);
  if (!png.starts_with("\x89PNG")) return 0;
  correct_checksums(png);
  decode({reinterpret_cast<const uint8_t*>(png.data()), png.size()});
  return 0;
}
