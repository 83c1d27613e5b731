// What a model sees of each column: EncoderSpec, fitted once and saved with the model. The same
// specs serve training and prediction (encoder.h). No torch here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace firesteel {

enum class EncoderKind {
  kNumeric,      // (x - mean) / deviation; missing (null, NaN, infinite) is 0
  kCategorical,  // an id by vocabulary
  kHashed,       // an id by xxhash64 of the text
  kDate,         // an id: a part of a date or timestamp (UTC)
  kLabel,
  kWeight,          // the weight of the row in the loss
  kWordSequence,    // an array's elements as kCategorical: the last ones, up to `length`
  kNumberSequence,  // an array's elements as kNumeric
  kText,            // the tokens of a text: the first ones, up to `length`
  kImage,           // an image file's bytes: its middle, `length` pixels wide and high
  kVector,          // an array of `length` numbers, all of one mean and deviation: so many features
  kGroup,           // of a ranking: rows with the same value are ranked among each other
};
enum class DatePart { kMonth, kDayOfMonth, kDayOfWeek, kHour };
enum class Task {
  kBinary,
  kMulticlass,
  kRegression,
  kMultilabel,      // several labels, each 0 or 1: a kLabel spec per label
  kRetrieval,       // each row is a query and its item: a kLabel spec without a column
  kRanking,         // the label is a relevance, and there is a kGroup spec
  kReconstruction,  // of the numbers themselves: a kLabel spec without a column
};
bool has_label(Task task);

/// Ids 0 and 1 of every categorical feature.
constexpr int64_t kUnknownId = 0;
constexpr int64_t kNullId = 1;
constexpr int64_t kFirstWordId = 2;

/// What becomes of one column. A plain value.
struct EncoderSpec {
  std::string column = {};
  EncoderKind kind = EncoderKind::kNumeric;
  /// kNumeric, kNumberSequence, kVector and a regression's label.
  double mean = 0, deviation = 1;
  bool missing_flag = false;  // kNumeric: one more feature, 1 where the value is missing
  /// kCategorical, kWordSequence: word i has id i + 2; integers and booleans are words by their
  /// text. kLabel of classes: word i is class i; empty when the column holds 0 and 1 already.
  std::vector<std::string> vocabulary = {};
  int64_t buckets = 0;               // kHashed; kText: the tokenizer's vocabulary
  DatePart part = DatePart::kMonth;  // kDate
  Task task = Task::kBinary;         // kLabel
  int64_t length = 0;                // sequences: elements kept; kVector: of each row
  std::string tokenizer = {};        // kText: path of a tokenizer.json
  /// kImage: what the shorter edge is resized to before, and how; rows whose image cannot be read
  /// are left out, or are an error.
  int64_t resize = 0;
  std::string interpolation = {};
  bool leave_out = false;

  /// Float features this column becomes.
  int64_t numeric_count() const;
  bool is_categorical() const;
  /// Of numbers or of ids: what a row has is a list.
  bool is_sequence() const;
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

}  // namespace firesteel
