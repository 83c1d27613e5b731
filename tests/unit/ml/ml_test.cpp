// Fitting, training, prediction, artifacts and pipelines over the embedded engine.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "dataframe/session.h"
#include "engine/engine.h"
#include "ml/artifact.h"
#include "ml/pipeline.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;

/// A session, and a folder removed at the end.
class Ml : public ::testing::Test {
 protected:
  Ml()
      : spark(make_embedded_executor()),
        folder(fs::temp_directory_path() / ("firesteel-ml-" + std::to_string(getpid()))) {
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  ~Ml() override { fs::remove_all(folder); }

  /// The label follows x and the word; y has nulls and NaN.
  DataFrame rows(int64_t count = 4000) {
    return spark.range(0, count).selectExpr(
        {"id", "sin(id * 1.7) AS x",
         "CASE WHEN id % 5 = 0 THEN NULL WHEN id % 7 = 0 THEN double('NaN') ELSE id / 100.0D END "
         "AS y",
         "concat('w', CAST(id % 3 AS STRING)) AS word", "CAST(id % 4 AS INT) AS number",
         "date_add(DATE'2024-01-01', CAST(id % 300 AS INT)) AS day",
         "sin(id * 1.7) + (CASE WHEN id % 3 = 0 THEN 0.5 ELSE -0.5 END) > 0 AS late"});
  }
  Features features() {
    return Features()
        .numeric({"x", "y"})
        .categorical({"word", "number"})
        .date({"day"})
        .label("late");
  }
  TrainOptions quick() {
    TrainOptions options;
    options.trainer.epochs = 8;
    options.trainer.learning_rate = 0.02;
    options.trainer.seed = 3;
    options.batches.rows = 256;
    return options;
  }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder / name) << text;
  }
  std::string condition_of(const std::function<void()>& action, const std::string& part) {
    try {
      action();
    } catch (const Error& error) {
      EXPECT_NE(error.message().find(part), std::string::npos) << error.message();
      return error.condition();
    }
    return "no error";
  }

  Session spark;
  fs::path folder;
};

TEST_F(Ml, FitsStatisticsAndVocabularies) {
  const auto fitted = fit(rows(), features());
  EXPECT_EQ(fitted.rows, 4000);
  EXPECT_EQ(fitted.task, Task::kBinary);
  ASSERT_EQ(fitted.specs.size(), 8u);  // x, y, word, number, three parts of the day, label
  EXPECT_NEAR(fitted.specs[0].deviation, std::sqrt(0.5), 1e-2);
  EXPECT_FALSE(fitted.specs[0].missing_flag);
  EXPECT_TRUE(fitted.specs[1].missing_flag);
  EXPECT_EQ(fitted.specs[2].vocabulary, (std::vector<std::string>{"w0", "w1", "w2"}));
  EXPECT_EQ(fitted.specs[3].vocabulary, (std::vector<std::string>{"0", "1", "2", "3"}));
  EXPECT_EQ(fit(rows(), features()).specs, fitted.specs);
}

TEST_F(Ml, SaysWhatIsWrongWithTheData) {
  const auto refused = [&](const Features& features, const std::string& part) {
    return condition_of([&] { fit(rows(), features); }, part);
  };
  EXPECT_EQ(refused(Features().numeric({"xx"}).label("late"), "Did you mean `x`?"),
            "UNRESOLVED_COLUMN.WITH_SUGGESTION");
  EXPECT_EQ(refused(Features().numeric({"word"}).label("late"), "list it as categorical"),
            "TRAINING_DATA_INVALID");
  EXPECT_EQ(refused(Features().numeric({"x"}).label("y"), "in 1257 of 4000 rows"),
            "TRAINING_DATA_INVALID");
  EXPECT_EQ(refused(Features().numeric({"late"}).label("late"), "see the answer"),
            "TRAINING_DATA_INVALID");
  EXPECT_EQ(condition_of([&] { fit(rows().filter(std::string("late")), features()); },
                         "same value in all"),
            "TRAINING_DATA_INVALID");
  EXPECT_EQ(condition_of([&] { fit(rows().filter(std::string("y IS NULL")), features()); },
                         "leave it out"),
            "TRAINING_DATA_INVALID");
  EXPECT_EQ(condition_of([&] { fit(rows(0), features()); }, "no row"), "TRAINING_DATA_INVALID");
}

