// Tables as their owners change them: what Spark leaves to table formats (UPDATE, DELETE, MERGE),
// what a crash or a second session may leave behind, and saveAsTable.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "dataframe/session.h"
#include "engine/commit.h"
#include "engine/engine.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;

struct TablesTest : ::testing::Test {
  fs::path folder =
      fs::temp_directory_path() / ("firesteel_tables_test_" + std::to_string(::getpid()));
  Session spark = session();
  void TearDown() override { fs::remove_all(folder); }

  Session session() const {
    Session made(make_embedded_executor({.memory_limit = "1GB", .threads = 2}));
    made.executor()->set_config("spark.sql.warehouse.dir", (folder / "warehouse").string());
    return made;
  }

  /// "1 a|2 NULL": the rows of a query.
  static std::string rows(const Session& spark, const std::string& sql) {
    std::string out;
    for (const auto& row : spark.sql(sql).collect()) {
      out += out.empty() ? "" : "|";
      for (size_t i = 0; i < row.size(); ++i)
        out += (i ? " " : "") + (row[i].null ? "NULL" : row[i].text);
    }
    return out;
  }
  std::string rows(const std::string& sql) const { return rows(spark, sql); }

  std::string condition_of(const std::string& sql) const {
    try {
      spark.sql(sql).collect();
    } catch (const Error& error) {
      return error.condition();
    }
    return "";
  }
};

TEST_F(TablesTest, UpdatesAndDeletes) {
  spark.sql("CREATE TABLE t (a INT, b STRING) USING parquet");
  spark.sql("INSERT INTO t VALUES (1, 'x'), (2, 'y'), (NULL, 'z')");
  spark.sql("UPDATE t SET b = concat(b, '!'), a = a + 10 WHERE a = 2");
  EXPECT_EQ(rows("SELECT * FROM t ORDER BY a"), "NULL z|1 x|12 y!");
  spark.sql("UPDATE t AS u SET b = (SELECT max(a) FROM t) WHERE u.a IS NULL");
  EXPECT_EQ(rows("SELECT * FROM t ORDER BY a"), "NULL 12|1 x|12 y!");
  spark.sql("DELETE FROM t WHERE a > 5");  // null is not more than 5
  EXPECT_EQ(rows("SELECT * FROM t ORDER BY a"), "NULL 12|1 x");
  spark.sql("DELETE FROM t WHERE a IN (SELECT 1)");
  EXPECT_EQ(rows("SELECT * FROM t ORDER BY a"), "NULL 12");
  spark.sql("DELETE FROM t");
  EXPECT_EQ(rows("SELECT count(*) FROM t"), "0");
  EXPECT_EQ(condition_of("UPDATE t SET nosuch = 1"), "UNRESOLVED_COLUMN.WITH_SUGGESTION");
  EXPECT_EQ(condition_of("DELETE FROM nosuch"), "TABLE_OR_VIEW_NOT_FOUND");
}

TEST_F(TablesTest, Merges) {
  spark.sql("CREATE TABLE t (id INT, v STRING, n INT DEFAULT 7) USING parquet");
  spark.sql("INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)");
  spark.sql(
      "CREATE TEMP VIEW s AS SELECT * FROM VALUES (2, 'B'), (3, 'gone'), (4, 'D') AS r(id, v)");
  spark.sql(
      "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND s.v = 'gone' THEN DELETE "
      "WHEN MATCHED THEN UPDATE SET v = s.v, n = t.n * 100 WHEN NOT MATCHED THEN INSERT (id, v) "
      "VALUES (s.id, s.v) WHEN NOT MATCHED BY SOURCE THEN UPDATE SET v = 'alone'");
  EXPECT_EQ(rows("SELECT * FROM t ORDER BY id"), "1 alone 1|2 B 200|4 D 7");
  spark.sql(
      "MERGE INTO t AS x USING (SELECT 9 AS id, 'nine' AS v, 99 AS n) AS y ON x.id = y.id "
      "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *");
  EXPECT_EQ(rows("SELECT * FROM t ORDER BY id"), "1 alone 1|2 B 200|4 D 7|9 nine 99");
  EXPECT_EQ(condition_of("MERGE INTO t USING (SELECT * FROM VALUES (1), (1) AS r(id)) AS s ON "
                         "t.id = s.id WHEN MATCHED THEN DELETE"),
            "MERGE_CARDINALITY_VIOLATION");
  EXPECT_EQ(rows("SELECT count(*) FROM t"), "4");
}

