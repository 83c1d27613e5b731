// Files through the DataFrame API: options, inferred types, save modes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "base/error.h"
#include "dataframe/session.h"
#include "engine/engine.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;

struct FilesTest : ::testing::Test {
  Session spark{make_embedded_executor({.memory_limit = "1GB", .threads = 2})};
  fs::path folder =
      fs::temp_directory_path() / ("firesteel_files_test_" + std::to_string(::getpid()));
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
  size_t rows(const std::string& name) const {
    return spark.read().parquet(path(name)).collect().size();
  }
};

TEST_F(FilesTest, WrongOptionNamesTheNearest) {
  std::ofstream(folder / "a.csv") << "a,b\n1,2\n";
  const auto message =
      message_of([&] { spark.read().option("headr", true).csv(path("a.csv")).collect(); });
  EXPECT_NE(message.find("INVALID_OPTION"), std::string::npos) << message;
  EXPECT_NE(message.find("header"), std::string::npos) << message;
}

// The types are those spark.read.csv(…, header=True, inferSchema=True) gives in Spark 4.3.0.
TEST_F(FilesTest, CsvTypesAreInferredAsSparkDoes) {
  std::ofstream(folder / "types.csv") << "i,l,d,s,b,day,ts,empty\n"
                                         "1,3000000000,1.5,x,true,2024-01-02,2024-01-02 03:04:05,\n"
                                         "-2,4,2,7,false,2024-02-03,2024-01-02 03:04:06,\n";
  const auto df =
      spark.read().option("header", true).option("inferSchema", true).csv(path("types.csv"));
  std::string types;
  for (const auto& field : df.schema()) types += field.type.simple_string() + " ";
  EXPECT_EQ(types, "int bigint double string boolean date timestamp string ");
}

// Expected values are those of Spark 4.3.0 for the same file and options.
TEST_F(FilesTest, CsvOptionsChangeTextAsInSpark) {
  std::ofstream(folder / "a.csv")
      << "a,b,n\n x , y ,1\n\"\",\"NA\",2\n,NA,3\n   ,q, 4\nNA,\"a, b\",5\n";
  const auto shown = [&](std::initializer_list<std::pair<const char*, const char*>> options) {
    auto reader = spark.read().option("header", true);
    for (const auto& [name, value] : options) reader = reader.option(name, value);
    std::string text;
    for (const auto& row : reader.csv(path("a.csv")).collect()) {
      for (const auto& cell : row) text += (cell.null ? "NULL" : cell.text) + "|";
      text += "\n";
    }
    return text;
  };
  EXPECT_EQ(shown({}), " x | y |1|\nNULL|NA|2|\nNULL|NA|3|\n   |q| 4|\nNA|a, b|5|\n");
  EXPECT_EQ(shown({{"ignoreLeadingWhiteSpace", "true"},
                   {"ignoreTrailingWhiteSpace", "true"},
                   {"inferSchema", "true"}}),
            "x|y|1|\nNULL|NA|2|\nNULL|NA|3|\nNULL|q|4|\nNA|a, b|5|\n");
  EXPECT_EQ(shown({{"ignoreLeadingWhiteSpace", "true"}}),
            "x |y |1|\nNULL|NA|2|\nNULL|NA|3|\nNULL|q|4|\nNA|a, b|5|\n");
  EXPECT_EQ(shown({{"nullValue", "NA"}}),
            " x | y |1|\n|NULL|2|\nNULL|NULL|3|\n   |q| 4|\nNULL|a, b|5|\n");
  EXPECT_EQ(shown({{"emptyValue", "E"}}),
            " x | y |1|\nE|NA|2|\nNULL|NA|3|\n   |q| 4|\nNA|a, b|5|\n");
  EXPECT_EQ(shown({{"emptyValue", "E"}, {"nullValue", "NA"}}),
            " x | y |1|\nE|NULL|2|\nNULL|NULL|3|\n   |q| 4|\nNULL|a, b|5|\n");
  EXPECT_EQ(shown({{"emptyValue", "NA"}, {"nullValue", "NA"}}),
            " x | y |1|\nNULL|NULL|2|\nNULL|NULL|3|\n   |q| 4|\nNULL|a, b|5|\n");
}

TEST_F(FilesTest, CsvEncodings) {
  std::ofstream(folder / "latin.csv") << "a,b\n1,caf\xe9\n";
  EXPECT_EQ(spark.read()
                .option("header", true)
                .option("encoding", "ISO-8859-1")
                .csv(path("latin.csv"))
                .collect()[0][1]
                .text,
            "caf\xc3\xa9");
  const auto message = message_of(
      [&] { spark.read().option("encoding", "windows-1252").csv(path("latin.csv")).collect(); });
  EXPECT_NE(message.find("`encoding`"), std::string::npos) << message;
}

// Microseconds as Spark 4.3.0 gives them: text without an offset is the session's local time.
TEST_F(FilesTest, CsvTimestampsAreOfTheSessionsZone) {
  std::ofstream(folder / "t.csv")
      << "t,x\n2024-01-01 10:00:00,1\n2024-07-01T10:00:00Z,2\n2024-07-01 "
         "10:00:00+02:00,3\n2024-07-01 10:00:00,4\n";
  const auto micros = [&](const char* zone, bool inferred) {
    spark.sql(std::string("SET spark.sql.session.timeZone=") + zone);
    auto reader = spark.read().option("header", true);
    const auto df = inferred ? reader.option("inferSchema", true).csv(path("t.csv"))
                             : reader.schema("t timestamp, x int").csv(path("t.csv"));
    std::string text;
    for (const auto& row : df.selectExpr({"unix_micros(t) / 1000000"}).collect())
      text += row[0].text + " ";
    return text;
  };
  for (const bool inferred : {true, false}) {
    EXPECT_EQ(micros("UTC", inferred), "1.7041032E9 1.719828E9 1.7198208E9 1.719828E9 ");
    EXPECT_EQ(micros("America/New_York", inferred),
              "1.7041212E9 1.719828E9 1.7198208E9 1.7198424E9 ");
    EXPECT_EQ(micros("Asia/Seoul", inferred), "1.7040708E9 1.719828E9 1.7198208E9 1.7197956E9 ");
  }
}

