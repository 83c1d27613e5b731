// One line, drawn over itself five times a second and erased at the end.
#include "cli/query_progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

namespace firesteel::cli {

QueryProgress::QueryProgress(std::shared_ptr<Executor> executor) : executor_(std::move(executor)) {
  if (::isatty(STDERR_FILENO)) thread_ = std::thread([this] { draw(); });
}

QueryProgress::~QueryProgress() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void QueryProgress::draw() {
  constexpr int kWidth = 40;
  bool drawn = false;
  std::unique_lock lock(mutex_);
  auto pause = std::chrono::milliseconds(1000);
  while (!changed_.wait_for(lock, pause, [this] { return ends_; })) {
    pause = std::chrono::milliseconds(200);
    const double share = executor_->progress();
    if (share < 0) continue;
    const int done = std::clamp(static_cast<int>(share * kWidth), 0, kWidth);
    fmt::print(stderr, "\r[{}{}] {:3.0f}%", std::string(done, '='), std::string(kWidth - done, ' '),
               100 * std::min(share, 1.0));
    std::fflush(stderr);
    drawn = true;
  }
  if (drawn) fmt::print(stderr, "\r\033[K");
}

}  // namespace firesteel::cli
