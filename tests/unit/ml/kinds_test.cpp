// Networks, tasks and features through the whole way: fitted, trained, predicted, saved, loaded.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "dataframe/functions.h"
#include "dataframe/session.h"
#include "engine/engine.h"
#include "ml/pipeline.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;

/// A session, and a folder removed at the end.
class Kinds : public ::testing::Test {
 protected:
  Kinds()
      : spark(make_embedded_executor()),
        folder(fs::temp_directory_path() / ("firesteel-kinds-" + std::to_string(getpid()))) {
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  ~Kinds() override { fs::remove_all(folder); }

  TrainOptions quick(int64_t epochs = 8) {
    TrainOptions options;
    options.trainer.epochs = epochs;
    options.trainer.learning_rate = 0.02;
    options.trainer.seed = 3;
    options.batches.rows = 256;
    return options;
  }
  /// Saved, loaded and applied again, a model gives the same values.
  void expect_same_when_loaded(const FittedModel& fitted, const DataFrame& rows,
                               const std::string& column = "prediction") {
    const auto path = (folder / "model").string();
    fitted.save(path);
    const auto values = [&](const FittedModel& model) {
      std::vector<double> list;
      for (const auto& row :
           model.transform(rows).orderBy({col("id")}).select({col(column)}).limit(50).collect()) {
        list.push_back(row[0].number);
      }
      return list;
    };
    EXPECT_EQ(values(fitted), values(FittedModel::load(path)));
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

/// Users like items of their own parity, and of x above 0.
DataFrame ratings(const Session& spark, int64_t count = 4000) {
  return spark.range(0, count).selectExpr(
      {"id", "CAST(id % 20 AS INT) AS user", "CAST((id * 7) DIV 20 % 30 AS INT) AS item",
       "sin(id * 1.7) AS x", "date_add(DATE'2024-01-01', CAST(id % 300 AS INT)) AS day",
       "(id % 20 + (id * 7) DIV 20 % 30) % 2 = 0 AS liked"});
}

TEST_F(Kinds, ManyRowsArePredictedAsFewAre) {
  const auto features = Features().numeric({"x"}).categorical({"user", "item"}).label("liked");
  const auto fitted =
      train(ratings(spark), features, {.kind = "tabm", .hidden = {16}, .ensemble = 4}, quick(1));
  const std::string some = "id % 9973 = 5";
  const auto many = ratings(spark, 60'000);
  const auto values = [](const DataFrame& predicted) {
    return predicted.orderBy({col("id")}).select({col("prediction")}).collect();
  };
  const auto whole = values(fitted.transform(many).filter(some));
  const auto alone = values(fitted.transform(many.filter(some)));
  ASSERT_EQ(whole.size(), 7u);
  ASSERT_EQ(alone.size(), 7u);
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_NEAR(whole[i][0].number, alone[i][0].number, 1e-5);
  }
  EXPECT_EQ(fitted.transform(many).count(), 60'000);
}

TEST_F(Kinds, EnsemblesAndFactorisationLearn) {
  const auto rows = ratings(spark);
  const auto features =
      Features().numeric({"x"}).categorical({"user", "item"}).date({"day"}).label("liked");
  for (const auto* kind : {"tabm", "ncf"}) {
    SCOPED_TRACE(kind);
    const auto fitted =
        train(rows, features, {.kind = kind, .hidden = {32, 16}, .ensemble = 4}, quick(12));
    EXPECT_GT(fitted.evaluate(rows).at("auc"), 0.9);
    expect_same_when_loaded(fitted, rows);
  }
  const auto refused = [&](const Features& wrong, const std::string& part) {
    return condition_of([&] { train(rows, wrong, {.kind = "ncf"}, quick(1)); }, part);
  };
  EXPECT_EQ(refused(Features().categorical({"user"}).label("liked"), "two categorical features"),
            "INVALID_OPTION");
  EXPECT_EQ(refused(Features().categorical({"user"}).date({"day"}).label("liked"),
                    "`month(day)` is a part of a date"),
            "INVALID_OPTION");
}

constexpr const char* kLabels = R"(
[source.raw]
path = "raw.parquet"

[features]
labels = ["even", "high"]
numeric = ["x"]
categorical = ["item"]

[model]
hidden = [16]

[train]
epochs = 5
batch_size = 256
learning_rate = 0.02

[output]
path = "out"

[baselines]
list = ["base_rate", "logistic_regression"]
)";

TEST_F(Kinds, SeveralLabelsArePredictedAtOnce) {
  const auto rows =
      ratings(spark).selectExpr({"id", "x", "item", "item % 2 = 0 AS even",
                                 "CAST(CASE WHEN id = 17 THEN NULL WHEN x > 0.3 THEN 1 ELSE 0 END "
                                 "AS INT) AS high"});
  rows.write().parquet(folder / "raw.parquet");
  const auto parsed = [&](const std::string& from, const std::string& to) {
    std::string text = kLabels;
    if (!from.empty()) text.replace(text.find(from), from.size(), to);
    std::ofstream(folder / "pipeline.toml") << text;
    return parse_pipeline(folder / "pipeline.toml");
  };
  const auto result = run_pipeline(parsed("", ""), spark.executor(), {});
  ASSERT_EQ(result.models.size(), 3u);
  EXPECT_GT(result.models[0].metrics.at("auc"), 0.98);
  EXPECT_GT(result.models[0].metrics.at("accuracy"), 0.8);
  EXPECT_EQ(result.models[1].metrics.at("auc"), 0.5);
  EXPECT_EQ(result.sizes[0].second + result.sizes[1].second + result.sizes[2].second, 3999);
  const auto fitted = FittedModel::load(folder / "out");
  const auto predicted = fitted.transform(rows.drop({"even", "high"}));
  EXPECT_EQ(predicted.columns(),
            (std::vector<std::string>{"id", "x", "item", "prediction_even", "prediction_high"}));
  EXPECT_EQ(predicted.filter(std::string("prediction_even > 0.5 AND item % 2 = 0")).count(),
            rows.filter(std::string("even")).count());
  EXPECT_EQ(condition_of([&] { fitted.transform(predicted); }, "`prediction_even` already"),
            "COLUMN_ALREADY_EXISTS");
  expect_same_when_loaded(fitted, rows, "prediction_high");

  const auto refused = [&](const std::string& from, const std::string& to,
                           const std::string& part) {
    EXPECT_EQ(condition_of([&] { parsed(from, to); }, part), "INVALID_PIPELINE");
  };
  refused("numeric", "label = \"x\"\nnumeric", "pipeline.toml:6: `labels` in [features] takes");
  refused("\"even\", \"high\"", "", "names no column");
  refused("\"high\"]", "\"even\"]", "names the column `even` twice");
  refused("numeric", "task = \"binary\"\nnumeric", "must be \"multilabel\"");
  refused("labels = [\"even\", \"high\"]", "label = \"even\"\ntask = \"multilabel\"",
          "needs `labels`");
  refused("\"base_rate\"", "\"xgboost\"", "not for a multilabel task");
  const auto unfit = [&](const std::vector<std::string>& labels, const std::string& part) {
    EXPECT_EQ(condition_of([&] { fit(rows, Features().numeric({"x"}).labels(labels)); }, part),
              "TRAINING_DATA_INVALID");
  };
  unfit({"even", "high"}, "`high` is null or not a number in 1 of 4000");
  unfit({"even", "item"}, "`item` is one of several");
  unfit({"even", "x"}, "the model would see the answer");
}

/// The label is whether the last word is `w1`, or the last number is above 0.5 when x is below 0.
DataFrame sessions(const Session& spark) {
  return spark.range(0, 2000)
      .selectExpr({"id", "sin(id * 1.7) AS x",
                   "CASE WHEN id % 50 = 0 THEN NULL ELSE transform(sequence(1, CAST(id % 6 + 1 AS "
                   "INT)), i -> concat('w', CAST((id * 13 + i * 7) % 4 AS STRING))) END AS words",
                   "transform(sequence(1, CAST(id % 4 + 1 AS INT)), i -> abs(sin(id * 3.1 + i))) "
                   "AS numbers"})
      .selectExpr({"id", "x", "words", "numbers",
                   "CASE WHEN x < 0 THEN element_at(numbers, -1) > 0.5 ELSE words IS NOT NULL "
                   "AND element_at(words, -1) = 'w1' END AS bought"});
}

TEST_F(Kinds, SequencesAreRead) {
  const auto rows = sessions(spark);
  const auto features = Features().numeric({"x"}).sequence({"words", "numbers"}, 4).label("bought");
  const auto fitted = fit(rows, features);
  ASSERT_EQ(fitted.specs.size(), 4u);
  EXPECT_EQ(fitted.specs[1].kind, EncoderKind::kWordSequence);
  EXPECT_EQ(fitted.specs[1].vocabulary.size(), 4u);
  EXPECT_EQ(fitted.specs[2].kind, EncoderKind::kNumberSequence);
  EXPECT_GT(fitted.specs[2].mean, 0.5);
  for (const auto* kind : {"lstm", "tcn", "transformer"}) {
    SCOPED_TRACE(kind);
    auto options = quick(6);

    const auto model =
        train(rows, features,
              {.kind = kind, .hidden = {32}, .embedding_dimension = 16, .blocks = 2, .heads = 2},
              options);
    EXPECT_GT(model.evaluate(rows).at("auc"), 0.9);
    expect_same_when_loaded(model, rows);
    const auto importance =
        model.model().importance(opened(rows, features.columns()), "auc", 1000, 1);
    ASSERT_EQ(importance.size(), 3u);
    EXPECT_GT(importance[1].loss, 0.05);
  }
  const auto refused = [&](const Features& wrong, const std::string& part) {
    EXPECT_EQ(condition_of([&] { fit(rows, wrong); }, part), "TRAINING_DATA_INVALID");
  };
  refused(Features().sequence({"x"}).label("bought"), "must be an array");
  refused(Features().categorical({"words"}).label("bought"), "list it as sequence");
  refused(Features().numeric({"numbers"}).label("bought"), "list it as sequence");
  EXPECT_EQ(condition_of(
                [&] {
                  fit(rows.withColumn("none", functions::expr("CAST(array() AS ARRAY<STRING>)")),
                      Features().sequence({"none"}).label("bought"));
                },
                "hold no value"),
            "TRAINING_DATA_INVALID");
  EXPECT_EQ(condition_of([&] { Features().sequence({"words"}, 0); }, "at least 1"),
            "INVALID_OPTION");
}

constexpr const char* kSessions = R"(
[source.raw]
path = "raw.parquet"

[features]
label = "bought"
sequence = ["words"]
sequence_length = 3

[model]
kind = "lstm"
hidden = [16]
embedding_dimension = 8

[train]
epochs = 3
batch_size = 256
learning_rate = 0.02

[output]
path = "out"
)";

TEST_F(Kinds, APipelineReadsSequences) {
  const auto rows = sessions(spark);
  rows.write().parquet(folder / "raw.parquet");
  const auto parsed = [&](const std::string& from, const std::string& to) {
    std::string text = kSessions;
    if (!from.empty()) text.replace(text.find(from), from.size(), to);
    std::ofstream(folder / "pipeline.toml") << text;
    return parse_pipeline(folder / "pipeline.toml");
  };
  const auto result = run_pipeline(parsed("", ""), spark.executor(), {});
  EXPECT_GT(result.models[0].metrics.at("auc"), 0.7);
  EXPECT_GT(result.sizes[2].second, 250);
  EXPECT_EQ(FittedModel::load(folder / "out").transform(rows.drop({"bought"})).count(), 2000);
  const auto refused = [&](const std::string& from, const std::string& to,
                           const std::string& part) {
    EXPECT_EQ(condition_of([&] { parsed(from, to); }, part), "INVALID_PIPELINE");
  };
  refused("kind = \"lstm\"", "kind = \"dcn\"",
          "pipeline.toml:11: `kind` in [model] is \"dcn\", which reads no `sequence`");
  refused("sequence = [\"words\"]\nsequence_length = 3", "numeric = [\"x\"]",
          "which needs [features] `sequence`");
  refused("sequence = [\"words\"]", "numeric = [\"x\"]", "of no use without `sequence`");
  refused("sequence_length = 3", "sequence_length = 0", "must be at least 1");
  refused("[output]", "[baselines]\nlist = [\"xgboost\"]\n[output]", "reads no sequences");
}

constexpr const char* kPairs = R"(
[source.raw]
path = "raw.parquet"

[features]
task = "retrieval"
categorical = ["user", "item"]
numeric = ["price"]

[model]
kind = "two_tower"
item = ["item", "price"]
hidden = [16]

[train]
epochs = 30
batch_size = 64
learning_rate = 0.02
metric = "mrr"

[output]
path = "out"
)";

TEST_F(Kinds, TwoTowersFindTheItemsOfAQuery) {
  // A user takes the items of his own remainder by 8.
  const auto rows = spark.range(0, 1500).selectExpr(
      {"id", "concat('u', CAST(id % 40 AS STRING)) AS user",
       "CAST(id % 8 + 8 * ((id * 31) DIV 40 % 5) AS INT) AS item", "id % 8 / 10.0D AS price"});
  rows.write().parquet(folder / "raw.parquet");
  const auto parsed = [&](const std::string& from, const std::string& to) {
    std::string text = kPairs;
    if (!from.empty()) text.replace(text.find(from), from.size(), to);
    std::ofstream(folder / "pipeline.toml") << text;
    return parse_pipeline(folder / "pipeline.toml");
  };
  const auto result = run_pipeline(parsed("", ""), spark.executor(), {});
  EXPECT_EQ(result.task, Task::kRetrieval);
  EXPECT_EQ(result.sizes[0].second + result.sizes[1].second + result.sizes[2].second, 1500);
  // About an eighth of the test rows have items that suit as well as the row's own.
  EXPECT_GT(result.models[0].metrics.at("mrr"), 0.03);
  EXPECT_NE(result.table().find("recall_at_10"), std::string::npos);
  const auto fitted = FittedModel::load(folder / "out");
  // All pairs of these users and items: those that suit are above the others.
  const auto pairs =
      rows.filter(std::string("id < 8"))
          .select({col("user"), col("id").alias("left")})
          .crossJoin(
              rows.filter(std::string("id < 8")).select({col("item"), col("price"), col("id")}));
  const auto scored = fitted.transform(pairs);
  const auto mean_where = [&](const std::string& condition) {
    return scored.filter(condition)
        .agg({functions::expr("avg(prediction)")})
        .collect()[0][0]
        .number;
  };
  EXPECT_GT(mean_where("left % 8 = item % 8"), mean_where("left % 8 <> item % 8") + 0.5);
  expect_same_when_loaded(fitted, rows);

  const auto refused = [&](const std::string& from, const std::string& to,
                           const std::string& part) {
    EXPECT_EQ(condition_of([&] { parsed(from, to); }, part), "INVALID_PIPELINE");
  };
  refused("kind = \"two_tower\"\nitem = [\"item\", \"price\"]", "kind = \"mlp\"",
          "must be \"two_tower\"");
  refused("task = \"retrieval\"", "label = \"id\"", "which needs [features] task");
  refused("numeric", "label = \"x\"\nnumeric", "retrieval, which has no label");
  refused("item = [\"item\"", "item = [\"itm\"", "Did you mean `item`?");
  refused("item = [\"item\", \"price\"]", "", "needs `item`");
  refused("[output]", "[baselines]\nlist = [\"base_rate\"]\n[output]", "not for a retrieval task");
  auto all = parsed("", "");
  all.model.item = {"user", "item", "price"};
  EXPECT_EQ(condition_of([&] { run_pipeline(all, spark.executor(), {}); }, "of the query"),
            "INVALID_OPTION");
}

constexpr const char* kRanking = R"(
[source.raw]
path = "raw.parquet"

[features]
task = "ranking"
label = "relevance"
group = "query"
numeric = ["x", "y"]

[model]
hidden = [16]

[train]
epochs = 15
batch_size = 1024
learning_rate = 0.02
metric = "ndcg"

[output]
path = "out"

[baselines]
list = ["logistic_regression"]
)";

