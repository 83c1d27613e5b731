// The bar fits 80 columns and is drawn over itself.
#include "train/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "base/quantity.h"

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

}  // namespace firesteel
