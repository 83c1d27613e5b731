// Neural matrix factorisation: He et al. 2017, "Neural Collaborative Filtering"
// (https://arxiv.org/abs/1708.05031).
#pragma once

#include "nn/tabular_net.h"

namespace firesteel::nn {

/// The first two categorical features are the user and the item. Each has two vectors: the product
/// of the first ones (matrix factorisation), and linear layers over the second ones and all other
/// features; both into one linear layer. Reads hidden, dropout, activation, embedding_dimension
/// (16), batch_norm.
struct NcfImpl : FeatureNet {
  explicit NcfImpl(const TabularNetOptions& options);
  torch::Tensor forward(const torch::Tensor& numeric, const torch::Tensor& categorical) override;

  torch::nn::ModuleList factors, embeddings;  // of user and item; of all categorical features
  torch::nn::Sequential layers;
  torch::nn::Linear head{nullptr};
};

}  // namespace firesteel::nn
