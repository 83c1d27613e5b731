// MLflow's REST API (2.0). A thread of its own sends the records, so that a slow or absent server
// costs training nothing; what could not be sent waits for the next epoch's attempt.
#include <fmt/format.h>
#include <httplib.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "ml/tracking.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::json;
using std::chrono::seconds;

constexpr seconds kConnectTimeout{2}, kAnswerTimeout{5};
// What the end waits for records that are not sent yet, and how often it tries.
constexpr seconds kLastWait{15};
constexpr int kLastAttempts = 3;
constexpr std::chrono::milliseconds kPause{500};  // between them
// The server's own limits on one call.
constexpr size_t kMetricsMax = 1000, kParametersMax = 100, kParameterBytesMax = 500;

int64_t milliseconds_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

struct Record {
  enum class Kind { kStart, kEpoch, kEnd };
  Kind kind = Kind::kEpoch;
  std::vector<std::pair<std::string, double>> metrics;
  int64_t step = 0, time = milliseconds_now();
  TrackedRun run = {};      // of the start
  std::string status = {};  // of the end
};

/// The REST calls. Used by the sending thread alone. Its exceptions say why a call did not succeed.
class Server {
 public:
  Server(const TrackOptions& options, const fs::path& work)
      : address_(options.mlflow), experiment_(options.experiment), run_file_(work / "mlflow.run") {
    const auto slash = address_.find('/', address_.find("://") + 3);
    origin_ = address_.substr(0, slash);
    prefix_ = (slash == std::string::npos ? "" : address_.substr(slash)) + "/api/2.0/mlflow/";
    if (const char* token = std::getenv("MLFLOW_TRACKING_TOKEN")) token_ = token;
  }

  const std::string& address() const { return address_; }
  void connect();
  /// How many of the records were sent before one failed, and then why. `note` is what the server
  /// did not take and that does not matter to the others.
  size_t send(const std::deque<Record>& records, std::string* failure, std::string* note);

 private:
  struct Answer {
    int status = 0;
    Json json;
  };
  Answer call(const std::string& path, const Json* body, const httplib::Params& query = {});
  Json must(const Answer& answer) const;
  Json post(const std::string& path, const Json& body) { return must(call(path, &body)); }
  void begin(const Record& record, std::string* note);
  void log_metrics(const Json& metrics) {
    if (!metrics.empty()) post("runs/log-batch", {{"run_id", run_id_}, {"metrics", metrics}});
  }

  const std::string address_, experiment_;
  const fs::path run_file_;
  std::string origin_, prefix_, token_;
  std::string experiment_id_, run_id_;
};

Server::Answer Server::call(const std::string& path, const Json* body,
                            const httplib::Params& query) {
  httplib::Client client(origin_);
  client.set_connection_timeout(kConnectTimeout);
  client.set_read_timeout(kAnswerTimeout);
  client.set_write_timeout(kAnswerTimeout);
  client.set_follow_location(true);
  if (!token_.empty()) client.set_bearer_token_auth(token_);
  const auto result = body ? client.Post(prefix_ + path, body->dump(), "application/json")
                           : client.Get(prefix_ + path, query, httplib::Headers());
  if (result.error() == httplib::Error::Connection ||
      result.error() == httplib::Error::ConnectionTimeout) {
    throw std::runtime_error("it cannot be reached");
  }
  if (result.error() == httplib::Error::SSLServerVerification) {
    throw std::runtime_error("its certificate cannot be verified");
  }
  if (!result) {
    throw std::runtime_error(fmt::format("no answer ({})", httplib::to_string(result.error())));
  }
  return {result->status, Json::parse(result->body, nullptr, false)};
}

Json Server::must(const Answer& answer) const {
  if (answer.status < 300 && answer.json.is_object()) return answer.json;
  if (answer.status < 300) throw std::runtime_error("its answer is not that of an MLflow server");
  const bool says_why = answer.json.is_object() && answer.json.contains("message");
  throw std::runtime_error(
      says_why ? fmt::format("{} (HTTP {})", answer.json.value("message", ""), answer.status)
               : fmt::format("HTTP {}", answer.status));
}

void Server::connect() {
  if (!experiment_id_.empty()) return;
  auto found = call("experiments/get-by-name", nullptr, {{"experiment_name", experiment_}});
  experiment_id_ = found.status == 404 && found.json.is_object()
                       ? post("experiments/create", {{"name", experiment_}}).at("experiment_id")
                       : must(found).at("experiment").at("experiment_id");
}

