// A signal handler may do little, so a thread waits for the signals and stops the queries.
#include "cli/interrupt.h"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace firesteel::cli {

namespace {

struct Running {
  std::mutex mutex;
  std::weak_ptr<Executor> executor;
  bool looks = false;  // the program looks at the flag though it has no executor
};

Running& running() {
  static auto* const instance = new Running;  // outlives the waiting thread
  return *instance;
}

}  // namespace

std::atomic<bool>& interrupted() {
  static std::atomic<bool> flag{false};
  return flag;
}

std::atomic<int>& hidden_cursor() {
  static std::atomic<int> terminal{-1};
  return terminal;
}

void interrupt_on_signal(const std::shared_ptr<Executor>& executor) {
  std::lock_guard lock(running().mutex);
  running().executor = executor;
}

void finish_step_on_signal() {
  std::lock_guard lock(running().mutex);
  running().looks = true;
}

void wait_for_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  interrupted();
  hidden_cursor();
  running();
  std::thread([set] {
    for (;;) {
      int signal = 0;
      if (sigwait(&set, &signal) != 0) continue;
      std::shared_ptr<Executor> alive;
      bool looks = false;
      {
        std::lock_guard lock(running().mutex);
        alive = running().executor.lock();
        looks = running().looks;
      }
      if ((!alive && !looks) || interrupted().exchange(true)) {
        const int terminal = hidden_cursor();
        if (terminal >= 0 && ::write(terminal, kShowCursor, sizeof kShowCursor - 1) < 0) {
        }  // Then there is no cursor to show.
        std::_Exit(128 + signal);
      }
      if (alive) alive->interrupt();
    }
  }).detach();
}

}  // namespace firesteel::cli
