// firesteel functions: the SQL functions, from their rows.
#include <fmt/format.h>

#include "cli/commands.h"
#include "functions/spec.h"

namespace firesteel::cli {

Run functions_command(CLI::App& app, const GlobalOptions&) {
  struct Options {
    std::string name;
    bool markdown = false;
  };
  auto options = std::make_shared<Options>();
  app.add_option("name", options->name, "A function to describe");
  app.add_flag("--markdown", options->markdown, "Print docs/functions.md");
  return [options] {
    if (options->markdown) {
      fmt::print("{}", functions_markdown());
      return 0;
    }
    if (options->name.empty()) {
      for (const auto& group : function_groups()) {
        fmt::print("\n{}\n", group.title);
        for (const auto& row : group.rows) {
          if (!row.doc.empty()) fmt::print("  {:<28} {}\n", row.name, row.doc);
        }
      }
      return 0;
    }
    const auto rows = find_function(options->name);
    if (rows.empty()) {
      const auto nearest = nearest_name(options->name, function_names());
      throw Error("UNRESOLVED_ROUTINE",
                  fmt::format("There is no function `{}`.{}", options->name,
                              nearest.empty() ? "" : fmt::format(" Did you mean `{}`?", nearest)));
    }
    for (const auto* row : rows) fmt::print("{}{}\n", row->name, row->signature);
    fmt::print("\n  {}\n\n  SELECT {};\n  {}\n", rows[0]->doc, rows[0]->example, rows[0]->gives);
    return 0;
  };
}

}  // namespace firesteel::cli
