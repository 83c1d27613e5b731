// Batches of tensors from an Arrow stream, shuffled by seed. A background thread packs the rows
// into records (encoder.h), keeps them within a memory limit for later epochs, and assembles
// batches ahead of their use.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "base/arrow_stream.h"
#include "tensor/encoder.h"

namespace firesteel {

struct LoaderOptions {
  int64_t batch_rows = 8192;
  bool shuffle = true;
  uint64_t seed = 0;
  /// Packed rows and their order; the batches ahead come on top. When the rows fit, every epoch is
  /// a uniform permutation of all of them; else rows are drawn from a window of this size that
  /// moves over the stream, which is opened again each epoch.
  int64_t memory_bytes_max = int64_t{1} << 30;
  int batches_ahead = 4;
  bool with_label = true;
  /// Where to begin: an epoch and a batch in it.
  int64_t start_epoch = 0;
  int64_t start_batch = 0;
  /// The loader stops before this epoch.
  int64_t end_epoch = std::numeric_limits<int64_t>::max();
};

/// The same seed gives identical batches whatever the timing; an epoch's order depends on the seed
/// and the number of the epoch alone, given a source whose order is stable. One consumer thread.
/// The destructor stops and joins the background thread. Errors of the source appear in `next`.
class Loader {
 public:
  /// `source` opens the rows; it is called on the background thread, once when the rows fit.
  Loader(std::function<ArrowStream()> source, std::vector<EncoderSpec> specs,
         LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// The next batch, or nothing at the end of an epoch; the call after begins the next epoch.
  std::optional<Batch> next();
  /// The epoch that `next` is in.
  int64_t epoch() const;
  /// Whether all rows fit in memory. Waits until that is known.
  bool shuffle_is_full();
  /// Number of rows when they fit, else nothing. Waits until that is known.
  std::optional<int64_t> rows();
  /// Features, in the order of the tensors' columns.
  const RecordLayout& layout() const;
  /// Time that `next` waited for the background thread.
  double waited_seconds() const;

 private:
  class Worker;
  std::unique_ptr<Worker> worker_;
};

}  // namespace firesteel
