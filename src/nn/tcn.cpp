// Convolutions begin as torch's Conv1d does.
#include "nn/tcn.h"

namespace firesteel::nn {

CausalConvImpl::CausalConvImpl(int64_t width, int64_t kernel, int64_t dilation)
    : reach((kernel - 1) * dilation), dilation(dilation) {
  const torch::nn::Conv1d plain(torch::nn::Conv1dOptions(width, width, kernel));
  const auto weight = plain->weight.detach().clone();
  weight_g = register_parameter("weight_g", weight.flatten(1).norm(2, 1).view({width, 1, 1}));
  weight_v = register_parameter("weight_v", weight);
  bias = register_parameter("bias", plain->bias.detach().clone());
}

torch::Tensor CausalConvImpl::forward(const torch::Tensor& x) {
  const auto weight = torch::_weight_norm(weight_v, weight_g, 0);
  namespace F = torch::nn::functional;
  return F::conv1d(torch::constant_pad_nd(x, {reach, 0}), weight,
                   F::Conv1dFuncOptions().bias(bias).dilation(dilation));
}

TcnEncoder::TcnEncoder(int64_t width, int64_t /*length_max*/, const TabularNetOptions& options)
    : dropout(options.dropout) {
  torch::nn::ModuleList firsts, seconds;
  for (int64_t block = 0; block < options.blocks; ++block) {
    firsts->push_back(CausalConv(width, 3, int64_t{1} << block));
    seconds->push_back(CausalConv(width, 3, int64_t{1} << block));
  }
  first = register_module("first", firsts);
  second = register_module("second", seconds);
  register_module("dropout", dropout);
}

torch::Tensor TcnEncoder::forward(const torch::Tensor& tokens, const torch::Tensor& lengths) {
  auto x = tokens.transpose(1, 2);
  for (size_t block = 0; block < first->size(); ++block) {
    auto inner = dropout(torch::relu(first[block]->as<CausalConv>()->forward(x)));
    inner = dropout(torch::relu(second[block]->as<CausalConv>()->forward(inner)));
    x = torch::relu(x + inner);
  }
  return last_tokens(x.transpose(1, 2), lengths);
}

}  // namespace firesteel::nn
