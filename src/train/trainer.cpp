// The loop, top to bottom: resume, epochs of steps, validation, checkpoint, the best weights.
#include "train/trainer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"
#include "train/checkpoint.h"
#include "train/finite.h"
#include "train/freed_memory.h"
#include "train/loss.h"
#include "train/optimizer.h"
#include "train/options_json.h"
#include "train/precision.h"
#include "train/process_group.h"
#include "train/safetensors.h"

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
  LossScale scale;
  std::vector<torch::Tensor> average;  // of the trained weights, when options ask for it
  TrainState state;
  std::map<std::string, torch::Tensor> best_weights;  // empty without validation
  TrainResult result;
  int64_t rows = 0;           // of an epoch; 0 when unknown
  int64_t steps = 0;          // of the whole run; 0 when unknown
  double pending_weight = 0;  // of the batches whose gradients wait for their step
  int64_t pending_batches = 0;
  std::unique_ptr<ProcessGroup> group;     // of the workers, when there are others
  torch::Tensor said;                      // to the workers, who have not answered yet
  double said_weight = 0;                  // of the batch that it is about
  bool wants_save = false, stops = false;  // what all workers do after this step
  std::unique_ptr<Loader> validation;
  Clock::time_point saved_at = Clock::now();
  int64_t steps_saved = 0;

  void train(const OpenLoader& open_rows);
  void resume();
  void epoch(Loader& loader);
  void accumulate(Batch& batch);
  void note(const Batch& batch, double loss_sum);
  void hear();
  void step();
  void validate(EpochRecord* record);
  Scores all_scores(Scores mine);
  void keep_best(const EpochRecord& record);
  void save();
  void stop_if_asked();
  [[noreturn]] void not_finite(const Batch& batch) const;
  void swap_average();
  void report(const EpochRecord& so_far, int64_t rows_here, double seconds,
              const EpochRecord* finished);
  std::string settings() const;
  bool is_whole_step() const { return options.accumulate == 1 && !group; }
  bool is_first() const { return !group || group->rank() == 0; }
};

void check(const TrainerOptions& options) {
  const auto refuse = [](const std::string& what) { throw Error("INVALID_OPTION", what); };
  if (options.epochs < 1) refuse("`epochs` must be at least 1.");
  if (!(options.learning_rate > 0)) refuse("`learning_rate` must be above 0.");
  const auto& optimizer = options.optimizer;
  if (!(optimizer.weight_decay >= 0)) refuse("`weight_decay` must be at least 0.");
  if (!(optimizer.momentum >= 0 && optimizer.momentum < 1)) refuse("`momentum` must be in [0, 1).");
  if (optimizer.nesterov && optimizer.momentum == 0) {
    refuse("`nesterov` needs a `momentum` above 0.");
  }
  if (!(options.schedule.warm_up >= 0 && options.schedule.warm_up < 1)) {
    refuse("`warm_up` must be in [0, 1).");
  }
  if (options.accumulate < 1) refuse("`accumulate` must be at least 1.");
  if (!(options.average >= 0 && options.average < 1)) refuse("`average` must be in [0, 1).");
  if (!(options.clip_norm >= 0)) refuse("`clip_norm` must be at least 0.");
  check_loss(options.task, options.loss);
  if (options.checkpoints_kept < 1) refuse("At least one checkpoint must be kept.");
  if (options.resume && options.checkpoints.empty()) refuse("To resume, name a checkpoint folder.");
  if (options.pause_after > 0 && options.checkpoints.empty()) {
    refuse("To pause, name a checkpoint folder.");
  }
}

/// Holds libtorch to deterministic operations while it lives.
class Deterministic {
 public:
  explicit Deterministic(bool on) : before_(at::globalContext().deterministicAlgorithms()) {
    if (on) at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  }
  ~Deterministic() { at::globalContext().setDeterministicAlgorithms(before_, false); }
  Deterministic(const Deterministic&) = delete;
  Deterministic& operator=(const Deterministic&) = delete;

 private:
  bool before_;
};

