// One job on a cluster, for compare.py. usage: cluster_bench REMOTE TRANSPORT JOB …
//   identity ROWS               rows of 4 floats through a task that gives them back
//   prepare MODEL               a model of 8 numbers, trained a little here
//   predict MODEL PARQUET       its predictions
//   train PARQUET WORKERS       the rows of a folder, in a barrier stage
// Prints JSON: the seconds of each round.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>

#include "firesteel/firesteel.h"
#include "ml/cluster.h"

using namespace firesteel;

namespace {

double timed(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void drain(const DataFrame& df) { df.write().format("noop").mode("overwrite").save(); }

Features features() {
  std::vector<std::string> names;
  for (int i = 0; i < 8; ++i) names.push_back(fmt::format("x{}", i));
  return Features().numeric(names).label("y");
}

FIRESTEEL_TASK(identity, [](ArrowStream rows, const TaskContext&) { return rows; });

void run(const Session& spark, const std::vector<std::string>& arguments) {
  const auto& job = arguments.at(0);
  if (job == "identity") {
    const auto floats = spark.range(0, std::stoll(arguments.at(1)))
                            .selectExpr({"CAST(id AS FLOAT) a", "CAST(id * 2 AS FLOAT) b",
                                         "CAST(id * 3 AS FLOAT) c", "CAST(id * 4 AS FLOAT) d"});
    const auto through = floats.mapPartitions("identity", "a FLOAT, b FLOAT, c FLOAT, d FLOAT");
    drain(through.limit(1000));
    for (int i = 0; i < 3; ++i) fmt::print("{{\"seconds\": {}}}\n", timed([&] { drain(through); }));
  } else if (job == "prepare") {
    std::vector<std::string> columns = {"CAST(rand(9) > 0.5 AS INT) AS y"};
    for (int i = 0; i < 8; ++i)
      columns.push_back(fmt::format("CAST(randn({}) AS FLOAT) AS x{}", i, i));
    train(spark.range(0, 20'000).selectExpr(columns), features(), {.hidden = {256, 128}},
          {.trainer = {.epochs = 1}})
        .save(arguments.at(1));
  } else if (job == "predict") {
    const auto model = FittedModel::load(arguments.at(1));
    const auto rows = spark.read().parquet(arguments.at(2));
    const auto predicted = model.transform(rows);
    drain(predicted.limit(1000));
    for (int i = 0; i < 3; ++i)
      fmt::print("{{\"seconds\": {}}}\n", timed([&] { drain(predicted); }));
  } else if (job == "train") {
    const auto rows = spark.read().parquet(arguments.at(1)).limit(1'000'000);
    const auto fitted = fit(rows, features());
    TrainOptions options{
        .trainer = {.epochs = 3}, .batches = {.rows = 8192}, .workers = std::stoi(arguments.at(2))};
    options.trainer.rows = fitted.rows;
    const auto marked = rows.selectExpr({"*", "0 AS __part"});
    for (int i = 0; i < 2; ++i) {  // the first of them on a cold cluster
      TabularModel model(fitted.specs, {.hidden = {512, 256, 128}}, 1);
      TrainResult result;
      const double seconds = timed([&] {
        result =
            train_on_cluster(&model, marked, "__part", false, features().hash_terms(), options);
      });
      double training = 0;
      for (const auto& epoch : result.history) training += epoch.seconds;
      fmt::print("{{\"seconds\": {}, \"training\": {}, \"packing\": {}, \"rows\": {}}}\n", seconds,
                 training, result.packing_seconds, result.rows);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto code = cluster::run_if_worker(argc, argv)) return *code;
  try {
    auto builder = Session::builder().remote(argc > 1 ? argv[1] : "");
    if (argc > 1 && *argv[1]) builder.config("firesteel.cluster.transport", argv[2]);
    run(builder.getOrCreate(), {argv + 3, argv + argc});
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
