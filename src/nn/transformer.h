// Transformer encoder: Vaswani et al. 2017 (https://arxiv.org/abs/1706.03762), with the norms
// first.
#pragma once

#include "nn/sequence_net.h"

namespace firesteel::nn {

/// Tokens and learned positions through transformer blocks in which all tokens see each other; the
/// mean of the tokens. Positions count from the last token. Reads blocks, heads, dropout.
struct TransformerEncoder : SequenceEncoder {
  TransformerEncoder(int64_t width, int64_t length_max, const TabularNetOptions& options);
  torch::Tensor forward(const torch::Tensor& tokens, const torch::Tensor& lengths) override;

  torch::Tensor positions;  // [length_max, D]
  torch::nn::ModuleList blocks;
  torch::nn::LayerNorm norm{nullptr};
};

}  // namespace firesteel::nn