// Errors' classes as in Spark 4.3.0, and the name of the file.
TEST_F(FilesTest, ParquetOfOtherColumnsAndTypes) {
  spark.sql("SELECT 1 AS a, 'x' AS b").write().parquet(path("both"));
  spark.sql("SELECT 2 AS a, 2.5D AS c").write().mode("append").parquet(path("both"));
  EXPECT_EQ(spark.read().option("mergeSchema", true).parquet(path("both")).schema().size(), 3u);
  const auto given = spark.read().schema("A BIGINT, missing STRING").parquet(path("both"));
  EXPECT_EQ(given.collect().size(), 2u);
  EXPECT_NE(message_of([&] {
              spark.read().schema("a STRING").parquet(path("both")).collect();
            }).find("FAILED_READ_FILE.PARQUET_COLUMN_DATA_TYPE_MISMATCH"),
            std::string::npos);
  std::ofstream(folder / "text.parquet") << "this is no parquet file\n";
  const auto message = message_of([&] { spark.read().parquet(path("text.parquet")).collect(); });
  EXPECT_NE(message.find("FAILED_READ_FILE"), std::string::npos) << message;
  EXPECT_NE(message.find("text.parquet"), std::string::npos) << message;
}

// The lines are those that Spark 4.3.0 writes of the same rows and options.
TEST_F(FilesTest, TextIsWrittenByOptions) {
  const auto lines = [&](const char* format, std::map<std::string, std::string> options) {
    auto writer = spark.sql("SELECT 1 AS id, 'a,b' AS t, CAST(NULL AS STRING) AS n").write();
    writer.format(format).mode("overwrite");
    for (const auto& [name, value] : options) writer.option(name, value);
    writer.save(path("lines"));
    for (const auto& entry : fs::directory_iterator(path("lines"))) {
      if (!entry.path().filename().string().starts_with("_")) {
        std::ifstream in(entry.path());
        return std::string(std::istreambuf_iterator<char>(in), {});
      }
    }
    return std::string("no file");
  };
  EXPECT_EQ(lines("csv", {{"header", "true"}}), "id,t,n\n1,\"a,b\",\n");
  EXPECT_EQ(lines("csv", {{"quoteAll", "true"}, {"nullValue", "-"}, {"lineSep", "|"}}),
            "\"1\",\"a,b\",\"-\"|");
  EXPECT_EQ(lines("json", {}), "{\"id\":1,\"t\":\"a,b\"}\n");
  EXPECT_EQ(lines("json", {{"ignoreNullFields", "false"}}),
            "{\"id\":1,\"t\":\"a,b\",\"n\":null}\n");
}

TEST_F(FilesTest, MaxRecordsPerFile) {
  for (const char* format : {"parquet", "csv"}) {
    spark.sql("SELECT id FROM range(10)")
        .write()
        .mode("overwrite")
        .format(format)
        .option("maxRecordsPerFile", "3")
        .save(path("chunks"));
    size_t files = 0;
    for (const auto& entry : fs::directory_iterator(path("chunks")))
      files += !entry.path().filename().string().starts_with("_");
    EXPECT_EQ(files, 4u) << format;
    EXPECT_EQ(spark.read().format(format).load(path("chunks")).collect().size(), 10u) << format;
  }
}

TEST_F(FilesTest, Avro) {
  const auto rows =
      spark.read().format("avro").load(FIRESTEEL_SOURCE_DIR "/tests/data/people.avro").collect();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0][1].text, "Ada");
  EXPECT_TRUE(rows[1][1].null);
}

TEST_F(FilesTest, SaveModes) {
  const auto three = spark.sql("SELECT id FROM range(3)");
  three.write().parquet(path("out"));
  EXPECT_EQ(rows("out"), 3u);
  EXPECT_NE(message_of([&] { three.write().parquet(path("out")); }).find("PATH_ALREADY_EXISTS"),
            std::string::npos);
  three.write().mode("ignore").parquet(path("out"));
  EXPECT_EQ(rows("out"), 3u);
  three.write().mode("append").parquet(path("out"));
  EXPECT_EQ(rows("out"), 6u);
  three.write().mode("overwrite").parquet(path("out"));
  EXPECT_EQ(rows("out"), 3u);
}

TEST_F(FilesTest, FailedWriteLeavesNothingBehind) {
  const auto failing = spark.sql(
      "SELECT IF(id = 90000, CAST(raise_error('stop') AS INT), 1) AS x FROM range(100000)");
  EXPECT_NE(
      message_of([&] { failing.write().parquet(path("half")); }).find("USER_RAISED_EXCEPTION"),
      std::string::npos);
  EXPECT_TRUE(fs::is_empty(folder));
  spark.sql("SELECT 1 AS x").write().parquet(path("kept"));
  EXPECT_NE(message_of([&] { failing.write().mode("overwrite").parquet(path("kept")); }),
            "no error");
  EXPECT_EQ(rows("kept"), 1u);
}

}  // namespace
}  // namespace firesteel
