// Initialised as in the paper's code: https://github.com/yandex-research/tabm.
#include "nn/tabm.h"

#include <cmath>

#include "base/error.h"
#include "nn/dropout.h"
#include "nn/feature_embeddings.h"

namespace firesteel::nn {

namespace {

torch::Tensor uniform(torch::IntArrayRef shape, int64_t inputs) {
  const double range = 1 / std::sqrt(static_cast<double>(inputs));
  return torch::empty(shape).uniform_(-range, range);
}

}  // namespace

BatchEnsembleLinearImpl::BatchEnsembleLinearImpl(int64_t members, int64_t inputs, int64_t outputs) {
  weight = register_parameter("weight", uniform({outputs, inputs}, inputs));
  r = register_parameter("r", torch::ones({members, inputs}));
  s = register_parameter("s", torch::ones({members, outputs}));
  bias = register_parameter("bias", uniform({outputs}, inputs).repeat({members, 1}));
}

torch::Tensor BatchEnsembleLinearImpl::forward(const torch::Tensor& x) {
  return torch::addcmul(bias, torch::nn::functional::linear(x * r, weight), s);
}

EnsembleLinearImpl::EnsembleLinearImpl(int64_t members, int64_t inputs, int64_t outputs) {
  weight = register_parameter("weight", uniform({members, inputs, outputs}, inputs));
  bias = register_parameter("bias", uniform({members, outputs}, inputs));
}

torch::Tensor EnsembleLinearImpl::forward(const torch::Tensor& x) {
  return torch::bmm(x.transpose(0, 1), weight).transpose(0, 1) + bias;
}

TabMImpl::TabMImpl(const TabularNetOptions& options) {
  if (options.hidden.empty()) {
    throw Error("INVALID_OPTION", "A tabm needs one `hidden` width or more.");
  }
  embeddings = register_module("embeddings",
                               make_embeddings(options.cardinalities, options.embedding_dimension));
  int64_t width = options.numeric + total_width(embeddings);
  torch::nn::ModuleList list;
  for (const int64_t hidden : options.hidden) {
    list->push_back(BatchEnsembleLinear(options.ensemble, width, hidden));
    width = hidden;
  }
  blocks = register_module("blocks", list);
  after = register_module(
      "after", torch::nn::Sequential(torch::nn::Functional(activated, options.activation)));
  if (options.dropout > 0) after->push_back(Dropout(options.dropout));
  output = register_module("output", EnsembleLinear(options.ensemble, width, options.outputs));

  // One sign per member and feature, the same for all of an embedding.
  torch::NoGradGuard no_grad;
  std::vector<int64_t> widths(options.numeric, 1);
  for (const auto& table : embedding_tables(embeddings)) widths.push_back(table.size(1));
  const auto features = static_cast<int64_t>(widths.size());
  const auto signs = torch::randint(0, 2, {options.ensemble, features}).mul(2).sub(1);
  blocks->ptr<BatchEnsembleLinearImpl>(0)->r.copy_(
      signs.repeat_interleave(torch::tensor(widths), 1));
}

torch::Tensor TabMImpl::forward(const torch::Tensor& numeric, const torch::Tensor& categorical) {
  auto x = embed_features(numeric, categorical, embedding_tables(embeddings)).unsqueeze(1);
  for (const auto& block : *blocks) {
    x = after->forward(block->as<BatchEnsembleLinear>()->forward(x));
  }
  return output(x);
}

}  // namespace firesteel::nn
