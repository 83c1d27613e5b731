// Functions of images with the names, defaults and results of torchvision.transforms.v2.functional
// on tensors: the same ATen calls, so the same bits. What draws at random is image_transforms.h.
//
// Images are [..., C, H, W] tensors, bytes (uint8, 0 to 255) or floats (0 to 1). Nothing is changed
// in place; a result may be a view of what is given. Throws INVALID_OPTION.
#pragma once

#include <torch/torch.h>

#include <optional>
#include <string>
#include <vector>

#include "images/decode.h"

namespace firesteel::images {

/// One number, or one per channel; none: black, and outside of a grid nothing is mixed in.
using Fill = std::vector<double>;
/// One number for both edges, or height and width.
using Size = std::vector<int64_t>;

/// [3, H, W] bytes that own the image's memory; the channels lie beside each other.
torch::Tensor to_tensor(Image image);

/// `size` of one number is the shorter edge's. `max_size` bounds the longer edge, or is it when
/// there is no `size`. Interpolations: nearest, nearest-exact, bilinear, bicubic.
torch::Tensor resize(const torch::Tensor& images, const Size& size,
                     const std::string& interpolation = "bilinear",
                     std::optional<int64_t> max_size = {}, bool antialias = true);
/// What lies outside of the image is black.
torch::Tensor crop(const torch::Tensor& images, int64_t top, int64_t left, int64_t height,
                   int64_t width);
torch::Tensor center_crop(const torch::Tensor& images, const Size& size);
/// `padding`: all, or left and right, top and bottom, or left, top, right, bottom. Modes: constant,
/// edge, reflect, symmetric.
torch::Tensor pad(const torch::Tensor& images, const std::vector<int64_t>& padding,
                  const Fill& fill = {}, const std::string& mode = "constant");
torch::Tensor horizontal_flip(const torch::Tensor& images);
torch::Tensor vertical_flip(const torch::Tensor& images);

/// Angles are degrees; `translate` and `center` are x and y in pixels. Interpolations: nearest,
/// bilinear.
struct Affine {
  double angle = 0;
  std::vector<double> translate{0, 0};
  double scale = 1;
  std::vector<double> shear{0, 0};
  std::vector<double> center;  // none: the image's
};
torch::Tensor affine(const torch::Tensor& images, const Affine& affine,
                     const std::string& interpolation = "nearest", const Fill& fill = {});
/// Counter-clockwise about the centre; the size stays.
torch::Tensor rotate(const torch::Tensor& images, double angle,
                     const std::string& interpolation = "nearest", const Fill& fill = {});

torch::Tensor rgb_to_grayscale(const torch::Tensor& images, int64_t channels = 1);
torch::Tensor adjust_brightness(const torch::Tensor& images, double factor);
torch::Tensor adjust_contrast(const torch::Tensor& images, double factor);
torch::Tensor adjust_saturation(const torch::Tensor& images, double factor);
/// `factor` from -0.5 to 0.5.
torch::Tensor adjust_hue(const torch::Tensor& images, double factor);
torch::Tensor adjust_sharpness(const torch::Tensor& images, double factor);
torch::Tensor autocontrast(const torch::Tensor& images);
torch::Tensor equalize(const torch::Tensor& images);
torch::Tensor invert(const torch::Tensor& images);
/// `bits` from 0 to 8.
torch::Tensor posterize(const torch::Tensor& images, int64_t bits);
torch::Tensor solarize(const torch::Tensor& images, double threshold);

/// convert_image_dtype: bytes and floats into each other, scaled.
torch::Tensor to_dtype(const torch::Tensor& images, torch::Dtype type);
/// To float32 of 0 to 1.
torch::Tensor to_float(const torch::Tensor& images);
/// Per channel (x - mean) / deviation, of floats.
torch::Tensor normalize(const torch::Tensor& images, const std::vector<double>& mean,
                        const std::vector<double>& deviation);

}  // namespace firesteel::images
