// Ctrl-C: the first stops what runs, cleanly; the second ends the program.
#pragma once

#include <atomic>
#include <memory>

#include "plan/executor.h"

namespace firesteel::cli {

/// Set by Ctrl-C; loops that train look at it.
std::atomic<bool>& interrupted();
void interrupt_on_signal(const std::shared_ptr<Executor>& executor);

}  // namespace firesteel::cli
