// What training is told, and what it tells. No torch here.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/encoder_spec.h"
#include "tensor/sampling.h"
#include "train/schedule.h"

namespace firesteel {

enum class OptimizerKind { kAdamW, kAdam, kSgd, kLion };
std::string_view optimizer_name(OptimizerKind kind);
/// "adamw", "adam", "sgd", "lion". Throws INVALID_OPTION.
OptimizerKind optimizer_from_name(std::string_view name);

/// Parameters that are trained otherwise than the rest.
struct ParameterGroup {
  std::string prefix;  // of their names: "embeddings."
  double learning_rate_factor = 1;
  std::optional<double> weight_decay;  // in place of the optimizer's
  bool frozen = false;
};

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kAdamW;
  double weight_decay = 0.01;     // of every parameter; of adam and sgd added to the gradient
  double beta1 = 0.9, beta2 = 0;  // 0: 0.999, lion's 0.99
  double epsilon = 1e-8;
  double momentum = 0;  // sgd's
  bool nesterov = false;
  /// The first whose prefix fits a parameter holds for it.
  std::vector<ParameterGroup> groups;
};

/// kDefault: cross entropy of classes, squared error of values.
enum class Loss { kDefault, kCrossEntropy, kFocal, kSquared, kAbsolute, kHuber, kQuantile };
std::string_view loss_name(Loss loss);
/// "cross_entropy", "focal"; "squared_error", "absolute_error", "huber", "quantile". Throws
/// INVALID_OPTION.
Loss loss_from_name(std::string_view name);

struct LossOptions {
  Loss kind = Loss::kDefault;
  double positive_weight = 1;         // binary, multilabel: the weight of label 1
  std::vector<double> class_weights;  // multiclass
  double label_smoothing = 0;         // classes
  double focal_gamma = 2;
  double huber_delta = 1;  // in deviations of the label
  double quantile = 0.5;
};

/// What matrix products are computed in; weights and sums stay float32. kFloat16 scales the loss so
/// that small gradients are not lost.
enum class Precision { kFloat32, kBFloat16, kFloat16 };
std::string_view precision_name(Precision precision);
/// "float32", "bfloat16", "float16". Throws INVALID_OPTION.
Precision precision_from_name(std::string_view name);

/// One of the processes that train a model together.
struct GroupOptions {
  int64_t rank = 0, world = 1;
  std::string rendezvous;        // "host:port" of a Rendezvous, or of rank 0 when it `serves`
  bool serves = false;           // rank 0 opens the store at that address
  std::string interface;         // this machine's address, as the others reach it; or loopback
  double timeout_seconds = 300;  // without a word from another process
};

struct BatchOptions {
  int64_t rows = 8192;  // of a batch, over all processes
  /// Above 0: a batch ends before its sequences have more elements than this, together.
  int64_t elements = 0;
  bool by_length = false;  // see LoaderOptions
  Sampling sampling = Sampling::kEach;
  /// Of packed training rows, kept for the next epochs.
  int64_t memory_bytes_max = int64_t{1} << 30;
  /// See LoaderOptions.
  std::filesystem::path records;
  std::string records_key;
  bool share_records = false;
  std::vector<int64_t> rows_by_rank = {};
};

struct EpochRecord {
  int64_t epoch = 0;         // from 0
  double loss = 0;           // mean of the training rows
  double learning_rate = 0;  // of the last step
  double validation_loss = 0;
  double validation = 0;  // the metric; both NaN without validation rows
  double seconds = 0;
  double waited_seconds = 0;  // for batches
};

struct TrainerOptions {
  Task task = Task::kBinary;
  int64_t epochs = 10;
  double learning_rate = 1e-3;
  OptimizerOptions optimizer;
  LossOptions loss;
  ScheduleOptions schedule;
  /// Rows of an epoch, which the schedules and the time left need; 0: the loader tells, when the
  /// rows fit in its memory.
  int64_t rows = 0;
  /// Batches per step: their gradients make that of one batch of all their rows.
  int64_t accumulate = 1;
  double clip_norm = 0;  // 0: none
  Precision precision = Precision::kFloat32;
  /// Above 0: validation and the result use an average of the weights, which keeps this share of
  /// itself at each step (0.999).
  double average = 0;
  /// Epochs without a better validation metric before the end; 0: never. The weights of the best
  /// epoch are kept in any case when there is validation.
  int64_t patience = 0;
  std::string metric;  // empty: log_loss, or rmse
  uint64_t seed = 0;
  /// Empty: no checkpoints. One is written after each epoch, when training is interrupted, and
  /// within an epoch when the last is this old or this many steps away (0: never).
  std::filesystem::path checkpoints;
  double checkpoint_seconds = 60;
  int64_t checkpoint_steps = 0;
  int64_t checkpoints_kept = 2;
  /// The weights of this many best epochs are kept beside the checkpoints, as
  /// best-<epoch>.safetensors.
  int64_t best_kept = 0;
  /// Ends after this many epochs as if interrupted, with a checkpoint; 0: never.
  int64_t pause_after = 0;
  /// Operations without a deterministic form are errors. On a CPU all have one.
  bool deterministic = false;
  /// `rows`, `batches` and the result are those of all processes.
  GroupOptions group;
  /// Continue from the newest whole checkpoint there, if there is one.
  bool resume = false;
  /// Though it was written with other settings or of other rows.
  bool resume_changed = false;
  /// Names the rows' state: a checkpoint of rows with another name is refused.
  std::string data;
  std::string device = "auto";  // or "cpu", "cuda"
  /// Called after each epoch, by the thread that trains; `false` ends training there. Not in
  /// workers.
  std::function<bool(const EpochRecord&)> after_epoch;
  /// Set from any thread or a signal handler: the step ends, a checkpoint is written, and
  /// OPERATION_CANCELED is thrown.
  const std::atomic<bool>* interrupt = nullptr;
};

/// The metric that decides which epoch is best: the one named, or the task's. Throws
/// INVALID_OPTION when the task has none of that name.
std::string deciding_metric(Task task, const std::string& named);

struct TrainProgress {
  int64_t epoch = 0, epochs = 0;
  int64_t rows_done = 0, rows_total = 0;  // of this epoch; the total is 0 when unknown
  double loss = 0;                        // mean of this epoch so far
  double rows_per_second = 0, seconds_left = 0;
  double waited_share = 0;  // of the epoch's time so far, for batches
  /// The epoch's record, at its end only.
  const EpochRecord* finished = nullptr;
  std::string metric;
};

struct TrainResult {
  std::vector<EpochRecord> history;
  int64_t best_epoch = -1;
  bool stopped_early = false, paused = false;
  /// What a checkpoint had done: whole epochs, and batches of the next.
  int64_t resumed_from = 0, resumed_batch = 0;
  int64_t rows = 0;  // in this run
  /// Waited for batches; of which the rows' packing, before the first.
  double seconds = 0, waited_seconds = 0, packing_seconds = 0;
  std::string metric;
  /// Training rows that could not be read, and what was wrong with the first.
  int64_t left_out = 0;
  std::string left_out_first;
};

}  // namespace firesteel
