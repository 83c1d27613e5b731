// EfficientNet-lite
// (https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite): EfficientNet
// without squeeze and excitation, with ReLU6 and TensorFlow's padding. Names and behaviour are
// those of the PyPI package efficientnet-lite-pytorch, the inputs TensorFlow's.
#include <fmt/format.h>

#include <cmath>

#include "models/model_folder.h"
#include "models/vision_layers.h"

namespace firesteel {

namespace {

namespace nn = torch::nn;

struct Stage {
  int64_t blocks, kernel, stride, expand, in, out;
};
constexpr Stage kStages[] = {
    {1, 3, 1, 1, 32, 16},  {2, 3, 2, 6, 16, 24},   {2, 5, 2, 6, 24, 40},   {3, 3, 2, 6, 40, 80},
    {3, 5, 1, 6, 80, 112}, {4, 5, 2, 6, 112, 192}, {1, 3, 1, 6, 192, 320},
};

struct Row {
  const char* name;
  double width, depth;
  int64_t size;
  double dropout;
};
constexpr Row kRows[] = {
    {"efficientnet_lite0", 1.0, 1.0, 224, 0.2}, {"efficientnet_lite1", 1.0, 1.1, 240, 0.2},
    {"efficientnet_lite2", 1.1, 1.2, 260, 0.3}, {"efficientnet_lite3", 1.2, 1.4, 280, 0.3},
    {"efficientnet_lite4", 1.4, 1.8, 300, 0.3},
};
constexpr double kDropRate = 0.2;  // of the last block

/// stochastic_depth, with other draws.
torch::Tensor drop_connect(const torch::Tensor& x, double rate, bool training) {
  if (!training || rate == 0) return x;
  const auto kept = at::rand({x.size(0), 1, 1, 1}, x.options()).add_(1 - rate).floor_();
  return x / (1 - rate) * kept;
}

class EfficientNetLite : public VisionNet {
 public:
  EfficientNetLite(const Row& row, int64_t classes)
      : row_(row),
        stem_(*this, "_conv_stem", "_bn0",
              with_norm({.in = 3, .out = 32, .kernel = 3, .stride = 2})) {
    add_blocks();
    last_.emplace(*this, "_conv_head", "_bn1",
                  with_norm({.in = by_eights(320 * row.width), .out = 1280}));
    fc_ = register_module("_fc", nn::Linear(1280, classes));
  }

  torch::Tensor forward(const torch::Tensor& images) override {
    auto x = stem_(images);
    for (auto& block : blocks_) x = block(x, is_training());
    return fc_(torch::dropout(image_means((*last_)(x)), row_.dropout, is_training()));
  }
  std::vector<std::string> head() const override { return {"_fc."}; }

 private:
  static ConvNormOptions with_norm(ConvNormOptions options, Activation used = activation::relu6) {
    options.activation = used;
    options.epsilon = 1e-3;
    options.momentum = 0.01;
    options.same_padding = true;
    return options;
  }

  /// The first and the last stage are not deeper in larger networks.
  void add_blocks() {
    for (auto stage : kStages) {
      const bool is_first = stage.in == 32, is_last = stage.out == 320;
      if (!is_first) stage.in = by_eights(stage.in * row_.width);
      stage.out = by_eights(stage.out * row_.width);
      if (!is_first && !is_last)
        stage.blocks = static_cast<int64_t>(std::ceil(stage.blocks * row_.depth));
      for (int64_t i = 0; i < stage.blocks; ++i) {
        add_block(stage);
        stage.in = stage.out;
        stage.stride = 1;
      }
    }
    for (size_t i = 0; i < blocks_.size(); ++i)
      blocks_[i].drop_rate = kDropRate * double(i) / double(blocks_.size());
  }

  void add_block(const Stage& stage) {
    const auto name = fmt::format("_blocks.{}.", blocks_.size());
    const auto inner = stage.in * stage.expand;
    auto& block = blocks_.emplace_back();
    const auto add = [&](const char* conv, const char* norm, const ConvNormOptions& options) {
      block.convolutions.emplace_back(*this, name + conv, name + norm, options);
    };
    if (stage.expand > 1) add("_expand_conv", "_bn0", with_norm({.in = stage.in, .out = inner}));
    add("_depthwise_conv", "_bn1",
        with_norm({.in = inner,
                   .out = inner,
                   .kernel = stage.kernel,
                   .stride = stage.stride,
                   .groups = inner}));
    add("_project_conv", "_bn2", with_norm({.in = inner, .out = stage.out}, activation::none));
    block.residual = stage.stride == 1 && stage.in == stage.out;
    block.drop = drop_connect;
  }

  const Row& row_;
  ConvNorm stem_;
  std::vector<InvertedResidual> blocks_;
  std::optional<ConvNorm> last_;
  nn::Linear fc_{nullptr};
};

}  // namespace

std::vector<VisionEntry> efficientnet_lite_family() {
  const std::vector<double> mean(3, 127 / 255.0), deviation(3, 128 / 255.0);
  std::vector<VisionEntry> family;
  for (const auto& row : kRows)
    family.push_back(
        {row.name, {row.size + 32, row.size, "bicubic", mean, deviation}, [&row](int64_t classes) {
           return std::make_shared<EfficientNetLite>(row, classes);
         }});
  return family;
}

}  // namespace firesteel
