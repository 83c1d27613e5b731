// MobileNetV2 (https://arxiv.org/abs/1801.04381) and V3 (https://arxiv.org/abs/1905.02244), as
// torchvision/models/mobilenetv2.py and mobilenetv3.py.
#include <fmt/format.h>

#include "models/model_folder.h"
#include "models/vision_layers.h"

namespace firesteel {

namespace {

namespace nn = torch::nn;

constexpr double kDropout = 0.2;

void draw(nn::Module& network) {
  draw_convolutions(network,
                    [](const torch::Tensor& weight) { nn::init::normal_(weight, 0, 0.01); });
}

class MobileNetV2 : public VisionNet {
 public:
  explicit MobileNetV2(int64_t classes)
      : stem_(*this, "features.0",
              {.in = 3, .out = 32, .kernel = 3, .stride = 2, .activation = activation::relu6}) {
    struct Stage {
      int64_t expand, out, blocks, stride;
    };
    int64_t in = 32;
    for (const Stage& stage :
         {Stage{1, 16, 1, 1}, Stage{6, 24, 2, 2}, Stage{6, 32, 3, 2}, Stage{6, 64, 4, 2},
          Stage{6, 96, 3, 1}, Stage{6, 160, 3, 2}, Stage{6, 320, 1, 1}}) {
      for (int64_t i = 0; i < stage.blocks; ++i) {
        add_block(in, in * stage.expand, stage.out, i == 0 ? stage.stride : 1);
        in = stage.out;
      }
    }
    last_.emplace(*this, fmt::format("features.{}", blocks_.size() + 1),
                  ConvNormOptions{.in = in, .out = 1280, .activation = activation::relu6});
    classifier_ = placed(*this, "classifier.1", nn::Linear(1280, classes));
    draw(*this);
  }

  torch::Tensor forward(const torch::Tensor& images) override {
    auto x = stem_(images);
    for (auto& block : blocks_) x = block(x, is_training());
    return classifier_(torch::dropout(image_means((*last_)(x)), kDropout, is_training()));
  }
  std::vector<std::string> head() const override { return {"classifier.1."}; }

 private:
  void add_block(int64_t in, int64_t inner, int64_t out, int64_t stride) {
    const auto name = fmt::format("features.{}.conv", blocks_.size() + 1);
    auto& block = blocks_.emplace_back();
    auto& all = block.convolutions;
    if (inner != in)
      all.emplace_back(*this, name + ".0",
                       ConvNormOptions{.in = in, .out = inner, .activation = activation::relu6});
    all.emplace_back(*this, fmt::format("{}.{}", name, all.size()),
                     ConvNormOptions{.in = inner,
                                     .out = inner,
                                     .kernel = 3,
                                     .stride = stride,
                                     .groups = inner,
                                     .activation = activation::relu6});
    all.emplace_back(*this, fmt::format("{}.{}", name, all.size()),
                     fmt::format("{}.{}", name, all.size() + 1),
                     ConvNormOptions{.in = inner, .out = out});
    block.residual = stride == 1 && in == out;
  }

