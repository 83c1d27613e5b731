// Temporal convolutional network: Bai et al. 2018 (https://arxiv.org/abs/1803.01271).
#pragma once

#include "nn/dropout.h"
#include "nn/sequence_net.h"

namespace firesteel::nn {

/// A convolution that looks back alone, over tokens `dilation` apart, with weight normalisation
/// (https://arxiv.org/abs/1602.07868): weight = g * v / |v| by output channel. [B, D, L] → the
/// same.
struct CausalConvImpl : torch::nn::Module {
  CausalConvImpl(int64_t width, int64_t kernel, int64_t dilation);
  torch::Tensor forward(const torch::Tensor& x);

  torch::Tensor weight_g, weight_v, bias;
  int64_t reach, dilation;  // tokens back
};
TORCH_MODULE(CausalConv);

/// Blocks of two convolutions of three tokens with a residual, the dilation doubled from block to
/// block; the last token's vector. Reads blocks, dropout.
struct TcnEncoder : SequenceEncoder {
  TcnEncoder(int64_t width, int64_t length_max, const TabularNetOptions& options);
  torch::Tensor forward(const torch::Tensor& tokens, const torch::Tensor& lengths) override;

  torch::nn::ModuleList first, second;  // a convolution per block
  Dropout dropout;
};

}  // namespace firesteel::nn
