// WebP by libwebp: lossy, lossless, with alpha, which is left out, and the first of animations.
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
  auto image = blank_image(WebPDemuxGetI(file.get(), WEBP_FF_CANVAS_WIDTH),
                           WebPDemuxGetI(file.get(), WEBP_FF_CANVAS_HEIGHT), pixels_max);
  WebPIterator frame;
  if (WebPDemuxGetFrame(file.get(), 1, &frame) == 0)
    throw malformed_image("WebP", "there is no image in it");
  // A frame lies within the canvas: the reader of chunks has checked that.
  const int64_t row = image.width * 3, start = frame.y_offset * row + frame.x_offset * 3;
  const auto* done =
      WebPDecodeRGBInto(frame.fragment.bytes, frame.fragment.size, image.rgb.data() + start,
                        image.rgb.size() - start, static_cast<int>(row));
  WebPDemuxReleaseIterator(&frame);
  if (!done) throw malformed_image("WebP", "its data are not those of an image");
  return {std::move(image), orientation_of(file.get())};
}

}  // namespace firesteel
