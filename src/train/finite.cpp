// libtorch's modules have no hooks; its dispatcher has observers, which see every operation.
#include "train/finite.h"

#include <ATen/record_function.h>
#include <fmt/format.h>
#include <torch/torch.h>

#include <memory>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace firesteel {

namespace {

struct Search {
  std::unordered_map<const void*, std::string> parameters;  // data → name
  std::string found;
  bool looking = false;  // the looking's own operations are not looked at
};

thread_local Search* search = nullptr;

bool is_finite(const std::vector<c10::IValue>& values) {
  for (const auto& value : values) {
    if (!value.isTensor()) continue;
    const auto& tensor = value.toTensor();
    if (!tensor.defined() || !tensor.is_floating_point() || tensor.layout() != at::kStrided)
      continue;
    // Minus infinity is what masks are made of.
    if (at::isnan(tensor).logical_or(at::isposinf(tensor)).any().item<bool>()) return false;
  }
  return true;
}

/// "layers.2.weight" → "layers.2".
std::string module_of(const std::vector<c10::IValue>& inputs) {
  for (const auto& input : inputs) {
    if (!input.isTensor() || !input.toTensor().defined()) continue;
    const auto found = search->parameters.find(input.toTensor().const_data_ptr());
    if (found == search->parameters.end()) continue;
    return fmt::format(" of `{}`", found->second.substr(0, found->second.rfind('.')));
  }
  return "";
}

/// What is known of an operation before it runs; its inputs are gone after.
struct Before : at::ObserverContext {
  std::string name;  // with the module; empty: an input is not finite
};

/// Operations that give memory as it is, before others write to it.
bool gives_memory(std::string_view name) {
  return name.find("::empty") != std::string_view::npos ||
         name.find("::new_empty") != std::string_view::npos || name == "aten::resize_";
}

bool looks() { return search && !search->looking && search->found.empty(); }

std::unique_ptr<at::ObserverContext> look_before(const at::RecordFunction& operation) {
  if (!looks() || gives_memory(operation.name())) return nullptr;
  search->looking = true;
  auto before = std::make_unique<Before>();
  const std::vector<c10::IValue> inputs(operation.inputs().begin(), operation.inputs().end());
  if (is_finite(inputs)) before->name = std::string(operation.name()) + module_of(inputs);
  search->looking = false;
  return before;
}

void look_after(const at::RecordFunction& operation, at::ObserverContext* context) {
  const auto* before = static_cast<Before*>(context);
  if (!looks() || !before || before->name.empty()) return;
  search->looking = true;
  if (!is_finite(operation.outputs())) search->found = before->name;
  search->looking = false;
}

}  // namespace

std::string first_not_finite(const torch::nn::Module& module,
                             const std::function<void()>& forward) {
  Search state;
  for (const auto& row : module.named_parameters()) {
    state.parameters.emplace(row.value().const_data_ptr(), row.key());
  }
  search = &state;
  const auto handle = at::addThreadLocalCallback(at::RecordFunctionCallback(look_before, look_after)
                                                     .needsInputs(true)
                                                     .needsOutputs(true)
                                                     .scopes({at::RecordScope::FUNCTION}));
  try {
    torch::NoGradGuard no_grad;
    forward();
  } catch (...) {
    // The first failure is what counts, not that of looking for it.
  }
  at::removeCallback(handle);
  search = nullptr;
  return state.found;
}

}  // namespace firesteel
