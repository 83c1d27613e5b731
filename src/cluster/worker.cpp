// A worker that bridge.py started. Over the control socket, in lines: a request comes; `gather`
// asks and is answered; `done` or an error ends it. Arrow goes over the standard streams.
#include "cluster/worker.h"

#include <arrow/io/file.h>
#include <arrow/io/stdio.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/task_run.h"

namespace firesteel::cluster {

namespace {

/// Lines over a socket.
class Control {
 public:
  explicit Control(int socket) : socket_(socket) {}

  /// Nothing when the other side is gone.
  std::optional<std::string> line() {
    for (;;) {
      if (const auto end = pending_.find('\n'); end != std::string::npos) {
        auto out = pending_.substr(0, end);
        pending_.erase(0, end + 1);
        return out;
      }
      char block[4096];
      const auto size = ::recv(socket_, block, sizeof block, 0);
      if (size <= 0) return std::nullopt;
      pending_.append(block, static_cast<size_t>(size));
    }
  }
  void say(const nlohmann::json& message) {
    const auto text = message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    for (size_t at = 0; at < text.size();) {
      const auto size = ::send(socket_, text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (size <= 0) return;  // Nobody is there to hear it.
      at += static_cast<size_t>(size);
    }
  }

 private:
  const int socket_;
  std::string pending_;
};

}  // namespace

int run_bridged_worker(int socket) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // Python's worker may be killed at any time.
  ::signal(SIGPIPE, SIG_IGN);
  // Whatever else writes to standard output must not come among the rows.
  const int output = ::dup(STDOUT_FILENO);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  Control control(socket);
  arrow::io::StdinStream rows_in;
  const auto rows_out = *arrow::io::FileOutputStream::Open(output);
  while (const auto text = control.line()) {
    try {
      auto request = parse_request(*text);
      request.context.gather = [&](const std::string& own) {
        control.say({{"gather", own}});
        const auto answer = control.line();
        if (!answer) throw Error("TASK_FAILED", "The tasks that run together were ended.");
        return nlohmann::json::parse(*answer).get<std::vector<std::string>>();
      };
      run_task(request, rows_in, {.stream = *rows_out});
      control.say({{"done", true}});
    } catch (...) {
      // Half a stream is written: this process ends, and the next task gets another.
      control.say({{"error", error_json(std::current_exception())}});
      return 1;
    }
  }
  return 0;
}

std::optional<int> run_if_worker(int argc, char** argv) {
  if (argc < 3 || std::string_view(argv[1]) != "worker") return std::nullopt;
  const std::string_view kind = argv[2];
  if (kind == "--daemon") return run_worker_daemon();
  if (kind != "--control" || argc < 4) return std::nullopt;
  int control = -1;
  std::from_chars(argv[3], argv[3] + std::strlen(argv[3]), control);
  return run_bridged_worker(control);
}

}  // namespace firesteel::cluster
