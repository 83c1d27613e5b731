// A worker's socket, on which reading and writing go on together, so that neither side waits for
// the other.
#include "engine/python_worker.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "engine/python_daemon.h"

namespace firesteel {

namespace {

constexpr int kWaitMs = 50;

template <typename Number>
void append_big_endian(std::string& out, Number value) {
  for (int shift = 8 * (static_cast<int>(sizeof value) - 1); shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift & 255);
}

}  // namespace

PythonWorker::PythonWorker(std::shared_ptr<PythonDaemon> daemon, int socket, int process)
    : daemon_(std::move(daemon)), socket_(socket), process_(process) {}

std::unique_ptr<PythonWorker> PythonWorker::take(const PythonSetup& setup) {
  return PythonDaemon::of(setup)->take();
}

PythonWorker::~PythonWorker() {
  if (reusable_) {
    daemon_->give_back(socket_, process_);
  } else {
    daemon_->kill(socket_, process_);
  }
}

void PythonWorker::send_int(int32_t value) { append_big_endian(pending_, value); }

void PythonWorker::send_long(int64_t value) { append_big_endian(pending_, value); }

void PythonWorker::send_text(std::string_view text) {
  send_int(static_cast<int32_t>(text.size()));
  send(text);
}

void PythonWorker::crashed() {
  throw Error("PYTHON_WORKER_CRASHED", "Python worker exited unexpectedly (crashed).");
}

void PythonWorker::send_some() {
  while (sent_ < pending_.size()) {
    const auto done = ::send(socket_, pending_.data() + sent_, pending_.size() - sent_,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
    if (done < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return;
      break;  // it ended; what it said before is still to be read
    }
    sent_ += static_cast<size_t>(done);
  }
  pending_.clear();
  sent_ = 0;
}

bool PythonWorker::readable() const {
  pollfd state{.fd = socket_, .events = POLLIN, .revents = 0};
  return ::poll(&state, 1, 0) > 0;
}

void PythonWorker::read(char* out, size_t count) {
  while (count > 0) {
    const auto got = ::recv(socket_, out, count, MSG_DONTWAIT);
    if (got > 0) {
      out += got;
      count -= static_cast<size_t>(got);
      continue;
    }
    if (got == 0) crashed();
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) crashed();
    if (interrupted && interrupted())
      throw Error("OPERATION_CANCELED", "The operation was cancelled.");
    if (pending_.empty() && more) {
      if (!more()) more = nullptr;
    }
    send_some();
    pollfd state{.fd = socket_, .events = POLLIN, .revents = 0};
    if (!pending_.empty()) state.events |= POLLOUT;
    // With more to send and room for it there is no time to wait.
    ::poll(&state, 1, pending_.empty() && more ? 0 : kWaitMs);
  }
}

int32_t PythonWorker::read_int() {
  unsigned char bytes[4];
  read(reinterpret_cast<char*>(bytes), 4);
  return static_cast<int32_t>(static_cast<uint32_t>(bytes[0]) << 24 | bytes[1] << 16 |
                              bytes[2] << 8 | bytes[3]);
}

std::string PythonWorker::read_text(int32_t size) {
  std::string text(static_cast<size_t>(size), '\0');
  read(text.data(), text.size());
  return text;
}

int64_t PythonWorker::read_long() {
  const auto high = static_cast<uint64_t>(static_cast<uint32_t>(read_int()));
  return static_cast<int64_t>(high << 32 | static_cast<uint32_t>(read_int()));
}

}  // namespace firesteel
