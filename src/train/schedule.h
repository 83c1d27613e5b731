// Learning rate schedules: the factor on the base rate by step.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace firesteel {

enum class Schedule { kConstant, kCosine, kOneCycle, kLinear, kPolynomial, kPlateau };
std::string_view schedule_name(Schedule schedule);
/// "constant", "cosine", "one_cycle", "linear", "polynomial", "plateau". Throws INVALID_OPTION.
Schedule schedule_from_name(std::string_view name);

struct ScheduleOptions {
  Schedule kind = Schedule::kConstant;
  /// Share of the steps of a linear rise from 0; of one_cycle the cosine rise (0: 0.3).
  double warm_up = 0;
  double power = 2;  // polynomial
  /// plateau: after more than this many epochs without a better validation metric the rate is
  /// multiplied by the factor.
  int64_t plateau_patience = 2;
  double plateau_factor = 0.1;
};

/// The factor for `step` of `steps`, from 0: 1 for constant and plateau; (1 - share)^power for
/// polynomial, of power 1 for linear; half a cosine to 0 for cosine; for one_cycle a cosine rise
/// from 1/25, before a cosine fall to 1/250000, as torch's OneCycleLR without momentum.
double schedule_factor(const ScheduleOptions& options, int64_t step, int64_t steps);
/// The plateau's factor after the validation metrics of these epochs, as torch's
/// ReduceLROnPlateau with its default threshold (1e-4, relative). 1 for other schedules.
double plateau_factor(const ScheduleOptions& options, const std::vector<double>& metrics,
                      bool larger_is_better);
/// Whether the factor depends on the number of all steps.
bool needs_steps(const ScheduleOptions& options);

}  // namespace firesteel
