// TabM: Gorishniy et al. 2024 (https://arxiv.org/abs/2410.24210), an ensemble of MLPs that share
// their weight matrices.
#pragma once

#include "nn/tabular_net.h"

namespace firesteel::nn {

/// A linear layer for each of `members` (BatchEnsemble, https://arxiv.org/abs/2002.06715): one
/// weight matrix, and factors of the inputs and of the outputs and a bias of each member's own.
struct BatchEnsembleLinearImpl : torch::nn::Module {
  BatchEnsembleLinearImpl(int64_t members, int64_t inputs, int64_t outputs);
  /// [B, members or 1, inputs] → [B, members, outputs].
  torch::Tensor forward(const torch::Tensor& x);

  torch::Tensor weight, r, s, bias;  // [outputs, inputs], [members, inputs], [members, outputs]²
};
TORCH_MODULE(BatchEnsembleLinear);

/// A linear layer for each of `members`, which share nothing: [B, members, inputs] → [B, members,
/// outputs].
struct EnsembleLinearImpl : torch::nn::Module {
  EnsembleLinearImpl(int64_t members, int64_t inputs, int64_t outputs);
  torch::Tensor forward(const torch::Tensor& x);

  torch::Tensor weight, bias;  // [members, inputs, outputs], [members, outputs]
};
TORCH_MODULE(EnsembleLinear);

/// Logits [B, ensemble, outputs]: each member is trained by its own loss, and the prediction is the
/// mean of the members'. Members differ at first in the signs that the first layer gives the
/// features, and in their heads. Reads ensemble, hidden, dropout, activation, embedding_dimension.
struct TabMImpl : FeatureNet {
  explicit TabMImpl(const TabularNetOptions& options);
  torch::Tensor forward(const torch::Tensor& numeric, const torch::Tensor& categorical) override;

  torch::nn::ModuleList embeddings, blocks;
  torch::nn::Sequential after{nullptr};  // each block: activation and dropout
  EnsembleLinear output{nullptr};
};

}  // namespace firesteel::nn
