// Pre-activation blocks, as in the paper.
#include "nn/resnet.h"

#include "base/error.h"
#include "nn/dropout.h"
#include "nn/feature_embeddings.h"

namespace firesteel::nn {

ResNetImpl::ResNetImpl(const TabularNetOptions& options) {
  if (options.hidden.empty()) throw Error("INVALID_OPTION", "A resnet needs one `hidden` width.");
  const int64_t width = options.hidden[0];
  embeddings = register_module("embeddings",
                               make_embeddings(options.cardinalities, options.embedding_dimension));
  first =
      register_module("first", torch::nn::Linear(options.numeric + total_width(embeddings), width));
  torch::nn::ModuleList list;
  for (int64_t i = 0; i < options.blocks; ++i) {
    list->push_back(torch::nn::Sequential(
        torch::nn::BatchNorm1d(width), torch::nn::Linear(width, 2 * width), torch::nn::ReLU(),
        Dropout(options.dropout), torch::nn::Linear(2 * width, width), Dropout(options.dropout)));
  }
  blocks = register_module("blocks", list);
  norm = register_module("norm", torch::nn::BatchNorm1d(width));
  head = register_module("head", torch::nn::Linear(width, options.outputs));
}

torch::Tensor ResNetImpl::forward(const torch::Tensor& numeric, const torch::Tensor& categorical) {
  auto x = first(embed_features(numeric, categorical, embedding_tables(embeddings)));
  for (const auto& block : *blocks) x = x + block->as<torch::nn::Sequential>()->forward(x);
  return head(torch::relu(norm(x)));
}

}  // namespace firesteel::nn
