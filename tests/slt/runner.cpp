// Runs tests that are data: blocks of a statement and what Apache Spark answers to it, recorded by
// tests/reference/record_slt.py. usage: run_slt FILE… | run_slt --examples (blocks of all function
// rows)
//
//   query id bigint, name string      the columns' names and types
//   SELECT id, name FROM people
//   ----
//   1<TAB>Ada                         values as Spark casts them to text, NULL where null
//
//   error UNRESOLVED_COLUMN.WITH_SUGGESTION at "nme"
//   SELECT nme FROM people
//
//   statement
//   CREATE OR REPLACE TEMP VIEW …
//
// ${DATA} stands for the folder tests/data, in statements and in rows.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "dataframe/session.h"
#include "engine/engine.h"
#include "functions/spec.h"

namespace {

using namespace firesteel;

struct Block {
  int line = 0;
  std::string header, sql;
  std::vector<std::string> expected;
  bool sorted = false;
};

std::vector<Block> read_blocks(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw Error("PATH_NOT_FOUND", fmt::format("{} cannot be read.", path));
  std::vector<Block> blocks;
  std::string line;
  bool in_block = false, in_rows = false;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.empty()) {
      in_block = in_rows = false;
    } else if (!in_block && line[0] == '#') {
    } else if (!in_block) {
      blocks.push_back({.line = number, .header = line});
      in_block = true;
    } else if (line == "----") {
      in_rows = true;
    } else if (in_rows) {
      blocks.back().expected.push_back(line);
    } else {
      blocks.back().sql += (blocks.back().sql.empty() ? "" : "\n") + line;
    }
  }
  return blocks;
}

std::string after(const std::string& text, const std::string& start) {
  return text.substr(start.size());
}

/// A value on one line, as record_slt.py writes it.
std::string cell(const std::string& text) {
  std::string out;
  for (const char c : text)
    out += c == '\n' ? std::string("\\n") : c == '\t' ? std::string("\\t") : std::string(1, c);
  return out.empty() ? "(empty)" : out;
}

constexpr const char* kData = "${DATA}";

std::string replaced(std::string text, std::string_view part, std::string_view by) {
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += by.size())
    text.replace(at, part.size(), by);
  return text;
}

/// Empty when the block holds; else what differs.
std::string run_query(const Session& spark, const Block& block, const std::string& data) {
  const auto df = spark.sql(block.sql);
  std::string schema;
  for (const auto& field : df.schema()) {
    schema +=
        fmt::format("{}{} {}", schema.empty() ? "" : ", ", field.name, field.type.simple_string());
  }
  std::vector<std::string> rows;
  for (const auto& row : df.collect()) {
    std::string text;
    for (size_t i = 0; i < row.size(); ++i) {
      text += (i ? "\t" : "") + (row[i].null ? "NULL" : cell(row[i].text));
    }
    rows.push_back(replaced(text, data, kData));
  }
  auto expected = block.expected;
  std::string upper = block.sql;
  std::transform(upper.begin(), upper.end(), upper.begin(), ::toupper);
  if (upper.find("ORDER BY") == std::string::npos) {
    std::sort(rows.begin(), rows.end());
    std::sort(expected.begin(), expected.end());
  }
  std::string out;
  const auto wanted = block.header.size() > 6 ? after(block.header, "query ") : "";
  if (schema != wanted) out += fmt::format("  columns {}\n  instead {}\n", schema, wanted);
  if (rows != expected) {
    out += fmt::format("  rows\n    {}\n  instead of\n    {}\n", fmt::join(rows, "\n    "),
                       fmt::join(expected, "\n    "));
  }
  return out;
}

std::string run_block(const Session& spark, Block block, const std::string& data) {
  block.sql = replaced(block.sql, kData, data);
  if (!block.header.starts_with("error ")) {
    try {
      if (block.header == "statement") {
        spark.sql(block.sql);
        return "";
      }
      return run_query(spark, block, data);
    } catch (const Error& error) {
      return fmt::format("  {}\n", error.what());
    }
  }
  std::string condition = after(block.header, "error "), place;
  if (const auto at = condition.find(" at \""); at != std::string::npos) {
    place = condition.substr(at + 5, condition.size() - at - 6);
    condition.resize(at);
  }
  try {
    spark.sql(block.sql).collect();
    return fmt::format("  no error, where Spark has {}\n", condition);
  } catch (const Error& error) {
    std::string out;
    if (error.condition() != condition)
      out += fmt::format("  {}\n  instead of {}\n", error.what(), condition);
    if (!place.empty()) {
      const auto text =
          error.sql_text().substr(std::min<size_t>(error.span().start, error.sql_text().size()),
                                  error.span().stop - error.span().start);
      if (text != place) out += fmt::format("  points at \"{}\" instead of \"{}\"\n", text, place);
    }
    return out;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && argv[1] == std::string_view("--examples")) {
    fmt::print(
        "# Every function's example. Printed by run_slt --examples, recorded by record_slt.py.\n\n"
        "statement\nSET spark.sql.timeType.enabled = true\n");
    for (const auto& group : function_groups()) {
      for (const auto& row : group.rows) {
        if (!row.example.empty()) fmt::print("\nquery\nSELECT {} AS `{}`\n", row.example, row.name);
      }
    }
    return 0;
  }
  int passed = 0, failed = 0;
  for (int i = 1; i < argc; ++i) {
    const auto warehouse =
        std::filesystem::temp_directory_path() / fmt::format("run_slt-{}", ::getpid());
    const Session spark(make_embedded_executor({.memory_limit = "1GB", .threads = 2}));
    spark.executor()->set_config("spark.sql.warehouse.dir", warehouse.string());
    const auto data =
        (std::filesystem::absolute(argv[i]).parent_path() / "../data").lexically_normal().string();
    for (const auto& block : read_blocks(argv[i])) {
      const auto difference = run_block(spark, block, data);
      ++(difference.empty() ? passed : failed);
      if (!difference.empty())
        fmt::print("{}:{}: {}\n{}", argv[i], block.line, block.sql, difference);
    }
    std::filesystem::remove_all(warehouse);
  }
  fmt::print("{} passed, {} failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
