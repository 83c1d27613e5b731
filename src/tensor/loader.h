// Batches of tensors from an Arrow stream, shuffled by seed. A background thread packs the rows
// into records (encoder.h), keeps them in memory or in a file for all epochs, and assembles batches
// ahead of their use.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/arrow_stream.h"
#include "tensor/encoder.h"
#include "tensor/sampling.h"

namespace firesteel {

struct LoaderOptions {
  int64_t batch_rows = 8192;
  /// Above 0: a batch ends before its sequences have more elements than this, together.
  int64_t batch_elements = 0;
  /// Shuffled rows of like length are put into one batch, of 64 batches' rows at a time: less of a
  /// batch of sequences is padding, and the batches come in a random order.
  bool by_length = false;
  bool shuffle = true;
  Sampling sampling = Sampling::kEach;
  uint64_t seed = 0;
  /// Packed rows and their order; the batches ahead come on top. When the rows fit, every epoch is
  /// a uniform permutation of all of them. Else they are packed into a file once, and an epoch
  /// takes its blocks in a random order, as many at a time as fit, whose rows it permutes.
  int64_t memory_bytes_max = int64_t{1} << 30;
  int batches_ahead = 4;
  bool with_label = true;
  /// Where rows that do not fit are packed: a file that goes with the loader when it has no key,
  /// else one that stays, and is taken again by loaders with this key and the same encoders. Empty:
  /// a file in the system's folder for temporary files.
  std::filesystem::path records;
  std::string records_key;
  /// Rows that fit are written there too, for other processes.
  bool share_records = false;
  /// The part of every batch that this process gets, of `world` processes with the same options.
  int64_t rank = 0, world = 1;
  /// When each process has packed rows of its own: how many, by rank. Batches are those that one
  /// process would make of all of them, one process's behind the other's; a process gets those of
  /// its rows that are in a batch. Where an order of all rows is too much to know (they do not fit
  /// in memory, are drawn, or brought together by length), or a batch is too small to hold some of
  /// each, every process orders its own rows, and gives each batch an equal share of them. A last
  /// batch that is too small for that joins the one before.
  std::vector<int64_t> rows_by_rank = {};
  /// Batches in memory that a CUDA device reads without the processor.
  bool pin_memory = false;
  /// Where to begin: an epoch and a batch in it.
  int64_t start_epoch = 0;
  int64_t start_batch = 0;
  /// The loader stops before this epoch.
  int64_t end_epoch = std::numeric_limits<int64_t>::max();
};

/// Rows that could not be read, and what was wrong with the first.
struct LeftOutRows {
  int64_t rows = 0;
  std::string first = {};
};

/// The same seed gives identical batches whatever the timing; an epoch's order depends on the seed
/// and the number of the epoch alone, given a source whose order is stable. One consumer thread.
/// The destructor stops and joins the background thread. Errors of the source appear in `next`.
class Loader {
 public:
  /// `source` opens the rows; it is called on the background thread, once when they are shuffled.
  Loader(std::function<ArrowStream()> source, std::vector<EncoderSpec> specs,
         LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// The next batch, or nothing at the end of an epoch; the call after begins the next epoch.
  std::optional<Batch> next();
  /// The epoch that `next` is in.
  int64_t epoch() const;
  /// Whether every epoch is a uniform permutation of all rows. Waits until that is known.
  bool shuffle_is_full();
  /// Number of rows, of all processes, or nothing for a stream that is not kept. Waits until that
  /// is known.
  std::optional<int64_t> rows();
  /// Batches of an epoch, likewise; of those that end early the least there can be.
  std::optional<int64_t> batches();
  /// Features, in the order of the tensors' columns.
  const RecordLayout& layout() const;
  /// Time that `next` waited for the background thread, without the time until the rows were
  /// packed; and that time.
  double waited_seconds() const;
  double packing_seconds() const;
  /// Of the rows packed so far, by this loader.
  LeftOutRows left_out() const;

 private:
  class Worker;
  std::unique_ptr<Worker> worker_;
};

}  // namespace firesteel
