// The padding is neither looked at nor counted.
#include "nn/transformer.h"

#include <cmath>

#include "nn/transformer_block.h"

namespace firesteel::nn {

TransformerEncoder::TransformerEncoder(int64_t width, int64_t length_max,
                                       const TabularNetOptions& options) {
  check_heads(width, options.heads);
  const double range = 1 / std::sqrt(static_cast<double>(width));
  positions =
      register_parameter("positions", torch::empty({length_max, width}).uniform_(-range, range));
  torch::nn::ModuleList list;
  for (int64_t i = 0; i < options.blocks; ++i) {
    list->push_back(TransformerBlock(width, options.heads, options.dropout));
  }
  blocks = register_module("blocks", list);
  norm = register_module("norm", torch::nn::LayerNorm(std::vector<int64_t>{width}));
}

torch::Tensor TransformerEncoder::forward(const torch::Tensor& tokens,
                                          const torch::Tensor& lengths) {
  const int64_t count = tokens.size(1);
  const auto from_last = lengths.unsqueeze(1) - 1 - torch::arange(count, lengths.options());
  auto x = tokens + torch::embedding(positions, from_last.clamp_min(0));
  const auto seen = token_mask(lengths.clamp_min(1), count);
  for (const auto& block : *blocks) x = block->as<TransformerBlock>()->forward(x, seen);
  const auto counted = token_mask(lengths, count).unsqueeze(2);
  return (norm(x) * counted).sum(1) / lengths.clamp_min(1).unsqueeze(1);
}

}  // namespace firesteel::nn
