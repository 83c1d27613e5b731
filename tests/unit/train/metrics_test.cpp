// Every metric against scikit-learn's (tests/reference/record_metrics.py), and where it has none.
#include "train/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace firesteel {
namespace {

TEST(Metrics, AreThoseOfScikitLearn) {
  const auto reference = nlohmann::json::parse(
      read_file(std::string(FIRESTEEL_SOURCE_DIR) + "/tests/reference/metrics.json"));
  for (const auto task :
       {Task::kBinary, Task::kMulticlass, Task::kRegression, Task::kMultilabel, Task::kRanking}) {
    SCOPED_TRACE(task_name(task));
    const auto& expected = reference.at(std::string(task_name(task)));
    Scores scores;
    scores.task = task;
    scores.classes = expected.at("classes");
    scores.values = expected.at("scores").get<std::vector<float>>();
    scores.labels = expected.at("labels").get<std::vector<float>>();
    const auto found = metrics_of(scores);
    EXPECT_EQ(found.size(), expected.at("metrics").size());
    EXPECT_EQ(found.size(), metric_names(task).size());
    for (const auto& name : metric_names(task)) {
      EXPECT_NEAR(found.at(name), expected.at("metrics").at(name).get<double>(), 1e-7) << name;
    }
  }
}

TEST(Metrics, OfLabelsThatHaveOneValueTheAreaIsLeftOut) {
  Scores scores{.task = Task::kMultilabel,
                .classes = 2,
                .values = {0.1f, 0.9f, 0.8f, 0.9f},
                .labels = {0, 1, 1, 1}};
  EXPECT_EQ(metrics_of(scores).at("auc"), 1);
  scores.labels = {1, 1, 1, 1};
  EXPECT_TRUE(std::isnan(metrics_of(scores).at("auc")));
}

TEST(Metrics, OfRankingsLeaveGroupsOfOneRowOut) {
  Scores scores{.task = Task::kRanking,
                .classes = 1,
                .values = {3, 1, 2},
                .labels = {1, 0, 0, /**/ 0, 0, 0, /**/ 1, 0, 1}};
  EXPECT_EQ(metrics_of(scores).at("ndcg"), 1);
  scores.labels = {1, 0, 0, /**/ 0, 0, 2, /**/ 1, 0, 1};
  EXPECT_TRUE(std::isnan(metrics_of(scores).at("ndcg")));
}

TEST(Metrics, OfReconstructionsAreThoseOfTheSquares) {
  const Scores scores{
      .task = Task::kReconstruction, .classes = 1, .values = {0.5f, 1.5f}, .labels = {}};
  EXPECT_DOUBLE_EQ(metrics_of(scores).at("rmse"), 1);
  EXPECT_NEAR(metrics_of(scores).at("log_loss"), 1.4189385332046727, 1e-12);  // N(0, 1) at 1
}

TEST(Metrics, OfRetrievalAreThoseOfTheRanks) {
  const Scores scores{.task = Task::kRetrieval,
                      .classes = 2,
                      .values = {0.5f, 1, 1.5f, 4, 2, 10.5f, 2, 2},
                      .labels = {}};
  const auto found = metrics_of(scores);
  EXPECT_DOUBLE_EQ(found.at("log_loss"), 1.5);
  EXPECT_DOUBLE_EQ(found.at("recall_at_10"), 0.75);
  EXPECT_DOUBLE_EQ(found.at("mrr"), (1 + 0.25 + 1 / 10.5 + 0.5) / 4);
}

}  // namespace
}  // namespace firesteel
