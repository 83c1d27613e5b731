// What the transforms draw and do. The draws are torchvision's calls in their order; what is said
// of Python below is what decides their values.
#include "tensor/image_transforms.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "base/error.h"

namespace firesteel::images {

namespace {

[[noreturn]] void refuse(const std::string& what) { throw Error("INVALID_OPTION", what); }

double uniform(double low, double high, const Random& random) {
  return at::empty({1}).uniform_(low, high, random).item<double>();
}

int64_t below(int64_t stop, const Random& random) {
  return at::randint(0, stop, {1}, random, at::kLong).item<int64_t>();
}

/// Python compares in float32, as a tensor.
bool happens(double p, const Random& random) { return at::rand({1}, random).lt(p).item<bool>(); }

/// Python's round(), which rounds halves to even.
int64_t rounded(double x) { return static_cast<int64_t>(std::nearbyint(x)); }

void check_range(const char* what, const std::vector<double>& range) {
  if (range.size() != 2 || !(range[0] <= range[1]))
    refuse(fmt::format("`{}` is a range of two numbers.", what));
}

/// The height and width of a random part of the image.
std::pair<int64_t, int64_t> random_part(double area, const std::vector<double>& scale,
                                        const at::Tensor& log_ratio, bool ratio_is_height,
                                        const Random& random) {
  const double part = area * uniform(scale[0], scale[1], random);
  const auto ratio = at::empty({1})
                         .uniform_(log_ratio[0].item<double>(), log_ratio[1].item<double>(), random)
                         .exp()
                         .item<double>();
  const int64_t long_edge = rounded(std::sqrt(part * ratio)),
                other = rounded(std::sqrt(part / ratio));
  return ratio_is_height ? std::pair(long_edge, other) : std::pair(other, long_edge);
}

at::Tensor logarithms(const std::vector<double>& ratio) {
  return at::tensor(at::ArrayRef<double>(ratio), at::kFloat).log();
}

}  // namespace

torch::Tensor Resize::operator()(const torch::Tensor& images, const Random&) const {
  return images::resize(images, size, interpolation, max_size, antialias);
}

torch::Tensor CenterCrop::operator()(const torch::Tensor& images, const Random&) const {
  return images::center_crop(images, size);
}

torch::Tensor Pad::operator()(const torch::Tensor& images, const Random&) const {
  return images::pad(images, padding, fill, padding_mode);
}

torch::Tensor RandomCrop::operator()(const torch::Tensor& images, const Random& random) const {
  if (size.empty()) refuse("RandomCrop needs `size`.");
  const int64_t height = size.front(), width = size.back();
  auto x = padding.empty() ? images : images::pad(images, padding, fill, padding_mode);
  const int64_t more_h = std::max<int64_t>(height - x.size(-2), 0);
  const int64_t more_w = std::max<int64_t>(width - x.size(-1), 0);
  if (more_h > 0 || more_w > 0) {
    if (!pad_if_needed)
      refuse(fmt::format("A crop of {} x {} from an image of {} x {}: `pad_if_needed` is false.",
                         height, width, x.size(-2), x.size(-1)));
    x = images::pad(x, {more_w, more_h}, fill, padding_mode);
  }
  // Nothing is drawn where there is no choice.
  const auto start = [&](int64_t edge, int64_t wanted) {
    return edge > wanted ? below(edge - wanted + 1, random) : 0;
  };
  const int64_t top = start(x.size(-2), height), left = start(x.size(-1), width);
  return images::crop(x, top, left, height, width);
}

torch::Tensor RandomResizedCrop::operator()(const torch::Tensor& images,
                                            const Random& random) const {
  check_range("scale", scale);
  check_range("ratio", ratio);
  if (size.empty()) refuse("RandomResizedCrop needs `size`.");
  const int64_t height = images.size(-2), width = images.size(-1);
  const Size edges{size.front(), size.back()};
  const auto resized = [&](int64_t top, int64_t left, int64_t h, int64_t w) {
    return images::resize(images::crop(images, top, left, h, w), edges, interpolation, {},
                          antialias);
  };
  const auto log_ratio = logarithms(ratio);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const auto [h, w] =
        random_part(static_cast<double>(height * width), scale, log_ratio, false, random);
    if (h < 1 || w < 1 || h > height || w > width) continue;
    const int64_t top = below(height - h + 1, random), left = below(width - w + 1, random);
    return resized(top, left, h, w);
  }
  // The middle, as near to the whole image as the ratio lets it be.
  const double whole = static_cast<double>(width) / static_cast<double>(height);
  const int64_t h = whole < ratio[0] ? rounded(static_cast<double>(width) / ratio[0]) : height;
  const int64_t w = whole > ratio[1] ? rounded(static_cast<double>(height) * ratio[1]) : width;
  return resized((height - h) / 2, (width - w) / 2, h, w);
}

