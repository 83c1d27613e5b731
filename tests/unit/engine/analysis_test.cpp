// What is known of plans without running them, observed metrics, and samples with replacement.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "engine/embedded.h"
#include "plan/build.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;
using build::call;
using build::column;

struct AnalysisTest : ::testing::Test {
  std::shared_ptr<EmbeddedExecutor> engine =
      std::make_shared<EmbeddedExecutor>(DatabaseOptions{.memory_limit = "1GB", .threads = 2});

  static proto::Relation range(int64_t end, int64_t plan_id) {
    proto::Relation relation;
    relation.mutable_common()->set_plan_id(plan_id);
    relation.mutable_range()->set_end(end);
    relation.mutable_range()->set_step(1);
    return relation;
  }
  int64_t count(const proto::Relation& relation) {
    const auto held = engine->hold(relation);
    engine->release(held.name);
    return held.rows;
  }
};

TEST_F(AnalysisTest, PlansAreTheSameWhateverTheirIdsAndAliases) {
  const auto plan = [](int64_t id, const std::string& name) {
    return build::filter(
        build::project(range(5, id),
                       {build::alias(call("+", {column("id"), build::integer(1)}), name)}),
        call(">", {column(name), build::integer(2)}));
  };
  EXPECT_TRUE(engine->same_semantics(plan(1, "a"), plan(7, "b")));
  EXPECT_EQ(engine->semantic_hash(plan(1, "a")), engine->semantic_hash(plan(7, "b")));
  EXPECT_FALSE(engine->same_semantics(plan(1, "a"), range(5, 1)));
  // Names that say which column is meant are no cosmetics.
  const auto chosen = [](const std::string& x, const std::string& y) {
    return build::filter(
        build::project(range(5, 1),
                       {build::alias(column("id"), x),
                        build::alias(call("*", {column("id"), build::integer(2)}), y)}),
        call(">", {column("x"), build::integer(2)}));
  };
  EXPECT_FALSE(engine->same_semantics(chosen("x", "y"), chosen("y", "x")));
}

TEST_F(AnalysisTest, InputFilesAreThoseOfThePlanAndItsViews) {
  const auto folder =
      fs::temp_directory_path() / ("firesteel_analysis_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  std::ofstream(folder / "a.csv") << "1\n";
  std::ofstream(folder / "b.csv") << "2\n";
  proto::Relation read;
  read.mutable_read()->mutable_data_source()->set_format("csv");
  read.mutable_read()->mutable_data_source()->add_paths(folder.string());
  proto::Command view;
  view.mutable_create_dataframe_view()->set_name("files");
  *view.mutable_create_dataframe_view()->mutable_input() = read;
  engine->run(view);
  const std::vector<std::string> wanted = {"file://" + (folder / "a.csv").string(),
                                           "file://" + (folder / "b.csv").string()};
  EXPECT_EQ(engine->input_files(read), wanted);
  EXPECT_EQ(engine->input_files(engine->sql("SELECT * FROM files")), wanted);
  EXPECT_TRUE(engine->input_files(range(3, 1)).empty());
  fs::remove_all(folder);
}

TEST_F(AnalysisTest, ObservedMetricsAreThoseOfTheRunAndRowsPass) {
  proto::Relation observed;
  auto* metrics = observed.mutable_collect_metrics();
  *metrics->mutable_input() = range(10, 1);
  metrics->set_name("seen");
  *metrics->add_metrics() = build::alias(call("count", {build::integer(1)}), "rows");
  *metrics->add_metrics() = build::alias(call("max", {column("id")}), "most");
  *metrics->add_metrics() = build::alias(
      call("collect_list", {build::cast(column("id"), make_type(TypeKind::kString))}), "all");
  const auto plan = build::filter(observed, call(">", {column("id"), build::integer(6)}));
  engine->schema(plan);
  EXPECT_TRUE(engine->observed(plan).empty());  // nothing has run
  EXPECT_EQ(count(plan), 3);
  const auto found = engine->observed(plan);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].name, "seen");
  EXPECT_EQ(found[0].keys, (std::vector<std::string>{"rows", "most", "all"}));
  EXPECT_EQ(found[0].values.at(0).long_(), 10);
  EXPECT_EQ(found[0].values.at(1).long_(), 9);
  EXPECT_EQ(found[0].values.at(2).array().elements_size(), 10);
  EXPECT_EQ(found[0].values.at(2).array().elements(3).string(), "3");
}

TEST_F(AnalysisTest, SamplesWithReplacementAreAsLargeAsAskedFor) {
  proto::Relation sample;
  *sample.mutable_sample()->mutable_input() = range(20000, 1);
  sample.mutable_sample()->set_upper_bound(1.5);
  sample.mutable_sample()->set_with_replacement(true);
  sample.mutable_sample()->set_seed(7);
  const auto rows = count(sample);
  EXPECT_NEAR(static_cast<double>(rows), 30000, 4 * 173);  // four deviations of the sum
  EXPECT_EQ(count(sample), rows);
  sample.mutable_sample()->set_seed(8);
  EXPECT_NE(count(sample), rows);
}

TEST(Schemas, AreReadFromJsonAndWrittenAsDdlAndTrees) {
  const Schema schema = {
      {"a b", make_type(TypeKind::kInteger), false},
      {"s", struct_type({{"x", array_type(make_type(TypeKind::kString), false), true}}), true}};
  EXPECT_EQ(parse_schema(schema_json(schema)), schema);
  EXPECT_EQ(schema_ddl(schema), "`a b` INT NOT NULL,s STRUCT<x: ARRAY<STRING>>");
  EXPECT_EQ(schema_tree(schema, 1),
            "root\n |-- a b: integer (nullable = false)\n |-- s: struct (nullable = true)\n");
  EXPECT_EQ(schema_tree(schema, 2),
            "root\n |-- a b: integer (nullable = false)\n |-- s: struct (nullable = true)\n"
            " |    |-- x: array (nullable = true)\n");
  EXPECT_THROW(type_from_json("{\"type\": \"struct\"}"), Error);
}

}  // namespace
}  // namespace firesteel
