// Files through the DataFrame API: options, inferred types, save modes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "dataframe/session.h"
#include "engine/engine.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;

struct FilesTest : ::testing::Test {
  Session spark{make_embedded_executor({.memory_limit = "1GB", .threads = 2})};
  fs::path folder = fs::temp_directory_path() / ("firesteel_files_test_" + std::to_string(::getpid()));
  void SetUp() override { fs::create_directories(folder); }
  void TearDown() override { fs::remove_all(folder); }
  std::string path(const std::string& name) const { return (folder / name).string(); }

  template <typename Body>
  static std::string message_of(Body body) {
    try {
      body();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  size_t rows(const std::string& name) const { return spark.read().parquet(path(name)).collect().size(); }
};

TEST_F(FilesTest, WrongOptionNamesTheNearest) {
  std::ofstream(folder / "a.csv") << "a,b\n1,2\n";
  const auto message = message_of([&] { spark.read().option("headr", true).csv(path("a.csv")).collect(); });
  EXPECT_NE(message.find("INVALID_OPTION"), std::string::npos) << message;
  EXPECT_NE(message.find("header"), std::string::npos) << message;
}

// The types are those spark.read.csv(…, header=True, inferSchema=True) gives in Spark 4.3.0.
TEST_F(FilesTest, CsvTypesAreInferredAsSparkDoes) {
  std::ofstream(folder / "types.csv") << "i,l,d,s,b,day,ts,empty\n"
                                         "1,3000000000,1.5,x,true,2024-01-02,2024-01-02 03:04:05,\n"
                                         "-2,4,2,7,false,2024-02-03,2024-01-02 03:04:06,\n";
  const auto df = spark.read().option("header", true).option("inferSchema", true).csv(path("types.csv"));
  std::string types;
  for (const auto& field : df.schema()) types += field.type.simple_string() + " ";
  EXPECT_EQ(types, "int bigint double string boolean date timestamp string ");
}

TEST_F(FilesTest, SaveModes) {
  const auto three = spark.sql("SELECT id FROM range(3)");
  three.write().parquet(path("out"));
  EXPECT_EQ(rows("out"), 3u);
  EXPECT_NE(message_of([&] { three.write().parquet(path("out")); }).find("PATH_ALREADY_EXISTS"), std::string::npos);
  three.write().mode("ignore").parquet(path("out"));
  EXPECT_EQ(rows("out"), 3u);
  three.write().mode("append").parquet(path("out"));
  EXPECT_EQ(rows("out"), 6u);
  three.write().mode("overwrite").parquet(path("out"));
  EXPECT_EQ(rows("out"), 3u);
}

TEST_F(FilesTest, FailedWriteLeavesNothingBehind) {
  const auto failing = spark.sql("SELECT IF(id = 90000, CAST(raise_error('stop') AS INT), 1) AS x FROM range(100000)");
  EXPECT_NE(message_of([&] { failing.write().parquet(path("half")); }).find("USER_RAISED_EXCEPTION"), std::string::npos);
  EXPECT_TRUE(fs::is_empty(folder));
  spark.sql("SELECT 1 AS x").write().parquet(path("kept"));
  EXPECT_NE(message_of([&] { failing.write().mode("overwrite").parquet(path("kept")); }), "no error");
  EXPECT_EQ(rows("kept"), 1u);
}

}  // namespace
}  // namespace firesteel
