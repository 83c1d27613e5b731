// What training is told, and what it tells. No torch here.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tensor/encoder_spec.h"
#include "train/schedule.h"

namespace firesteel {

enum class OptimizerKind { kAdamW, kAdam, kSgd, kLion };
std::string_view optimizer_name(OptimizerKind kind);
/// "adamw", "adam", "sgd", "lion". Throws INVALID_OPTION.
OptimizerKind optimizer_from_name(std::string_view name);

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kAdamW;
  double weight_decay = 0.01;  // of every parameter; of adam and sgd added to the gradient
  double beta1 = 0.9, beta2 = 0;  // 0: 0.999, lion's 0.99
  double epsilon = 1e-8;
  double momentum = 0;  // sgd's
  bool nesterov = false;
};

struct TrainerOptions {
  Task task = Task::kBinary;
  int64_t epochs = 10;
  double learning_rate = 1e-3;
  OptimizerOptions optimizer;
  Schedule schedule = Schedule::kConstant;
  double warm_up = 0;
  /// Rows of an epoch, which the schedules and the time left need; 0: the loader tells, when the
  /// rows fit in its memory.
  int64_t rows = 0;
  double clip_norm = 0;  // 0: none
  /// Epochs without a better validation metric before the end; 0: never. The weights of the best
  /// epoch are kept in any case when there is validation.
  int64_t patience = 0;
  std::string metric;  // empty: log_loss, or rmse
  uint64_t seed = 0;
  double positive_weight = 1;         // binary: the weight of rows with label 1
  std::vector<double> class_weights;  // multiclass
  /// Empty: no checkpoints. One per epoch, the last two are kept.
  std::filesystem::path checkpoints;
  /// Continue from the newest whole checkpoint there, if there is one.
  bool resume = false;
  std::string device = "auto";  // or "cpu", "cuda"
  /// Set from any thread or a signal handler: the step ends, and OPERATION_CANCELED is thrown.
  const std::atomic<bool>* interrupt = nullptr;
};

struct EpochRecord {
  int64_t epoch = 0;         // from 0
  double loss = 0;           // mean of the training rows
  double learning_rate = 0;  // of the last step
  double validation_loss = 0;
  double validation = 0;  // the metric; both NaN without validation rows
  double seconds = 0;
};

struct TrainProgress {
  int64_t epoch = 0, epochs = 0;
  int64_t rows_done = 0, rows_total = 0;  // of this epoch; the total is 0 when unknown
  double loss = 0;                        // mean of this epoch so far
  double rows_per_second = 0, seconds_left = 0;
  /// The epoch's record, at its end only.
  const EpochRecord* finished = nullptr;
  std::string metric;
};

struct TrainResult {
  std::vector<EpochRecord> history;
  int64_t best_epoch = -1;
  bool stopped_early = false;
  int64_t resumed_from = 0;  // epochs that a checkpoint had done
  int64_t rows = 0;          // in this run
  double seconds = 0, waited_seconds = 0;
  std::string metric;
};

}  // namespace firesteel
