// What a training run tells while it goes on, and whom: JSON lines, TensorBoard, MLflow. A kind of
// tracker is a row of the table in tracking.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ml/baselines.h"
#include "train/options.h"

namespace firesteel {

class Error;

/// [track] of the pipeline file.
struct TrackOptions {
  std::filesystem::path log, tensorboard;  // a file, a folder; empty: none
  std::string mlflow;                      // "http://127.0.0.1:5000"; empty: none
  std::string experiment = "firesteel";    // of MLflow
  std::string run;                         // empty: the output's name and the moment
  bool required = false;                   // a server that does not answer at the start is an error
};

/// How a run begins.
struct TrackedRun {
  std::string name;  // of the run
  std::filesystem::path pipeline, output;
  std::string model, label;
  int64_t epochs = 0;
  bool resumed = false;
  std::vector<std::pair<std::string, int64_t>> sizes;  // "training" → 1000
  std::map<std::string, std::string> settings;         // "train.learning_rate" → "0.001"
};

/// How a run ends.
struct TrackedEnd {
  enum class State { kFinished, kStopped, kFailed };
  State state = State::kFinished;
  std::string error;  // of a run that is not finished
  int64_t epoch = 0;  // whose weights the model has, from 1; 0 without a model
  /// The model first, then the baselines; on the test rows.
  std::vector<BaselineResult> models;
};

/// One place that a run's records go to. Called by the training thread alone; what takes time is
/// done elsewhere.
class Tracker {
 public:
  virtual ~Tracker() = default;
  /// Before anything runs. Throws when the records could not go there.
  virtual void check() {}
  virtual void start(const TrackedRun& run) = 0;
  /// Within an epoch, about ten times a second.
  virtual void progress(const TrainProgress&) {}
  /// `progress.finished` is the epoch's record.
  virtual void epoch(const TrainProgress& progress) = 0;
  /// Returns when the records are there or given up.
  virtual void end(const TrackedEnd& end) = 0;
  /// What the user must know, since the last call.
  virtual std::vector<std::string> warnings() { return {}; }
};

/// A run's numbers by the names they have in TensorBoard and MLflow: "train/loss". Those that are
/// not finite are left out.
std::vector<std::pair<std::string, double>> scalars_of(const TrainProgress& epoch);
/// "test/auc", of the model.
std::vector<std::pair<std::string, double>> scalars_of(const TrackedEnd& end);

std::unique_ptr<Tracker> log_tracker(const std::filesystem::path& file);
/// The last line of a run's log.
std::string log_end(const std::string& run, const TrackedEnd& end);
/// `work` is the folder where a resumed run finds the place that it goes on in.
std::unique_ptr<Tracker> tensorboard_tracker(const TrackOptions& options,
                                             const std::filesystem::path& work);
std::unique_ptr<Tracker> mlflow_tracker(const TrackOptions& options,
                                        const std::filesystem::path& work);

/// The trackers of one run, and its log in the work folder. The destructor ends a run that was not.
/// One thread at a time.
class Tracking {
 public:
  /// `warn` is given what trackers could not do, a line each. Throws as Tracker::check.
  Tracking(const TrackOptions& options, std::filesystem::path work,
           std::function<void(const std::string&)> warn);
  ~Tracking();
  Tracking(const Tracking&) = delete;
  Tracking& operator=(const Tracking&) = delete;

  /// The run's name is made here. A resumed run has that of the run before. No epoch is told
  /// twice.
  void start(TrackedRun run);
  void progress(const TrainProgress& progress);
  void end(const TrackedEnd& end);
  /// An end by an error; nothing when there was no start.
  void fail(const Error& error);
  /// The run's whole log as it is after `end`, for the artifact.
  std::string log_with(const TrackedEnd& end) const;

 private:
  void warn();

  TrackOptions options_;
  std::filesystem::path work_;
  std::function<void(const std::string&)> warn_;
  std::vector<std::unique_ptr<Tracker>> trackers_;
  std::string name_;  // of the run
  int64_t epochs_told_ = 0;
  bool started_ = false, ended_ = false;
};

}  // namespace firesteel
