// Starts pyspark's daemon and connects to it.
#include "engine/python_daemon.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/error.h"

extern char** environ;

namespace firesteel {

namespace {

constexpr auto kIdleTime = std::chrono::minutes(1);
constexpr size_t kIdleMax = 8;
constexpr int kStartMs = 60000;

/// Says pyspark's version, or what is wrong, and becomes its daemon. Its workers are pyspark's own,
/// but that what they have written goes out before they wait for more: an expression's rows are
/// awaited one vector at a time. What is sent first says which of its workers.
constexpr const char* kStart =
    "import atexit, importlib, io, os, shutil, struct, sys, types\n"
    "atexit.register(shutil.rmtree, os.environ['PYTHON_WORKER_FACTORY_SOCK_DIR'], True)\n"
    "def work(infile, outfile):\n"
    "    class Reader(io.BufferedReader):\n"
    "        def read(self, size=-1):\n"
    "            outfile.flush()\n"
    "            return super().read(size)\n"
    "    reader = Reader(infile.detach(), 65536)\n"
    "    size = reader.read(4)\n"
    "    if len(size) < 4:\n"  // nobody wants an idle worker any more
    "        sys.exit(1)\n"
    "    name = reader.read(struct.unpack('>i', size)[0]).decode()\n"
    "    importlib.import_module(name).main(reader, outfile)\n"
    "module = types.ModuleType('pyspark.prompt_worker')\n"
    "module.main = work\n"
    "sys.modules[module.__name__] = module\n"
    "sys.argv = ['pyspark.daemon', module.__name__]\n"
    "sys.path.append(os.environ['PYTHON_WORKER_FACTORY_SOCK_DIR'])\n"
    "def say(text):\n"
    "    data = text.encode()\n"
    "    sys.stdout.buffer.write(struct.pack('>i', len(data)) + data)\n"
    "    sys.stdout.buffer.flush()\n"
    "try:\n"
    "    from pyspark.version import __version__\n"
    "    version = __version__ + ' %d.%d' % sys.version_info[:2]\n"
    "    import pyspark.daemon\n"
    "except BaseException as error:\n"
    "    say('!' + type(error).__name__ + ': ' + str(error))\n"
    "    sys.exit(1)\n"
    "say(version)\n"
    "pyspark.daemon.manager()\n";

/// Modules of ours that workers find.
constexpr std::pair<const char*, std::string_view> kModules[] = {{
                                                                     "firesteel_routine",
#include "python_routine.inc"
                                                                 },
                                                                 {
                                                                     "firesteel_source",
#include "python_source.inc"
                                                                 }};

[[noreturn]] void not_started(const PythonSetup& setup, const std::string& why) {
  throw Error("PYTHON_WORKER_NOT_STARTED",
              fmt::format("Cannot run Python functions with `{}`: {}. Name a Python that has "
                          "pyspark, pandas and pyarrow by the config "
                          "`spark.sql.execution.pyspark.python` or the environment variable "
                          "PYSPARK_PYTHON.",
                          setup.program, why));
}

std::string random_text() {
  unsigned char bytes[24];
  std::string text;
  if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes) return "secret";
  for (const auto byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

/// Reads so many bytes of a pipe or socket, within a time.
bool read_all(int from, char* out, size_t count, int timeout_ms) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (count > 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    pollfd waiting{.fd = from, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::max<int64_t>(0, left.count())));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const auto got = ::read(from, out, count);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    out += got;
    count -= static_cast<size_t>(got);
  }
  return true;
}

bool read_number(int from, int32_t& number, int timeout_ms) {
  unsigned char bytes[4];
  if (!read_all(from, reinterpret_cast<char*>(bytes), 4, timeout_ms)) return false;
  number = static_cast<int32_t>(static_cast<uint32_t>(bytes[0]) << 24 | bytes[1] << 16 |
                                bytes[2] << 8 | bytes[3]);
  return true;
}

bool read_text(int from, std::string& text, int timeout_ms) {
  int32_t size = 0;
  if (!read_number(from, size, timeout_ms) || size < 0 || size > 1 << 20) return false;
  text.resize(static_cast<size_t>(size));
  return read_all(from, text.data(), text.size(), timeout_ms);
}

void write_number(int to, int32_t number) {
  const unsigned char bytes[4] = {
      static_cast<unsigned char>(number >> 24), static_cast<unsigned char>(number >> 16),
      static_cast<unsigned char>(number >> 8), static_cast<unsigned char>(number)};
  [[maybe_unused]] const auto written = ::write(to, bytes, 4);
}

std::vector<std::string> environment(const std::map<std::string, std::string>& added) {
  std::vector<std::string> list;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text = *entry;
    if (!added.contains(std::string(text.substr(0, text.find('='))))) list.emplace_back(text);
  }
  for (const auto& [name, value] : added) list.push_back(name + "=" + value);
  return list;
}

