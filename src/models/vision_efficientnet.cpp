// EfficientNet (https://arxiv.org/abs/1905.11946) and V2 (https://arxiv.org/abs/2104.00298), as
// torchvision/models/efficientnet.py.
#include <fmt/format.h>

#include <cmath>

#include "models/model_folder.h"
#include "models/vision_layers.h"

namespace firesteel {

namespace {

namespace nn = torch::nn;

struct Stage {
  bool fused;  // one convolution in place of expansion and depthwise convolution, no squeeze
  int64_t expand, kernel, stride, in, out, blocks;
};
using Stages = std::vector<Stage>;

const Stages kB = {
    {false, 1, 3, 1, 32, 16, 1},   {false, 6, 3, 2, 16, 24, 2},  {false, 6, 5, 2, 24, 40, 2},
    {false, 6, 3, 2, 40, 80, 3},   {false, 6, 5, 1, 80, 112, 3}, {false, 6, 5, 2, 112, 192, 4},
    {false, 6, 3, 1, 192, 320, 1},
};
const Stages kSmall = {
    {true, 1, 3, 1, 24, 24, 2},   {true, 4, 3, 2, 24, 48, 4},    {true, 4, 3, 2, 48, 64, 4},
    {false, 4, 3, 2, 64, 128, 6}, {false, 6, 3, 1, 128, 160, 9}, {false, 6, 3, 2, 160, 256, 15},
};
const Stages kMiddle = {
    {true, 1, 3, 1, 24, 24, 3},    {true, 4, 3, 2, 24, 48, 5},     {true, 4, 3, 2, 48, 80, 5},
    {false, 4, 3, 2, 80, 160, 7},  {false, 6, 3, 1, 160, 176, 14}, {false, 6, 3, 2, 176, 304, 18},
    {false, 6, 3, 1, 304, 512, 5},
};
const Stages kLarge = {
    {true, 1, 3, 1, 32, 32, 4},    {true, 4, 3, 2, 32, 64, 7},     {true, 4, 3, 2, 64, 96, 7},
    {false, 4, 3, 2, 96, 192, 10}, {false, 6, 3, 1, 192, 224, 19}, {false, 6, 3, 2, 224, 384, 25},
    {false, 6, 3, 1, 384, 640, 7},
};

struct Row {
  const char* name;
  const Stages* stages;
  double width, depth, dropout, epsilon, momentum;
  int64_t last;  // channels of the last convolution; 0: four times those before
  VisionInput input;
};
const std::vector<double> kHalf(3, 0.5);
const Row kRows[] = {
    {"efficientnet_b0", &kB, 1.0, 1.0, 0.2, 1e-5, 0.1, 0, {256, 224, "bicubic"}},
    {"efficientnet_b1", &kB, 1.0, 1.1, 0.2, 1e-5, 0.1, 0, {256, 240, "bicubic"}},
    {"efficientnet_b2", &kB, 1.1, 1.2, 0.3, 1e-5, 0.1, 0, {288, 288, "bicubic"}},
    {"efficientnet_b3", &kB, 1.2, 1.4, 0.3, 1e-5, 0.1, 0, {320, 300, "bicubic"}},
    {"efficientnet_b4", &kB, 1.4, 1.8, 0.4, 1e-5, 0.1, 0, {384, 380, "bicubic"}},
    {"efficientnet_b5", &kB, 1.6, 2.2, 0.4, 1e-3, 0.01, 0, {456, 456, "bicubic"}},
    {"efficientnet_b6", &kB, 1.8, 2.6, 0.5, 1e-3, 0.01, 0, {528, 528, "bicubic"}},
    {"efficientnet_b7", &kB, 2.0, 3.1, 0.5, 1e-3, 0.01, 0, {600, 600, "bicubic"}},
    {"efficientnet_v2_s", &kSmall, 1, 1, 0.2, 1e-3, 0.1, 1280, {384, 384, "bilinear"}},
    {"efficientnet_v2_m", &kMiddle, 1, 1, 0.3, 1e-3, 0.1, 1280, {480, 480, "bilinear"}},
    {"efficientnet_v2_l", &kLarge, 1, 1, 0.4, 1e-3, 0.1, 1280, {480, 480, "bicubic", kHalf, kHalf}},
};
constexpr double kDropRate = 0.2;  // of the last block

class EfficientNet : public VisionNet {
 public:
  EfficientNet(const Row& row, int64_t classes)
      : row_(row),
        stem_(*this, "features.0",
              with_norm({.in = 3,
                         .out = by_eights(row.stages->front().in * row.width),
                         .kernel = 3,
                         .stride = 2})) {
    add_blocks();
    const auto in = by_eights(row.stages->back().out * row.width);
    const auto out = row.last > 0 ? row.last : 4 * in;
    last_.emplace(*this, fmt::format("features.{}", row.stages->size() + 1),
                  with_norm({.in = in, .out = out}));
    classifier_ = placed(*this, "classifier.1", nn::Linear(out, classes));
    draw_convolutions(*this, [&](const torch::Tensor& weight) {
      const double bound = 1 / std::sqrt(double(classes));
      nn::init::uniform_(weight, -bound, bound);
    });
  }

