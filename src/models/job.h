// A job: a folder that says what to train, and processes that train it. The processes are this
// machine's; a job's folder and a meeting place are all that a worker elsewhere needs too.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "models/tabular.h"
#include "train/options.h"

namespace firesteel {

/// Writes the folder: the model with its weights, and the options. The rows are those of
/// `batches.records`, packed already.
void write_job(const std::filesystem::path& folder, const TabularModel& model,
               const TrainerOptions& options, const BatchOptions& batches);

/// Runs one worker of a job to its end and says on standard output, in lines of JSON, how it goes.
/// The first worker leaves the trained model in `folder`/result. Returns the exit code: 0, 1 for an
/// error, which is among the lines, 130 when it was interrupted.
int run_worker(const std::filesystem::path& folder, const GroupOptions& group,
               const std::atomic<bool>* interrupt);

/// A worker of a job whose rows are its own, somewhere on a cluster.
struct PartWorker {
  std::filesystem::path job;          // its copy of the folder
  std::filesystem::path scratch;      // where its rows are packed
  std::filesystem::path checkpoints;  // where all workers see them; empty: none
  int64_t rank = 0, world = 1;
  /// Everyone's text, by rank, once all have called.
  std::function<std::vector<std::string>(const std::string&)> gather;
};

/// Packs the rows, meets the others and trains: the batches are those of `rows_by_rank` (see
/// LoaderOptions). Goes on from the last checkpoint when all see one. The model is that of the best
/// epoch. `validation` may be empty; it is opened after `rows` was read.
TabularModel train_part(const PartWorker& worker, const OpenRows& rows, const OpenRows& validation,
                        const std::function<void(const TrainProgress&)>& progress,
                        TrainResult* result);

/// A line of JSON that tells how training goes, and what reads it. Other lines are passed over.
std::string progress_line(const TrainProgress& now);
void take_progress(const std::string& line,
                   const std::function<void(const TrainProgress&)>& progress);
/// As `training_of` reads it.
std::string training_text(const TrainResult& result);

/// What the training of a job that ran to its end came to. Throws PATH_NOT_FOUND.
TrainResult training_of(const std::filesystem::path& folder);

/// Where the program of workers is, and what each gets.
struct WorkerLaunch {
  /// Of `firesteel-models`; empty: beside this program, or on PATH.
  std::filesystem::path program;
  int64_t threads = 0;  // of each; 0: all cores, shared between the workers
  int restarts_max = 3;
};

/// A running worker. Move-only; the destructor kills it. One thread.
class WorkerProcess {
 public:
  /// Throws IO_ERROR when it cannot be started.
  WorkerProcess(const std::filesystem::path& job, const GroupOptions& group,
                const WorkerLaunch& launch, int64_t threads);
  ~WorkerProcess();
  WorkerProcess(WorkerProcess&& other) noexcept;
  WorkerProcess& operator=(WorkerProcess&& other) noexcept;

  /// Takes in what it said since, without waiting; progress goes to the function. False: it ended.
  bool poll(const std::function<void(const TrainProgress&)>& progress);
  /// It writes a checkpoint and ends.
  void interrupt();
  void kill();

  /// Below 0 after the end.
  pid_t pid() const { return pid_; }
  int output() const { return output_; }
  /// After the end: what came of it. Nothing of the three: it was killed or crashed.
  const std::optional<TrainResult>& result() const { return result_; }
  const std::optional<Error>& error() const { return error_; }
  /// "ended by signal 9", "ended with code 1".
  std::string outcome() const;

 private:
  void take(const std::string& line, const std::function<void(const TrainProgress&)>& progress);

  pid_t pid_ = -1;
  int output_ = -1;
  int status_ = 0;
  std::string pending_;
  std::optional<TrainResult> result_;
  std::optional<Error> error_;
};

/// Waits until one of the processes says something or ends, at most so long.
void wait_for_any(const std::vector<const WorkerProcess*>& workers, int timeout_ms);

/// Packs the rows into `batches.records` once, for workers. `batches` gets what they need to know.
/// `validation` may be empty. Returns how many there are to train on.
int64_t pack_rows(const std::vector<EncoderSpec>& specs, const OpenRows& rows,
                  const OpenRows& validation, const TrainerOptions& options, BatchOptions* batches);

/// Trains the model in `workers` processes, from the job folder on: see TabularModel::train. When
/// one is lost, all start again from the last checkpoint, at most `restarts_max` times in a row
/// without a new one. `log` is told of it.
TrainResult train_in_workers(TabularModel* model, const OpenRows& rows, const OpenRows& validation,
                             TrainerOptions options, BatchOptions batches, int64_t workers,
                             const std::filesystem::path& job, const WorkerLaunch& launch,
                             const std::function<void(const TrainProgress&)>& progress,
                             const std::function<void(const std::string&)>& log);

}  // namespace firesteel
