// JPEG by libjpeg-turbo, with its accurate transform and smooth chroma, which are its defaults and
// Pillow's. Pixels that the file does not hold are an error, not grey.
#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "images/codecs.h"
// After <cstdio>, which it needs.
#include <jerror.h>
#include <jpeglib.h>

namespace firesteel {

namespace {

/// Each scan of a progressive file goes over the whole image: a small file could take hours.
constexpr int kScansMax = 500;

/// The library's state and how it fails: with a jump back into `run`.
class JpegReader {
 public:
  explicit JpegReader(ImageBytes bytes) {
    state.err = jpeg_std_error(&errors_);
    state.client_data = this;
    errors_.error_exit = [](j_common_ptr common) { of(common).fail(common); };
    errors_.emit_message = [](j_common_ptr common, int) {
      if (common->err->msg_code == JWRN_JPEG_EOF) of(common).fail(common);
    };
    progress_.progress_monitor = [](j_common_ptr common) {
      if (reinterpret_cast<j_decompress_ptr>(common)->input_scan_number <= kScansMax) return;
      common->err->msg_code = JERR_EOI_EXPECTED;
      of(common).fail(common);
    };
    run([&] {
      jpeg_create_decompress(&state);
      state.progress = &progress_;
      jpeg_mem_src(&state, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    });
  }
  ~JpegReader() { jpeg_destroy_decompress(&state); }
  JpegReader(const JpegReader&) = delete;

  /// A step of decoding. It is left by a jump when it fails, so it makes nothing to destroy.
  template <typename Step>
  void run(const Step& step) {
    if (setjmp(failed_) != 0) throw malformed_image("JPEG", message_);
    step();
  }

  jpeg_decompress_struct state{};

 private:
  static JpegReader& of(j_common_ptr common) {
    return *static_cast<JpegReader*>(common->client_data);
  }
  [[noreturn]] void fail(j_common_ptr common) {
    errors_.format_message(common, message_);
    std::longjmp(failed_, 1);
  }

  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf failed_;
  char message_[JMSG_LENGTH_MAX] = {};
};

/// Adobe's inverted inks, which are all that is found in files, to RGB as Pillow does.
void rgb_of_cmyk(const std::vector<uint8_t>& cmyk, uint8_t* rgb) {
  for (size_t i = 0; i < cmyk.size(); i += 4)
    for (size_t c = 0; c < 3; ++c) {
      const int black = cmyk[i + 3];
      const int product = (255 - cmyk[i + c]) * black + 128;
      *rgb++ = static_cast<uint8_t>(std::max(0, black - (((product >> 8) + product) >> 8)));
    }
}

int orientation_of(const jpeg_decompress_struct& state) {
  for (const auto* marker = state.marker_list; marker; marker = marker->next) {
    const auto data = std::as_bytes(std::span(marker->data, marker->data_length));
    if (data.size() >= 6 && std::memcmp(data.data(), "Exif\0\0", 6) == 0)
      return exif_orientation(data);
  }
  return 1;
}

}  // namespace

StoredImage decode_jpeg(ImageBytes bytes, int64_t pixels_max) {
  JpegReader reader(bytes);
  auto& state = reader.state;
  reader.run([&] {
    jpeg_save_markers(&state, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&state, TRUE);
  });
  const bool inks = state.num_components == 4;
  auto image = blank_image(state.image_width, state.image_height, state.num_components == 1 ? 1 : 3,
                           pixels_max);
  image.orientation = orientation_of(state);  // The markers are gone at the end.
  std::vector<uint8_t> cmyk(inks ? image.width * 4 : 0);
  reader.run([&] {
    state.out_color_space = inks ? JCS_CMYK : image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(&state);
    while (state.output_scanline < state.output_height) {
      auto* pixels = image.pixels.data() + state.output_scanline * image.width * image.channels;
      auto* row = inks ? cmyk.data() : pixels;
      jpeg_read_scanlines(&state, &row, 1);
      if (inks) rgb_of_cmyk(cmyk, pixels);
    }
    jpeg_finish_decompress(&state);
  });
  return image;
}

}  // namespace firesteel
