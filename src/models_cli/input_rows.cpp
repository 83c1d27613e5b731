// Reads and writes what a command's options say.
#include "models_cli/input_rows.h"

#include <fmt/format.h>

#include <optional>

#include "base/error.h"
#include "cli/output.h"
#include "cli/query_progress.h"
#include "ml/pipeline.h"

namespace firesteel::cli {

std::pair<std::string, std::string> pair_of(const std::string& form, const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos) {
    throw Error("INVALID_OPTION", fmt::format("{}, not '{}'.", form, text));
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

CLI::Option* InputRows::add_options(CLI::App& app, const std::string& what) {
  auto* option = app.add_option("--in", in, what);
  app.add_option("--format", format, "parquet, csv or json (default: by the file's ending)")
      ->needs(option);
  app.add_option("--option", reader, "Option of the reader, key=value; repeatable")->needs(option);
  return option;
}

DataFrame InputRows::read(const Session& spark) const {
  const auto kind = format.empty() ? format_of(in) : format;
  auto from = spark.read();
  from.format(kind);
  if (kind == "csv") from.option("header", true).option("inferSchema", true);
  for (const auto& text : reader) {
    const auto [key, value] = pair_of("--option takes key=value", text);
    from.option(key, value);
  }
  return from.load(path_there(*spark.executor(), in));
}

CLI::Option* OutputRows::add_options(CLI::App& app) {
  auto* option = app.add_option("--out", out, "Folder of the result");
  app.add_option("--out-format", format, "parquet, csv or json")
      ->check(CLI::IsMember({"parquet", "csv", "json"}));
  app.add_option("--mode", mode, "error, overwrite, append or ignore")
      ->check(CLI::IsMember({"error", "overwrite", "append", "ignore"}));
  return option;
}

void OutputRows::write(const DataFrame& rows) const {
  const auto path = path_there(*rows.executor(), out);
  std::optional<QueryProgress> progress(std::in_place, rows.executor());
  (format == "csv" ? nested_as_text(rows) : rows)
      .write()
      .format(format)
      .mode(mode)
      .option("header", "true")
      .save(path);
  // What was written is counted, since on a cluster the rows would be made once more.
  const auto written = rows.executor()->is_remote()
                           ? Session(rows.executor()).read().format(format).load(path)
                           : rows;
  const auto count = written.count();
  progress.reset();
  fmt::print("{} rows  {}\n", count, out);
}

}  // namespace firesteel::cli
