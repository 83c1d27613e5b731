// The bar fits 80 columns and is drawn over itself.
#include "train/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace firesteel {

namespace {

std::string bar(double share) {
  constexpr int kWidth = 20;
  const int full = std::clamp(static_cast<int>(share * kWidth), 0, kWidth);
  std::string text;
  for (int i = 0; i < kWidth; ++i) text += i < full ? "█" : "░";
  return text;
}

}  // namespace

ProgressBar::ProgressBar(std::FILE* out) : out_(out), terminal_(isatty(fileno(out)) != 0) {}

void ProgressBar::operator()(const TrainProgress& progress) {
  if (progress.finished) {
    fmt::print(out_, "{}{}\n", terminal_ ? "\r\033[K" : "", epoch_line(progress));
  } else if (terminal_) {
    const double share = progress.rows_total > 0 ? static_cast<double>(progress.rows_done) /
                                                       static_cast<double>(progress.rows_total)
                                                 : 0;
    fmt::print(out_, "\r\033[Kepoch {}/{} {} loss {:.4f}  {} rows/s  {} left", progress.epoch + 1,
               progress.epochs, bar(share), progress.loss, count_text(progress.rows_per_second),
               duration_text(progress.seconds_left));
  }
  std::fflush(out_);
}

std::string epoch_line(const TrainProgress& progress) {
  std::string line =
      fmt::format("epoch {}/{}  loss {:.4f}  {} rows/s", progress.epoch + 1, progress.epochs,
                  progress.loss, count_text(progress.rows_per_second));
  if (progress.waited_share >= 0.01) {
    line += fmt::format("  {:.0f}% waiting for rows", progress.waited_share * 100);
  }
  if (progress.finished && std::isfinite(progress.finished->validation)) {
    line += fmt::format("  validation {} {:.4f}", progress.metric, progress.finished->validation);
  }
  return line;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::max(0.0, seconds)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

std::string count_text(double count) {
  if (count < 1e3) return fmt::format("{:.0f}", count);
  if (count < 1e6) return fmt::format("{:.1f}k", count / 1e3);
  return fmt::format("{:.2f}M", count / 1e6);
}

}  // namespace firesteel
