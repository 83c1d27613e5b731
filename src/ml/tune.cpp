// The search: a schedule that says what runs next, and processes that run it.
#include "ml/tune.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/named.h"
#include "train/metrics.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

constexpr Named<TuneMethod> kMethods[] = {
    {TuneMethod::kRandom, "random"}, {TuneMethod::kGrid, "grid"}, {TuneMethod::kAsha, "asha"}};

}  // namespace

TuneMethod tune_method_from_name(std::string_view name) {
  return value_named(kMethods, "method of tuning", name);
}

std::string TuneSetting::at(double share) const {
  if (!choices.empty()) {
    return choices[static_cast<size_t>(share * static_cast<double>(choices.size()))];
  }
  // Of whole numbers each has its own part of the range.
  const double end = integer ? high + 1 : high;
  const double value = logarithmic ? low * std::pow(end / low, share) : low + share * (end - low);
  return integer ? fmt::format("{}", static_cast<int64_t>(std::min(std::floor(value), high)))
                 : fmt::format("{:.4g}", value);
}

std::optional<TuneValues> tune_values(const TuneOptions& options, int64_t trial) {
  TuneValues values;
  auto rest = static_cast<size_t>(trial);
  for (size_t i = 0; i < options.space.size(); ++i) {
    const auto& setting = options.space[i];
    if (options.method == TuneMethod::kGrid) {
      values.emplace_back(setting.key, setting.choices[rest % setting.choices.size()]);
      rest /= setting.choices.size();
      continue;
    }
    std::seed_seq seed{options.seed, static_cast<uint64_t>(trial), static_cast<uint64_t>(i)};
    std::mt19937_64 random(seed);
    values.emplace_back(setting.key, setting.at(static_cast<double>(random() >> 11) * 0x1p-53));
  }
  if (rest > 0 && options.method == TuneMethod::kGrid) return std::nullopt;
  return values;
}

std::string values_text(const TuneValues& values) {
  std::string text;
  for (const auto& [key, value] : values) {
    text += fmt::format("{}{}={}", text.empty() ? "" : "  ", key, value);
  }
  return text;
}

double TuneTrial::best(int64_t epochs, bool larger_is_better) const {
  const auto end = metrics.begin() + std::min<int64_t>(epochs, this->epochs());
  return larger_is_better ? *std::max_element(metrics.begin(), end)
                          : *std::min_element(metrics.begin(), end);
}

void to_json(nlohmann::json& out, const TuneTrial& trial) {
  out = {{"values", trial.values},
         {"metrics", trial.metrics},
         {"error", trial.error},
         {"seconds", trial.seconds}};
}
void from_json(const nlohmann::json& in, TuneTrial& trial) {
  in.at("values").get_to(trial.values);
  in.at("metrics").get_to(trial.metrics);
  in.at("error").get_to(trial.error);
  in.at("seconds").get_to(trial.seconds);
}

TuneSchedule::TuneSchedule(const TuneOptions& options, int64_t epochs, bool larger_is_better)
    : options_(options), larger_is_better_(larger_is_better) {
  if (options.method == TuneMethod::kAsha) {
    for (int64_t rung = options.first_epochs; rung < epochs; rung *= options.reduction) {
      rungs_.push_back(rung);
    }
  }
  rungs_.push_back(epochs);
}

std::optional<TuneSchedule::Next> TuneSchedule::next(const std::vector<TuneTrial>& trials) const {
  for (size_t rung = rungs_.size() - 1; rung-- > 0;) {
    std::vector<const TuneTrial*> there;
    for (const auto& trial : trials) {
      if (trial.error.empty() && trial.epochs() >= rungs_[rung]) there.push_back(&trial);
    }
    std::stable_sort(there.begin(), there.end(), [&](const TuneTrial* a, const TuneTrial* b) {
      return better(a->best(rungs_[rung], larger_is_better_),
                    b->best(rungs_[rung], larger_is_better_));
    });
    there.resize(there.size() / static_cast<size_t>(options_.reduction));
    for (const auto* trial : there) {
      if (!trial->running && trial->epochs() < rungs_[rung + 1]) {
        return Next{trial->number, rungs_[rung + 1]};
      }
    }
  }
  const auto count = static_cast<int64_t>(trials.size());
  const bool more =
      (options_.trials == 0 || count < options_.trials) && tune_values(options_, count).has_value();
  if (more) return Next{count, rungs_[0]};
  for (const auto& trial : trials) {
    if (trial.running) return std::nullopt;
    // One that a stopped search left before its first comparison.
    if (trial.error.empty() && trial.epochs() < rungs_[0]) return Next{trial.number, rungs_[0]};
  }
  // Few trials: the best goes to the end although there were not enough to compare.
  const auto first = best(trials);
  if (first && trials[*first].epochs() < rungs_.back()) return Next{*first, rungs_.back()};
  return std::nullopt;
}