TEST_F(Kinds, RankingsOrderTheRowsOfAGroup) {
  // How relevant a row is, is said by x against the group's own level, which x alone does not tell.
  const auto rows = spark.range(0, 3000).selectExpr(
      {"id", "CAST(id DIV 10 AS STRING) AS query", "sin(id * 1.7) AS x", "cos(id * 2.9) AS y",
       "CASE WHEN id = 5 THEN NULL ELSE CAST(floor(2 + 2 * sin(id * 1.7)) AS INT) END AS "
       "relevance"});
  rows.write().parquet(folder / "raw.parquet");
  const auto parsed = [&](const std::string& from, const std::string& to) {
    std::string text = kRanking;
    if (!from.empty()) text.replace(text.find(from), from.size(), to);
    std::ofstream(folder / "pipeline.toml") << text;
    return parse_pipeline(folder / "pipeline.toml");
  };
  const auto result = run_pipeline(parsed("", ""), spark.executor(), {});
  EXPECT_EQ(result.task, Task::kRanking);
  EXPECT_GT(result.models[0].metrics.at("ndcg"), 0.99);
  EXPECT_GT(result.models[1].metrics.at("ndcg_at_10"), 0.99);
  for (const auto& [name, count] : result.sizes) {
    EXPECT_EQ(count % 10 == 0 || count % 10 == 9, true) << name << count;  // groups stay whole
  }
  const auto fitted = FittedModel::load(folder / "out");
  expect_same_when_loaded(fitted, rows.drop({"relevance", "query"}));

  const auto refused = [&](const std::string& from, const std::string& to,
                           const std::string& part) {
    EXPECT_EQ(condition_of([&] { parsed(from, to); }, part), "INVALID_PIPELINE");
  };
  refused("group = \"query\"", "", "needs `group`");
  refused("task = \"ranking\"", "", "is read with task = \"ranking\" alone");
  refused("numeric", "weight = \"y\"\nnumeric", "is not for a ranking");
  refused("logistic_regression", "xgboost", "not for a ranking task");
  const auto unfit = [&](const Features& features, const std::string& part) {
    EXPECT_EQ(condition_of(
                  [&] { fit(rows.filter(std::string("relevance IS NOT NULL")), features); }, part),
              "TRAINING_DATA_INVALID");
  };
  unfit(Features().numeric({"x"}).label("relevance").task(Task::kRanking), "needs a `group`");
  unfit(Features().numeric({"x"}).label("relevance").group("query"), "by rankings alone");
  unfit(Features().numeric({"x"}).label("y").group("query").task(Task::kRanking),
        "must be a number from 0");
  unfit(Features().numeric({"x"}).label("relevance").group("y").task(Task::kRanking),
        "must be a string, an integer or a boolean");
}

