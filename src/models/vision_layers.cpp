// Layers as TorchVision's ops/misc.py and ops/stochastic_depth.py have them.
#include "models/vision_layers.h"

#include <algorithm>

#include "models/model_folder.h"

namespace firesteel {

namespace nn = torch::nn;

namespace activation {

namespace {
bool keeps_input() { return torch::GradMode::is_enabled(); }
}  // namespace

torch::Tensor none(torch::Tensor x) { return x; }
torch::Tensor relu(torch::Tensor x) { return x.relu_(); }  // its gradient is of its output
torch::Tensor relu6(torch::Tensor x) { return at::relu6_(x); }
torch::Tensor silu(torch::Tensor x) { return keeps_input() ? at::silu(x) : at::silu_(x); }
torch::Tensor hardswish(torch::Tensor x) {
  return keeps_input() ? at::hardswish(x) : at::hardswish_(x);
}
torch::Tensor sigmoid(torch::Tensor x) { return at::sigmoid(x); }
torch::Tensor hardsigmoid(torch::Tensor x) { return at::hardsigmoid(x); }

}  // namespace activation

ConvNorm::ConvNorm(nn::Module& in, const std::string& conv, const std::string& norm,
                   const ConvNormOptions& options)
    : options_(options) {
  conv_ = placed(in, conv,
                 nn::Conv2d(nn::Conv2dOptions(options.in, options.out, options.kernel)
                                .stride(options.stride)
                                .padding(options.same_padding ? 0 : (options.kernel - 1) / 2)
                                .groups(options.groups)
                                .bias(false)));
  norm_ = placed(
      in, norm,
      nn::BatchNorm2d(
          nn::BatchNormOptions(options.out).eps(options.epsilon).momentum(options.momentum)));
}

torch::Tensor ConvNorm::operator()(torch::Tensor x) {
  if (options_.same_padding) {
    const auto missing = [&](int64_t size) {  // so that ceil(size / stride) remain
      const auto covered = (size - 1) / options_.stride * options_.stride + options_.kernel;
      return std::max<int64_t>(covered - size, 0);
    };
    const auto high = missing(x.size(2)), wide = missing(x.size(3));
    if (high > 0 || wide > 0)
      x = at::constant_pad_nd(x, {wide / 2, wide - wide / 2, high / 2, high - high / 2});
  }
  return options_.activation(norm_(conv_(x)));
}

SqueezeExcitation::SqueezeExcitation(nn::Module& in, const std::string& name, int64_t channels,
                                     int64_t squeezed, Activation inner, Activation gate)
    : down_(placed(in, name + ".fc1", nn::Conv2d(nn::Conv2dOptions(channels, squeezed, 1)))),
      up_(placed(in, name + ".fc2", nn::Conv2d(nn::Conv2dOptions(squeezed, channels, 1)))),
      inner_(inner),
      gate_(gate) {}

torch::Tensor SqueezeExcitation::operator()(const torch::Tensor& x) {
  return gate_(up_(inner_(down_(at::adaptive_avg_pool2d(x, {1, 1}))))) * x;
}

torch::Tensor stochastic_depth(const torch::Tensor& x, double rate, bool training) {
  if (!training || rate == 0) return x;
  std::vector<int64_t> rows(x.dim(), 1);
  rows[0] = x.size(0);
  return x * at::empty(rows, x.options()).bernoulli_(1 - rate).div_(1 - rate);
}

torch::Tensor InvertedResidual::operator()(const torch::Tensor& x, bool training) {
  auto y = x;
  for (size_t i = 0; i < convolutions.size(); ++i) {
    if (squeeze && i + 1 == convolutions.size()) y = (*squeeze)(y);
    y = convolutions[i](y);
  }
  return residual ? drop(y, drop_rate, training).add_(x) : y;
}

torch::Tensor image_means(const torch::Tensor& x) {
  return at::adaptive_avg_pool2d(x, {1, 1}).flatten(1);
}

int64_t by_eights(double channels) {
  const auto rounded = std::max<int64_t>(8, static_cast<int64_t>(channels + 4) / 8 * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

void draw_convolutions(nn::Module& network, const std::function<void(torch::Tensor)>& linear) {
  for (const auto& module : network.modules(/*include_self=*/false)) {
    if (const auto* conv = module->as<nn::Conv2d>()) {
      nn::init::kaiming_normal_(conv->weight, 0, torch::kFanOut);
      if (conv->bias.defined()) nn::init::zeros_(conv->bias);
    } else if (const auto* dense = module->as<nn::Linear>(); dense && linear) {
      linear(dense->weight);
      nn::init::zeros_(dense->bias);
    }
  }
}

}  // namespace firesteel
