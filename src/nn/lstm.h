// Long short-term memory: Hochreiter and Schmidhuber 1997
// (https://doi.org/10.1162/neco.1997.9.8.1735).
#pragma once

#include "nn/sequence_net.h"

namespace firesteel::nn {

/// The state after the last token of one layer of torch's LSTM.
struct LstmEncoder : SequenceEncoder {
  LstmEncoder(int64_t width, int64_t length_max, const TabularNetOptions& options);
  torch::Tensor forward(const torch::Tensor& tokens, const torch::Tensor& lengths) override;

  torch::nn::LSTM lstm{nullptr};
};

}  // namespace firesteel::nn
