// The firesteel program. Commands that need libtorch, which takes half a second to load, are handed
// over to the program beside it that has them (models_cli/main.cpp).
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "cli/commands.h"

namespace firesteel::cli {

namespace {

Run hand_over(CLI::App& app, const GlobalOptions& options) {
  // Everything behind the command's name is the other program's.
  app.prefix_command();
  app.fallthrough(false);
  app.set_help_flag();
  return [&options] {
    // OpenMP's threads spin while they wait, which starves the threads that load data: ten times
    // slower training on a busy machine. libgomp reads the count as it is loaded.
    setenv("OMP_WAIT_POLICY", "PASSIVE", 0);
    setenv("GOMP_SPINCOUNT", "0", 0);
    const auto program =
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / "firesteel-models";
    ::execv(program.c_str(), options.arguments);
    throw Error(
        "IO_ERROR",
        fmt::format(
            "`{}`, which trains and runs models, cannot be started: {}. Install Firesteel anew.",
            program.string(), std::strerror(errno)));
    return 1;
  };
}

}  // namespace
}  // namespace firesteel::cli

int main(int argc, char** argv) {
  using namespace firesteel::cli;
  return run_program(argc, argv,
                     {{"sql", sql_command},
                      {"server", server_command},
                      {"pyspark", pyspark_command},
                      {"watch", watch_command},
                      {"export", export_command},
                      {"functions", functions_command},
                      {"completion", completion_command}},
                     hand_over);
}
