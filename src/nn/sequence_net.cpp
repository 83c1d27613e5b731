// Tokens are laid out from the left, so what looks back alone never sees the padding.
#include "nn/sequence_net.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "nn/feature_embeddings.h"

namespace firesteel::nn {

torch::Tensor last_tokens(const torch::Tensor& tokens, const torch::Tensor& lengths) {
  const auto place = (lengths - 1).clamp_min(0).view({-1, 1, 1}).expand({-1, 1, tokens.size(2)});
  return tokens.gather(1, place).squeeze(1) * lengths.gt(0).unsqueeze(1);
}

torch::Tensor token_mask(const torch::Tensor& lengths, int64_t tokens) {
  return torch::arange(tokens, lengths.options()).unsqueeze(0) < lengths.unsqueeze(1);
}

SequenceNetImpl::SequenceNetImpl(const TabularNetOptions& options, MakeEncoder make) {
  const int64_t width = options.embedding_dimension > 0 ? options.embedding_dimension : 32;
  embeddings = register_module("embeddings",
                               make_embeddings(options.cardinalities, options.embedding_dimension));
  torch::nn::ModuleList token_list, encoder_list;
  for (const auto& sequence : options.sequences) {
    if (sequence.cardinality > 0) {
      torch::nn::Embedding embedding(sequence.cardinality, width);
      const double range = 1 / std::sqrt(static_cast<double>(width));
      torch::NoGradGuard no_grad;
      embedding->weight.uniform_(-range, range);
      token_list->push_back(embedding);
    } else {
      token_list->push_back(torch::nn::Linear(1, width));
    }
    encoder_list->push_back(make(width, sequence.length, options));
  }
  tokens = register_module("tokens", token_list);
  encoders = register_module("encoders", encoder_list);
  const int64_t inputs = options.numeric + total_width(embeddings) +
                         width * static_cast<int64_t>(options.sequences.size());
  layers = register_module("layers", make_layers(inputs, options, options.outputs));
}

torch::Tensor SequenceNetImpl::forward(const Batch& batch) {
  if (batch.sequences.size() != encoders->size()) {
    throw Error("MODEL_INPUT_INVALID",
                fmt::format("The model reads {} sequences, and the batch has {}.", encoders->size(),
                            batch.sequences.size()));
  }
  std::vector<torch::Tensor> parts = {
      embed_features(batch.numeric, batch.categorical, embedding_tables(embeddings))};
  const auto device = batch.numeric.device();
  for (size_t i = 0; i < batch.sequences.size(); ++i) {
    const auto values = batch.sequences[i].values.to(device);
    const auto* embedding = tokens[i]->as<torch::nn::Embedding>();
    const auto token = embedding ? torch::embedding(embedding->weight, values)
                                 : tokens[i]->as<torch::nn::Linear>()->forward(values.unsqueeze(2));
    auto& encoder = dynamic_cast<SequenceEncoder&>(*encoders[i]);
    parts.push_back(encoder.forward(token, batch.sequences[i].lengths.to(device)));
  }
  return layers->forward(torch::cat(parts, 1));
}

}  // namespace firesteel::nn
