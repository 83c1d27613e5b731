// Runs PySpark's plans as record_plans.py and record_udfs.py recorded them, with what Apache Spark
// answers to each.
// usage: run_plans plans.json [case …]; SPARK_REMOTE names a server that is to run them.
// Ends with 77 when the plans need a Python that is not there.
#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <spark/connect/base.pb.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "connect/client/executor.h"
#include "dataframe/session.h"
#include "engine/engine.h"

namespace {

using namespace firesteel;
using nlohmann::json;

/// Empty when the answer is Spark's; else what differs.
std::string run(const Session& spark, const json& record) {
  auto relation = std::make_shared<spark::connect::Relation>();
  const auto parsed =
      google::protobuf::util::JsonStringToMessage(record.at("plan").dump(), relation.get());
  if (!parsed.ok()) return "  the plan cannot be read: " + parsed.ToString() + "\n";
  const auto wanted_error = record.value("error", "");
  try {
    for (const auto& text : record.value("commands", json::array())) {
      spark::connect::Command command;
      const auto read = google::protobuf::util::JsonStringToMessage(text.dump(), &command);
      if (!read.ok()) return "  a command cannot be read: " + read.ToString() + "\n";
      spark.executor()->run(command);
    }
    const DataFrame df(spark.executor(), relation);
    std::vector<std::string> columns;
    for (const auto& field : df.schema())
      columns.push_back(field.name + " " + field.type.simple_string());
    std::vector<std::string> rows, wanted_rows;
    for (const auto& row : df.collect()) {
      std::string line;
      for (const auto& cell : row) line += (cell.null ? "NULL" : cell.text) + "\t";
      rows.push_back(line);
    }
    if (!wanted_error.empty()) return "  no error, where Spark has " + wanted_error + "\n";
    for (const auto& row : record.at("rows")) {
      std::string line;
      for (const auto& cell : row)
        line += (cell.is_null() ? std::string("NULL") : cell.get<std::string>()) + "\t";
      wanted_rows.push_back(line);
    }
    if (!record.at("ordered").get<bool>()) {
      std::sort(rows.begin(), rows.end());
      std::sort(wanted_rows.begin(), wanted_rows.end());
    }
    std::string out;
    const auto wanted = record.at("columns").get<std::vector<std::string>>();
    if (columns != wanted) {
      out += fmt::format("  columns {}\n  instead {}\n", fmt::join(columns, ", "),
                         fmt::join(wanted, ", "));
    }
    if (rows != wanted_rows) {
      out += fmt::format("  rows\n    {}\n  instead of\n    {}\n", fmt::join(rows, "\n    "),
                         fmt::join(wanted_rows, "\n    "));
    }
    return out;
  } catch (const Error& error) {
    const auto wanted_text = record.value("error_text", "");
    if (error.condition() == wanted_error &&
        std::string_view(error.what()).find(wanted_text) != std::string_view::npos)
      return "";
    return fmt::format("  {}\n  instead of {}\n", error.what(),
                       wanted_error.empty() ? "rows" : wanted_error);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  std::ifstream in(argv[1]);
  const auto file = json::parse(in);
  const char* python = std::getenv("PYSPARK_PYTHON");
  if (file.value("python", false) && (!python || !std::filesystem::exists(python))) {
    fmt::print("skipped: PYSPARK_PYTHON names no Python with pyspark\n");
    return 77;
  }
  const char* remote = std::getenv("SPARK_REMOTE");
  const Session spark(remote ? std::shared_ptr<Executor>(connect::make_connect_executor(remote))
                             : make_embedded_executor({.memory_limit = "1GB", .threads = 2}));
  for (const auto& [name, query] : file.at("views").items())
    spark.sql(query.get<std::string>()).createOrReplaceTempView(name);
  int passed = 0, failed = 0;
  const std::vector<std::string> chosen(argv + 2, argv + argc);
  for (const auto& record : file.at("plans")) {
    const auto& code = record.at("code").get_ref<const std::string&>();
    if (!chosen.empty() && std::find(chosen.begin(), chosen.end(), code) == chosen.end()) continue;
    const auto difference = run(spark, record);
    ++(difference.empty() ? passed : failed);
    if (!difference.empty()) fmt::print("{}\n{}", code, difference);
  }
  fmt::print("{} passed, {} failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
