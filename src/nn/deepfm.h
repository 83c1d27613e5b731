// DeepFM: Guo et al. 2017 (https://arxiv.org/abs/1703.04247).
#pragma once

#include "nn/tabular_net.h"

namespace firesteel::nn {

/// A weight per feature, a factorisation machine of the features' vectors, and deep layers over the
/// vectors: the sum of the three. A number's vector is the number times a learned one. One output.
/// Reads hidden, dropout, activation, embedding_dimension (10), batch_norm.
struct DeepFmImpl : FeatureNet {
  explicit DeepFmImpl(const TabularNetOptions& options);
  torch::Tensor forward(const torch::Tensor& numeric, const torch::Tensor& categorical) override;

  torch::nn::ModuleList embeddings, weights;  // vectors, and first-order weights
  torch::nn::Linear linear{nullptr};          // first-order weights of the numbers, and the bias
  torch::Tensor number_vectors;               // [N, D]
  torch::nn::Sequential deep;
};

}  // namespace firesteel::nn
