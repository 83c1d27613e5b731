// Starts PySpark's own foreachBatch worker and speaks its protocol: a batch's id goes out, a number
// that says how it went comes back.
#include "connect/server/batch_functions.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/error.h"
#include "plan/names.h"

extern char** environ;

namespace firesteel::connect {

namespace {

namespace fs = std::filesystem;

constexpr int kStartMillis = 60000;

/// The worker's main, which ends with the process that holds the other end of its standard input:
/// the client in it would go on trying to reach a server that is no more. For foreach it is a
/// function that is given the rows one by one. First it says whether it wants the session's id with
/// each batch, which PySpark's before 4.3 does not.
constexpr const char* kScript = R"(import inspect, os, socket, sys, threading
threading.Thread(target=lambda: (sys.stdin.buffer.raw.read(1), os._exit(1)), daemon=True).start()
sys.modules['__main__'].__file__ = 'batches'  # without it the client takes itself for a doctest
from pyspark import worker
from pyspark.serializers import write_int
from pyspark.sql.connect.streaming.worker import foreach_batch_worker as module
if sys.argv[1] == 'rows':
    read = worker.read_command
    def read_rows(serializer, file):
        function = read(serializer, file)[0]
        def each(batch, number):
            from pyspark.taskcontext import TaskContext
            context = TaskContext._getOrCreate()
            context._localProperties = {'streaming.sql.batchId': str(number)}
            for _ in function(0, batch.toLocalIterator()):
                pass
        return each
    worker.read_command = read_rows
server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.connect(os.environ['FIRESTEEL_BATCHES'])
with server.makefile('rwb', 65536) as file:
    write_int(1 if 'cloned_session_id' in inspect.getsource(module) else 0, file)
    file.flush()
    module.main(file, file)
)";

[[noreturn]] void not_started(const std::string& why) {
  throw Error("STREAMING_PYTHON_RUNNER_INITIALIZATION_FAILURE",
              fmt::format("Streaming Runner initialization failed. Cause: {}", why));
}

/// One Python process with one function. One thread.
class BatchWorker {
 public:
  BatchWorker(const std::string& python, const std::string& url, bool rows) {
    auto pattern = (fs::temp_directory_path() / "firesteel-batches-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) not_started(std::strerror(errno));
    folder_ = pattern;
    try {
      start(python, url, rows);
    } catch (...) {
      end();
      throw;
    }
  }
  ~BatchWorker() { end(); }
  BatchWorker(const BatchWorker&) = delete;

  void begin(const proto::PythonUDF& function, const std::string& session) {
    wants_session_ = read_int() == 1;
    text(function.python_ver());
    text(session);
    text(function.command());
    flush();
    check();
  }
  void run(const std::string& rows, int64_t batch, const std::string& session) {
    text(rows);
    number(static_cast<int32_t>(batch >> 32));
    number(static_cast<int32_t>(batch));
    if (wants_session_) text(session);
    flush();
    check();
  }

 private:
  void start(const std::string& python, const std::string& url, bool rows) {
    const auto path = (folder_ / "worker").string();
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    if (listener < 0 ||
        ::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener, 1) != 0)
      not_started(std::strerror(errno));
    std::vector<std::string> texts;
    for (char** entry = environ; *entry; ++entry) {
      const std::string_view text = *entry;
      const bool own = text.starts_with("FIRESTEEL_BATCHES=") ||
                       text.starts_with("SPARK_REMOTE=") ||
                       text.starts_with("SPARK_CONNECT_LOCAL_URL=");
      if (!own) texts.emplace_back(text);
    }
    texts.push_back("FIRESTEEL_BATCHES=" + path);
    texts.push_back("SPARK_CONNECT_LOCAL_URL=" + url);
    texts.push_back("PYTHONUNBUFFERED=YES");
    texts.push_back("SPARK_CONNECT_MODE_ENABLED=1");  // the client has no Spark to start
    std::vector<char*> variables;
    for (auto& text : texts) variables.push_back(text.data());
    variables.push_back(nullptr);
    int held[2];
    if (::pipe2(held, O_CLOEXEC) != 0) {
      ::close(listener);
      not_started(std::strerror(errno));
    }
    held_ = held[1];
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, held[0], STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    std::string program = python, option = "-c", script = kScript, kind = rows ? "rows" : "batches";
    char* const arguments[] = {program.data(), option.data(), script.data(), kind.data(), nullptr};
    const int failed =
        ::posix_spawnp(&process_, program.c_str(), &actions, nullptr, arguments, variables.data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(held[0]);
    if (failed) {
      ::close(listener);
      process_ = -1;
      not_started(fmt::format("`{}`: {}", python, std::strerror(failed)));
    }
    for (int waited = 0; socket_ < 0 && waited < kStartMillis; waited += 100) {
      pollfd state{.fd = listener, .events = POLLIN, .revents = 0};
      if (::poll(&state, 1, 100) > 0) socket_ = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket_ < 0 && ::waitpid(process_, nullptr, WNOHANG) == process_) {
        process_ = -1;
        break;
      }
    }
    ::close(listener);
    if (socket_ < 0) not_started(fmt::format("`{}` ended or does not answer", python));
  }

