// The DataFrame API's own work: the plans it builds are those that PySpark sends, whose answers
// tests/plans holds. Expected values are those of the recorded cases.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "dataframe/functions.h"
#include "dataframe/session.h"
#include "engine/engine.h"
#include "functions/spec.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;
namespace f = functions;

struct ApiTest : ::testing::Test {
  fs::path folder =
      fs::temp_directory_path() / ("firesteel_api_test_" + std::to_string(::getpid()));
  Session spark{make_embedded_executor({.memory_limit = "1GB", .threads = 2})};
  DataFrame people = spark.sql(
      "SELECT * FROM VALUES ('Ada', 36, 1.65D, 'London', true), ('Alan', 41, 1.8D, 'London', "
      "false), ('Grace', NULL, 1.7D, 'New York', true), (NULL, 85, NULL, NULL, NULL) "
      "AS t(name, age, height, city, flag)");
  void SetUp() override {
    spark.executor()->set_config("spark.sql.warehouse.dir", (folder / "warehouse").string());
  }
  void TearDown() override { fs::remove_all(folder); }

  /// "a,b;c,NULL": columns by commas, rows by semicolons.
  static std::string text(const std::vector<Row>& rows) {
    std::string out;
    for (const auto& row : rows) {
      if (!out.empty()) out += ";";
      for (size_t i = 0; i < row.size(); ++i)
        out += (i ? "," : "") + (row[i].null ? "NULL" : row[i].text);
    }
    return out;
  }
  static std::string text(const DataFrame& df) { return text(df.collect()); }
};

TEST_F(ApiTest, Functions) {
  EXPECT_EQ(text(people.select({f::upper("name"), f::lit(nullptr)}).limit(1)), "ADA,NULL");
  EXPECT_EQ(text(people.agg({f::sum("age"), f::count_distinct({"city"}), f::sum_distinct("age")})),
            "162,2,162");
  const auto day = f::lit("2024-05-06").cast("date");
  EXPECT_EQ(
      text(people.limit(1).select({f::date_format(day, "MMM yyyy"), f::date_trunc("month", day),
                                   f::date_add(day, 3), f::nvl("age", 0)})),
      "May 2024,2024-05-01 00:00:00,2024-05-09,36");
  EXPECT_EQ(text(people.limit(1).select(
                {f::transform(f::array("age", f::lit(1)), [](const Column& x) { return x + 1; }),
                 f::aggregate(f::array("age", f::lit(1)), f::lit(0),
                              [](const Column& a, const Column& x) { return a + x; }),
                 f::from_json(f::lit("{\"a\": \"1;5\"}"), "a STRING",
                              std::map<std::string, std::string>{{"mode", "FAILFAST"}})["a"]})),
            "[37, 2],37,1;5");
  EXPECT_EQ(text(people.select({f::struct_("name", "age").alias("s")})
                     .limit(1)
                     .select({col("s").withField("age", f::lit(1)), col("s").dropFields({"age"}),
                              col("s")["name"], col("s.name").try_cast("int")})),
            "{Ada, 1},{Ada},Ada,NULL");
  EXPECT_EQ(text(people.limit(1).select({~col("flag"), col("age").bitwiseAND(f::lit(7)),
                                         col("name").ilike("a%"), f::array(f::lit(5))[0]})),
            "false,4,true,5");
}

TEST_F(ApiTest, EveryFunctionIsOneOfTheEngine) {
  std::vector<std::string> names;
#define FIRESTEEL_FUNCTION(name, sql_name, texts) names.push_back(sql_name);
#define FIRESTEEL_FUNCTION_ANY(name, sql_name, texts) names.push_back(sql_name);
#include "dataframe/functions.inc"
#undef FIRESTEEL_FUNCTION
#undef FIRESTEEL_FUNCTION_ANY
  EXPECT_GT(names.size(), 500);
  for (const auto& name : names) EXPECT_FALSE(find_function(name).empty()) << name;
}

TEST_F(ApiTest, MissingValuesAndStatistics) {
  EXPECT_EQ(text(people.fillna({{"age", f::lit(1)}, {"city", f::lit("nowhere")}})
                     .select({"age", "city"})
                     .orderBy({"age"})),
            "1,New York;36,London;41,London;85,nowhere");
  EXPECT_EQ(people.na().fill(0).filter("age = 0").count(), 1);
  EXPECT_EQ(people.na().drop(4).count(), 3);
  EXPECT_EQ(text(people.replace({{f::lit("Ada"), f::lit(nullptr)}, {f::lit("Alan"), f::lit("A")}})
                     .select({"name"})
                     .filter("name IS NOT NULL")
                     .orderBy({"name"})),
            "A;Grace");
  EXPECT_EQ(
      text(people.describe({"age"})),
      text(people.summary({"count", "mean", "stddev", "min", "max"}).select({"summary", "age"})));
  EXPECT_EQ(people.approxQuantile({"age", "height"}, {0.0, 1.0}),
            (std::vector<std::vector<double>>{{36, 85}, {1.65, 1.8}}));
  EXPECT_NEAR(people.filter("age < 80").stat().corr("age", "height"), 1, 1e-12);
  EXPECT_EQ(people.crosstab("city", "flag").columns().size(), 4);
  EXPECT_EQ(people.sampleBy("city", {{f::lit("London"), 1.0}}, 3).count(), 2);
}

