// Each loss gives a value per row; the mean is taken at the end. Focal loss: Lin et al.,
// https://arxiv.org/abs/1708.02002. RankNet: Burges et al. 2005,
// https://doi.org/10.1145/1102351.1102363. Label smoothing as torch's CrossEntropyLoss has it.
#include "train/loss.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>

#include <array>
#include <map>
#include <utility>
#include <vector>

#include "base/named.h"

namespace firesteel {

namespace {

namespace F = torch::nn::functional;

struct LossRow {
  Loss value;
  std::string_view name;
  bool classes;  // for tasks of classes, else for regression
};
constexpr LossRow kLosses[] = {
    {Loss::kCrossEntropy, "cross_entropy", true},
    {Loss::kFocal, "focal", true},
    {Loss::kSquared, "squared_error", false},
    {Loss::kAbsolute, "absolute_error", false},
    {Loss::kHuber, "huber", false},
    {Loss::kQuantile, "quantile", false},
};

bool fits(const LossRow& row, Task task) {
  switch (task) {
    case Task::kBinary:
    case Task::kMulticlass:
    case Task::kMultilabel:
      return row.classes;
    case Task::kRegression:
      return !row.classes;
    case Task::kRetrieval:
      return row.value == Loss::kCrossEntropy;
    case Task::kReconstruction:
      return row.value == Loss::kSquared;
    case Task::kRanking:
      return false;
  }
  return false;
}

Loss chosen(Task task, const LossOptions& options) {
  if (options.kind != Loss::kDefault) return options.kind;
  return task == Task::kRegression ? Loss::kSquared : Loss::kCrossEntropy;
}

torch::Tensor binary(const torch::Tensor& logits, const torch::Tensor& label,
                     const LossOptions& options) {
  auto settings = F::BinaryCrossEntropyWithLogitsFuncOptions().reduction(torch::kNone);
  if (options.positive_weight != 1) {
    settings.pos_weight(torch::tensor(options.positive_weight, logits.options()));
  }
  const double smooth = options.label_smoothing;
  const auto target = smooth > 0 ? label * (1 - smooth) + smooth / 2 : label;
  const auto each = F::binary_cross_entropy_with_logits(logits, target, settings);
  if (options.kind != Loss::kFocal) return each;
  const auto probability = torch::sigmoid(logits);
  const auto of_truth = probability * label + (1 - probability) * (1 - label);
  return each * (1 - of_truth).pow(options.focal_gamma);
}

torch::Tensor multiclass(const torch::Tensor& logits, const torch::Tensor& label,
                         const LossOptions& options) {
  auto settings =
      F::CrossEntropyFuncOptions().reduction(torch::kNone).label_smoothing(options.label_smoothing);
  if (!options.class_weights.empty()) {
    settings.weight(torch::tensor(options.class_weights, torch::kFloat32).to(logits.device()));
  }
  const auto each = F::cross_entropy(logits, label, settings);
  if (options.kind != Loss::kFocal) return each;
  const auto of_truth = torch::softmax(logits, 1).gather(1, label.unsqueeze(1)).squeeze(1);
  return each * (1 - of_truth).pow(options.focal_gamma);
}

torch::Tensor regression(const torch::Tensor& value, const torch::Tensor& label, Loss loss,
                         const LossOptions& options) {
  const auto difference = value - label;
  switch (loss) {
    case Loss::kAbsolute:
      return difference.abs();
    case Loss::kHuber:
      return torch::huber_loss(value, label, at::Reduction::None, options.huber_delta);
    case Loss::kQuantile:
      return torch::maximum(-options.quantile * difference, (1 - options.quantile) * difference);
    default:
      return difference.square();
  }
}

/// RankNet: of each pair of rows of one group that differ in relevance, log(1 + exp(worse -
/// better)); the mean over the pairs. Zero without pairs.
torch::Tensor ranking(const torch::Tensor& scores, const torch::Tensor& label) {
  const auto labels = label.cpu().contiguous();
  const auto* values = labels.const_data_ptr<float>();
  std::map<std::pair<float, float>, std::vector<int64_t>> groups;
  for (int64_t row = 0; row < labels.size(0); ++row) {
    groups[{values[3 * row + 1], values[3 * row + 2]}].push_back(row);
  }
  std::vector<int64_t> better, worse;
  for (const auto& [group, rows] : groups) {
    for (const int64_t a : rows) {
      for (const int64_t b : rows) {
        if (!(values[3 * a] > values[3 * b])) continue;
        better.push_back(a);
        worse.push_back(b);
      }
    }
  }
  if (better.empty()) return (scores * 0).sum();
  const auto chosen = [&](const std::vector<int64_t>& rows) {
    return scores.index_select(0, torch::tensor(rows).to(scores.device()));
  };
  return torch::softplus(chosen(worse) - chosen(better)).mean();
}

}  // namespace

torch::Tensor loss_of(const torch::Tensor& given, const Batch& batch, Task task,
                      const LossOptions& options) {
  auto logits = given.to(torch::kFloat32), label = batch.label;
  if (task == Task::kRanking) return ranking(logits.squeeze(-1), label);
  const int64_t members = logits.dim() == 3 ? logits.size(1) : 1;
  if (logits.dim() == 3) {  // Each member's row is a row of its own.
    logits = logits.flatten(0, 1);
    label = label.repeat_interleave(members, 0);
  }
  torch::Tensor each;
  switch (task) {
    case Task::kBinary:
      each = binary(logits.squeeze(1), label, options);
      break;
    case Task::kMultilabel:
      each = binary(logits, label, options).mean(1);
      break;
    case Task::kMulticlass:
      each = multiclass(logits, label, options);
      break;
    case Task::kRanking:  // Its loss is one of pairs, above.
      break;
    case Task::kReconstruction:
      each = logits.square().mean(1);
      break;
    case Task::kRetrieval:
      each = multiclass(logits, torch::arange(logits.size(0), logits.device()), options);
      break;
    case Task::kRegression:
      each = regression(logits.squeeze(1), label, chosen(task, options), options);
      break;
  }
  if (members > 1) each = each.view({-1, members}).mean(1);
  if (!batch.weight.defined()) return each.mean();
  return (each * batch.weight).sum() / batch.weight.sum();
}

torch::Tensor scores_of(const torch::Tensor& given, Task task) {
  const auto logits = given.to(torch::kFloat32);
  if (logits.dim() == 3) {
    return scores_of(logits.flatten(0, 1), task).view(logits.sizes()).mean(1);
  }
  switch (task) {
    case Task::kBinary:
    case Task::kMultilabel:
      return torch::sigmoid(logits);
    case Task::kMulticlass:
      return torch::softmax(logits, 1);
    case Task::kRetrieval: {
      const auto own = logits.diagonal().unsqueeze(1);
      const auto above = logits.gt(own).sum(1), equal = logits.eq(own).sum(1) - 1;
      return torch::stack({logits.logsumexp(1) - own.squeeze(1), 1 + above + equal / 2.0}, 1);
    }
    case Task::kReconstruction:
      return logits.square().mean(1, /*keepdim=*/true);
    case Task::kRegression:
    case Task::kRanking:
      return logits;
  }
  return logits;
}

void check_loss(Task task, const LossOptions& options) {
  const auto refuse = [](const std::string& what) { throw Error("INVALID_OPTION", what); };
  if (options.kind != Loss::kDefault) {
    std::vector<std::string_view> names;
    bool found = false;
    for (const auto& row : kLosses) {
      if (!fits(row, task)) continue;
      names.push_back(row.name);
      found = found || row.value == options.kind;
    }
    if (task == Task::kRanking) {
      refuse("A ranking has one loss, the logistic one of pairs: leave `loss` out.");
    }
    if (!found) {
      refuse(fmt::format("A {} task has no loss `{}`; it has {}.", task_name(task),
                         loss_name(options.kind), fmt::join(names, ", ")));
    }
  }
  if (!(options.positive_weight > 0)) refuse("`positive_weight` must be above 0.");
  if (!(options.label_smoothing >= 0 && options.label_smoothing < 1)) {
    refuse("`label_smoothing` must be in [0, 1).");
  }
  if (!(options.focal_gamma >= 0)) refuse("`focal_gamma` must be at least 0.");
  if (!(options.huber_delta > 0)) refuse("`huber_delta` must be above 0.");
  if (!(options.quantile > 0 && options.quantile < 1)) refuse("`quantile` must be in (0, 1).");
}

std::string_view loss_name(Loss loss) { return name_of(kLosses, loss); }

Loss loss_from_name(std::string_view name) { return value_named(kLosses, "loss", name); }

}  // namespace firesteel
