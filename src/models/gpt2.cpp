// GPT-2's layers, by the names of transformers.
#include "models/gpt2.h"

#include <fmt/format.h>

#include <cmath>

#include "models/activation.h"
#include "models/model_folder.h"

namespace firesteel {

namespace nn = torch::nn;

namespace {

nn::LayerNorm layer_norm(const DecoderOptions& options) {
  return nn::LayerNorm(nn::LayerNormOptions({options.width}).eps(options.norm_epsilon));
}

}  // namespace

Gpt2LayerImpl::Gpt2LayerImpl(const DecoderOptions& made, int64_t place)
    : options(made), number(place) {
  const auto linear = [&](const char* name, int64_t in, int64_t out) {
    auto dense = placed(*this, name, Dense(in, out));
    dense->transpose();
    return dense;
  };
  attention_norm = register_module("ln_1", layer_norm(options));
  queries_keys_values = linear("attn.c_attn", options.width, 3 * options.width);
  attended = linear("attn.c_proj", options.width, options.width);
  inner_norm = register_module("ln_2", layer_norm(options));
  inner = linear("mlp.c_fc", options.width, options.inner);
  outer = linear("mlp.c_proj", options.inner, options.width);
}

torch::Tensor Gpt2LayerImpl::forward(const torch::Tensor& x, const DecoderPass& pass) {
  const auto dropped = [&](const torch::Tensor& y) {
    return torch::dropout(y, options.residual_dropout, is_training());
  };
  const auto parts = queries_keys_values(attention_norm(x))
                         .view({x.size(0), x.size(1), 3, options.heads, -1})
                         .permute({2, 0, 3, 1, 4})
                         .unbind();
  const double scale =
      (options.scaled ? 1 / std::sqrt(static_cast<double>(options.head_width)) : 1) /
      (options.scaled_by_layer ? static_cast<double>(number + 1) : 1);
  const auto seen = attend(parts[0], parts[1], parts[2], static_cast<size_t>(number), pass, false,
                           is_training() ? options.attention_dropout : 0, scale);
  const auto middle = dropped(attended(seen)) + x;
  return dropped(outer(activate(options.activation, inner(inner_norm(middle))))) + middle;
}

Gpt2::Gpt2(const DecoderOptions& made) : Decoder(made) {
  words = placed(*this, "transformer.wte", nn::Embedding(options.vocabulary, options.width));
  places = placed(*this, "transformer.wpe", nn::Embedding(options.positions, options.width));
  for (int64_t i = 0; i < options.layers; ++i)
    blocks.push_back(placed(*this, fmt::format("transformer.h.{}", i), Gpt2Layer(options, i)));
  norm = placed(*this, "transformer.ln_f", layer_norm(options));
  add_head();
}

torch::Tensor Gpt2::layers(const torch::Tensor& given, const DecoderPass& pass) {
  auto x = torch::dropout(given + places(pass.positions), options.embedding_dropout, is_training());
  for (auto& block : blocks) x = block(x, pass);
  return norm(x);
}

}  // namespace firesteel
