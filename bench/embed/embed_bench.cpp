// embed_bench FOLDER TEXTS.json: texts per second of a sentence encoder, as JSON on standard
// output; a line on standard input starts each round.
#include <fmt/format.h>

#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "models/sentence_encoder.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: embed_bench FOLDER TEXTS.json\n";
    return 2;
  }
  firesteel::SentenceEncoder encoder(argv[1]);
  const std::vector<std::string> texts =
      nlohmann::json::parse(firesteel::read_file(argv[2])).get<std::vector<std::string>>();
  encoder.encode(std::span(texts).first(std::min<size_t>(texts.size(), 64)));
  for (std::string line; std::getline(std::cin, line);) {
    const auto began = std::chrono::steady_clock::now();
    const auto vectors = encoder.encode(texts);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    std::cout << fmt::format("{{\"seconds\": {}, \"first\": {}}}", took.count(), vectors.at(0))
              << std::endl;
  }
}
