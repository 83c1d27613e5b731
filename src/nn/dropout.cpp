// Random numbers are splitmix64 of a counter (https://prng.di.unimi.it/splitmix64.c), two values
// from each; the backward pass multiplies by the same mask.
#include "nn/dropout.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <mutex>

namespace firesteel::nn {

namespace {

constexpr uint64_t kStep = 0x9e3779b97f4a7c15;

uint64_t splitmix64(uint64_t state) {
  state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
  state = (state ^ (state >> 27)) * 0x94d049bb133111eb;
  return state ^ (state >> 31);
}

uint64_t drawn_seed() {
  auto generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard lock(generator.mutex());
  return at::check_generator<at::CPUGeneratorImpl>(generator)->random64();
}

/// 0 or `scale`, for each value.
torch::Tensor mask_like(const torch::Tensor& input, double probability) {
  auto mask = torch::empty_like(input, torch::MemoryFormat::Contiguous);
  float* out = mask.mutable_data_ptr<float>();
  const uint64_t seed = drawn_seed();
  const auto dropped = static_cast<uint64_t>(std::ldexp(probability, 32));
  const auto scale = static_cast<float>(1 / (1 - probability));
  const int64_t count = mask.numel();
  at::parallel_for(0, (count + 1) / 2, 16384, [&](int64_t begin, int64_t end) {
    for (int64_t pair = begin; pair < end; ++pair) {
      const uint64_t random = splitmix64(seed + kStep * static_cast<uint64_t>(pair + 1));
      out[2 * pair] = (random & 0xffffffff) < dropped ? 0 : scale;
      if (2 * pair + 1 < count) out[2 * pair + 1] = (random >> 32) < dropped ? 0 : scale;
    }
  });
  return mask;
}

struct MaskedProduct : torch::autograd::Function<MaskedProduct> {
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& input, double probability) {
    const auto mask = mask_like(input, probability);
    context->save_for_backward({mask});
    return input * mask;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    return {gradients[0] * context->get_saved_variables()[0], torch::Tensor()};
  }
};

}  // namespace

torch::Tensor DropoutImpl::forward(const torch::Tensor& input) {
  if (!is_training() || probability == 0) return input;
  if (!input.is_cpu() || input.scalar_type() != torch::kFloat32) {
    return torch::dropout(input, probability, true);
  }
  return MaskedProduct::apply(input, probability);
}

}  // namespace firesteel::nn
