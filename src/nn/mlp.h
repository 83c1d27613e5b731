// The tabular model: an embedding per categorical feature, beside the numbers, through linear
// layers. With no hidden layer it is linear (logistic) regression.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace firesteel::nn {

enum class Activation { kRelu, kGelu, kSilu };
std::string_view activation_name(Activation activation);
/// Throws INVALID_OPTION.
Activation activation_from_name(std::string_view name);

struct MlpOptions {
  int64_t numeric = 0;                 // float features
  std::vector<int64_t> cardinalities;  // ids of each categorical feature
  std::vector<int64_t> hidden = {256, 128};
  double dropout = 0;
  Activation activation = Activation::kRelu;
  /// Width of every embedding; 0: min(50, round(1.6 * ids^0.56)), fastai's rule.
  int64_t embedding_dimension = 0;
  bool batch_norm = false;
  int64_t outputs = 1;
};

/// Throws INVALID_OPTION when the options make no model.
struct MlpImpl : torch::nn::Module {
  explicit MlpImpl(MlpOptions options);
  /// numeric [B, N] float32, categorical [B, C] int64 → logits [B, outputs] float32.
  torch::Tensor forward(const torch::Tensor& numeric, const torch::Tensor& categorical);

  MlpOptions options;
  std::vector<torch::nn::Embedding> embeddings;
  torch::nn::Sequential layers;
};
TORCH_MODULE(Mlp);

}  // namespace firesteel::nn
