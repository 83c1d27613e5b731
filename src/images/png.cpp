// PNG by libpng: palettes, bits of grey, sixteen bits and alpha become RGB as in Pillow.
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
void rgb_of_wide_grey(const std::vector<uint8_t>& grey, std::vector<uint8_t>& rgb) {
  for (size_t i = 0; 2 * i < grey.size(); ++i)
    std::memset(&rgb[3 * i], grey[2 * i] != 0 ? 255 : grey[2 * i + 1], 3);
}

}  // namespace

StoredImage decode_png(ImageBytes bytes, int64_t pixels_max) {
  PngReader reader(bytes);
  auto* png = reader.png;
  auto* info = reader.info;
  reader.run([&] { png_read_info(png, info); });
  auto image =
      blank_image(png_get_image_width(png, info), png_get_image_height(png, info), pixels_max);
  const bool wide_grey =
      png_get_color_type(png, info) == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, info) == 16;
  std::vector<uint8_t> grey(wide_grey ? image.width * image.height * 2 : 0);
  std::vector<png_bytep> rows(image.height);
  for (int64_t y = 0; y < image.height; ++y)
    rows[y] = wide_grey ? &grey[y * image.width * 2] : &image.rgb[y * image.width * 3];
  int orientation = 1;
  reader.run([&] {
    if (!wide_grey) {
      png_set_expand(png);
      png_set_strip_16(png);
      png_set_strip_alpha(png);
      png_set_gray_to_rgb(png);
    }
    png_read_image(png, rows.data());
    png_read_end(png, info);
    png_uint_32 size = 0;
    png_bytep exif = nullptr;
    if (png_get_eXIf_1(png, info, &size, &exif) != 0)
      orientation = exif_orientation(std::as_bytes(std::span(exif, size)));
  });
  if (wide_grey) rgb_of_wide_grey(grey, image.rgb);
  return {std::move(image), orientation};
}

}  // namespace firesteel
