// A program with tasks that fail in ways that clusters must live with. usage: cluster_tasks REMOTE
// TRANSPORT BEHAVIOUR [PROGRAM]; prints how many rows came and their sum.
#include <signal.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <thread>

#include "firesteel/firesteel.h"

using namespace firesteel;

struct Number {
  int64_t id = 0;
};
FIRESTEEL_ROW(Number, id)

constexpr auto doubled = [](Rows<Number>& rows, Emit<Number>& emit, const TaskContext& context) {
  const auto& behaviour = context.argument;
  if (behaviour == "crash" && context.partition == 1 && context.attempt == 0) ::raise(SIGKILL);
  if (behaviour == "slow") std::this_thread::sleep_for(std::chrono::seconds(4));
  if (behaviour == "fail" && context.partition == 2)
    throw Error("INVALID_PARAMETER_VALUE", "This partition is refused.");
  if (behaviour == "stop") return;
  for (const Number& number : rows) emit({number.id * 2});
};

constexpr auto ranks = [](Rows<Number>& rows, Emit<Number>& emit, const TaskContext& context) {
  const auto all = context.gather(std::to_string(context.partition * 10));
  int64_t sum = 0;
  for (const auto& text : all) sum += std::stoll(text);
  for ([[maybe_unused]] const Number& number : rows) {
  }
  emit({sum + context.partitions});
};

int main(int argc, char** argv) {
  if (const auto code = cluster::run_if_worker(argc, argv)) return *code;
  if (argc < 4) return 2;
  try {
    auto builder =
        Session::builder().remote(argv[1]).config("firesteel.cluster.transport", argv[2]);
    if (argc > 4) builder.config("firesteel.cluster.program", argv[4]);
    const auto spark = builder.getOrCreate();
    const std::string behaviour = argv[3];
    const auto numbers =
        Dataset<Number>::of(spark.range(0, 100'000)).repartition(behaviour == "gather" ? 2 : 4);
    const auto out = behaviour == "gather" ? numbers.map_partitions<ranks>("", true)
                                           : numbers.map_partitions<doubled>(behaviour);
    int64_t sum = 0;
    const auto rows = out.collect();
    for (const auto& row : rows) sum += row.id;
    std::printf("%zu rows, sum %ld\n", rows.size(), sum);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
