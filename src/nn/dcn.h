// Deep & Cross Network V2: Wang et al. 2021 (https://arxiv.org/abs/2008.13535), the parallel form.
#pragma once

#include "nn/tabular_net.h"

namespace firesteel::nn {

/// Cross layers x0 * (W x + b) + x beside deep layers; both into one linear layer. Reads blocks
/// (cross layers), hidden, dropout, activation, embedding_dimension, batch_norm.
struct DcnImpl : FeatureNet {
  explicit DcnImpl(const TabularNetOptions& options);
  torch::Tensor forward(const torch::Tensor& numeric, const torch::Tensor& categorical) override;

  torch::nn::ModuleList embeddings, cross;
  torch::nn::Sequential deep;
  torch::nn::Linear head{nullptr};
};

}  // namespace firesteel::nn
