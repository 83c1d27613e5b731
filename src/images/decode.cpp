// Which format it is, and batches on several threads. The formats: jpeg.cpp, png.cpp, webp.cpp.
#include "images/decode.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <thread>

#include "images/codecs.h"

namespace firesteel {

namespace {

bool holds(ImageBytes bytes, size_t offset, std::string_view text) {
  return bytes.size() >= offset + text.size() &&
         std::memcmp(bytes.data() + offset, text.data(), text.size()) == 0;
}

/// Grey three times, alpha left out.
Image rgb_of(StoredImage stored) {
  Image out{stored.width, stored.height, std::move(stored.pixels)};
  if (stored.channels == 3) return out;
  const auto pixels = std::move(out.rgb);
  out.rgb.resize(out.width * out.height * 3);
  const size_t step = stored.channels, next = step == 1 ? 0 : 1;
  uint8_t* to = out.rgb.data();
  for (const auto* from = pixels.data(); from != pixels.data() + pixels.size(); from += step)
    for (size_t c = 0; c < 3; ++c) *to++ = from[c * next];
  return out;
}

}  // namespace

Image decode_image(ImageBytes bytes, int64_t pixels_max) {
  auto stored = decode_stored(bytes, pixels_max);
  const int orientation = stored.orientation;
  return upright(rgb_of(std::move(stored)), orientation);
}

StoredImage decode_stored(ImageBytes bytes, int64_t pixels_max) {
  if (holds(bytes, 0, "\xff\xd8\xff")) return decode_jpeg(bytes, pixels_max);
  if (holds(bytes, 0, "\x89PNG\r\n\x1a\n")) return decode_png(bytes, pixels_max);
  if (holds(bytes, 0, "RIFF") && holds(bytes, 8, "WEBP")) return decode_webp(bytes, pixels_max);
  if (bytes.empty()) throw Error("MALFORMED_IMAGE", "An image has no bytes.");
  const auto first = bytes.first(std::min<size_t>(bytes.size(), 8));
  throw Error("MALFORMED_IMAGE",
              fmt::format("Neither JPEG, PNG nor WebP: the first of {} bytes are {:02x}.",
                          bytes.size(), fmt::join(first, " ")));
}

std::vector<std::variant<Image, Error>> decode_images(std::span<const ImageBytes> files,
                                                      int threads, int64_t pixels_max) {
  std::vector<std::variant<Image, Error>> out(files.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i; (i = next++) < files.size();) {
      try {
        out[i] = decode_image(files[i], pixels_max);
      } catch (const Error& error) {
        out[i] = error;
      } catch (const std::bad_alloc&) {
        out[i] = Error("OUT_OF_MEMORY", "There is no memory for an image's pixels.");
      }
    }
  };
  std::vector<std::jthread> others;
  const int useful = static_cast<int>(std::min<size_t>(files.size(), std::max(threads, 1)));
  for (int i = 1; i < useful; ++i) others.emplace_back(work);
  work();
  others.clear();
  return out;
}

void check_size(int64_t width, int64_t height, int64_t pixels_max) {
  if (width < 1 || height < 1)
    throw Error("MALFORMED_IMAGE", fmt::format("An image of {} x {} pixels.", width, height));
  if (width > pixels_max / height)
    throw Error("MALFORMED_IMAGE",
                fmt::format("An image of {} x {} pixels is over the limit of {}.", width, height,
                            pixels_max));
}

StoredImage blank_image(int64_t width, int64_t height, int64_t channels, int64_t pixels_max) {
  check_size(width, height, pixels_max);
  return {width, height, channels, std::vector<uint8_t>(width * height * channels)};
}

Error malformed_image(std::string_view format, std::string_view what) {
  return Error("MALFORMED_IMAGE", fmt::format("A {} image is damaged: {}", format, what));
}

}  // namespace firesteel
