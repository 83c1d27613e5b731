// Colours: brightness to hue, histograms, bits, types of numbers.
#include <fmt/format.h>

#include "base/error.h"
#include "tensor/image_functions.h"

namespace firesteel::images {

namespace {

[[noreturn]] void refuse(const std::string& what) { throw Error("INVALID_OPTION", what); }

/// The brightest value of a type of numbers.
double bound_of(const torch::Tensor& images) {
  if (images.is_floating_point()) return 1.0;
  if (images.scalar_type() != at::kByte) refuse("Images are bytes or floats.");
  return 255.0;
}

void check_channels(const torch::Tensor& images) {
  if (images.dim() < 3 || (images.size(-3) != 1 && images.size(-3) != 3))
    refuse("Images have 1 or 3 channels, before height and width.");
}

void check_factor(const torch::Tensor& images, double factor) {
  check_channels(images);
  if (!(factor >= 0)) refuse(fmt::format("A factor of colours is not negative, as {} is.", factor));
}

/// Grey as a sum of the colours, in floats; of bytes it is a whole number.
torch::Tensor grey(const torch::Tensor& images) {
  const auto colors = images.unbind(-3);
  auto sum = colors[0].mul(0.2989).add_(colors[1], 0.587).add_(colors[2], 0.114).unsqueeze(-3);
  return images.is_floating_point() ? sum : sum.floor_();
}

torch::Tensor blend(const torch::Tensor& images, const torch::Tensor& others, double ratio) {
  return images.mul(ratio)
      .add_(others, 1.0 - ratio)
      .clamp_(0, bound_of(images))
      .to(images.scalar_type());
}

torch::Tensor hsv_of_rgb(const torch::Tensor& images) {
  const auto colors = images.unbind(-3);
  const auto& red = colors[0];
  const auto [darkest, brightest] = at::aminmax(images, -3);
  // Where all colours are the same nothing is divided by zero.
  const auto is_grey = brightest == darkest;
  const auto range = brightest - darkest, ones = at::ones_like(brightest);
  const auto saturation = range / at::where(is_grey, ones, brightest);
  const auto divisor = at::where(is_grey, ones, range).unsqueeze(-3);
  const auto rest = ((brightest.unsqueeze(-3) - images) / divisor).unbind(-3);
  const auto red_wins = brightest == red, green_wins = brightest == colors[1];
  const auto from_green = rest[0].add(2.0).sub_(rest[2]).mul_(green_wins & ~red_wins);
  const auto from_red = rest[2].sub(rest[1]).mul_(red_wins);
  const auto from_blue = rest[1].add(4.0).sub_(rest[0]).mul_(~red_wins & ~green_wins);
  const auto hue = (from_red + from_green).add_(from_blue).mul_(1.0 / 6.0).add_(1.0).fmod_(1.0);
  return at::stack({hue, saturation, brightest}, -3);
}

torch::Tensor rgb_of_hsv(const torch::Tensor& hsv) {
  const auto parts = hsv.unbind(-3);
  const auto &saturation = parts[1], &value = parts[2];
  const auto sixths = parts[0].mul(6);
  const auto whole = at::floor(sixths);
  const auto product = saturation * (sixths - whole);
  const auto less = 1.0 - saturation;
  const auto q = (1.0 - product).mul_(value).clamp_(0.0, 1.0);
  const auto t = (product + less).mul_(value).clamp_(0.0, 1.0);
  const auto p = (less * value).clamp_(0.0, 1.0);
  // For each sixth of the circle, which of value, p, q and t is red, green and blue.
  const auto which =
      at::tensor({0, 2, 1, 1, 3, 0, 3, 0, 0, 2, 1, 1, 1, 1, 3, 0, 0, 2}, at::kLong).view({3, 6});
  const auto sixth = whole.to(at::kInt).remainder_(6).to(at::kLong);
  auto shape = sixth.sizes().vec();
  shape.insert(shape.begin(), 3);
  const auto select = which.index_select(1, sixth.flatten()).view(shape).moveaxis(0, -3);
  return at::stack({value, p, q, t}, -3).gather(-3, select);
}

}  // namespace

torch::Tensor rgb_to_grayscale(const torch::Tensor& images, int64_t channels) {
  check_channels(images);
  if (channels != 1 && channels != 3) refuse("Grey images have 1 or 3 channels.");
  auto out = images.size(-3) == 1 ? images : grey(images).to(images.scalar_type());
  if (channels == 1) return out;
  auto shape = out.sizes().vec();
  shape[shape.size() - 3] = 3;
  return out.expand(shape);
}

torch::Tensor adjust_brightness(const torch::Tensor& images, double factor) {
  check_factor(images, factor);
  return images.mul(factor).clamp_(0, bound_of(images)).to(images.scalar_type());
}

torch::Tensor adjust_contrast(const torch::Tensor& images, double factor) {
  check_factor(images, factor);
  const auto greys = images.size(-3) == 3         ? grey(images)
                     : images.is_floating_point() ? images
                                                  : images.to(at::kFloat);
  return blend(images, greys.mean({-3, -2, -1}, true), factor);
}

torch::Tensor adjust_saturation(const torch::Tensor& images, double factor) {
  check_factor(images, factor);
  return images.size(-3) == 1 ? images : blend(images, grey(images), factor);
}

torch::Tensor adjust_hue(const torch::Tensor& images, double factor) {
  check_channels(images);
  if (!(factor >= -0.5 && factor <= 0.5))
    refuse(fmt::format("A hue is turned by -0.5 to 0.5, not by {}.", factor));
  if (images.size(-3) == 1 || images.numel() == 0) return images;
  const auto hsv = hsv_of_rgb(to_float(images));
  hsv.select(-3, 0).add_(factor).remainder_(1.0);
  return to_dtype(rgb_of_hsv(hsv), images.scalar_type());
}

torch::Tensor adjust_sharpness(const torch::Tensor& images, double factor) {
  check_factor(images, factor);
  const int64_t channels = images.size(-3), height = images.size(-2), width = images.size(-1);
  if (images.numel() == 0 || height <= 2 || width <= 2) return images;
  const bool floats = images.is_floating_point();
  const auto batch = images.dim() > 4 ? images.reshape({-1, channels, height, width}) : images;
  auto out = batch.to(floats ? images.scalar_type() : at::kFloat, false, true);
  auto kernel = at::full({3, 3}, 1.0 / 13.0, out.options());
  kernel[1][1] = 5.0 / 13.0;
  auto blurred =
      at::conv2d(out, kernel.expand({channels, 1, 3, 3}), {}, 1, at::IntArrayRef{0}, 1, channels);
  if (!floats) blurred.round_();
  auto inner = out.narrow(-2, 1, height - 2).narrow(-1, 1, width - 2);
  inner.add_(blurred.sub_(inner), 1.0 - factor);
  return out.clamp_(0, bound_of(images)).to(images.scalar_type()).reshape(images.sizes());
}

torch::Tensor autocontrast(const torch::Tensor& images) {
  check_channels(images);
  if (images.numel() == 0) return images;
  const auto floats = images.is_floating_point() ? images : images.to(at::kFloat);
  auto darkest = floats.amin({-2, -1}, true);
  const auto brightest = floats.amax({-2, -1}, true);
  const auto flat = brightest == darkest;
  const double bound = bound_of(images);
  const auto scale = brightest.sub(darkest).mul_(1.0 / bound).masked_fill_(flat, 1.0);
  darkest.masked_fill_(flat, 0.0);
  return floats.sub(darkest).div_(scale).clamp_(0, bound).to(images.scalar_type());
}

torch::Tensor equalize(const torch::Tensor& images) {
  if (images.numel() == 0) return images;
  const auto bytes = to_dtype(images, at::kByte);
  const auto flat = bytes.flatten(-2).to(at::kLong);
  auto shape = flat.sizes().vec();
  shape.back() = 256;
  const auto counts =
      at::zeros(shape, at::kInt).scatter_add_(-1, flat, at::ones({1}, at::kInt).expand_as(flat));
  auto below = counts.cumsum(-1);
  // Pixels that are not of the brightest value; a step of them is a step of brightness, as in
  // Pillow.
  const auto brightest = below.argmax(-1).unsqueeze(-1);
  const auto step = (flat.size(-1) - counts.gather(-1, brightest)).div_(255, "floor");
  const auto applies = step.ne(0).unsqueeze(-1);
  below = below.narrow(-1, 0, 255);
  below.add_(step.floor_divide(2)).div_(step.clamp(1), "floor").clamp_(0, 255);
  const auto table = at::constant_pad_nd(below.to(at::kByte), {1, 0}, 0);
  const auto equalized = table.gather(-1, flat).view_as(bytes);
  return to_dtype(at::where(applies, equalized, bytes), images.scalar_type());
}

torch::Tensor invert(const torch::Tensor& images) {
  return bound_of(images) == 1.0 ? 1.0 - images : images.bitwise_not();
}

torch::Tensor posterize(const torch::Tensor& images, int64_t bits) {
  if (bits < 0 || bits > 8) refuse(fmt::format("Between 0 and 8 bits are kept, not {}.", bits));
  if (bound_of(images) == 1.0) {
    const auto levels = static_cast<double>(1 << bits);
    return images.mul(levels).floor_().clamp_(0, levels - 1).mul_(1.0 / levels);
  }
  return bits == 8 ? images : images.bitwise_and(((1 << bits) - 1) << (8 - bits));
}

torch::Tensor solarize(const torch::Tensor& images, double threshold) {
  if (threshold > bound_of(images))
    refuse(fmt::format("A threshold of {} is above all pixels.", threshold));
  return at::where(images >= threshold, invert(images), images);
}

torch::Tensor to_dtype(const torch::Tensor& images, torch::Dtype type) {
  const double bound = bound_of(images);
  if (type != at::kByte && !at::isFloatingType(type)) refuse("Images are bytes or floats.");
  if (type == images.scalar_type() || (bound == 1.0 && type != at::kByte)) return images.to(type);
  if (bound == 255.0) return images.to(type).mul_(1.0 / 255.0);
  return images.mul(256.0 - 1e-3).to(type);  // so that not 1.0 alone becomes 255
}

torch::Tensor to_float(const torch::Tensor& images) { return to_dtype(images, at::kFloat); }

torch::Tensor normalize(const torch::Tensor& images, const std::vector<double>& mean,
                        const std::vector<double>& deviation) {
  if (!images.is_floating_point()) refuse("Floats are normalized, not bytes.");
  const auto per_channel = [&](const std::vector<double>& values, const char* what) {
    if (values.size() != 1 && static_cast<int64_t>(values.size()) != images.size(-3))
      refuse(fmt::format("{} {} for {} channels.", values.size(), what, images.size(-3)));
    return at::tensor(at::ArrayRef<double>(values), images.scalar_type()).view({-1, 1, 1});
  };
  const auto divisor = per_channel(deviation, "deviations");
  if (divisor.eq(0).any().item<bool>()) refuse("A deviation of 0 divides by zero.");
  return images.sub(per_channel(mean, "means")).div_(divisor);
}

}  // namespace firesteel::images
