// The scale follows torch.amp.GradScaler's defaults, by the operators it uses.
#include "train/precision.h"

#include <ATen/autocast_mode.h>
#include <torch/torch.h>

#include "base/named.h"

namespace firesteel {

namespace {

constexpr Named<Precision> kPrecisions[] = {{Precision::kFloat32, "float32"},
                                            {Precision::kBFloat16, "bfloat16"},
                                            {Precision::kFloat16, "float16"}};
constexpr double kFirstScale = 65536, kGrowth = 2, kBackoff = 0.5;
constexpr int64_t kGrowthSteps = 2000;

}  // namespace

Autocast::Autocast(Precision precision, torch::Device device)
    : device_(device), on_(precision != Precision::kFloat32) {
  if (!on_) return;
  before_ = at::autocast::is_autocast_enabled(device_.type());
  at::autocast::set_autocast_enabled(device_.type(), true);
  at::autocast::set_autocast_dtype(
      device_.type(), precision == Precision::kFloat16 ? torch::kFloat16 : torch::kBFloat16);
  at::autocast::increment_nesting();
}

Autocast::~Autocast() {
  if (!on_) return;
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_.type(), before_);
}

LossScale::LossScale(Precision precision, torch::Device device) {
  if (precision != Precision::kFloat16) return;
  scale_ = torch::full({1}, kFirstScale, torch::TensorOptions(torch::kFloat32).device(device));
  good_steps_ = torch::zeros({1}, torch::TensorOptions(torch::kInt32).device(device));
}

torch::Tensor LossScale::scaled(const torch::Tensor& loss) const {
  return scale_.defined() ? loss * scale_[0] : loss;
}

bool LossScale::unscale(const std::vector<torch::Tensor>& gradients) {
  if (!scale_.defined()) return true;
  auto found = torch::zeros_like(scale_);
  at::_amp_foreach_non_finite_check_and_unscale_(gradients, found, scale_.reciprocal());
  at::_amp_update_scale_(scale_, good_steps_, found, kGrowth, kBackoff, kGrowthSteps);
  return found.item<float>() == 0;
}

std::map<std::string, torch::Tensor> LossScale::state() const {
  if (!scale_.defined()) return {};
  return {{"scale", scale_}, {"good_steps", good_steps_}};
}

void LossScale::load(const std::map<std::string, torch::Tensor>& state) {
  if (!scale_.defined()) return;
  scale_.copy_(state.at("scale"));
  good_steps_.copy_(state.at("good_steps"));
}

std::string_view precision_name(Precision precision) { return name_of(kPrecisions, precision); }

Precision precision_from_name(std::string_view name) {
  return value_named(kPrecisions, "precision", name);
}

}  // namespace firesteel
