// Every row's documented result is the one recorded from Apache Spark in tests/slt/functions.slt.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>

#include "functions/spec.h"

namespace firesteel {
namespace {

/// The statements of functions.slt and the line behind `----`.
std::map<std::string, std::string> recorded() {
  std::ifstream in(FIRESTEEL_SOURCE_DIR "/tests/slt/functions.slt");
  std::map<std::string, std::string> out;
  std::string line, sql;
  bool in_rows = false;
  while (std::getline(in, line)) {
    if (line.starts_with("SELECT ")) {
      sql = line;
    } else if (line == "----") {
      in_rows = true;
    } else if (in_rows) {
      out[sql] = line;
      in_rows = false;
    }
  }
  return out;
}

TEST(FunctionRows, GiveWhatSparkGives) {
  const auto spark = recorded();
  ASSERT_GT(spark.size(), 300u);
  for (const auto& group : function_groups()) {
    for (const auto& row : group.rows) {
      if (row.example.empty()) continue;
      const auto found =
          spark.find("SELECT " + std::string(row.example) + " AS `" + std::string(row.name) + "`");
      ASSERT_NE(found, spark.end()) << row.name << ": record it with tests/reference/record_slt.py";
      EXPECT_EQ(row.gives, found->second == "(empty)" ? "" : found->second) << row.name;
    }
  }
}

TEST(FunctionRows, NamesAreFoundInAnyCase) {
  EXPECT_FALSE(find_function("SUBSTRING").empty());
  EXPECT_TRUE(find_function("no_such_function").empty());
}

}  // namespace
}  // namespace firesteel
