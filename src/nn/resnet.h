// ResNet for tables: Gorishniy et al. 2021, "Revisiting Deep Learning Models for Tabular Data"
// (https://arxiv.org/abs/2106.11959), section 3.2.
#pragma once

#include "nn/tabular_net.h"

namespace firesteel::nn {

/// x + dropout(linear(dropout(relu(linear(norm(x)))))), of the width hidden[0], inside twice as
/// wide. Reads hidden[0], blocks, dropout, embedding_dimension.
struct ResNetImpl : FeatureNet {
  explicit ResNetImpl(const TabularNetOptions& options);
  torch::Tensor forward(const torch::Tensor& numeric, const torch::Tensor& categorical) override;

  torch::nn::ModuleList embeddings;
  torch::nn::Linear first{nullptr};
  torch::nn::ModuleList blocks;  // each a Sequential
  torch::nn::BatchNorm1d norm{nullptr};
  torch::nn::Linear head{nullptr};
};

}  // namespace firesteel::nn
