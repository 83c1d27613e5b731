// The machine's pairs are summed as (square of the sum - sum of the squares) / 2.
#include "nn/deepfm.h"

#include "base/error.h"
#include "nn/feature_embeddings.h"

namespace firesteel::nn {

DeepFmImpl::DeepFmImpl(const TabularNetOptions& options) {
  if (options.outputs != 1) {
    throw Error("INVALID_OPTION",
                "A deepfm has one output: it is for binary, regression and ranking tasks.");
  }
  const int64_t width = options.embedding_dimension > 0 ? options.embedding_dimension : 10;
  embeddings = register_module("embeddings", make_embeddings(options.cardinalities, width));
  weights = register_module("weights", make_embeddings(options.cardinalities, 1));
  linear = register_module("linear", torch::nn::Linear(std::max<int64_t>(options.numeric, 1), 1));
  number_vectors =
      register_parameter("number_vectors", torch::randn({options.numeric, width}) * 0.05);
  const auto vectors = options.numeric + static_cast<int64_t>(options.cardinalities.size());
  deep = register_module("deep", make_layers(vectors * width, options, 1));
}

torch::Tensor DeepFmImpl::forward(const torch::Tensor& numeric, const torch::Tensor& categorical) {
  const int64_t rows = numeric.size(0), numbers = number_vectors.size(0);
  const auto scaled = (numeric.unsqueeze(2) * number_vectors).flatten(1);  // [B, N * D]
  const auto all = embed_features(scaled, categorical, embedding_tables(embeddings));
  const auto vectors = all.view({rows, -1, number_vectors.size(1)});
  const auto machine =
      (vectors.sum(1).square() - vectors.square().sum(1)).sum(1, /*keepdim=*/true) / 2;
  auto first = embed_features({}, categorical, embedding_tables(weights)).sum(1, true);
  first = first + (numbers > 0 ? linear(numeric) : linear->bias);
  return first + machine + deep->forward(all);
}

}  // namespace firesteel::nn
