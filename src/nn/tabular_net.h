// Networks of tabular rows: what they have in common, and the table of their kinds.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/encoder.h"

namespace firesteel::nn {

enum class Activation { kRelu, kGelu, kSilu };
std::string_view activation_name(Activation activation);
/// Throws INVALID_OPTION.
Activation activation_from_name(std::string_view name);
torch::Tensor activated(const torch::Tensor& input, Activation activation);

/// Each kind of network says which of these it reads.
struct TabularNetOptions {
  int64_t numeric = 0;                 // float features
  std::vector<int64_t> cardinalities;  // ids of each categorical feature
  struct Sequence {
    int64_t cardinality = 0;  // ids; 0: numbers
    int64_t length = 1;       // elements at most
  };
  std::vector<Sequence> sequences;
  /// Which of the float and of the categorical features are the item's, of two_tower.
  std::vector<int64_t> item_numeric, item_categorical;
  std::vector<int64_t> hidden = {256, 128};
  double dropout = 0;
  Activation activation = Activation::kRelu;
  /// Width of every embedding; 0: the kind's choice.
  int64_t embedding_dimension = 0;
  bool batch_norm = false;
  int64_t blocks = 3;     // residual blocks, cross layers or transformer blocks
  int64_t heads = 8;      // of attention
  int64_t ensemble = 32;  // members
  int64_t outputs = 1;
};

/// One thread at a time.
struct TabularNet : torch::nn::Module {
  /// Logits [B, outputs] float32, of an ensemble [B, members, outputs].
  virtual torch::Tensor forward(const Batch& batch) = 0;
  /// What predictions are made of, each row by itself: the logits, of most networks.
  virtual torch::Tensor forward_rows(const Batch& batch) { return forward(batch); }
};

/// A network that reads no sequences.
struct FeatureNet : TabularNet {
  /// numeric [B, N] float32, categorical [B, C] int64 → logits as above.
  virtual torch::Tensor forward(const torch::Tensor& numeric, const torch::Tensor& categorical) = 0;
  torch::Tensor forward(const Batch& batch) final {
    return forward(batch.numeric, batch.categorical);
  }
};

/// The names of the table of kinds.
std::vector<std::string> tabular_net_kinds();
/// Those that read sequences.
std::vector<std::string> sequence_net_kinds();
/// New weights from PyTorch's generator. Throws INVALID_OPTION when the options make no model.
std::shared_ptr<TabularNet> make_tabular_net(std::string_view kind,
                                             const TabularNetOptions& options);

/// An embedding per categorical feature, N(0, 0.05): PyTorch's N(0, 1) drowns the standardised
/// numbers in noise. `dimension` 0: min(50, round(1.6 * ids^0.56)), fastai's rule.
torch::nn::ModuleList make_embeddings(const std::vector<int64_t>& cardinalities, int64_t dimension);
std::vector<torch::Tensor> embedding_tables(const torch::nn::ModuleList& embeddings);
/// Sum of the embeddings' widths.
int64_t total_width(const torch::nn::ModuleList& embeddings);
/// Linear layers of these widths, each with its activation and dropout, then one to `outputs`
/// (0: none). Named by number, as in torch.nn.Sequential.
torch::nn::Sequential make_layers(int64_t inputs, const TabularNetOptions& options,
                                  int64_t outputs);
/// Throws INVALID_OPTION.
void check(const TabularNetOptions& options);

}  // namespace firesteel::nn
