// Mixed precision: autocast around the forward pass, and the scale of the loss that float16 needs.
#pragma once

#include <torch/types.h>

#include <map>
#include <string>
#include <vector>

#include "train/options.h"

namespace firesteel {

/// While it lives, matrix products of this thread are computed in the precision.
class Autocast {
 public:
  Autocast(Precision precision, torch::Device device);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  torch::Device device_;
  bool on_, before_ = false;
};

/// Multiplies the loss so that float16 gradients do not vanish, as torch's GradScaler: halved when
/// a gradient is not finite, doubled after 2000 steps of finite ones.
class LossScale {
 public:
  LossScale(Precision precision, torch::Device device);
  torch::Tensor scaled(const torch::Tensor& loss) const;
  /// Divides the gradients. False: one is not finite, and the step is to be left out.
  bool unscale(const std::vector<torch::Tensor>& gradients);

  /// For a checkpoint; empty for other precisions.
  std::map<std::string, torch::Tensor> state() const;
  void load(const std::map<std::string, torch::Tensor>& state);

 private:
  torch::Tensor scale_, good_steps_;  // undefined: no scaling
};

}  // namespace firesteel
