// Three jobs whose functions run as tasks. usage: tasks_example words|log|png FILE_OR_FOLDER
// SPARK_REMOTE=sc://host:port runs them on a cluster.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <map>

#include "jobs.h"

int main(int argc, char** argv) {
  // On the executors of a cluster this program is a worker, which runs the functions.
  if (const auto code = firesteel::cluster::run_if_worker(argc, argv)) return *code;
  const std::map<std::string, std::function<void(const firesteel::Session&, const std::string&)>>
      jobs{{"words", count_words}, {"log", summarize_log}, {"png", list_png_chunks}};
  if (argc != 3 || !jobs.contains(argv[1])) {
    std::fprintf(stderr, "usage: %s words|log|png FILE_OR_FOLDER\n", argv[0]);
    return 2;
  }
  try {
    const char* remote = std::getenv("SPARK_REMOTE");
    jobs.at(argv[1])(firesteel::Session::builder().remote(remote ? remote : "").getOrCreate(),
                     argv[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
