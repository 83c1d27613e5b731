// Decoding against Pillow's pixels (tests/reference/record_images.py), and what is no image.
#include "images/decode.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "base/file.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(FIRESTEEL_SOURCE_DIR) / "tests/data/images";

ImageBytes bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

/// Pillow's pixels by the names of the files.
std::map<std::string, Image> expected_images() {
  std::map<std::string, Image> out;
  std::ifstream in(kFolder / "expected.ppm", std::ios::binary);
  std::string kind, hash, name, deepest;
  Image image;
  while (in >> kind >> hash >> name >> image.width >> image.height >> deepest) {
    in.get();
    image.rgb.resize(image.width * image.height * 3);
    in.read(reinterpret_cast<char*>(image.rgb.data()), image.rgb.size());
    out[name] = image;
  }
  return out;
}

std::string refusal(const std::string& text) {
  try {
    decode_image(bytes_of(text));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(DecodeImage, PixelsAreThoseOfPillow) {
  const auto expected = expected_images();
  ASSERT_GT(expected.size(), 40u);
  for (const auto& [name, image] : expected) {
    const auto text = read_file(kFolder / name);
    const auto ours = decode_image(bytes_of(text));
    EXPECT_EQ(ours.width, image.width) << name;
    EXPECT_EQ(ours.height, image.height) << name;
    EXPECT_TRUE(ours.rgb == image.rgb) << name;
  }
}

TEST(DecodeImage, WhatIsCutOffIsRefused) {
  for (const auto& [name, image] : expected_images()) {
    const auto text = read_file(kFolder / name);
    for (size_t size = 0; size < text.size(); size += 10)
      EXPECT_TRUE(refusal(text.substr(0, size)).starts_with("[MALFORMED_IMAGE] "))
          << name << " of " << size << " bytes";
    EXPECT_NE(refusal(text.substr(0, text.size() - 2)), "") << name;
  }
}

TEST(DecodeImage, RefusalsSayWhy) {
  EXPECT_EQ(refusal(""), "[MALFORMED_IMAGE] An image has no bytes. SQLSTATE: 22000");
  EXPECT_EQ(refusal("<html>"),
            "[MALFORMED_IMAGE] Neither JPEG, PNG nor WebP: the first of 6 bytes are 3c 68 74 6d 6c "
            "3e. SQLSTATE: 22000");
  const auto jpeg = read_file(kFolder / "baseline_420.jpg");
  EXPECT_EQ(
      refusal(jpeg.substr(0, jpeg.size() - 100)),
      "[MALFORMED_IMAGE] A JPEG image is damaged: Premature end of JPEG file SQLSTATE: 22000");
  auto png = read_file(kFolder / "rgb.png");
  EXPECT_EQ(refusal(png.substr(0, png.size() - 100)),
            "[MALFORMED_IMAGE] A PNG image is damaged: it ends too early SQLSTATE: 22000");
  png[png.size() - 14] ^= 1;
  EXPECT_EQ(refusal(png),
            "[MALFORMED_IMAGE] A PNG image is damaged: IDAT: CRC error SQLSTATE: 22000");
  const auto webp = read_file(kFolder / "lossy.webp");
  EXPECT_EQ(refusal(webp.substr(0, webp.size() - 100)),
            "[MALFORMED_IMAGE] A WebP image is damaged: it ends too early SQLSTATE: 22000");
}

TEST(DecodeImage, HugeImagesAreRefusedBeforeMemoryIsTaken) {
  auto jpeg = read_file(kFolder / "grey.jpg");
  const auto frame = jpeg.find("\xff\xc0");
  jpeg.replace(frame + 5, 4, "\xff\xdc\xff\xdc");
  EXPECT_EQ(refusal(jpeg),
            "[MALFORMED_IMAGE] An image of 65500 x 65500 pixels is over the limit of 178956970. "
            "SQLSTATE: 22000");
  const std::string text = read_file(kFolder / "rgb.png");
  EXPECT_NO_THROW(decode_image(bytes_of(text), 31 * 23));
  EXPECT_THROW(decode_image(bytes_of(text), 31 * 23 - 1), Error);
}

TEST(DecodeImages, EachIsAnImageOrItsError) {
  const auto good = read_file(kFolder / "exif_6.jpg");
  const std::string bad = "GIF89a";
  std::vector<ImageBytes> files(50, bytes_of(good));
  files[17] = bytes_of(bad);
  for (const int threads : {1, 3, 100}) {
    const auto all = decode_images(files, threads);
    ASSERT_EQ(all.size(), files.size());
    for (size_t i = 0; i < all.size(); ++i) {
      ASSERT_EQ(std::holds_alternative<Image>(all[i]), i != 17);
      if (i != 17) {
        EXPECT_TRUE(std::get<Image>(all[i]).rgb == decode_image(files[i]).rgb);
      } else {
        EXPECT_EQ(std::get<Error>(all[i]).condition(), "MALFORMED_IMAGE");
      }
    }
  }
  EXPECT_TRUE(decode_images({}, 2).empty());
}

}  // namespace
}  // namespace firesteel
