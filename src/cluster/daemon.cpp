// The stand-in for PySpark's daemon and worker, by the protocol of Spark 4.3.0 (pyspark/daemon.py,
// worker.py, worker_message.py): it says its port, and each connection gets a process that runs
// tasks one after the other, as long as Spark reuses it.
#include <arpa/inet.h>
#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <endian.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/archive.h"
#include "cluster/task_run.h"
#include "cluster/worker.h"

namespace firesteel::cluster {

namespace {

using nlohmann::json;

// pyspark.serializers.SpecialLengths
constexpr int32_t kEndOfData = -1, kException = -2, kTiming = -3, kEndOfStream = -4,
                  kStartArrow = -6, kStartInit = -8;
constexpr int32_t kAllGather = 2;  // pyspark.taskcontext.ALL_GATHER_FUNCTION

/// The other side is gone.
struct Disconnected {};

/// Big-endian numbers and framed texts over a socket, buffered both ways.
class Wire {
 public:
  explicit Wire(int socket) : socket_(socket), in_(1 << 18) {}

  void read(void* to, size_t size) {
    auto* out = static_cast<char*>(to);
    while (size > 0) {
      if (begin_ == end_) {
        if (size >= in_.size()) {
          const auto got = receive(out, size);
          out += got;
          size -= got;
          continue;
        }
        begin_ = 0;
        end_ = receive(in_.data(), in_.size());
      }
      const auto part = std::min(size, end_ - begin_);
      std::memcpy(out, in_.data() + begin_, part);
      begin_ += part;
      out += part;
      size -= part;
    }
  }
  int32_t read_int() {
    uint32_t value = 0;
    read(&value, sizeof value);
    return static_cast<int32_t>(be32toh(value));
  }
  std::string read_text() {
    std::string text(static_cast<size_t>(std::max(0, read_int())), '\0');
    read(text.data(), text.size());
    return text;
  }

  void write(const void* data, size_t size) {
    out_.append(static_cast<const char*>(data), size);
    if (out_.size() >= in_.size()) flush();
  }
  void write_int(int32_t value) {
    const uint32_t swapped = htobe32(static_cast<uint32_t>(value));
    write(&swapped, sizeof swapped);
  }
  void write_long(int64_t value) {
    const uint64_t swapped = htobe64(static_cast<uint64_t>(value));
    write(&swapped, sizeof swapped);
  }
  void write_text(std::string_view text) {
    write_int(static_cast<int32_t>(text.size()));
    write(text.data(), text.size());
  }
  void flush() {
    for (size_t at = 0; at < out_.size();) {
      const auto sent = ::send(socket_, out_.data() + at, out_.size() - at, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) throw Disconnected();
      at += static_cast<size_t>(sent);
    }
    out_.clear();
  }

 private:
  size_t receive(char* to, size_t size) {
    for (;;) {
      const auto got = ::recv(socket_, to, size, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) throw Disconnected();
      return static_cast<size_t>(got);
    }
  }

  const int socket_;
  std::vector<char> in_;
  size_t begin_ = 0, end_ = 0;
  std::string out_;
};

class WireInput : public arrow::io::InputStream {
 public:
  explicit WireInput(Wire& wire) : wire_(wire) {}
  arrow::Result<int64_t> Read(int64_t size, void* out) override {
    try {
      wire_.read(out, static_cast<size_t>(size));
    } catch (const Disconnected&) {
      return arrow::Status::IOError("Spark has ended the task");
    }
    position_ += size;
    return size;
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t size) override {
    ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::AllocateBuffer(size));
    ARROW_RETURN_NOT_OK(Read(size, buffer->mutable_data()));
    return std::shared_ptr<arrow::Buffer>(std::move(buffer));
  }
  arrow::Result<int64_t> Tell() const override { return position_; }
  arrow::Status Close() override { return arrow::Status::OK(); }
  bool closed() const override { return false; }

