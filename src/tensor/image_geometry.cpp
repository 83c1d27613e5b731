// Sizes and places: resizing, crops, margins, flips, rotations.
#include <ATen/Version.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

#include "base/error.h"
#include "tensor/image_functions.h"

namespace firesteel::images {

namespace {

using torch::indexing::Ellipsis;
using torch::indexing::Slice;

[[noreturn]] void refuse(const std::string& what) { throw Error("INVALID_OPTION", what); }

void check_one_of(std::string_view what, const std::string& given,
                  const std::vector<std::string>& known) {
  if (std::ranges::find(known, given) == known.end())
    refuse(fmt::format("The {} `{}` is none of {}.", what, given, fmt::join(known, ", ")));
}

std::pair<int64_t, int64_t> height_and_width(const Size& size) {
  if (size.empty() || size.size() > 2 || std::ranges::min(size) < 1)
    refuse(fmt::format("A size is one positive number or two, not [{}].", fmt::join(size, ", ")));
  return {size.front(), size.back()};
}

/// Images as [N, C, H, W], and back with other heights and widths.
torch::Tensor as_batch(const torch::Tensor& images) {
  if (images.dim() < 3) refuse("Images have the dimensions channels, height, width.");
  return images.reshape({-1, images.size(-3), images.size(-2), images.size(-1)});
}
torch::Tensor shaped_as(const torch::Tensor& batch, const torch::Tensor& images) {
  auto shape = images.sizes().vec();
  shape[shape.size() - 2] = batch.size(-2);
  shape[shape.size() - 1] = batch.size(-1);
  return batch.reshape(shape);
}

std::pair<int64_t, int64_t> resized_size(int64_t height, int64_t width, const Size& size,
                                         std::optional<int64_t> max_size) {
  if (size.size() == 2) {
    if (max_size) refuse("`max_size` goes with a `size` of one number or none.");
    return height_and_width(size);
  }
  if (size.empty() && !max_size) refuse("A resize needs `size` or `max_size`.");
  const auto [shorter, longer] = std::minmax(height, width);
  const auto scaled = [](int64_t edge, int64_t over, int64_t under) {
    return static_cast<int64_t>(static_cast<double>(edge * over) / static_cast<double>(under));
  };
  int64_t new_shorter, new_longer;
  if (size.empty()) {
    new_shorter = scaled(*max_size, shorter, longer);
    new_longer = *max_size;
  } else {
    new_shorter = size[0];
    new_longer = scaled(new_shorter, longer, shorter);
    if (max_size && *max_size <= new_shorter)
      refuse(fmt::format("`max_size` of {} must be more than the shorter edge's `size` of {}.",
                         *max_size, new_shorter));
    if (max_size && new_longer > *max_size) {
      new_shorter = scaled(*max_size, new_shorter, new_longer);
      new_longer = *max_size;
    }
  }
  return width <= height ? std::pair(new_longer, new_shorter) : std::pair(new_shorter, new_longer);
}

/// A single image whose channels lie beside each other: ATen keeps that layout, and its speed, only
/// when the stride of the first dimension says so too.
torch::Tensor with_layout_kept(const torch::Tensor& batch) {
  if (batch.size(0) != 1 || !batch.is_contiguous(at::MemoryFormat::ChannelsLast)) return batch;
  auto strides = batch.strides().vec();
  strides[0] = batch.numel();
  return batch.as_strided(batch.sizes(), strides);
}

torch::Tensor interpolated(const torch::Tensor& batch, at::IntArrayRef size,
                           const std::string& interpolation, bool antialias) {
  if (interpolation == "nearest") return at::upsample_nearest2d(batch, size);
  if (interpolation == "nearest-exact") return at::_upsample_nearest_exact2d(batch, size);
  if (interpolation == "bilinear")
    return antialias ? at::_upsample_bilinear2d_aa(batch, size, false)
                     : at::upsample_bilinear2d(batch, size, false);
  return antialias ? at::_upsample_bicubic2d_aa(batch, size, false)
                   : at::upsample_bicubic2d(batch, size, false);
}

/// Where ATen works on bytes themselves, as torchvision asks it to.
bool resizes_bytes(const std::string& interpolation) {
  if (interpolation != "bilinear") return true;
  const auto capability = at::get_cpu_capability();
  return capability == "AVX2" || capability == "AVX512";
}

torch::Tensor constant_pad(const torch::Tensor& images, at::IntArrayRef left_right_top_bottom,
                           double value) {
  return at::constant_pad_nd(images, left_right_top_bottom, value);
}

/// Indices before..0, 0..size, size..after: the image mirrored at its edges.
torch::Tensor mirrored(int64_t before, int64_t size, int64_t after) {
  return at::cat({at::arange(before - 1, -1, -1, at::kLong), at::arange(size, at::kLong),
                  at::arange(size - 1, size - 1 - after, -1, at::kLong)});
}

using Matrix = std::array<double, 6>;

/// From places of the result to places of the image, with (0, 0) in the middle.
Matrix inverse_matrix(const Affine& affine, const std::array<double, 2>& center) {
  const auto radians = [](double degrees) { return degrees * (std::numbers::pi / 180.0); };
  const double rotation = radians(affine.angle);
  const double shear_x = radians(affine.shear.at(0)), shear_y = radians(affine.shear.at(1));
  const double a = std::cos(rotation - shear_y) / std::cos(shear_y);
  const double b = -(a * std::tan(shear_x) + std::sin(rotation));
  const double c = std::sin(rotation - shear_y) / std::cos(shear_y);
  const double d = std::cos(rotation) - c * std::tan(shear_x);
  Matrix m{d / affine.scale, -b / affine.scale, 0, -c / affine.scale, a / affine.scale, 0};
  const double x = center[0] + affine.translate.at(0), y = center[1] + affine.translate.at(1);
  m[2] += center[0] - m[0] * x - m[1] * y;
  m[5] += center[1] - m[3] * x - m[4] * y;
  return m;
}

/// Places of the image for each pixel of the result, [1, H, W, 2] of -1 to 1.
torch::Tensor sampling_grid(const Matrix& matrix, int64_t height, int64_t width,
                            torch::Dtype type) {
  const auto centered = [](int64_t n) {
    const auto edge = static_cast<double>(n);
    return at::linspace((1.0 - edge) * 0.5, (edge - 1.0) * 0.5, n, at::kFloat);
  };
  auto places = at::empty({1, height, width, 3}, type);
  places.select(-1, 0).copy_(centered(width));
  places.select(-1, 1).copy_(centered(height).unsqueeze(-1));
  places.select(-1, 2).fill_(1);
  const auto half =
      at::tensor({0.5 * static_cast<double>(width), 0.5 * static_cast<double>(height)}, type);
  const auto scaled =
      at::tensor(at::ArrayRef<double>(matrix), type).view({1, 2, 3}).transpose(1, 2).div_(half);
  return places.view({1, height * width, 3}).bmm(scaled).view({1, height, width, 2});
}

torch::Tensor sampled(const torch::Tensor& images, const Matrix& matrix,
                      const std::string& interpolation, const Fill& fill) {
  check_one_of("interpolation", interpolation, {"nearest", "bilinear"});
  if (images.numel() == 0) return images;
  const auto batch = as_batch(images);
  const bool floats = batch.is_floating_point(), nearest = interpolation == "nearest";
  auto x = floats ? batch : batch.to(at::kFloat);
  const auto grid =
      sampling_grid(matrix, x.size(2), x.size(3), x.scalar_type()).expand({x.size(0), -1, -1, -1});
  // A further channel of ones says where the image is.
  if (!fill.empty())
    x = at::cat({x, at::ones({x.size(0), 1, x.size(2), x.size(3)}, x.options())}, 1);
  x = at::grid_sampler(x, grid, nearest ? 1 : 0, 0, false);
  if (!fill.empty()) {
    const auto inside = x.narrow(1, x.size(1) - 1, 1);
    x = x.narrow(1, 0, x.size(1) - 1);
    const auto outside =
        at::tensor(at::ArrayRef<double>(fill), x.scalar_type()).view({1, -1, 1, 1});
    x = nearest ? at::where(inside < 0.5, outside, x) : x.sub(outside).mul_(inside).add_(outside);
  }
  return shaped_as(floats ? x : x.round_().to(images.scalar_type()), images);
}

}  // namespace

torch::Tensor to_tensor(Image image) {
  auto* owner = new Image(std::move(image));
  return at::from_blob(
             owner->rgb.data(), {owner->height, owner->width, 3}, [owner](void*) { delete owner; },
             at::kByte)
      .permute({2, 0, 1});
}

torch::Tensor resize(const torch::Tensor& images, const Size& size,
                     const std::string& interpolation, std::optional<int64_t> max_size,
                     bool antialias) {
  check_one_of("interpolation", interpolation, {"nearest", "nearest-exact", "bilinear", "bicubic"});
  const auto batch = as_batch(images);
  const auto [height, width] = resized_size(batch.size(2), batch.size(3), size, max_size);
  if (height == batch.size(2) && width == batch.size(3)) return images;
  const auto type = batch.scalar_type();
  const bool as_it_is = type == at::kFloat || type == at::kDouble ||
                        (type == at::kByte && resizes_bytes(interpolation));
  auto x = !as_it_is ? batch.to(at::kFloat) : type == at::kByte ? with_layout_kept(batch) : batch;
  x = interpolated(x, {height, width}, interpolation, antialias);
  if (!as_it_is) x = (at::isFloatingType(type) ? x : x.round_()).to(type);
  return shaped_as(x, images);
}

torch::Tensor crop(const torch::Tensor& images, int64_t top, int64_t left, int64_t height,
                   int64_t width) {
  const int64_t h = images.size(-2), w = images.size(-1);
  const int64_t bottom = top + height, right = left + width;
  if (top >= 0 && left >= 0 && bottom <= h && right <= w)
    return images.narrow(-2, top, height).narrow(-1, left, width);
  const auto inside =
      images.index({Ellipsis, Slice(std::max<int64_t>(top, 0), std::max<int64_t>(bottom, 0)),
                    Slice(std::max<int64_t>(left, 0), std::max<int64_t>(right, 0))});
  const auto before = [](int64_t start, int64_t stop) {
    return std::max<int64_t>(std::min<int64_t>(stop, 0) - start, 0);
  };
  const auto after = [](int64_t start, int64_t stop, int64_t edge) {
    return std::max<int64_t>(stop - std::max(edge, start), 0);
  };
  return constant_pad(
      inside,
      {before(left, right), after(left, right, w), before(top, bottom), after(top, bottom, h)}, 0);
}

torch::Tensor center_crop(const torch::Tensor& images, const Size& size) {
  const auto [height, width] = height_and_width(size);
  const int64_t more_h = std::max<int64_t>(height - images.size(-2), 0);
  const int64_t more_w = std::max<int64_t>(width - images.size(-1), 0);
  auto x = images;
  if (more_h > 0 || more_w > 0)
    x = constant_pad(x, {more_w / 2, (more_w + 1) / 2, more_h / 2, (more_h + 1) / 2}, 0);
  // Python rounds halves to even.
  const auto start = [](int64_t edge, int64_t wanted) {
    return static_cast<int64_t>(std::nearbyint(static_cast<double>(edge - wanted) / 2.0));
  };
  return x.narrow(-2, start(x.size(-2), height), height)
      .narrow(-1, start(x.size(-1), width), width);
}

torch::Tensor pad(const torch::Tensor& images, const std::vector<int64_t>& padding,
                  const Fill& fill, const std::string& mode) {
  check_one_of("padding's mode", mode, {"constant", "edge", "reflect", "symmetric"});
  const auto n = padding.size();
  if (n != 1 && n != 2 && n != 4) refuse("A padding is one number, two or four.");
  const int64_t left = padding[0], top = padding[n > 1 ? 1 : 0];
  const int64_t right = n == 4 ? padding[2] : left, bottom = n == 4 ? padding[3] : top;
  const auto batch = as_batch(images);
  if (mode == "symmetric")
    return shaped_as(batch.index_select(2, mirrored(top, batch.size(2), bottom))
                         .index_select(3, mirrored(left, batch.size(3), right)),
                     images);
  if (mode != "constant") {
    const auto floats = batch.is_floating_point() ? batch : batch.to(at::kFloat);
    const auto padded =
        at::pad(floats, {left, right, top, bottom}, mode == "edge" ? "replicate" : mode);
    return shaped_as(padded.to(images.scalar_type()), images);
  }
  if (fill.size() <= 1)
    return shaped_as(constant_pad(batch, {left, right, top, bottom}, fill.empty() ? 0 : fill[0]),
                     images);
  if (static_cast<int64_t>(fill.size()) != batch.size(1))
    refuse(fmt::format("A fill of {} numbers for {} channels.", fill.size(), batch.size(1)));
  std::vector<torch::Tensor> channels;
  for (size_t c = 0; c < fill.size(); ++c)
    channels.push_back(constant_pad(batch.narrow(1, static_cast<int64_t>(c), 1),
                                    {left, right, top, bottom}, fill[c]));
  return shaped_as(at::cat(channels, 1), images);
}

torch::Tensor horizontal_flip(const torch::Tensor& images) { return images.flip(-1); }
torch::Tensor vertical_flip(const torch::Tensor& images) { return images.flip(-2); }

torch::Tensor affine(const torch::Tensor& images, const Affine& affine,
                     const std::string& interpolation, const Fill& fill) {
  if (affine.scale <= 0) refuse("An affine transform's `scale` is positive.");
  std::array<double, 2> center{0, 0};
  if (!affine.center.empty())
    center = {affine.center.at(0) - static_cast<double>(images.size(-1)) * 0.5,
              affine.center.at(1) - static_cast<double>(images.size(-2)) * 0.5};
  return sampled(images, inverse_matrix(affine, center), interpolation, fill);
}

torch::Tensor rotate(const torch::Tensor& images, double angle, const std::string& interpolation,
                     const Fill& fill) {
  angle = std::fmod(angle, 360);
  if (angle < 0) angle += 360;
  if (angle == 0) return images.clone();
  const bool square = images.size(-1) == images.size(-2);
  if (angle == 180 || (square && (angle == 90 || angle == 270)))
    return at::rot90(images, static_cast<int64_t>(angle / 90), {-2, -1});
  return sampled(images, inverse_matrix({.angle = -angle}, {0, 0}), interpolation, fill);
}

}  // namespace firesteel::images
