// Activations by the names that config.json has for them.
#pragma once

#include <torch/types.h>

#include <string>

namespace firesteel {

/// gelu, gelu_new, gelu_pytorch_tanh, relu or silu: whoever reads a config.json refuses others.
torch::Tensor activate(const std::string& name, const torch::Tensor& x);

}  // namespace firesteel
