// Numbers and embeddings side by side through linear layers. With no hidden layer it is linear
// (logistic) regression.
#pragma once

#include "nn/tabular_net.h"

namespace firesteel::nn {

/// Reads hidden, dropout, activation, embedding_dimension, batch_norm.
struct MlpImpl : FeatureNet {
  explicit MlpImpl(const TabularNetOptions& options);
  torch::Tensor forward(const torch::Tensor& numeric, const torch::Tensor& categorical) override;

  torch::nn::ModuleList embeddings;
  torch::nn::Sequential layers;
};
TORCH_MODULE(Mlp);

}  // namespace firesteel::nn
