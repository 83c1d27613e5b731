// Times a network for images, channels last: inference, or training steps (cross entropy, SGD).
// Prints milliseconds of the median pass.
#include <fmt/format.h>
#include <torch/torch.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "../median.h"
#include "models/vision.h"
#include "train/freed_memory.h"

int main(int argc, char** argv) {
  if (argc < 6) {
    fmt::print(stderr, "usage: vision_bench NETWORK BATCH SIZE forward|train SECONDS\n");
    return 2;
  }
  const firesteel::FreedMemoryKept kept;
  const auto batch = std::atol(argv[2]), size = std::atol(argv[3]);
  const auto last = torch::MemoryFormat::ChannelsLast;
  const auto net = firesteel::make_vision_net(argv[1]);
  for (auto& parameter : net->parameters())
    if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(last));
  const auto images = torch::randn({batch, 3, size, size}).contiguous(last);
  const double seconds = std::atof(argv[5]);
  if (argv[4] != std::string("train")) {
    net->eval();
    const torch::InferenceMode inference;
    fmt::print("{:.3f}\n", 1e3 * median_seconds(seconds, [&] { net->forward(images); }));
    return 0;
  }
  const auto labels = torch::randint(1000, {batch});
  torch::optim::SGD optimizer(net->parameters(), torch::optim::SGDOptions(1e-3).momentum(0.9));
  fmt::print("{:.3f}\n", 1e3 * median_seconds(seconds, [&] {
                           const auto loss =
                               torch::cross_entropy_loss(net->forward(images), labels);
                           optimizer.zero_grad();
                           loss.backward();
                           optimizer.step();
                         }));
}
