// Tuning: many settings of [model] and [train] are tried on the same packed rows, in processes of
// their own; those that fall behind end early.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ml/features.h"
#include "models/job.h"
#include "models/tabular.h"

namespace firesteel {

enum class TuneMethod {
  kRandom,
  kGrid,
  /// Asynchronous successive halving, Li et al. 2018 (https://arxiv.org/abs/1810.05934).
  kAsha,
};
/// "random", "grid", "asha". Throws INVALID_OPTION.
TuneMethod tune_method_from_name(std::string_view name);

/// What one setting may be: one of a list, or a number of a range.
struct TuneSetting {
  std::string key;                   // "train.learning_rate"
  std::vector<std::string> choices;  // as written in a pipeline file
  double low = 0, high = 0;          // without choices
  bool logarithmic = false, integer = false;

  /// The value for a number in [0, 1), as written in a pipeline file.
  std::string at(double share) const;
};

struct TuneOptions {
  TuneMethod method = TuneMethod::kAsha;
  int64_t trials = 20;       // of grid: at most
  int64_t parallel = 0;      // trials at once; 0: a core each
  int64_t first_epochs = 1;  // of asha: of the first comparison
  int64_t reduction = 3;     // of asha: one in so many goes on, for so many times the epochs
  uint64_t seed = 0;
  std::vector<TuneSetting> space;  // empty: the pipeline does not tune
};

/// "train.learning_rate" → "0.003".
using TuneValues = std::vector<std::pair<std::string, std::string>>;

/// The settings of a trial. The same options give the same trials. Nothing when a grid has fewer.
std::optional<TuneValues> tune_values(const TuneOptions& options, int64_t trial);
/// "train.learning_rate=0.003 model.dropout=0.1".
std::string values_text(const TuneValues& values);

struct TuneTrial {
  int64_t number = 0;  // from 0
  TuneValues values;
  std::vector<double> metrics;  // of each epoch done
  std::string error;            // of one that failed
  double seconds = 0;
  bool running = false;

  int64_t epochs() const { return static_cast<int64_t>(metrics.size()); }
  /// The best of the first epochs.
  double best(int64_t epochs, bool larger_is_better) const;
};

/// Without the number and whether it runs.
void to_json(nlohmann::json& out, const TuneTrial& trial);
void from_json(const nlohmann::json& in, TuneTrial& trial);

/// Which trial runs next, and until which epoch. Made of what is known of the trials alone, so that
/// a stopped search goes on where it was. One thread.
class TuneSchedule {
 public:
  TuneSchedule(const TuneOptions& options, int64_t epochs, bool larger_is_better);

  struct Next {
    int64_t trial = 0;
    int64_t epochs = 0;
  };
  /// Nothing while what runs must end first, or when all is done. A trial that is `trials.size()`
  /// is a new one.
  std::optional<Next> next(const std::vector<TuneTrial>& trials) const;
  /// The best of those that came furthest; nothing when all failed.
  std::optional<int64_t> best(const std::vector<TuneTrial>& trials) const;
  /// Epochs after which trials are compared; the last is all.
  const std::vector<int64_t>& rungs() const { return rungs_; }

 private:
  bool better(double a, double b) const { return larger_is_better_ ? a > b : a < b; }

  TuneOptions options_;
  std::vector<int64_t> rungs_;
  bool larger_is_better_;
};

/// The model and options of a trial's values.
struct TrialSettings {
  TabularOptions model;
  TrainerOptions trainer;
  BatchOptions batches;
};

struct TuneResult {
  std::vector<TuneTrial> trials;
  int64_t best = 0;
  std::string metric;
  TabularModel model;  // of the best trial
  TrainResult training;

  /// The trials as text, best first.
  std::string table() const;
};

/// Runs the search. `settings` says what values make of the pipeline; `folder` keeps the trials,
/// from which a search that was stopped goes on when the trainer's `resume` is set. `log` gets a
/// line for each trial that ends. Throws TRAINING_DATA_INVALID when every trial failed.
TuneResult tune(const FittedFeatures& features, const OpenRows& rows, const OpenRows& validation,
                const TuneOptions& options, const std::string& metric,
                const std::function<TrialSettings(const TuneValues&)>& settings,
                TrainerOptions trainer, BatchOptions batches, const std::filesystem::path& folder,
                const WorkerLaunch& launch, const std::function<void(const std::string&)>& log);

}  // namespace firesteel
