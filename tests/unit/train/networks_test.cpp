// Every kind of network in lower precision: its forward and backward passes run, and its logits are
// near those of float32.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "nn/tabular_net.h"
#include "train/precision.h"

namespace firesteel {
namespace {

TEST(Networks, RunInLowerPrecision) {
  const auto sequence_kinds = nn::sequence_net_kinds();
  for (const auto& kind : nn::tabular_net_kinds()) {
    SCOPED_TRACE(kind);
    torch::manual_seed(1);
    nn::TabularNetOptions options;
    options.numeric = 4;
    options.cardinalities = {10, 10};
    options.hidden = {16};
    options.ensemble = 3;
    if (kind == "autoencoder") options.cardinalities = {};
    if (kind == "two_tower") options.item_categorical = {1};
    Batch batch;
    batch.numeric = torch::randn({32, 4});
    batch.categorical = torch::randint(0, 10, {32, 2});
    if (std::find(sequence_kinds.begin(), sequence_kinds.end(), kind) != sequence_kinds.end()) {
      options.sequences = {{.cardinality = 7, .length = 5}, {.cardinality = 0, .length = 3}};
      batch.sequences = {{torch::randint(0, 7, {32, 5}), torch::randint(0, 6, {32})},
                         {torch::randn({32, 3}), torch::randint(0, 4, {32})}};
    }
    const auto net = nn::make_tabular_net(kind, options);
    const auto exact = net->forward(batch);
    torch::Tensor logits;
    {
      const Autocast autocast(Precision::kBFloat16, torch::kCPU);
      logits = net->forward(batch);
    }
    logits = logits.to(torch::kFloat32);
    EXPECT_LT((logits - exact).abs().max().item<double>(),
              0.05 * std::max(1.0, exact.abs().max().item<double>()));
    logits.square().mean().backward();
    for (const auto& parameter : net->named_parameters()) {
      if (!parameter.value().grad().defined()) continue;
      EXPECT_TRUE(parameter.value().grad().isfinite().all().item<bool>()) << parameter.key();
    }
  }
}

}  // namespace
}  // namespace firesteel
