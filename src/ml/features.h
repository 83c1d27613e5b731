// Which columns a model sees and how: named by the user, fitted on a DataFrame.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataframe/dataframe.h"
#include "tensor/encoder_spec.h"

namespace firesteel {

/// `Features().numeric({"distance"}).categorical({"carrier"}).label("late")`. A value.
class Features {
 public:
  Features& numeric(const std::vector<std::string>& columns);
  Features& categorical(const std::vector<std::string>& columns);
  /// Categories of no fixed vocabulary, spread over `buckets` ids by hash.
  Features& hashed(const std::vector<std::string>& columns, int64_t buckets);
  /// Month, day of the month and day of the week of a date; of a timestamp the hour too (UTC).
  Features& date(const std::vector<std::string>& columns);
  /// Arrays, of which the last `length` elements are read: strings, integers and booleans by a
  /// vocabulary, other numbers standardised. A null array is an empty one.
  Features& sequence(const std::vector<std::string>& columns, int64_t length = 50);
  /// Texts, as the tokens that a tokenizer.json, or the folder that has it, makes of them: the
  /// first `length`, special ones included; 0: what the tokenizer says, 512 at most.
  Features& text(const std::vector<std::string>& columns, const std::string& tokenizer,
                 int64_t length = 0);
  /// Image files (BINARY): the shorter edge resized to `resize` pixels, then the middle, `size`
  /// wide and high. `leave_out`: rows whose image cannot be read, in place of an error.
  Features& image(const std::vector<std::string>& columns, int64_t resize, int64_t size,
                  const std::string& interpolation = "bilinear", bool leave_out = false);
  /// Arrays of as many numbers in each row, like those that a model makes of a text: a feature
  /// each.
  Features& vector(const std::vector<std::string>& columns);
  Features& label(const std::string& column);
  /// Several labels in place of one, each a boolean or 0 and 1: a multilabel task.
  Features& labels(const std::vector<std::string>& columns);
  /// Of a ranking: rows with the same value here are ranked among each other by the label.
  Features& group(const std::string& column);
  /// Column of the rows' weights in the loss.
  Features& weight(const std::string& column);
  /// Binary where the label is a boolean, 0 and 1, or two words; multiclass for more words;
  /// regression for other numbers: unless it is set here. Retrieval and reconstruction
  /// have no label.
  Features& task(Task task);
  /// Words of a vocabulary at most, the most frequent first; the rest is "unknown".
  Features& max_categories(int64_t count);

  /// Names of all columns, the labels and the weight included.
  std::vector<std::string> columns() const;
  /// SQL of all these columns that a hash can be taken of; of a ranking the group alone, so that a
  /// hash keeps groups whole.
  std::vector<std::string> hash_terms() const;
  bool has_features() const { return !features_.empty(); }
  bool has(EncoderKind kind) const;
  bool has_sequences() const;
  /// Those that all networks and baselines read: no sequences and images.
  bool has_plain_features() const;
  const std::optional<Task>& task() const { return task_; }
  const std::string& group() const { return group_; }
  /// One, or those of a multilabel task.
  const std::vector<std::string>& labels() const { return labels_; }
  /// The labels as one text, "a, b".
  std::string label() const;

 private:
  friend struct FeatureFit;
  struct Feature {
    std::string column;
    EncoderKind kind;
    int64_t buckets = 0;
    int64_t length = 0;
    std::string tokenizer = {};
    int64_t resize = 0;
    std::string interpolation = {};
    bool leave_out = false;
    /// Whether an array is a kWordSequence or a kNumberSequence is known by its type.
    bool is_array() const {
      return kind == EncoderKind::kWordSequence || kind == EncoderKind::kVector;
    }
    bool is_sequence() const {
      return kind == EncoderKind::kWordSequence || kind == EncoderKind::kText;
    }
  };
  std::vector<Feature> features_;
  std::vector<std::string> labels_;
  std::string weight_, group_;
  std::optional<Task> task_;
  int64_t max_categories_ = 10'000;
};

struct FittedFeatures {
  std::vector<EncoderSpec> specs;  // the features, then the labels, then the weight
  int64_t rows = 0;
  Task task = Task::kBinary;
  double label_mean = 0;           // binary: share of the second class
  std::vector<std::string> notes;  // what the user may want to know, a sentence each
};

/// Computes statistics with one aggregate query and vocabularies with one query per categorical
/// column. The same rows give the same result. Throws UNRESOLVED_COLUMN.WITH_SUGGESTION or
/// TRAINING_DATA_INVALID.
FittedFeatures fit(const DataFrame& rows, const Features& features);

}  // namespace firesteel
