// Three jobs whose functions run as tasks. usage: tasks_example words|log|png FILE_OR_FOLDER
#include <cstdio>
#include <exception>
#include <functional>
#include <map>

#include "jobs.h"

int main(int argc, char** argv) {
  // A cluster's worker leaves here: run_if_worker(argc, argv).
  const std::map<std::string, std::function<void(const firesteel::Session&, const std::string&)>>
      jobs{{"words", count_words}, {"log", summarize_log}, {"png", list_png_chunks}};
  if (argc != 3 || !jobs.contains(argv[1])) {
    std::fprintf(stderr, "usage: %s words|log|png FILE_OR_FOLDER\n", argv[0]);
    return 2;
  }
  try {
    jobs.at(argv[1])(firesteel::Session::builder().getOrCreate(), argv[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
