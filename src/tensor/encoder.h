// Packing of Arrow columns into row-major records (Encoder) that the loader and the predictor turn
// into tensors. What becomes of each column is said by the specs (encoder_spec.h).
#pragma once

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/arrow_stream.h"
#include "tensor/encoder_spec.h"

namespace firesteel {

/// A sequence feature of the rows: values [B, L], int64 ids or float32 numbers, where L is the
/// longest row's length, 1 at least; lengths [B] int64. Behind its length a row holds zeros.
struct SequenceBatch {
  torch::Tensor values, lengths;
  /// The rows' elements one after the other, without zeros behind: [sum of the lengths].
  torch::Tensor packed() const;
};

/// Rows as tensors: numeric [B, N] float32, categorical [B, C] int64, label [B] float32 (int64 for
/// classes, [B, labels] float32 of a multilabel task; [B, 3] float32 of a ranking: the relevance,
/// and the group as a number of 48 bits in two halves), weight [B] float32; label and weight are
/// undefined when no spec gives them.
struct Batch {
  torch::Tensor numeric, categorical, label, weight;
  std::vector<SequenceBatch> sequences;
  std::vector<torch::Tensor> images;  // [B, 3, S, S] bytes
  /// Of a loader's batch over all processes that share it: rows, and the sum of their weights.
  int64_t total_rows = 0;
  double total_weight = 0;
  int64_t rows() const { return numeric.size(0); }
};

/// Where each feature lies in a packed record: float32 numerics, then ids of 1, 2 or 4 bytes, then
/// sequences (their length in 4 bytes, and room for all elements), images, the label and the
/// weight, in the order of the specs.
struct RecordLayout {
  struct Slot {
    uint32_t offset = 0;
    uint32_t width = 0;  // bytes
  };
  struct Sequence {
    Slot slot;
    uint32_t element_width = 0;
    int64_t cardinality = 0;  // 0: numbers
    int64_t length = 0;       // elements at most
  };

  RecordLayout() = default;
  RecordLayout(const std::vector<EncoderSpec>& specs, bool with_label);

  size_t record_bytes = 0;
  int64_t numeric_count = 0;
  std::vector<Slot> categorical;
  std::vector<int64_t> cardinalities;  // of each categorical feature
  std::vector<Sequence> sequences;
  struct Picture {
    Slot slot;
    int64_t size = 0;  // pixels of an edge
  };
  std::vector<Picture> images;
  std::vector<std::string> names;  // numerics, then categoricals
  bool has_label = false, has_weight = false;
  Task task = Task::kBinary;
  std::vector<Slot> labels;
  Slot weight, group;
  std::vector<Slot> slots;  // by spec

  Batch make_batch(int64_t rows) const;
  /// Unpacks record i of `records` into row i of the batch; the sequences are made here, as long as
  /// these rows need them.
  void unpack(const std::byte* const* records, int64_t rows, Batch* batch) const;

 private:
  SequenceBatch unpack_sequence(const Sequence& sequence, const std::byte* const* records,
                                int64_t rows) const;
  void unpack_label(const std::byte* record, int64_t row, void* to) const;
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
  /// What rows were left out for.
  struct LeftOut {
    std::vector<int64_t> rows;  // of the batch, in order
    std::string first;          // what is wrong with the first
  };
  /// Writes rows [begin, begin + count) of `batch` as records to `out`, one behind the other; those
  /// left out are told.
  LeftOut encode(const ArrowArray& batch, int64_t begin, int64_t count, std::byte* out) const;
  /// A whole batch as tensors, but for the rows left out.
  Batch encode(const ArrowArray& batch, LeftOut* left_out = nullptr) const;

 private:
  struct Column;
  std::vector<Column> columns_;
  RecordLayout layout_;
};

}  // namespace firesteel
