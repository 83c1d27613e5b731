// What is tried, and which trial goes on.
#include "ml/tune.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace firesteel {
namespace {

TuneOptions two_settings() {
  TuneOptions options;
  options.space = {
      {.key = "train.learning_rate", .choices = {}, .low = 1e-4, .high = 1e-1, .logarithmic = true},
      {.key = "model.blocks", .choices = {}, .low = 1, .high = 3, .integer = true}};
  return options;
}

TEST(Tune, ValuesLieInTheirRangesAndComeAgain) {
  const auto options = two_settings();
  std::set<std::string> blocks, texts;
  int below = 0;
  for (int64_t trial = 0; trial < 200; ++trial) {
    const auto values = *tune_values(options, trial);
    EXPECT_EQ(values, *tune_values(options, trial));
    const double rate = std::stod(values[0].second);
    EXPECT_GE(rate, 1e-4);
    EXPECT_LE(rate, 1e-1);
    below += rate < std::sqrt(1e-4 * 1e-1);
    blocks.insert(values[1].second);
    texts.insert(values_text(values));
  }
  EXPECT_NEAR(below, 100, 30);  // half of a logarithmic range lies below its geometric mean
  EXPECT_EQ(blocks, (std::set<std::string>{"1", "2", "3"}));
  EXPECT_GT(texts.size(), 195u);
}

TEST(Tune, AGridHasEveryCombinationOnce) {
  TuneOptions options;
  options.method = TuneMethod::kGrid;
  options.space = {{.key = "a", .choices = {"1", "2", "3"}}, {.key = "b", .choices = {"x", "y"}}};
  std::set<std::string> texts;
  for (int64_t trial = 0; trial < 6; ++trial) {
    texts.insert(values_text(*tune_values(options, trial)));
  }
  EXPECT_EQ(texts.size(), 6u);
  EXPECT_FALSE(tune_values(options, 6));
}

/// Runs a search in which trial i has the metric `of(i, epoch)`, `parallel` at a time.
template <typename Metric>
std::vector<TuneTrial> searched(const TuneSchedule& schedule, size_t parallel, Metric of) {
  std::vector<TuneTrial> trials;
  std::vector<TuneSchedule::Next> running;
  for (int guard = 0; guard < 1000; ++guard) {
    while (running.size() < parallel) {
      const auto next = schedule.next(trials);
      if (!next) break;
      if (next->trial == static_cast<int64_t>(trials.size())) {
        trials.push_back({.number = next->trial, .values = {}});
      }
      EXPECT_FALSE(trials[next->trial].running);
      trials[next->trial].running = true;
      running.push_back(*next);
    }
    if (running.empty()) return trials;
    const auto done = running.front();
    running.erase(running.begin());
    auto& trial = trials[done.trial];
    trial.running = false;
    EXPECT_LT(trial.epochs(), done.epochs);
    while (trial.epochs() < done.epochs) trial.metrics.push_back(of(done.trial, trial.epochs()));
  }
  ADD_FAILURE() << "the search does not end";
  return trials;
}

TEST(Tune, HalvingGivesTheGoodTrialsMoreEpochs) {
  auto options = two_settings();
  options.trials = 27;
  for (const size_t parallel : {1, 4}) {
    const TuneSchedule schedule(options, 9, false);
    EXPECT_EQ(schedule.rungs(), (std::vector<int64_t>{1, 3, 9}));
    // Trial 4 is the best.
    const auto trials = searched(schedule, parallel, [](int64_t trial, int64_t epoch) {
      return static_cast<double>((trial * 10 + 14) % 27) - 0.01 * static_cast<double>(epoch);
    });
    ASSERT_EQ(trials.size(), 27u);
    int64_t epochs = 0, finished = 0;
    for (const auto& trial : trials) {
      epochs += trial.epochs();
      finished += trial.epochs() == 9;
    }
    EXPECT_EQ(schedule.best(trials), 4);
    EXPECT_EQ(trials[4].epochs(), 9);
    EXPECT_GE(finished, 1);
    EXPECT_LT(epochs, 27 * 9 / 2) << "it saves more than half of the epochs";
  }
}

TEST(Tune, FewTrialsAndFailedOnes) {
  auto options = two_settings();
  options.trials = 2;
  const TuneSchedule schedule(options, 9, true);
  const auto trials =
      searched(schedule, 2, [](int64_t trial, int64_t) { return trial == 1 ? 0.9 : 0.8; });
  EXPECT_EQ(schedule.best(trials), 1);
  EXPECT_EQ(trials[1].epochs(), 9);  // too few to compare: the best goes on all the same
  EXPECT_EQ(trials[0].epochs(), 1);

  std::vector<TuneTrial> failed = {{.number = 0, .values = {}, .metrics = {}, .error = "NaN"},
                                   {.number = 1, .values = {}, .metrics = {}, .error = "NaN"}};
  EXPECT_FALSE(schedule.next(failed));
  EXPECT_FALSE(schedule.best(failed));
}

TEST(Tune, WithoutHalvingEveryTrialIsWhole) {
  auto options = two_settings();
  options.method = TuneMethod::kRandom;
  options.trials = 3;
  const TuneSchedule schedule(options, 4, false);
  for (const auto& trial : searched(schedule, 2, [](int64_t trial, int64_t epoch) {
         return static_cast<double>(trial + epoch);
       })) {
    EXPECT_EQ(trial.epochs(), 4);
  }
}

}  // namespace
}  // namespace firesteel
