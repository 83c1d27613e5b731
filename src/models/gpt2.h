// GPT-2 (Radford et al. 2019): learnt positions, layer norms before each part, weights as [in,
// out].
#pragma once

#include "models/decoder.h"

namespace firesteel {

struct Gpt2LayerImpl : torch::nn::Module {
  Gpt2LayerImpl(const DecoderOptions& options, int64_t number);
  /// x [B, T, width].
  torch::Tensor forward(const torch::Tensor& x, const DecoderPass& pass);

  const DecoderOptions options;
  const int64_t number;
  torch::nn::LayerNorm attention_norm{nullptr}, inner_norm{nullptr};
  Dense queries_keys_values{nullptr}, attended{nullptr}, inner{nullptr}, outer{nullptr};
};
TORCH_MODULE(Gpt2Layer);

/// GPT2LMHeadModel.
struct Gpt2 : Decoder {
  explicit Gpt2(const DecoderOptions& options);

  torch::nn::Embedding places{nullptr};
  std::vector<Gpt2Layer> blocks;
  torch::nn::LayerNorm norm{nullptr};

 protected:
  torch::Tensor layers(const torch::Tensor& x, const DecoderPass& pass) override;
};

}  // namespace firesteel
