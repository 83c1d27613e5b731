// Transforms of images with the names, options, defaults and draws of torchvision.transforms.v2:
// after the same torch::manual_seed, a pipeline crops, flips and colours as it does in Python. As
// JSON,
//   ["RandomHorizontalFlip", {"RandomResizedCrop": {"size": 224}}, {"Normalize": {"mean": …, "std":
//   …}}]
// The functions behind them: image_functions.h.
#pragma once

#include <string_view>
#include <variant>

#include "tensor/image_functions.h"

namespace firesteel::images {

/// Where random numbers come from; none is torch's default generator.
using Random = std::optional<at::Generator>;

// Each transform is a struct: its options; `options`, which names them, for JSON; and itself as a
// function of images [..., C, H, W], which draws once for all of them.

struct Resize {
  static constexpr std::string_view kName = "Resize";
  Size size;
  std::string interpolation = "bilinear";
  std::optional<int64_t> max_size;
  bool antialias = true;
  static void options(auto& self, auto&& option) {
    option("size", self.size), option("interpolation", self.interpolation);
    option("max_size", self.max_size), option("antialias", self.antialias);
  }
  torch::Tensor operator()(const torch::Tensor& images, const Random& = {}) const;
};

struct CenterCrop {
  static constexpr std::string_view kName = "CenterCrop";
  Size size;
  static void options(auto& self, auto&& option) { option("size", self.size); }
  torch::Tensor operator()(const torch::Tensor& images, const Random& = {}) const;
};

struct Pad {
  static constexpr std::string_view kName = "Pad";
  std::vector<int64_t> padding;
  Fill fill{0};
  std::string padding_mode = "constant";
  static void options(auto& self, auto&& option) {
    option("padding", self.padding), option("fill", self.fill);
    option("padding_mode", self.padding_mode);
  }
  torch::Tensor operator()(const torch::Tensor& images, const Random& = {}) const;
};

struct RandomCrop {
  static constexpr std::string_view kName = "RandomCrop";
  Size size;
  std::vector<int64_t> padding;  // none, or as `pad` takes it
  bool pad_if_needed = false;
  Fill fill{0};
  std::string padding_mode = "constant";
  static void options(auto& self, auto&& option) {
    option("size", self.size), option("padding", self.padding);
    option("pad_if_needed", self.pad_if_needed), option("fill", self.fill);
    option("padding_mode", self.padding_mode);
  }
  torch::Tensor operator()(const torch::Tensor& images, const Random& random = {}) const;
};

struct RandomResizedCrop {
  static constexpr std::string_view kName = "RandomResizedCrop";
  Size size;
  std::vector<double> scale{0.08, 1.0};             // of the image's area
  std::vector<double> ratio{3.0 / 4.0, 4.0 / 3.0};  // width to height
  std::string interpolation = "bilinear";
  bool antialias = true;
  static void options(auto& self, auto&& option) {
    option("size", self.size), option("scale", self.scale), option("ratio", self.ratio);
    option("interpolation", self.interpolation), option("antialias", self.antialias);
  }
  torch::Tensor operator()(const torch::Tensor& images, const Random& random = {}) const;
};

struct RandomHorizontalFlip {
  static constexpr std::string_view kName = "RandomHorizontalFlip";
  double p = 0.5;
  static void options(auto& self, auto&& option) { option("p", self.p); }
  torch::Tensor operator()(const torch::Tensor& images, const Random& random = {}) const;
};

struct RandomVerticalFlip {
  static constexpr std::string_view kName = "RandomVerticalFlip";
  double p = 0.5;
  static void options(auto& self, auto&& option) { option("p", self.p); }
  torch::Tensor operator()(const torch::Tensor& images, const Random& random = {}) const;
};

/// Each option: none, a distance from 1 (of the hue: from 0), or a range of factors.
struct ColorJitter {
  static constexpr std::string_view kName = "ColorJitter";
  std::vector<double> brightness, contrast, saturation, hue;
  static void options(auto& self, auto&& option) {
    option("brightness", self.brightness), option("contrast", self.contrast);
    option("saturation", self.saturation), option("hue", self.hue);
  }
  torch::Tensor operator()(const torch::Tensor& images, const Random& random = {}) const;
};

/// Cubuk et al. 2019, https://arxiv.org/abs/1909.13719.
struct RandAugment {
  static constexpr std::string_view kName = "RandAugment";
  int64_t num_ops = 2, magnitude = 9, num_magnitude_bins = 31;
  std::string interpolation = "nearest";
  Fill fill;
  static void options(auto& self, auto&& option) {
    option("num_ops", self.num_ops), option("magnitude", self.magnitude);
    option("num_magnitude_bins", self.num_magnitude_bins);
    option("interpolation", self.interpolation), option("fill", self.fill);
  }
  torch::Tensor operator()(const torch::Tensor& images, const Random& random = {}) const;
};

/// Zhong et al. 2017, https://arxiv.org/abs/1708.04896.
struct RandomErasing {
  static constexpr std::string_view kName = "RandomErasing";
  double p = 0.5;
  std::vector<double> scale{0.02, 0.33};  // of the image's area
  std::vector<double> ratio{0.3, 3.3};
  Fill value{0};  // none: torchvision's "random", a normal draw for each pixel
  static void options(auto& self, auto&& option) {
    option("p", self.p), option("scale", self.scale), option("ratio", self.ratio);
    option("value", self.value);
  }
  torch::Tensor operator()(const torch::Tensor& images, const Random& random = {}) const;
};

/// To float32 of 0 to 1.
struct ConvertImageDtype {
  static constexpr std::string_view kName = "ConvertImageDtype";
  static void options(auto&, auto&&) {}
  torch::Tensor operator()(const torch::Tensor& images, const Random& = {}) const;
};

struct Normalize {
  static constexpr std::string_view kName = "Normalize";
  std::vector<double> mean, std;
  static void options(auto& self, auto&& option) {
    option("mean", self.mean), option("std", self.std);
  }
  torch::Tensor operator()(const torch::Tensor& images, const Random& = {}) const;
};

using Transform = std::variant<Resize, CenterCrop, Pad, RandomCrop, RandomResizedCrop,
                               RandomHorizontalFlip, RandomVerticalFlip, ColorJitter, RandAugment,
                               RandomErasing, ConvertImageDtype, Normalize>;

/// One after the other, with the same draws for all images [..., C, H, W].
torch::Tensor apply(const std::vector<Transform>& transforms, torch::Tensor images,
                    const Random& random = {});
/// Draws of its own for each image of [N, C, H, W]; the results have one size.
torch::Tensor apply_each(const std::vector<Transform>& transforms, const torch::Tensor& images,
                         const Random& random = {});
/// The same of images of any sizes, each [C, H, W].
torch::Tensor apply_each(const std::vector<Transform>& transforms,
                         const std::vector<torch::Tensor>& images, const Random& random = {});

/// A list of names and of objects, {name: {option: value}}. Throws INVALID_OPTION, with the nearest
/// name.
std::vector<Transform> transforms_from_json(std::string_view text);
/// Every option in it, in one line.
std::string transforms_to_json(const std::vector<Transform>& transforms);

/// Images [N, C, H, W] of floats and labels [N, classes], a share of each image's neighbour in
/// them.
struct Mixed {
  torch::Tensor images, labels;
};
/// Labels are [N] ids of so many classes, or [N, classes] already; `alpha` is the Beta
/// distribution's. Zhang et al. 2017, https://arxiv.org/abs/1710.09412.
Mixed mix_up(const torch::Tensor& images, const torch::Tensor& labels, int64_t classes,
             double alpha = 1, const Random& random = {});
/// Yun et al. 2019, https://arxiv.org/abs/1905.04899. Images may be bytes too.
Mixed cut_mix(const torch::Tensor& images, const torch::Tensor& labels, int64_t classes,
              double alpha = 1, const Random& random = {});

/// How a classifier of torchvision or timm wants its images.
struct ImagePreset {
  int64_t resize = 256, crop = 224;
  std::string interpolation = "bilinear";
  bool antialias = true;
  /// Resize bytes, as v2 does and, within a level, Pillow; else floats, as the presets do of a
  /// tensor, which takes six times as long.
  bool bytes = false;
  std::vector<double> mean{0.485, 0.456, 0.406}, deviation{0.229, 0.224, 0.225};
};
/// [3, crop, crop] floats, as torchvision.transforms._presets.ImageClassification makes of a
/// tensor.
torch::Tensor prepared(const Image& image, const ImagePreset& preset = {});

}  // namespace firesteel::images