TEST_F(Ml, TrainsPredictsSavesAndLoads) {
  const auto fitted = train(rows(), features(), {.hidden = {32}}, quick());
  EXPECT_GT(fitted.evaluate(rows()).at("auc"), 0.97);
  const auto predicted = fitted.transform(rows());
  auto names = rows().columns();
  names.push_back("prediction");
  EXPECT_EQ(predicted.columns(), names);
  EXPECT_EQ(predicted.count(), 4000);
  const auto first = predicted.orderBy({col("id")}).limit(5).collect();
  EXPECT_EQ(first[4][0].number, 4);

  const std::string path = folder / "model";
  fitted.save(path);
  const auto again = FittedModel::load(path)
                         .transform(rows().drop({"late"}))
                         .orderBy({col("id")})
                         .limit(5)
                         .collect();
  for (size_t i = 0; i < first.size(); ++i)
    EXPECT_EQ(first[i].back().number, again[i].back().number);
  EXPECT_EQ(condition_of([&] { fitted.transform(predicted); }, "`prediction` already"),
            "COLUMN_ALREADY_EXISTS");
  fs::resize_file(fs::path(path) / "model.safetensors", 100);
  EXPECT_EQ(condition_of([&] { FittedModel::load(path); }, "model.safetensors"),
            "INVALID_ARTIFACT");
}

TEST_F(Ml, LearnsClassesAndValues) {
  auto classes = Features().numeric({"x"}).categorical({"number"}).label("word");
  const auto words = train(rows(), classes, {.hidden = {8}}, quick());
  EXPECT_EQ(words.model().label().task, Task::kMulticlass);
  EXPECT_EQ(words.transform(rows()).limit(1).collect()[0].back().text.substr(0, 1), "w");
  auto values = Features().numeric({"x", "id"}).label("number2");
  const auto with_value = rows().withColumn("number2", col("x") * 100.0 + 1000.0);
  const auto value = train(with_value, values, {.hidden = {32}}, quick());
  EXPECT_GT(value.evaluate(with_value).at("r2"), 0.97);
}

constexpr const char* kPipeline = R"(
[source.raw]
path = "raw.parquet"

[[step]]
name = "examples"
sql = "SELECT *, CAST(late AS INT) AS label FROM raw"

[split]
by = "time"
column = "day"
validation_from = 2024-07-01
test_from = 2024-09-01

[features]
label = "label"
numeric = ["x", "y"]
categorical = ["word"]

[model]
hidden = [16]

[train]
epochs = 4
batch_size = 256
learning_rate = 0.02
schedule = "one_cycle"

[output]
path = "out"

[baselines]
list = ["base_rate", "logistic_regression", "xgboost"]
)";

TEST_F(Ml, RunsAPipelineIntoAnArtifact) {
  rows().write().parquet(folder / "raw.parquet");
  write("pipeline.toml", kPipeline);
  std::vector<std::string> log;
  RunOptions options;
  options.log = [&](const std::string& line) { log.push_back(line); };
  const auto result =
      run_pipeline(parse_pipeline(folder / "pipeline.toml"), spark.executor(), options);
  ASSERT_EQ(result.models.size(), 4u);
  EXPECT_GT(result.models[0].metrics.at("auc"), 0.95);
  EXPECT_EQ(result.models[1].metrics.at("auc"), 0.5);
  EXPECT_GT(result.models[3].metrics.at("auc"), 0.95);
  EXPECT_NE(result.table().find("xgboost"), std::string::npos);
  for (const char* name :
       {"pipeline.toml", "plan.pb", "plan.txt", "encoders.json", "model.safetensors", "model.json",
        "metrics.json", "manifest.json", "report.html"}) {
    EXPECT_TRUE(fs::exists(folder / "out" / name)) << name;
  }
  EXPECT_FALSE(fs::exists(folder / "out.work"));
  check_artifact(folder / "out");
  const auto html = read_file(folder / "out" / "report.html");
  EXPECT_EQ(html.find("http"), std::string::npos);
  EXPECT_NE(html.find("Calibration"), std::string::npos);
  EXPECT_EQ(FittedModel::load(folder / "out").transform(rows()).count(), 4000);

  write("out/metrics.json", "{}");
  EXPECT_EQ(condition_of([&] { check_artifact(folder / "out"); }, "`metrics.json` is damaged"),
            "INVALID_ARTIFACT");
  fs::remove(folder / "out" / "report.html");
  EXPECT_EQ(condition_of([&] { FittedModel::load(folder / "out"); }, ""), "INVALID_ARTIFACT");
}

