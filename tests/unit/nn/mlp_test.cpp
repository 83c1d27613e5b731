// Shapes, seeds, gradients and refusals of the tabular model.
#include "nn/mlp.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace firesteel::nn {
namespace {

TabularNetOptions some() {
  TabularNetOptions options;
  options.numeric = 3;
  options.cardinalities = {5, 1000};
  options.hidden = {8, 4};
  options.outputs = 2;
  return options;
}

TEST(Mlp, GivesLogitsAndGradientsToEveryParameter) {
  auto options = some();
  options.batch_norm = true;
  options.dropout = 0.1;
  Mlp model(options);
  const auto logits = model(torch::randn({6, 3}), torch::randint(0, 5, {6, 2}));
  EXPECT_EQ(logits.sizes(), (std::vector<int64_t>{6, 2}));
  logits.square().sum().backward();
  for (const auto& parameter : model->named_parameters()) {
    EXPECT_TRUE(parameter.value().grad().defined()) << parameter.key();
  }
  EXPECT_EQ(embedding_tables(model->embeddings)[0].size(1), 4);   // round(1.6 * 5^0.56)
  EXPECT_EQ(embedding_tables(model->embeddings)[1].size(1), 50);  // the most
  EXPECT_TRUE(model->named_parameters().contains("embeddings.1.weight"));
  EXPECT_TRUE(model->named_parameters().contains("layers.0.weight"));
}

TEST(Mlp, TheSeedDecidesTheWeights) {
  torch::manual_seed(5);
  Mlp first(some());
  torch::manual_seed(5);
  Mlp second(some());
  for (size_t i = 0; i < first->parameters().size(); ++i) {
    EXPECT_TRUE(torch::equal(first->parameters()[i], second->parameters()[i]));
  }
}

TEST(Mlp, WorksWithNumbersOnlyOrCategoriesOnlyOrNoHiddenLayer) {
  auto options = some();
  options.hidden = {};
  options.cardinalities = {};
  EXPECT_EQ(Mlp(options)(torch::randn({6, 3}), torch::empty({6, 0}, torch::kInt64)).size(1), 2);
  options = some();
  options.numeric = 0;
  EXPECT_EQ(Mlp(options)(torch::empty({6, 0}), torch::zeros({6, 2}, torch::kInt64)).size(1), 2);
}

TEST(Mlp, RefusesOptionsThatMakeNoModel) {
  EXPECT_THROW(Mlp{TabularNetOptions()}, Error);
  auto options = some();
  options.dropout = 1;
  EXPECT_THROW(Mlp{options}, Error);
  options = some();
  options.hidden = {0};
  EXPECT_THROW(Mlp{options}, Error);
  EXPECT_THROW(activation_from_name("tanh"), Error);
  EXPECT_EQ(activation_from_name("gelu"), Activation::kGelu);
}

}  // namespace
}  // namespace firesteel::nn
