// Rows from Parquet, or packed before, to shuffled batches of tensors.
// usage: loader_bench FILE [MEMORY_MB [RECORDS_FILE [EPOCHS]]]
// The file has float columns f0…f12, ids c0…c7 and a label. RECORDS_FILE is written when it is not
// there. Prints rows, seconds, and those to the first batch.
#include <torch/torch.h>

#include <chrono>
#include <cstdio>
#include <string>

#include "dataframe/session.h"
#include "engine/engine.h"
#include "tensor/loader.h"

int main(int argc, char** argv) {
  using namespace firesteel;
  if (argc < 2) return 2;
  const auto start = std::chrono::steady_clock::now();
  // One thread reads while another packs: as fast on two cores, and one row group less in memory.
  Session spark(make_embedded_executor({.memory_limit = "256MB", .threads = 1}));
  const auto rows = spark.read().parquet(argv[1]);
  std::vector<EncoderSpec> specs;
  std::vector<std::string> columns;
  for (int i = 0; i < 13; ++i) specs.push_back({.column = "f" + std::to_string(i)});
  for (int i = 0; i < 8; ++i) {
    EncoderSpec spec{.column = "c" + std::to_string(i), .kind = EncoderKind::kCategorical};
    for (int word = 0; word < 100; ++word) spec.vocabulary.push_back(std::to_string(word));
    specs.push_back(spec);
  }
  specs.push_back({.column = "label", .kind = EncoderKind::kLabel});
  std::vector<Column> selected;
  for (const auto& spec : specs) selected.emplace_back(spec.column);
  const auto source = rows.select(selected);
  LoaderOptions options{.batch_rows = 8192, .seed = 1, .end_epoch = 1};
  if (argc > 2) options.memory_bytes_max = int64_t{std::stoi(argv[2])} << 20;
  if (argc > 3) {
    options.records = argv[3];
    options.records_key = "bench";
    options.share_records = true;
  }
  if (argc > 4) options.end_epoch = std::stoi(argv[4]);
  Loader loader([&] { return source.toArrowStream(); }, specs, options);
  int64_t count = 0;
  double sum = 0, first = 0;
  for (int64_t epoch = 0; epoch < options.end_epoch; ++epoch) {
    while (auto batch = loader.next()) {
      if (count == 0) {
        first = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      }
      count += batch->numeric.size(0);
      sum += batch->label.sum().item<double>();
    }
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf(
      "{\"rows\": %lld, \"seconds\": %.3f, \"first\": %.3f, \"label_sum\": %.0f, "
      "\"full_shuffle\": %s}\n",
      static_cast<long long>(count), seconds, first, sum,
      loader.shuffle_is_full() ? "true" : "false");
}
