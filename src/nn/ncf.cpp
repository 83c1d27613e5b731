// Embeddings begin as N(0, 0.01), as in the paper.
#include "nn/ncf.h"

#include <fmt/format.h>

#include "base/error.h"
#include "nn/feature_embeddings.h"

namespace firesteel::nn {

NcfImpl::NcfImpl(const TabularNetOptions& options) {
  const auto& ids = options.cardinalities;
  if (ids.size() < 2) {
    throw Error("INVALID_OPTION",
                fmt::format("An ncf needs two categorical features or more, first the user's and "
                            "the item's; there {} {}.",
                            ids.size() == 1 ? "is" : "are", ids.size()));
  }
  const int64_t width = options.embedding_dimension > 0 ? options.embedding_dimension : 16;
  factors = register_module("factors", make_embeddings({ids[0], ids[1]}, width));
  auto list = make_embeddings({ids[0], ids[1]}, width);
  list->extend(*make_embeddings({ids.begin() + 2, ids.end()}, options.embedding_dimension));
  embeddings = register_module("embeddings", list);
  layers =
      register_module("layers", make_layers(options.numeric + total_width(embeddings), options, 0));
  const int64_t inputs =
      options.hidden.empty() ? options.numeric + total_width(embeddings) : options.hidden.back();
  head = register_module("head", torch::nn::Linear(width + inputs, options.outputs));
  torch::NoGradGuard no_grad;
  for (const auto& tables : {embedding_tables(factors), embedding_tables(embeddings)}) {
    for (auto table : tables) table.normal_(0, 0.01);
  }
}

torch::Tensor NcfImpl::forward(const torch::Tensor& numeric, const torch::Tensor& categorical) {
  const auto input = embed_features(numeric, categorical, embedding_tables(embeddings));
  const auto tables = embedding_tables(factors);
  const auto product = torch::embedding(tables[0], categorical.select(1, 0)) *
                       torch::embedding(tables[1], categorical.select(1, 1));
  return head(torch::cat({product, layers->is_empty() ? input : layers->forward(input)}, 1));
}

}  // namespace firesteel::nn
