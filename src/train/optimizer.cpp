// Adam (https://arxiv.org/abs/1412.6980), AdamW (https://arxiv.org/abs/1711.05101), SGD with
// momentum as in PyTorch, Lion (https://arxiv.org/abs/2302.06675).
#include "train/optimizer.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <utility>

#include "base/named.h"

namespace firesteel {

namespace {

constexpr Named<OptimizerKind> kOptimizers[] = {{OptimizerKind::kAdamW, "adamw"},
                                                {OptimizerKind::kAdam, "adam"},
                                                {OptimizerKind::kSgd, "sgd"},
                                                {OptimizerKind::kLion, "lion"}};

bool has_average(const OptimizerOptions& options) {
  return options.kind != OptimizerKind::kSgd || options.momentum > 0;
}
bool has_square(const OptimizerOptions& options) {
  return options.kind == OptimizerKind::kAdam || options.kind == OptimizerKind::kAdamW;
}

}  // namespace

Optimizer::Optimizer(const torch::nn::Module& module, const OptimizerOptions& options)
    : options_(options) {
  if (options_.beta2 == 0) options_.beta2 = options.kind == OptimizerKind::kLion ? 0.99 : 0.999;
  std::vector<bool> used(options.groups.size());
  for (const auto& row : module.named_parameters()) {
    auto parameter = row.value();
    Slot slot{row.key(), 1, options.weight_decay, parameter, {}, {}, {}};
    for (size_t i = 0; i < options.groups.size(); ++i) {
      const auto& group = options.groups[i];
      if (!row.key().starts_with(group.prefix)) continue;
      used[i] = true;
      if (group.frozen) parameter.requires_grad_(false);
      slot.learning_rate_factor = group.learning_rate_factor;
      slot.weight_decay = group.weight_decay.value_or(options.weight_decay);
      break;
    }
    if (!parameter.requires_grad()) continue;
    if (has_average(options)) slot.average = torch::zeros_like(parameter);
    if (has_square(options)) slot.square = torch::zeros_like(parameter);
    slot.steps = torch::zeros({}, torch::TensorOptions(torch::kFloat32).device(parameter.device()));
    slots_.push_back(std::move(slot));
  }
  for (size_t i = 0; i < used.size(); ++i) {
    if (used[i]) continue;
    throw Error("INVALID_OPTION",
                fmt::format("No parameter's name begins with `{}`.", options.groups[i].prefix));
  }
  if (slots_.empty()) throw Error("INVALID_OPTION", "Every parameter is frozen: none is trained.");
}

void Optimizer::zero_grad() {
  for (auto& slot : slots_) slot.parameter.mutable_grad().reset();
}

void Optimizer::step(double learning_rate) {
  torch::NoGradGuard no_grad;
  // One call for all parameters that are trained alike.
  std::map<std::pair<double, double>, std::vector<Slot*>> groups;
  for (auto& slot : slots_) {
    if (slot.parameter.grad().defined()) {
      groups[{slot.learning_rate_factor, slot.weight_decay}].push_back(&slot);
    }
  }
  for (const auto& [how, slots] : groups) {
    step_group(slots, learning_rate * how.first, how.second);
  }
}

void Optimizer::step_group(const std::vector<Slot*>& slots, double rate, double decay) {
  std::vector<torch::Tensor> parameters, gradients, averages, squares, steps;
  for (const auto* slot : slots) {
    parameters.push_back(slot->parameter);
    gradients.push_back(slot->parameter.grad());
    if (slot->average.defined()) averages.push_back(slot->average);
    if (slot->square.defined()) squares.push_back(slot->square);
    steps.push_back(slot->steps);
  }
  const bool first = options_.kind == OptimizerKind::kSgd && steps[0].item<float>() == 0;
  at::_foreach_add_(steps, 1);
  switch (options_.kind) {
    case OptimizerKind::kAdamW:
      at::_fused_adamw_(parameters, gradients, averages, squares, {}, steps, rate, options_.beta1,
                        options_.beta2, decay, options_.epsilon, /*amsgrad=*/false,
                        /*maximize=*/false);
      break;
    case OptimizerKind::kAdam:
      at::_fused_adam_(parameters, gradients, averages, squares, {}, steps, rate, options_.beta1,
                       options_.beta2, decay, options_.epsilon, /*amsgrad=*/false,
                       /*maximize=*/false);
      break;
    case OptimizerKind::kSgd:
      at::_fused_sgd_(parameters, gradients, averages, decay, options_.momentum, rate,
                      /*dampening=*/0, options_.nesterov, /*maximize=*/false, first);
      break;
    case OptimizerKind::kLion: {
      auto update = at::_foreach_mul(averages, options_.beta1);
      at::_foreach_add_(update, gradients, 1 - options_.beta1);
      at::_foreach_sign_(update);
      at::_foreach_mul_(parameters, 1 - rate * decay);
      at::_foreach_add_(parameters, update, -rate);
      at::_foreach_mul_(averages, options_.beta2);
      at::_foreach_add_(averages, gradients, 1 - options_.beta2);
      break;
    }
  }
}

std::vector<std::pair<std::string, torch::Tensor>> Optimizer::parameters() const {
  std::vector<std::pair<std::string, torch::Tensor>> all;
  for (const auto& slot : slots_) all.emplace_back(slot.name, slot.parameter);
  return all;
}

std::map<std::string, torch::Tensor> Optimizer::state() const {
  std::map<std::string, torch::Tensor> state;
  for (const auto& slot : slots_) {
    if (slot.average.defined()) state["average." + slot.name] = slot.average;
    if (slot.square.defined()) state["square." + slot.name] = slot.square;
    state["steps." + slot.name] = slot.steps;
  }
  return state;
}

void Optimizer::load(const std::map<std::string, torch::Tensor>& state) {
  for (const auto& [name, tensor] : this->state()) {
    const auto found = state.find(name);
    if (found == state.end() || found->second.sizes() != tensor.sizes()) {
      throw Error("CHECKPOINT_DAMAGED",
                  fmt::format("The checkpoint has no `{}` of the optimizer.", name));
    }
    tensor.copy_(found->second);
  }
}

std::string_view optimizer_name(OptimizerKind kind) { return name_of(kOptimizers, kind); }

OptimizerKind optimizer_from_name(std::string_view name) {
  return value_named(kOptimizers, "optimizer", name);
}

}  // namespace firesteel
