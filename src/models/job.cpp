// Workers are processes of their own: libtorch's random numbers and thread pools are one per
// process, and one that crashes takes no other with it. A worker's standard output is its line to
// the one that started it.
#include "models/job.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "base/file.h"
#include "models/tabular_loaders.h"
#include "train/options_json.h"
#include "train/process_group.h"

extern char** environ;

namespace firesteel {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

void say(const json& line) {
  // Words that are not UTF-8 are kept readable rather than refused.
  fmt::print("{}\n", line.dump(-1, ' ', false, json::error_handler_t::replace));
  std::fflush(stdout);
}

json error_json(const Error& error) {
  return {{"error", {{"condition", error.condition()}, {"message", error.message()}}}};
}

/// The file of rows that are packed already.
OpenRows packed_already() {
  return []() -> ArrowStream {
    throw Error("PATH_NOT_FOUND",
                "The packed rows of the job are not there, or were packed from other data.");
  };
}

fs::path worker_program(const WorkerLaunch& launch) {
  if (!launch.program.empty()) return launch.program;
  std::error_code code;
  const auto beside = fs::read_symlink("/proc/self/exe", code).parent_path() / "firesteel-models";
  return fs::exists(beside, code) ? beside : fs::path("firesteel-models");
}

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

/// This machine's address as others reach it: Spark's, or that of the first interface that is up.
std::string own_address() {
  if (const char* given = std::getenv("SPARK_LOCAL_IP"); given && *given) return given;
  std::string found = "127.0.0.1";
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return found;
  for (const auto* one = all; one; one = one->ifa_next) {
    if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET) continue;
    if ((one->ifa_flags & IFF_LOOPBACK) != 0 || (one->ifa_flags & IFF_UP) == 0) continue;
    char text[INET_ADDRSTRLEN];
    const auto* address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
    if (::inet_ntop(AF_INET, &address->sin_addr, text, sizeof text)) {
      found = text;
      break;
    }
  }
  ::freeifaddrs(all);
  return found;
}

}  // namespace

void write_job(const fs::path& folder, const TabularModel& model, const TrainerOptions& options,
               const BatchOptions& batches) {
  fs::create_directories(folder);
  model.save(folder);
  const bool validated = fs::exists(batches.records / "validation.records");
  write_file_aside(
      folder / "job.json",
      json({{"trainer", options}, {"batches", batches}, {"validated", validated}}).dump(1) + "\n");
}

int run_worker(const fs::path& folder, const GroupOptions& group,
               const std::atomic<bool>* interrupt) {
  try {
    const auto job = json::parse(read_file(folder / "job.json"));
    TrainerOptions options = job.at("trainer");
    const BatchOptions batches = job.at("batches");
    options.group = group;
    options.interrupt = interrupt;
    TabularModel model = TabularModel::load(folder);
    const bool first = group.rank == 0;
    const auto result =
        model.train(packed_already(), job.at("validated") ? packed_already() : OpenRows(), options,
                    batches, [&](const TrainProgress& now) {
                      if (!first) return;
                      fmt::print("{}\n", progress_line(now));
                      std::fflush(stdout);
                    });
    if (first && !result.paused) {
      fs::create_directories(folder / "result");
      model.save(folder / "result");
      write_file_aside(folder / "result" / "training.json", training_text(result));
    }
    say({{"result", result}});
    return 0;
  } catch (const Error& error) {
    say(error_json(error));
    return error.condition() == "OPERATION_CANCELED" ? 130 : 1;
  } catch (const std::bad_alloc&) {
    say(error_json(Error("OUT_OF_MEMORY",
                         "A worker has no memory left. Lower `memory`, "
                         "`batch_size` or the number of workers.")));
    return 1;
  } catch (const std::exception& error) {
    say(error_json(Error("INTERNAL_ERROR", error.what())));
    return 1;
  }
}

TabularModel train_part(const PartWorker& worker, const OpenRows& rows, const OpenRows& validation,
                        const std::function<void(const TrainProgress&)>& progress,
                        TrainResult* result) {
  const auto saved = json::parse(read_file(worker.job / "job.json"));
  TrainerOptions options = saved.at("trainer");
  BatchOptions batches = saved.at("batches");
  TabularModel model = TabularModel::load(worker.job);
  batches.records = worker.scratch;
  batches.records_key = "part";
  const auto own_rows = pack_rows(model.specs(), rows, validation, options, &batches);

  const auto address = own_address();
  std::optional<Rendezvous> meeting;
  if (worker.rank == 0) meeting.emplace(address);
  const auto has_checkpoint = [&] {
    std::error_code none;
    return !worker.checkpoints.empty() && fs::exists(worker.checkpoints, none) &&
           !fs::is_empty(worker.checkpoints, none);
  };
  const json own = {{"rows", own_rows},
                    {"host", host_name()},
                    {"meeting", meeting ? meeting->address() : ""},
                    {"resumes", has_checkpoint()}};
  std::vector<json> all;
  for (const auto& text : worker.gather(own.dump())) all.push_back(json::parse(text));
  options.resume = true;
  bool on_one_host = true;
  for (const auto& one : all) {
    batches.rows_by_rank.push_back(one.at("rows"));
    options.resume = options.resume && one.at("resumes");
    on_one_host = on_one_host && one.at("host") == own["host"];
  }
  const std::string place = all.at(0).at("meeting");
  options.group = {.rank = worker.rank,
                   .world = worker.world,
                   .rendezvous = on_one_host ? "127.0.0.1" + place.substr(place.rfind(':')) : place,
                   .interface = on_one_host ? "127.0.0.1" : address};
  options.checkpoints = worker.checkpoints;
  *result = model.train(packed_already(), validation ? packed_already() : OpenRows(), options,
                        batches, progress);
  return model;
}

