// Networks of rows with sequence features: each sequence is encoded by itself, and the vectors join
// the other features. The encoders are lstm.h, tcn.h and transformer.h.
#pragma once

#include "nn/tabular_net.h"

namespace firesteel::nn {

/// One sequence feature: tokens [B, L, D] float32, of which the first lengths[b] of row b count,
/// and lengths [B] int64 → [B, D]; zeros for a row of length 0.
struct SequenceEncoder : torch::nn::Module {
  virtual torch::Tensor forward(const torch::Tensor& tokens, const torch::Tensor& lengths) = 0;
};

/// Token `lengths - 1` of each row; zeros where the length is 0. [B, L, D] → [B, D].
torch::Tensor last_tokens(const torch::Tensor& tokens, const torch::Tensor& lengths);
/// Whether a token counts: [B, L] boolean.
torch::Tensor token_mask(const torch::Tensor& lengths, int64_t tokens);

/// A token is the embedding of an id, or a linear layer of a number. The encoders' vectors, the
/// numbers and the embeddings side by side go through linear layers. Reads hidden, dropout,
/// activation, embedding_dimension (32 of tokens), batch_norm, and what the encoder reads.
struct SequenceNetImpl : TabularNet {
  using MakeEncoder = std::shared_ptr<SequenceEncoder> (*)(int64_t width, int64_t length_max,
                                                           const TabularNetOptions& options);
  SequenceNetImpl(const TabularNetOptions& options, MakeEncoder make);
  torch::Tensor forward(const Batch& batch) override;

  torch::nn::ModuleList embeddings, tokens, encoders;  // the last two have a row per sequence
  torch::nn::Sequential layers;
};

}  // namespace firesteel::nn
