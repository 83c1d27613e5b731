// The table of trackers, and the one object that a run tells its records to.
#include "ml/tracking.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"
#include "base/file.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

struct TrackerRow {
  bool (*wanted)(const TrackOptions&);
  std::unique_ptr<Tracker> (*make)(const TrackOptions&, const fs::path& work);
};
constexpr TrackerRow kTrackers[] = {
    {[](const TrackOptions&) { return true; },
     [](const TrackOptions&, const fs::path& work) { return log_tracker(work / "log.jsonl"); }},
    {[](const TrackOptions& options) { return !options.log.empty(); },
     [](const TrackOptions& options, const fs::path&) { return log_tracker(options.log); }},
    {[](const TrackOptions& options) { return !options.tensorboard.empty(); },
     [](const TrackOptions& options, const fs::path& work) {
       return tensorboard_tracker(options, work);
     }},
    {[](const TrackOptions& options) { return !options.mlflow.empty(); },
     [](const TrackOptions& options, const fs::path& work) {
       return mlflow_tracker(options, work);
     }},
};

/// What a resumed run takes over from the log of the run before.
struct RunBefore {
  std::string name;
  int64_t epochs = 0;
};

RunBefore run_before(const fs::path& log) {
  RunBefore before;
  std::istringstream lines(read_file(log));
  for (std::string line; std::getline(lines, line);) {
    // A run that was killed may have left a part of a line.
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) continue;
    const auto event = json.value("event", "");
    if (event == "start") before.name = json.value("run", "");
    if (event == "epoch") before.epochs = std::max(before.epochs, json.value("epoch", int64_t{0}));
  }
  return before;
}

void add(std::vector<std::pair<std::string, double>>* scalars, std::string name, double value) {
  if (std::isfinite(value)) scalars->emplace_back(std::move(name), value);
}

}  // namespace

std::vector<std::pair<std::string, double>> scalars_of(const TrainProgress& epoch) {
  std::vector<std::pair<std::string, double>> scalars;
  const EpochRecord& record = *epoch.finished;
  add(&scalars, "train/loss", record.loss);
  add(&scalars, "train/learning_rate", record.learning_rate);
  add(&scalars, "train/rows_per_second", epoch.rows_per_second);
  add(&scalars, "train/waited_share", epoch.waited_share);
  add(&scalars, "validation/loss", record.validation_loss);
  add(&scalars, "validation/" + epoch.metric, record.validation);
  return scalars;
}

std::vector<std::pair<std::string, double>> scalars_of(const TrackedEnd& end) {
  std::vector<std::pair<std::string, double>> scalars;
  if (end.models.empty()) return scalars;
  for (const auto& [name, value] : end.models[0].metrics) add(&scalars, "test/" + name, value);
  return scalars;
}

Tracking::Tracking(const TrackOptions& options, fs::path work,
                   std::function<void(const std::string&)> warn)
    : options_(options), work_(std::move(work)), warn_(std::move(warn)) {
  for (const auto& row : kTrackers) {
    if (!row.wanted(options_)) continue;
    trackers_.push_back(row.make(options_, work_));
    trackers_.back()->check();
  }
}

Tracking::~Tracking() {
  if (!started_ || ended_) return;
  try {
    end({.state = TrackedEnd::State::kFailed, .error = "The program ended.", .models = {}});
  } catch (...) {  // The error that is under way is the one to tell.
  }
}

void Tracking::start(TrackedRun run) {
  run.resumed = run.resumed && fs::exists(work_ / "log.jsonl");
  if (run.resumed) {
    auto before = run_before(work_ / "log.jsonl");
    if (!before.name.empty()) run.name = std::move(before.name);
    epochs_told_ = before.epochs;
  }
  if (run.name.empty()) {
    run.name = fmt::format("{}-{:%Y%m%d-%H%M%S}", run.output.filename().string(),
                           fmt::gmtime(std::time(nullptr)));
  }
  name_ = run.name;
  for (auto& [name, rows] : run.sizes) name = name.substr(0, name.find(' '));
  started_ = true;
  for (auto& tracker : trackers_) tracker->start(run);
  warn();
}

void Tracking::progress(const TrainProgress& progress) {
  if (!progress.finished) {
    for (auto& tracker : trackers_) tracker->progress(progress);
    return;
  }
  // An epoch that is trained again, from the checkpoint before it, is told once.
  if (progress.finished->epoch + 1 > epochs_told_) {
    epochs_told_ = progress.finished->epoch + 1;
    for (auto& tracker : trackers_) tracker->epoch(progress);
  }
  warn();
}

void Tracking::end(const TrackedEnd& end) {
  ended_ = true;
  for (auto& tracker : trackers_) tracker->end(end);
  warn();
}

void Tracking::fail(const Error& error) {
  if (!started_ || ended_) return;
  const bool stopped = error.condition() == "OPERATION_CANCELED";
  end({.state = stopped ? TrackedEnd::State::kStopped : TrackedEnd::State::kFailed,
       .error = fmt::format("[{}] {}", error.condition(), error.message()),
       .models = {}});
}

std::string Tracking::log_with(const TrackedEnd& end) const {
  std::error_code ignored;
  const fs::path log = work_ / "log.jsonl";
  return (fs::exists(log, ignored) ? read_file(log) : "") + log_end(name_, end);
}

void Tracking::warn() {
  for (auto& tracker : trackers_) {
    for (const auto& line : tracker->warnings()) {
      if (warn_) warn_(line);
    }
  }
}

}  // namespace firesteel
