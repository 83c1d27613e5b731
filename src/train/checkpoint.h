// Checkpoints of the trainer: all that the next epoch depends on, in files that are checked on
// reading.
#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <optional>
#include <string>

#include "train/optimizer.h"
#include "train/trainer.h"

namespace firesteel {

/// The state after an epoch.
struct TrainState {
  int64_t epochs_done = 0;
  int64_t steps_done = 0;
  int64_t epochs_without_gain = 0;
  int64_t best_epoch = -1;
  double best_metric = 0;
  std::vector<EpochRecord> history;
  std::map<std::string, torch::Tensor> best_weights;  // empty without validation
};

/// Writes `checkpoint-<epochs>.ckpt` aside, renames it into place and removes all but the last two.
/// `settings` is JSON text of all that must be the same on resume.
void save_checkpoint(const std::filesystem::path& folder, const TrainState& state,
                     const torch::nn::Module& module, const Optimizer& optimizer,
                     const std::string& settings);

/// Restores the newest whole checkpoint, or nothing when the folder has none at all. A damaged one
/// is passed over for the one before it; CHECKPOINT_DAMAGED when all are. INVALID_OPTION when it
/// was written with other settings.
std::optional<TrainState> load_checkpoint(const std::filesystem::path& folder,
                                          torch::nn::Module& module, Optimizer& optimizer,
                                          const std::string& settings);

/// Parameters and buffers by name; `assign` copies into the module. INVALID_ARTIFACT when a name or
/// a shape differs.
std::map<std::string, torch::Tensor> weights_of(const torch::nn::Module& module);
void assign_weights(torch::nn::Module& module, const std::map<std::string, torch::Tensor>& weights,
                    const std::string& origin);

}  // namespace firesteel
