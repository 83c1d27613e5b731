// ConvNeXt (https://arxiv.org/abs/2201.03545), as torchvision/models/convnext.py.
#include <fmt/format.h>

#include <array>

#include "models/model_folder.h"
#include "models/vision_layers.h"

namespace firesteel {

namespace {

namespace nn = torch::nn;

struct Row {
  const char* name;
  std::array<int64_t, 4> widths, blocks;
  double drop_rate;  // of the last block
  int64_t resize;
};
constexpr Row kRows[] = {
    {"convnext_tiny", {96, 192, 384, 768}, {3, 3, 9, 3}, 0.1, 236},
    {"convnext_small", {96, 192, 384, 768}, {3, 3, 27, 3}, 0.4, 230},
    {"convnext_base", {128, 256, 512, 1024}, {3, 3, 27, 3}, 0.5, 232},
    {"convnext_large", {192, 384, 768, 1536}, {3, 3, 27, 3}, 0.5, 232},
};

nn::LayerNorm layer_norm(int64_t width) {
  return nn::LayerNorm(nn::LayerNormOptions({width}).eps(1e-6));
}

/// Over the channels of [B, C, H, W].
torch::Tensor channels_norm(nn::LayerNorm& norm, const torch::Tensor& x) {
  return norm(x.permute({0, 2, 3, 1})).permute({0, 3, 1, 2});
}

nn::Conv2d convolution(int64_t in, int64_t out, int64_t kernel, int64_t stride,
                       int64_t groups = 1) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, kernel)
                        .stride(stride)
                        .padding(stride == 1 ? kernel / 2 : 0)
                        .groups(groups));
}

struct Block {
  Block(nn::Module& in, const std::string& name, int64_t width)
      : depthwise(placed(in, name + ".block.0", convolution(width, width, 7, 1, width))),
        norm(placed(in, name + ".block.2", layer_norm(width))),
        inner(placed(in, name + ".block.3", nn::Linear(width, 4 * width))),
        outer(placed(in, name + ".block.5", nn::Linear(4 * width, width))),
        scale(owner_of(in, name + ".layer_scale")
                  .register_parameter("layer_scale", torch::full({width, 1, 1}, 1e-6))) {}

  torch::Tensor operator()(const torch::Tensor& x, bool training) {
    auto y = norm(depthwise(x).permute({0, 2, 3, 1}));
    y = outer(at::gelu(inner(y))).permute({0, 3, 1, 2});
    return stochastic_depth(scale * y, drop_rate, training).add_(x);
  }

  nn::Conv2d depthwise;
  nn::LayerNorm norm;
  nn::Linear inner, outer;
  torch::Tensor scale;
  double drop_rate = 0;
};

/// What comes before the blocks of a stage: a convolution that makes the image smaller, and a norm,
/// behind it in the first stage, else before it.
struct Entry {
  nn::Conv2d convolution;
  nn::LayerNorm norm;
};

class ConvNeXt : public VisionNet {
 public:
  ConvNeXt(const Row& row, int64_t classes) {
    for (size_t stage = 0; stage < row.widths.size(); ++stage) add_stage(row, stage);
    size_t total = 0, number = 0;
    for (const auto& blocks : blocks_) total += blocks.size();
    for (auto& blocks : blocks_)
      for (auto& block : blocks)
        block.drop_rate = row.drop_rate * double(number++) / double(total - 1);
    const auto width = row.widths.back();
    norm_ = placed(*this, "classifier.0", layer_norm(width));
    classifier_ = placed(*this, "classifier.2", nn::Linear(width, classes));
    draw();
  }

  torch::Tensor forward(const torch::Tensor& images) override {
    auto x = images;
    for (size_t stage = 0; stage < blocks_.size(); ++stage) {
      auto& entry = entries_[stage];
      x = stage == 0 ? channels_norm(entry.norm, entry.convolution(x))
                     : entry.convolution(channels_norm(entry.norm, x));
      for (auto& block : blocks_[stage]) x = block(x, is_training());
    }
    x = channels_norm(norm_, at::adaptive_avg_pool2d(x, {1, 1}));
    return classifier_(x.flatten(1));
  }
  std::vector<std::string> head() const override { return {"classifier.2."}; }

 private:
  void add_stage(const Row& row, size_t stage) {
    const auto width = row.widths[stage];
    const auto name = fmt::format("features.{}", 2 * stage);
    if (stage == 0) {
      auto conv = placed(*this, name + ".0", convolution(3, width, 4, 4));
      entries_.push_back({conv, placed(*this, name + ".1", layer_norm(width))});
    } else {
      const auto before = row.widths[stage - 1];
      auto norm = placed(*this, name + ".0", layer_norm(before));
      entries_.push_back({placed(*this, name + ".1", convolution(before, width, 2, 2)), norm});
    }
    auto& blocks = blocks_.emplace_back();
    for (int64_t i = 0; i < row.blocks[stage]; ++i)
      blocks.emplace_back(*this, fmt::format("features.{}.{}", 2 * stage + 1, i), width);
  }

  /// trunc_normal_ with a deviation of 0.02 cuts at 100 deviations, which is nowhere.
  void draw() {
    const auto drawn = [](auto& layer) {
      nn::init::normal_(layer.weight, 0, 0.02);
      nn::init::zeros_(layer.bias);
    };
    for (const auto& module : modules(/*include_self=*/false)) {
      if (auto* conv = module->as<nn::Conv2d>()) drawn(*conv);
      if (auto* linear = module->as<nn::Linear>()) drawn(*linear);
    }
  }

  std::vector<Entry> entries_;
  std::vector<std::vector<Block>> blocks_;
  nn::LayerNorm norm_{nullptr};
  nn::Linear classifier_{nullptr};
};

}  // namespace

std::vector<VisionEntry> convnext_family() {
  std::vector<VisionEntry> family;
  for (const auto& row : kRows)
    family.push_back({row.name, {row.resize, 224}, [&row](int64_t classes) {
                        return std::make_shared<ConvNeXt>(row, classes);
                      }});
  return family;
}

}  // namespace firesteel