TEST_F(TablesTest, AreSharedBySessionsAndOutliveThem) {
  spark.sql("CREATE DATABASE d");
  spark.sql("CREATE TABLE d.t (a INT) USING parquet");
  spark.sql("CREATE VIEW d.v AS SELECT a + 1 AS b FROM d.t");
  spark.sql("CREATE FUNCTION d.twice(x INT) RETURNS INT RETURN x * 2");
  spark.sql("INSERT INTO d.t VALUES (1)");
  const auto other = session();
  EXPECT_EQ(rows(other, "SELECT b, d.twice(b) FROM d.v"), "2 4");
  // Many sessions insert at once; each insert is there whole.
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&] {
      const auto own = session();
      for (int j = 0; j < 3; ++j) own.sql("INSERT INTO d.t SELECT id FROM range(100)");
    });
  }
  std::vector<int64_t> seen;
  for (int i = 0; i < 30; ++i) seen.push_back(std::stoll(rows(other, "SELECT count(*) FROM d.t")));
  for (auto& writer : writers) writer.join();
  for (const auto count : seen) EXPECT_EQ(count % 100, 1);
  EXPECT_EQ(rows("SELECT count(*) FROM d.t"), "1201");
  // Changes that read first are made one after the other.
  writers.clear();
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&] {
      const auto own = session();
      for (int j = 0; j < 3; ++j) own.sql("UPDATE d.t SET a = a + 1");
    });
  }
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(rows("SELECT min(a), count(*) FROM d.t"), "12 1201");
}

TEST_F(TablesTest, AFailedChangeLeavesTheTableAsItWas) {
  spark.sql("CREATE TABLE t (a INT) USING parquet");
  spark.sql("INSERT INTO t VALUES (1)");
  EXPECT_EQ(condition_of("INSERT INTO t SELECT CAST(x AS INT) FROM VALUES ('2'), ('x') AS r(x)"),
            "CAST_INVALID_INPUT");
  EXPECT_EQ(condition_of("INSERT OVERWRITE t SELECT 1 DIV (id - 1) FROM range(3)"),
            "DIVIDE_BY_ZERO");
  EXPECT_EQ(condition_of("CREATE TABLE u USING parquet AS SELECT 1 DIV (id - 1) FROM range(3)"),
            "DIVIDE_BY_ZERO");
  EXPECT_EQ(rows("SELECT * FROM t"), "1");
  EXPECT_EQ(rows("SHOW TABLES"), "default t false");
  EXPECT_FALSE(fs::exists(folder / "warehouse/u"));
  for (const auto& file : fs::recursive_directory_iterator(folder / "warehouse/t"))
    EXPECT_FALSE(file.path().filename().string().starts_with("_temporary")) << file.path();
}

TEST_F(TablesTest, AKilledCommitIsFinishedByTheNext) {
  spark.sql("CREATE TABLE t (a INT) USING parquet");
  spark.sql("INSERT INTO t VALUES (1)");
  spark.sql("CREATE TABLE u (a INT) USING parquet");
  spark.sql("INSERT INTO u VALUES (2)");
  // What a process leaves that died between its journal and the last of its renames.
  const auto table = folder / "warehouse/t";
  const auto old_file = folder_files(table).at(0),
             new_file = folder_files(folder / "warehouse/u").at(0);
  fs::create_directories(table / "_temporary-x");
  fs::rename(new_file, table / "_temporary-x/part.parquet");
  std::ofstream(table / "_firesteel_commit")
      << R"({"add": [["_temporary-x/part.parquet", "part.parquet"], ["_temporary-x/done", "done"]],
             "remove": [")"
      << fs::relative(old_file, table).string() << R"("]})";
  EXPECT_EQ(rows("SELECT * FROM t"), "2");
  EXPECT_FALSE(fs::exists(table / "_firesteel_commit"));
}

