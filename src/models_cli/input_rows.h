// The options of commands that read rows and write them with more columns.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models_cli/commands.h"

namespace firesteel::cli {

struct InputRows {
  std::string in, format;
  std::vector<std::string> reader;  // key=value

  /// Gives the command --in, --format and --option.
  CLI::Option* add_options(CLI::App& app, const std::string& what);
  DataFrame read(const Session& spark) const;
};

struct OutputRows {
  std::string out, format = "parquet", mode = "error";

  /// Gives the command --out, --out-format and --mode.
  CLI::Option* add_options(CLI::App& app);
  /// Writes the rows and says how many there were.
  void write(const DataFrame& rows) const;
};

/// The two sides of `key=value`. Throws INVALID_OPTION, which says the `form`.
std::pair<std::string, std::string> pair_of(const std::string& form, const std::string& text);

}  // namespace firesteel::cli
