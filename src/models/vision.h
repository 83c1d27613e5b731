// Networks for images, with TorchVision's names, parameters and behaviour, so that its weights load
// strictly: ResNet, ResNeXt, MobileNet, EfficientNet, ConvNeXt, ViT; and EfficientNet-lite with the
// names of the package efficientnet-lite-pytorch. docs/vision.md has the table.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/model_folder.h"

namespace firesteel {

/// Images [B, 3, H, W] float to logits [B, classes].
struct VisionNet : torch::nn::Module {
  virtual torch::Tensor forward(const torch::Tensor& images) = 0;
  /// Prefixes of the parameters that depend on the number of classes: "fc.".
  virtual std::vector<std::string> head() const = 0;
};

/// How an image becomes the input: its shorter side resized, the middle cropped, then
/// (value / 255 - mean) / deviation of each channel.
struct VisionInput {
  int64_t resize, crop;
  std::string interpolation = "bilinear";  // or bicubic
  std::vector<double> mean = {0.485, 0.456, 0.406}, deviation = {0.229, 0.224, 0.225};
};

/// All names, a family after the other.
std::vector<std::string> vision_names();
/// Of TorchVision's weights IMAGENET1K_V1; vit_h_14's are IMAGENET1K_SWAG_LINEAR_V1. Throws
/// INVALID_OPTION with the nearest name.
VisionInput vision_input(const std::string& name);
/// Weights are drawn as TorchVision draws them: the same seed gives the same network. Throws
/// INVALID_OPTION with the nearest name.
std::shared_ptr<VisionNet> make_vision_net(const std::string& name, int64_t classes = 1000);

/// Copies weights into a network as `load_weights` does. As in TorchVision, they may be of before
/// PyTorch counted the batches of norms, or have the older names of ViT's layers.
LoadedWeights load_vision_weights(VisionNet& net, NamedTensors weights,
                                  const std::filesystem::path& origin,
                                  const std::vector<std::string>& may_be_new = {});

}  // namespace firesteel
