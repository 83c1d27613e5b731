// Every field may be absent or of another type: a log may stem from another version, or be damaged.
#include "cli/run_log.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace firesteel::cli {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::json;

double number(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number() ? found->get<double>() : RunPicture::kUnknown;
}

// What is larger than this is no duration, speed or epoch.
constexpr double kMost = 1e15;

double or_zero(double value) { return value > 0 ? std::min(value, kMost) : 0; }

int64_t whole(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number_integer()
             ? static_cast<int64_t>(or_zero(found->get<double>()))
             : 0;
}

std::string text(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

bool RunLog::take(const std::string& line) {
  const auto json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return false;  // a run that was killed may leave a part of a line
  const auto event = text(json, "event");
  if (event == "start") {
    const auto resumed = json.find("resumed");
    const bool goes_on =
        started && resumed != json.end() && *resumed == true && text(json, "run") == picture.run;
    if (!goes_on) picture = {};
    picture.state = RunPicture::State::kTraining;
    picture.note.clear();
    picture.run = text(json, "run");
    picture.pipeline = fs::path(text(json, "pipeline")).filename().string();
    picture.model = text(json, "model");
    picture.epochs = whole(json, "epochs");
    host = text(json, "host");
    process = whole(json, "process");
    started = true;
    return true;
  }
  // Several runs may write into one file at once.
  if (!started || text(json, "run") != picture.run) return false;
  const auto speed = [&] {
    picture.rows_per_second = or_zero(number(json, "rows_per_second"));
    picture.waited_share = or_zero(number(json, "waited_share"));
    picture.seconds_left = or_zero(number(json, "seconds_left"));
  };
  if (event == "progress") {
    const auto rows = number(json, "rows_total");
    picture.progress(whole(json, "epoch"), rows > 0 ? number(json, "rows") / rows : 0,
                     number(json, "loss"));
    speed();
  } else if (event == "epoch") {
    picture.metric = text(json, "metric");
    const auto larger = json.find("larger_is_better");
    picture.larger_is_better = larger != json.end() && *larger == true;
    picture.finish({.epoch = whole(json, "epoch"),
                    .loss = number(json, "loss"),
                    .validation = number(json, "validation"),
                    .learning_rate = number(json, "learning_rate"),
                    .rows_per_second = or_zero(number(json, "rows_per_second")),
                    .waited_share = or_zero(number(json, "waited_share")),
                    .seconds = or_zero(number(json, "seconds"))});
    speed();
  } else if (event == "end") {
    const auto state = text(json, "state");
    picture.state = state == "finished"  ? RunPicture::State::kFinished
                    : state == "stopped" ? RunPicture::State::kStopped
                                         : RunPicture::State::kFailed;
    picture.note = text(json, "error");
    if (const auto test = json.find("test"); test != json.end() && test->is_object()) {
      for (const auto& [model, metrics] : test->items()) {
        if (!metrics.is_object()) continue;
        for (const auto& [name, value] : metrics.items()) {
          if (value.is_number()) picture.test[model][name] = value.get<double>();
        }
      }
    }
  } else {
    return false;
  }
  return true;
}

bool RunLog::gone() const {
  char here[256] = "";
  ::gethostname(here, sizeof here - 1);
  return started && !ended() && process > 0 && host == here &&
         ::kill(static_cast<pid_t>(process), 0) != 0 && errno == ESRCH;
}

}  // namespace firesteel::cli
