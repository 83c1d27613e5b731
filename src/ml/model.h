// Training on DataFrames: `auto fitted = train(rows, features, model); fitted.transform(more)`.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "dataframe/dataframe.h"
#include "ml/features.h"
#include "models/job.h"
#include "models/tabular.h"

namespace firesteel {

using ModelOptions = TabularOptions;

struct TrainOptions {
  /// Epochs, learning rate, schedule, early stopping, seed, checkpoints, device, …
  TrainerOptions trainer;
  BatchOptions batches;
  /// Share of the rows kept for validation, by a hash of the row and the seed, when no validation
  /// rows are given; 0: none.
  double validation_fraction = 0.1;
  std::function<void(const TrainProgress&)> progress;
  /// Above 1: trains in so many processes of this machine, from the folder `job` on (empty: a
  /// temporary one). The result is that of one process, to rounding, unless units are dropped or
  /// batches normalised. `log` is told when a lost worker makes all start again.
  int64_t workers = 1;
  std::filesystem::path job;
  WorkerLaunch launch;
  std::function<void(const std::string&)> log;
};

/// A trained model with its encoders. Copies share the weights; one thread at a time.
class FittedModel {
 public:
  explicit FittedModel(TabularModel model) : model_(std::move(model)) {}
  FittedModel(TabularModel model, TrainResult training, FittedFeatures features)
      : model_(std::move(model)), training_(std::move(training)), features_(std::move(features)) {}

  /// The rows with one more column, `prediction`, as TabularModel::transform gives it; of several
  /// labels a column `prediction_LABEL` each.
  DataFrame transform(const DataFrame& rows) const;
  /// Every metric of the task (metrics.h), by name.
  std::map<std::string, double> evaluate(const DataFrame& rows) const;
  /// Into a folder: model.safetensors, model.json, encoders.json and a manifest of their checksums.
  /// Replaces it as a whole.
  void save(const std::string& folder) const;
  /// Such a folder, an artifact of a pipeline, or a classifier's folder (TabularModel::of_folder).
  /// Throws INVALID_ARTIFACT.
  static FittedModel load(const std::string& folder);

  const TabularModel& model() const { return model_; }
  const TrainResult& training() const { return training_; }
  const FittedFeatures& features() const { return features_; }

 private:
  friend FittedModel train(const DataFrame&, const Features&, const ModelOptions&,
                           const TrainOptions&, const std::optional<DataFrame>&);
  TabularModel model_;
  TrainResult training_;
  FittedFeatures features_;
};

/// Fits the encoders on `rows` and trains. Without `validation` rows a share of `rows` is split
/// off.
FittedModel train(const DataFrame& rows, const Features& features, const ModelOptions& model = {},
                  const TrainOptions& options = {},
                  const std::optional<DataFrame>& validation = std::nullopt);

/// Opens a DataFrame's rows, of these columns.
OpenRows opened(const DataFrame& rows, const std::vector<std::string>& columns);
/// Whether a hash of these SQL expressions puts a row into [from, to) of [0, 1): a condition in
/// SQL.
std::string hash_share(const std::vector<std::string>& terms, uint64_t seed, double from,
                       double to);

}  // namespace firesteel
