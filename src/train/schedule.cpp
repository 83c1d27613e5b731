// Schedules as pure functions of the step, so that a resumed run needs no more than its step.
#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/named.h"

namespace firesteel {

namespace {

double cosine_between(double start, double end, double share) {
  return end + (start - end) / 2 * (std::cos(std::numbers::pi * share) + 1);
}

double one_cycle(double step, double steps, double rise) {
  constexpr double kStart = 1.0 / 25, kEnd = kStart / 1e4;
  const double top = rise * steps - 1;
  if (step <= top) return cosine_between(kStart, 1, step / top);
  return cosine_between(1, kEnd, std::min(1.0, (step - top) / (steps - 1 - top)));
}

struct ScheduleRow {
  Schedule value;
  std::string_view name;
  bool needs_steps;
};
constexpr ScheduleRow kSchedules[] = {
    {Schedule::kConstant, "constant", false},    {Schedule::kLinear, "linear", true},
    {Schedule::kCosine, "cosine", true},         {Schedule::kOneCycle, "one_cycle", true},
    {Schedule::kPolynomial, "polynomial", true}, {Schedule::kPlateau, "plateau", false},
};

}  // namespace

std::string_view schedule_name(Schedule schedule) { return name_of(kSchedules, schedule); }

Schedule schedule_from_name(std::string_view name) {
  return value_named(kSchedules, "schedule", name);
}

double schedule_factor(const ScheduleOptions& options, int64_t step, int64_t steps) {
  const auto at = static_cast<double>(step), all = static_cast<double>(steps);
  if (options.kind == Schedule::kOneCycle) {
    return one_cycle(at, all, options.warm_up > 0 ? options.warm_up : 0.3);
  }
  const double rise = std::floor(options.warm_up * all);
  if (at < rise) return at / rise;
  const double share = std::min(1.0, (at - rise) / std::max(1.0, all - rise));
  switch (options.kind) {
    case Schedule::kLinear:
      return 1 - share;
    case Schedule::kPolynomial:
      return std::pow(1 - share, options.power);
    case Schedule::kCosine:
      return cosine_between(1, 0, share);
    case Schedule::kConstant:
    case Schedule::kPlateau:
    case Schedule::kOneCycle:
      return 1;
  }
  return 1;
}

double plateau_factor(const ScheduleOptions& options, const std::vector<double>& metrics,
                      bool larger_is_better) {
  if (options.kind != Schedule::kPlateau) return 1;
  constexpr double kThreshold = 1e-4;
  double factor = 1, best = 0;
  int64_t bad = 0;
  bool first = true;
  for (const double metric : metrics) {
    const double now = larger_is_better ? -metric : metric;
    // Better by a share of the best's size, as torch's relative threshold.
    if (first || now < best - std::abs(best) * kThreshold) {
      best = now;
      bad = 0;
      first = false;
    } else if (++bad > options.plateau_patience) {
      factor *= options.plateau_factor;
      bad = 0;
    }
  }
  return factor;
}

bool needs_steps(const ScheduleOptions& options) {
  const auto row = std::find_if(std::begin(kSchedules), std::end(kSchedules),
                                [&](const auto& any) { return any.value == options.kind; });
  return row->needs_steps || options.warm_up > 0;
}

}  // namespace firesteel
