// One epoch of a DLRM-like model from Parquet: 13 floats and 8 embeddings of 16 -> 256 -> 128 -> 1,
// Adam, batches of 8192. usage: train_bench FILE [MEMORY_MB [EPOCHS [WORKERS [THREADS of each]]]].
// Rows with `part` 0 are trained on, the others tested. Prints JSON.
#include <chrono>
#include <cstdio>
#include <string>

#include "dataframe/session.h"
#include "engine/engine.h"
#include "ml/model.h"

int main(int argc, char** argv) {
  using namespace firesteel;
  if (argc < 2) return 2;
  const auto argument = [&](int i, int otherwise) {
    return argc > i ? std::stoi(argv[i]) : otherwise;
  };
  const auto start = std::chrono::steady_clock::now();
  Session spark(make_embedded_executor({.memory_limit = "256MB"}));
  const auto rows = spark.read().parquet(argv[1]);
  Features features;
  std::vector<std::string> floats, ids;
  for (int i = 0; i < 13; ++i) floats.push_back("f" + std::to_string(i));
  for (int i = 0; i < 8; ++i) ids.push_back("c" + std::to_string(i));
  features.numeric(floats).categorical(ids).label("label");
  ModelOptions model{.hidden = {256, 128}, .embedding_dimension = 16};
  TrainOptions options;
  options.validation_fraction = 0;
  options.trainer.epochs = argument(3, 1);
  options.trainer.device = "cpu";
  options.workers = argument(4, 1);
  options.launch.threads = argument(5, 0);
  options.trainer.optimizer = {.kind = OptimizerKind::kAdam, .weight_decay = 0, .groups = {}};
  options.trainer.seed = 1;
  options.batches.rows = 8192;
  options.batches.memory_bytes_max = int64_t{argument(2, 1024)} << 20;
  const auto fitted = train(rows.filter("part = 0"), features, model, options);
  const auto trained = std::chrono::steady_clock::now();
  const double auc = fitted.evaluate(rows.filter("part = 1")).at("auc");
  const auto& result = fitted.training();
  const double wall = std::chrono::duration<double>(trained - start).count();
  double epochs_seconds = 0;
  for (const auto& epoch : result.history) epochs_seconds += epoch.seconds;
  std::printf(
      "{\"rows\": %lld, \"seconds\": %.2f, \"epoch_seconds\": %.2f, \"waited\": %.3f, "
      "\"packing\": %.3f, \"auc\": %.4f}\n",
      static_cast<long long>(result.rows), wall, epochs_seconds, result.waited_seconds,
      result.packing_seconds, auc);
}