  void end() {
    if (socket_ >= 0) ::close(socket_);  // it ends by itself then
    for (int tries = 0; process_ > 0; ++tries) {
      if (::waitpid(process_, nullptr, WNOHANG) != 0) break;
      if (tries == 300) ::kill(process_, SIGKILL);
      ::usleep(10000);
    }
    if (held_ >= 0) ::close(held_);
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  void number(int32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8)
      out_ += static_cast<char>(static_cast<uint32_t>(value) >> shift & 255);
  }
  void text(std::string_view value) {
    number(static_cast<int32_t>(value.size()));
    out_ += value;
  }
  void flush() {
    for (size_t at = 0; at < out_.size();) {
      const auto sent = ::send(socket_, out_.data() + at, out_.size() - at, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) break;  // it has ended, as the answer will say
      at += static_cast<size_t>(sent);
    }
    out_.clear();
  }
  void read(char* out, size_t count) {
    while (count > 0) {
      const auto got = ::recv(socket_, out, count, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0)
        throw Error("PYTHON_WORKER_CRASHED", "Python worker exited unexpectedly (crashed).");
      out += got;
      count -= static_cast<size_t>(got);
    }
  }
  int32_t read_int() {
    unsigned char bytes[4];
    read(reinterpret_cast<char*>(bytes), 4);
    return static_cast<int32_t>(static_cast<uint32_t>(bytes[0]) << 24 | bytes[1] << 16 |
                                bytes[2] << 8 | bytes[3]);
  }
  /// 0: it went well; -2: the text of an exception follows.
  void check() {
    const auto answer = read_int();
    if (answer == 0) return;
    std::string trace;
    if (answer == -2) {
      trace.resize(static_cast<size_t>(std::max(read_int(), 0)));
      read(trace.data(), trace.size());
    }
    throw Error("FOREACH_BATCH_USER_FUNCTION_ERROR",
                fmt::format("An error occurred in the user provided function in foreach batch "
                            "sink. Reason: {}",
                            trace));
  }

  fs::path folder_;
  pid_t process_ = -1;
  int socket_ = -1, held_ = -1;
  bool wants_session_ = true;
  std::string out_;
};

}  // namespace

BatchFunctionFactory batch_functions(BatchFunctionSession session) {
  return [session](const proto::WriteStreamOperationStart& start,
                   std::shared_ptr<EmbeddedExecutor> engine) -> BatchFunction {
    const bool rows = start.has_foreach_writer();
    const auto& function = rows ? start.foreach_writer() : start.foreach_batch();
    if (!function.has_python_function()) {
      throw Error("UNSUPPORTED_FEATURE.FUNCTION",
                  "Functions of Java or Scala are not run here. Write foreachBatch in Python.");
    }
    const auto url = session.url ? session.url() : "";
    if (url.empty()) {
      throw Error("UNSUPPORTED_FEATURE.STREAMING_PYTHON_FUNCTION",
                  "foreachBatch and foreach need a server that its own machine can reach without "
                  "certificates.");
    }
    auto settings = session.executor->python_settings();
    auto& python = settings["python"];
    const auto worker =
        std::make_shared<BatchWorker>(python.empty() ? "python3" : python, url, rows);
    worker->begin(function.python_function(), session.id);
    return [worker, engine, session](const proto::Relation& batch_rows, int64_t batch) {
      auto& executor = *session.executor;
      const auto table = split_name(batch_rows.read().named_table().unparsed_identifier()).back();
      executor.hold_table(table, engine->schema(batch_rows));
      const auto id = executor.checkpoint(batch_rows);
      executor.release(table);
      try {
        worker->run(id, batch, session.id);
      } catch (...) {
        executor.forget_checkpoint(id);
        throw;
      }
      executor.forget_checkpoint(id);
    };
  };
}

}  // namespace firesteel::connect
