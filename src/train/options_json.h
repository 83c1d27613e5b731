// What training is told and tells as JSON: for checkpoints, and between processes.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "train/options.h"

namespace firesteel {

/// JSON has no NaN and no infinity: they are null, and null is NaN.
nlohmann::json number_or_null(double value);
double number_of(const nlohmann::json& in);

void to_json(nlohmann::json& out, const TrainerOptions& options);
void from_json(const nlohmann::json& in, TrainerOptions& options);
void to_json(nlohmann::json& out, const BatchOptions& options);
void from_json(const nlohmann::json& in, BatchOptions& options);
void to_json(nlohmann::json& out, const EpochRecord& record);
void from_json(const nlohmann::json& in, EpochRecord& record);
/// Without `finished`.
void to_json(nlohmann::json& out, const TrainProgress& progress);
void from_json(const nlohmann::json& in, TrainProgress& progress);
void to_json(nlohmann::json& out, const TrainResult& result);
void from_json(const nlohmann::json& in, TrainResult& result);

/// Those that must be the same when training is resumed, by name: "optimizer.weight_decay".
std::string resume_settings(const TrainerOptions& trainer);

}  // namespace firesteel
