// generate_bench FOLDER: seconds of greedy generation, as JSON on standard output. Each line on
// standard input is a round: rows, tokens of a prompt, tokens to make.
#include <fmt/format.h>

#include <chrono>
#include <iostream>

#include "models/token_generation.h"

int main(int argc, char** argv) {
  using namespace firesteel;
  if (argc != 2) {
    std::cerr << "usage: generate_bench FOLDER\n";
    return 2;
  }
  const auto model = load_decoder(argv[1]);
  const auto seconds = [&](const std::vector<std::vector<int64_t>>& prompts, int64_t tokens) {
    const auto began = std::chrono::steady_clock::now();
    const auto ids = generate_tokens(*model, prompts, {.tokens_max = tokens});
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    return std::pair(took.count(), ids.back().back());
  };
  for (int64_t rows, length, tokens; std::cin >> rows >> length >> tokens;) {
    std::vector<std::vector<int64_t>> prompts(static_cast<size_t>(rows));
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t i = 0; i < length; ++i)
        prompts[static_cast<size_t>(row)].push_back((row * 131 + i * 17) % 1000);
    const auto [first, unused] = seconds(prompts, 1);
    const auto [all, last] = seconds(prompts, tokens);
    std::cout << fmt::format("{{\"first\": {}, \"all\": {}, \"last\": {}}}", first, all, last)
              << std::endl;
  }
}