  torch::Tensor forward(const torch::Tensor& images) override {
    auto x = stem_(images);
    for (auto& block : blocks_) x = block(x, is_training());
    return classifier_(torch::dropout(image_means((*last_)(x)), row_.dropout, is_training()));
  }
  std::vector<std::string> head() const override { return {"classifier.1."}; }

 private:
  ConvNormOptions with_norm(ConvNormOptions options, Activation used = activation::silu) const {
    options.activation = used;
    options.epsilon = row_.epsilon;
    options.momentum = row_.momentum;
    return options;
  }

  void add_blocks() {
    for (size_t number = 0; number < row_.stages->size(); ++number) {
      auto stage = (*row_.stages)[number];
      stage.in = by_eights(stage.in * row_.width);
      stage.out = by_eights(stage.out * row_.width);
      stage.blocks = static_cast<int64_t>(std::ceil(stage.blocks * row_.depth));
      for (int64_t i = 0; i < stage.blocks; ++i) {
        add_block(fmt::format("features.{}.{}.block", number + 1, i), stage);
        stage.in = stage.out;
        stage.stride = 1;
      }
    }
    for (size_t i = 0; i < blocks_.size(); ++i)
      blocks_[i].drop_rate = kDropRate * double(i) / double(blocks_.size());
  }

  void add_block(const std::string& name, const Stage& stage) {
    const auto inner = by_eights(double(stage.in * stage.expand));
    auto& block = blocks_.emplace_back();
    int part = 0;
    const auto next = [&] { return fmt::format("{}.{}", name, part++); };
    const auto add = [&](const ConvNormOptions& options, Activation used = activation::silu) {
      block.convolutions.emplace_back(*this, next(), with_norm(options, used));
    };
    if (stage.fused) {
      const auto out = inner == stage.in ? stage.out : inner;
      add({.in = stage.in, .out = out, .kernel = stage.kernel, .stride = stage.stride});
    } else {
      if (inner != stage.in) add({.in = stage.in, .out = inner});
      add({.in = inner,
           .out = inner,
           .kernel = stage.kernel,
           .stride = stage.stride,
           .groups = inner});
      block.squeeze.emplace(*this, next(), inner, std::max<int64_t>(1, stage.in / 4),
                            activation::silu, activation::sigmoid);
    }
    if (!stage.fused || inner != stage.in) add({.in = inner, .out = stage.out}, activation::none);
    block.residual = stage.stride == 1 && stage.in == stage.out;
  }

  const Row& row_;
  ConvNorm stem_;
  std::vector<InvertedResidual> blocks_;
  std::optional<ConvNorm> last_;
  nn::Linear classifier_{nullptr};
};

}  // namespace

std::vector<VisionEntry> efficientnet_family() {
  std::vector<VisionEntry> family;
  for (const auto& row : kRows)
    family.push_back({row.name, row.input, [&row](int64_t classes) {
                        return std::make_shared<EfficientNet>(row, classes);
                      }});
  return family;
}

}  // namespace firesteel
