// Attention is libtorch's scaled_dot_product_attention; the hidden layer is 4/3 as wide as a token.
#include "nn/ft_transformer.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "nn/dropout.h"
#include "nn/feature_embeddings.h"

namespace firesteel::nn {

namespace {

struct BlockImpl : torch::nn::Module {
  BlockImpl(int64_t width, int64_t heads, double dropout, bool first)
      : heads(heads), dropout(register_module("dropout", Dropout(dropout))) {
    if (!first) {
      attention_norm =
          register_module("attention_norm", torch::nn::LayerNorm(std::vector<int64_t>{width}));
    }
    attention_in = register_module("attention_in", torch::nn::Linear(width, 3 * width));
    attention_out = register_module("attention_out", torch::nn::Linear(width, width));
    const int64_t inner = width * 4 / 3;
    norm = register_module("norm", torch::nn::LayerNorm(std::vector<int64_t>{width}));
    inner_in = register_module("inner_in", torch::nn::Linear(width, 2 * inner));
    inner_out = register_module("inner_out", torch::nn::Linear(inner, width));
  }

  torch::Tensor attended(const torch::Tensor& x) {
    const int64_t rows = x.size(0), tokens = x.size(1);
    const auto parts =
        attention_in(x).view({rows, tokens, 3, heads, -1}).permute({2, 0, 3, 1, 4}).unbind(0);
    const auto mixed = torch::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
    return attention_out(mixed.transpose(1, 2).flatten(2));
  }

  torch::Tensor forward(torch::Tensor x) {
    x = x + dropout(attended(attention_norm ? attention_norm(x) : x));
    const auto halves = inner_in(norm(x)).chunk(2, -1);
    return x + dropout(inner_out(dropout(halves[0] * torch::relu(halves[1]))));
  }

  int64_t heads;
  Dropout dropout;
  torch::nn::LayerNorm attention_norm{nullptr}, norm{nullptr};
  torch::nn::Linear attention_in{nullptr}, attention_out{nullptr}, inner_in{nullptr},
      inner_out{nullptr};
};
TORCH_MODULE(Block);

}  // namespace

FtTransformerImpl::FtTransformerImpl(const TabularNetOptions& options) {
  const int64_t width = options.embedding_dimension > 0 ? options.embedding_dimension : 64;
  if (width % options.heads != 0) {
    throw Error("INVALID_OPTION",
                fmt::format("`embedding_dimension` {} is not a multiple of `heads` {}.", width,
                            options.heads));
  }
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
    list->push_back(Block(width, options.heads, options.dropout, i == 0));
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
  for (const auto& block : *blocks) x = block->as<Block>()->forward(x);
  return head(torch::relu(norm(x.select(1, 0))));
}

}  // namespace firesteel::nn
