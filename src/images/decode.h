// Image files to pixels: JPEG, PNG and WebP, told apart by their content. The pixels are those of
// Pillow's `ImageOps.exif_transpose(Image.open(file)).convert("RGB")`, bit for bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "base/error.h"

namespace firesteel {

/// Rows from the top, in each row pixels from the left, of each pixel red, green and blue.
struct Image {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> rgb;
};

/// As the file has it, not turned: grey (1 channel), red, green, blue (3), or with alpha (4).
struct StoredImage {
  int64_t width = 0, height = 0, channels = 3;
  std::vector<uint8_t> pixels;
  int orientation = 1;  // of Exif, 1 to 8
};

/// Pillow's limit: images of more pixels are refused before memory is taken for them.
constexpr int64_t kImagePixelsMax = 178'956'970;

using ImageBytes = std::span<const std::byte>;

/// The first image of an animation. Throws MALFORMED_IMAGE for what is no image of the three
/// formats, is cut off, damaged or too large.
Image decode_image(ImageBytes bytes, int64_t pixels_max = kImagePixelsMax);

StoredImage decode_stored(ImageBytes bytes, int64_t pixels_max = kImagePixelsMax);

/// Each of several files, on so many threads: its image, or the error that decode_image throws.
std::vector<std::variant<Image, Error>> decode_images(std::span<const ImageBytes> files,
                                                      int threads,
                                                      int64_t pixels_max = kImagePixelsMax);

}  // namespace firesteel