torch::Tensor RandomHorizontalFlip::operator()(const torch::Tensor& images,
                                               const Random& random) const {
  return happens(p, random) ? images::horizontal_flip(images) : images;
}

torch::Tensor RandomVerticalFlip::operator()(const torch::Tensor& images,
                                             const Random& random) const {
  return happens(p, random) ? images::vertical_flip(images) : images;
}

torch::Tensor ColorJitter::operator()(const torch::Tensor& images, const Random& random) const {
  const auto order = at::randperm(4, random, at::kLong);
  const std::pair<const std::vector<double>*, torch::Tensor (*)(const torch::Tensor&, double)>
      kinds[] = {{&brightness, adjust_brightness},
                 {&contrast, adjust_contrast},
                 {&saturation, adjust_saturation},
                 {&hue, adjust_hue}};
  std::optional<double> factors[4];
  for (int i = 0; i < 4; ++i) {
    const auto& given = *kinds[i].first;
    const double center = i == 3 ? 0 : 1;
    if (given.empty()) continue;
    auto range = given;
    if (given.size() == 1)
      range = {i == 3 ? -given[0] : std::max(center - given[0], 0.0), center + given[0]};
    check_range("a jitter of colours", range);
    if (range[0] != center || range[1] != center) factors[i] = uniform(range[0], range[1], random);
  }
  auto x = images;
  for (int place = 0; place < 4; ++place) {
    const auto i = order[place].item<int64_t>();
    if (factors[i]) x = kinds[i].second(x, *factors[i]);
  }
  return x;
}

