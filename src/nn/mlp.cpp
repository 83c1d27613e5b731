// Layers of the tabular model, named as in PyTorch: `embeddings.0.weight`, `layers.0.weight`, …
#include "nn/mlp.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "nn/dropout.h"
#include "nn/feature_embeddings.h"

namespace firesteel::nn {

namespace {

void check(const MlpOptions& options) {
  const auto refuse = [](const std::string& what) { throw Error("INVALID_OPTION", what); };
  if (options.numeric == 0 && options.cardinalities.empty()) refuse("The model has no feature.");
  if (options.outputs < 1) refuse("The model has no output.");
  if (!(options.dropout >= 0 && options.dropout < 1)) {
    refuse(
        fmt::format("`dropout` is {}; it is a share of at least 0 and below 1.", options.dropout));
  }
  for (const int64_t width : options.hidden) {
    if (width < 1) refuse(fmt::format("A hidden layer has width {}; use at least 1.", width));
  }
}

int64_t embedding_width(int64_t cardinality, int64_t fixed) {
  if (fixed > 0) return fixed;
  return std::min<int64_t>(50, std::lround(1.6 * std::pow(static_cast<double>(cardinality), 0.56)));
}

}  // namespace

std::string_view activation_name(Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return "relu";
    case Activation::kGelu:
      return "gelu";
    case Activation::kSilu:
      return "silu";
  }
  return "";
}

Activation activation_from_name(std::string_view name) {
  for (const auto value : {Activation::kRelu, Activation::kGelu, Activation::kSilu}) {
    if (activation_name(value) == name) return value;
  }
  throw Error("INVALID_OPTION",
              fmt::format("There is no activation `{}`; use relu, gelu or silu.", name));
}

MlpImpl::MlpImpl(MlpOptions given) : options(std::move(given)) {
  check(options);
  torch::nn::ModuleList list;
  int64_t width = options.numeric;
  for (const int64_t cardinality : options.cardinalities) {
    const int64_t dimension = embedding_width(cardinality, options.embedding_dimension);
    torch::nn::Embedding embedding(cardinality, dimension);
    // N(0, 1), PyTorch's choice, drowns the standardised numbers in noise.
    torch::NoGradGuard no_grad;
    embedding->weight.normal_(0, 0.05);
    embeddings.push_back(embedding);
    list->push_back(embedding);
    width += dimension;
  }
  register_module("embeddings", list);
  for (const int64_t hidden : options.hidden) {
    layers->push_back(torch::nn::Linear(width, hidden));
    if (options.batch_norm) layers->push_back(torch::nn::BatchNorm1d(hidden));
    switch (options.activation) {
      case Activation::kRelu:
        layers->push_back(torch::nn::ReLU());
        break;
      case Activation::kGelu:
        layers->push_back(torch::nn::GELU());
        break;
      case Activation::kSilu:
        layers->push_back(torch::nn::SiLU());
        break;
    }
    if (options.dropout > 0) layers->push_back(Dropout(options.dropout));
    width = hidden;
  }
  layers->push_back(torch::nn::Linear(width, options.outputs));
  register_module("layers", layers);
}

torch::Tensor MlpImpl::forward(const torch::Tensor& numeric, const torch::Tensor& categorical) {
  std::vector<torch::Tensor> tables;
  for (const auto& embedding : embeddings) tables.push_back(embedding->weight);
  return layers->forward(embed_features(numeric, categorical, tables));
}

}  // namespace firesteel::nn
