// What a model must beat: the base rate, a linear model, and gradient boosted trees, all on the
// same encoded rows.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "models/tabular.h"

namespace firesteel {

struct BaselineRows {
  std::vector<EncoderSpec> specs;
  OpenRows train, validation, test;
};

/// Metrics on the test rows by name. Seconds are those of training and prediction.
struct BaselineResult {
  std::string name;
  std::map<std::string, double> metrics;
  double seconds = 0;
};

/// Whether a baseline is for tasks of this kind.
bool baseline_suits(const std::string& name, Task task);
/// The names: "base_rate", "logistic_regression", "xgboost".
const std::vector<std::string>& baseline_names();

/// Throws INVALID_OPTION for another name. `options` are the linear model's.
BaselineResult run_baseline(const std::string& name, const BaselineRows& rows,
                            const TrainerOptions& options, const BatchOptions& batches);

}  // namespace firesteel
