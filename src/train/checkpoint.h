// Checkpoints of the trainer: all that the next step depends on, in files that are checked on
// reading.
#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "train/options.h"

namespace firesteel {

/// Where a run is. The rows are found again by the epoch and the number of batches done in it.
struct TrainState {
  int64_t epochs_done = 0;
  int64_t steps_done = 0;
  int64_t epochs_without_gain = 0;
  int64_t best_epoch = -1;
  double best_metric = 0;
  std::vector<EpochRecord> history;
  int64_t batch_rows = 0;    // of a full batch
  double learning_rate = 0;  // of the last step
  // Of the epoch that is under way:
  int64_t batches_done = 0, rows_done = 0;
  double loss_sum = 0, weight_sum = 0;
};

struct Checkpoint {
  TrainState state;
  /// By name: "model.layers.0.weight", "optimizer.average.layers.0.weight", "best.…".
  std::map<std::string, torch::Tensor> tensors;
  /// Of each worker's random numbers, by rank.
  std::vector<torch::Tensor> random;

  /// Those of a prefix, "model.", without it.
  std::map<std::string, torch::Tensor> with_prefix(std::string_view prefix) const;
  void add(std::string_view prefix, const std::map<std::string, torch::Tensor>& tensors);
};

/// The state of the CPU's random numbers.
torch::Tensor random_state();
void set_random_state(const torch::Tensor& state);

/// Writes `checkpoint-<epochs>-<batches>.ckpt` aside, renames it into place and removes all but the
/// newest `kept`. `settings` is JSON text of all that must be the same on resume.
void save_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint,
                     const std::string& settings, int64_t kept);

/// The newest whole checkpoint, or nothing when the folder has none at
/// all. A damaged one is passed over for the one before it; CHECKPOINT_DAMAGED when all are.
/// INVALID_OPTION when it was written with other settings, unless those are empty.
std::optional<Checkpoint> load_checkpoint(const std::filesystem::path& folder,
                                          const std::string& settings);

/// Parameters and buffers by name; `assign` copies into the module. INVALID_ARTIFACT when a name or
/// a shape differs.
std::map<std::string, torch::Tensor> weights_of(const torch::nn::Module& module);
void assign_weights(torch::nn::Module& module, const std::map<std::string, torch::Tensor>& weights,
                    const std::string& origin);

}  // namespace firesteel
