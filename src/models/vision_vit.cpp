// Vision Transformers (https://arxiv.org/abs/2010.11929), as
// torchvision/models/vision_transformer.py.
#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "models/model_folder.h"
#include "models/vision_layers.h"

namespace firesteel {

namespace {

namespace nn = torch::nn;

constexpr int64_t kImage = 224;  // the only size, since places are learnt

struct Row {
  const char* name;
  int64_t patch, layers, heads, width, inner;
  VisionInput input;
};
const Row kRows[] = {
    {"vit_b_16", 16, 12, 12, 768, 3072, {256, 224}},
    {"vit_b_32", 32, 12, 12, 768, 3072, {256, 224}},
    {"vit_l_16", 16, 24, 16, 1024, 4096, {242, 224}},
    {"vit_l_32", 32, 24, 16, 1024, 4096, {256, 224}},
    {"vit_h_14", 14, 32, 16, 1280, 5120, {224, 224, "bicubic"}},
};

nn::LayerNorm layer_norm(int64_t width) {
  return nn::LayerNorm(nn::LayerNormOptions({width}).eps(1e-6));
}

/// torch.nn.MultiheadAttention over its own input [B, T, width].
struct Attention {
  Attention(nn::Module& in, const std::string& name, int64_t width, int64_t head_count)
      : heads(head_count) {
    auto& owner = owner_of(in, name + ".in_proj_weight");
    weight = owner.register_parameter("in_proj_weight", torch::empty({3 * width, width}));
    bias = owner.register_parameter("in_proj_bias", torch::zeros({3 * width}));
    out = placed(in, name + ".out_proj", nn::Linear(width, width));
    nn::init::xavier_uniform_(weight);
    nn::init::zeros_(out->bias);
  }

  torch::Tensor operator()(const torch::Tensor& x) {
    const auto all = at::linear(x, weight, bias).unflatten(-1, {3, heads, x.size(2) / heads});
    const auto part = [&](int64_t i) { return all.select(2, i).transpose(1, 2); };
    const auto y = at::scaled_dot_product_attention(part(0), part(1), part(2));
    return out(y.transpose(1, 2).flatten(2));
  }

  int64_t heads;
  torch::Tensor weight, bias;
  nn::Linear out{nullptr};
};

struct Layer {
  Layer(nn::Module& in, const std::string& name, const Row& row)
      : attention_norm(placed(in, name + ".ln_1", layer_norm(row.width))),
        attention(in, name + ".self_attention", row.width, row.heads),
        norm(placed(in, name + ".ln_2", layer_norm(row.width))),
        inner(placed(in, name + ".mlp.0", nn::Linear(row.width, row.inner))),
        outer(placed(in, name + ".mlp.3", nn::Linear(row.inner, row.width))) {
    for (auto& linear : {inner, outer}) {
      nn::init::xavier_uniform_(linear->weight);
      nn::init::normal_(linear->bias, 0, 1e-6);
    }
  }

  torch::Tensor operator()(const torch::Tensor& x) {
    const auto y = attention(attention_norm(x)) + x;
    return y + outer(at::gelu(inner(norm(y))));
  }

  nn::LayerNorm attention_norm;
  Attention attention;
  nn::LayerNorm norm;
  nn::Linear inner, outer;
};

class VisionTransformer : public VisionNet {
 public:
  VisionTransformer(const Row& row, int64_t classes) {
    class_token_ = register_parameter("class_token", torch::zeros({1, 1, row.width}));
    patches_ = register_module(
        "conv_proj", nn::Conv2d(nn::Conv2dOptions(3, row.width, row.patch).stride(row.patch)));
    const auto count = (kImage / row.patch) * (kImage / row.patch) + 1;
    places_ = owner_of(*this, "encoder.pos_embedding")
                  .register_parameter("pos_embedding", torch::empty({1, count, row.width}));
    nn::init::normal_(places_, 0, 0.02);
    for (int64_t i = 0; i < row.layers; ++i)
      layers_.emplace_back(*this, fmt::format("encoder.layers.encoder_layer_{}", i), row);
    norm_ = placed(*this, "encoder.ln", layer_norm(row.width));
    head_ = placed(*this, "heads.head", nn::Linear(row.width, classes));
    // trunc_normal_, which cuts at more than 40 deviations.
    nn::init::normal_(patches_->weight, 0, 1 / std::sqrt(3.0 * row.patch * row.patch));
    for (const auto& zero : {patches_->bias, head_->weight, head_->bias}) nn::init::zeros_(zero);
  }

  torch::Tensor forward(const torch::Tensor& images) override {
    if (images.dim() != 4 || images.size(2) != kImage || images.size(3) != kImage)
      throw Error("MODEL_INPUT_INVALID",
                  fmt::format("A vision transformer takes images of {0} x {0}.", kImage));
    auto x = patches_(images).flatten(2).transpose(1, 2);
    x = at::cat({class_token_.expand({x.size(0), -1, -1}), x}, 1) + places_;
    for (auto& layer : layers_) x = layer(x);
    return head_(norm_(x).select(1, 0));
  }
  std::vector<std::string> head() const override { return {"heads.head."}; }

 private:
  torch::Tensor class_token_, places_;
  nn::Conv2d patches_{nullptr};
  std::vector<Layer> layers_;
  nn::LayerNorm norm_{nullptr};
  nn::Linear head_{nullptr};
};

}  // namespace

std::vector<VisionEntry> vit_family() {
  std::vector<VisionEntry> family;
  for (const auto& row : kRows)
    family.push_back({row.name, row.input, [&row](int64_t classes) {
                        return std::make_shared<VisionTransformer>(row, classes);
                      }});
  return family;
}

}  // namespace firesteel