std::optional<int64_t> TuneSchedule::best(const std::vector<TuneTrial>& trials) const {
  const TuneTrial* best = nullptr;
  for (const auto& trial : trials) {
    if (!trial.error.empty() || trial.epochs() == 0) continue;
    const bool further = best && trial.epochs() != best->epochs();
    if (!best || (further ? trial.epochs() > best->epochs()
                          : better(trial.best(trial.epochs(), larger_is_better_),
                                   best->best(best->epochs(), larger_is_better_)))) {
      best = &trial;
    }
  }
  return best ? std::optional(best->number) : std::nullopt;
}

namespace {

/// One search: the members are what its steps hand on.
struct Search {
  const FittedFeatures& features;
  const TuneOptions& options;
  const std::function<TrialSettings(const TuneValues&)>& settings;
  const TrainerOptions& trainer;
  const BatchOptions& batches;
  const fs::path& folder;
  const WorkerLaunch& launch;
  const std::function<void(const std::string&)>& log;
  const bool larger_is_better;
  const TuneSchedule schedule;

  struct Running {
    int64_t trial;
    WorkerProcess process;
    std::chrono::steady_clock::time_point start;
  };
  std::vector<TuneTrial> trials = {};
  std::vector<Running> running = {};

  void run();
  void start(const TuneSchedule::Next& next, int64_t threads);
  void take(const Running& ended);
  void note(const TuneTrial& trial, const std::string& outcome) const;
  void save() const;
  void load();
  fs::path folder_of(int64_t trial) const { return folder / fmt::format("trial-{:04}", trial + 1); }
};

void Search::run() {
  if (trainer.resume) load();
  const int64_t cores = std::max(1u, std::thread::hardware_concurrency());
  const auto parallel = static_cast<size_t>(options.parallel > 0 ? options.parallel : cores);
  const int64_t threads = std::max<int64_t>(1, cores / static_cast<int64_t>(parallel));
  bool stopping = false;
  while (true) {
    while (!stopping && running.size() < parallel) {
      const auto next = schedule.next(trials);
      if (!next) break;
      start(*next, threads);
    }
    if (running.empty()) break;
    std::vector<const WorkerProcess*> processes;
    for (const auto& one : running) processes.push_back(&one.process);
    wait_for_any(processes, 50);
    if (trainer.interrupt && trainer.interrupt->load() && !std::exchange(stopping, true)) {
      for (auto& one : running) one.process.interrupt();
    }
    std::erase_if(running, [&](Running& one) {
      if (one.process.poll({})) return false;
      take(one);
      return true;
    });
  }
  if (stopping) {
    throw Error("OPERATION_CANCELED",
                fmt::format("Tuning was stopped after {} trials. Resume to continue from there.",
                            trials.size()));
  }
}

void Search::start(const TuneSchedule::Next& next, int64_t threads) {
  if (next.trial == static_cast<int64_t>(trials.size())) {
    trials.push_back({.number = next.trial, .values = *tune_values(options, next.trial)});
  }
  auto& trial = trials[next.trial];
  trial.running = true;
  const auto job = folder_of(next.trial);
  const auto moment = std::chrono::steady_clock::now();
  try {
    auto chosen = settings(trial.values);
    chosen.trainer.rows = trainer.rows;
    chosen.trainer.data = trainer.data;
    chosen.trainer.checkpoints = job / "checkpoints";
    chosen.trainer.resume = true;
    chosen.trainer.pause_after = next.epochs < schedule.rungs().back() ? next.epochs : 0;
    chosen.batches.records = batches.records;
    chosen.batches.records_key = batches.records_key;
    chosen.batches.share_records = true;
    const TabularModel model(features.specs, chosen.model, chosen.trainer.seed);
    write_job(job, model, chosen.trainer, chosen.batches);
    running.push_back({next.trial, WorkerProcess(job, {}, launch, threads), moment});
  } catch (const Error& error) {
    // Settings that do not go together are a trial that failed, like a loss that is not a number.
    if (error.condition() != "INVALID_OPTION" && error.condition() != "INVALID_PIPELINE") throw;
    trial.running = false;
    trial.error = error.message();
    note(trial, "failed: " + trial.error);
  }
}

void Search::take(const Running& ended) {
  auto& trial = trials[ended.trial];
  trial.running = false;
  trial.seconds +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - ended.start).count();
  std::string outcome;
  if (const auto& result = ended.process.result()) {
    trial.metrics.clear();
    for (const auto& epoch : result->history) trial.metrics.push_back(epoch.validation);
    if (result->stopped_early) {  // It would not get better: it has its rank in all comparisons.
      const double best = trial.best(trial.epochs(), larger_is_better);
      trial.metrics.resize(static_cast<size_t>(schedule.rungs().back()), best);
    }
    const auto best = schedule.best(trials);
    outcome = fmt::format("{:>3} epochs  {} {:.4f}{}", trial.epochs(), result->metric,
                          trial.best(trial.epochs(), larger_is_better),
                          best == trial.number ? "  the best so far" : "");
  } else if (ended.process.error() && ended.process.error()->condition() == "OPERATION_CANCELED") {
    return;
  } else {
    trial.error = ended.process.error() ? ended.process.error()->message()
                                        : fmt::format("The trial {}.", ended.process.outcome());
    outcome = "failed: " + trial.error;
  }
  note(trial, outcome);
}

