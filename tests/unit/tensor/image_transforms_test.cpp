// Transforms of images against what torchvision's v2 gave, seed for seed
// (tests/reference/record_images.py).
#include "tensor/image_transforms.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/file.h"
#include "train/safetensors.h"

namespace firesteel::images {
namespace {

namespace fs = std::filesystem;
using torch::Tensor;

const fs::path kFolder = fs::path(FIRESTEEL_SOURCE_DIR) / "tests/data/images";

const NamedTensors& recorded() {
  static const auto all = read_safetensors(kFolder / "transforms.safetensors");
  return all;
}
const Tensor& recorded(const std::string& name) { return recorded().tensors.at(name); }

/// Bytes are the same; floats within 1e-6.
void expect_same(const Tensor& actual, const std::string& name) {
  const auto& expected = recorded(name);
  ASSERT_EQ(actual.sizes(), expected.sizes()) << name;
  ASSERT_EQ(actual.scalar_type(), expected.scalar_type()) << name;
  EXPECT_LE((actual.to(at::kDouble) - expected.to(at::kDouble)).abs().max().item<double>(),
            actual.is_floating_point() ? 1e-6 : 0)
      << name;
}

std::string refusal(const std::function<void()>& what) {
  try {
    what();
  } catch (const Error& error) {
    EXPECT_EQ(error.condition(), "INVALID_OPTION");
    return error.message();
  }
  return "";
}

struct Function {
  const char* name;
  Tensor (*run)(const Tensor&);
};
const Function kFunctions[] = {
    {"resize_shorter", [](const Tensor& x) { return images::resize(x, {8}); }},
    {"resize_larger", [](const Tensor& x) { return images::resize(x, {19}); }},
    {"resize_both",
     [](const Tensor& x) {
       return images::resize(x, {9, 17});
     }},
    {"resize_max", [](const Tensor& x) { return images::resize(x, {8}, "bilinear", 9); }},
    {"resize_max_alone", [](const Tensor& x) { return images::resize(x, {}, "bilinear", 9); }},
    {"resize_bilinear_aliased",
     [](const Tensor& x) { return images::resize(x, {7}, "bilinear", {}, false); }},
    {"resize_bicubic", [](const Tensor& x) { return images::resize(x, {8}, "bicubic"); }},
    {"resize_bicubic_larger",
     [](const Tensor& x) { return images::resize(x, {15}, "bicubic", {}, false); }},
    {"resize_nearest", [](const Tensor& x) { return images::resize(x, {7}, "nearest"); }},
    {"resize_nearest_exact",
     [](const Tensor& x) { return images::resize(x, {7}, "nearest-exact"); }},
    {"center_crop",
     [](const Tensor& x) {
       return center_crop(x, {7, 10});
     }},
    {"center_crop_larger",
     [](const Tensor& x) {
       return center_crop(x, {9, 18});
     }},
    {"crop_outside", [](const Tensor& x) { return crop(x, -2, 9, 8, 9); }},
    {"crop_elsewhere", [](const Tensor& x) { return crop(x, 20, -30, 4, 5); }},
    {"pad",
     [](const Tensor& x) {
       return images::pad(x, {1, 2, 3, 0}, {x.is_floating_point() ? 0.25 : 40});
     }},
    {"pad_colors",
     [](const Tensor& x) {
       return images::pad(x, {2, 1}, {1, 0, 1});
     }},
    {"pad_reflect",
     [](const Tensor& x) {
       return images::pad(x, {3, 2}, {}, "reflect");
     }},
    {"pad_edge", [](const Tensor& x) { return images::pad(x, {2}, {}, "edge"); }},
    {"pad_symmetric",
     [](const Tensor& x) {
       return images::pad(x, {3, 1, 2, 4}, {}, "symmetric");
     }},
    {"affine",
     [](const Tensor& x) {
       return affine(x, {.angle = 20, .translate = {2, -1}, .scale = 1.2, .shear = {10, 5}});
     }},
    {"affine_bilinear",
     [](const Tensor& x) {
       const Affine how{
           .angle = -35, .translate = {0, 3}, .scale = 0.8, .shear = {0, 15}, .center = {2, 3}};
       return affine(x, how, "bilinear", {0.5});
     }},
    {"rotate", [](const Tensor& x) { return rotate(x, 33); }},
    {"rotate_filled",
     [](const Tensor& x) {
       return rotate(x, -50, "nearest", {1, 0, 1});
     }},
    {"rotate_half", [](const Tensor& x) { return rotate(x, 180); }},
    {"rotate_quarter", [](const Tensor& x) { return rotate(x, -90); }},
    {"grayscale", [](const Tensor& x) { return rgb_to_grayscale(x, 3); }},
    {"brightness", [](const Tensor& x) { return adjust_brightness(x, 1.4); }},
    {"contrast", [](const Tensor& x) { return adjust_contrast(x, 1.7); }},
    {"saturation", [](const Tensor& x) { return adjust_saturation(x, 0.3); }},
    {"hue", [](const Tensor& x) { return adjust_hue(x, -0.2); }},
    {"sharpness", [](const Tensor& x) { return adjust_sharpness(x, 1.8); }},
    {"autocontrast", autocontrast},
    {"equalize", equalize},
    {"invert", invert},
    {"posterize", [](const Tensor& x) { return posterize(x, 3); }},
    {"solarize", [](const Tensor& x) { return solarize(x, x.is_floating_point() ? 0.5 : 130); }},
    {"to_byte", [](const Tensor& x) { return to_dtype(x, at::kByte); }},
    {"to_float", [](const Tensor& x) { return to_float(x); }},
    {"normalize",
     [](const Tensor& x) {
       return normalize(to_float(x), {0.5, 0.4, 0.3}, {0.2, 0.3, 0.1});
     }},
};

TEST(ImageFunctions, GiveWhatTorchvisionGives) {
  for (const auto& [name, run] : kFunctions)
    for (const std::string kind : {"bytes", "floats", "batch"}) {
      const auto given = recorded(kind).clone();
      expect_same(run(given), std::string(name) + "." + kind);
      EXPECT_TRUE(given.equal(recorded(kind))) << name << " changes its input";
    }
}

TEST(ImageFunctions, ChannelsBesideEachOtherGiveTheSame) {
  const auto photo = recorded("bytes").permute({1, 2, 0}).contiguous().permute({2, 0, 1});
  for (const auto& [name, run] : kFunctions) expect_same(run(photo), std::string(name) + ".bytes");
}

TEST(ImageTransforms, DrawAsTorchvisionDoes) {
  int pipelines = 0;
  for (const auto& [name, text] : recorded().metadata) {
    if (!name.starts_with("pipeline.")) continue;
    ++pipelines;
    SCOPED_TRACE(text);
    const auto transforms = transforms_from_json(text);
    const auto again = transforms_from_json(transforms_to_json(transforms));
    std::vector<Tensor> seeded, generated;
    for (int64_t seed = 0; seed < recorded(name).size(0); ++seed) {
      torch::manual_seed(seed);
      seeded.push_back(apply(transforms, recorded("bytes")));
      generated.push_back(apply(again, recorded("bytes"), at::detail::createCPUGenerator(seed)));
    }
    expect_same(at::stack(seeded), name);
    expect_same(at::stack(generated), name);
  }
  EXPECT_EQ(pipelines, 14);
}

TEST(ImageTransforms, EachImageHasItsDraws) {
  torch::manual_seed(3);
  expect_same(apply_each(transforms_from_json(recorded().metadata.at("each")), recorded("batch")),
              "each");
  EXPECT_NE(refusal([] {
              apply_each({}, {recorded("bytes"), recorded("bytes").narrow(1, 0, 3)});
            }),
            "");
}

TEST(ImageTransforms, MixAsTorchvisionDoes) {
  const auto labels = torch::tensor({3, 1}, at::kLong);
  for (const auto& [seed, alpha] : {std::pair(0, 1.0), std::pair(1, 0.2)}) {
    const auto suffix = "." + std::to_string(seed);
    torch::manual_seed(seed);
    const auto up = mix_up(recorded("batch").to(at::kFloat) / 255, labels, 4, alpha);
    expect_same(up.images, "mix_up" + suffix);
    expect_same(up.labels, "mix_up" + suffix + ".labels");
    torch::manual_seed(seed);
    const auto cut = cut_mix(recorded("batch"), labels, 4, alpha);
    expect_same(cut.images, "cut_mix" + suffix);
    expect_same(cut.labels, "cut_mix" + suffix + ".labels");
  }
}

TEST(ImageTransforms, PresetsPrepareAsTorchvisionDoes) {
  const auto text = read_file(kFolder / "baseline_420.jpg");
  const auto image = decode_image(std::as_bytes(std::span(text)));
  expect_same(prepared(image, {.resize = 32, .crop = 24}), "preset.bilinear");
  expect_same(prepared(image, {.resize = 32, .crop = 24, .interpolation = "bicubic"}),
              "preset.bicubic");
  expect_same(prepared(image, {.resize = 32, .crop = 24, .antialias = false}), "preset.aliased");
  const auto off =
      (prepared(image, {.resize = 32, .crop = 24, .bytes = true}) - recorded("preset.bilinear"))
          .abs();
  EXPECT_LE(off.max().item<double>(), 1.01 / 255 / 0.224);
  EXPECT_EQ(to_tensor(image)[1][2][3].item<int>(), image.rgb[3 * (2 * image.width + 3) + 1]);
}

TEST(ImageTransforms, RefusalsSayWhy) {
  const auto of_json = [](const char* text) {
    return refusal([=] { transforms_from_json(text); });
  };
  EXPECT_EQ(of_json("[{\"RandomResizeCrop\": {}}]"),
            "There is no transform `RandomResizeCrop`. Did you mean `RandomResizedCrop`?");
  EXPECT_EQ(of_json("[{\"Resize\": {\"sice\": 3}}]"),
            "Resize has no option `sice`. Did you mean `size`?");
  EXPECT_EQ(of_json("[{\"Resize\": {\"size\": \"big\"}}]"), "Resize's `size` cannot be \"big\".");
  EXPECT_EQ(of_json("{"), "Transforms are a JSON list.");
  EXPECT_EQ(of_json("[3]"), "A transform is its name or {name: {option: value}}, not 3.");
  const auto& photo = recorded("bytes");
  EXPECT_EQ(refusal([&] { images::resize(photo, {3}, "bilinea"); }),
            "The interpolation `bilinea` is none of nearest, nearest-exact, bilinear, bicubic.");
  EXPECT_EQ(refusal([&] {
              apply({Normalize{{0.5}, {0.5}}}, photo);
            }),
            "Floats are normalized, not bytes.");
  EXPECT_EQ(refusal([&] { apply({RandomCrop{{20}}}, photo); }),
            "A crop of 20 x 20 from an image of 10 x 13: `pad_if_needed` is false.");
  for (const auto& transform : transforms_from_json(
           R"(["Resize", "CenterCrop", "Pad", "RandomCrop", "RandomResizedCrop"])"))
    EXPECT_NE(refusal([&] { apply({transform}, photo); }), "");
}

}  // namespace
}  // namespace firesteel::images
