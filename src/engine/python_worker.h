// Processes of PySpark's own worker, made by its daemon and used again. A worker is a socket on
// which bytes go both ways; what they mean is python_protocol's and python_run's.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace firesteel {

/// What tells one kind of worker from another.
struct PythonSetup {
  std::string program;  // "python3"
  std::string folder;   // the working folder, where files of the session are; may be empty
  int memory_mb = 0;    // limit of each process; 0: none
  auto operator<=>(const PythonSetup&) const = default;
};

/// A worker that one task at a time uses. The destructor gives it back when `finish` was called;
/// else its process is killed. One thread at a time.
class PythonWorker {
 public:
  /// An idle worker or a new one. Throws PYTHON_WORKER_NOT_STARTED.
  static std::unique_ptr<PythonWorker> take(const PythonSetup& setup);
  ~PythonWorker();
  PythonWorker(const PythonWorker&) = delete;

  /// Text of pyspark's version, "4.3.0".
  const std::string& version() const { return version_; }
  /// Python's own, "3.11".
  const std::string& python_version() const { return python_version_; }
  /// Queues bytes; they go out while something is read.
  void send(std::string_view bytes) { pending_.append(bytes); }
  void send_int(int32_t value);
  void send_long(int64_t value);
  /// An int that says how long the text is, and the text.
  void send_text(std::string_view text);
  /// Reads so many bytes. Meanwhile what is queued goes out, and when that is done `more` is asked
  /// to queue more, until it gives false. Throws PYTHON_WORKER_CRASHED when the process ends.
  void read(char* out, size_t count);
  int32_t read_int();
  int64_t read_long();
  /// What `send_text` sends.
  std::string read_text() { return read_text(read_int()); }
  /// The same, of a length that was read already.
  std::string read_text(int32_t size);
  /// Bytes to read that are there already, or a closed socket.
  bool readable() const;

  std::function<bool()> more;
  /// Asked again and again while waiting: true ends the query.
  std::function<bool()> interrupted;

  /// The worker has said that it is ready for another task.
  void finish() { reusable_ = true; }

 private:
  friend class PythonDaemon;
  PythonWorker(std::shared_ptr<class PythonDaemon> daemon, int socket, int process);
  void send_some();
  [[noreturn]] void crashed();

  std::shared_ptr<class PythonDaemon> daemon_;
  int socket_, process_;
  std::string version_, python_version_;
  std::string pending_;
  size_t sent_ = 0;
  bool reusable_ = false;
};

}  // namespace firesteel