void Server::begin(const Record& record, std::string* note) {
  connect();
  const TrackedRun& run = record.run;
  const std::string before = fs::exists(run_file_) ? read_file(run_file_) : "";
  bool goes_on = false;
  if (run_id_.empty() && run.resumed && before.starts_with(address_ + "\n")) {
    const auto id = before.substr(address_.size() + 1);
    const Json body = {{"run_id", id}, {"status", "RUNNING"}};
    if (call("runs/update", &body).status < 300) {
      run_id_ = id;
      goes_on = true;
    }
  }
  if (run_id_.empty()) {
    const char* user = std::getenv("USER");
    const auto tag = [](const char* key, const std::string& value) {
      return Json{{"key", key}, {"value", value}};
    };
    const auto made =
        post("runs/create", {{"experiment_id", experiment_id_},
                             {"run_name", run.name},
                             {"start_time", record.time},
                             {"tags", Json::array({tag("mlflow.source.name", run.pipeline.string()),
                                                   tag("mlflow.source.type", "LOCAL"),
                                                   tag("mlflow.user", user ? user : "")})}});
    run_id_ = made.at("run").at("info").at("run_id");
    write_file_aside(run_file_, address_ + "\n" + run_id_);
  }
  auto settings = run.settings;
  settings["label"] = run.label;
  for (const auto& [name, rows] : run.sizes) settings["rows." + name] = std::to_string(rows);
  Json parameters = Json::array();
  const auto log_parameters = [&] {
    if (parameters.empty()) return;
    const Json body = {{"run_id", run_id_}, {"params", parameters}};
    const auto answer = call("runs/log-batch", &body);
    if (answer.status != 400) {
      must(answer);
    } else if (!goes_on) {  // A run that goes on keeps those that it began with.
      *note = fmt::format("it refuses the settings: {}",
                          answer.json.is_object() ? answer.json.value("message", "") : "HTTP 400");
    }
    parameters = Json::array();
  };
  for (const auto& [key, value] : settings) {
    size_t bytes = std::min(value.size(), kParameterBytesMax);
    while (bytes < value.size() && bytes > 0 && (value[bytes] & 0xC0) == 0x80) --bytes;
    parameters.push_back({{"key", key}, {"value", value.substr(0, bytes)}});
    if (parameters.size() == kParametersMax) log_parameters();
  }
  log_parameters();
}

size_t Server::send(const std::deque<Record>& records, std::string* failure, std::string* note) {
  size_t sent = 0;
  try {
    while (sent < records.size()) {
      if (records[sent].kind == Record::Kind::kStart) {
        begin(records[sent], note);
        ++sent;
        continue;
      }
      Json metrics = Json::array();
      size_t next = sent;
      for (; next < records.size() && metrics.size() + records[next].metrics.size() <= kMetricsMax;
           ++next) {
        const Record& record = records[next];
        for (const auto& [key, value] : record.metrics) {
          metrics.push_back(
              {{"key", key}, {"value", value}, {"timestamp", record.time}, {"step", record.step}});
        }
      }
      log_metrics(metrics);
      const Record& last = records[next - 1];
      if (last.kind == Record::Kind::kEnd) {
        post("runs/update",
             {{"run_id", run_id_}, {"status", last.status}, {"end_time", last.time}});
      }
      sent = next;
    }
  } catch (const std::exception& error) {
    *failure = error.what();
  }
  return sent;
}

/// What the sending thread and its owner share. The thread may outlive the owner, in a call that
/// does not come back.
struct Outbox {
  explicit Outbox(Server its_server) : server(std::move(its_server)) {}

  Server server;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Record> waiting;
  bool wanted = false, busy = false, closed = false;
  std::string failure;                         // of the last attempt; empty when it succeeded
  bool warned = false, answers_again = false;  // told once each: a server may come and go
  std::vector<std::string> warnings;

  void attempt(std::unique_lock<std::mutex>& lock);
  void run();
};

