// The table of subcommands. A command registers its options on its CLI::App and returns what to
// run.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dataframe/session.h"
#include "engine/database.h"

namespace firesteel::cli {

/// Options before the subcommand, shared by all.
struct GlobalOptions {
  DatabaseOptions database;
  std::string time_zone = "UTC", warehouse;
  std::string master;                  // sc://…: a server that runs the plans; else this process
  std::vector<std::string> settings;   // key=value
  std::vector<std::string> functions;  // name=path of a model
  char** arguments = nullptr;          // the whole command line
};

/// A session on the embedded engine or on a server, with Ctrl-C stopping its queries.
Session open_session(const GlobalOptions& options);
/// The key and value of `--conf key=value`.
std::pair<std::string, std::string> split_setting(const std::string& setting);

/// Its return value is the exit code.
using Run = std::function<int()>;
using Command = Run (*)(CLI::App& app, const GlobalOptions& options);

Run sql_command(CLI::App& app, const GlobalOptions& options);
Run server_command(CLI::App& app, const GlobalOptions& options);
Run pyspark_command(CLI::App& app, const GlobalOptions& options);
Run watch_command(CLI::App& app, const GlobalOptions& options);
Run functions_command(CLI::App& app, const GlobalOptions& options);
Run export_command(CLI::App& app, const GlobalOptions& options);
Run completion_command(CLI::App& app, const GlobalOptions& options);

/// What a user reads of each command; which code it has is said by the programs' main.cpp.
struct CommandRow {
  const char* name;
  const char* summary;
  const char* examples;
};
inline constexpr CommandRow kCommands[] = {
    {"run", "Run a pipeline file: from raw data to a trained, tested, saved model",
     "firesteel run examples/flights/pipeline.toml\nfiresteel run pipeline.toml --output model "
     "--resume\nfiresteel run pipeline.toml --watch"},
    {"watch", "Watch a run of another terminal, or look at one that is over",
     "firesteel watch out/flights\nfiresteel watch runs.jsonl"},
    {"tune", "Try many settings of a pipeline's model and training, and keep the best model",
     "firesteel tune pipeline.toml --trials 30\nfiresteel tune pipeline.toml --resume"},
    {"predict", "Predict with a saved model",
     "firesteel predict model --in tomorrow.parquet --out predictions\n"
     "firesteel predict out/flights --source flights=tomorrow.csv --out predictions --where \"late "
     "IS NULL\""},
    {"embed", "Turn texts into vectors with a sentence encoder of Hugging Face",
     "firesteel embed all-MiniLM-L6-v2 --in reviews.parquet --column text --out vectors"},
    {"generate",
     "Go on from a prompt, or from the texts of rows, with a language model of Hugging Face",
     "firesteel generate gpt2 \"Once upon a time\"\nfiresteel generate qwen2 \"The capital of "
     "France\" "
     "--temperature 0.7 --seed 1\nfiresteel generate gpt2 --in titles.parquet --column title --out "
     "stories"},
    {"sql", "Run Spark SQL, or open a shell",
     "firesteel sql \"SELECT carrier, count(*) FROM parquet.`flights.parquet` GROUP BY "
     "1\"\nfiresteel sql --format csv \"SELECT 1\"\nfiresteel sql"},
    {"server", "Serve PySpark clients (Spark Connect)",
     "firesteel server\nfiresteel server --memory 8GB --warehouse lake --port 15002\n"
     "firesteel server --address 0.0.0.0 --token-file tokens --certificate cert.pem --key key.pem"},
    {"pyspark", "Run a PySpark script, or a Python shell, on a server of its own",
     "firesteel pyspark job.py --day 2026-01-31\nfiresteel pyspark"},
    {"show",
     "Show a pipeline's step: schema, rows, nulls and quantiles, or the tensors the model would "
     "get",
     "firesteel show pipeline.toml labelled\nfiresteel show pipeline.toml --batch"},
    {"explain", "Show how a query or a pipeline's step runs: its types, SQL and physical plan",
     "firesteel explain \"SELECT 1 + 1\"\nfiresteel explain pipeline.toml labelled"},
    {"export", "Export a PyTorch, TorchVision or Hugging Face model as a program (.pt2)",
     "firesteel export torchvision:resnet18 resnet18.pt2\nfiresteel export --python "
     "venv/bin/python "
     "path/to/bert bert.pt2\nfiresteel export nets.py:make_net net.pt2 --input x=16"},
    {"functions", "List the SQL functions, or describe one",
     "firesteel functions\nfiresteel functions substring_index"},
    {"doctor", "Check this machine: versions, threads, memory, GPU", "firesteel doctor"},
    {"worker", "Train as one process of a job that `run --workers` or a cluster started",
     "firesteel worker out/flights.work/job --rank 0 --world 2 --rendezvous 10.0.0.1:29500"},
    {"completion", "Print a shell's completion script", "source <(firesteel completion bash)"},
};

using MakeFunction = NativeFunction (*)(const std::string& name, const std::filesystem::path& path,
                                        const std::string& device);
/// A program with these commands; `otherwise` makes the others, or they are left out. Without
/// `make_function` a command whose options name models is handed over.
int run_program(int argc, char** argv, const std::map<std::string_view, Command>& commands,
                Command otherwise, MakeFunction make_function = nullptr);
/// Goes on as the program beside this one that has libtorch. Throws IO_ERROR when it cannot.
[[noreturn]] void hand_over(char** arguments);

}  // namespace firesteel::cli