TEST_F(Ml, StepsReadTheSessionsViews) {
  rows().createOrReplaceTempView("of_the_session");
  std::string text = kPipeline;
  const auto source = text.find("[source.raw]"), step = text.find("[[step]]");
  text.replace(source, step - source, "");
  text.replace(text.find("FROM raw"), 8, "FROM of_the_session");
  write("views.toml", text);
  auto pipeline = parse_pipeline(folder / "views.toml");
  pipeline.baselines = {};
  const auto result = run_pipeline(pipeline, spark.executor(), {});
  EXPECT_GT(result.models.at(0).metrics.at("auc"), 0.9);
  text.replace(text.find("[[step]]"), text.find("[split]") - text.find("[[step]]"), "step = []\n");
  write("views.toml", text);
  EXPECT_EQ(condition_of([&] { parse_pipeline(folder / "views.toml"); }, "needs a source"),
            "INVALID_PIPELINE");
}

TEST_F(Ml, AStoppedPipelineResumesToTheSameMetrics) {
  rows().write().parquet(folder / "raw.parquet");
  write("pipeline.toml", kPipeline);
  auto pipeline = parse_pipeline(folder / "pipeline.toml");
  pipeline.baselines = {};
  const auto whole = run_pipeline(pipeline, spark.executor(), {});
  std::atomic<bool> interrupt{false};
  RunOptions options;
  options.interrupt = &interrupt;
  options.progress = [&](const TrainProgress& now) { interrupt = now.finished && now.epoch == 1; };
  EXPECT_EQ(condition_of([&] { run_pipeline(pipeline, spark.executor(), options); }, "Resume"),
            "OPERATION_CANCELED");
  EXPECT_TRUE(fs::exists(folder / "out.work"));
  RunOptions resumed;
  resumed.resume = true;
  const auto result = run_pipeline(pipeline, spark.executor(), resumed);
  EXPECT_EQ(result.training.resumed_from, 2);
  EXPECT_EQ(result.models[0].metrics, whole.models[0].metrics);
}

TEST_F(Ml, PipelinesAreCheckedWithLines) {
  const auto refused = [&](const std::string& from, const std::string& to,
                           const std::string& part) {
    std::string text = kPipeline;
    text.replace(text.find(from), from.size(), to);
    write("bad.toml", text);
    EXPECT_EQ(condition_of([&] { parse_pipeline(folder / "bad.toml"); }, part), "INVALID_PIPELINE");
  };
  refused("epochs = 4", "epoch = 4",
          "bad.toml:24: [train] has no key `epoch`. Did you mean `epochs`?");
  refused("epochs = 4", "epochs = \"4\"",
          "bad.toml:24: `epochs` in [train] must be a whole number.");
  refused("epochs = 4", "epochs = 0", "must be at least 1");
  refused("[model]", "[modl]", "Did you mean `model`?");
  refused("hidden = [16]", "kind = \"linear\"\nhidden = [16]", "contradicts");
  refused("label = \"label\"", "", "needs `label`");
  refused("\"xgboost\"", "\"xgbost\"", "Did you mean `xgboost`?");
  refused("by = \"time\"", "by = \"hash\"", "of no use");
  refused("name = \"examples\"", "name = \"raw\"", "which a source or step before has");
  refused("sql = \"SELECT", "sql = SELECT", "bad.toml:7:");
  EXPECT_EQ(condition_of([&] { parse_pipeline(folder / "absent.toml"); }, "absent.toml"),
            "PATH_NOT_FOUND");
}

}  // namespace
}  // namespace firesteel
