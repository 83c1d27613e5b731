// Networks, tasks and features through the whole way: fitted, trained, predicted, saved, loaded.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
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
DataFrame ratings(const Session& spark) {
  return spark.range(0, 4000).selectExpr(
      {"id", "CAST(id % 20 AS INT) AS user", "CAST((id * 7) DIV 20 % 30 AS INT) AS item",
       "sin(id * 1.7) AS x", "date_add(DATE'2024-01-01', CAST(id % 300 AS INT)) AS day",
       "(id % 20 + (id * 7) DIV 20 % 30) % 2 = 0 AS liked"});
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

}  // namespace
}  // namespace firesteel
