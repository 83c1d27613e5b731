// One exported program against what Python recorded of its module: prints a line of JSON with the
// distances, or the error, for tests/models/sweep.py. Exit code 0 when all is near. For
// tests/models/round_trip.py it then writes the trained program, and beside it its weights and what
// it gives.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <exception>
#include <nlohmann/json.hpp>

#include "../unit/models/recorded.h"

namespace {

void write(firesteel::ExportedProgram program, const firesteel::testing::Recorded& recorded,
           const std::filesystem::path& path) {
  program->save(path);
  firesteel::NamedTensors named;
  for (const auto& [name, tensor] : program->weights().tensors) {
    named.tensors["weight." + name] = tensor.clone();  // The pass below may write to it.
  }
  program->eval();
  torch::NoGradGuard no_grad;
  size_t count = 0;
  for (const auto& output : program->forward(recorded.inputs())) {
    if (output.defined()) named.tensors["eval." + std::to_string(count++)] = output.contiguous();
  }
  firesteel::write_safetensors(std::filesystem::path(path).replace_extension(".safetensors"),
                               named);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr,
               "usage: check_program PROGRAM.pt2 EXPECTED.safetensors [TOLERANCE [COPY.pt2]]\n");
    return 2;
  }
  nlohmann::json line;
  try {
    const double tolerance = argc > 3 ? std::atof(argv[3]) : 1e-4;
    torch::set_num_threads(2);
    firesteel::ExportedProgram program{std::filesystem::path(argv[1])};
    const firesteel::testing::Recorded recorded(argv[2]);
    const auto found = recorded.compare(program, tolerance);
    if (argc > 4) write(program, recorded, argv[4]);
    line = {{"eval", found.eval},
            {"train", found.train},
            {"gradient", found.gradient},
            {"losses", found.losses},
            {"after", found.after},
            {"both_modes", program->has_both_modes()},
            {"differences", found.differences}};
  } catch (const std::exception& error) {
    line["error"] = error.what();
  }
  fmt::print("{}\n", line.dump());
  return line.contains("error") || !line["differences"].empty();
}
