// The optimizer steps, schedules and metrics against values recorded from Python PyTorch and numpy
// (tests/reference/record_train.py).
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "nn/mlp.h"
#include "train/checkpoint.h"
#include "train/loss.h"
#include "train/metrics.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/trainer.h"

namespace firesteel {
namespace {

const nlohmann::json& reference() {
  static const auto json = nlohmann::json::parse(
      read_file(std::string(FIRESTEEL_SOURCE_DIR) + "/tests/reference/train.json"));
  return json;
}

torch::Tensor pattern(at::IntArrayRef shape) {
  const int64_t count = c10::multiply_integers(shape);
  const auto i = torch::arange(count, torch::kFloat64);
  return (torch::sin(i * 0.7 + 0.3) / 2).to(torch::kFloat32).reshape(shape);
}

void check_optimizer(const nlohmann::json& expected, OptimizerOptions settings, double clip) {
  nn::TabularNetOptions shape;
  shape.numeric = 3;
  shape.cardinalities = {5, 3};
  shape.hidden = {4};
  shape.activation = nn::Activation::kGelu;
  shape.embedding_dimension = 2;
  nn::Mlp model(shape);
  {
    torch::NoGradGuard no_grad;
    for (auto& parameter : model->parameters()) parameter.copy_(pattern(parameter.sizes()));
  }
  Batch batch;
  batch.numeric = pattern({6, 3});
  batch.categorical =
      torch::tensor({0, 0, 1, 1, 2, 2, 3, 0, 4, 1, 0, 2}, torch::kInt64).reshape({6, 2});
  batch.label = torch::tensor({0.0f, 1.0f, 1.0f, 0.0f, 1.0f, 0.0f});
  LossOptions options;
  options.positive_weight = 2;
  settings.weight_decay = 0.1;
  Optimizer optimizer(*model, settings);
  for (const auto& loss_expected : expected.at("losses")) {
    optimizer.zero_grad();
    const auto loss =
        loss_of(model(batch.numeric, batch.categorical), batch, Task::kBinary, options);
    loss.backward();
    if (clip > 0) torch::nn::utils::clip_grad_norm_(model->parameters(), clip);
    optimizer.step(0.01);
    EXPECT_NEAR(loss.item<double>(), loss_expected.get<double>(), 1e-5);
  }
  for (const auto& [name, tensor] : weights_of(*model)) {
    const auto values = expected.at("weights").at(name).get<std::vector<float>>();
    EXPECT_TRUE(torch::allclose(tensor.flatten(), torch::tensor(values), 1e-4, 1e-5)) << name;
  }
}

TEST(Reference, OptimizersStepAsInPython) {
  for (const auto& [name, expected] : reference().at("optimizers").items()) {
    SCOPED_TRACE(name);
    OptimizerOptions settings;
    settings.kind = optimizer_from_name(name.substr(0, name.find(' ')));
    settings.nesterov = name == "sgd nesterov";
    settings.momentum = name == "sgd momentum" || settings.nesterov ? 0.9 : 0;
    check_optimizer(expected, settings, name == "adamw clipped" ? 0.05 : 0);
  }
}

TEST(Reference, SchedulesAreThoseOfPython) {
  for (const auto& [name, factors] : reference().at("schedules").items()) {
    ScheduleOptions schedule;
    schedule.kind = schedule_from_name(name);
    schedule.warm_up = 0.25;
    for (int64_t step = 0; step < 20; ++step) {
      EXPECT_NEAR(schedule_factor(schedule, step, 20), factors[step].get<double>(), 1e-9)
          << name << " step " << step;
    }
  }
}

TEST(Reference, PlateausAreThoseOfPython) {
  const auto& expected = reference().at("plateau");
  ScheduleOptions schedule;
  schedule.kind = Schedule::kPlateau;
  schedule.plateau_factor = 0.5;
  std::vector<double> metrics, negative;
  for (size_t i = 0; i < expected.at("values").size(); ++i) {
    metrics.push_back(expected.at("values")[i]);
    EXPECT_EQ(plateau_factor(schedule, metrics, false), expected.at("factors")[i].get<double>())
        << i;
  }
}

TEST(Reference, LossesAndTheirGradientsAreThoseOfPython) {
  const auto floats = [](const nlohmann::json& json) {
    return torch::tensor(json.get<std::vector<float>>());
  };
  for (const auto& [name, expected] : reference().at("losses").items()) {
    SCOPED_TRACE(name);
    const std::string task_text = name.substr(0, name.find(' '));
    const std::string kind =
        name.find(' ') == std::string::npos ? "" : name.substr(name.find(' ') + 1);
    const Task task = task_text == "binary"       ? Task::kBinary
                      : task_text == "multiclass" ? Task::kMulticlass
                                                  : Task::kRegression;
    LossOptions options;
    if (kind == "smooth") {
      options.label_smoothing = 0.1;
    } else if (!kind.empty()) {
      options.kind = loss_from_name(kind);
    } else if (task == Task::kBinary) {
      options.positive_weight = 2;
    }
    options.huber_delta = 0.7;
    options.quantile = 0.9;
    check_loss(task, options);
    Batch batch;
    batch.label = task == Task::kBinary       ? torch::tensor({0.f, 1.f, 1.f, 0.f, 1.f, 0.f})
                  : task == Task::kMulticlass ? torch::tensor({0, 1, 2, 0, 1, 2}, torch::kInt64)
                                              : pattern({6}) * 3;
    const auto logits =
        (pattern({6, task == Task::kMulticlass ? 3 : 1}) * 4).detach().requires_grad_();
    const auto loss = loss_of(logits, batch, task, options);
    loss.backward();
    EXPECT_NEAR(loss.item<double>(), expected.at("loss").get<double>(), 1e-6);
    EXPECT_TRUE(
        torch::allclose(logits.grad().flatten(), floats(expected.at("gradient")), 1e-5, 1e-7));
  }
  LossOptions wrong;
  wrong.kind = Loss::kHuber;
  EXPECT_THROW(check_loss(Task::kBinary, wrong), Error);
}

TEST(Reference, MetricsAreTheirFormulae) {
  const auto& expected = reference().at("metrics");
  Scores scores;
  scores.values = expected.at("probability").get<std::vector<float>>();
  scores.labels = expected.at("label").get<std::vector<float>>();
  const auto binary = metrics_of(scores);
  for (const char* name : {"auc", "log_loss", "accuracy", "precision", "recall", "brier"}) {
    EXPECT_NEAR(binary.at(name), expected.at(name).get<double>(), 1e-9) << name;
  }
  scores.task = Task::kRegression;
  scores.values = expected.at("value").get<std::vector<float>>();
  const auto regression = metrics_of(scores);
  for (const char* name : {"rmse", "mae", "r2"}) {
    EXPECT_NEAR(regression.at(name), expected.at(name).get<double>(), 1e-9) << name;
  }
}

TEST(Metrics, EdgesAreDefined) {
  EXPECT_TRUE(std::isnan(auc({0.1f, 0.2f}, {1, 1})));
  EXPECT_EQ(auc({0.5f, 0.5f}, {1, 0}), 0.5);
  EXPECT_EQ(confusion({0.1f}, {0}).precision(), 0);
  const auto bins = calibration({0.0f, 0.05f, 1.0f}, {0, 1, 1});
  ASSERT_EQ(bins.size(), 2u);
  EXPECT_EQ(bins[0].rows, 2);
  EXPECT_EQ(bins[0].positive_share, 0.5);
  Scores classes;
  classes.task = Task::kMulticlass;
  classes.classes = 3;
  classes.values = {0.2f, 0.5f, 0.3f, 0.8f, 0.1f, 0.1f};
  classes.labels = {1, 2};
  EXPECT_EQ(metrics_of(classes).at("accuracy"), 0.5);
  EXPECT_NEAR(metrics_of(classes).at("log_loss"), -(std::log(0.5) + std::log(0.1)) / 2, 1e-6);
}

}  // namespace
}  // namespace firesteel
