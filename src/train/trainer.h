// The training loop over batches of a Loader: optimizers, losses, schedules, early stopping,
// checkpoints and exact resume from any step. Knows modules and tensors only.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "tensor/loader.h"
#include "train/metrics.h"
#include "train/options.h"

namespace torch::nn {
class Module;
}

namespace firesteel {

/// A module and how it is applied: logits [B, outputs] of a batch.
struct Trainable {
  std::shared_ptr<torch::nn::Module> module;
  std::function<torch::Tensor(const Batch&)> forward;
};

/// Where an epoch is to begin.
struct LoaderStart {
  int64_t epoch = 0, batch = 0;
};
/// Opens the rows from there on.
using OpenLoader = std::function<std::unique_ptr<Loader>(LoaderStart start)>;

/// Trains in place. `validation` may be empty; it is opened once per call. Two runs with the same
/// seed, rows and number of threads give bit-equal losses and weights on a CPU, whether or not one
/// was stopped or killed at any step and resumed. Throws TRAINING_DATA_INVALID when there is no row
/// or the loss is no longer a number, CHECKPOINT_DAMAGED, INVALID_OPTION, OPERATION_CANCELED.
TrainResult train(const Trainable& model, const OpenLoader& rows, const OpenLoader& validation,
                  const TrainerOptions& options,
                  const std::function<void(const TrainProgress&)>& progress = {});

/// Scores of one epoch of a loader.
Scores predict(const Trainable& model, Loader& loader, Task task,
               const std::string& device = "auto");
/// "auto" is CUDA where there is one. Throws INVALID_OPTION.
torch::Device device_of(const std::string& name);

}  // namespace firesteel
