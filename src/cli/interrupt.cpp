// A signal may only set flags, so a thread waits for it and stops the queries.
#include "cli/interrupt.h"

#include <csignal>
#include <cstdlib>
#include <thread>

namespace firesteel::cli {

std::atomic<bool>& interrupted() {
  static std::atomic<bool> flag{false};
  return flag;
}

void interrupt_on_signal(const std::shared_ptr<Executor>& executor) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);  // threads made from here on inherit it
  std::thread([set, weak = std::weak_ptr<Executor>(executor)] {
    for (int count = 0;; ++count) {
      int signal = 0;
      if (sigwait(&set, &signal) != 0) continue;
      if (count > 0) std::_Exit(130);
      interrupted() = true;
      if (const auto alive = weak.lock()) alive->interrupt();
    }
  }).detach();
}

}  // namespace firesteel::cli
