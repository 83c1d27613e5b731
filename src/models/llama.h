// Llama (Touvron et al. 2023, https://arxiv.org/abs/2302.13971) and its relatives Mistral, Qwen2
// and Qwen3: rotary positions, heads that share keys, a gated inner layer.
#pragma once

#include "models/decoder.h"

namespace firesteel {

/// LlamaRMSNorm: x over the root of its mean square, times a weight.
struct RootMeanSquareNormImpl : torch::nn::Module {
  RootMeanSquareNormImpl(int64_t width, double epsilon);
  torch::Tensor forward(const torch::Tensor& x);

  const double epsilon;
  torch::Tensor weight;  // [width]
};
TORCH_MODULE(RootMeanSquareNorm);

/// Cosines and sines of positions' angles, [1 or B, 1, T, head_width], the first half's sines
/// negative.
struct Rotation {
  torch::Tensor cosines, sines;
  /// Turns x [B, heads, T, head_width]: value i of the first half with value i of the second.
  torch::Tensor operator()(const torch::Tensor& x) const;
};

/// Angles per position, [head_width / 2], by rope_theta and rope_scaling.
torch::Tensor rotary_frequencies(const DecoderOptions& options);

struct LlamaLayerImpl : torch::nn::Module {
  LlamaLayerImpl(const DecoderOptions& options, int64_t number);
  /// x [B, T, width].
  torch::Tensor forward(const torch::Tensor& x, const Rotation& rotation, const DecoderPass& pass);

  const DecoderOptions options;
  const size_t number;
  RootMeanSquareNorm attention_norm{nullptr}, inner_norm{nullptr};
  RootMeanSquareNorm query_norm{nullptr}, key_norm{nullptr};  // Qwen3's
  Dense query{nullptr}, key{nullptr}, value{nullptr}, attended{nullptr};
  Dense gate{nullptr}, inner{nullptr}, outer{nullptr};
};
TORCH_MODULE(LlamaLayer);

/// LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM.
struct Llama : Decoder {
  explicit Llama(const DecoderOptions& options);

  std::vector<LlamaLayer> blocks;
  RootMeanSquareNorm norm{nullptr};
  torch::Tensor frequencies;

 protected:
  torch::Tensor layers(const torch::Tensor& x, const DecoderPass& pass) override;
};

}  // namespace firesteel
