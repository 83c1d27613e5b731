// The three baselines. XGBoost through its C API, with early stopping on the validation rows.
#include "ml/baselines.h"

#include <fmt/format.h>
#include <xgboost/c_api.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/error.h"

namespace firesteel {

namespace {

const EncoderSpec& label_of(const BaselineRows& rows) {
  return *std::find_if(rows.specs.begin(), rows.specs.end(),
                       [](const EncoderSpec& spec) { return spec.kind == EncoderKind::kLabel; });
}

int64_t classes_of(const EncoderSpec& label) {
  return label.task == Task::kMulticlass ? static_cast<int64_t>(label.vocabulary.size()) : 1;
}

/// Metrics in the label's own units.
std::map<std::string, double> metrics_in_units(Scores scores, const EncoderSpec& label) {
  if (label.task == Task::kRegression) {
    for (auto* values : {&scores.values, &scores.labels}) {
      for (auto& value : *values) value = static_cast<float>(value * label.deviation + label.mean);
    }
  }
  return metrics_of(scores);
}

/// The share of each label.
std::map<std::string, double> base_rates(const BaselineRows& rows) {
  std::vector<double> shares;
  std::vector<std::vector<float>> labels;
  for (const auto& spec : rows.specs) {
    if (spec.kind != EncoderKind::kLabel) continue;
    const auto train = encode_rows({spec}, rows.train);
    double sum = 0;
    for (const float value : train.labels) sum += value;
    shares.push_back(sum / static_cast<double>(train.rows));
    labels.push_back(encode_rows({spec}, rows.test).labels);
  }
  Scores scores;
  scores.task = Task::kMultilabel;
  scores.classes = static_cast<int64_t>(shares.size());
  for (size_t row = 0; row < labels[0].size(); ++row) {
    for (size_t i = 0; i < shares.size(); ++i) {
      scores.values.push_back(static_cast<float>(shares[i]));
      scores.labels.push_back(labels[i][row]);
    }
  }
  return metrics_of(scores);
}

/// The share of each class, or the mean, of the training rows for every row.
std::map<std::string, double> base_rate(const BaselineRows& rows) {
  const auto& label = label_of(rows);
  if (label.task == Task::kMultilabel) return base_rates(rows);
  const auto train = encode_rows({label}, rows.train), test = encode_rows({label}, rows.test);
  Scores scores;
  scores.task = label.task;
  scores.classes = classes_of(label);
  scores.labels = test.labels;
  std::vector<double> sums(scores.classes, 0.0);
  for (const float value : train.labels) {
    if (label.task == Task::kMulticlass) {
      ++sums[static_cast<size_t>(value)];
    } else {
      sums[0] += value;
    }
  }
  for (size_t row = 0; row < test.labels.size(); ++row) {
    for (const double sum : sums) {
      scores.values.push_back(static_cast<float>(sum / static_cast<double>(train.rows)));
    }
  }
  return metrics_in_units(std::move(scores), label);
}

std::map<std::string, double> logistic(const BaselineRows& rows, TrainerOptions options,
                                       const BatchOptions& batches) {
  TabularOptions linear;
  linear.hidden = {};
  TabularModel model(rows.specs, linear, options.seed);
  options.checkpoints.clear();
  options.resume = false;
  model.train(rows.train, rows.validation, options, batches);
  return metrics_of(model.score(rows.test));
}

void check(int code) {
  if (code != 0)
    throw Error("INTERNAL_ERROR", fmt::format("XGBoost failed: {}", XGBGetLastError()));
}

struct FreeMatrix {
  void operator()(void* handle) const { XGDMatrixFree(handle); }
};
struct FreeBooster {
  void operator()(void* handle) const { XGBoosterFree(handle); }
};
using Matrix = std::unique_ptr<void, FreeMatrix>;
using Booster = std::unique_ptr<void, FreeBooster>;

Matrix matrix_of(const EncodedRows& rows) {
  DMatrixHandle handle = nullptr;
  check(XGDMatrixCreateFromMat(rows.values.data(), static_cast<bst_ulong>(rows.rows),
                               static_cast<bst_ulong>(rows.columns),
                               std::numeric_limits<float>::quiet_NaN(), &handle));
  Matrix matrix(handle);
  check(XGDMatrixSetFloatInfo(handle, "label", rows.labels.data(), rows.labels.size()));
  return matrix;
}

Matrix load(const BaselineRows& rows, const OpenRows& open, std::vector<float>* labels = nullptr) {
  auto encoded = encode_rows(rows.specs, open);
  auto matrix = matrix_of(encoded);
  if (labels) *labels = std::move(encoded.labels);
  return matrix;
}

std::map<std::string, double> xgboost(const BaselineRows& rows, uint64_t seed) {
  constexpr int kRounds = 400, kPatience = 20;
  const auto& label = label_of(rows);
  const Matrix train = load(rows, rows.train);
  const Matrix validation = rows.validation ? load(rows, rows.validation) : nullptr;
  Scores scores;
  const Matrix test = load(rows, rows.test, &scores.labels);

  DMatrixHandle first = train.get();
  BoosterHandle handle = nullptr;
  check(XGBoosterCreate(&first, 1, &handle));
  const Booster booster(handle);
  const auto set = [&](const char* name, const std::string& value) {
    check(XGBoosterSetParam(handle, name, value.c_str()));
  };
  set("tree_method", "hist");
  set("eta", "0.1");
  set("max_depth", "8");
  set("verbosity", "0");
  set("seed", std::to_string(seed % 2147483647));
  switch (label.task) {
    case Task::kBinary:
      set("objective", "binary:logistic");
      set("eval_metric", "logloss");
      break;
    case Task::kRegression:
      set("objective", "reg:squarederror");
      set("eval_metric", "rmse");
      break;
    case Task::kMulticlass:
      set("objective", "multi:softprob");
      set("num_class", std::to_string(classes_of(label)));
      set("eval_metric", "mlogloss");
      break;
    case Task::kMultilabel:
    case Task::kRetrieval:
    case Task::kRanking:
    case Task::kReconstruction:
      break;
  }
  int best = 0;
  double best_loss = std::numeric_limits<double>::infinity();
  for (int round = 0; round < kRounds && round - best <= kPatience; ++round) {
    check(XGBoosterUpdateOneIter(handle, round, train.get()));
    if (!validation) {
      best = round;
      continue;
    }
    DMatrixHandle watched = validation.get();
    const char* name = "validation";
    const char* text = nullptr;  // "[3]\tvalidation-logloss:0.41"
    check(XGBoosterEvalOneIter(handle, round, &watched, &name, 1, &text));
    const double loss = std::strtod(std::strrchr(text, ':') + 1, nullptr);
    if (loss < best_loss) {
      best_loss = loss;
      best = round;
    }
  }
  const auto config = fmt::format(
      R"({{"type": 0, "training": false, "iteration_begin": 0, "iteration_end": {}, "strict_shape": false}})",
      best + 1);
  const bst_ulong* shape = nullptr;
  bst_ulong dimensions = 0;
  const float* values = nullptr;
  check(XGBoosterPredictFromDMatrix(handle, test.get(), config.c_str(), &shape, &dimensions,
                                    &values));
  scores.task = label.task;
  scores.classes = classes_of(label);
  scores.values.assign(values, values + scores.labels.size() * static_cast<size_t>(scores.classes));
  return metrics_in_units(std::move(scores), label);
}

}  // namespace

const std::vector<std::string>& baseline_names() {
  static const std::vector<std::string> names = {"base_rate", "logistic_regression", "xgboost"};
  return names;
}

bool baseline_suits(const std::string& name, Task task) {
  switch (task) {
    case Task::kBinary:
    case Task::kMulticlass:
    case Task::kRegression:
      return true;
    case Task::kMultilabel:
      return name != "xgboost";
    case Task::kRanking:
      return name == "logistic_regression";
    case Task::kRetrieval:
    case Task::kReconstruction:
      return false;
  }
  return false;
}

BaselineResult run_baseline(const std::string& name, const BaselineRows& given,
                            const TrainerOptions& options, const BatchOptions& batches) {
  const auto start = std::chrono::steady_clock::now();
  BaselineRows rows = given;
  std::erase_if(rows.specs, [](const EncoderSpec& spec) {
    return spec.is_sequence() || spec.kind == EncoderKind::kImage;
  });
  if (!baseline_suits(name, label_of(rows).task)) {
    throw Error("INVALID_OPTION", fmt::format("The baseline {} is not for a {} task: leave it out.",
                                              name, task_name(label_of(rows).task)));
  }
  BaselineResult result;
  result.name = name;
  if (name == "base_rate") {
    result.metrics = base_rate(rows);
  } else if (name == "logistic_regression") {
    result.metrics = logistic(rows, options, batches);
  } else if (name == "xgboost") {
    result.metrics = xgboost(rows, options.seed);
  } else {
    throw Error("INVALID_OPTION", fmt::format("There is no baseline `{}`; there are {}.", name,
                                              fmt::join(baseline_names(), ", ")));
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace firesteel
