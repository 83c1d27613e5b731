// PNG by libpng: palettes, grey of few bits and sixteen bits become bytes of colours as in Pillow.
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "images/codecs.h"

namespace firesteel {

namespace {

/// The library's state and how it fails: with a jump back into `run`.
class PngReader {
 public:
  explicit PngReader(ImageBytes bytes) : rest_(bytes) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &fail,
                                 [](png_structp, png_const_charp) {});
    info = png ? png_create_info_struct(png) : nullptr;
    if (!info) {
      png_destroy_read_struct(&png, nullptr, nullptr);
      throw std::bad_alloc();
    }
    png_set_read_fn(png, this, &read);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  }
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
  PngReader(const PngReader&) = delete;

  /// A step of decoding. It is left by a jump when it fails, so it makes nothing to destroy.
  template <typename Step>
  void run(const Step& step) {
    if (setjmp(failed_) != 0) throw malformed_image("PNG", message_);
    step();
  }

  png_structp png;
  png_infop info;

 private:
  [[noreturn]] static void fail(png_structp png, png_const_charp message) {
    auto& self = *static_cast<PngReader*>(png_get_error_ptr(png));
    std::snprintf(self.message_, sizeof self.message_, "%s", message);
    std::longjmp(self.failed_, 1);
  }
  static void read(png_structp png, png_bytep to, size_t size) {
    auto& rest = static_cast<PngReader*>(png_get_io_ptr(png))->rest_;
    if (size > rest.size()) fail(png, "it ends too early");
    std::memcpy(to, rest.data(), size);
    rest = rest.subspan(size);
  }

  ImageBytes rest_;
  std::jmp_buf failed_;
  char message_[128] = {};
};

/// Pillow clips sixteen bits of grey, where of sixteen bits of a colour it takes the upper eight.
std::vector<uint8_t> clipped(const std::vector<uint8_t>& wide) {
  std::vector<uint8_t> out(wide.size() / 2);
  for (size_t i = 0; i < out.size(); ++i) out[i] = wide[2 * i] != 0 ? 255 : wide[2 * i + 1];
  return out;
}

/// What the library is to make of the file's pixels. Grey of less than eight bits is colours, as a
/// palette is, and grey has no alpha: so Spark has it, and RGB is the same either way.
void choose_channels(png_structp png, png_infop info, bool wide_grey) {
  if (wide_grey) return;
  const bool grey = (png_get_color_type(png, info) & PNG_COLOR_MASK_COLOR) == 0;
  png_set_expand(png);
  png_set_strip_16(png);
  if (!grey) return;
  png_set_strip_alpha(png);
  if (png_get_bit_depth(png, info) < 8) png_set_gray_to_rgb(png);
}

}  // namespace

StoredImage decode_png(ImageBytes bytes, int64_t pixels_max) {
  PngReader reader(bytes);
  auto* png = reader.png;
  auto* info = reader.info;
  reader.run([&] { png_read_info(png, info); });
  const int64_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
  check_size(width, height, pixels_max);
  const bool wide_grey =
      png_get_color_type(png, info) == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, info) == 16;
  reader.run([&] {
    choose_channels(png, info, wide_grey);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
  });
  const int64_t channels = wide_grey ? 2 : png_get_channels(png, info);
  auto image = blank_image(width, height, channels, pixels_max);
  std::vector<png_bytep> rows(height);
  for (int64_t y = 0; y < height; ++y) rows[y] = &image.pixels[y * width * channels];
  reader.run([&] {
    png_read_image(png, rows.data());
    png_read_end(png, info);
    png_uint_32 size = 0;
    png_bytep exif = nullptr;
    if (png_get_eXIf_1(png, info, &size, &exif) != 0)
      image.orientation = exif_orientation(std::as_bytes(std::span(exif, size)));
  });
  if (wide_grey) {
    image.channels = 1;
    image.pixels = clipped(image.pixels);
  }
  return image;
}

}  // namespace firesteel
