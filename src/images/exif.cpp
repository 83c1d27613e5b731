// The orientation in Exif data (a small TIFF file), and images turned by it.
#include <cstring>

#include "images/codecs.h"

namespace firesteel {

namespace {

/// Numbers of a TIFF file; 0 for what is past its end.
struct Tiff {
  ImageBytes bytes;
  bool big_endian = false;

  uint32_t number(size_t offset, size_t width) const {
    if (offset + width > bytes.size()) return 0;
    uint32_t out = 0;
    for (size_t i = 0; i < width; ++i)
      out |= std::to_integer<uint32_t>(bytes[offset + i]) << 8 * (big_endian ? width - 1 - i : i);
    return out;
  }
};

constexpr uint32_t kOrientation = 0x0112, kShort = 3, kLong = 4;

}  // namespace

int exif_orientation(ImageBytes exif) {
  if (exif.size() >= 6 && std::memcmp(exif.data(), "Exif\0\0", 6) == 0) exif = exif.subspan(6);
  Tiff tiff{exif};
  if (exif.size() < 8) return 1;
  tiff.big_endian = exif[0] == std::byte{'M'};
  if (tiff.number(2, 2) != 42) return 1;
  const size_t folder = tiff.number(4, 4);
  const uint32_t entries = tiff.number(folder, 2);
  for (uint32_t i = 0; i < entries; ++i) {
    const size_t entry = folder + 2 + 12 * i;
    if (tiff.number(entry, 2) != kOrientation) continue;
    const auto type = tiff.number(entry + 2, 2);
    const auto value = type == kShort  ? tiff.number(entry + 8, 2)
                       : type == kLong ? tiff.number(entry + 8, 4)
                                       : 1;
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image upright(Image in, int orientation) {
  if (orientation == 1) return in;
  // How to read the stored pixels: from which corner, and whether down the columns.
  struct Way {
    bool right, bottom, down;
  };
  constexpr Way kWays[] = {{0, 0, 0}, {1, 0, 0}, {1, 1, 0}, {0, 1, 0},
                           {0, 0, 1}, {0, 1, 1}, {1, 1, 1}, {1, 0, 1}};
  const auto way = kWays[orientation - 1];
  int64_t step_x = way.right ? -1 : 1, step_y = way.bottom ? -in.width : in.width;
  const int64_t corner =
      (way.right ? in.width - 1 : 0) + (way.bottom ? (in.height - 1) * in.width : 0);
  Image out{in.width, in.height, std::vector<uint8_t>(in.rgb.size())};
  if (way.down) {
    std::swap(out.width, out.height);
    std::swap(step_x, step_y);
  }
  uint8_t* to = out.rgb.data();
  for (int64_t y = 0; y < out.height; ++y)
    for (int64_t x = 0; x < out.width; ++x, to += 3)
      std::memcpy(to, &in.rgb[3 * (corner + y * step_y + x * step_x)], 3);
  return out;
}

}  // namespace firesteel