/// Tells what came of a trial, and keeps it.
void Search::note(const TuneTrial& trial, const std::string& outcome) const {
  if (log) {
    log(fmt::format("trial {:>3}  {}  {}", trial.number + 1, values_text(trial.values), outcome));
  }
  save();
}

void Search::save() const {
  write_file_aside(folder / "trials.json", nlohmann::json(trials).dump(1) + "\n");
}

void Search::load() {
  if (!fs::exists(folder / "trials.json")) return;
  nlohmann::json::parse(read_file(folder / "trials.json")).get_to(trials);
  for (size_t i = 0; i < trials.size(); ++i) trials[i].number = static_cast<int64_t>(i);
}

}  // namespace

TuneResult tune(const FittedFeatures& features, const OpenRows& rows, const OpenRows& validation,
                const TuneOptions& options, const std::string& metric,
                const std::function<TrialSettings(const TuneValues&)>& settings,
                TrainerOptions trainer, BatchOptions batches, const fs::path& folder,
                const WorkerLaunch& launch, const std::function<void(const std::string&)>& log) {
  if (!validation) {
    throw Error("TRAINING_DATA_INVALID",
                "Tuning compares trials on validation rows, and the split leaves none.");
  }
  std::error_code ignored;
  if (!trainer.resume) fs::remove_all(folder, ignored);
  fs::create_directories(folder);
  pack_rows(features.specs, rows, validation, trainer, &batches);
  const bool larger = larger_is_better(metric);
  Search search{.features = features,
                .options = options,
                .settings = settings,
                .trainer = trainer,
                .batches = batches,
                .folder = folder,
                .launch = launch,
                .log = log,
                .larger_is_better = larger,
                .schedule = TuneSchedule(options, trainer.epochs, larger)};
  search.run();
  const auto best = search.schedule.best(search.trials);
  if (!best) {
    const auto& first = search.trials.at(0);
    fs::remove_all(folder, ignored);  // There is nothing to go on with.
    throw Error("TRAINING_DATA_INVALID", fmt::format("Every one of {} trials failed; the first: {}",
                                                     search.trials.size(), first.error));
  }
  const auto job = search.folder_of(*best);
  return {.trials = std::move(search.trials),
          .best = *best,
          .metric = metric,
          .model = TabularModel::load(job / "result"),
          .training = training_of(job)};
}

std::string TuneResult::table() const {
  auto ordered = trials;
  const bool larger = larger_is_better(metric);
  std::stable_sort(ordered.begin(), ordered.end(), [&](const TuneTrial& a, const TuneTrial& b) {
    if (a.epochs() == 0 || b.epochs() == 0) return a.epochs() > b.epochs();
    const double left = a.best(a.epochs(), larger), right = b.best(b.epochs(), larger);
    return larger ? left > right : left < right;
  });
  std::string text =
      fmt::format("{:>5}  {:>10}  {:>6}  {:>7}  values\n", "trial", metric, "epochs", "seconds");
  for (const auto& trial : ordered) {
    text += fmt::format(
        "{:>5}  {:>10}  {:>6}  {:>7.1f}  {}{}\n", trial.number + 1,
        trial.epochs() > 0 ? fmt::format("{:.4f}", trial.best(trial.epochs(), larger)) : "failed",
        trial.epochs(), trial.seconds, values_text(trial.values),
        trial.number == best ? "  (the model)" : "");
  }
  return text;
}

}  // namespace firesteel
