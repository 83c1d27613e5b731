// A training run drawn on a terminal: header, curves in braille characters, a table of the last
// epochs; over itself, in place.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace firesteel::cli {

/// What is known of a run, from itself or from its log.
struct RunPicture {
  static constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

  struct Epoch {
    int64_t epoch = 0;  // from 1
    double loss = kUnknown, validation = kUnknown, learning_rate = kUnknown;
    double rows_per_second = 0, waited_share = 0, seconds = 0;
  };
  enum class State { kTraining, kFinished, kStopped, kFailed };

  std::string pipeline, model, run;
  std::string metric;  // of validation
  bool larger_is_better = false;
  State state = State::kTraining;
  std::string note;  // why it is not training: the error, or what it waits for
  int64_t epochs = 0;
  std::vector<Epoch> done;
  int64_t epoch = 1;                              // the one that is under way
  double share = 0;                               // of it that is done
  double loss = kUnknown;                         // of it so far
  std::vector<std::pair<double, double>> losses;  // of it so far, by the share
  double rows_per_second = 0, waited_share = 0, seconds_left = 0;
  std::map<std::string, std::map<std::string, double>> test;  // metrics by model

  /// Within an epoch.
  void progress(int64_t now, double its_share, double its_loss);
  /// At its end; an epoch told again takes the place of the one before.
  void finish(const Epoch& record);
  /// Of `done` by the validation metric; nothing without validation rows.
  const Epoch* best() const;
};

/// At most `rows` lines of at most `columns` characters, with colours when asked for.
std::vector<std::string> draw(const RunPicture& picture, int columns, int rows, bool colours);

/// Draws on a terminal, at most five times a second. The destructor gives the cursor back. One
/// thread. `out`, which it does not own, is a terminal.
class RunView {
 public:
  explicit RunView(std::FILE* out);
  ~RunView();
  RunView(const RunView&) = delete;
  RunView& operator=(const RunView&) = delete;

  static bool possible(std::FILE* out);
  /// `now`: even when the last drawing was a moment ago.
  void show(const RunPicture& picture, bool now = false);
  /// A line above the drawing, which stays.
  void print(const std::string& line);

 private:
  void put(const std::vector<std::string>& lines, const std::string& above);

  std::FILE* out_;
  const bool colours_;
  std::vector<std::string> shown_;
  std::chrono::steady_clock::time_point shown_at_{};
};

}  // namespace firesteel::cli
