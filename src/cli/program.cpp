// What both programs do: parse the command line, run a subcommand, print errors.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "connect/client/executor.h"
#include "engine/engine.h"

namespace firesteel::cli {

Session open_session(const GlobalOptions& options) {
  const bool is_remote = options.master.starts_with("sc:");
  if (!is_remote && !options.master.empty() && !options.master.starts_with("local")) {
    throw Error("INVALID_OPTION",
                fmt::format("--master is `local` or a Spark Connect server, such as "
                            "sc://host:15002, not '{}'.",
                            options.master));
  }
  std::shared_ptr<Executor> executor = is_remote ? connect::make_connect_executor(options.master)
                                                 : make_embedded_executor(options.database);
  if (is_remote) {
    for (const auto& function : options.database.functions) executor->add_function(function);
  }
  executor->set_config("spark.sql.session.timeZone", options.time_zone);
  if (!options.warehouse.empty())
    executor->set_config("spark.sql.warehouse.dir", options.warehouse);
  for (const auto& setting : options.settings) {
    const auto [key, value] = split_setting(setting);
    executor->set_config(key, value);
  }
  interrupt_on_signal(executor);
  return Session(executor);
}

std::pair<std::string, std::string> split_setting(const std::string& setting) {
  const auto equals = setting.find('=');
  if (equals == std::string::npos) {
    throw Error("INVALID_OPTION", fmt::format("--conf takes key=value, not '{}', e.g. --conf "
                                              "spark.sql.caseSensitive=true.",
                                              setting));
  }
  return {setting.substr(0, equals), setting.substr(equals + 1)};
}

void hand_over(char** arguments) {
  // OpenMP's threads spin while they wait, which starves the threads that load data: ten times
  // slower training on a busy machine. libgomp reads the count as it is loaded.
  setenv("OMP_WAIT_POLICY", "PASSIVE", 0);
  setenv("GOMP_SPINCOUNT", "0", 0);
  const auto program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "firesteel-models";
  ::execv(program.c_str(), arguments);
  throw Error(
      "IO_ERROR",
      fmt::format(
          "`{}`, which trains and runs models, cannot be started: {}. Install Firesteel anew.",
          program.string(), std::strerror(errno)));
}

namespace {

/// The models that the options name, as functions of SQL.
void make_functions(GlobalOptions& options, MakeFunction make) {
  if (options.functions.empty()) return;
  if (!make) hand_over(options.arguments);
  for (const auto& text : options.functions) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      throw Error("INVALID_OPTION",
                  fmt::format("--function takes name=path of a model, not '{}', e.g. --function "
                              "embed=all-MiniLM-L6-v2.",
                              text));
    options.database.functions.push_back(
        make(text.substr(0, equals), text.substr(equals + 1), "auto"));
  }
}

}  // namespace

int run_program(int argc, char** argv, const std::map<std::string_view, Command>& commands,
                Command otherwise, MakeFunction make_function) {
  wait_for_signals();
  CLI::App app{"Firesteel: PySpark's data work and PyTorch's models in one native program"};
  app.name("firesteel");
  app.set_version_flag("--version", FIRESTEEL_VERSION);
  app.require_subcommand(0, 1);
  app.get_formatter()->column_width(28);
  GlobalOptions options;
  options.arguments = argv;
  app.add_option("--master", options.master,
                 "Where plans run: local, or a Spark Connect server, sc://host:15002/;token=…")
      ->envname("SPARK_REMOTE");
  app.add_option("--memory", options.database.memory_limit,
                 "Memory limit of the engine, e.g. 4GB (default: 80% of the machine's)");
  app.add_option("--threads", options.database.threads, "Threads (default: all cores)")
      ->check(CLI::PositiveNumber);
  app.add_option("--temp", options.database.temp_directory, "Folder to spill to");
  app.add_option("--temp-limit", options.database.temp_size_limit,
                 "Most that is spilled, e.g. 50GB");
  app.add_option("--timezone", options.time_zone, "Session time zone (default: UTC)");
  app.add_option("--warehouse", options.warehouse,
                 "Folder of the catalog and its tables (default: spark-warehouse)");
  app.add_option("--conf", options.settings, "A session setting, key=value; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--function", options.functions,
                 "A model as a function of SQL, name=path; may be repeated")
      ->allow_extra_args(false);
  app.footer(
      "Examples:\n  firesteel sql \"SELECT 1 + 1\"\n  firesteel run "
      "examples/flights/pipeline.toml\n"
      "Every command explains itself: firesteel COMMAND --help");
  int code = 0;
  for (const auto& row : kCommands) {
    const auto found = commands.find(row.name);
    const auto command = found == commands.end() ? otherwise : found->second;
    if (!command) continue;
    auto* sub = app.add_subcommand(row.name, row.summary);
    std::string examples = "Examples:";
    std::string_view rest = row.examples;
    while (!rest.empty()) {
      const auto end = rest.find('\n');
      examples += fmt::format("\n  {}", rest.substr(0, end));
      rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
    }
    sub->footer(examples);
    sub->fallthrough();
    sub->callback([&code, &options, make_function, run = command(*sub, options)] {
      make_functions(options, make_function);
      code = run();
    });
  }
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) fmt::print("{}", app.help());
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const Error& error) {
    std::fflush(stdout);
    fmt::print(stderr, "{}\n", error.what());
    return error.condition() == "OPERATION_CANCELED" ? 130 : 1;
  } catch (const std::filesystem::filesystem_error& error) {
    fmt::print(stderr, "[IO_ERROR] {}: {} SQLSTATE: 58030\n", error.path1().string(),
               error.code().message());
    return 1;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr,
               "[OUT_OF_MEMORY] The machine has no memory left. Lower --memory, the batch size or "
               "the loader's budget. SQLSTATE: 53200\n");
    return 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "[INTERNAL_ERROR] {} SQLSTATE: XX000\n", error.what());
    return 1;
  }
  if (std::fflush(stdout) != 0) {
    fmt::print(stderr, "[IO_ERROR] The output could not be written. SQLSTATE: 58030\n");
    return 1;
  }
  return code;
}

}  // namespace firesteel::cli
