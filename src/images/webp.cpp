// WebP by libwebp: lossy, lossless, with alpha, and the first image of animations.
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "images/codecs.h"

namespace firesteel {

namespace {

int orientation_of(const WebPDemuxer* file) {
  WebPChunkIterator chunk;
  if (WebPDemuxGetChunk(file, "EXIF", 1, &chunk) == 0) return 1;
  const int orientation =
      exif_orientation(std::as_bytes(std::span(chunk.chunk.bytes, chunk.chunk.size)));
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation;
}

}  // namespace

StoredImage decode_webp(ImageBytes bytes, int64_t pixels_max) {
  const WebPData data{reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
  WebPDemuxState state;
  const std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)> file(
      WebPDemuxPartial(&data, &state), &WebPDemuxDelete);
  if (state == WEBP_DEMUX_PARSE_ERROR) throw malformed_image("WebP", "its chunks make no sense");
  if (state != WEBP_DEMUX_DONE) throw malformed_image("WebP", "it ends too early");
  WebPIterator frame;
  if (WebPDemuxGetFrame(file.get(), 1, &frame) == 0)
    throw malformed_image("WebP", "there is no image in it");
  const std::unique_ptr<WebPIterator, decltype(&WebPDemuxReleaseIterator)> released(
      &frame, &WebPDemuxReleaseIterator);
  const int channels = frame.has_alpha ? 4 : 3;
  auto image = blank_image(WebPDemuxGetI(file.get(), WEBP_FF_CANVAS_WIDTH),
                           WebPDemuxGetI(file.get(), WEBP_FF_CANVAS_HEIGHT), channels, pixels_max);
  // A frame lies within the canvas: the reader of chunks has checked that.
  const int64_t row = image.width * channels;
  const int64_t start = frame.y_offset * row + frame.x_offset * channels;
  const auto decode = frame.has_alpha ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
  if (!decode(frame.fragment.bytes, frame.fragment.size, image.pixels.data() + start,
              image.pixels.size() - start, static_cast<int>(row)))
    throw malformed_image("WebP", "its data are not those of an image");
  image.orientation = orientation_of(file.get());
  return image;
}

}  // namespace firesteel
