// The loader's background thread. Rows are fixed-size records in chunks; an epoch is a sequence of
// record addresses (a permutation, or draws from a moving window) unpacked batch by batch.
#include "tensor/loader.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace firesteel {

namespace {

/// xoshiro256++ (https://prng.di.unimi.it), seeded by splitmix64 of (seed, epoch): the same numbers
/// on every platform, which std::shuffle does not promise.
class Random {
 public:
  Random(uint64_t seed, uint64_t epoch) {
    uint64_t state = seed * 0x9e3779b97f4a7c15 + epoch * 0xd1342543de82ef95 + 1;
    for (auto& word : words_) {
      state += 0x9e3779b97f4a7c15;
      uint64_t z = state;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      word = z ^ (z >> 31);
    }
  }
  /// Uniform in [0, bound), without bias (Lemire, https://arxiv.org/abs/1805.10941).
  uint64_t below(uint64_t bound) {
    unsigned __int128 product = static_cast<unsigned __int128>(next()) * bound;
    if (static_cast<uint64_t>(product) < bound) {
      const uint64_t threshold = -bound % bound;
      while (static_cast<uint64_t>(product) < threshold) {
        product = static_cast<unsigned __int128>(next()) * bound;
      }
    }
    return static_cast<uint64_t>(product >> 64);
  }

 private:
  uint64_t next() {
    const uint64_t result = std::rotl(words_[0] + words_[3], 23) + words_[0];
    const uint64_t shifted = words_[1] << 17;
    words_[2] ^= words_[0];
    words_[3] ^= words_[1];
    words_[1] ^= words_[2];
    words_[0] ^= words_[3];
    words_[2] ^= shifted;
    words_[3] = std::rotl(words_[3], 45);
    return result;
  }
  uint64_t words_[4];
};

/// Records in chunks that never move and are never cleared.
class RecordStore {
 public:
  static constexpr int64_t kChunkRows = 1 << 15;

  explicit RecordStore(size_t record_bytes) : record_bytes_(record_bytes) {}
  int64_t rows() const { return rows_; }
  std::byte* at(int64_t row) const {
    return chunks_[row / kChunkRows].get() + static_cast<size_t>(row % kChunkRows) * record_bytes_;
  }
  /// Room for more rows, contiguous, at most `count`: how many, and where.
  std::pair<int64_t, std::byte*> room(int64_t count) {
    const int64_t used = rows_ % kChunkRows;
    if (used == 0 && static_cast<int64_t>(chunks_.size()) * kChunkRows == rows_) {
      chunks_.push_back(
          std::make_unique_for_overwrite<std::byte[]>(kChunkRows * record_bytes_ + 1));
    }
    return {std::min(count, kChunkRows - used), at(rows_)};
  }
  void add(int64_t count) { rows_ += count; }
  void clear() { rows_ = 0; }

 private:
  size_t record_bytes_;
  int64_t rows_ = 0;
  std::vector<std::unique_ptr<std::byte[]>> chunks_;
};

/// Thrown inside the background thread to leave it.
struct Stopped {};

}  // namespace

class Loader::Worker {
 public:
  Worker(std::function<ArrowStream()> source, std::vector<EncoderSpec> specs, LoaderOptions options)
      : source_(std::move(source)),
        specs_(std::move(specs)),
        options_(options),
        layout_(specs_, options.with_label),
        store_(layout_.record_bytes),
        rows_max_(
            std::max<int64_t>(RecordStore::kChunkRows,
                              options.memory_bytes_max /
                                  static_cast<int64_t>(layout_.record_bytes + sizeof(uint32_t)))),
        epoch_(options.start_epoch),
        thread_([this] { run(); }) {}

