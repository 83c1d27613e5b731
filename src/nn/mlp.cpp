// Layers named as in PyTorch: `embeddings.0.weight`, `layers.0.weight`, …
#include "nn/mlp.h"

#include "nn/feature_embeddings.h"

namespace firesteel::nn {

MlpImpl::MlpImpl(const TabularNetOptions& options) {
  check(options);
  embeddings = register_module("embeddings",
                               make_embeddings(options.cardinalities, options.embedding_dimension));
  layers = register_module(
      "layers", make_layers(options.numeric + total_width(embeddings), options, options.outputs));
}

torch::Tensor MlpImpl::forward(const torch::Tensor& numeric, const torch::Tensor& categorical) {
  return layers->forward(embed_features(numeric, categorical, embedding_tables(embeddings)));
}

}  // namespace firesteel::nn
