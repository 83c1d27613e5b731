// firesteel explain: types, SQL and physical plan of a query or a pipeline's step.
#include <fmt/format.h>

#include "ml/pipeline.h"
#include "models_cli/commands.h"

namespace firesteel::cli {

Run explain_command(CLI::App& app, const GlobalOptions& options) {
  struct Options {
    std::string query, step, mode = "formatted";
  };
  auto explain = std::make_shared<Options>();
  app.add_option("query", explain->query, "Spark SQL, or a pipeline file")->required();
  app.add_option("step", explain->step,
                 "A source or step of the pipeline (default: the rows features are made of)");
  app.add_option("--mode", explain->mode,
                 "simple, extended, codegen, cost, formatted (default), or analyze: run it, with "
                 "each operator's time and rows")
      ->check(CLI::IsMember({"simple", "extended", "codegen", "cost", "formatted", "analyze"}));
  return [explain, &options] {
    const auto spark = open_session(options);
    const bool is_file = explain->query.ends_with(".toml");
    if (!is_file && !explain->step.empty()) {
      throw Error(
          "INVALID_OPTION",
          fmt::format("`{}` is no pipeline file (.toml), so it has no step.", explain->query));
    }
    const auto df =
        is_file ? pipeline_rows(parse_pipeline(explain->query), spark.executor(), explain->step)
                : spark.sql(explain->query);
    fmt::print("{}\n{}", schema_tree(df.schema()), df.explain(explain->mode));
    return 0;
  };
}

}  // namespace firesteel::cli
