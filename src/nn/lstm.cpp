// The layer runs over the padding too, which its state at the last token has not seen yet.
#include "nn/lstm.h"

namespace firesteel::nn {

LstmEncoder::LstmEncoder(int64_t width, int64_t /*length_max*/,
                         const TabularNetOptions& /*options*/)
    : lstm(register_module(
          "lstm", torch::nn::LSTM(torch::nn::LSTMOptions(width, width).batch_first(true)))) {}

torch::Tensor LstmEncoder::forward(const torch::Tensor& tokens, const torch::Tensor& lengths) {
  return last_tokens(std::get<0>(lstm(tokens)), lengths);
}

}  // namespace firesteel::nn
