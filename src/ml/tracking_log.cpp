// A run as JSON lines: one object per event, appended and flushed line by line, so that another
// program may read along and runs may share a file.
#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "ml/tracking.h"
#include "train/metrics.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json event(const char* kind, const std::string& run) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto milliseconds = now.time_since_epoch().count();
  const auto time =
      fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                  fmt::gmtime(static_cast<std::time_t>(milliseconds / 1000)), milliseconds % 1000);
  return {{"event", kind}, {"run", run}, {"time", time}};
}

std::string line_of(const Json& json) {
  // Paths may hold bytes that are no UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

class LogTracker : public Tracker {
 public:
  explicit LogTracker(const fs::path& file) : file_(fs::absolute(file)) {}
  ~LogTracker() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  void check() override {
    std::error_code ignored;
    fs::path existing = file_;
    while (!fs::exists(existing, ignored) && existing.has_relative_path()) {
      existing = existing.parent_path();
    }
    if (existing == file_ ? fs::is_directory(existing) : !fs::is_directory(existing)) {
      throw Error("IO_ERROR",
                  fmt::format("The log `{}` cannot be written: `{}` is {} folder.", file_.string(),
                              existing.string(), existing == file_ ? "a" : "no"));
    }
    if (::access(existing.c_str(), W_OK) != 0) refuse();
  }

  void start(const TrackedRun& run) override {
    std::error_code ignored;
    fs::create_directories(file_.parent_path(), ignored);
    descriptor_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (descriptor_ < 0) refuse();
    run_ = run.name;
    // A run that was killed may have left a part of a line.
    char last = '\n';
    const auto size = ::lseek(descriptor_, 0, SEEK_END);
    torn_ = size > 0 && ::pread(descriptor_, &last, 1, size - 1) == 1 && last != '\n';
    Json json = event("start", run_);
    json["pipeline"] = run.pipeline.string();
    json["output"] = run.output.string();
    json["model"] = run.model;
    json["label"] = run.label;
    json["epochs"] = run.epochs;
    json["resumed"] = run.resumed;
    char host[256] = "";
    ::gethostname(host, sizeof host - 1);
    json["host"] = host;
    json["process"] = ::getpid();
    json["rows"] = Json::object();
    for (const auto& [name, rows] : run.sizes) json["rows"][name] = rows;
    json["settings"] = run.settings;
    write(line_of(json));
  }

  void progress(const TrainProgress& progress) override {
    const auto now = std::chrono::steady_clock::now();
    if (now - told_ < std::chrono::seconds(1)) return;
    told_ = now;
    Json json = event("progress", run_);
    json["epoch"] = progress.epoch + 1;
    json["rows"] = progress.rows_done;
    json["rows_total"] = progress.rows_total;
    json["loss"] = number(progress.loss);
    json["rows_per_second"] = number(progress.rows_per_second);
    json["waited_share"] = number(progress.waited_share);
    json["seconds_left"] = number(progress.seconds_left);
    write(line_of(json));
  }

  void epoch(const TrainProgress& progress) override {
    const EpochRecord& record = *progress.finished;
    Json json = event("epoch", run_);
    json["epoch"] = record.epoch + 1;
    json["loss"] = number(record.loss);
    json["learning_rate"] = number(record.learning_rate);
    json["metric"] = progress.metric;
    json["larger_is_better"] = larger_is_better(progress.metric);
    json["validation"] = number(record.validation);
    json["validation_loss"] = number(record.validation_loss);
    json["rows_per_second"] = number(progress.rows_per_second);
    json["waited_share"] = number(progress.waited_share);
    json["seconds"] = number(record.seconds);
    json["seconds_left"] = number(progress.seconds_left);
    write(line_of(json));
    told_ = std::chrono::steady_clock::now();
  }

  void end(const TrackedEnd& end) override { write(log_end(run_, end)); }

  std::vector<std::string> warnings() override { return std::exchange(warnings_, {}); }

 private:
  [[noreturn]] void refuse() const {
    throw Error("IO_ERROR", fmt::format("The log `{}` cannot be written: {}.", file_.string(),
                                        std::strerror(errno)));
  }

  /// In one call, so that the lines of runs that share a file stay whole.
  void write(std::string line) {
    if (descriptor_ < 0) return;
    if (torn_) line.insert(0, "\n");
    const auto written = ::write(descriptor_, line.data(), line.size());
    const int code = errno;
    if (written > 0) torn_ = line[static_cast<size_t>(written) - 1] != '\n';
    if (written == static_cast<ssize_t>(line.size())) return;
    if (lost_++ > 0) return;
    warnings_.push_back(fmt::format("the log {} cannot be written, training goes on without: {}",
                                    file_.string(),
                                    written < 0 ? std::strerror(code) : "it is full"));
  }

  const fs::path file_;
  std::string run_;
  int descriptor_ = -1;
  bool torn_ = false;  // the file ends with a part of a line
  int64_t lost_ = 0;
  std::vector<std::string> warnings_;
  std::chrono::steady_clock::time_point told_ = std::chrono::steady_clock::now();
};

}  // namespace

std::unique_ptr<Tracker> log_tracker(const fs::path& file) {
  return std::make_unique<LogTracker>(file);
}

std::string log_end(const std::string& run, const TrackedEnd& end) {
  Json json = event("end", run);
  json["state"] = end.state == TrackedEnd::State::kFinished  ? "finished"
                  : end.state == TrackedEnd::State::kStopped ? "stopped"
                                                             : "failed";
  if (end.state != TrackedEnd::State::kFinished) {
    json["error"] = end.error;
    return line_of(json);
  }
  json["epoch"] = end.epoch;
  for (const auto& model : end.models) {
    for (const auto& [name, value] : model.metrics) json["test"][model.name][name] = number(value);
  }
  return line_of(json);
}

}  // namespace firesteel
