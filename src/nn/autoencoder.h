// An autoencoder of numbers: Hinton and Salakhutdinov 2006
// (https://doi.org/10.1126/science.1127647).
#pragma once

#include "nn/tabular_net.h"

namespace firesteel::nn {

/// The numbers through linear layers down to the width hidden.back(), and through the same widths
/// back. What it gives is [B, N]: each number's reconstruction less the number. Reads hidden,
/// dropout, activation, batch_norm; needs numbers, and no categories.
struct AutoencoderImpl : FeatureNet {
  explicit AutoencoderImpl(const TabularNetOptions& options);
  torch::Tensor forward(const torch::Tensor& numeric, const torch::Tensor& categorical) override;

  torch::nn::Sequential encoder, decoder;
};

}  // namespace firesteel::nn