  ~Worker() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    room_.notify_all();
    thread_.join();
  }

  std::optional<Batch> next() {
    std::unique_lock lock(mutex_);
    if (queue_.empty() && !done_) {
      const auto start = std::chrono::steady_clock::now();
      filled_.wait(lock, [&] { return !queue_.empty() || done_; });
      waited_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
    if (queue_.empty()) {
      if (error_) std::rethrow_exception(error_);
      return std::nullopt;
    }
    std::optional<Batch> batch = std::move(queue_.front());
    queue_.pop_front();
    if (!batch) ++epoch_;
    lock.unlock();
    room_.notify_one();
    return batch;
  }

  bool shuffle_is_full() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [&] { return filled_known_ || done_; });
    if (!filled_known_ && error_) std::rethrow_exception(error_);
    return full_;
  }

  std::optional<int64_t> rows() {
    if (!shuffle_is_full()) return std::nullopt;
    return store_.rows();
  }

  int64_t epoch() const { return epoch_; }
  double waited_seconds() const { return waited_; }
  const RecordLayout& layout() const { return layout_; }

 private:
  void run() {
    try {
      fill();
      {
        const std::lock_guard lock(mutex_);
        filled_known_ = true;
        full_ = full();
      }
      filled_.notify_all();
      for (int64_t epoch = options_.start_epoch; epoch < options_.end_epoch; ++epoch) {
        skip_ = epoch == options_.start_epoch ? options_.start_batch * options_.batch_rows : 0;
        if (full()) {
          produce_stored(epoch);
        } else {
          if (epoch > options_.start_epoch) fill();
          produce_window(epoch);
        }
        push(std::nullopt);
      }
    } catch (const Stopped&) {
    } catch (...) {
      error_ = std::current_exception();
    }
    stream_.reset();
    encoder_.reset();
    const std::lock_guard lock(mutex_);
    done_ = true;
    filled_.notify_all();
  }

  /// All rows are in the store.
  bool full() const { return !stream_; }

  /// Opens the source and fills the store, up to the limit. Closes the stream at its end.
  void fill() {
    store_.clear();
    open();
    while (store_.rows() < rows_max_) {
      if (batch_at_ == batch_.rows() && !next_arrow_batch()) return;
      auto [count, out] =
          store_.room(std::min(batch_.rows() - batch_at_, rows_max_ - store_.rows()));
      encoder_->encode(*batch_.get(), batch_at_, count, out);
      batch_at_ += count;
      store_.add(count);
    }
    // One look ahead tells a source that just fits from one that does not.
    if (batch_at_ == batch_.rows()) next_arrow_batch();
  }

  void open() {
    stream_.emplace(source_());
    encoder_.emplace(specs_, *stream_->schema().get(), options_.with_label);
    batch_ = ArrowBatch();
    batch_at_ = 0;
  }

  bool next_arrow_batch() {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) throw Stopped();
    }
    batch_at_ = 0;
    batch_ = ArrowBatch();  // Its memory goes back before the next is asked for.
    while (auto batch = stream_->next()) {
      batch_ = std::move(*batch);
      if (batch_.rows() > 0) return true;
    }
    stream_.reset();
    return false;
  }

  void produce_stored(int64_t epoch) {
    const int64_t rows = store_.rows();
    if (options_.shuffle) {
      if (static_cast<int64_t>(order_.size()) != rows) order_.resize(rows);
      for (int64_t i = 0; i < rows; ++i) order_[i] = static_cast<uint32_t>(i);
      Random random(options_.seed, static_cast<uint64_t>(epoch));
      for (int64_t i = rows - 1; i > 0; --i) {
        std::swap(order_[i], order_[random.below(static_cast<uint64_t>(i) + 1)]);
      }
    }
    std::vector<const std::byte*> records;
    for (int64_t begin = skip_; begin < rows; begin += options_.batch_rows) {
      const int64_t count = std::min(options_.batch_rows, rows - begin);
      records.resize(count);
      for (int64_t i = 0; i < count; ++i) {
        records[i] = store_.at(options_.shuffle ? order_[begin + i] : begin + i);
      }
      Batch batch = layout_.make_batch(count);
      layout_.unpack(records.data(), count, &batch);
      push(std::move(batch));
    }
  }

  /// Draws rows from the store at random and puts the stream's next row in the place of each; at
  /// the end of the stream, draws what is left. Without shuffling: the store, then the stream.
  void produce_window(int64_t epoch) {
    const size_t bytes = layout_.record_bytes;
    Random random(options_.seed, static_cast<uint64_t>(epoch));
    const auto staged = std::make_unique_for_overwrite<std::byte[]>(kStagedRows * bytes + 1);
    const auto drawn = std::make_unique_for_overwrite<std::byte[]>(options_.batch_rows * bytes + 1);
    std::vector<const std::byte*> records(options_.batch_rows);
    for (int64_t i = 0; i < options_.batch_rows; ++i) records[i] = drawn.get() + i * bytes;
    int64_t count = 0;
    const auto emit = [&](const std::byte* record) {
      std::memcpy(drawn.get() + count * bytes, record, bytes);
      if (++count == options_.batch_rows) flush(records, &count);
    };

    const int64_t rows = store_.rows();
    if (!options_.shuffle) {
      for (int64_t row = 0; row < rows; ++row) emit(store_.at(row));
    }
    while (stream_) {
      if (batch_at_ == batch_.rows() && !next_arrow_batch()) break;
      const int64_t arrived = std::min(kStagedRows, batch_.rows() - batch_at_);
      encoder_->encode(*batch_.get(), batch_at_, arrived, staged.get());
      batch_at_ += arrived;
      for (int64_t i = 0; i < arrived; ++i) {
        const std::byte* record = staged.get() + i * bytes;
        if (!options_.shuffle) {
          emit(record);
          continue;
        }
        std::byte* place = store_.at(static_cast<int64_t>(random.below(rows)));
        emit(place);
        std::memcpy(place, record, bytes);
      }
    }
    // `full()` looks at the stream: the next epoch opens it again.
    stream_.emplace();
    if (options_.shuffle) {
      for (int64_t left = rows; left > 0; --left) {
        std::byte* place = store_.at(static_cast<int64_t>(random.below(left)));
        emit(place);
        std::memcpy(place, store_.at(left - 1), bytes);
      }
    }
    if (count > 0) flush(records, &count);
  }

  void flush(const std::vector<const std::byte*>& records, int64_t* count) {
    if (skip_ > 0) {
      skip_ -= *count;
    } else {
      Batch batch = layout_.make_batch(*count);
      layout_.unpack(records.data(), *count, &batch);
      push(std::move(batch));
    }
    *count = 0;
  }

  void push(std::optional<Batch> batch) {
    {
      std::unique_lock lock(mutex_);
      room_.wait(lock, [&] {
        return stopping_ || queue_.size() < static_cast<size_t>(options_.batches_ahead);
      });
      if (stopping_) throw Stopped();
      queue_.push_back(std::move(batch));
    }
    filled_.notify_all();
  }

  static constexpr int64_t kStagedRows = 2048;

  const std::function<ArrowStream()> source_;
  const std::vector<EncoderSpec> specs_;
  const LoaderOptions options_;
  const RecordLayout layout_;

  // The background thread's.
  RecordStore store_;
  const int64_t rows_max_;
  std::vector<uint32_t> order_;
  std::optional<ArrowStream> stream_;
  std::optional<Encoder> encoder_;
  ArrowBatch batch_;
  int64_t batch_at_ = 0;  // rows of `batch_` already packed
  int64_t skip_ = 0;      // rows of the epoch that are not wanted

  // The consumer's.
  int64_t epoch_;
  double waited_ = 0;

  // Both's, under the mutex.
  std::mutex mutex_;
  std::condition_variable filled_, room_;
  std::deque<std::optional<Batch>> queue_;  // nothing: the end of an epoch
  bool stopping_ = false, done_ = false;
  bool filled_known_ = false, full_ = false;
  std::exception_ptr error_;

  std::thread thread_;  // Last: it starts when all else is there.
};

Loader::Loader(std::function<ArrowStream()> source, std::vector<EncoderSpec> specs,
               LoaderOptions options)
    : worker_(std::make_unique<Worker>(std::move(source), std::move(specs), options)) {}
Loader::~Loader() = default;
std::optional<Batch> Loader::next() { return worker_->next(); }
int64_t Loader::epoch() const { return worker_->epoch(); }
bool Loader::shuffle_is_full() { return worker_->shuffle_is_full(); }
std::optional<int64_t> Loader::rows() { return worker_->rows(); }
const RecordLayout& Loader::layout() const { return worker_->layout(); }
double Loader::waited_seconds() const { return worker_->waited_seconds(); }

}  // namespace firesteel
