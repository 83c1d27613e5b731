// By the label's spec, or those of several labels.
#include "models/class_labels.h"

#include <fmt/format.h>

#include "base/error.h"

namespace firesteel {

torch::Tensor ClassLabels::outputs(const torch::Tensor& logits) const {
  return task == Task::kBinary ? logits.slice(1, 1, 2) - logits.slice(1, 0, 1) : logits;
}

ClassLabels class_labels(const std::vector<EncoderSpec>& specs, const std::string& kind) {
  ClassLabels labels;
  for (const auto& spec : specs) {
    if (spec.kind != EncoderKind::kLabel) continue;
    labels.task = spec.task;
    switch (spec.task) {
      case Task::kMulticlass:
        return {spec.task, spec.vocabulary};
      case Task::kBinary:
        if (!spec.vocabulary.empty()) return {spec.task, spec.vocabulary};
        return {spec.task, {"0", "1"}};
      case Task::kRegression:
      case Task::kMultilabel:
        labels.names.push_back(spec.column);
        break;
      case Task::kRetrieval:
      case Task::kRanking:
      case Task::kReconstruction:
        throw Error("INVALID_OPTION", fmt::format("The network `{}` is not for a {} task.", kind,
                                                  task_name(spec.task)));
    }
  }
  return labels;
}

}  // namespace firesteel
