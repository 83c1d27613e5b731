// What the networks for images are made of, and the families of them that vision.cpp joins.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "models/vision.h"

namespace firesteel {

/// A network of a family.
struct VisionEntry {
  std::string name;
  VisionInput input;
  std::function<std::shared_ptr<VisionNet>(int64_t classes)> make;
};
std::vector<VisionEntry> resnet_family();
std::vector<VisionEntry> mobilenet_family();
std::vector<VisionEntry> efficientnet_family();
std::vector<VisionEntry> efficientnet_lite_family();
std::vector<VisionEntry> convnext_family();
std::vector<VisionEntry> vit_family();

/// Activations of a tensor that nothing else needs: where no gradient is asked for it is written
/// over.
using Activation = torch::Tensor (*)(torch::Tensor x);
namespace activation {
torch::Tensor none(torch::Tensor x);
torch::Tensor relu(torch::Tensor x);
torch::Tensor relu6(torch::Tensor x);
torch::Tensor silu(torch::Tensor x);
torch::Tensor hardswish(torch::Tensor x);
torch::Tensor sigmoid(torch::Tensor x);
torch::Tensor hardsigmoid(torch::Tensor x);
}  // namespace activation

struct ConvNormOptions {
  int64_t in, out, kernel = 1, stride = 1, groups = 1;
  Activation activation = activation::none;
  double epsilon = 1e-5, momentum = 0.1;  // of the norm
  bool same_padding = false;              // as TensorFlow: more behind than before
};

/// A convolution without bias, padded so that its stride alone makes the image smaller, a batch
/// norm, an activation. Its modules are registered with the network's by dotted names.
class ConvNorm {
 public:
  ConvNorm(torch::nn::Module& in, const std::string& conv, const std::string& norm,
           const ConvNormOptions& options);
  /// TorchVision's Conv2dNormActivation: `name`.0 and `name`.1.
  ConvNorm(torch::nn::Module& in, const std::string& name, const ConvNormOptions& options)
      : ConvNorm(in, name + ".0", name + ".1", options) {}
  torch::Tensor operator()(torch::Tensor x);

 private:
  ConvNormOptions options_;
  torch::nn::Conv2d conv_{nullptr};
  torch::nn::BatchNorm2d norm_{nullptr};
};

/// Squeeze and excitation (https://arxiv.org/abs/1709.01507): channels scaled by what their means
/// say.
class SqueezeExcitation {
 public:
  SqueezeExcitation(torch::nn::Module& in, const std::string& name, int64_t channels,
                    int64_t squeezed, Activation inner, Activation gate);
  torch::Tensor operator()(const torch::Tensor& x);

 private:
  torch::nn::Conv2d down_{nullptr}, up_{nullptr};
  Activation inner_, gate_;
};

/// In training drops whole rows of the batch, and scales the others
/// (https://arxiv.org/abs/1603.09382).
torch::Tensor stochastic_depth(const torch::Tensor& x, double rate, bool training);

/// Convolutions whose answer is added to the input, where both have the same shape: the block of
/// MobileNet and EfficientNet.
struct InvertedResidual {
  torch::Tensor operator()(const torch::Tensor& x, bool training);

  std::vector<ConvNorm> convolutions;
  std::optional<SqueezeExcitation> squeeze;  // before the last of them
  bool residual = false;
  double drop_rate = 0;
  torch::Tensor (*drop)(const torch::Tensor& x, double rate, bool training) = stochastic_depth;
};

/// Means over the image, [B, channels].
torch::Tensor image_means(const torch::Tensor& x);

/// The multiple of 8 nearest to `channels` that takes no more than a tenth of them away.
int64_t by_eights(double channels);

/// TorchVision's first weights for networks of convolutions; `linear` draws those of a Linear.
void draw_convolutions(torch::nn::Module& network,
                       const std::function<void(torch::Tensor weight)>& linear = nullptr);

}  // namespace firesteel
