// The subcommands that need libtorch.
#pragma once

#include "cli/commands.h"

namespace firesteel::cli {

Run run_command(CLI::App& app, const GlobalOptions& options);
Run embed_command(CLI::App& app, const GlobalOptions& options);
Run generate_command(CLI::App& app, const GlobalOptions& options);
Run predict_command(CLI::App& app, const GlobalOptions& options);
Run show_command(CLI::App& app, const GlobalOptions& options);
Run explain_command(CLI::App& app, const GlobalOptions& options);
Run tune_command(CLI::App& app, const GlobalOptions& options);
Run worker_command(CLI::App& app, const GlobalOptions& options);
Run doctor_command(CLI::App& app, const GlobalOptions& options);

}  // namespace firesteel::cli
