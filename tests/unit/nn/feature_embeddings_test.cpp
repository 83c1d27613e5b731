// The one pass against torch's own operators: values, gradients, edges.
#include "nn/feature_embeddings.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace firesteel::nn {
namespace {

torch::Tensor by_torch(const torch::Tensor& numeric, const torch::Tensor& ids,
                       const std::vector<torch::Tensor>& tables) {
  std::vector<torch::Tensor> parts = {numeric};
  for (size_t i = 0; i < tables.size(); ++i) {
    parts.push_back(torch::embedding(tables[i], ids.select(1, static_cast<int64_t>(i))));
  }
  return torch::cat(parts, 1);
}

TEST(FeatureEmbeddings, IsWhatEmbeddingsAndConcatenationGive) {
  torch::manual_seed(1);
  for (const int64_t rows : {0, 1, 700, 5000}) {
    const auto numeric = torch::randn({rows, 3}).requires_grad_();
    const auto ids =
        torch::stack({torch::randint(0, 5, {rows}), torch::randint(0, 100, {rows})}, 1);
    const std::vector<torch::Tensor> tables = {torch::randn({5, 2}).requires_grad_(),
                                               torch::randn({100, 17}).requires_grad_()};
    std::vector<std::vector<torch::Tensor>> gradients;
    std::vector<torch::Tensor> outputs;
    for (const bool one_pass : {true, false}) {
      const auto output =
          one_pass ? embed_features(numeric, ids, tables) : by_torch(numeric, ids, tables);
      outputs.push_back(output);
      gradients.push_back(torch::autograd::grad({(output * output.detach().cos()).sum()},
                                                {numeric, tables[0], tables[1]}));
    }
    EXPECT_TRUE(torch::equal(outputs[0], outputs[1]));
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_TRUE(torch::allclose(gradients[0][i], gradients[1][i], 1e-4, 1e-5))
          << rows << " " << i;
    }
  }
}

TEST(FeatureEmbeddings, WorksWithoutNumbersOrTables) {
  const auto table = torch::arange(6, torch::kFloat32).reshape({3, 2});
  const auto ids = torch::tensor({2, 0}, torch::kInt64).reshape({2, 1});
  EXPECT_TRUE(
      torch::equal(embed_features({}, ids, {table}), table.index_select(0, ids.select(1, 0))));
  const auto numbers = torch::randn({2, 3});
  EXPECT_TRUE(torch::equal(embed_features(numbers, ids, {}), numbers));
}

TEST(FeatureEmbeddings, NamesAnIdOutsideOfItsTable) {
  const auto ids = torch::tensor({0, 1, 0, 7}, torch::kInt64).reshape({2, 2});
  try {
    embed_features(torch::zeros({2, 1}), ids, {torch::zeros({2, 2}), torch::zeros({7, 2})});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("column 1 has the id 7, and its table has 7 rows"),
              std::string::npos)
        << error.message();
  }
}

}  // namespace
}  // namespace firesteel::nn