 private:
  Wire& wire_;
  int64_t position_ = 0;
};

class WireOutput : public arrow::io::OutputStream {
 public:
  explicit WireOutput(Wire& wire) : wire_(wire) {}
  arrow::Status Write(const void* data, int64_t size) override {
    try {
      wire_.write(data, static_cast<size_t>(size));
    } catch (const Disconnected&) {
      return arrow::Status::IOError("Spark has ended the task");
    }
    position_ += size;
    return arrow::Status::OK();
  }
  arrow::Result<int64_t> Tell() const override { return position_; }
  arrow::Status Close() override { return arrow::Status::OK(); }
  bool closed() const override { return false; }

 private:
  Wire& wire_;
  int64_t position_ = 0;
};

Error other_protocol() {
  return {"TASK_FAILED",
          "Spark's message to its worker is not that of Spark 4.3. Set firesteel.cluster.transport "
          "to python."};
}

/// The fields of Spark's init message, one behind the other.
class InitMessage {
 public:
  explicit InitMessage(std::string_view bytes) : rest_(bytes) {}
  int32_t read_int() {
    uint32_t value = 0;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return static_cast<int32_t>(be32toh(value));
  }
  bool read_bool() { return take(1)[0] != 0; }
  void skip_long() { take(8); }
  std::string_view read_text() { return take(static_cast<size_t>(std::max(0, read_int()))); }

