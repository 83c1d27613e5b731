// Tokens and the head; the blocks are transformer_block.h's.
#include "nn/ft_transformer.h"

#include <cmath>

#include "nn/feature_embeddings.h"
#include "nn/transformer_block.h"

namespace firesteel::nn {

FtTransformerImpl::FtTransformerImpl(const TabularNetOptions& options) {
  const int64_t width = options.embedding_dimension > 0 ? options.embedding_dimension : 64;
  check_heads(width, options.heads);
  const auto columns = static_cast<int64_t>(options.cardinalities.size());
  const double range = 1 / std::sqrt(static_cast<double>(width));
  const auto uniform = [&](std::vector<int64_t> shape) {
    return torch::empty(shape).uniform_(-range, range);
  };
  number_weight = register_parameter("number_weight", uniform({options.numeric, width}));
  number_bias = register_parameter("number_bias", uniform({options.numeric, width}));
  category_bias = register_parameter("category_bias", uniform({columns, width}));
  whole = register_parameter("whole", uniform({width}));
  embeddings = register_module("embeddings", make_embeddings(options.cardinalities, width));
  {
    torch::NoGradGuard no_grad;
    for (auto& table : embedding_tables(embeddings)) table.uniform_(-range, range);
  }
  torch::nn::ModuleList list;
  for (int64_t i = 0; i < options.blocks; ++i) {
    list->push_back(TransformerBlock(width, options.heads, options.dropout, i != 0));
  }
  blocks = register_module("blocks", list);
  norm = register_module("norm", torch::nn::LayerNorm(std::vector<int64_t>{width}));
  head = register_module("head", torch::nn::Linear(width, options.outputs));
}

torch::Tensor FtTransformerImpl::forward(const torch::Tensor& numeric,
                                         const torch::Tensor& categorical) {
  const int64_t rows = numeric.size(0), width = whole.size(0);
  std::vector<torch::Tensor> tokens = {whole.expand({rows, 1, width})};
  if (number_weight.size(0) > 0) {
    tokens.push_back(numeric.unsqueeze(2) * number_weight + number_bias);
  }
  if (category_bias.size(0) > 0) {
    tokens.push_back(
        embed_features({}, categorical, embedding_tables(embeddings)).view({rows, -1, width}) +
        category_bias);
  }
  auto x = torch::cat(tokens, 1);
  for (const auto& block : *blocks) x = block->as<TransformerBlock>()->forward(x);
  return head(torch::relu(norm(x.select(1, 0))));
}

}  // namespace firesteel::nn