void Outbox::attempt(std::unique_lock<std::mutex>& lock) {
  const auto records = waiting;
  wanted = false;
  busy = true;
  lock.unlock();
  std::string why, note;
  size_t sent = 0;
  try {
    server.connect();
    sent = server.send(records, &why, &note);
  } catch (const std::exception& error) {
    why = error.what();
  }
  lock.lock();
  busy = false;
  waiting.erase(waiting.begin(), waiting.begin() + static_cast<ptrdiff_t>(sent));
  failure = why;
  if (!note.empty()) warnings.push_back(fmt::format("MLflow at {}: {}", server.address(), note));
  if (!why.empty() && !warned) {
    warnings.push_back(
        fmt::format("MLflow at {}: {}; training goes on, and the records are sent again after each "
                    "epoch",
                    server.address(), why));
    warned = true;
  } else if (why.empty() && warned && !answers_again) {
    warnings.push_back(fmt::format("MLflow at {} has the records now", server.address()));
    answers_again = true;
  }
  changed.notify_all();
}

void Outbox::run() {
  // A connection that breaks is an error of the call, not a signal.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [&] { return wanted || closed; });
    if (!wanted) return;
    attempt(lock);
  }
}

class MlflowTracker : public Tracker {
 public:
  MlflowTracker(const TrackOptions& options, const fs::path& work)
      : required_(options.required),
        outbox_(std::make_shared<Outbox>(Server(options, work))),
        thread_([outbox = outbox_] { outbox->run(); }) {}

  ~MlflowTracker() override {
    bool busy;
    {
      std::lock_guard lock(outbox_->mutex);
      outbox_->closed = true;
      outbox_->wanted = false;
      busy = outbox_->busy;
    }
    outbox_->changed.notify_all();
    if (busy) {
      thread_.detach();
    } else {
      thread_.join();
    }
  }

  void check() override {
    if (!required_) return;
    std::unique_lock lock(outbox_->mutex);
    want();
    const bool answered = wait(lock, std::chrono::steady_clock::now() + kLastWait);
    if (answered && outbox_->failure.empty()) return;
    throw Error(
        "INVALID_OPTION",
        fmt::format("MLflow at {}, which [track] requires, cannot be used: {}. Start the "
                    "server, or take `required` away.",
                    outbox_->server.address(), answered ? outbox_->failure : "no answer in time"));
  }

  void start(const TrackedRun& run) override {
    put({.kind = Record::Kind::kStart, .metrics = {}, .run = run});
  }
  void epoch(const TrainProgress& progress) override {
    put({.metrics = scalars_of(progress), .step = progress.finished->epoch + 1});
  }
  void end(const TrackedEnd& end) override {
    put({.kind = Record::Kind::kEnd,
         .metrics = scalars_of(end),
         .step = end.epoch,
         .status = end.state == TrackedEnd::State::kFinished  ? "FINISHED"
                   : end.state == TrackedEnd::State::kStopped ? "KILLED"
                                                              : "FAILED"});
    std::unique_lock lock(outbox_->mutex);
    const auto deadline = std::chrono::steady_clock::now() + kLastWait;
    wait(lock, deadline);
    for (int i = 1; i < kLastAttempts && !outbox_->waiting.empty(); ++i) {
      outbox_->changed.wait_until(lock,
                                  std::min(deadline, std::chrono::steady_clock::now() + kPause),
                                  [] { return false; });
      want();
      wait(lock, deadline);
    }
    if (outbox_->waiting.empty()) return;
    outbox_->warnings.push_back(fmt::format(
        "MLflow at {}: {} {} not sent ({}){}", outbox_->server.address(), outbox_->waiting.size(),
        outbox_->waiting.size() == 1 ? "record was" : "records were",
        outbox_->failure.empty() ? "no answer in time" : outbox_->failure,
        end.state == TrackedEnd::State::kFailed ? "" : "; the run's log has all"));
  }

  std::vector<std::string> warnings() override {
    std::lock_guard lock(outbox_->mutex);
    return std::exchange(outbox_->warnings, {});
  }

 private:
  void put(Record record) {
    std::lock_guard lock(outbox_->mutex);
    outbox_->waiting.push_back(std::move(record));
    want();
  }
  void want() {
    outbox_->wanted = true;
    outbox_->changed.notify_all();
  }
  /// Until all attempts are done; false when that takes too long.
  bool wait(std::unique_lock<std::mutex>& lock, std::chrono::steady_clock::time_point deadline) {
    return outbox_->changed.wait_until(lock, deadline,
                                       [&] { return !outbox_->wanted && !outbox_->busy; });
  }

  const bool required_;
  std::shared_ptr<Outbox> outbox_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Tracker> mlflow_tracker(const TrackOptions& options, const fs::path& work) {
  return std::make_unique<MlflowTracker>(options, work);
}

}  // namespace firesteel
