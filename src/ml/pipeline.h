// The pipeline file (TOML): sources, SQL steps, split, features, model, training, output. Read and
// checked as a whole before anything runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dataframe/session.h"
#include "ml/baselines.h"
#include "ml/features.h"
#include "ml/model.h"
#include "ml/tracking.h"
#include "ml/tune.h"

namespace firesteel {

struct PipelineSource {
  std::string name;
  std::filesystem::path path;
  std::string format = "parquet";  // by the path's ending, unless given
  std::string schema;              // DDL; may be empty
  std::map<std::string, std::string> options;
};

/// A model that steps call by a name: see make_model_function.
struct PipelineFunction {
  std::string name;
  std::filesystem::path path;
};

/// A view made of the views before it.
struct PipelineStep {
  std::string name;
  std::string sql;
};

struct PipelineSplit {
  enum class By { kHash, kTime };
  By by = By::kHash;
  // kTime: rows from `test_from` on are the test rows; of those before, the ones from
  // `validation_from` on, or else a share of `validation` by hash, are the validation rows.
  std::string column, test_from, validation_from;
  // kHash: of the columns' values (all columns that the model reads, when none is given).
  std::vector<std::string> columns;
  double test = 0.2, validation = 0.1;
  // Above 0: what is no test row falls into so many folds, of which one, from 1, validates.
  int64_t folds = 0, fold = 1;
  uint64_t seed = 0;
};

struct Pipeline {
  std::filesystem::path file;
  std::string text;
  TuneValues set;  // keys that were given in place of the file's
  std::vector<PipelineSource> sources;
  std::vector<PipelineFunction> functions;
  std::vector<PipelineStep> steps;
  std::string from;  // the step or source that holds the rows
  PipelineSplit split;
  Features features;
  ModelOptions model;
  TrainOptions train;
  std::filesystem::path output;
  std::vector<std::string> baselines;
  TrackOptions track;
  TuneOptions tune;
  /// What the keys of [model] and [train] came to, and those given of [split], [features] and
  /// [baselines]: "train.learning_rate" → "0.001".
  std::map<std::string, std::string> settings;
};

/// Relative paths are relative to the file. `set` holds keys that are to be otherwise than in the
/// file: "train.epochs" → "3", values as written there. Throws PATH_NOT_FOUND, or INVALID_PIPELINE
/// with "file:line: …".
Pipeline parse_pipeline(const std::filesystem::path& file, const TuneValues& set = {});

/// "csv", "json" or "parquet", by the ending, before .gz.
std::string format_of(const std::filesystem::path& path);

/// A path as plans name it: whole, where they run in another process than this one.
std::string path_there(const Executor& executor, const std::filesystem::path& path);

/// The rows of a source or step (by default the one features are made of). The views before it are
/// made in the executor; nothing runs yet.
DataFrame pipeline_rows(const Pipeline& pipeline, std::shared_ptr<Executor> executor,
                        const std::string& step = "");

/// The rows of an artifact's pipeline made anew: by its plan, with these paths in place of those of
/// the sources they name. Throws INVALID_ARTIFACT, or INVALID_OPTION when there is no such source.
DataFrame artifact_rows(const std::filesystem::path& artifact, std::shared_ptr<Executor> executor,
                        const std::map<std::string, std::vector<std::string>>& sources);

struct RunOptions {
  bool resume = false;
  bool resume_changed = false;   // though the pipeline or its inputs did
  std::filesystem::path output;  // in place of the file's, when given
  std::string program_version;
  std::map<std::string, std::string> versions;  // of the engine, for the manifest
  bool tune = false;    // search as the file's [tune] says, and keep the best model
  int64_t workers = 0;  // in place of the file's, when given
  /// An executor of this process, for a run whose plans run elsewhere: their rows are kept and
  /// trained on here, unless workers train there.
  std::shared_ptr<Executor> local;
  WorkerLaunch launch;
  const std::atomic<bool>* interrupt = nullptr;
  std::function<void(const TrainProgress&)> progress;
  /// One line per stage: "read 5,000,000 rows".
  std::function<void(const std::string&)> log;
  /// One line per thing that went wrong and that the run goes on without.
  std::function<void(const std::string&)> warn;
};

struct RunResult {
  std::filesystem::path artifact;
  /// The model first, then the baselines; on the test rows.
  std::vector<BaselineResult> models;
  Task task = Task::kBinary;
  TrainResult training;
  std::optional<TuneResult> tuned;
  std::vector<std::pair<std::string, int64_t>> sizes;
  /// The metrics as a text table.
  std::string table() const;
};

/// Runs the SQL steps once into a temporary Parquet file, fits, trains, evaluates and writes the
/// artifact. A stopped run leaves its work folder beside the output, from which `resume` goes on.
RunResult run_pipeline(const Pipeline& pipeline, std::shared_ptr<Executor> executor,
                       const RunOptions& options);

}  // namespace firesteel
