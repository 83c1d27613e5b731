// Which columns are the item's is said by the options; the query has the rest.
#include "nn/two_tower.h"

#include <algorithm>

#include "base/error.h"
#include "nn/feature_embeddings.h"

namespace firesteel::nn {

namespace {

constexpr double kTemperature = 0.05;

/// 0, 1, … up to `count`, without those.
std::vector<int64_t> others(int64_t count, const std::vector<int64_t>& without) {
  std::vector<int64_t> list;
  for (int64_t i = 0; i < count; ++i) {
    if (std::find(without.begin(), without.end(), i) == without.end()) list.push_back(i);
  }
  return list;
}

}  // namespace

TwoTowerImpl::TwoTowerImpl(const TabularNetOptions& options) {
  if (options.hidden.empty()) {
    throw Error("INVALID_OPTION", "A two_tower needs one `hidden` width or more.");
  }
  query = register_module("query", Tower(options, others(options.numeric, options.item_numeric),
                                         others(static_cast<int64_t>(options.cardinalities.size()),
                                                options.item_categorical)));
  item = register_module("item", Tower(options, options.item_numeric, options.item_categorical));
}

torch::Tensor TwoTowerImpl::forward(const torch::Tensor& numeric,
                                    const torch::Tensor& categorical) {
  return torch::mm(query(numeric, categorical), item(numeric, categorical).t()) / kTemperature;
}

torch::Tensor TwoTowerImpl::forward_rows(const Batch& batch) {
  return (query(batch.numeric, batch.categorical) * item(batch.numeric, batch.categorical))
      .sum(1, /*keepdim=*/true);
}

TwoTowerImpl::TowerImpl::TowerImpl(const TabularNetOptions& options,
                                   const std::vector<int64_t>& numeric,
                                   const std::vector<int64_t>& categorical)
    : numbers(torch::tensor(numeric, torch::kInt64)),
      categories(torch::tensor(categorical, torch::kInt64)) {
  if (numeric.empty() && categorical.empty()) {
    throw Error("INVALID_OPTION", "A two_tower needs features of the item and of the query.");
  }
  std::vector<int64_t> cardinalities;
  for (const int64_t i : categorical) cardinalities.push_back(options.cardinalities.at(i));
  embeddings =
      register_module("embeddings", make_embeddings(cardinalities, options.embedding_dimension));
  TabularNetOptions inner = options;
  inner.hidden.pop_back();
  layers = register_module(
      "layers", make_layers(static_cast<int64_t>(numeric.size()) + total_width(embeddings), inner,
                            options.hidden.back()));
}

torch::Tensor TwoTowerImpl::TowerImpl::forward(const torch::Tensor& numeric,
                                               const torch::Tensor& categorical) {
  const auto device = numeric.device();
  const auto input = embed_features(numeric.index_select(1, numbers.to(device)),
                                    categorical.index_select(1, categories.to(device)),
                                    embedding_tables(embeddings));
  return torch::nn::functional::normalize(layers->forward(input));
}

}  // namespace firesteel::nn