TEST_F(ApiTest, Shapes) {
  EXPECT_EQ(
      text(people.groupBy({"city"}).pivot("flag", {f::lit(true)}).sum({"age"}).orderBy({"city"})),
      "NULL,NULL;London,36;New York,NULL");
  EXPECT_EQ(text(people.groupBy({"city"}).max().orderBy({"city"})),
            "NULL,85,NULL;London,41,1.8;New York,NULL,1.7");
  EXPECT_EQ(people.groupingSets({{"city"}, {}}, {"city"}).count().count(), 4);
  EXPECT_EQ(people.unpivot({"name"}, std::vector<Column>{"age"}, "what", "value").columns(),
            (std::vector<std::string>{"name", "what", "value"}));
  EXPECT_EQ(text(people.limit(1).toJSON()),
            R"({"name":"Ada","age":36,"height":1.65,"city":"London","flag":true})");
  EXPECT_EQ(text(people.select({people.colRegex("`n.*`")}).limit(1)), "Ada");
  EXPECT_EQ(people.to("age BIGINT, name STRING").dtypes()[0].second, "bigint");
  EXPECT_EQ(people.intersectAll(people).count(), 4);
  EXPECT_EQ(people.exceptAll(people.limit(1)).count(), 3);
  EXPECT_EQ(text(people.tail(1)), "NULL,85,NULL,NULL,NULL");
  EXPECT_EQ(people.first()->at(0).text, "Ada");
  EXPECT_TRUE(people.filter("false").isEmpty());
  EXPECT_EQ(people.zipWithIndex().columns().back(), "index");
  EXPECT_EQ(people.drop(col("age")).columns().size(), 4);
}

TEST_F(ApiTest, ColumnsOfEitherSideOfAJoin) {
  const auto old = people.filter("age > 40"), all = people.filter("age IS NOT NULL");
  EXPECT_EQ(text(all.join(old, all["age"] < old["age"])
                     .select({all["age"], old["age"]})
                     .orderBy({all["age"], old["age"]})),
            "36,41;36,85;41,85");
}

TEST_F(ApiTest, CachedRowsAreMadeOnce) {
  const auto random = people.withColumn("r", f::expr("uuid()"));
  const auto cached = random.cache();
  EXPECT_TRUE(cached.is_cached());
  EXPECT_EQ(text(cached), text(cached));
  EXPECT_EQ(cached.schema(), random.schema());
  EXPECT_NE(text(random), text(random));
  const auto kept = random.checkpoint();
  EXPECT_EQ(text(kept.select({kept["r"]})), text(kept.select({"r"})));
  EXPECT_NE(text(cached.unpersist()), text(cached));
}

TEST_F(ApiTest, Views) {
  people.createTempView("v");
  EXPECT_THROW(people.createTempView("v"), Error);
  people.createOrReplaceGlobalTempView("g");
  EXPECT_EQ(spark.table("global_temp.g").count(), 4);
}

TEST_F(ApiTest, WriteToAndMergeInto) {
  people.writeTo("t").partitionedBy({"city"}).create();
  EXPECT_THROW(people.writeTo("t").create(), Error);
  EXPECT_THROW(people.writeTo("nosuch").append(), Error);
  people.limit(1).writeTo("t").append();
  EXPECT_EQ(spark.table("t").count(), 5);
  people.limit(2).writeTo("t").overwrite(f::lit(true));
  EXPECT_EQ(spark.table("t").count(), 2);
  spark.sql("SELECT 'Ada' AS name, 37 AS age UNION ALL SELECT 'Bob', 1")
      .alias("source")
      .mergeInto("t", col("t.name") == col("source.name"))
      .whenMatched()
      .update({{"age", col("source.age")}})
      .whenNotMatched()
      .insert({{"name", col("source.name")}, {"age", col("source.age")}})
      .merge();
  EXPECT_EQ(text(spark.table("t").select({"name", "age"}).orderBy({"name"})),
            "Ada,37;Alan,41;Bob,1");
  people.writeTo("t").createOrReplace();
  EXPECT_EQ(spark.table("t").count(), 4);
}

}  // namespace
}  // namespace firesteel