namespace {

struct Magnitude {
  const RandAugment& options;
  double value;
};
using Operation = torch::Tensor (*)(const torch::Tensor&, const Magnitude&);

torch::Tensor sheared(const torch::Tensor& x, const Magnitude& m, bool vertical) {
  const double degrees = std::atan(m.value) * (180.0 / std::numbers::pi);
  return affine(x, {.shear = {vertical ? 0 : degrees, vertical ? degrees : 0}, .center = {0, 0}},
                m.options.interpolation, m.options.fill);
}
torch::Tensor moved(const torch::Tensor& x, const Magnitude& m, bool vertical) {
  const double pixels = std::trunc(m.value);
  return affine(x, {.translate = {vertical ? 0 : pixels, vertical ? pixels : 0}},
                m.options.interpolation, m.options.fill);
}

/// An operation and the magnitudes that it has bins of; `of` is what they are multiplied with.
enum class Of { kNothing, kOne, kWidth, kHeight, kBits };
struct Row {
  Of of;
  double first, last;
  bool either_sign;
  Operation run;
};
using Images = const torch::Tensor&;
using M = const Magnitude&;
constexpr Row kOperations[] = {
    {Of::kNothing, 0, 0, false, [](Images x, M) { return x; }},
    {Of::kOne, 0, 0.3, true, [](Images x, M m) { return sheared(x, m, false); }},
    {Of::kOne, 0, 0.3, true, [](Images x, M m) { return sheared(x, m, true); }},
    {Of::kWidth, 0, 150.0 / 331.0, true, [](Images x, M m) { return moved(x, m, false); }},
    {Of::kHeight, 0, 150.0 / 331.0, true, [](Images x, M m) { return moved(x, m, true); }},
    {Of::kOne, 0, 30, true,
     [](Images x, M m) { return rotate(x, m.value, m.options.interpolation, m.options.fill); }},
    {Of::kOne, 0, 0.9, true, [](Images x, M m) { return adjust_brightness(x, 1 + m.value); }},
    {Of::kOne, 0, 0.9, true, [](Images x, M m) { return adjust_saturation(x, 1 + m.value); }},
    {Of::kOne, 0, 0.9, true, [](Images x, M m) { return adjust_contrast(x, 1 + m.value); }},
    {Of::kOne, 0, 0.9, true, [](Images x, M m) { return adjust_sharpness(x, 1 + m.value); }},
    {Of::kBits, 8, 4, false,
     [](Images x, M m) { return posterize(x, static_cast<int64_t>(m.value)); }},
    {Of::kOne, 1, 0, false,
     [](Images x, M m) { return solarize(x, (x.is_floating_point() ? 1 : 255) * m.value); }},
    {Of::kNothing, 0, 0, false, [](Images x, M) { return autocontrast(x); }},
    {Of::kNothing, 0, 0, false, [](Images x, M) { return equalize(x); }},
};

double magnitude_of(const Row& row, const RandAugment& options, int64_t height, int64_t width) {
  const auto bins = options.num_magnitude_bins;
  if (row.of == Of::kNothing) return 0;
  if (row.of == Of::kBits)
    return (8 - at::arange(bins, at::kFloat) / (static_cast<double>(bins - 1) / 4))
        .round()[options.magnitude]
        .item<double>();
  const double times = row.of == Of::kWidth    ? static_cast<double>(width)
                       : row.of == Of::kHeight ? static_cast<double>(height)
                                               : 1;
  return at::linspace(row.first, row.last * times, bins, at::kFloat)[options.magnitude]
      .item<double>();
}

}  // namespace

torch::Tensor RandAugment::operator()(const torch::Tensor& images, const Random& random) const {
  if (magnitude < 0 || magnitude >= num_magnitude_bins)
    refuse(fmt::format("A `magnitude` of {} among {} bins.", magnitude, num_magnitude_bins));
  auto x = images;
  for (int64_t i = 0; i < num_ops; ++i) {
    const auto& row = kOperations[below(std::size(kOperations), random)];
    double value = magnitude_of(row, *this, images.size(-2), images.size(-1));
    if (row.either_sign && at::rand({}, random).le(0.5).item<bool>()) value = -value;
    x = row.run(x, {*this, value});
  }
  return x;
}

torch::Tensor RandomErasing::operator()(const torch::Tensor& images, const Random& random) const {
  check_range("scale", scale);
  check_range("ratio", ratio);
  if (!happens(p, random)) return images;
  const int64_t channels = images.size(-3), height = images.size(-2), width = images.size(-1);
  const auto log_ratio = logarithms(ratio);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const auto [h, w] =
        random_part(static_cast<double>(height * width), scale, log_ratio, true, random);
    if (h >= height || w >= width) continue;
    const auto pixels = value.empty()
                            ? at::empty({channels, h, w}).normal_(0, 1, random)
                            : at::tensor(at::ArrayRef<double>(value), at::kFloat).view({-1, 1, 1});
    const int64_t top = below(height - h + 1, random), left = below(width - w + 1, random);
    auto out = images.clone();
    out.narrow(-2, top, h).narrow(-1, left, w).copy_(pixels);
    return out;
  }
  return images;
}

torch::Tensor ConvertImageDtype::operator()(const torch::Tensor& images, const Random&) const {
  return images::to_float(images);
}

torch::Tensor Normalize::operator()(const torch::Tensor& images, const Random&) const {
  return images::normalize(images, mean, std);
}

