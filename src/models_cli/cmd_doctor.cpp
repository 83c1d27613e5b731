// firesteel doctor: what this machine has, what is missing and how to get it.
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "engine/engine.h"
#include "models/tabular.h"
#include "models_cli/commands.h"
#include "train/device.h"

namespace firesteel::cli {

namespace {

std::string gibibytes(double bytes) { return fmt::format("{:.1f} GiB", bytes / (1 << 30)); }

double memory_available() {
  std::ifstream in("/proc/meminfo");
  std::string key, unit;
  double value = 0;
  while (in >> key >> value >> unit) {
    if (key == "MemAvailable:") return value * 1024;
  }
  return 0;
}

}  // namespace

Run doctor_command(CLI::App&, const GlobalOptions& options) {
  return [&options] {
    int problems = 0;
    auto line = [](const char* what, const std::string& found) {
      fmt::print("{:<14} {}\n", what, found);
    };
    auto problem = [&](const std::string& text) {
      ++problems;
      fmt::print("{:<14} {}\n", "!", text);
    };
    line("firesteel", FIRESTEEL_VERSION);
    line("duckdb", Database::version());
    line("libtorch", torch_version());
    line("threads", fmt::format("{}", std::thread::hardware_concurrency()));
    const double total =
        static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
    line("memory", fmt::format("{}, {} free", gibibytes(total), gibibytes(memory_available())));
    if (memory_available() < 1 << 30)
      problem("Less than 1 GiB of memory is free: end other programs or set --memory.");
    const auto temp = options.database.temp_directory.empty()
                          ? std::filesystem::temp_directory_path().string()
                          : options.database.temp_directory;
    struct statvfs disk {};
    if (::statvfs(temp.c_str(), &disk) == 0) {
      const double free = static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize);
      line("temp folder", fmt::format("{}, {} free", temp, gibibytes(free)));
      if (free < 4.0 * (1 << 30))
        problem(
            "Less than 4 GiB is free there: large sorts and joins may not be able to spill; set "
            "--temp.");
    } else {
      problem(fmt::format("The temp folder {} is not there: set --temp to one that is.", temp));
    }
    if (::access(temp.c_str(), W_OK) != 0)
      problem(fmt::format("The temp folder {} cannot be written.", temp));
    line("gpu", device_summary());
    const auto spark = open_session(options);
    line("engine", spark.sql("SELECT 'answers' AS a").collect().at(0).at(0).text);
    fmt::print("\n{}\n", problems == 0 ? "All is well." : fmt::format("{} to mend.", problems));
    return problems == 0 ? 0 : 1;
  };
}

}  // namespace firesteel::cli
