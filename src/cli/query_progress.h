// How far a query is, drawn on the terminal while it runs.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "plan/executor.h"

namespace firesteel::cli {

/// From when it is made until it goes; nothing where standard error is no terminal, in the first
/// second, or while the share done is not known.
class QueryProgress {
 public:
  explicit QueryProgress(std::shared_ptr<Executor> executor);
  ~QueryProgress();
  QueryProgress(const QueryProgress&) = delete;

 private:
  void draw();

  std::shared_ptr<Executor> executor_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace firesteel::cli
