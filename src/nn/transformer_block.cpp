// Attention is libtorch's scaled_dot_product_attention; the hidden layer is 4/3 as wide as a token.
#include "nn/transformer_block.h"

#include <fmt/format.h>

#include "base/error.h"

namespace firesteel::nn {

TransformerBlockImpl::TransformerBlockImpl(int64_t width, int64_t heads, double dropout,
                                           bool norm_first)
    : heads(heads), dropout(register_module("dropout", Dropout(dropout))) {
  const auto layer_norm = [&] { return torch::nn::LayerNorm(std::vector<int64_t>{width}); };
  if (norm_first) attention_norm = register_module("attention_norm", layer_norm());
  attention_in = register_module("attention_in", torch::nn::Linear(width, 3 * width));
  attention_out = register_module("attention_out", torch::nn::Linear(width, width));
  const int64_t inner = width * 4 / 3;
  norm = register_module("norm", layer_norm());
  inner_in = register_module("inner_in", torch::nn::Linear(width, 2 * inner));
  inner_out = register_module("inner_out", torch::nn::Linear(inner, width));
}

torch::Tensor TransformerBlockImpl::forward(torch::Tensor x,
                                            const std::optional<torch::Tensor>& mask) {
  x = x + dropout(attended(attention_norm ? attention_norm(x) : x, mask));
  const auto halves = inner_in(norm(x)).chunk(2, -1);
  return x + dropout(inner_out(dropout(halves[0] * torch::relu(halves[1]))));
}

torch::Tensor TransformerBlockImpl::attended(const torch::Tensor& x,
                                             const std::optional<torch::Tensor>& mask) {
  const int64_t rows = x.size(0), tokens = x.size(1);
  const auto parts =
      attention_in(x).view({rows, tokens, 3, heads, -1}).permute({2, 0, 3, 1, 4}).unbind(0);
  std::optional<torch::Tensor> looked_at;
  if (mask) looked_at = mask->view({rows, 1, 1, tokens}).expand({rows, 1, tokens, tokens});
  const auto mixed = torch::scaled_dot_product_attention(parts[0], parts[1], parts[2], looked_at);
  return attention_out(mixed.transpose(1, 2).flatten(2));
}

void check_heads(int64_t width, int64_t heads) {
  if (width % heads == 0) return;
  throw Error(
      "INVALID_OPTION",
      fmt::format("`embedding_dimension` {} is not a multiple of `heads` {}.", width, heads));
}

}  // namespace firesteel::nn
