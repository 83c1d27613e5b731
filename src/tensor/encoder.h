// Column encoders: what a model sees of each column (EncoderSpec, fitted once and saved with the
// model), and the packing of Arrow columns into row-major records (Encoder) that the loader and the
// predictor turn into tensors. The same specs serve training and prediction.
#pragma once

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/arrow_stream.h"

namespace firesteel {

enum class EncoderKind {
  kNumeric,      // (x - mean) / deviation; missing (null, NaN, infinite) is 0
  kCategorical,  // an id by vocabulary
  kHashed,       // an id by xxhash64 of the text
  kDate,         // an id: a part of a date or timestamp (UTC)
  kLabel,
  kWeight,  // the weight of the row in the loss
};
enum class DatePart { kMonth, kDayOfMonth, kDayOfWeek, kHour };
enum class Task { kBinary, kMulticlass, kRegression };

/// Ids 0 and 1 of every categorical feature.
constexpr int64_t kUnknownId = 0;
constexpr int64_t kNullId = 1;
constexpr int64_t kFirstWordId = 2;

/// What becomes of one column. A plain value.
struct EncoderSpec {
  std::string column = {};
  EncoderKind kind = EncoderKind::kNumeric;
  double mean = 0, deviation = 1;  // kNumeric, and a regression's label
  bool missing_flag = false;       // kNumeric: one more feature, 1 where the value is missing
  /// kCategorical: word i has id i + 2; integers and booleans are words by their text.
  /// kLabel of classes: word i is class i; empty when the column holds 0 and 1 already.
  std::vector<std::string> vocabulary = {};
  int64_t buckets = 0;               // kHashed
  DatePart part = DatePart::kMonth;  // kDate
  Task task = Task::kBinary;         // kLabel

  /// Float features this column becomes: 0, 1 or 2.
  int64_t numeric_count() const;
  bool is_categorical() const;
  /// Number of ids, with unknown and null.
  int64_t cardinality() const;
  /// "distance", "month(departure)".
  std::string feature_name() const;
  bool operator==(const EncoderSpec&) const = default;
};

std::string_view date_part_name(DatePart part);
std::string_view task_name(Task task);

/// The specs as the JSON text of an artifact, and back. Throws INVALID_ARTIFACT.
std::string encoders_to_json(const std::vector<EncoderSpec>& specs);
std::vector<EncoderSpec> encoders_from_json(std::string_view text);

/// Rows as tensors: numeric [B, N] float32, categorical [B, C] int64, label [B] float32 (int64 for
/// classes), weight [B] float32; label and weight are undefined when no spec gives them.
struct Batch {
  torch::Tensor numeric, categorical, label, weight;
  int64_t rows() const { return numeric.size(0); }
};

/// Where each feature lies in a packed record: float32 numerics, then ids of 1, 2 or 4 bytes, then
/// the label and the weight.
struct RecordLayout {
  struct Slot {
    uint32_t offset = 0;
    uint32_t width = 0;  // bytes
  };

  RecordLayout() = default;
  RecordLayout(const std::vector<EncoderSpec>& specs, bool with_label);

  size_t record_bytes = 0;
  int64_t numeric_count = 0;
  std::vector<Slot> categorical;
  std::vector<int64_t> cardinalities;  // of each categorical feature
  std::vector<std::string> names;      // numerics, then categoricals
  bool has_label = false, has_weight = false;
  Task task = Task::kBinary;
  Slot label, weight;
  std::vector<Slot> slots;  // by spec

  Batch make_batch(int64_t rows) const;
  /// Unpacks record i of `records` into row i of the batch.
  void unpack(const std::byte* const* records, int64_t rows, Batch* batch) const;
};

/// Packs the columns of one Arrow schema. Const calls are thread-safe. Throws
/// TRAINING_DATA_INVALID when a column's type does not suit its spec or a label is null.
class Encoder {
 public:
  /// `with_label` off: label and weight columns may be absent, as in prediction.
  Encoder(const std::vector<EncoderSpec>& specs, const ArrowSchema& schema, bool with_label = true);
  Encoder(Encoder&&) noexcept;
  ~Encoder();

  const RecordLayout& layout() const { return layout_; }
  /// Writes rows [begin, begin + count) of `batch` as records to `out`.
  void encode(const ArrowArray& batch, int64_t begin, int64_t count, std::byte* out) const;
  /// A whole batch as tensors.
  Batch encode(const ArrowArray& batch) const;

 private:
  struct Column;
  std::vector<Column> columns_;
  RecordLayout layout_;
};

}  // namespace firesteel
