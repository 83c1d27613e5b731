// Adapters inside dense layers, and over all of a model.
#include "models/lora.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "base/error.h"

namespace firesteel {

namespace nn = torch::nn;

void DenseImpl::transpose() {
  weight.set_data(weight.t());
  transposed = !transposed;
}

torch::Tensor DenseImpl::forward(const torch::Tensor& x) {
  const auto y = torch::linear(x, transposed ? weight.t() : weight, bias);
  if (!lora_a) return y;
  const auto seen = dropout > 0 ? torch::dropout(x, dropout, is_training()) : x;
  return y + lora_b(lora_a(seen)) * scale;
}

void DenseImpl::adapt(const LoraOptions& given) {
  const auto narrow = [&](int64_t in, int64_t out) {
    nn::Linear made(nn::LinearOptions(in, out).bias(false));
    made->to(weight.device(), weight.scalar_type());
    return made;
  };
  lora_a = register_module("lora_A", narrow(options.in_features(), given.rank));
  lora_b = register_module("lora_B", narrow(given.rank, options.out_features()));
  const torch::NoGradGuard no_grad;
  lora_b->weight.zero_();
  scale = given.alpha / static_cast<double>(given.rank);
  dropout = given.dropout;
}

void DenseImpl::merge() {
  if (!lora_a) return;
  const torch::NoGradGuard no_grad;
  const auto product = lora_b->weight.mm(lora_a->weight);
  weight.add_(transposed ? product.t() : product, scale);
  unregister_module("lora_A");
  unregister_module("lora_B");
  lora_a = nn::Linear(nullptr);
  lora_b = nn::Linear(nullptr);
}

namespace {

void add_adapters(nn::Module& module, const LoraOptions& options) {
  if (options.rank < 1) throw Error("INVALID_OPTION", "The rank of an adapter is at least 1.");
  std::set<std::string> found, known;
  for (const auto& item : module.named_modules()) {
    auto* dense = item.value()->as<DenseImpl>();
    if (!dense) continue;
    const auto name = item.key().substr(item.key().rfind('.') + 1);
    known.insert(name);
    if (std::find(options.targets.begin(), options.targets.end(), name) == options.targets.end())
      continue;
    found.insert(name);
    dense->adapt(options);
  }
  for (const auto& target : options.targets) {
    if (found.contains(target)) continue;
    throw Error(
        "INVALID_OPTION",
        fmt::format("The model has no layer `{}` that takes an adapter{}.", target,
                    known.empty() ? "" : fmt::format("; it has {}", fmt::join(known, ", "))));
  }
}

bool begins_with_one(const std::string& name, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return name.starts_with(prefix); });
}

}  // namespace

FineTuned::FineTuned(nn::Module& module, const FineTuning& options,
                     const std::vector<std::string>& head)
    : module_(module) {
  if (options.of == FineTuning::Of::kAll) return;
  for (auto& item : module.named_parameters()) {
    if (begins_with_one(item.key(), head)) continue;
    item.value().requires_grad_(false);
    frozen_.push_back(item.value());
  }
  if (options.of == FineTuning::Of::kLora) add_adapters(module, options.lora);
}

FineTuned::~FineTuned() {
  for (auto& parameter : frozen_) parameter.requires_grad_(true);
  for (const auto& item : module_.named_modules())
    if (auto* dense = item.value()->as<DenseImpl>()) dense->merge();
}

}  // namespace firesteel
