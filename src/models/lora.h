// Low-rank adapters (LoRA): a layer's weight stays as it is, and the product of two narrow matrices
// beside it learns.
#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "models/fine_tuning.h"

namespace firesteel {

/// y = x Wᵀ + b, and with an adapter + alpha / rank · (dropout(x) Aᵀ) Bᵀ, whose names are
/// `lora_A.weight` [rank, in] and `lora_B.weight` [out, rank], as in Hugging Face's PEFT. A starts
/// as a new linear layer's weight, B at zero.
struct DenseImpl : torch::nn::LinearImpl {
  using torch::nn::LinearImpl::LinearImpl;
  /// The weight has the shape [in, out] from here on, as GPT-2's files have it. In memory it stays
  /// as it is: a product of one row takes longer the other way.
  void transpose();
  torch::Tensor forward(const torch::Tensor& x);
  void adapt(const LoraOptions& options);
  /// The adapter's product goes into the weight, and the adapter goes.
  void merge();

  torch::nn::Linear lora_a{nullptr}, lora_b{nullptr};
  double scale = 1, dropout = 0;
  bool transposed = false;
};
TORCH_MODULE(Dense);

/// A module while it is fine-tuned: what is not to be trained needs no gradients, and adapters
/// stand where they are wanted. At its end they are part of the weights, and all may be trained
/// again.
class FineTuned {
 public:
  /// `head`: what the names of the last layers begin with. Throws INVALID_OPTION when a target is
  /// no layer that takes an adapter, naming those there are.
  FineTuned(torch::nn::Module& module, const FineTuning& options,
            const std::vector<std::string>& head);
  ~FineTuned();
  FineTuned(const FineTuned&) = delete;
  FineTuned& operator=(const FineTuned&) = delete;

 private:
  torch::nn::Module& module_;
  std::vector<torch::Tensor> frozen_;
};

}  // namespace firesteel
