// The input of a tabular network: numbers and the embeddings of all categorical columns side by
// side.
#pragma once

#include <torch/torch.h>

#include <vector>

namespace firesteel::nn {

/// numeric [B, N] float32 (or undefined), ids [B, C] int64, one table [ids of column c, width of c]
/// float32 per column → [B, N + sum of widths]. On a CPU one pass writes the whole row, where
/// embedding by embedding and a concatenation take 2C + 1 passes; gradients are dense and summed in
/// the order of the rows. On other devices it is made of torch's operators. Throws
/// MODEL_INPUT_INVALID when an id is outside of its table.
torch::Tensor embed_features(const torch::Tensor& numeric, const torch::Tensor& ids,
                             const std::vector<torch::Tensor>& tables);

}  // namespace firesteel::nn
