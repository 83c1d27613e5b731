// The bottom has two layers, of four times the embeddings' width and of that width.
#include "nn/dlrm.h"

#include "base/error.h"
#include "nn/feature_embeddings.h"

namespace firesteel::nn {

DlrmImpl::DlrmImpl(const TabularNetOptions& options) {
  if (options.cardinalities.empty()) {
    throw Error("INVALID_OPTION", "A dlrm needs categorical features; use mlp.");
  }
  const int64_t width = options.embedding_dimension > 0 ? options.embedding_dimension : 16;
  embeddings = register_module("embeddings", make_embeddings(options.cardinalities, width));
  if (options.numeric > 0) {
    TabularNetOptions lower = options;
    lower.hidden = {4 * width, width};
    bottom = make_layers(options.numeric, lower, 0);
  }
  register_module("bottom", bottom);
  const auto vectors =
      static_cast<int64_t>(options.cardinalities.size()) + (options.numeric > 0 ? 1 : 0);
  std::vector<int64_t> places;
  for (int64_t i = 0; i < vectors; ++i) {
    for (int64_t j = 0; j < i; ++j) places.push_back(i * vectors + j);
  }
  pairs = torch::tensor(places, torch::kInt64);
  const auto inputs = static_cast<int64_t>(places.size()) + (options.numeric > 0 ? width : 0);
  if (inputs == 0) throw Error("INVALID_OPTION", "A dlrm needs two features or more; use mlp.");
  top = register_module("top", make_layers(inputs, options, options.outputs));
}

torch::Tensor DlrmImpl::forward(const torch::Tensor& numeric, const torch::Tensor& categorical) {
  const auto tables = embedding_tables(embeddings);
  const auto numbers = bottom->is_empty() ? torch::Tensor() : bottom->forward(numeric);
  const auto vectors = embed_features(numbers, categorical, tables)
                           .view({categorical.size(0), -1, tables[0].size(1)});
  const auto products = torch::bmm(vectors, vectors.transpose(1, 2)).flatten(1);
  const auto interactions = products.index_select(1, pairs.to(products.device()));
  return top->forward(numbers.defined() ? torch::cat({numbers, interactions}, 1) : interactions);
}

}  // namespace firesteel::nn
