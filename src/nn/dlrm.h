// Deep Learning Recommendation Model: Naumov et al. 2019 (https://arxiv.org/abs/1906.00091).
#pragma once

#include "nn/tabular_net.h"

namespace firesteel::nn {

/// The numbers through a layer to the embeddings' width; the dot product of each pair of those and
/// the embeddings, beside the numbers' vector, through the top layers. Reads hidden (the top),
/// dropout, activation, embedding_dimension (16), batch_norm.
struct DlrmImpl : FeatureNet {
  explicit DlrmImpl(const TabularNetOptions& options);
  torch::Tensor forward(const torch::Tensor& numeric, const torch::Tensor& categorical) override;

  torch::nn::ModuleList embeddings;
  torch::nn::Sequential bottom, top;
  torch::Tensor pairs;  // places of the lower triangle in a flattened matrix; not saved
};

}  // namespace firesteel::nn