bool at_least_4_1(const std::string& version) {
  int major = 0, minor = 0;
  std::sscanf(version.c_str(), "%d.%d", &major, &minor);
  return major > 4 || (major == 4 && minor >= 1);
}

}  // namespace

std::shared_ptr<PythonDaemon> PythonDaemon::of(const PythonSetup& setup) {
  static std::mutex mutex;
  static std::map<PythonSetup, std::shared_ptr<PythonDaemon>> daemons;
  std::vector<std::shared_ptr<PythonDaemon>> ended;  // outside of the lock: ending takes a while
  std::lock_guard lock(mutex);
  for (auto entry = daemons.begin(); entry != daemons.end();) {
    const bool other = entry->first != setup;
    if (other ? entry->second->unused() : !entry->second->lives()) {
      ended.push_back(std::move(entry->second));
      entry = daemons.erase(entry);
    } else {
      ++entry;
    }
  }
  auto& daemon = daemons[setup];
  if (!daemon) {
    try {
      daemon = std::make_shared<PythonDaemon>(setup);
    } catch (...) {
      daemons.erase(setup);
      throw;
    }
  }
  return daemon;
}

PythonDaemon::PythonDaemon(const PythonSetup& setup) {
  try {
    start(setup);
    read_start(setup);
  } catch (...) {
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
    }
    for (const int end : {to_daemon_, from_daemon_})
      if (end >= 0) ::close(end);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
    throw;
  }
  // What functions print comes here behind the daemon's own words.
  printed_ = std::thread([from = from_daemon_] {
    char buffer[4096];
    for (;;) {
      const auto got = ::read(from, buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return;
      [[maybe_unused]] const auto written =
          ::write(STDERR_FILENO, buffer, static_cast<size_t>(got));
    }
  });
}

void PythonDaemon::start(const PythonSetup& setup) {
  auto pattern = (std::filesystem::temp_directory_path() / "firesteel-python-XXXXXX").string();
  if (!::mkdtemp(pattern.data())) not_started(setup, std::strerror(errno));
  folder_ = pattern;
  for (const auto& [name, text] : kModules)
    std::ofstream(fmt::format("{}/{}.py", folder_, name)) << text;
  secret_ = random_text();
  std::map<std::string, std::string> added = {
      {"PYTHONUNBUFFERED", "YES"},
      {"PYTHON_UNIX_DOMAIN_ENABLED", "true"},
      {"PYTHON_WORKER_FACTORY_SOCK_DIR", folder_},
      {"PYTHON_WORKER_FACTORY_SECRET", secret_},
      {"PYTHON_UDF_BATCH_SIZE", "1"},  // a vector's last results must not wait for more
      {"SPARK_REUSE_WORKER", "1"},
      {"SPARK_PYTHON_RUNTIME", "PYTHON_WORKER"},
      {"SPARK_SIMPLIFIED_TRACEBACK", "1"}};
  if (!std::getenv("OMP_NUM_THREADS")) added["OMP_NUM_THREADS"] = "1";
  if (setup.memory_mb > 0) added["PYSPARK_EXECUTOR_MEMORY_MB"] = std::to_string(setup.memory_mb);
  auto texts = environment(added);
  std::vector<char*> variables;
  for (auto& text : texts) variables.push_back(text.data());
  variables.push_back(nullptr);

  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) != 0) not_started(setup, std::strerror(errno));
  to_daemon_ = in[1];
  if (::pipe2(out, O_CLOEXEC) != 0) {
    ::close(in[0]);
    not_started(setup, std::strerror(errno));
  }
  from_daemon_ = out[0];
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  if (!setup.folder.empty()) ::posix_spawn_file_actions_addchdir_np(&actions, setup.folder.c_str());
  std::string program = setup.program, option = "-c", script = kStart;
  char* const arguments[] = {program.data(), option.data(), script.data(), nullptr};
  const int failed =
      ::posix_spawnp(&process_, program.c_str(), &actions, nullptr, arguments, variables.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(in[0]);
  ::close(out[1]);
  if (failed) {
    process_ = -1;
    not_started(setup, std::strerror(failed));
  }
}

