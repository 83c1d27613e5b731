// The loader's background thread. Rows are fixed-size records in memory or in a file; an epoch is a
// sequence of record addresses unpacked batch by batch.
#include "tensor/loader.h"

#include <fmt/format.h>
#include <torch/torch.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/named.h"
#include "tensor/random.h"
#include "tensor/record_file.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

constexpr Named<Sampling> kSamplings[] = {{Sampling::kEach, "each"},
                                          {Sampling::kWeighted, "weighted"},
                                          {Sampling::kBalanced, "balanced"}};

/// Draws a number as often as its weight says, in constant time: the alias method of Walker, built
/// as in Vose, "A linear algorithm for generating random numbers with a given distribution" (1991).
class AliasTable {
 public:
  explicit AliasTable(const std::vector<float>& weights)
      : keep_(weights.size()), other_(weights.size()) {
    double sum = 0;
    for (const float weight : weights) sum += weight;
    if (!(sum > 0) || !std::isfinite(sum)) {
      throw Error("TRAINING_DATA_INVALID",
                  "The rows cannot be drawn by weight: no weight is above 0, or one is infinite.");
    }
    const double mean = sum / static_cast<double>(weights.size());
    std::vector<uint32_t> small, large;
    for (size_t i = 0; i < weights.size(); ++i) {
      keep_[i] = static_cast<float>(weights[i] / mean);
      (keep_[i] < 1 ? small : large).push_back(static_cast<uint32_t>(i));
    }
    while (!small.empty() && !large.empty()) {
      const uint32_t low = small.back(), high = large.back();
      small.pop_back();
      other_[low] = high;
      keep_[high] -= 1 - keep_[low];
      if (keep_[high] < 1) {
        large.pop_back();
        small.push_back(high);
      }
    }
    // What is left differs from 1 by rounding alone.
    for (const auto& left : {small, large}) {
      for (const uint32_t i : left) keep_[i] = 1;
    }
  }
  uint32_t draw(Random& random) const {
    const auto i = static_cast<uint32_t>(random.below(keep_.size()));
    return random.share() < keep_[i] ? i : other_[i];
  }

 private:
  std::vector<float> keep_;
  std::vector<uint32_t> other_;
};

/// Records in chunks that never move, of a few megabytes each.
class RecordStore {
 public:
  static constexpr size_t kChunkBytes = 4 << 20;
  static constexpr int64_t kChunkRowsMax = 1 << 15;

  explicit RecordStore(size_t record_bytes) : record_bytes_(record_bytes) {
    const auto rows =
        std::clamp<uint64_t>(kChunkBytes / std::max<size_t>(record_bytes, 1), 1, kChunkRowsMax);
    shift_ = std::bit_width(rows) - 1;
  }
  int64_t rows() const { return rows_; }
  int64_t chunk_rows() const { return int64_t{1} << shift_; }
  std::byte* at(int64_t row) const {
    return chunks_[row >> shift_].get() +
           static_cast<size_t>(row & (chunk_rows() - 1)) * record_bytes_;
  }
  /// Room for more rows, contiguous, at most `count`: how many, and where.
  std::pair<int64_t, std::byte*> room(int64_t count) {
    const int64_t used = rows_ & (chunk_rows() - 1);
    if (used == 0) {
      chunks_.push_back(
          std::make_unique_for_overwrite<std::byte[]>(chunk_rows() * record_bytes_ + 1));
    }
    return {std::min(count, chunk_rows() - used), at(rows_)};
  }
  void add(int64_t count) { rows_ += count; }
  void clear() {
    rows_ = 0;
    chunks_.clear();
  }

 private:
  size_t record_bytes_;
  int shift_ = 0;
  int64_t rows_ = 0;
  std::vector<std::unique_ptr<std::byte[]>> chunks_;
};

/// Thrown inside the background thread to leave it.
struct Stopped {};

/// A file for rows that is in no folder's list once it is open.
fs::path temporary_file() {
  static std::atomic<uint64_t> count{0};
  return fs::temp_directory_path() / fmt::format("firesteel-{}-{}.records", ::getpid(), count++);
}

}  // namespace

