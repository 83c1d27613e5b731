// Encodes the lines of a file with one thread, several times: prints the CPU seconds of each as
// JSON. usage: tokenizer_bench TOKENIZER TEXTS ROUNDS
#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "text/tokenizer.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  try {
    const firesteel::Tokenizer tokenizer(argv[1]);
    std::vector<std::string> texts;
    std::ifstream file(argv[2]);
    for (std::string line; std::getline(file, line);) texts.push_back(line);
    std::string seconds;
    size_t tokens = 0;
    for (int round = 0; round < std::stoi(argv[3]); ++round) {
      const std::clock_t start = std::clock();
      const auto encodings = tokenizer.encode_batch(texts);
      const double passed = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
      tokens = 0;
      for (const auto& encoding : encodings) tokens += encoding.size();
      seconds += fmt::format("{}{:.6f}", round ? "," : "", passed);
    }
    std::puts(fmt::format(R"({{"tokens":{},"seconds":[{}]}})", tokens, seconds).c_str());
  } catch (const firesteel::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