constexpr const char* kOutliers = R"(
[source.raw]
path = "raw.parquet"

[features]
task = "reconstruction"
numeric = ["a", "b", "c"]

[model]
kind = "autoencoder"
hidden = [8, 1]
activation = "gelu"

[train]
epochs = 20
batch_size = 128
learning_rate = 0.02

[output]
path = "out"
)";

TEST_F(Kinds, AnAutoencoderTellsOutliers) {
  // b and c follow a, but in one row of a hundred.
  const auto rows = spark.range(0, 2000).selectExpr(
      {"id", "sin(id * 1.7) AS a", "2 * sin(id * 1.7) AS b",
       "CASE WHEN id % 100 = 7 THEN sin(id * 1.7) + 3 ELSE -sin(id * 1.7) END AS c"});
  rows.write().parquet(folder / "raw.parquet");
  const auto parsed = [&](const std::string& from, const std::string& to) {
    std::string text = kOutliers;
    if (!from.empty()) text.replace(text.find(from), from.size(), to);
    std::ofstream(folder / "pipeline.toml") << text;
    return parse_pipeline(folder / "pipeline.toml");
  };
  const auto result = run_pipeline(parsed("", ""), spark.executor(), {});
  EXPECT_LT(result.models[0].metrics.at("rmse"), 0.5);
  const auto fitted = FittedModel::load(folder / "out");
  const auto mean_where = [&](const std::string& condition) {
    return fitted.transform(rows)
        .filter(condition)
        .agg({functions::expr("avg(prediction)")})
        .collect()[0][0]
        .number;
  };
  EXPECT_GT(mean_where("id % 100 = 7"), 5 * mean_where("id % 100 <> 7"));
  expect_same_when_loaded(fitted, rows);
  const auto refused = [&](const std::string& from, const std::string& to,
                           const std::string& part) {
    EXPECT_EQ(condition_of([&] { parsed(from, to); }, part), "INVALID_PIPELINE");
  };
  refused("kind = \"autoencoder\"", "", "must be \"autoencoder\"");
  refused("task = \"reconstruction\"", "label = \"id\"", "which needs [features] task");
  refused("numeric", "label = \"id\"\nnumeric", "reconstruction, which has no label");
  EXPECT_EQ(condition_of(
                [&] {
                  run_pipeline(parsed("numeric", "categorical = [\"id\"]\nnumeric"),
                               spark.executor(), {});
                },
                "reads numbers alone"),
            "INVALID_OPTION");
}

}  // namespace
}  // namespace firesteel
