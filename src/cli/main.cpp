// The firesteel program. Commands that need libtorch, which takes half a second to load, are handed
// over to the program beside it that has them (models_cli/main.cpp).
#include "cli/commands.h"

namespace firesteel::cli {

namespace {

Run others_command(CLI::App& app, const GlobalOptions& options) {
  // Everything behind the command's name is the other program's.
  app.prefix_command();
  app.fallthrough(false);
  app.set_help_flag();
  return [&options]() -> int { hand_over(options.arguments); };
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
                     others_command);
}