torch::Tensor apply(const std::vector<Transform>& transforms, torch::Tensor images,
                    const Random& random) {
  for (const auto& transform : transforms)
    images = std::visit([&](const auto& each) { return each(images, random); }, transform);
  return images;
}

torch::Tensor apply_each(const std::vector<Transform>& transforms, const torch::Tensor& images,
                         const Random& random) {
  return images::apply_each(transforms, images.unbind(0), random);
}

torch::Tensor apply_each(const std::vector<Transform>& transforms,
                         const std::vector<torch::Tensor>& images, const Random& random) {
  std::vector<torch::Tensor> out;
  for (const auto& image : images) {
    out.push_back(images::apply(transforms, image, random));
    if (out.back().sizes() != out.front().sizes())
      refuse("The transforms leave images of several sizes, which are no batch: end with a crop.");
  }
  return at::stack(out);
}

namespace {

double beta(double alpha, const Random& random) {
  return at::_sample_dirichlet(at::full({1, 2}, alpha, at::kFloat), random)[0][0].item<double>();
}

void check_batch(const torch::Tensor& images, const torch::Tensor& labels) {
  if (images.dim() != 4 || labels.dim() < 1 || labels.size(0) != images.size(0))
    refuse("Images [N, C, H, W] are mixed, with a label for each.");
}

torch::Tensor mixed_labels(const torch::Tensor& labels, int64_t classes, double share) {
  auto x = labels.dim() == 1 ? at::one_hot(labels, classes) : labels;
  if (!x.is_floating_point()) x = x.to(at::kFloat);
  return x.roll(1, 0).mul_(1.0 - share).add_(x.mul(share));
}

}  // namespace

Mixed mix_up(const torch::Tensor& images, const torch::Tensor& labels, int64_t classes,
             double alpha, const Random& random) {
  check_batch(images, labels);
  if (!images.is_floating_point()) refuse("Floats are mixed up, not bytes.");
  const double share = beta(alpha, random);
  return {images.roll(1, 0).mul_(1.0 - share).add_(images.mul(share)),
          mixed_labels(labels, classes, share)};
}

Mixed cut_mix(const torch::Tensor& images, const torch::Tensor& labels, int64_t classes,
              double alpha, const Random& random) {
  check_batch(images, labels);
  const double edge = 0.5 * std::sqrt(1.0 - beta(alpha, random));
  const int64_t height = images.size(2), width = images.size(3);
  const int64_t x = below(width, random), y = below(height, random);
  const auto half_w = static_cast<int64_t>(edge * static_cast<double>(width));
  const auto half_h = static_cast<int64_t>(edge * static_cast<double>(height));
  const int64_t left = std::max<int64_t>(x - half_w, 0), right = std::min(x + half_w, width);
  const int64_t top = std::max<int64_t>(y - half_h, 0), bottom = std::min(y + half_h, height);
  auto out = images.clone();
  const auto box = [&](const torch::Tensor& of) {
    return of.narrow(2, top, bottom - top).narrow(3, left, right - left);
  };
  box(out).copy_(box(images.roll(1, 0)));
  const double cut =
      static_cast<double>((right - left) * (bottom - top)) / static_cast<double>(width * height);
  return {out, mixed_labels(labels, classes, 1.0 - cut)};
}

torch::Tensor prepared(const Image& image, const ImagePreset& preset) {
  const torch::NoGradGuard no_grad;
  auto x = at::from_blob(const_cast<uint8_t*>(image.rgb.data()), {image.height, image.width, 3},
                         at::kByte)
               .permute({2, 0, 1});
  if (!preset.bytes) x = x.contiguous().to(at::kFloat);
  x = images::resize(x, {preset.resize}, preset.interpolation, {}, preset.antialias);
  x = images::center_crop(x, {preset.crop});
  x = preset.bytes ? images::to_float(x) : x.clamp(0, 255).round_().div_(255);
  return images::normalize(x, preset.mean, preset.deviation).contiguous();
}

}  // namespace firesteel::images
