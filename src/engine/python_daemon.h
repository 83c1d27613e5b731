// One run of `pyspark.daemon`: it forks a worker for each connection, and ends them all when this
// process ends, however it ends. The pool of daemons, by setup, is here too.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/python_worker.h"

namespace firesteel {

/// Thread-safe.
class PythonDaemon : public std::enable_shared_from_this<PythonDaemon> {
 public:
  /// The daemon of a setup, started when there is none that lives.
  static std::shared_ptr<PythonDaemon> of(const PythonSetup& setup);
  explicit PythonDaemon(const PythonSetup& setup);
  ~PythonDaemon();

  std::unique_ptr<PythonWorker> take();
  void give_back(int socket, int process);
  void kill(int socket, int process);

 private:
  using Clock = std::chrono::steady_clock;
  struct Idle {
    int socket, process;
    Clock::time_point since;
  };
  void start(const PythonSetup& setup);
  void read_start(const PythonSetup& setup);
  int connect();
  bool lives();
  bool unused();
  void drop_old();

  std::mutex mutex_;
  int process_ = -1, to_daemon_ = -1, from_daemon_ = -1;
  int active_ = 0;
  std::string folder_;   // of its socket
  std::string address_;  // the socket's path, or a port
  std::string secret_, version_, python_version_;
  bool local_ = true;  // a Unix socket
  std::vector<Idle> idle_;
  std::thread printed_;
};

}  // namespace firesteel
