// What losses and scores of ensembles are: those of the members, averaged.
#include "train/loss.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "base/error.h"

namespace firesteel {
namespace {

TEST(Loss, OfAnEnsembleIsTheMeanOfItsMembers) {
  torch::manual_seed(1);
  for (const auto task : {Task::kBinary, Task::kMulticlass, Task::kRegression, Task::kMultilabel}) {
    SCOPED_TRACE(task_name(task));
    const int64_t outputs = task == Task::kMulticlass || task == Task::kMultilabel ? 3 : 1;
    Batch batch;
    batch.label =
        task == Task::kMultilabel ? torch::randint(0, 2, {5, 3}) : torch::randint(0, 2, {5});
    if (task != Task::kMulticlass) batch.label = batch.label.to(torch::kFloat32);
    batch.weight = torch::rand({5});
    const auto logits = torch::randn({5, 4, outputs});
    torch::Tensor loss = torch::zeros({}), scores = torch::zeros({5, outputs});
    for (int64_t member = 0; member < 4; ++member) {
      loss = loss + loss_of(logits.select(1, member), batch, task, {}) / 4;
      scores = scores + scores_of(logits.select(1, member), task) / 4;
    }
    EXPECT_TRUE(torch::allclose(loss_of(logits, batch, task, {}), loss));
    EXPECT_TRUE(torch::allclose(scores_of(logits, task), scores));
  }
}

TEST(Loss, OfSeveralLabelsIsTheMeanOfTheirs) {
  torch::manual_seed(2);
  Batch batch;
  batch.label = torch::randint(0, 2, {6, 3}).to(torch::kFloat32);
  const auto logits = torch::randn({6, 3});
  const LossOptions options{.positive_weight = 3, .class_weights = {}, .label_smoothing = 0.1};
  torch::Tensor expected = torch::zeros({});
  for (int64_t label = 0; label < 3; ++label) {
    Batch one;
    one.label = batch.label.select(1, label);
    expected =
        expected + loss_of(logits.slice(1, label, label + 1), one, Task::kBinary, options) / 3;
  }
  EXPECT_TRUE(torch::allclose(loss_of(logits, batch, Task::kMultilabel, options), expected));
}

TEST(Loss, OfRetrievalIsTheCrossEntropyOfEachRowsOwnItem) {
  const auto logits = torch::tensor({3.f, 1.f, 0.f, 2.f, 2.f, 5.f, 0.f, 0.f, 0.f}).reshape({3, 3});
  const auto scores = scores_of(logits, Task::kRetrieval);
  const auto rank = scores.select(1, 1);
  EXPECT_TRUE(torch::equal(rank, torch::tensor({1.f, 2.5f, 2.f})));  // equal ones count half
  const auto expected = torch::nn::functional::cross_entropy(logits, torch::arange(3));
  EXPECT_TRUE(torch::allclose(loss_of(logits, {}, Task::kRetrieval, {}), expected));
  EXPECT_TRUE(torch::allclose(scores.select(1, 0).mean(), expected));
  LossOptions options;
  options.kind = Loss::kFocal;
  EXPECT_THROW(check_loss(Task::kRetrieval, options), Error);
}

TEST(Loss, OfRankingsIsThatOfThePairsOfAGroup) {
  // Rows 0, 2 and 4 are a group, 1 and 3 another that differs in the first half alone.
  Batch batch;
  batch.label =
      torch::tensor({2.f, 0.f, 7.f, 1.f, 1.f, 7.f, 1.f, 0.f, 7.f, 0.f, 1.f, 7.f, 1.f, 0.f, 7.f})
          .reshape({5, 3});
  const auto logits = torch::tensor({0.5f, -1.f, 2.f, 0.25f, 0.f}).reshape({5, 1}).requires_grad_();
  const auto pair = [&](int64_t better, int64_t worse) {
    return torch::log1p(torch::exp(logits[worse][0] - logits[better][0]));
  };
  const auto expected = (pair(0, 2) + pair(0, 4) + pair(1, 3)) / 3;
  const auto loss = loss_of(logits, batch, Task::kRanking, {});
  EXPECT_TRUE(torch::allclose(loss, expected));
  const auto members = torch::stack({logits, logits * 2}, 1);  // an ensemble
  EXPECT_TRUE(torch::allclose(loss_of(members, batch, Task::kRanking, {}),
                              (loss + loss_of(logits * 2, batch, Task::kRanking, {})) / 2));
  batch.label.select(1, 0).fill_(1);
  const auto none = loss_of(logits, batch, Task::kRanking, {});
  EXPECT_EQ(none.item<float>(), 0);
  none.backward();
  EXPECT_TRUE(logits.grad().eq(0).all().item<bool>());
  LossOptions options;
  options.kind = Loss::kSquared;
  EXPECT_THROW(check_loss(Task::kRanking, options), Error);
}

}  // namespace
}  // namespace firesteel