class Loader::Worker {
 public:
  Worker(std::function<ArrowStream()> source, std::vector<EncoderSpec> specs, LoaderOptions options)
      : source_(std::move(source)),
        specs_(std::move(specs)),
        options_(std::move(options)),
        layout_(specs_, options_.with_label),
        store_(layout_.record_bytes),
        rows_max_(std::clamp<int64_t>(
            options_.memory_bytes_max / static_cast<int64_t>(layout_.record_bytes + 4),
            store_.chunk_rows(), UINT32_MAX)),
        grouped_(layout_.group.width > 0 && options_.shuffle),
        uneven_(grouped_ || options_.batch_elements > 0 || !options_.rows_by_rank.empty()),
        epoch_(options_.start_epoch),
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
      const auto start = Clock::now();
      filled_.wait(lock, [&] { return !queue_.empty() || done_; });
      waited_ += seconds_since(start);
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
    wait_for_rows();
    return full_;
  }

  std::optional<int64_t> rows() {
    wait_for_rows();
    return rows_;
  }

  std::optional<int64_t> batches() {
    wait_for_rows();
    return batches_;
  }

  int64_t epoch() const { return epoch_; }
  double waited_seconds() const { return waited_; }
  LeftOutRows left_out() {
    const std::lock_guard lock(mutex_);
    return left_out_;
  }
  double packing_seconds() {
    wait_for_rows();
    return packing_;
  }
  const RecordLayout& layout() const { return layout_; }

 private:
  using Clock = std::chrono::steady_clock;
  static double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  /// Rows of a process in a batch, of those that know each other's: hardly ever is there none.
  static constexpr int64_t kShareMin = 32;

  /// Whether each process packs rows of its own, or all have all.
  bool has_own_rows() const { return !options_.rows_by_rank.empty(); }

  void wait_for_rows() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [&] { return rows_known_ || done_; });
    if (!rows_known_ && error_) std::rethrow_exception(error_);
  }

  void run() {
    try {
      if (options_.batch_elements > 0 && layout_.sequences.empty()) {
        throw Error("INVALID_OPTION",
                    "Batches of so many elements need sequence features, and there is none.");
      }
      if (grouped_ && (options_.world > 1 || options_.sampling != Sampling::kEach)) {
        throw Error("INVALID_OPTION",
                    "A ranking's groups stay together: they are trained on by one process, and "
                    "every row once per epoch.");
      }
      const auto start = Clock::now();
      pack();
      {
        const std::lock_guard lock(mutex_);
        rows_known_ = true;
        packing_ = seconds_since(start);
        if (!stream_) rows_ = file_ ? file_->rows() : store_.rows();
        full_ = rows_ && *rows_ <= rows_max_;
        if (rows_) own_rows_ = *rows_;
        if (has_own_rows()) take_part();
        if (rows_) batches_ = count_batches();
      }
      filled_.notify_all();
      for (int64_t epoch = options_.start_epoch; epoch < options_.end_epoch; ++epoch) {
        const int64_t batches = epoch == options_.start_epoch ? options_.start_batch : 0;
        skip_ = uneven_ ? 0 : batches * options_.batch_rows;
        skip_batches_ = uneven_ ? batches : 0;
        emitted_ = batch_number_ = 0;
        if (knows_all_) {
          produce_part(epoch);
        } else if (full_) {
          produce_all(epoch);
        } else if (file_) {
          produce_windows(epoch);
        } else {
          if (epoch > options_.start_epoch) pack();
          produce_stream();
        }
        flush();
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

  /// Rows of its own: the others' are counted, and how batches are made is agreed on.
  void take_part() {
    const auto& counts = options_.rows_by_rank;
    if (!rows_ || counts.at(static_cast<size_t>(options_.rank)) != own_rows_)
      throw Error("INTERNAL_ERROR", "The rows of this process are not those it told the others.");
    if (layout_.has_weight || options_.batch_elements > 0) {
      throw Error("INVALID_OPTION",
                  "Processes with rows of their own train on rows without weights, in batches of "
                  "so many rows.");
    }
    rows_ = std::reduce(counts.begin(), counts.end(), int64_t{0});
    const int64_t batches = count_batches();
    if (std::ranges::min(counts) < batches) {
      throw Error("TRAINING_DATA_INVALID",
                  fmt::format("A process has {} rows, too few for {} batches. Use fewer processes, "
                              "or larger batches.",
                              std::ranges::min(counts), batches));
    }
    knows_all_ = std::ranges::max(counts) <= rows_max_ && options_.shuffle && !options_.by_length &&
                 options_.sampling == Sampling::kEach &&
                 options_.batch_rows >= kShareMin * options_.world && *rows_ <= UINT32_MAX &&
                 *rows_ * static_cast<int64_t>(sizeof order_[0]) <= options_.memory_bytes_max;
  }

  /// What the rows are packed by: of a tokenizer its content, wherever it lies.
  std::string encoders_text() const {
    auto specs = specs_;
    for (auto& spec : specs)
      if (!spec.tokenizer.empty()) spec.tokenizer = hash_file(spec.tokenizer);
    return encoders_to_json(specs);
  }

  /// All rows, in memory or in a file. Rows in order that fit in neither stay in the open stream,
  /// after those in memory.
  void pack() {
    const auto& name = options_.records_key;
    const auto key = name.empty() ? "" : hash_text(hash_bytes(name + encoders_text()));
    const fs::path path = options_.records.empty() ? temporary_file() : options_.records;
    if (!key.empty()) {
      file_ = RecordFile::open(path, key, layout_.record_bytes);
      if (file_) return check_if_full();
    }
    if (!source_) {
      throw Error("PATH_NOT_FOUND",
                  fmt::format("The packed rows `{}` are not there, or are those of other data.",
                              path.string()));
    }
    store_.clear();
    open();
    fill();
    const bool fits = !stream_, kept = !key.empty();
    if (!options_.share_records && (fits || (!options_.shuffle && !kept))) return;

    std::error_code ignored;  // The writer says what is wrong.
    fs::create_directories(path.parent_path(), ignored);
    RecordFileWriter writer(path, key, layout_.record_bytes);
    for (int64_t row = 0; row < store_.rows(); row += store_.chunk_rows()) {
      writer.append(store_.at(row), std::min(store_.chunk_rows(), store_.rows() - row));
    }
    store_.clear();
    each_staged([&](const std::byte* records, int64_t count) { writer.append(records, count); });
    writer.commit();
    file_ = RecordFile::open(path, key, layout_.record_bytes);
    if (!kept) fs::remove(path);  // The mapping holds it until the loader ends.
    if (!file_) {
      throw Error("IO_ERROR", fmt::format("`{}` was changed by another program.", path.string()));
    }
    check_if_full();
  }

  /// Rows that are taken from everywhere at once are checked once, others as they are read.
  void check_if_full() {
    if (file_->rows() <= rows_max_) file_->check();
  }

  void open() {
    stream_.emplace(source_());
    encoder_.emplace(specs_, *stream_->schema().get(), options_.with_label);
    batch_ = ArrowBatch();
    batch_at_ = 0;
  }

  /// Fills the store, up to the limit. Closes the stream at its end.
  void fill() {
    while (store_.rows() < rows_max_) {
      if (batch_at_ == batch_.rows() && !next_arrow_batch()) return;
      auto [count, out] =
          store_.room(std::min(batch_.rows() - batch_at_, rows_max_ - store_.rows()));
      const auto kept = encode(count, out);
      batch_at_ += count;
      store_.add(kept);
    }
    // One look ahead tells a source that just fits from one that does not.
    if (batch_at_ == batch_.rows()) next_arrow_batch();
  }

  /// The stream's rows that are not in the store, a few at a time.
  template <typename Use>
  void each_staged(Use use) {
    constexpr int64_t kStagedRows = 2048;
    const auto staged =
        std::make_unique_for_overwrite<std::byte[]>(kStagedRows * layout_.record_bytes + 1);
    while (stream_) {
      if (batch_at_ == batch_.rows() && !next_arrow_batch()) break;
      const int64_t count = std::min(kStagedRows, batch_.rows() - batch_at_);
      const auto kept = encode(count, staged.get());
      batch_at_ += count;
      use(staged.get(), kept);
    }
  }

  /// The next rows of the batch as records: how many there are without those left out.
  int64_t encode(int64_t count, std::byte* out) {
    const auto without = encoder_->encode(*batch_.get(), batch_at_, count, out);
    const auto number = static_cast<int64_t>(without.rows.size());
    if (number == 0) return count;
    const std::lock_guard lock(mutex_);
    if (left_out_.rows == 0) left_out_.first = without.first;
    left_out_.rows += number;
    return count - number;
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

  const std::byte* record(int64_t row) const { return file_ ? file_->at(row) : store_.at(row); }

  /// Of the order of all processes' rows, those of this one.
  void produce_part(int64_t epoch) {
    const auto& counts = options_.rows_by_rank;
    const int64_t first = std::reduce(counts.begin(), counts.begin() + options_.rank, int64_t{0});
    order_.resize(*rows_);
    std::iota(order_.begin(), order_.end(), 0);
    Random(options_.seed, static_cast<uint64_t>(epoch)).shuffle(&order_);
    for (int64_t i = 0; i < *rows_; ++i) {
      const int64_t own = order_[i] - first;
      if (own >= 0 && own < own_rows_) pending_.push_back(record(own));
      if (i + 1 != batch_end(batch_number_)) continue;
      if (pending_.empty())
        throw Error("TRAINING_DATA_INVALID",
                    "A batch has no row of this process: use larger batches.");
      flush();
    }
  }

  void produce_all(int64_t epoch) {
    const int64_t rows = own_rows_;
    Random random(options_.seed, static_cast<uint64_t>(epoch));
    if (options_.sampling != Sampling::kEach) {
      if (!weights_) weights_.emplace(sampling_weights());
      if (static_cast<int64_t>(order_.size()) != rows) order_.resize(rows);
      for (auto& row : order_) row = weights_->draw(random);
    } else if (options_.shuffle) {
      order_.resize(rows);
      std::iota(order_.begin(), order_.end(), 0);
      random.shuffle(&order_);
    }
    const auto record_of = [&](uint32_t row) { return record(row); };
    if (grouped_) return emit_groups(record_of);
    order_by_length(record_of, random);
    for (int64_t i = std::exchange(skip_, 0); i < rows; ++i) {
      emit(record(order_.empty() ? i : order_[i]));
    }
  }

  /// Brings rows of like length together, where that is asked for.
  template <typename RecordOf>
  void order_by_length(RecordOf record_of, Random& random) {
    constexpr size_t kBatches = 64;
    if (!options_.by_length || !options_.shuffle) return;
    const auto batch = static_cast<size_t>(
        has_own_rows() ? std::max<int64_t>(1, own_rows_ / *batches_) : options_.batch_rows);
    for (size_t begin = 0; begin < order_.size(); begin += kBatches * batch) {
      const auto end = std::min(order_.size(), begin + kBatches * batch);
      std::vector<std::pair<int64_t, uint32_t>> rows;  // by length; the order settles ties
      for (size_t i = begin; i < end; ++i)
        rows.emplace_back(elements_of(record_of(order_[i])), order_[i]);
      std::stable_sort(rows.begin(), rows.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
      // A last batch that is not full stays the last.
      std::vector<size_t> batches(rows.size() / batch);
      std::iota(batches.begin(), batches.end(), 0);
      random.shuffle(&batches);
      auto to = order_.begin() + static_cast<int64_t>(begin);
      const size_t rest = rows.size() % batch;
      for (const auto number : batches)
        for (size_t i = 0; i < batch; ++i) *to++ = rows[rest + number * batch + i].second;
      for (size_t i = 0; i < rest; ++i) *to++ = rows[i].second;
    }
  }

  /// The rows of `order_`, each group's together where its first one stands, in one batch unless it
  /// is larger than that.
  template <typename RecordOf>
  void emit_groups(RecordOf record_of) {
    const auto key = [&](uint32_t row) {
      uint64_t group = 0;
      std::memcpy(&group, record_of(row) + layout_.group.offset, layout_.group.width);
      return group;
    };
    std::unordered_map<uint64_t, uint32_t> first;
    std::vector<std::pair<uint32_t, uint32_t>> placed;  // of the group's first row; the row
    placed.reserve(order_.size());
    for (const uint32_t row : order_) {
      const auto place = static_cast<uint32_t>(placed.size());
      placed.emplace_back(first.try_emplace(key(row), place).first->second, row);
    }
    std::stable_sort(placed.begin(), placed.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (size_t begin = 0, end = 0; begin < placed.size(); begin = end) {
      while (end < placed.size() && placed[end].first == placed[begin].first) ++end;
      if (static_cast<int64_t>(pending_.size() + end - begin) > options_.batch_rows) flush();
      for (size_t i = begin; i < end; ++i) emit(record_of(placed[i].second));
    }
  }

  /// What each row is drawn by.
  std::vector<float> sampling_weights() const {
    const bool balanced = options_.sampling == Sampling::kBalanced;
    const bool classes = layout_.task == Task::kBinary || layout_.task == Task::kMulticlass;
    if (balanced ? !layout_.has_label || !classes : !layout_.has_weight) {
      throw Error("INVALID_OPTION",
                  balanced ? "Balanced sampling needs a label of classes."
                           : "Weighted sampling needs a weight column among the features.");
    }
    std::vector<float> weights;
    std::vector<int64_t> counts;  // of each class
    std::vector<const std::byte*> records;
    for (int64_t row = 0; row < own_rows_; ++row) {
      records.push_back(record(row));
      if (row + 1 < own_rows_ && records.size() < 8192) continue;
      Batch batch = layout_.make_batch(static_cast<int64_t>(records.size()));
      layout_.unpack(records.data(), batch.rows(), &batch);
      const auto values = (balanced ? batch.label : batch.weight).to(torch::kFloat32);
      weights.insert(weights.end(), values.const_data_ptr<float>(),
                     values.const_data_ptr<float>() + values.numel());
      records.clear();
    }
    if (!balanced) return weights;
    for (const float label : weights) {
      if (label >= static_cast<float>(counts.size())) counts.resize(static_cast<size_t>(label) + 1);
      ++counts[static_cast<size_t>(label)];
    }
    for (auto& weight : weights) {
      weight = 1 / static_cast<float>(counts[static_cast<size_t>(weight)]);
    }
    return weights;
  }

  /// The blocks in a random order, as many at a time as fit in memory, their rows permuted.
  void produce_windows(int64_t epoch) {
    if (options_.sampling != Sampling::kEach) {
      throw Error("INVALID_OPTION",
                  fmt::format("`{}` sampling needs rows that fit in the loader's memory, and {} "
                              "rows of {} bytes do not: raise `memory`.",
                              sampling_name(options_.sampling), *rows_, layout_.record_bytes));
    }
    std::vector<int64_t> blocks(static_cast<size_t>(file_->blocks()));
    std::iota(blocks.begin(), blocks.end(), 0);
    if (options_.shuffle) {
      Random(options_.seed, static_cast<uint64_t>(epoch)).shuffle(&blocks);
    }
    const int64_t block_rows = file_->block_rows();
    const auto window = static_cast<size_t>(std::max<int64_t>(1, rows_max_ / block_rows));
    // Read, not mapped: what is mapped brings its neighbours into this process's memory.
    const auto records = std::make_unique_for_overwrite<std::byte[]>(
        std::min(window, blocks.size()) * block_rows * layout_.record_bytes);
    std::vector<std::byte> kept;  // records of a batch that goes on in the next window
    for (size_t begin = 0; begin < blocks.size(); begin += window) {
      const size_t end = std::min(blocks.size(), begin + window);
      order_.clear();
      for (size_t i = begin; i < end; ++i) {
        for (int64_t row = 0; row < file_->rows_of(blocks[i]); ++row) {
          order_.push_back(static_cast<uint32_t>((i - begin) * block_rows + row));
        }
      }
      if (skip_ >= static_cast<int64_t>(order_.size())) {
        skip_ -= static_cast<int64_t>(order_.size());
        continue;
      }
      // What waits for its batch gives way to the next rows.
      const size_t bytes = layout_.record_bytes;
      std::vector<std::byte> waiting(pending_.size() * bytes);
      for (size_t i = 0; i < pending_.size(); ++i) {
        pending_[i] =
            static_cast<std::byte*>(std::memcpy(waiting.data() + i * bytes, pending_[i], bytes));
      }
      kept.swap(waiting);
      for (size_t i = begin; i < end; ++i) {
        file_->read(blocks[i], records.get() + (i - begin) * block_rows * bytes);
      }
      // The next window is fetched while this one is used.
      for (size_t i = end; i < std::min(blocks.size(), end + window); ++i) {
        file_->will_need(blocks[i]);
      }
      Random random(options_.seed, static_cast<uint64_t>(epoch), begin + 1);
      if (options_.shuffle) random.shuffle(&order_);
      const auto record_of = [&](uint32_t row) { return records.get() + row * bytes; };
      if (grouped_) {
        emit_groups(record_of);
      } else {
        order_by_length(record_of, random);
        for (const uint32_t row : order_) emit(record_of(row));
      }
    }
    flush();
  }

  /// The rows in memory, then the rest of the stream, in order.
  void produce_stream() {
    for (int64_t row = 0; row < store_.rows(); ++row) emit(store_.at(row));
    // What is read next takes the place of what was read: a batch's records are copied.
    const size_t bytes = layout_.record_bytes;
    const auto copies =
        std::make_unique_for_overwrite<std::byte[]>(options_.batch_rows * bytes + 1);
    each_staged([&](const std::byte* records, int64_t count) {
      for (int64_t i = 0; i < count; ++i) {
        std::byte* copy = copies.get() + pending_.size() * bytes;
        emit(static_cast<const std::byte*>(std::memcpy(copy, records + i * bytes, bytes)));
      }
    });
    flush();
    stream_.emplace();  // Not empty: the rows are not all in memory.
  }

  /// One more record of the epoch, which stays where it is until the batch is full.
  void emit(const std::byte* record) {
    if (options_.batch_elements > 0) {
      const int64_t elements = elements_of(record);
      if (pending_elements_ + elements > options_.batch_elements) flush();
      pending_elements_ += elements;
    }
    pending_.push_back(record);
    ++emitted_;
    // With rows of its own, each process has an equal share of them in every batch.
    const bool is_full = has_own_rows()
                             ? emitted_ == share_end(own_rows_, batch_number_)
                             : static_cast<int64_t>(pending_.size()) == options_.batch_rows;
    if (is_full) flush();
  }

  /// Where a batch ends in an order of all processes' rows.
  int64_t batch_end(int64_t batch) const {
    return batch + 1 == *batches_ ? *rows_ : (batch + 1) * options_.batch_rows;
  }

  /// Where a batch ends among the rows of a process that gives each an equal share.
  int64_t share_end(int64_t rows, int64_t batch) const { return rows * (batch + 1) / *batches_; }

  /// Rows of the current batch, of all processes.
  int64_t rows_of_all() const {
    if (knows_all_) return batch_end(batch_number_) - batch_number_ * options_.batch_rows;
    int64_t rows = 0;
    for (const int64_t count : options_.rows_by_rank)
      rows += share_end(count, batch_number_) - share_end(count, batch_number_ - 1);
    return rows;
  }

  /// Of all sequences.
  int64_t elements_of(const std::byte* record) const {
    int64_t elements = 0;
    for (const auto& sequence : layout_.sequences) {
      uint32_t length = 0;
      std::memcpy(&length, record + sequence.slot.offset, sizeof length);
      elements += length;
    }
    return elements;
  }

  int64_t count_batches() const {
    const auto batches = [](int64_t count, int64_t size) { return (count + size - 1) / size; };
    int64_t by_rows = batches(*rows_, options_.batch_rows);
    // A last batch that is too small to hold rows of every process joins the one before.
    const int64_t rest = *rows_ % options_.batch_rows;
    if (has_own_rows() && by_rows > 1 && rest > 0 && rest < kShareMin * options_.world) --by_rows;
    if (options_.batch_elements == 0) return by_rows;
    int64_t elements = 0;
    const size_t bytes = layout_.record_bytes;
    if (file_) {
      const auto block = std::make_unique_for_overwrite<std::byte[]>(file_->block_rows() * bytes);
      for (int64_t i = 0; i < file_->blocks(); ++i) {
        file_->read(i, block.get());
        for (int64_t row = 0; row < file_->rows_of(i); ++row) {
          elements += elements_of(block.get() + row * bytes);
        }
      }
    } else {
      for (int64_t row = 0; row < *rows_; ++row) elements += elements_of(store_.at(row));
    }
    return std::max(by_rows, batches(elements, options_.batch_elements));
  }

  /// Makes a batch of the pending records.
  void flush() {
    pending_elements_ = 0;
    const auto count = static_cast<int64_t>(pending_.size());
    if (count == 0) return;
    if (skip_ > 0) {
      skip_ -= count;
    } else if (skip_batches_ > 0) {
      --skip_batches_;
    } else {
      // Fewer rows than processes go to each: their mean is the same, and no process has none.
      const bool shared = has_own_rows() || count >= options_.world;
      const bool cut = shared && !has_own_rows();
      const int64_t begin = cut ? count * options_.rank / options_.world : 0;
      const int64_t end = cut ? count * (options_.rank + 1) / options_.world : count;
      const int64_t mine = end - begin, times = shared ? 1 : options_.world;
      Batch batch = layout_.make_batch(mine);
      layout_.unpack(pending_.data() + begin, mine, &batch);
      batch.total_rows = has_own_rows() ? rows_of_all() : count * times;
      batch.total_weight = static_cast<double>(batch.total_rows);
      if (batch.weight.defined() && options_.sampling != Sampling::kWeighted)
        batch.total_weight = pending_weight() * static_cast<double>(times);
      if (options_.sampling == Sampling::kWeighted) batch.weight.reset();  // It has had its effect.
      if (options_.pin_memory) batch = pinned(std::move(batch));
      push(std::move(batch));
    }
    pending_.clear();
    ++batch_number_;
  }

  double pending_weight() const {
    double sum = 0;
    for (const std::byte* record : pending_) {
      float weight = 0;
      std::memcpy(&weight, record + layout_.weight.offset, sizeof weight);
      sum += weight;
    }
    return sum;
  }

  static Batch pinned(Batch batch) {
    for (auto* tensor : {&batch.numeric, &batch.categorical, &batch.label, &batch.weight}) {
      if (tensor->defined()) *tensor = tensor->pin_memory();
    }
    for (auto& sequence : batch.sequences) {
      sequence = {sequence.values.pin_memory(), sequence.lengths.pin_memory()};
    }
    for (auto& images : batch.images) images = images.pin_memory();
    return batch;
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

  const std::function<ArrowStream()> source_;
  const std::vector<EncoderSpec> specs_;
  const LoaderOptions options_;
  const RecordLayout layout_;

  // The background thread's.
  RecordStore store_;
  std::optional<RecordFile> file_;
  const int64_t rows_max_;
  const bool grouped_;           // a ranking's rows come by groups
  const bool uneven_;            // batches may end before they are full
  std::vector<uint32_t> order_;  // of the epoch or the window
  std::optional<AliasTable> weights_;
  std::optional<ArrowStream> stream_;
  std::optional<Encoder> encoder_;
  ArrowBatch batch_;
  int64_t batch_at_ = 0;  // rows of `batch_` already packed
  int64_t skip_ = 0;      // rows of the epoch that are not wanted; or batches
  int64_t skip_batches_ = 0;
  int64_t own_rows_ = 0;    // packed by this process
  bool knows_all_ = false;  // orders the rows of all processes, of which it has a part
  int64_t emitted_ = 0, batch_number_ = 0;  // of the epoch
  std::vector<const std::byte*> pending_;
  int64_t pending_elements_ = 0;

  // The consumer's.
  int64_t epoch_;
  double waited_ = 0;

  // Both's, under the mutex; the background thread alone changes them.
  std::mutex mutex_;
  LeftOutRows left_out_;
  std::condition_variable filled_, room_;
  std::deque<std::optional<Batch>> queue_;  // nothing: the end of an epoch
  bool stopping_ = false, done_ = false;
  bool rows_known_ = false, full_ = false;
  std::optional<int64_t> rows_, batches_;
  double packing_ = 0;
  std::exception_ptr error_;

  std::thread thread_;  // Last: it starts when all else is there.
};

Loader::Loader(std::function<ArrowStream()> source, std::vector<EncoderSpec> specs,
               LoaderOptions options)
    : worker_(std::make_unique<Worker>(std::move(source), std::move(specs), std::move(options))) {}
Loader::~Loader() = default;
std::optional<Batch> Loader::next() { return worker_->next(); }
int64_t Loader::epoch() const { return worker_->epoch(); }
bool Loader::shuffle_is_full() { return worker_->shuffle_is_full(); }
std::optional<int64_t> Loader::rows() { return worker_->rows(); }
std::optional<int64_t> Loader::batches() { return worker_->batches(); }
const RecordLayout& Loader::layout() const { return worker_->layout(); }
double Loader::waited_seconds() const { return worker_->waited_seconds(); }
LeftOutRows Loader::left_out() const { return worker_->left_out(); }
double Loader::packing_seconds() const { return worker_->packing_seconds(); }

std::string_view sampling_name(Sampling sampling) { return name_of(kSamplings, sampling); }
Sampling sampling_from_name(std::string_view name) {
  return value_named(kSamplings, "sampling", name);
}

}  // namespace firesteel