  ConvNorm stem_;
  std::vector<InvertedResidual> blocks_;
  std::optional<ConvNorm> last_;
  nn::Linear classifier_{nullptr};
};

struct Block {
  int64_t in, kernel, inner, out;
  bool squeeze, hard;  // squeeze and excitation; hardswish, or ReLU
  int64_t stride;
};
const std::vector<Block> kLarge = {
    {16, 3, 16, 16, false, false, 1},  {16, 3, 64, 24, false, false, 2},
    {24, 3, 72, 24, false, false, 1},  {24, 5, 72, 40, true, false, 2},
    {40, 5, 120, 40, true, false, 1},  {40, 5, 120, 40, true, false, 1},
    {40, 3, 240, 80, false, true, 2},  {80, 3, 200, 80, false, true, 1},
    {80, 3, 184, 80, false, true, 1},  {80, 3, 184, 80, false, true, 1},
    {80, 3, 480, 112, true, true, 1},  {112, 3, 672, 112, true, true, 1},
    {112, 5, 672, 160, true, true, 2}, {160, 5, 960, 160, true, true, 1},
    {160, 5, 960, 160, true, true, 1},
};
const std::vector<Block> kSmall = {
    {16, 3, 16, 16, true, false, 2},  {16, 3, 72, 24, false, false, 2},
    {24, 3, 88, 24, false, false, 1}, {24, 5, 96, 40, true, true, 2},
    {40, 5, 240, 40, true, true, 1},  {40, 5, 240, 40, true, true, 1},
    {40, 5, 120, 48, true, true, 1},  {48, 5, 144, 48, true, true, 1},
    {48, 5, 288, 96, true, true, 2},  {96, 5, 576, 96, true, true, 1},
    {96, 5, 576, 96, true, true, 1},
};

class MobileNetV3 : public VisionNet {
 public:
  MobileNetV3(const std::vector<Block>& blocks, int64_t hidden, int64_t classes)
      : stem_(*this, "features.0", with_norm({.in = 3, .out = 16, .kernel = 3, .stride = 2})) {
    for (const auto& block : blocks) add_block(block);
    const auto in = blocks.back().out;
    last_.emplace(*this, fmt::format("features.{}", blocks.size() + 1),
                  with_norm({.in = in, .out = 6 * in}));
    hidden_ = placed(*this, "classifier.0", nn::Linear(6 * in, hidden));
    classifier_ = placed(*this, "classifier.3", nn::Linear(hidden, classes));
    draw(*this);
  }

  torch::Tensor forward(const torch::Tensor& images) override {
    auto x = stem_(images);
    for (auto& block : blocks_) x = block(x, is_training());
    x = activation::hardswish(hidden_(image_means((*last_)(x))));
    return classifier_(torch::dropout(x, kDropout, is_training()));
  }
  std::vector<std::string> head() const override { return {"classifier.3."}; }

 private:
  static ConvNormOptions with_norm(ConvNormOptions options,
                                   Activation activation = activation::hardswish) {
    options.activation = activation;
    options.epsilon = 1e-3;
    options.momentum = 0.01;
    return options;
  }

  void add_block(const Block& row) {
    const auto used = row.hard ? activation::hardswish : activation::relu;
    const auto name = fmt::format("features.{}.block", blocks_.size() + 1);
    auto& block = blocks_.emplace_back();
    int part = 0;
    const auto next = [&] { return fmt::format("{}.{}", name, part++); };
    if (row.inner != row.in)
      block.convolutions.emplace_back(*this, next(),
                                      with_norm({.in = row.in, .out = row.inner}, used));
    block.convolutions.emplace_back(*this, next(),
                                    with_norm({.in = row.inner,
                                               .out = row.inner,
                                               .kernel = row.kernel,
                                               .stride = row.stride,
                                               .groups = row.inner},
                                              used));
    if (row.squeeze)
      block.squeeze.emplace(*this, next(), row.inner, by_eights(double(row.inner / 4)),
                            activation::relu, activation::hardsigmoid);
    block.convolutions.emplace_back(*this, next(),
                                    with_norm({.in = row.inner, .out = row.out}, activation::none));
    block.residual = row.stride == 1 && row.in == row.out;
  }

  ConvNorm stem_;
  std::vector<InvertedResidual> blocks_;
  std::optional<ConvNorm> last_;
  nn::Linear hidden_{nullptr}, classifier_{nullptr};
};

}  // namespace

std::vector<VisionEntry> mobilenet_family() {
  const VisionInput input{256, 224};
  return {{"mobilenet_v2", input,
           [](int64_t classes) { return std::make_shared<MobileNetV2>(classes); }},
          {"mobilenet_v3_small", input,
           [](int64_t classes) { return std::make_shared<MobileNetV3>(kSmall, 1024, classes); }},
          {"mobilenet_v3_large", input,
           [](int64_t classes) { return std::make_shared<MobileNetV3>(kLarge, 1280, classes); }}};
}

}  // namespace firesteel
