// A checkpoint is a line with the checksum, then a safetensors file of weights, optimizer moments
// and generator state, whose metadata holds the numbers.
#include "train/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "train/options_json.h"
#include "train/safetensors.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kMagic = "firesteel checkpoint 3 ";
constexpr const char* kRandom = "random.";
constexpr size_t kHeaderBytes = kMagic.size() + 16 + 1;

/// Checkpoints of a folder, newest first.
std::vector<fs::path> checkpoints_in(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("checkpoint-") && name.ends_with(".ckpt")) paths.push_back(entry.path());
  }
  std::sort(paths.rbegin(), paths.rend());
  return paths;
}

std::string state_json(const TrainState& state) {
  nlohmann::json json = {{"epochs_done", state.epochs_done},
                         {"steps_done", state.steps_done},
                         {"epochs_without_gain", state.epochs_without_gain},
                         {"best_epoch", state.best_epoch},
                         {"best_metric", number_or_null(state.best_metric)},
                         {"batch_rows", state.batch_rows},
                         {"learning_rate", state.learning_rate},
                         {"batches_done", state.batches_done},
                         {"rows_done", state.rows_done},
                         {"loss_sum", state.loss_sum},
                         {"weight_sum", state.weight_sum}};
  json["history"] = state.history;
  return json.dump();
}

TrainState state_from_json(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  TrainState state;
  state.epochs_done = json.at("epochs_done");
  state.steps_done = json.at("steps_done");
  state.epochs_without_gain = json.at("epochs_without_gain");
  state.best_epoch = json.at("best_epoch");
  state.best_metric = number_of(json.at("best_metric"));
  state.batch_rows = json.at("batch_rows");
  state.learning_rate = json.at("learning_rate");
  state.batches_done = json.at("batches_done");
  state.rows_done = json.at("rows_done");
  state.loss_sum = json.at("loss_sum");
  state.weight_sum = json.at("weight_sum");
  json.at("history").get_to(state.history);
  return state;
}

void check_settings(const std::string& saved, const std::string& now, const fs::path& path) {
  if (saved == now || now.empty()) return;
  const auto before = nlohmann::json::parse(saved), after = nlohmann::json::parse(now);
  for (const auto& [key, value] : after.items()) {
    if (!before.contains(key) || before[key] != value) {
      throw Error(
          "INVALID_OPTION",
          fmt::format(
              "The checkpoint `{}` was made with {} = {}, and this run has {}. Resume "
              "with the same settings, start anew without resuming, or resume though it changed.",
              path.string(), key, before.value(key, nlohmann::json()).dump(), value.dump()));
    }
  }
}

NamedTensors read_checked(const fs::path& path) {
  const std::string bytes = read_file(path);
  const std::string_view whole = bytes;
  if (whole.size() < kHeaderBytes || !whole.starts_with(kMagic) ||
      whole.substr(kMagic.size(), 16) != hash_text(hash_bytes(whole.substr(kHeaderBytes)))) {
    throw Error("CHECKPOINT_DAMAGED",
                fmt::format("The checkpoint `{}` is damaged.", path.string()));
  }
  return parse_safetensors(whole.substr(kHeaderBytes), path.string());
}

}  // namespace

std::map<std::string, torch::Tensor> Checkpoint::with_prefix(std::string_view prefix) const {
  std::map<std::string, torch::Tensor> found;
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(prefix)) found.emplace(name.substr(prefix.size()), tensor);
  }
  return found;
}

void Checkpoint::add(std::string_view prefix, const std::map<std::string, torch::Tensor>& more) {
  for (const auto& [name, tensor] : more) tensors[std::string(prefix) + name] = tensor;
}

torch::Tensor random_state() {
  auto generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard lock(generator.mutex());
  return generator.get_state();
}

void set_random_state(const torch::Tensor& state) {
  auto generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard lock(generator.mutex());
  generator.set_state(state);
}

void save_checkpoint(const fs::path& folder, const Checkpoint& checkpoint,
                     const std::string& settings, int64_t kept) {
  NamedTensors named;
  named.tensors = checkpoint.tensors;
  for (size_t rank = 0; rank < checkpoint.random.size(); ++rank) {
    named.tensors[kRandom + std::to_string(rank)] = checkpoint.random[rank];
  }
  named.metadata["state"] = state_json(checkpoint.state);
  named.metadata["settings"] = settings;

  std::error_code code;
  fs::create_directories(folder, code);
  const std::string body = safetensors_bytes(named);
  const auto& [epochs, batches] =
      std::pair(checkpoint.state.epochs_done, checkpoint.state.batches_done);
  const auto path = folder / fmt::format("checkpoint-{:06}-{:09}.ckpt", epochs, batches);
  write_file_aside(path, fmt::format("{}{}\n", kMagic, hash_text(hash_bytes(body))) + body);
  const auto all = checkpoints_in(folder);
  for (size_t i = static_cast<size_t>(kept); i < all.size(); ++i) fs::remove(all[i], code);
}

std::optional<Checkpoint> load_checkpoint(const fs::path& folder, const std::string& settings) {
  const auto paths = checkpoints_in(folder);
  for (const auto& path : paths) {
    NamedTensors saved;
    try {
      saved = read_checked(path);
    } catch (const Error& error) {
      if (error.condition() == "PATH_NOT_FOUND" || error.condition() == "IO_ERROR") throw;
      continue;
    }
    check_settings(saved.metadata["settings"], settings, path);
    Checkpoint checkpoint{state_from_json(saved.metadata["state"]), std::move(saved.tensors), {}};
    for (const auto& [rank, state] : checkpoint.with_prefix(kRandom)) {
      checkpoint.random.resize(std::max(checkpoint.random.size(), std::stoul(rank) + 1));
      checkpoint.random[std::stoul(rank)] = state;
    }
    return checkpoint;
  }
  if (paths.empty()) return std::nullopt;
  throw Error("CHECKPOINT_DAMAGED",
              fmt::format("Every checkpoint in `{}` is damaged ({} of them). Remove them, or start "
                          "anew without resuming.",
                          folder.string(), paths.size()));
}

std::map<std::string, torch::Tensor> weights_of(const torch::nn::Module& module) {
  std::map<std::string, torch::Tensor> weights;
  for (const auto& row : module.named_parameters()) weights[row.key()] = row.value().detach();
  for (const auto& row : module.named_buffers()) weights[row.key()] = row.value().detach();
  return weights;
}

void assign_weights(torch::nn::Module& module, const std::map<std::string, torch::Tensor>& weights,
                    const std::string& origin) {
  torch::NoGradGuard no_grad;
  auto own = weights_of(module);
  for (auto& [name, tensor] : own) {
    const auto found = weights.find(name);
    if (found == weights.end() || found->second.sizes() != tensor.sizes()) {
      throw Error(
          "INVALID_ARTIFACT",
          fmt::format("`{}` has no tensor `{}` of the shape that the model needs.", origin, name));
    }
    tensor.copy_(found->second);
  }
  if (weights.size() != own.size()) {
    throw Error("INVALID_ARTIFACT",
                fmt::format("`{}` has tensors that the model does not know.", origin));
  }
}

}  // namespace firesteel
