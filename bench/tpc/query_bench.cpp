// TPC-H and TPC-DS through the plan and the same text as DuckDB's SQL by hand, in one process.
// usage: query_bench FOLDER [--runs N] [--only plan|hand] [--planning]
// FOLDER holds <table>/data.parquet and queries/<number>.sql. Prints each query's medians and the
// geometric mean of their ratios; with --planning, how long a query takes until it could run.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "dataframe/session.h"
#include "engine/database.h"
#include "engine/engine.h"

namespace {

using namespace firesteel;
namespace fs = std::filesystem;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

template <typename Body>
double seconds(Body body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int64_t drain(ArrowStream rows) {
  int64_t total = 0;
  while (auto batch = rows.next()) total += batch->get()->length;
  return total;
}

struct Query {
  std::string name, text;
};

std::vector<Query> read_queries(const fs::path& folder) {
  std::vector<Query> queries;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::ostringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    queries.push_back({entry.path().stem().string(), text.str()});
  }
  std::sort(queries.begin(), queries.end(),
            [](const Query& a, const Query& b) { return std::stoi(a.name) < std::stoi(b.name); });
  return queries;
}

std::string by_hand(std::string text) {
  std::replace(text.begin(), text.end(), '`', '"');
  return text;
}

int measure_planning(const Session& spark, const std::vector<Query>& queries, int runs) {
  std::vector<double> all;
  std::printf("%-6s %12s %12s\n", "query", "parse ms", "whole ms");
  for (const auto& query : queries) {
    std::vector<double> parse, whole;
    for (int i = 0; i < runs + 1; ++i) {
      const auto start = std::chrono::steady_clock::now();
      const auto df = spark.sql(query.text);
      const double parsed =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      const double prepared = seconds([&] { df.explain(); });
      if (i == 0) continue;
      parse.push_back(parsed);
      whole.push_back(parsed + prepared);
    }
    all.push_back(median(whole));
    std::printf("%-6s %12.2f %12.2f\n", query.name.c_str(), median(parse) * 1e3, all.back() * 1e3);
  }
  std::printf("median %.2f ms, largest %.2f ms\n", median(all) * 1e3,
              *std::max_element(all.begin(), all.end()) * 1e3);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const fs::path folder = argv[1];
  int runs = 5;
  bool planning = false;
  std::string only;
  for (int i = 2; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--runs" && i + 1 < argc) runs = std::stoi(argv[++i]);
    if (word == "--only" && i + 1 < argc) only = argv[++i];
    planning = planning || word == "--planning";
  }
  const Session spark(make_embedded_executor());
  Database database(firesteel::DatabaseOptions{});
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto file = entry.path() / "data.parquet";
    if (!fs::exists(file)) continue;
    const auto table = entry.path().filename().string();
    spark.read().parquet(file.string()).createOrReplaceTempView(table);
    database.execute("CREATE VIEW " + table + " AS SELECT * FROM '" + file.string() + "'");
  }
  const auto queries = read_queries(folder / "queries");
  if (planning) return measure_planning(spark, queries, runs);
  double product = 0, ours_total = 0, hand_total = 0;
  std::printf("%-6s %12s %12s %8s\n", "query", "plan ms", "by hand ms", "ratio");
  for (const auto& query : queries) {
    std::vector<double> ours = {}, theirs = {};
    int64_t our_rows = 0, their_rows = 0;
    for (int i = 0; i < runs + 1; ++i) {  // the first warms up
      const double a = only == "hand" ? 1 : seconds([&] {
        our_rows = drain(spark.sql(query.text).toArrowStream());
      });
      const double b = only == "plan" ? 1 : seconds([&] {
        their_rows = drain(database.query(by_hand(query.text), {}));
      });
      if (i == 0) continue;
      ours.push_back(a);
      theirs.push_back(b);
    }
    if (only.empty() && our_rows != their_rows) {
      std::fprintf(stderr, "%s: %lld rows, by hand %lld\n", query.name.c_str(),
                   static_cast<long long>(our_rows), static_cast<long long>(their_rows));
      return 1;
    }
    const double ratio = median(ours) / median(theirs);
    product += std::log(ratio);
    ours_total += median(ours);
    hand_total += median(theirs);
    std::printf("%-6s %12.1f %12.1f %8.3f\n", query.name.c_str(), median(ours) * 1e3,
                median(theirs) * 1e3, ratio);
  }
  std::printf("geometric mean of the ratios %.3f, totals %.2f s and %.2f s\n",
              std::exp(product / static_cast<double>(queries.size())), ours_total, hand_total);
  return 0;
}
