// One exported program against what Python recorded of its module: prints a line of JSON with the
// distances, or the error, for tests/models/sweep.py. Exit code 0 when all is near.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <exception>
#include <nlohmann/json.hpp>

#include "../unit/models/recorded.h"

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: check_program PROGRAM.pt2 EXPECTED.safetensors [TOLERANCE]\n");
    return 2;
  }
  nlohmann::json line;
  try {
    const double tolerance = argc > 3 ? std::atof(argv[3]) : 1e-4;
    torch::set_num_threads(2);
    firesteel::ExportedProgram program{std::filesystem::path(argv[1])};
    const auto found = firesteel::testing::Recorded(argv[2]).compare(program, tolerance);
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
