// firesteel watch: a run's log, followed while it grows and drawn as the run itself would.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/quantity.h"
#include "cli/commands.h"
#include "cli/run_log.h"
#include "cli/run_view.h"

namespace firesteel::cli {

namespace fs = std::filesystem;

namespace {

/// The lines of a file as they come.
class Follower {
 public:
  explicit Follower(fs::path file) : file_(std::move(file)) {}
  ~Follower() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  /// The next whole line, if it is there already.
  std::optional<std::string> next() {
    for (;;) {
      const auto end = buffer_.find('\n', at_);
      if (end != std::string::npos) {
        std::string line = buffer_.substr(at_, end - at_);
        at_ = end + 1;
        return line;
      }
      buffer_.erase(0, at_);
      at_ = 0;
      if (descriptor_ < 0) descriptor_ = ::open(file_.c_str(), O_RDONLY | O_CLOEXEC);
      if (descriptor_ < 0) return std::nullopt;
      char bytes[1 << 16];
      const auto got = ::read(descriptor_, bytes, sizeof bytes);
      if (got <= 0) return std::nullopt;
      buffer_.append(bytes, static_cast<size_t>(got));
    }
  }
  /// Whether the file is there, or what is read has been removed since.
  bool opened() const { return descriptor_ >= 0; }
  bool removed() const {
    struct stat status {};
    return descriptor_ >= 0 && ::fstat(descriptor_, &status) == 0 && status.st_nlink == 0;
  }
  void open(fs::path file) {
    file_ = std::move(file);
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
    buffer_.clear();
    at_ = 0;
  }

 private:
  fs::path file_;
  int descriptor_ = -1;
  std::string buffer_;
  size_t at_ = 0;
};

/// The log itself, a work folder, or an artifact, of which a run that is under way comes first.
fs::path log_of(fs::path given) {
  if (!given.has_filename()) given = given.parent_path();
  const fs::path work(given.string() + ".work");
  for (const auto& folder : {work, given}) {
    // Before training starts there is no log yet.
    const bool is_work = folder.extension() == ".work" && fs::is_directory(folder);
    if (is_work || fs::exists(folder / "log.jsonl")) return folder / "log.jsonl";
  }
  if (fs::is_regular_file(given) || fs::is_character_file(given)) return given;
  throw Error("PATH_NOT_FOUND",
              fs::exists(given)
                  ? fmt::format("`{}` holds no log.jsonl: it is neither the folder of a run nor an "
                                "artifact that has one.",
                                given.string())
                  : fmt::format("There is neither a run nor an artifact `{}`.", given.string()));
}

/// Where no terminal is: a line for each epoch after this one, and one for the end.
void print_lines(const RunPicture& picture, int64_t after) {
  for (const auto& row : picture.done) {
    if (row.epoch <= after) continue;
    fmt::print("epoch {}/{}  loss {:.4f}  {} rows/s", row.epoch, picture.epochs, row.loss,
               count_text(row.rows_per_second));
    if (std::isfinite(row.validation)) {
      fmt::print("  validation {} {:.4f}", picture.metric, row.validation);
    }
    fmt::print("\n");
  }
  switch (picture.state) {
    case RunPicture::State::kTraining:
      break;
    case RunPicture::State::kFinished:
      fmt::print("finished\n");
      break;
    case RunPicture::State::kStopped:
      fmt::print("stopped: {}\n", picture.note);
      break;
    case RunPicture::State::kFailed:
      fmt::print("failed: {}\n", picture.note);
      break;
  }
  std::fflush(stdout);
}

int watch(fs::path log) {
  Follower lines(log);
  RunLog run;
  int64_t printed = 0;  // the last epoch that was
  std::optional<RunView> view;
  if (RunView::possible(stdout)) view.emplace(stdout);
  const auto fail = [&](const std::string& why) {
    run.picture.state = RunPicture::State::kFailed;
    run.picture.note = why;
  };
  for (;;) {
    // Looked at before the last lines are read, which it may write meanwhile.
    const bool gone = run.gone(), removed = lines.removed();
    bool changed = false;
    while (const auto line = lines.next()) changed = run.take(*line) || changed;
    if (!run.ended()) {
      if (gone && !changed) {
        fail(fmt::format("its process {} ended without a word", run.process));
      } else if (removed && fs::exists(log)) {  // the run began anew
        lines.open(log);
        printed = 0;
        continue;
      } else if ((removed || !lines.opened()) && !fs::is_directory(log.parent_path())) {
        // A run that ended before its log was opened has left it in the artifact.
        const auto work = log.parent_path();
        const auto artifact = fs::path(work).replace_extension() / "log.jsonl";
        if (work.extension() == ".work" && fs::exists(artifact)) {
          lines.open(log = artifact);
          continue;
        }
        fail("its log was removed");
      }
      if (!run.started && run.picture.state == RunPicture::State::kTraining) {
        run.picture.pipeline = log.string();
        run.picture.note = "waiting for the training to start";
      }
    }
    if (view) {
      view->show(run.picture, true);
    } else {
      print_lines(run.picture, printed);
      if (!run.picture.done.empty()) printed = run.picture.done.back().epoch;
    }
    if (run.picture.state != RunPicture::State::kTraining) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  return run.picture.state == RunPicture::State::kFinished ? 0 : 1;
}

}  // namespace

Run watch_command(CLI::App& app, const GlobalOptions&) {
  auto path = std::make_shared<std::string>();
  app.add_option(
         "path", *path,
         "The output folder of a run, its work folder, or a log (JSON lines); it is followed "
         "until the run ends. The exit code is 0 when it finished")
      ->required();
  return [path] { return watch(fs::absolute(log_of(*path))); };
}

}  // namespace firesteel::cli