std::string progress_line(const TrainProgress& now) {
  json line = {{"progress", now}};
  if (now.finished) line["epoch"] = *now.finished;
  return line.dump();
}

void take_progress(const std::string& text,
                   const std::function<void(const TrainProgress&)>& progress) {
  const auto line = json::parse(text, nullptr, false);
  if (!line.is_object() || !line.contains("progress")) return;
  TrainProgress now = line["progress"];
  EpochRecord record;
  if (line.contains("epoch")) {
    record = line["epoch"];
    now.finished = &record;
  }
  progress(now);
}

std::string training_text(const TrainResult& result) { return json(result).dump(1) + "\n"; }

TrainResult training_of(const fs::path& folder) {
  return json::parse(read_file(folder / "result" / "training.json"));
}

WorkerProcess::WorkerProcess(const fs::path& job, const GroupOptions& group,
                             const WorkerLaunch& launch, int64_t threads) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) {
    throw Error("IO_ERROR", fmt::format("A worker cannot be started: {}.", std::strerror(errno)));
  }
  const fs::path program = worker_program(launch);
  std::vector<std::string> arguments = {program.string(),
                                        "worker",
                                        job.string(),
                                        "--rank",
                                        std::to_string(group.rank),
                                        "--world",
                                        std::to_string(group.world)};
  if (group.world > 1) {
    arguments.insert(arguments.end(), {"--rendezvous", group.rendezvous});
  }
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  // Threads that spin while they wait take the processor from the other workers.
  std::vector<std::string> environment = {fmt::format("OMP_NUM_THREADS={}", threads),
                                          "OMP_WAIT_POLICY=PASSIVE", "GOMP_SPINCOUNT=0"};
  for (char** variable = environ; *variable; ++variable) {
    const std::string_view text = *variable;
    if (!text.starts_with("OMP_NUM_THREADS=") && !text.starts_with("OMP_WAIT_POLICY=") &&
        !text.starts_with("GOMP_SPINCOUNT=")) {
      environment.emplace_back(text);
    }
  }
  std::vector<char*> envp;
  for (auto& variable : environment) envp.push_back(variable.data());
  envp.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, pipe[1], STDOUT_FILENO);
  // A group of its own: Ctrl-C reaches the one that started it, which passes it on once.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  const int code =
      ::posix_spawnp(&pid_, program.c_str(), &files, &attributes, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  ::close(pipe[1]);
  output_ = pipe[0];
  if (code != 0) {
    pid_ = -1;
    ::close(output_);
    throw Error("IO_ERROR", fmt::format("`{}`, which trains in workers, cannot be started: {}. It "
                                        "stands beside the program or on PATH.",
                                        program.string(), std::strerror(code)));
  }
  ::fcntl(output_, F_SETFL, O_NONBLOCK);
}

WorkerProcess::~WorkerProcess() {
  if (pid_ > 0) {
    kill();
    ::waitpid(pid_, nullptr, 0);
  }
  if (output_ >= 0) ::close(output_);
}

WorkerProcess::WorkerProcess(WorkerProcess&& other) noexcept { *this = std::move(other); }

WorkerProcess& WorkerProcess::operator=(WorkerProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(output_, other.output_);
  std::swap(status_, other.status_);
  std::swap(pending_, other.pending_);
  std::swap(result_, other.result_);
  std::swap(error_, other.error_);
  return *this;
}

bool WorkerProcess::poll(const std::function<void(const TrainProgress&)>& progress) {
  if (pid_ < 0) return false;
  // What it said before it ended is read after it is known to have ended.
  const bool ended = ::waitpid(pid_, &status_, WNOHANG) == pid_;
  char buffer[1 << 14];
  ssize_t count = 0;
  while ((count = ::read(output_, buffer, sizeof buffer)) > 0) {
    pending_.append(buffer, static_cast<size_t>(count));
  }
  for (size_t end = 0; (end = pending_.find('\n')) != std::string::npos;) {
    take(pending_.substr(0, end), progress);
    pending_.erase(0, end + 1);
  }
  if (ended) pid_ = -1;
  return !ended;
}

