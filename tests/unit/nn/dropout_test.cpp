// What dropout promises: the share, the scale, the seed, the threads, the gradient.
#include "nn/dropout.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace firesteel::nn {
namespace {

torch::Tensor dropped(double probability, uint64_t seed) {
  torch::manual_seed(seed);
  Dropout dropout(probability);
  return dropout(torch::ones({1001, 997}));
}

TEST(Dropout, DropsTheShareAndScalesTheRest) {
  for (const double probability : {0.1, 0.5, 0.9}) {
    const auto values = dropped(probability, 1);
    EXPECT_NEAR(values.eq(0).to(torch::kFloat64).mean().item<double>(), probability, 0.002);
    const auto kept = values.masked_select(values.ne(0));
    EXPECT_TRUE(kept.eq(static_cast<float>(1 / (1 - probability))).all().item<bool>());
    // Rows and columns are independent of their neighbours.
    const auto zero = values.eq(0).to(torch::kFloat64);
    for (const int64_t axis : {0, 1}) {
      const auto both = zero.slice(axis, 1) * zero.slice(axis, 0, -1);
      EXPECT_NEAR(both.mean().item<double>(), probability * probability, 0.003);
    }
  }
}

TEST(Dropout, TheSeedDecidesWhateverTheThreads) {
  const auto first = dropped(0.3, 5);
  const int threads = at::get_num_threads();
  at::set_num_threads(threads == 1 ? 2 : 1);
  EXPECT_TRUE(torch::equal(first, dropped(0.3, 5)));
  at::set_num_threads(threads);
  EXPECT_FALSE(torch::equal(first, dropped(0.3, 6)));
}

TEST(Dropout, EachCallDrawsAnew) {
  torch::manual_seed(1);
  Dropout dropout(0.5);
  const auto input = torch::ones({64, 64});
  EXPECT_FALSE(torch::equal(dropout(input), dropout(input)));
}

TEST(Dropout, TheGradientPassesWhereTheValueDid) {
  Dropout dropout(0.4);
  const auto input = torch::rand({33, 7}).add_(1).requires_grad_();
  const auto output = dropout(input);
  output.sum().backward();
  EXPECT_TRUE(torch::allclose(input.grad() * input, output));
}

TEST(Dropout, DoesNothingInEvaluation) {
  Dropout dropout(0.4);
  dropout->eval();
  const auto input = torch::rand({5, 5});
  EXPECT_TRUE(torch::equal(dropout(input), input));
}

}  // namespace
}  // namespace firesteel::nn