 private:
  std::string_view take(size_t size) {
    if (size > rest_.size()) throw other_protocol();
    const auto out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  std::string_view rest_;
};

int connected(const json& where) {
  if (where.is_string()) {  // a path, or a port as text
    const std::string text = where;
    if (text.find('/') != std::string::npos) {
      const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      std::strncpy(address.sun_path, text.c_str(), sizeof address.sun_path - 1);
      if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
        return socket;
      throw Error("TASK_FAILED", "The barrier cannot be reached.");
    }
  }
  const int port = where.is_string() ? std::stoi(where.get<std::string>()) : where.get<int>();
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw Error("TASK_FAILED", "The barrier cannot be reached.");
  return socket;
}

/// BarrierTaskContext.allGather.
std::vector<std::string> all_gather(const json& context, const std::string& own) {
  const int socket = connected(context.at("connInfo"));
  try {
    Wire wire(socket);
    if (context.contains("secret") && context["secret"].is_string()) {
      wire.write_text(context["secret"].get<std::string>());
      wire.flush();
      if (wire.read_text() != "ok") throw Error("TASK_FAILED", "The barrier refuses the task.");
    }
    wire.write_int(kAllGather);
    wire.write_text(own);
    wire.flush();
    std::vector<std::string> all(static_cast<size_t>(std::max(0, wire.read_int())));
    for (auto& text : all) text = wire.read_text();
    ::close(socket);
    return all;
  } catch (const Disconnected&) {
    ::close(socket);
    throw Error("TASK_FAILED", "The tasks that run together were ended.");
  } catch (...) {
    ::close(socket);
    throw;
  }
}

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

TaskRequest request_of(const std::string& message, json* context) {
  InitMessage init(message);
  const auto partition = init.read_int();
  init.read_text();  // the version of Python
  *context = json::parse(init.read_text());
  init.read_text();  // the folder of the session's files
  for (auto left = init.read_int(); left > 0; --left) init.read_text();
  const bool decrypts = init.read_bool();
  if (decrypts || init.read_int() != 0)
    throw Error("TASK_FAILED", "Broadcast variables do not come to native workers.");
  init.read_int();  // the kind of function
  for (int i = 0; i < 2; ++i) {
    for (auto left = init.read_int(); left > 0; --left) {
      init.read_text();
      init.read_text();
    }
  }
  std::string_view command;
  for (auto functions = init.read_int(); functions > 0; --functions) {
    for (auto left = init.read_int(); left > 0; --left) {
      init.read_int();
      if (init.read_bool()) init.read_text();
    }
    for (auto left = init.read_int(); left > 0; --left) command = init.read_text();
    init.skip_long();
  }
  auto call = json::parse(command, nullptr, false);
  if (!call.is_object())
    throw Error("UNSUPPORTED_PYTHON_WORKER",
                "This session's workers run Firesteel's tasks, no Python functions. Set "
                "firesteel.cluster.transport to python to have both.");
  call["partition"] = partition;
  call["attempt"] = context->value("attemptNumber", 0);
  auto request = parse_request(call.dump());
  // What was sent along stands in the current folder.
  for (auto& folder : request.context.folders)
    folder = unpacked_once(folder.string(), folder.string() + ".tar");
  if (const auto gpu = context->value("resources", json::object()).value("gpu", json::object());
      gpu.contains("addresses")) {
    const auto addresses = gpu["addresses"].get<std::vector<std::string>>();
    ::setenv("CUDA_VISIBLE_DEVICES", fmt::format("{}", fmt::join(addresses, ",")).c_str(), 1);
  }
  return request;
}

void serve_task(Wire& wire) {
  const auto boot = now_ms();
  if (wire.read_int() != kStartInit) throw other_protocol();
  json context;
  auto request = request_of(wire.read_text(), &context);
  const auto started = now_ms();
  request.context.gather = [&context](const std::string& own) { return all_gather(context, own); };
  WireInput input(wire);
  WireOutput output(wire);
  run_task(request, input,
           {.stream = output, .struct_name = "_0", .begin = [&] { wire.write_int(kStartArrow); }});
  const auto ended = now_ms();
  wire.write_int(kTiming);
  for (const int64_t value : {boot, started, ended, ended - started, int64_t{0}, int64_t{0}})
    wire.write_long(value);
  wire.write_int(kEndOfData);
  wire.write_int(0);  // accumulators
  wire.flush();
  wire.write_int(wire.read_int() == kEndOfStream ? kEndOfStream : kEndOfData);
  wire.flush();
}

int serve_connection(int socket) {
  const int one = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  Wire wire(socket);
  try {
    wire.write_int(::getpid());
    wire.flush();
    if (const char* secret = std::getenv("PYTHON_WORKER_FACTORY_SECRET")) {
      const bool known = wire.read_text() == secret;
      wire.write_text(known ? "ok" : "err");
      wire.flush();
      if (!known) return 1;
    }
    do {
      try {
        serve_task(wire);
      } catch (const Disconnected&) {
        return 0;
      } catch (...) {
        wire.write_int(kException);
        wire.write_text(std::string(kErrorMark) + error_json(std::current_exception()) + "\n");
        wire.flush();
        // Spark reads to the end what it is told before it closes.
        char block[4096];
        while (::recv(socket, block, sizeof block, 0) > 0) {
        }
        return 1;
      }
    } while (std::getenv("SPARK_REUSE_WORKER"));
  } catch (const Disconnected&) {
  }
  return 0;
}

}  // namespace

int run_worker_daemon() {
  ::setpgid(0, 0);
  ::signal(SIGCHLD, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener, 1024) != 0)
    return 1;
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  const uint32_t port = htonl(ntohs(address.sin_port));
  if (::write(STDOUT_FILENO, &port, sizeof port) != sizeof port) return 1;
  ::dup2(STDERR_FILENO, STDOUT_FILENO);  // Nothing else belongs there.
  for (;;) {
    pollfd files[] = {{STDIN_FILENO, POLLIN, 0}, {listener, POLLIN, 0}};
    if (::poll(files, 2, -1) < 0) continue;
    if (files[0].revents != 0) {
      // A worker to be killed; the end: all of them.
      uint32_t pid = 0;
      if (::read(STDIN_FILENO, &pid, sizeof pid) != sizeof pid) {
        ::kill(0, SIGHUP);
        return 0;
      }
      ::kill(static_cast<pid_t>(be32toh(pid)), SIGKILL);
    }
    if ((files[1].revents & POLLIN) == 0) continue;
    const int socket = ::accept(listener, nullptr, nullptr);
    if (socket < 0) continue;
    if (::fork() == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(listener);
      ::signal(SIGHUP, SIG_DFL);
      ::signal(SIGCHLD, SIG_DFL);  // Tasks may have children of their own to wait for.
      ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
      std::_Exit(serve_connection(socket));
    }
    ::close(socket);
  }
}

}  // namespace firesteel::cluster
