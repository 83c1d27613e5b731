// The loop, top to bottom: resume, epochs of steps, validation, checkpoint, the best weights.
#include "train/trainer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "train/checkpoint.h"
#include "train/optimizer.h"

namespace firesteel {

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Run {
  const Trainable& model;
  const OpenLoader& open_validation;
  const TrainerOptions& options;
  const std::function<void(const TrainProgress&)>& progress;
  const torch::Device device;
  const std::string metric;

  Optimizer optimizer;
  TrainState state;
  TrainResult result;
  int64_t rows = 0;   // of an epoch; 0 when unknown
  int64_t steps = 0;  // of the whole run; 0 when unknown
  double learning_rate = 0;  // of the last step
  std::unique_ptr<Loader> validation;

  void train(const OpenLoader& open_rows);
  void epoch(Loader& loader);
  void step(Batch& batch, double* loss_sum, double* weight_sum);
  void validate(EpochRecord* record);
  void report(const EpochRecord& so_far, int64_t rows_done, double seconds,
              const EpochRecord* finished);
  std::string settings() const;
};

std::string default_metric(const TrainerOptions& options) {
  const auto names = metric_names(options.task);
  if (options.metric.empty()) return options.task == Task::kRegression ? "rmse" : "log_loss";
  if (std::find(names.begin(), names.end(), options.metric) == names.end()) {
    throw Error("INVALID_OPTION",
                fmt::format("A {} task has no metric `{}`; it has {}.", task_name(options.task),
                            options.metric, fmt::join(names, ", ")));
  }
  return options.metric;
}

void check(const TrainerOptions& options) {
  const auto refuse = [](const std::string& what) { throw Error("INVALID_OPTION", what); };
  if (options.epochs < 1) refuse("`epochs` must be at least 1.");
  if (!(options.learning_rate > 0)) refuse("`learning_rate` must be above 0.");
  if (!(options.optimizer.weight_decay >= 0)) refuse("`weight_decay` must be at least 0.");
  if (!(options.optimizer.momentum >= 0 && options.optimizer.momentum < 1)) {
    refuse("`momentum` must be in [0, 1).");
  }
  if (options.optimizer.nesterov && options.optimizer.momentum == 0) {
    refuse("`nesterov` needs a `momentum` above 0.");
  }
  if (!(options.warm_up >= 0 && options.warm_up < 1)) refuse("`warm_up` must be in [0, 1).");
  if (!(options.clip_norm >= 0)) refuse("`clip_norm` must be at least 0.");
  if (!(options.positive_weight > 0)) refuse("`positive_weight` must be above 0.");
  if (options.resume && options.checkpoints.empty()) refuse("To resume, name a checkpoint folder.");
}

Batch to_device(Batch batch, torch::Device device) {
  if (device.is_cpu()) return batch;
  for (auto* tensor : {&batch.numeric, &batch.categorical, &batch.label, &batch.weight}) {
    if (tensor->defined()) *tensor = tensor->to(device);
  }
  return batch;
}

std::map<std::string, torch::Tensor> copy_weights(const torch::nn::Module& module) {
  auto weights = weights_of(module);
  for (auto& [name, tensor] : weights) tensor = tensor.cpu().clone();
  return weights;
}

}  // namespace

TrainResult train(const Trainable& model, const OpenLoader& rows, const OpenLoader& validation,
                  const TrainerOptions& options,
                  const std::function<void(const TrainProgress&)>& progress) {
  check(options);
  const auto device = device_of(options.device);
  model.module->to(device);
  Run run{.model = model,
          .open_validation = validation,
          .options = options,
          .progress = progress,
          .device = device,
          .metric = default_metric(options),
          .optimizer = Optimizer(*model.module, options.optimizer),
          .state = {},
          .result = {},
          .validation = nullptr};
  torch::manual_seed(options.seed);
  run.train(rows);
  return std::move(run.result);
}

