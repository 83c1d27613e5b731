// What PyTorch calls them.
#include "models/activation.h"

#include <torch/torch.h>

namespace firesteel {

torch::Tensor activate(const std::string& name, const torch::Tensor& x) {
  if (name == "silu") return torch::silu(x);
  if (name == "relu") return torch::relu(x);
  return torch::gelu(x, name == "gelu" ? "none" : "tanh");
}

}  // namespace firesteel
