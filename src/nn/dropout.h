// Dropout whose random numbers cost little on a CPU: PyTorch draws them one after the other on one
// thread, which takes longer than a small model's matrix products.
#pragma once

#include <torch/torch.h>

namespace firesteel::nn {

/// [*] float32 → [*] float32: in training each value is 0 with the probability given, else scaled
/// by 1 / (1 - probability). One draw from PyTorch's CPU generator per call seeds a counter-based
/// generator, so that the same seed gives the same values on any number of threads. Not the values
/// of torch::nn::Dropout. On other devices it is torch::dropout.
struct DropoutImpl : torch::nn::Module {
  explicit DropoutImpl(double probability) : probability(probability) {}
  torch::Tensor forward(const torch::Tensor& input);

  double probability;
};
TORCH_MODULE(Dropout);

}  // namespace firesteel::nn