namespace {

void Run::train(const OpenLoader& open_rows) {
  const auto start = Clock::now();
  result.metric = metric;
  if (options.resume) {
    if (auto saved = load_checkpoint(options.checkpoints, *model.module, optimizer, settings())) {
      state = std::move(*saved);
      result.resumed_from = state.epochs_done;
    }
  } else if (!options.checkpoints.empty()) {
    // Checkpoints of an older run must not be taken for this one's.
    std::error_code ignored;
    std::filesystem::remove_all(options.checkpoints, ignored);
  }
  const auto patience_over = [&] {
    return options.patience > 0 && state.epochs_without_gain >= options.patience;
  };
  if (state.epochs_done < options.epochs && !patience_over()) {
    const auto loader = open_rows(state.epochs_done);
    rows = options.rows > 0 ? options.rows : loader->rows().value_or(0);
    while (state.epochs_done < options.epochs && !patience_over()) {
      epoch(*loader);
      if (!options.checkpoints.empty()) {
        save_checkpoint(options.checkpoints, state, *model.module, optimizer, settings());
      }
    }
    result.waited_seconds = loader->waited_seconds();
  }
  if (!state.best_weights.empty())
    assign_weights(*model.module, state.best_weights, "the best epoch");
  result.stopped_early = state.epochs_done < options.epochs;
  result.best_epoch = state.best_epoch;
  result.history = state.history;
  result.seconds = seconds_since(start);
}

void Run::epoch(Loader& loader) {
  const auto start = Clock::now();
  EpochRecord record;
  record.epoch = state.epochs_done;
  double loss_sum = 0, weight_sum = 0;
  int64_t rows_done = 0;
  auto reported = start;
  model.module->train();
  while (auto batch = loader.next()) {
    if (steps == 0 && rows > 0) {
      // The first batch of a run is a full one.
      steps = options.epochs * ((rows + batch->rows() - 1) / batch->rows());
    }
    rows_done += batch->rows();
    step(*batch, &loss_sum, &weight_sum);
    record.loss = loss_sum / weight_sum;
    if (options.interrupt && options.interrupt->load()) {
      throw Error(
          "OPERATION_CANCELED",
          fmt::format("Training was stopped in epoch {} of {}. {}", record.epoch + 1,
                      options.epochs,
                      options.checkpoints.empty() || record.epoch == 0
                          ? "There is no checkpoint yet: the next run starts anew."
                          : fmt::format("Resume to continue after epoch {}.", record.epoch)));
    }
    if (seconds_since(reported) > 0.1) {
      report(record, rows_done, seconds_since(start), nullptr);
      reported = Clock::now();
    }
  }
  if (rows_done == 0) {
    throw Error("TRAINING_DATA_INVALID",
                "There is no row to train on. Check the filters and the "
                "split of the data.");
  }
  rows = rows_done;
  record.learning_rate = learning_rate;
  const double training_seconds = seconds_since(start);
  validate(&record);
  record.seconds = seconds_since(start);
  result.rows += rows_done;
  ++state.epochs_done;
  state.history.push_back(record);
  report(record, rows_done, training_seconds, &record);
}

void Run::step(Batch& batch, double* loss_sum, double* weight_sum) {
  if (steps == 0 && options.schedule != Schedule::kConstant) {
    throw Error("INVALID_OPTION",
                fmt::format("The `{}` schedule needs the number of rows, which do not fit in the "
                            "loader's memory: give `rows`, or use `constant`.",
                            schedule_name(options.schedule)));
  }
  learning_rate = options.learning_rate *
                  schedule_factor(options.schedule, state.steps_done, steps, options.warm_up);
  const Batch here = to_device(std::move(batch), device);
  optimizer.zero_grad();
  const auto loss = loss_of(model.forward(here), here, options);
  loss.backward();
  const auto value = loss.item<double>();
  if (!std::isfinite(value)) {
    throw Error(
        "TRAINING_DATA_INVALID",
        fmt::format("The loss is no longer a number after {} steps. Lower `learning_rate`, or "
                    "set `clip_norm`.",
                    state.steps_done));
  }
  if (options.clip_norm > 0) {
    torch::nn::utils::clip_grad_norm_(optimizer.parameters(), options.clip_norm);
  }
  optimizer.step(learning_rate);
  ++state.steps_done;
  const double weight =
      here.weight.defined() ? here.weight.sum().item<double>() : static_cast<double>(here.rows());
  *loss_sum += value * weight;
  *weight_sum += weight;
}

void Run::validate(EpochRecord* record) {
  record->validation = record->validation_loss = std::numeric_limits<double>::quiet_NaN();
  if (!open_validation) return;
  if (!validation) validation = open_validation(0);
  const Scores scores = predict(model, *validation, options.task, options.device);
  if (scores.rows() == 0) {
    throw Error("TRAINING_DATA_INVALID", "There is no row to validate on. Check the split.");
  }
  const auto metrics = metrics_of(scores);
  record->validation = metrics.at(metric);
  record->validation_loss = metrics.at(options.task == Task::kRegression ? "rmse" : "log_loss");
  const bool better =
      state.best_epoch < 0 || (larger_is_better(metric) ? record->validation > state.best_metric
                                                        : record->validation < state.best_metric);
  state.epochs_without_gain = better ? 0 : state.epochs_without_gain + 1;
  if (!better) return;
  state.best_epoch = record->epoch;
  state.best_metric = record->validation;
  state.best_weights = copy_weights(*model.module);
}

void Run::report(const EpochRecord& so_far, int64_t rows_done, double seconds,
                 const EpochRecord* finished) {
  if (!progress) return;
  TrainProgress now;
  now.epoch = so_far.epoch;
  now.epochs = options.epochs;
  now.rows_done = rows_done;
  now.rows_total = rows;
  now.loss = so_far.loss;
  now.rows_per_second = static_cast<double>(rows_done) / std::max(seconds, 1e-9);
  const auto rows_left = static_cast<double>(rows * (options.epochs - so_far.epoch) - rows_done);
  now.seconds_left = rows > 0 ? std::max(0.0, rows_left / now.rows_per_second) : 0;
  now.finished = finished;
  now.metric = metric;
  progress(now);
}

std::string Run::settings() const {
  return nlohmann::json({{"task", task_name(options.task)},
                         {"epochs", options.epochs},
                         {"learning_rate", options.learning_rate},
                         {"optimizer", optimizer_name(options.optimizer.kind)},
                         {"weight_decay", options.optimizer.weight_decay},
                         {"momentum", options.optimizer.momentum},
                         {"nesterov", options.optimizer.nesterov},
                         {"schedule", schedule_name(options.schedule)},
                         {"warm_up", options.warm_up},
                         {"clip_norm", options.clip_norm},
                         {"patience", options.patience},
                         {"metric", metric},
                         {"seed", options.seed},
                         {"positive_weight", options.positive_weight},
                         {"class_weights", options.class_weights}})
      .dump();
}

}  // namespace

