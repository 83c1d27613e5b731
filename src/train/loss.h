// Losses and scores of logits, by task.
#pragma once

#include <torch/types.h>

#include "tensor/encoder.h"
#include "train/options.h"

namespace firesteel {

/// Mean loss of logits [B, outputs], weighted by row when the batch has weights. float32, whatever
/// the logits are. Of an ensemble's logits [B, members, outputs] it is the mean of the members'. Of
/// a ranking it is the mean over the pairs of rows of one group, without weights.
torch::Tensor loss_of(const torch::Tensor& logits, const Batch& batch, Task task,
                      const LossOptions& options);
/// Probabilities (values for regression and ranking) of logits [B, outputs]; of an ensemble's
/// logits the mean of the members'. For retrieval, of logits [B, B]: each row's loss, and the rank
/// of its own item among the batch's, from 1, where equal ones count half. Of a reconstruction,
/// whose logits are differences, the mean square of each row's.
torch::Tensor scores_of(const torch::Tensor& logits, Task task);
/// Throws INVALID_OPTION when the loss is not one for the task.
void check_loss(Task task, const LossOptions& options);

}  // namespace firesteel
