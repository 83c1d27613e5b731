// The log of a run (JSON lines, docs/pipeline.md), read back into its picture.
#pragma once

#include <cstdint>
#include <string>

#include "cli/run_view.h"

namespace firesteel::cli {

/// The last run of the lines taken so far.
struct RunLog {
  RunPicture picture;
  std::string host;
  int64_t process = 0;
  bool started = false;

  /// Whether the line says something of the run. What is no record is passed over.
  bool take(const std::string& line);
  bool ended() const { return started && picture.state != RunPicture::State::kTraining; }
  /// Its process is of this machine and is no more.
  bool gone() const;
};

}  // namespace firesteel::cli
