// Labels of a pre-trained model's head: their names, and what its logits are for the trainer.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "tensor/encoder_spec.h"

namespace firesteel {

/// A name per logit. Two classes have two logits, as is usual for pre-trained models.
struct ClassLabels {
  Task task = Task::kBinary;
  std::vector<std::string> names;

  /// [B, names] as the trainer wants them: of two classes their difference, [B, 1].
  torch::Tensor outputs(const torch::Tensor& logits) const;
};

/// Throws INVALID_OPTION for tasks that have no labels to name, telling the `kind`.
ClassLabels class_labels(const std::vector<EncoderSpec>& specs, const std::string& kind);

}  // namespace firesteel
