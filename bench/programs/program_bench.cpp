// Times an exported program: forward passes in evaluation, or training steps; or a package of
// AOTInductor. Prints microseconds of the median pass.
#include <fmt/format.h>
#include <torch/torch.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "../median.h"
#include "models/exported_program.h"
#include "models/torch_script.h"
#include "train/freed_memory.h"

int main(int argc, char** argv) {
  if (argc < 5) {
    fmt::print(
        stderr,
        "usage: program_bench PROGRAM.pt2 INPUTS.safetensors forward|train|package SECONDS\n");
    return 2;
  }
  const firesteel::FreedMemoryKept kept;
  const auto named = firesteel::read_safetensors(argv[2]).tensors;
  std::vector<torch::Tensor> inputs;
  if (std::string(argv[3]) == "package") {
    const firesteel::CompiledPackage package(argv[1]);
    for (size_t i = 0; i < named.size(); ++i) inputs.push_back(named.at(fmt::format("input{}", i)));
    torch::NoGradGuard no_grad;
    fmt::print("{:.2f}\n", 1e6 * median_seconds(std::atof(argv[4]), [&] { package.run(inputs); }));
    return 0;
  }
  firesteel::ExportedProgram program{std::filesystem::path(argv[1])};
  for (const auto& input : program->inputs()) inputs.push_back(named.at(input.name));
  const bool trains = std::string(argv[3]) == "train";
  program->train(trains);
  const double seconds = std::atof(argv[4]);
  if (!trains) {
    torch::NoGradGuard no_grad;
    fmt::print("{:.2f}\n", 1e6 * median_seconds(seconds, [&] { program->forward(inputs); }));
    return 0;
  }
  torch::optim::SGD optimizer(program->parameters(), torch::optim::SGDOptions(1e-4));
  fmt::print("{:.2f}\n", 1e6 * median_seconds(seconds, [&] {
                           const auto loss = program->forward(inputs)[0].square().mean();
                           optimizer.zero_grad();
                           loss.backward();
                           optimizer.step();
                         }));
}
