// ResNet (https://arxiv.org/abs/1512.03385), ResNeXt (https://arxiv.org/abs/1611.05431) and Wide
// ResNet (https://arxiv.org/abs/1605.07146), as torchvision/models/resnet.py.
#include <fmt/format.h>

#include <array>

#include "models/model_folder.h"
#include "models/vision_layers.h"

namespace firesteel {

namespace {

namespace nn = torch::nn;

struct Row {
  const char* name;
  bool bottleneck;
  std::array<int64_t, 4> blocks;
  int64_t groups = 1, group_width = 64, resize = 256;
};
constexpr Row kRows[] = {
    {"resnet18", false, {2, 2, 2, 2}},
    {"resnet34", false, {3, 4, 6, 3}},
    {"resnet50", true, {3, 4, 6, 3}},
    {"resnet101", true, {3, 4, 23, 3}},
    {"resnet152", true, {3, 8, 36, 3}},
    {"resnext50_32x4d", true, {3, 4, 6, 3}, 32, 4},
    {"resnext101_32x8d", true, {3, 4, 23, 3}, 32, 8},
    {"resnext101_64x4d", true, {3, 4, 23, 3}, 64, 4, 232},
    {"wide_resnet50_2", true, {3, 4, 6, 3}, 1, 128},
    {"wide_resnet101_2", true, {3, 4, 23, 3}, 1, 128},
};

struct Block {
  torch::Tensor operator()(const torch::Tensor& x) {
    auto y = x;
    for (auto& convolution : convolutions) y = convolution(y);
    return y.add_(shortcut ? (*shortcut)(x) : x).relu_();
  }

  std::vector<ConvNorm> convolutions;
  std::optional<ConvNorm> shortcut;
};

class ResNet : public VisionNet {
 public:
  ResNet(const Row& row, int64_t classes)
      : stem_(*this, "conv1", "bn1",
              {.in = 3, .out = 64, .kernel = 7, .stride = 2, .activation = activation::relu}) {
    for (size_t stage = 0; stage < row.blocks.size(); ++stage) {
      for (int64_t i = 0; i < row.blocks[stage]; ++i)
        add_block(row, fmt::format("layer{}.{}", stage + 1, i), int64_t{64} << stage,
                  stage > 0 && i == 0 ? 2 : 1);
    }
    fc_ = register_module("fc", nn::Linear(channels_, classes));
    draw_convolutions(*this);
  }

  torch::Tensor forward(const torch::Tensor& images) override {
    auto x = at::max_pool2d(stem_(images), {3, 3}, {2, 2}, {1, 1});
    for (auto& block : blocks_) x = block(x);
    return fc_(image_means(x));
  }
  std::vector<std::string> head() const override { return {"fc."}; }

 private:
  void add_block(const Row& row, const std::string& name, int64_t planes, int64_t stride) {
    const auto width = planes * row.group_width / 64 * row.groups;
    const auto out = row.bottleneck ? planes * 4 : planes;
    Block block;
    const auto add = [&](ConvNormOptions options) {
      const auto number = block.convolutions.size() + 1;
      block.convolutions.emplace_back(*this, fmt::format("{}.conv{}", name, number),
                                      fmt::format("{}.bn{}", name, number), options);
    };
    const auto relu = activation::relu;
    if (row.bottleneck) {
      add({.in = channels_, .out = width, .activation = relu});
      add({.in = width,
           .out = width,
           .kernel = 3,
           .stride = stride,
           .groups = row.groups,
           .activation = relu});
      add({.in = width, .out = out});
    } else {
      add({.in = channels_, .out = out, .kernel = 3, .stride = stride, .activation = relu});
      add({.in = out, .out = out, .kernel = 3});
    }
    if (stride != 1 || channels_ != out)
      block.shortcut.emplace(*this, name + ".downsample",
                             ConvNormOptions{.in = channels_, .out = out, .stride = stride});
    channels_ = out;
    blocks_.push_back(std::move(block));
  }

  int64_t channels_ = 64;
  ConvNorm stem_;
  std::vector<Block> blocks_;
  nn::Linear fc_{nullptr};
};

}  // namespace

std::vector<VisionEntry> resnet_family() {
  std::vector<VisionEntry> family;
  for (const auto& row : kRows)
    family.push_back({row.name, {row.resize, 224}, [&row](int64_t classes) {
                        return std::make_shared<ResNet>(row, classes);
                      }});
  return family;
}

}  // namespace firesteel