Scores predict(const Trainable& model, Loader& loader, Task task, const std::string& device_name) {
  torch::NoGradGuard no_grad;
  const auto device = device_of(device_name);
  model.module->eval();
  Scores scores;
  scores.task = task;
  while (auto batch = loader.next()) {
    const auto labels = batch->label;
    const auto logits = model.forward(to_device(std::move(*batch), device));
    const auto values = scores_of(logits, task).cpu().contiguous();
    scores.classes = values.size(1);
    const float* value = values.const_data_ptr<float>();
    scores.values.insert(scores.values.end(), value, value + values.numel());
    if (!labels.defined()) continue;
    const auto numbers = labels.to(torch::kFloat32);
    const float* label = numbers.const_data_ptr<float>();
    scores.labels.insert(scores.labels.end(), label, label + numbers.numel());
  }
  return scores;
}

torch::Tensor scores_of(const torch::Tensor& logits, Task task) {
  switch (task) {
    case Task::kBinary:
      return torch::sigmoid(logits);
    case Task::kMulticlass:
      return torch::softmax(logits, 1);
    case Task::kRegression:
      return logits;
  }
  return logits;
}

torch::Tensor loss_of(const torch::Tensor& logits, const Batch& batch,
                      const TrainerOptions& options) {
  namespace F = torch::nn::functional;
  torch::Tensor each;
  switch (options.task) {
    case Task::kBinary: {
      auto settings = F::BinaryCrossEntropyWithLogitsFuncOptions().reduction(torch::kNone);
      if (options.positive_weight != 1) {
        settings.pos_weight(
            torch::tensor(options.positive_weight, logits.options().dtype(torch::kFloat32)));
      }
      each = F::binary_cross_entropy_with_logits(logits.squeeze(1), batch.label, settings);
      break;
    }
    case Task::kMulticlass: {
      auto settings = F::CrossEntropyFuncOptions().reduction(torch::kNone);
      if (!options.class_weights.empty()) {
        settings.weight(torch::tensor(options.class_weights, torch::kFloat32).to(logits.device()));
      }
      each = F::cross_entropy(logits, batch.label, settings);
      break;
    }
    case Task::kRegression:
      each = (logits.squeeze(1) - batch.label).square();
      break;
  }
  if (!batch.weight.defined()) return each.mean();
  return (each * batch.weight).sum() / batch.weight.sum();
}

torch::Device device_of(const std::string& name) {
  const bool cuda = torch::cuda::is_available();
  if (name == "cpu" || (name == "auto" && !cuda)) return torch::kCPU;
  if (name == "auto" || (name == "cuda" && cuda)) return torch::kCUDA;
  throw Error("INVALID_OPTION",
              name == "cuda"
                  ? "The device `cuda` is not there: this libtorch or this machine has no "
                    "CUDA. Use `auto` or `cpu`."
                  : fmt::format("There is no device `{}`; use auto, cpu or cuda.", name));
}

}  // namespace firesteel
