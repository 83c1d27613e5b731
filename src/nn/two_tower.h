// Two towers for retrieval, trained with the batch's other items as negatives: Yi et al. 2019
// (https://doi.org/10.1145/3298689.3346996), without its correction of the sampling bias.
#pragma once

#include "nn/tabular_net.h"

namespace firesteel::nn {

/// The item's features through one tower of linear layers and all others, the query's, through
/// another, to vectors of the width hidden.back() and the length 1. A logit is a query's product
/// with an item, divided by a temperature of 0.05. Reads hidden, dropout, activation,
/// embedding_dimension, batch_norm, item_numeric, item_categorical.
struct TwoTowerImpl : FeatureNet {
  explicit TwoTowerImpl(const TabularNetOptions& options);
  /// Logits [B, B]: row i's query with the item of each row.
  torch::Tensor forward(const torch::Tensor& numeric, const torch::Tensor& categorical) override;
  /// [B, 1]: the product of each row's query and item, in [-1, 1].
  torch::Tensor forward_rows(const Batch& batch) override;

  struct TowerImpl : torch::nn::Module {
    TowerImpl(const TabularNetOptions& options, const std::vector<int64_t>& numeric,
              const std::vector<int64_t>& categorical);
    torch::Tensor forward(const torch::Tensor& numeric, const torch::Tensor& categorical);

    torch::Tensor numbers, categories;  // the columns that are read; not saved
    torch::nn::ModuleList embeddings;
    torch::nn::Sequential layers;
  };
  TORCH_MODULE(Tower);

  Tower query{nullptr}, item{nullptr};
};

}  // namespace firesteel::nn
