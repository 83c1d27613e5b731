// One function per format: pixels as the file holds them, and which way up they are to be. Inside
// of this layer alone; decode.h is what others call.
#pragma once

#include <string_view>

#include "images/decode.h"

namespace firesteel {

StoredImage decode_jpeg(ImageBytes bytes, int64_t pixels_max);
StoredImage decode_png(ImageBytes bytes, int64_t pixels_max);
StoredImage decode_webp(ImageBytes bytes, int64_t pixels_max);

/// Throws when there are no pixels or more than the limit.
void check_size(int64_t width, int64_t height, int64_t pixels_max);
/// A black image, its size checked.
StoredImage blank_image(int64_t width, int64_t height, int64_t channels, int64_t pixels_max);

Error malformed_image(std::string_view format, std::string_view what);

/// The orientation that Exif data say, with or without the `Exif\0\0` before; 1 when they say none.
int exif_orientation(ImageBytes exif);

/// Turned and mirrored so that it is shown as meant.
Image upright(Image image, int orientation);

}  // namespace firesteel
