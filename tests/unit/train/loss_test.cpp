// What losses and scores of ensembles are: those of the members, averaged.
#include "train/loss.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace firesteel {
namespace {

TEST(Loss, OfAnEnsembleIsTheMeanOfItsMembers) {
  torch::manual_seed(1);
  for (const auto task : {Task::kBinary, Task::kMulticlass, Task::kRegression}) {
    SCOPED_TRACE(task_name(task));
    const int64_t outputs = task == Task::kMulticlass ? 3 : 1;
    Batch batch;
    batch.label = torch::randint(0, 2, {5});
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

}  // namespace
}  // namespace firesteel
