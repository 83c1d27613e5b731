// report.html: one page of what was trained and how good it is, with no outside resource.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ml/baselines.h"
#include "models/tabular.h"
#include "train/metrics.h"
#include "train/options.h"

namespace firesteel {

struct Report {
  std::string title;
  Task task = Task::kBinary;
  /// The model first, then the baselines; on the test rows.
  std::vector<BaselineResult> models;
  TrainResult training;
  std::vector<CalibrationBin> calibration;  // binary only
  std::string importance_metric;
  std::vector<FeatureImportance> importance;
  std::vector<std::pair<std::string, int64_t>> sizes;         // "training rows" → 1000
  std::vector<std::pair<std::string, std::string>> settings;  // "learning rate" → "0.001"
  std::string trials;                                         // of a search, as text
  std::string plan;                                           // as text
  std::string pipeline;                                       // the file as run
  std::vector<std::string> notes;
};

std::string report_html(const Report& report);

}  // namespace firesteel
