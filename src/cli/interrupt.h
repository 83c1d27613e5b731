// Ctrl-C: the first stops what runs, cleanly; a second before that is done ends the program.
#pragma once

#include <atomic>
#include <memory>

#include "plan/executor.h"

namespace firesteel::cli {

/// Set by Ctrl-C; loops that train look at it, a shell clears it.
std::atomic<bool>& interrupted();
/// Called first in main: every thread made later leaves the signals to the one that waits for them.
void wait_for_signals();
/// Without an executor: Ctrl-C only sets the flag, and the program ends in its own time.
void finish_step_on_signal();
/// The terminal whose cursor is hidden, which a second Ctrl-C gives back; -1: none.
std::atomic<int>& hidden_cursor();
inline constexpr char kShowCursor[] = "\033[?7h\033[?25h";  // and lines that wrap
/// Whose queries Ctrl-C stops.
void interrupt_on_signal(const std::shared_ptr<Executor>& executor);

}  // namespace firesteel::cli
