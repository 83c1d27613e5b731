// Learning rate schedules: the factor on the base rate by step.
#pragma once

#include <cstdint>
#include <string_view>

namespace firesteel {

enum class Schedule { kConstant, kCosine, kOneCycle, kLinear };
std::string_view schedule_name(Schedule schedule);
/// "constant", "cosine", "one_cycle", "linear". Throws INVALID_OPTION.
Schedule schedule_from_name(std::string_view name);

/// The factor for `step` of `steps`, from 0. `warm_up` is a share of the steps: a linear rise from
/// 0 before the constant, linear (to 0) and cosine (to 0) schedules; for one_cycle the share of the
/// cosine rise from 1/25, before a cosine fall to 1/250000, as torch's OneCycleLR without momentum.
double schedule_factor(Schedule schedule, int64_t step, int64_t steps, double warm_up);

}  // namespace firesteel