TEST_F(TablesTest, AFolderThatACrashLeftDoesNotStandInTheWay) {
  spark.sql("CREATE TABLE t USING parquet AS SELECT 1 AS a");
  // Killed between the mark and the removal of the folder.
  std::ofstream(folder / "warehouse/t/_firesteel_orphan").close();
  fs::remove(folder / "warehouse/.firesteel/default/table/t.json");
  spark.sql("CREATE TABLE t USING parquet AS SELECT 2 AS a");
  EXPECT_EQ(rows("SELECT * FROM t"), "2");
  // A folder that is not ours does.
  fs::create_directories(folder / "warehouse/x");
  std::ofstream(folder / "warehouse/x/file") << "text";
  EXPECT_EQ(condition_of("CREATE TABLE x USING parquet AS SELECT 1"), "LOCATION_ALREADY_EXISTS");
}

TEST_F(TablesTest, ADamagedCatalogFileSaysSo) {
  spark.sql("CREATE TABLE t (a INT) USING parquet");
  std::ofstream(folder / "warehouse/.firesteel/default/table/t.json") << "{";
  EXPECT_EQ(condition_of("SELECT * FROM t"), "CATALOG_DAMAGED");
}

TEST_F(TablesTest, AreSavedFromDataFrames) {
  const auto df = spark.sql("SELECT id, CAST(id % 2 AS INT) AS p FROM range(4)");
  df.write().partitionBy({"p"}).saveAsTable("t");
  EXPECT_EQ(rows("SELECT * FROM t ORDER BY id"), "0 0|1 1|2 0|3 1");
  EXPECT_EQ(rows("SHOW PARTITIONS t"), "p=0|p=1");
  EXPECT_THROW(df.write().saveAsTable("t"), Error);
  df.write().mode("ignore").saveAsTable("t");
  spark.sql("SELECT 9 AS p, 8L AS id").write().mode("append").saveAsTable("t");  // by name
  EXPECT_EQ(rows("SELECT * FROM t WHERE p = 9"), "8 9");
  spark.sql("SELECT 7L, 5").write().insertInto("t");  // by position
  EXPECT_EQ(rows("SELECT * FROM t WHERE p = 5"), "7 5");
  df.write().mode("overwrite").format("csv").saveAsTable("t");
  EXPECT_EQ(rows("SELECT id FROM t ORDER BY id"), "0|1|2|3");
  EXPECT_EQ(spark.table("t").count(), 4);
}

TEST_F(TablesTest, TheCatalogSaysWhatThereIs) {
  const auto catalog = spark.catalog();
  EXPECT_EQ(catalog.currentDatabase(), "default");
  spark.sql("CREATE DATABASE d COMMENT 'a place'");
  EXPECT_EQ(catalog.listDatabases().size(), 2U);
  EXPECT_EQ(catalog.listDatabases("d")[0].description, "a place");
  EXPECT_TRUE(catalog.databaseExists("d"));
  EXPECT_FALSE(catalog.databaseExists("nosuch"));
  catalog.createTable("d.t", "", "parquet",
                      {{"a", make_type(TypeKind::kLong)}, {"b", make_type(TypeKind::kString)}});
  spark.sql("INSERT INTO d.t VALUES (1, 'x')");
  EXPECT_EQ(spark.table("d.t").count(), 1);
  EXPECT_TRUE(catalog.tableExists("d.t"));
  EXPECT_EQ(catalog.getTable("d.t").tableType, "MANAGED");
  EXPECT_EQ(catalog.getTable("d.t").database, "d");
  EXPECT_EQ(catalog.listColumns("d.t")[1].dataType, "string");
  catalog.setCurrentDatabase("d");
  spark.range(0, 3).createOrReplaceTempView("r");
  const auto tables = catalog.listTables();
  ASSERT_EQ(tables.size(), 2U);
  EXPECT_EQ(tables[0].name, "t");
  EXPECT_TRUE(tables[1].isTemporary);
  EXPECT_EQ(tables[1].tableType, "TEMPORARY");
  catalog.cacheTable("r");
  EXPECT_TRUE(catalog.isCached("r"));
  EXPECT_EQ(spark.table("r").count(), 3);
  catalog.clearCache();
  EXPECT_FALSE(catalog.isCached("r"));
  EXPECT_TRUE(catalog.dropTempView("r"));
  EXPECT_FALSE(catalog.dropTempView("r"));
  EXPECT_TRUE(catalog.functionExists("abs"));
  EXPECT_EQ(catalog.listFunctions("ab*")[0].name, "abs");
  EXPECT_THROW(catalog.getTable("nosuch"), Error);
}

}  // namespace
}  // namespace firesteel
