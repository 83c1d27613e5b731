// How long something takes, for the programs of the benchmarks.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

/// Median of passes for so long, in seconds; the first tenth, of one pass at least, warms up.
inline double median_seconds(double seconds, const std::function<void()>& pass) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point then) {
    return std::chrono::duration<double>(Clock::now() - then).count();
  };
  const auto started = Clock::now();
  do pass();
  while (since(started) < seconds / 10);
  std::vector<double> times;
  while (since(started) < seconds || times.size() < 5) {
    const auto began = Clock::now();
    pass();
    times.push_back(since(began));
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}
