// Schedules as pure functions of the step, so that a resumed run needs no more than its step.
#include "train/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

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

}  // namespace

std::string_view schedule_name(Schedule schedule) {
  switch (schedule) {
    case Schedule::kConstant:
      return "constant";
    case Schedule::kCosine:
      return "cosine";
    case Schedule::kOneCycle:
      return "one_cycle";
    case Schedule::kLinear:
      return "linear";
  }
  return "";
}

Schedule schedule_from_name(std::string_view name) {
  for (const auto value :
       {Schedule::kConstant, Schedule::kCosine, Schedule::kOneCycle, Schedule::kLinear}) {
    if (schedule_name(value) == name) return value;
  }
  throw Error(
      "INVALID_OPTION",
      fmt::format("There is no schedule `{}`; use constant, cosine, one_cycle or linear.", name));
}

double schedule_factor(Schedule schedule, int64_t step, int64_t steps, double warm_up) {
  const auto at = static_cast<double>(step), all = static_cast<double>(steps);
  if (schedule == Schedule::kOneCycle) return one_cycle(at, all, warm_up > 0 ? warm_up : 0.3);
  const double rise = std::floor(warm_up * all);
  if (at < rise) return at / rise;
  const double share = std::min(1.0, (at - rise) / std::max(1.0, all - rise));
  switch (schedule) {
    case Schedule::kLinear:
      return 1 - share;
    case Schedule::kCosine:
      return cosine_between(1, 0, share);
    case Schedule::kConstant:
    case Schedule::kOneCycle:
      return 1;
  }
  return 1;
}

}  // namespace firesteel