void WorkerProcess::take(const std::string& text,
                         const std::function<void(const TrainProgress&)>& progress) {
  const auto line = json::parse(text, nullptr, false);
  if (!line.is_object()) return;  // A library's own words.
  if (line.contains("progress") && progress) {
    take_progress(text, progress);
  } else if (line.contains("result")) {
    result_ = line["result"].get<TrainResult>();
  } else if (line.contains("error")) {
    error_ = Error(line["error"]["condition"], line["error"]["message"]);
  }
}

void WorkerProcess::interrupt() {
  if (pid_ > 0) ::kill(pid_, SIGINT);
}
void WorkerProcess::kill() {
  if (pid_ > 0) ::kill(pid_, SIGKILL);
}

std::string WorkerProcess::outcome() const {
  return WIFSIGNALED(status_) ? fmt::format("ended by signal {}", WTERMSIG(status_))
                              : fmt::format("ended with code {}", WEXITSTATUS(status_));
}

void wait_for_any(const std::vector<const WorkerProcess*>& workers, int timeout_ms) {
  std::vector<pollfd> files;
  for (const auto* worker : workers) {
    if (worker->pid() > 0) files.push_back({worker->output(), POLLIN, 0});
  }
  ::poll(files.data(), files.size(), timeout_ms);
}

int64_t pack_rows(const std::vector<EncoderSpec>& specs, const OpenRows& rows,
                  const OpenRows& validation, const TrainerOptions& options,
                  BatchOptions* batches) {
  fs::create_directories(batches->records);
  batches->share_records = true;
  if (batches->records_key.empty()) {
    throw Error("INVALID_OPTION", "Rows that processes share need a key.");
  }
  const auto pack = [&](const OpenRows& open, LoaderOptions loader) {
    loader.end_epoch = 0;
    return Loader(open, specs, loader).rows().value_or(0);
  };
  const auto count = pack(rows, training_loader(*batches, options, false));
  if (validation) pack(validation, validation_loader(*batches, options));
  return count;
}

TrainResult train_in_workers(TabularModel* model, const OpenRows& rows, const OpenRows& validation,
                             TrainerOptions options, BatchOptions batches, int64_t workers,
                             const fs::path& job, const WorkerLaunch& launch,
                             const std::function<void(const TrainProgress&)>& progress,
                             const std::function<void(const std::string&)>& log) {
  const auto* interrupt = options.interrupt;
  if (options.checkpoints.empty()) options.checkpoints = job / "checkpoints";
  pack_rows(model->specs(), rows, validation, options, &batches);
  const int64_t cores = std::max(1u, std::thread::hardware_concurrency());
  const int64_t threads =
      launch.threads > 0 ? launch.threads : std::max<int64_t>(1, cores / workers);

  int64_t epoch_reached = options.resume ? -1 : 0;
  for (int restarts = 0;; ++restarts) {
    write_job(job, *model, options, batches);
    const Rendezvous meeting;
    std::vector<WorkerProcess> processes;
    for (int64_t rank = 0; rank < workers; ++rank) {
      processes.emplace_back(
          job, GroupOptions{.rank = rank, .world = workers, .rendezvous = meeting.address()},
          launch, threads);
    }
    std::vector<const WorkerProcess*> all;
    for (const auto& process : processes) all.push_back(&process);
    const auto note = [&](const TrainProgress& now) {
      if (now.epoch > epoch_reached) {
        epoch_reached = now.epoch;
        restarts = 0;
      }
      if (progress) progress(now);
    };
    const WorkerProcess* lost = nullptr;
    bool interrupted = false;
    for (bool running = true; running;) {
      wait_for_any(all, 50);
      running = false;
      for (auto& process : processes) {
        if (process.pid() < 0) continue;
        if (process.poll(note)) {
          running = true;
        } else if (!process.result() && !process.error() && !lost) {
          lost = &process;
        }
      }
      if (lost) {  // The others wait for it in vain.
        for (auto& process : processes) process.kill();
      }
      if (interrupt && interrupt->load() && !std::exchange(interrupted, true)) {
        for (auto& process : processes) process.interrupt();
      }
    }
    // The cause comes first: a worker that lost the others is the consequence.
    const Error* failed = nullptr;
    for (const auto& process : processes) {
      if (process.error() && (!failed || failed->condition() == "WORKER_LOST")) {
        failed = &*process.error();
      }
    }
    if (failed && failed->condition() != "WORKER_LOST") throw *failed;
    if (!failed && !lost) {
      const TrainResult result = *processes[0].result();
      if (!result.paused) *model = TabularModel::load(job / "result");
      return result;
    }
    const std::string what =
        lost ? fmt::format("A worker {}.", lost->outcome()) : failed->message();
    if (interrupted) throw Error("OPERATION_CANCELED", fmt::format("{} It was interrupted.", what));
    if (restarts >= launch.restarts_max) {
      throw Error("WORKER_LOST",
                  fmt::format("{} Training was started again {} times from its last checkpoint "
                              "without getting further; the checkpoints are in `{}`.",
                              what, restarts, options.checkpoints.string()));
    }
    if (log) log(fmt::format("{} All start again from the last checkpoint", what));
    options.resume = true;
  }
}

}  // namespace firesteel