Batch to_device(Batch batch, torch::Device device) {
  if (device.is_cpu()) return batch;
  for (auto* tensor : {&batch.numeric, &batch.categorical, &batch.label, &batch.weight}) {
    if (tensor->defined()) *tensor = tensor->to(device);
  }
  for (auto& sequence : batch.sequences) {
    sequence = {sequence.values.to(device), sequence.lengths.to(device)};
  }
  for (auto& images : batch.images) images = images.to(device);
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
          .metric = deciding_metric(options.task, options.metric),
          .optimizer = Optimizer(*model.module, options.optimizer),
          .scale = LossScale(options.precision, device),
          .average = {},
          .state = {},
          .best_weights = {},
          .result = {},
          .group = nullptr,
          .said = {},
          .validation = nullptr};
  // Each worker drops other units.
  torch::manual_seed(options.seed + static_cast<uint64_t>(options.group.rank));
  const FreedMemoryKept kept;
  const Deterministic deterministic(options.deterministic);
  run.train(rows);
  return std::move(run.result);
}

namespace {

void Run::train(const OpenLoader& open_rows) {
  const auto start = Clock::now();
  result.metric = metric;
  if (options.group.world > 1) {
    group = std::make_unique<ProcessGroup>(options.group, device);
    std::vector<torch::Tensor> trained;
    for (const auto& [name, parameter] : optimizer.parameters()) trained.push_back(parameter);
    group->broadcast(model.module->parameters());
    group->average_gradients(trained);
  }
  if (options.average > 0) {
    for (const auto& [name, parameter] : optimizer.parameters()) {
      average.push_back(parameter.detach().clone());
    }
  }
  if (options.resume) {
    resume();
  } else if (!options.checkpoints.empty() && is_first()) {
    // Checkpoints of an older run must not be taken for this one's.
    std::error_code ignored;
    std::filesystem::remove_all(options.checkpoints, ignored);
  }
  bool ended = false;  // by the caller
  const auto patience_over = [&] {
    return options.patience > 0 && state.epochs_without_gain >= options.patience;
  };
  const int64_t end =
      options.pause_after > 0 ? std::min(options.pause_after, options.epochs) : options.epochs;
  if (state.epochs_done < end && !patience_over()) {
    const auto loader = open_rows({state.epochs_done, state.batches_done});
    rows = options.rows > 0 ? options.rows : loader->rows().value_or(0);
    while (state.epochs_done < end && !patience_over() && !ended) {
      epoch(*loader);
      save();
      ended = options.after_epoch && !options.after_epoch(state.history.back());
    }
    result.waited_seconds = loader->waited_seconds();
    result.packing_seconds = loader->packing_seconds();
    const auto left_out = loader->left_out();
    result.left_out = left_out.rows;
    result.left_out_first = left_out.first;
  }
  if (!best_weights.empty()) {
    assign_weights(*model.module, best_weights, "the best epoch");
  } else {
    swap_average();
  }
  result.stopped_early = (patience_over() || ended) && state.epochs_done < options.epochs;
  result.paused = !result.stopped_early && state.epochs_done < options.epochs;
  result.best_epoch = state.best_epoch;
  result.history = state.history;
  result.seconds = seconds_since(start);
}

void Run::resume() {
  const auto saved = load_checkpoint(options.checkpoints, options.resume_changed ? "" : settings());
  if (!saved) return;
  state = saved->state;
  assign_weights(*model.module, saved->with_prefix("model."), options.checkpoints.string());
  optimizer.load(saved->with_prefix("optimizer."));
  scale.load(saved->with_prefix("scale."));
  for (size_t i = 0; i < average.size(); ++i) {
    average[i].copy_(saved->tensors.at(fmt::format("average.{}", i)));
  }
  best_weights = saved->with_prefix("best.");
  const auto rank = static_cast<size_t>(options.group.rank);
  if (rank < saved->random.size()) set_random_state(saved->random[rank]);
  steps_saved = state.steps_done;
  result.resumed_from = state.epochs_done;
  result.resumed_batch = state.batches_done;
}

void Run::save() {
  if (options.checkpoints.empty()) return;
  hear();
  saved_at = Clock::now();
  steps_saved = state.steps_done;
  Checkpoint checkpoint{state, {}, {}};
  checkpoint.random = group ? group->gather(random_state()) : std::vector{random_state()};
  if (!is_first()) return;
  checkpoint.add("model.", weights_of(*model.module));
  checkpoint.add("optimizer.", optimizer.state());
  checkpoint.add("scale.", scale.state());
  checkpoint.add("best.", best_weights);
  for (size_t i = 0; i < average.size(); ++i) {
    checkpoint.tensors[fmt::format("average.{}", i)] = average[i];
  }
  save_checkpoint(options.checkpoints, checkpoint, settings(), options.checkpoints_kept);
}

void Run::epoch(Loader& loader) {
  const auto start = Clock::now();
  const double waited_before = loader.waited_seconds();
  const int64_t rows_before = state.rows_done;  // of the epoch, by the run that is gone on with
  EpochRecord record;
  record.epoch = state.epochs_done;
  auto reported = start;
  model.module->train();
  while (auto batch = loader.next()) {
    accumulate(*batch);
    if (steps == 0) {
      int64_t batches = loader.batches().value_or(0);
      if (batches == 0) batches = (rows + state.batch_rows - 1) / state.batch_rows;
      steps = options.epochs * ((batches + options.accumulate - 1) / options.accumulate);
    }
    if (pending_batches == options.accumulate) {
      step();
      stop_if_asked();
      if (wants_save || (options.checkpoint_steps > 0 &&
                         state.steps_done - steps_saved >= options.checkpoint_steps)) {
        save();
      }
    }
    if (seconds_since(reported) > 0.1 && state.weight_sum > 0) {
      record.loss = state.loss_sum / state.weight_sum;
      record.waited_seconds = loader.waited_seconds() - waited_before;
      report(record, state.rows_done - rows_before, seconds_since(start), nullptr);
      reported = Clock::now();
    }
  }
  if (pending_batches > 0) step();
  hear();
  if (state.rows_done == 0) {
    throw Error("TRAINING_DATA_INVALID",
                "There is no row to train on. Check the filters and the "
                "split of the data.");
  }
  rows = state.rows_done;
  record.loss = state.loss_sum / state.weight_sum;
  record.learning_rate = state.learning_rate;
  record.waited_seconds = loader.waited_seconds() - waited_before;
  const double training_seconds = seconds_since(start);
  validate(&record);
  record.seconds = seconds_since(start);
  const int64_t rows_here = state.rows_done - rows_before;
  result.rows += rows_here;
  ++state.epochs_done;
  state.batches_done = state.rows_done = 0;
  state.loss_sum = state.weight_sum = 0;
  state.history.push_back(record);
  report(record, rows_here, training_seconds, &record);
}

/// Adds the batch's gradients to those that wait.
void Run::accumulate(Batch& batch) {
  const Batch here = to_device(std::move(batch), device);
  if (pending_batches == 0) optimizer.zero_grad();
  const double weight =
      here.weight.defined() ? here.weight.sum().item<double>() : static_cast<double>(here.rows());
  torch::Tensor loss;
  {
    const Autocast autocast(options.precision, device);
    loss = loss_of(model.forward(here), here, options.task, options.loss);
  }
  // Batches of one step, and workers' parts of one, count by their weight, as if they were one
  // batch. The group makes the mean of the workers' gradients, of which the sum is wanted.
  const auto part = is_whole_step() ? loss : loss * (weight * options.group.world);
  if (group) group->backward_begins(part);
  scale.scaled(part).backward();
  const auto value = loss.item<double>();
  if (!std::isfinite(value)) not_finite(here);
  note(here, value * weight);
}

/// Adds what the batch was. Workers hear of each other's losses and wishes with the next batch, so
/// that none waits; all then do the same.
void Run::note(const Batch& batch, double loss_sum) {
  if (state.batch_rows == 0) state.batch_rows = batch.total_rows;  // the first is a full one
  state.rows_done += batch.total_rows;
  ++state.batches_done;
  ++pending_batches;
  pending_weight += batch.total_weight;
  const bool old = is_first() && seconds_since(saved_at) > options.checkpoint_seconds;
  const bool asked = options.interrupt && options.interrupt->load();
  if (!group) {
    state.loss_sum += loss_sum;
    state.weight_sum += batch.total_weight;
    wants_save = old;
    stops = asked;
    return;
  }
  hear();
  said_weight = batch.total_weight;
  said = torch::tensor({loss_sum, old ? 1.0 : 0.0, asked ? 1.0 : 0.0},
                       torch::TensorOptions(torch::kFloat64).device(device));
  group->begin_sum(said);
}

/// Takes in what the workers said last.
void Run::hear() {
  if (!said.defined()) return;
  group->end_sum();
  const auto heard = said.cpu();
  const double* values = heard.const_data_ptr<double>();
  state.loss_sum += values[0];
  state.weight_sum += said_weight;
  wants_save = values[1] > 0;
  stops = values[2] > 0;
  said.reset();
}

void Run::step() {
  if (steps == 0 && needs_steps(options.schedule)) {
    throw Error("INVALID_OPTION",
                fmt::format("The `{}` schedule needs the number of rows, which is not known: give "
                            "`rows`, or use `constant`.",
                            schedule_name(options.schedule.kind)));
  }
  // Batches that end early, to keep a ranking's groups whole, make more steps than expected.
  const int64_t last = steps - 1;
  state.learning_rate =
      options.learning_rate *
      schedule_factor(options.schedule,
                      last > 0 ? std::min(state.steps_done, last) : state.steps_done, steps);
  if (options.schedule.kind == Schedule::kPlateau) {
    std::vector<double> metrics;
    for (const auto& row : state.history) metrics.push_back(row.validation);
    state.learning_rate *= plateau_factor(options.schedule, metrics, larger_is_better(metric));
  }
  std::vector<torch::Tensor> parameters, gradients;
  for (const auto& [name, parameter] : optimizer.parameters()) {
    if (!parameter.grad().defined()) continue;
    parameters.push_back(parameter);
    gradients.push_back(parameter.grad());
  }
  bool finite = scale.unscale(gradients);
  if (!is_whole_step()) {
    torch::NoGradGuard no_grad;
    at::_foreach_mul_(gradients, 1 / pending_weight);
  }
  if (finite && options.clip_norm > 0) {
    const double norm = torch::nn::utils::clip_grad_norm_(parameters, options.clip_norm);
    finite = std::isfinite(norm);
    if (!finite && options.precision != Precision::kFloat16) {
      for (const auto& [name, parameter] : optimizer.parameters()) {
        if (!parameter.grad().defined() || parameter.grad().isfinite().all().item<bool>()) continue;
        throw Error("TRAINING_DATA_INVALID",
                    fmt::format("The gradient of `{}` is no longer a number after {} steps. Lower "
                                "`learning_rate`.",
                                name, state.steps_done));
      }
    }
  }
  if (finite) {
    optimizer.step(state.learning_rate);
    torch::NoGradGuard no_grad;
    size_t i = 0;
    for (const auto& [name, parameter] : optimizer.parameters()) {
      if (average.empty()) break;
      average[i++].lerp_(parameter, state.steps_done == 0 ? 1 : 1 - options.average);
    }
  }
  ++state.steps_done;
  pending_batches = 0;
  pending_weight = 0;
}

void Run::stop_if_asked() {
  if (!stops) return;
  save();
  throw Error(
      "OPERATION_CANCELED",
      fmt::format("Training was stopped in epoch {} of {}, after {} of its batches. {}",
                  state.epochs_done + 1, options.epochs, state.batches_done,
                  options.checkpoints.empty() ? "There is no checkpoint: the next run starts anew."
                                              : "Resume to continue from there."));
}

/// Names what is not a number: the rows, else the first parameter, else the first operation.
void Run::not_finite(const Batch& batch) const {
  std::string cause = "the numbers became too large";
  if (!batch.numeric.isfinite().all().item<bool>()) {
    cause = "the batch holds numbers that are not finite";
  } else {
    for (const auto& row : model.module->named_parameters()) {
      if (row.value().isfinite().all().item<bool>()) continue;
      cause = fmt::format("the parameter `{}` is not", row.key());
      break;
    }
    const auto operation = first_not_finite(*model.module, [&] {
      const Autocast autocast(options.precision, device);
      loss_of(model.forward(batch), batch, options.task, options.loss);
    });
    if (!operation.empty()) cause += fmt::format(" in {}", operation);
  }
  throw Error("TRAINING_DATA_INVALID",
              fmt::format("The loss is no longer a number after {} steps: {}. Lower "
                          "`learning_rate`, or set `clip_norm`.",
                          state.steps_done, cause));
}

void Run::validate(EpochRecord* record) {
  record->validation = record->validation_loss = std::numeric_limits<double>::quiet_NaN();
  if (!open_validation) return;
  if (!validation) validation = open_validation({});
  swap_average();
  // Workers' running statistics, of batch normalisation, are those of their own rows.
  if (group) group->broadcast(model.module->buffers());
  const Scores scores = all_scores(predict(model, *validation, options.task, options.device));
  if (scores.rows() == 0) {
    throw Error("TRAINING_DATA_INVALID", "There is no row to validate on. Check the split.");
  }
  const auto metrics = metrics_of(scores);
  record->validation = metrics.at(metric);
  record->validation_loss = metrics.at(options.task == Task::kRegression ? "rmse" : "log_loss");
  if (!std::isfinite(record->validation)) {
    throw Error("TRAINING_DATA_INVALID",
                fmt::format("The metric `{}` has no value on the {} validation rows: a class is "
                            "missing there, or all values are the same. Change the split, or "
                            "decide by another metric.",
                            metric, scores.rows()));
  }
  const bool better =
      state.best_epoch < 0 || (larger_is_better(metric) ? record->validation > state.best_metric
                                                        : record->validation < state.best_metric);
  state.epochs_without_gain = better ? 0 : state.epochs_without_gain + 1;
  if (better) {
    state.best_epoch = record->epoch;
    state.best_metric = record->validation;
    best_weights = copy_weights(*model.module);
  }
  keep_best(*record);
  swap_average();
}

/// The scores of all workers' rows.
Scores Run::all_scores(Scores mine) {
  if (!group) return mine;
  for (auto* list : {&mine.values, &mine.labels}) {
    const auto parts =
        group->gather(torch::tensor(*list, torch::TensorOptions(torch::kFloat32)).to(device));
    list->clear();
    for (const auto& part : parts) {
      const auto values = part.cpu().contiguous();
      const float* value = values.const_data_ptr<float>();
      list->insert(list->end(), value, value + values.numel());
    }
  }
  return mine;
}

/// Keeps the weights of this epoch when it is one of the best, and removes those of the epoch that
/// is no longer.
void Run::keep_best(const EpochRecord& record) {
  if (options.best_kept == 0 || options.checkpoints.empty() || !is_first()) return;
  auto best = state.history;
  best.push_back(record);
  std::stable_sort(best.begin(), best.end(), [&](const EpochRecord& a, const EpochRecord& b) {
    return larger_is_better(metric) ? a.validation > b.validation : a.validation < b.validation;
  });
  for (size_t place = 0; place < best.size(); ++place) {
    const auto path =
        options.checkpoints / fmt::format("best-{:06}.safetensors", best[place].epoch + 1);
    const bool kept = place < static_cast<size_t>(options.best_kept);
    std::error_code ignored;
    if (!kept) std::filesystem::remove(path, ignored);
    if (!kept || best[place].epoch != record.epoch) continue;
    NamedTensors named;
    named.tensors = copy_weights(*model.module);
    named.metadata = {{"format", "pt"}, {metric, fmt::format("{}", record.validation)}};
    std::filesystem::create_directories(options.checkpoints, ignored);
    write_safetensors(path, named);
  }
}

/// The average takes the weights' place, or the weights take theirs back.
void Run::swap_average() {
  torch::NoGradGuard no_grad;
  size_t i = 0;
  for (auto& [name, parameter] : optimizer.parameters()) {
    if (average.empty()) return;
    const auto kept = parameter.detach().clone();
    torch::Tensor(parameter).copy_(average[i]);
    average[i++].copy_(kept);
  }
}

void Run::report(const EpochRecord& so_far, int64_t rows_here, double seconds,
                 const EpochRecord* finished) {
  if (!progress) return;
  TrainProgress now;
  now.epoch = so_far.epoch;
  now.epochs = options.epochs;
  now.rows_done = finished ? rows : state.rows_done;
  now.rows_total = rows;
  now.loss = so_far.loss;
  now.rows_per_second = static_cast<double>(rows_here) / std::max(seconds, 1e-9);
  now.waited_share = so_far.waited_seconds / std::max(seconds, 1e-9);
  const auto rows_left =
      static_cast<double>(rows * (options.epochs - so_far.epoch) - now.rows_done);
  now.seconds_left = rows > 0 ? std::max(0.0, rows_left / now.rows_per_second) : 0;
  now.finished = finished;
  now.metric = metric;
  progress(now);
}

std::string Run::settings() const {
  TrainerOptions same = options;
  same.metric = metric;
  return resume_settings(same);
}

}  // namespace

std::string deciding_metric(Task task, const std::string& named) {
  const auto names = metric_names(task);
  if (named.empty()) return task == Task::kRegression ? "rmse" : "log_loss";
  if (std::find(names.begin(), names.end(), named) == names.end()) {
    throw Error("INVALID_OPTION", fmt::format("A {} task has no metric `{}`; it has {}.",
                                              task_name(task), named, fmt::join(names, ", ")));
  }
  return named;
}

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
