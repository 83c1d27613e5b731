// Decodes a folder's JPEGs and prepares them for a classifier (shorter edge 256, middle 224,
// ImageNet's means), each thread its share. Prints images per second of decoding alone and of all,
// the best of rounds. usage: image_bench FOLDER THREADS ROUNDS
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>

#include "base/file.h"
#include "tensor/image_transforms.h"

namespace {

using namespace firesteel;

/// Images per second when the threads take one after the other.
double per_second(const std::vector<std::string>& files, int threads, int rounds,
                  const std::function<void(ImageBytes)>& work) {
  double best = 0;
  for (int round = 0; round < rounds; ++round) {
    std::atomic<size_t> next = 0;
    const auto run = [&] {
      for (size_t i; (i = next++) < files.size();) work(std::as_bytes(std::span(files[i])));
    };
    const auto start = std::chrono::steady_clock::now();
    {
      std::vector<std::jthread> others;
      for (int i = 0; i < threads; ++i) others.emplace_back(run);
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, static_cast<double>(files.size()) / seconds.count());
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: image_bench FOLDER THREADS ROUNDS\n");
    return 2;
  }
  at::set_num_threads(1);
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1]))
    files.push_back(read_file(entry.path()));
  const int threads = std::atoi(argv[2]), rounds = std::atoi(argv[3]);
  const auto pipeline = images::transforms_from_json(
      R"([{"Resize": {"size": 256}}, {"CenterCrop": {"size": 224}}, "ConvertImageDtype",
          {"Normalize": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}}])");
  const std::function<void(ImageBytes)> ways[] = {
      [](ImageBytes file) { decode_image(file); },
      [&](ImageBytes file) { images::apply(pipeline, images::to_tensor(decode_image(file))); },
      [](ImageBytes file) { images::prepared(decode_image(file)); },
      [](ImageBytes file) { images::prepared(decode_image(file), {.bytes = true}); },
  };
  for (const auto& way : ways) fmt::print("{:.1f} ", per_second(files, threads, rounds, way));
}
