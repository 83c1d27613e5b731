// Training progress on a terminal: one line that moves, or one line per epoch where the output is
// no terminal.
#pragma once

#include <cstdio>

#include "train/options.h"

namespace firesteel {

/// Called by the trainer. One thread. Prints to `out`, which it does not own.
class ProgressBar {
 public:
  explicit ProgressBar(std::FILE* out = stderr);
  void operator()(const TrainProgress& progress);

 private:
  std::FILE* out_;
  bool terminal_;
};

/// "epoch 3/10  loss 0.4321  1.20M rows/s  log_loss 0.4400".
std::string epoch_line(const TrainProgress& progress);

}  // namespace firesteel
