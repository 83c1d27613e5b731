// firesteel export: a PyTorch module as a program, by the script export.py in the user's own
// Python.
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

struct ExportFlags {
  std::string source, output, python;
  std::vector<std::string> arguments;  // for the script, besides the two
};

int run_export(const ExportFlags& flags) {
  const auto program = std::filesystem::read_symlink("/proc/self/exe");
  const auto script = program.parent_path().parent_path() / "share/firesteel/export.py";
  if (!std::filesystem::exists(script)) {
    throw Error(
        "PATH_NOT_FOUND",
        fmt::format("The script `{}` is not there. Install Firesteel anew.", script.string()));
  }
  const char* named = std::getenv("PYSPARK_PYTHON");
  const std::string python = !flags.python.empty() ? flags.python : named ? named : "python3";
  std::vector<std::string> command{python, script.string(), flags.source, flags.output};
  command.insert(command.end(), flags.arguments.begin(), flags.arguments.end());
  std::vector<char*> words;
  for (auto& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  ::execvp(words[0], words.data());
  throw Error("PYTHON_NOT_FOUND",
              fmt::format("`{}` cannot be started: {}. Name a Python that has torch: --python.",
                          python, std::strerror(errno)));
}

}  // namespace

Run export_command(CLI::App& app, const GlobalOptions&) {
  auto flags = std::make_shared<ExportFlags>();
  app.add_option("source", flags->source,
                 "torchvision:NAME, the folder of a Hugging Face model, or module:function or "
                 "file.py:function that gives a torch.nn.Module, or it and example inputs")
      ->required();
  app.add_option("output", flags->output, "The .pt2 file to write")->required();
  const auto passed_on = [&](const char* name, const char* help) {
    return app.add_option_function<std::vector<std::string>>(
        name,
        [flags, name](const std::vector<std::string>& values) {
          for (const auto& value : values) {
            flags->arguments.insert(flags->arguments.end(), {name, value});
          }
        },
        help);
  };
  passed_on("--input",
            "An example input without its batch, NAME=SIZES:TYPE, as image=3x224x224 or "
            "ids=128:int64; may be repeated")
      ->allow_extra_args(false);
  passed_on("--head", "Class of the Hugging Face model (default: the one that config.json names)")
      ->expected(1);
  passed_on("--weights", "A state dict (.pth) for a TorchVision model (default: random weights)")
      ->expected(1);
  passed_on("--size", "Height and width of a TorchVision model's images (default: 224)")
      ->expected(1);
  passed_on("--sequence", "Length of the example text (default: 8)")->expected(1);
  app.add_flag_callback(
      "--static", [flags] { flags->arguments.emplace_back("--static"); },
      "Fix all sizes (default: those of batch and sequence are dynamic)");
  app.add_option("--python", flags->python,
                 "Python that has torch, and the library of the model (default: PYSPARK_PYTHON, "
                 "python3)");
  return [flags] { return run_export(*flags); };
}

}  // namespace firesteel::cli
