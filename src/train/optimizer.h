// Optimizers over the parameters of a module, each step one fused or foreach call of libtorch.
#pragma once

#include <torch/types.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "train/options.h"

namespace torch::nn {
class Module;
}

namespace firesteel {

/// Updates the parameters that require gradients; those of frozen groups do not from now on. One
/// thread; must not outlive the module's parameters' devices: make it after the module was moved.
class Optimizer {
 public:
  Optimizer(const torch::nn::Module& module, const OptimizerOptions& options);

  void zero_grad();
  /// Parameters without a gradient stay as they are.
  void step(double learning_rate);
  /// Those that are trained, with their names.
  std::vector<std::pair<std::string, torch::Tensor>> parameters() const;

  /// Moments and step counts by `<kind of moment>.<parameter>`, for a checkpoint.
  std::map<std::string, torch::Tensor> state() const;
  /// Copies such a state in. Throws CHECKPOINT_DAMAGED when a tensor is absent.
  void load(const std::map<std::string, torch::Tensor>& state);

 private:
  struct Slot {
    std::string name;
    double learning_rate_factor = 1, weight_decay = 0;
    torch::Tensor parameter;
    torch::Tensor average;  // of the gradients, or SGD's velocity
    torch::Tensor square;   // average of the squared gradients: Adam's
    torch::Tensor steps;    // float32 scalar, as the fused kernels have it
  };
  void step_group(const std::vector<Slot*>& slots, double rate, double decay);

  OptimizerOptions options_;
  std::vector<Slot> slots_;
};

}  // namespace firesteel
