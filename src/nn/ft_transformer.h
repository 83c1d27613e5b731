// FT-Transformer: Gorishniy et al. 2021 (https://arxiv.org/abs/2106.11959), section 3.3.
#pragma once

#include "nn/tabular_net.h"

namespace firesteel::nn {

/// A token per feature and one of the whole, through pre-norm transformer blocks with ReGLU; the
/// whole's token gives the logits. The first block's attention has no norm. Reads
/// embedding_dimension (64; a multiple of heads), blocks, heads, dropout.
struct FtTransformerImpl : FeatureNet {
  explicit FtTransformerImpl(const TabularNetOptions& options);
  torch::Tensor forward(const torch::Tensor& numeric, const torch::Tensor& categorical) override;

  torch::Tensor number_weight, number_bias, category_bias, whole;  // [N, D], [N, D], [C, D], [D]
  torch::nn::ModuleList embeddings, blocks;
  torch::nn::LayerNorm norm{nullptr};
  torch::nn::Linear head{nullptr};
};

}  // namespace firesteel::nn
