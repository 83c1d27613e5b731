// The options as JSON, field by field. Choices go by their names.
#include "train/options_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace firesteel {

using nlohmann::json;

// NLOHMANN's macros find these by the types' namespace.
#define FIRESTEEL_NAMED_JSON(Type, to_name, from_name)                 \
  void to_json(json& out, const Type& value) { out = to_name(value); } \
  void from_json(const json& in, Type& value) { value = from_name(in.get<std::string>()); }
FIRESTEEL_NAMED_JSON(OptimizerKind, optimizer_name, optimizer_from_name)
FIRESTEEL_NAMED_JSON(Precision, precision_name, precision_from_name)
FIRESTEEL_NAMED_JSON(Sampling, sampling_name, sampling_from_name)
FIRESTEEL_NAMED_JSON(Schedule, schedule_name, schedule_from_name)
#undef FIRESTEEL_NAMED_JSON

void to_json(json& out, const Loss& loss) {
  out = loss == Loss::kDefault ? "" : loss_name(loss);  // The default has no name.
}
void from_json(const json& in, Loss& loss) {
  const auto name = in.get<std::string>();
  loss = name.empty() ? Loss::kDefault : loss_from_name(name);
}

void to_json(json& out, const ParameterGroup& group) {
  out = {{"prefix", group.prefix},
         {"learning_rate_factor", group.learning_rate_factor},
         {"weight_decay", group.weight_decay ? json(*group.weight_decay) : json()},
         {"frozen", group.frozen}};
}
void from_json(const json& in, ParameterGroup& group) {
  group.prefix = in.at("prefix");
  group.learning_rate_factor = in.at("learning_rate_factor");
  if (!in.at("weight_decay").is_null()) group.weight_decay = in.at("weight_decay").get<double>();
  group.frozen = in.at("frozen");
}

/// NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE, of functions that other files call too.
#define FIRESTEEL_JSON(Type, ...)                                              \
  void to_json(json& nlohmann_json_j, const Type& nlohmann_json_t) {           \
    NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(NLOHMANN_JSON_TO, __VA_ARGS__))   \
  }                                                                            \
  void from_json(const json& nlohmann_json_j, Type& nlohmann_json_t) {         \
    NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(NLOHMANN_JSON_FROM, __VA_ARGS__)) \
  }
FIRESTEEL_JSON(OptimizerOptions, kind, weight_decay, beta1, beta2, epsilon, momentum, nesterov,
               groups)
FIRESTEEL_JSON(LossOptions, kind, positive_weight, class_weights, label_smoothing, focal_gamma,
               huber_delta, quantile)
FIRESTEEL_JSON(ScheduleOptions, kind, warm_up, power, plateau_patience, plateau_factor)
FIRESTEEL_JSON(GroupOptions, rank, world, rendezvous, serves, interface, timeout_seconds)
FIRESTEEL_JSON(BatchOptions, rows, elements, by_length, sampling, memory_bytes_max, records,
               records_key, share_records)
FIRESTEEL_JSON(TrainerOptions, epochs, learning_rate, optimizer, loss, schedule, rows, accumulate,
               clip_norm, precision, average, patience, metric, seed, checkpoints,
               checkpoint_seconds, checkpoint_steps, checkpoints_kept, best_kept, pause_after,
               deterministic, group, resume, resume_changed, data, device)

json number_or_null(double value) { return std::isfinite(value) ? json(value) : json(); }
double number_of(const json& in) {
  return in.is_null() ? std::numeric_limits<double>::quiet_NaN() : in.get<double>();
}

void to_json(json& out, const EpochRecord& record) {
  out = {{"epoch", record.epoch},
         {"loss", number_or_null(record.loss)},
         {"learning_rate", record.learning_rate},
         {"validation_loss", number_or_null(record.validation_loss)},
         {"validation", number_or_null(record.validation)},
         {"seconds", record.seconds},
         {"waited_seconds", record.waited_seconds}};
}
void from_json(const json& in, EpochRecord& record) {
  record = {in.at("epoch"),
            number_of(in.at("loss")),
            in.at("learning_rate"),
            number_of(in.at("validation_loss")),
            number_of(in.at("validation")),
            in.at("seconds"),
            in.at("waited_seconds")};
}

FIRESTEEL_JSON(TrainProgress, epoch, epochs, rows_done, rows_total, loss, rows_per_second,
               seconds_left, waited_share, metric)
FIRESTEEL_JSON(TrainResult, history, best_epoch, stopped_early, paused, resumed_from, resumed_batch,
               rows, seconds, waited_seconds, packing_seconds, metric, left_out, left_out_first)

std::string resume_settings(const TrainerOptions& trainer) {
  json settings = trainer;
  settings["task"] = task_name(trainer.task);
  // These may change: they say where and how long, not what is computed.
  for (const auto* key :
       {"rows", "checkpoints", "checkpoint_seconds", "checkpoint_steps", "checkpoints_kept",
        "best_kept", "pause_after", "group", "resume", "resume_changed", "device"}) {
    settings.erase(key);
  }
  json named = json::object();
  const json flat = settings.flatten();
  for (const auto& [path, value] : flat.items()) {  // "/optimizer/kind"
    std::string name = path.substr(1);
    std::replace(name.begin(), name.end(), '/', '.');
    named[name] = value;
  }
  return named.dump();
}

}  // namespace firesteel
