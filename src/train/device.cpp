// What libtorch says of GPUs.
#include "train/device.h"

#include <fmt/format.h>
#include <torch/torch.h>

namespace firesteel {

std::string device_summary() {
  if (!torch::cuda::is_available()) {
    return torch::globalContext().hasCUDA()
               ? "none found: libtorch has CUDA, but no driver or device answers"
               : "none: this libtorch is built for CPUs (build with FIRESTEEL_TORCH=<a CUDA torch> "
                 "to use one)";
  }
  return fmt::format("{} CUDA device(s)", torch::cuda::device_count());
}

}  // namespace firesteel
