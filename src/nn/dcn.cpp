// Cross layers of full rank.
#include "nn/dcn.h"

#include "nn/feature_embeddings.h"

namespace firesteel::nn {

DcnImpl::DcnImpl(const TabularNetOptions& options) {
  embeddings = register_module("embeddings",
                               make_embeddings(options.cardinalities, options.embedding_dimension));
  const int64_t width = options.numeric + total_width(embeddings);
  torch::nn::ModuleList list;
  for (int64_t i = 0; i < options.blocks; ++i) list->push_back(torch::nn::Linear(width, width));
  cross = register_module("cross", list);
  deep = register_module("deep", make_layers(width, options, 0));
  const int64_t deep_width = options.hidden.empty() ? 0 : options.hidden.back();
  head = register_module("head", torch::nn::Linear(width + deep_width, options.outputs));
}

torch::Tensor DcnImpl::forward(const torch::Tensor& numeric, const torch::Tensor& categorical) {
  const auto input = embed_features(numeric, categorical, embedding_tables(embeddings));
  auto x = input;
  for (const auto& layer : *cross) {
    x = torch::addcmul(x, input, layer->as<torch::nn::Linear>()->forward(x));
  }
  return head(deep->is_empty() ? x : torch::cat({x, deep->forward(input)}, 1));
}

}  // namespace firesteel::nn