void PythonDaemon::read_start(const PythonSetup& setup) {
  if (!read_text(from_daemon_, version_, kStartMs))
    not_started(setup, "it ended before it said its version of pyspark");
  if (version_.starts_with("!")) not_started(setup, version_.substr(1));
  python_version_ = version_.substr(version_.find(' ') + 1);
  version_.resize(version_.find(' '));
  local_ = at_least_4_1(version_);
  int32_t port = 0;
  const bool known = local_ ? read_text(from_daemon_, address_, kStartMs)
                            : read_number(from_daemon_, port, kStartMs);
  if (!known) not_started(setup, "its daemon ended");
  if (!local_) address_ = std::to_string(port);
}

PythonDaemon::~PythonDaemon() {
  for (const auto& worker : idle_) ::close(worker.socket);
  ::close(to_daemon_);  // it takes this as the end, and ends its workers
  for (int tries = 0; process_ > 0; ++tries) {
    if (::waitpid(process_, nullptr, WNOHANG) != 0) break;
    if (tries == 200) {
      ::kill(-process_, SIGKILL);  // it leads a process group
      ::kill(process_, SIGKILL);
    }
    ::usleep(10000);
  }
  if (printed_.joinable()) printed_.join();
  ::close(from_daemon_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

bool PythonDaemon::lives() {
  std::lock_guard lock(mutex_);
  if (process_ > 0 && ::waitpid(process_, nullptr, WNOHANG) != 0) process_ = -1;
  return process_ > 0;
}

bool PythonDaemon::unused() {
  std::lock_guard lock(mutex_);
  drop_old();
  return active_ == 0 && idle_.empty();
}

void PythonDaemon::drop_old() {
  const auto now = Clock::now();
  std::erase_if(idle_, [&](const Idle& worker) {
    if (now - worker.since < kIdleTime) return false;
    ::close(worker.socket);
    write_number(to_daemon_, worker.process);
    return true;
  });
}

int PythonDaemon::connect() {
  const int made = ::socket(local_ ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (made < 0) return -1;
  int failed = 0;
  if (local_) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, address_.c_str(), sizeof address.sun_path - 1);
    failed = ::connect(made, reinterpret_cast<sockaddr*>(&address), sizeof address);
  } else {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(std::stoi(address_)));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    failed = ::connect(made, reinterpret_cast<sockaddr*>(&address), sizeof address);
    const int on = 1;
    ::setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  if (!failed) {
    const int size = 1 << 20;
    ::setsockopt(made, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return made;
  }
  ::close(made);
  return -1;
}

std::unique_ptr<PythonWorker> PythonDaemon::take() {
  std::unique_lock lock(mutex_);
  drop_old();
  while (!idle_.empty()) {
    const auto worker = idle_.back();
    idle_.pop_back();
    pollfd state{.fd = worker.socket, .events = POLLIN, .revents = 0};
    if (::poll(&state, 1, 0) == 0) {  // an idle one that says something has ended
      ++active_;
      lock.unlock();
      auto taken = std::unique_ptr<PythonWorker>(
          new PythonWorker(shared_from_this(), worker.socket, worker.process));
      taken->version_ = version_;
      taken->python_version_ = python_version_;
      return taken;
    }
    ::close(worker.socket);
  }
  lock.unlock();
  const int made = connect();
  int32_t process = 0;
  if (made < 0 || !read_number(made, process, kStartMs) || process < 0) {
    if (made >= 0) ::close(made);
    throw Error("PYTHON_WORKER_NOT_STARTED", "The Python daemon did not start a worker.");
  }
  if (!local_) {  // who connects proves to be its parent
    write_number(made, static_cast<int32_t>(secret_.size()));
    [[maybe_unused]] const auto written = ::write(made, secret_.data(), secret_.size());
    std::string answer;
    if (!read_text(made, answer, kStartMs) || answer != "ok") {
      ::close(made);
      throw Error("PYTHON_WORKER_NOT_STARTED", "The Python worker refused the connection.");
    }
  }
  lock.lock();
  ++active_;
  lock.unlock();
  auto taken = std::unique_ptr<PythonWorker>(new PythonWorker(shared_from_this(), made, process));
  taken->version_ = version_;
  taken->python_version_ = python_version_;
  return taken;
}

void PythonDaemon::give_back(int socket, int process) {
  std::unique_lock lock(mutex_);
  --active_;
  drop_old();
  if (idle_.size() < kIdleMax) {
    idle_.push_back({socket, process, Clock::now()});
    return;
  }
  ::close(socket);
  write_number(to_daemon_, process);
}

void PythonDaemon::kill(int socket, int process) {
  std::lock_guard lock(mutex_);
  --active_;
  ::close(socket);
  write_number(to_daemon_, process);  // its parent kills it: the number cannot be another's by now
}

}  // namespace firesteel
