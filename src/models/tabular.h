// A model of rows: encoders and a network as one thing that is trained on Arrow rows, predicts
// Arrow rows and is saved as files. No torch here; what it is made of is in the source.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/added_columns.h"
#include "base/arrow_stream.h"
#include "base/named.h"
#include "models/fine_tuning.h"
#include "tensor/encoder_spec.h"
#include "train/metrics.h"
#include "train/options.h"

namespace firesteel {

struct TabularOptions {
  std::string kind = "mlp";                  // one of tabular_kinds()
  std::vector<int64_t> hidden = {256, 128};  // empty: linear (logistic) regression
  double dropout = 0;
  std::string activation = "relu";  // or "gelu", "silu"
  int64_t embedding_dimension = 0;  // 0: by the number of ids
  bool batch_norm = false;
  int64_t blocks = 3;     // residual blocks, cross layers or transformer blocks
  int64_t heads = 8;      // of attention
  int64_t ensemble = 32;  // members
  /// Columns of the item, of two_tower: the other features are the query's.
  std::vector<std::string> item;
  /// Of pre-trained kinds: the model's folder or file, and what of it is trained.
  std::string path;
  FineTuning fine_tuning;
  /// Of vision: the network's name, pixels of an edge that it sees (0: as its public weights want),
  /// and what is done to images in training (image_transforms.h), as JSON.
  std::string network, augment;
  int64_t image_size = 0;
  /// Of pt2: what each of the program's inputs is, where its name does not say so: numeric,
  /// categorical, sequence, mask, lengths or image.
  std::map<std::string, std::string> inputs;
};
/// The kinds there are, and those of them that read sequences.
std::vector<std::string> tabular_kinds();
std::vector<std::string> sequence_kinds();
/// Kinds that have a task of their own, which no other kind is for.
constexpr Named<Task> kOwnTasks[] = {{Task::kRetrieval, "two_tower"},
                                     {Task::kReconstruction, "autoencoder"}};

/// Opens rows anew; the order must be the same each time.
using OpenRows = std::function<ArrowStream()>;

/// How much worse a metric gets when one feature is shuffled among the rows.
struct FeatureImportance {
  std::string feature;
  double loss = 0;  // of the metric; above 0: the model uses the feature
};

/// Encoded rows as a matrix, row after row: numbers, then ids; and the labels, of several the
/// first, 0 where there is none.
struct EncodedRows {
  int64_t rows = 0, columns = 0;
  std::vector<std::string> names;
  std::vector<bool> is_categorical;
  std::vector<float> values, labels;
};

/// Copies share the weights. Const calls may come from one thread at a time.
class TabularModel {
 public:
  /// New weights by `seed`, a pre-trained model's but for its head. `specs` holds the features and
  /// the label or labels.
  TabularModel(std::vector<EncoderSpec> specs, TabularOptions options, uint64_t seed);
  ~TabularModel();
  TabularModel(const TabularModel&);
  TabularModel& operator=(const TabularModel&);

  /// See `train` of trainer.h. `validation` may be empty.
  TrainResult train(const OpenRows& rows, const OpenRows& validation, const TrainerOptions& options,
                    const BatchOptions& batches,
                    const std::function<void(const TrainProgress&)>& progress = {});
  /// Scores with labels. Regression in the label's own units.
  Scores score(const OpenRows& rows) const;
  /// The rows with one more column, `name`: the probability of the second class, the name of the
  /// most probable class, or the value (of a ranking: the higher, the earlier); of several labels a
  /// column `name_LABEL` each; of retrieval the product of the row's query and item. Reads as it is
  /// read. The stream shares the weights.
  ArrowStream transform(ArrowStream rows, const std::string& name = "prediction") const;
  /// The columns that a prediction adds to rows of a schema, and how.
  struct Predictor {
    std::vector<AddedColumn> columns;
    std::function<std::vector<AddedValues>(const ArrowArray& batch)> values;
  };
  Predictor predictor(const ArrowSchema& schema, const std::string& name = "prediction") const;
  /// Of each column that the model reads, on the first `rows_max` rows.
  std::vector<FeatureImportance> importance(const OpenRows& rows, const std::string& metric,
                                            int64_t rows_max, uint64_t seed) const;
  /// Writes model.json, model.safetensors and encoders.json into a folder that exists.
  void save(const std::filesystem::path& folder) const;
  /// Throws INVALID_ARTIFACT.
  static TabularModel load(const std::filesystem::path& folder);
  /// A classifier's folder as it is, which reads the column `text`, or image files in the column
  /// `content`, and predicts the label's name. Throws UNSUPPORTED_MODEL, INVALID_ARTIFACT.
  static TabularModel of_folder(const std::filesystem::path& folder);

  const std::vector<EncoderSpec>& specs() const;
  const TabularOptions& options() const;
  /// The label, or the first of several.
  const EncoderSpec& label() const;
  int64_t parameter_count() const;

 private:
  struct State;
  explicit TabularModel(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

EncodedRows encode_rows(const std::vector<EncoderSpec>& specs, const OpenRows& rows);
/// Version of the libtorch in use.
std::string torch_version();

}  // namespace firesteel
