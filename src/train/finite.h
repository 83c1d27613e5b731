// Where numbers stop being finite: for the message when a loss does.
#pragma once

#include <functional>
#include <string>

namespace torch::nn {
class Module;
}

namespace firesteel {

/// Runs `forward` and names the first operation whose output holds NaN or infinity while its inputs
/// do not, with the module whose parameter it takes: "aten::addmm of `layers.2`". Empty when there
/// is none.
std::string first_not_finite(const torch::nn::Module& module, const std::function<void()>& forward);

}  // namespace firesteel
