// A pre-norm transformer block with ReGLU, as FT-Transformer has it (Gorishniy et al. 2021,
// https://arxiv.org/abs/2106.11959).
#pragma once

#include <optional>

#include "nn/dropout.h"

namespace firesteel::nn {

struct TransformerBlockImpl : torch::nn::Module {
  /// `norm_first` off: the attention has no norm before it.
  TransformerBlockImpl(int64_t width, int64_t heads, double dropout, bool norm_first = true);
  /// [B, tokens, width] → the same. `mask` [B, tokens]: the tokens that are looked at, one at least
  /// in each row.
  torch::Tensor forward(torch::Tensor x, const std::optional<torch::Tensor>& mask = std::nullopt);
  torch::Tensor attended(const torch::Tensor& x, const std::optional<torch::Tensor>& mask);

  int64_t heads;
  Dropout dropout;
  torch::nn::LayerNorm attention_norm{nullptr}, norm{nullptr};
  torch::nn::Linear attention_in{nullptr}, attention_out{nullptr}, inner_in{nullptr},
      inner_out{nullptr};
};
TORCH_MODULE(TransformerBlock);

/// Throws INVALID_OPTION when a token's width is not a multiple of the heads.
void check_heads(int64_t width, int64_t heads);

}  // namespace firesteel::nn
