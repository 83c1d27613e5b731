// Layers of Llama's kind, by the names of transformers.
#include "models/llama.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "models/activation.h"
#include "models/model_folder.h"

namespace firesteel {

namespace nn = torch::nn;

RootMeanSquareNormImpl::RootMeanSquareNormImpl(int64_t width, double made)
    : epsilon(made), weight(register_parameter("weight", torch::ones({width}))) {}

torch::Tensor RootMeanSquareNormImpl::forward(const torch::Tensor& x) {
  return at::rms_norm(x, weight.sizes(), weight, epsilon);
}

torch::Tensor Rotation::operator()(const torch::Tensor& x) const {
  return torch::addcmul(x * cosines, x.roll(x.size(-1) / 2, -1), sines);
}

torch::Tensor rotary_frequencies(const DecoderOptions& options) {
  const auto exponents = torch::arange(0, options.head_width, 2, torch::kFloat32) /
                         static_cast<double>(options.head_width);
  const auto plain = 1 / torch::pow(options.rotary_base, exponents);
  const auto& scaling = options.rotary_scaling;
  if (scaling.kind == "linear") return plain / scaling.factor;
  if (scaling.kind != "llama3") return plain;
  // Long waves are stretched, short ones stay, those between go over.
  const auto turns = scaling.positions * plain / (2 * std::numbers::pi);
  const auto kept = ((turns - scaling.low) / (scaling.high - scaling.low)).clamp(0, 1);
  return (1 - kept) * plain / scaling.factor + kept * plain;
}

LlamaLayerImpl::LlamaLayerImpl(const DecoderOptions& made, int64_t place)
    : options(made), number(static_cast<size_t>(place)) {
  const auto linear = [&](const char* name, int64_t in, int64_t out, bool bias) {
    return placed(*this, name, Dense(nn::LinearOptions(in, out).bias(bias)));
  };
  const auto norm = [&](const char* name, int64_t width) {
    return placed(*this, name, RootMeanSquareNorm(width, options.norm_epsilon));
  };
  const auto all = options.heads * options.head_width;
  const auto shared = options.key_value_heads * options.head_width;
  query = linear("self_attn.q_proj", options.width, all, options.input_bias);
  key = linear("self_attn.k_proj", options.width, shared, options.input_bias);
  value = linear("self_attn.v_proj", options.width, shared, options.input_bias);
  attended = linear("self_attn.o_proj", all, options.width, options.output_bias);
  if (options.head_norms) {
    query_norm = norm("self_attn.q_norm", options.head_width);
    key_norm = norm("self_attn.k_norm", options.head_width);
  }
  gate = linear("mlp.gate_proj", options.width, options.inner, options.inner_bias);
  inner = linear("mlp.up_proj", options.width, options.inner, options.inner_bias);
  outer = linear("mlp.down_proj", options.inner, options.width, options.inner_bias);
  attention_norm = norm("input_layernorm", options.width);
  inner_norm = norm("post_attention_layernorm", options.width);
}

torch::Tensor LlamaLayerImpl::forward(const torch::Tensor& x, const Rotation& rotation,
                                      const DecoderPass& pass) {
  const auto split = [&](Dense& dense, RootMeanSquareNorm& norm, const torch::Tensor& y) {
    const auto heads = dense(y).view({x.size(0), x.size(1), -1, options.head_width});
    return (norm ? norm(heads) : heads).transpose(1, 2);
  };
  RootMeanSquareNorm none{nullptr};
  const auto y = attention_norm(x);
  const auto seen = attend(rotation(split(query, query_norm, y)), rotation(split(key, key_norm, y)),
                           split(value, none, y), number, pass, options.windowed[number],
                           is_training() ? options.attention_dropout : 0,
                           1 / std::sqrt(static_cast<double>(options.head_width)));
  const auto middle = attended(seen) + x;
  const auto z = inner_norm(middle);
  return outer(activate(options.activation, gate(z)) * inner(z)) + middle;
}

Llama::Llama(const DecoderOptions& made) : Decoder(made), frequencies(rotary_frequencies(made)) {
  words = placed(*this, "model.embed_tokens", nn::Embedding(options.vocabulary, options.width));
  for (int64_t i = 0; i < options.layers; ++i)
    blocks.push_back(placed(*this, fmt::format("model.layers.{}", i), LlamaLayer(options, i)));
  norm = placed(*this, "model.norm", RootMeanSquareNorm(options.width, options.norm_epsilon));
  add_head();
}

torch::Tensor Llama::layers(const torch::Tensor& given, const DecoderPass& pass) {
  const auto angles = (pass.positions.unsqueeze(-1) * frequencies.to(given.device())).unsqueeze(1);
  const auto sines = angles.sin(), cosines = angles.cos();
  const Rotation rotation{torch::cat({cosines, cosines}, -1), torch::cat({-sines, sines}, -1)};
  auto x = given;
  for (auto& block : blocks) x = block(x, rotation, pass);
  return norm(x);
}

}  // namespace firesteel
