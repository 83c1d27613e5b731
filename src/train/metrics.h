// Metrics of predictions, exact, on plain vectors. Labels of binary tasks are 0 and 1.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/encoder_spec.h"

namespace firesteel {

/// Area under the ROC curve by the rank statistic, ties counted half. NaN when a class is absent.
double auc(const std::vector<float>& probability, const std::vector<float>& label);
/// Mean negative log likelihood; probabilities are kept 1e-15 away from 0 and 1.
double log_loss(const std::vector<float>& probability, const std::vector<float>& label);
/// Mean squared difference of probability and label.
double brier(const std::vector<float>& probability, const std::vector<float>& label);

/// At a threshold; 0 where the denominator is.
struct Confusion {
  int64_t true_positive = 0, false_positive = 0, true_negative = 0, false_negative = 0;
  double accuracy() const;
  double precision() const;
  double recall() const;
  double f1() const;
};
Confusion confusion(const std::vector<float>& probability, const std::vector<float>& label,
                    double threshold = 0.5);

double rmse(const std::vector<float>& prediction, const std::vector<float>& label);
double mae(const std::vector<float>& prediction, const std::vector<float>& label);
/// 1 - residual / total sum of squares.
double r2(const std::vector<float>& prediction, const std::vector<float>& label);

/// Predictions of one bin of equal width and what came true.
struct CalibrationBin {
  int64_t rows = 0;
  double mean_probability = 0;
  double positive_share = 0;
};
/// Bins without rows are left out.
std::vector<CalibrationBin> calibration(const std::vector<float>& probability,
                                        const std::vector<float>& label, int bins = 10);

/// Scores of rows: binary: probability of class 1; regression: value; multiclass and multilabel:
/// `classes` probabilities per row, row after row; retrieval: the row's loss and its item's rank;
/// ranking: a value, higher where the row is to come earlier; reconstruction: the mean square
/// error.
struct Scores {
  Task task = Task::kBinary;
  int64_t classes = 1;
  std::vector<float> values;
  /// A class number for multiclass; as many as values for multilabel; for ranking the relevance and
  /// the two halves of the group.
  std::vector<float> labels;

  int64_t rows() const { return static_cast<int64_t>(values.size()) / classes; }
  /// The most probable class of a row.
  int64_t best_class(int64_t row) const;
};

/// Every metric of the task by name, as scikit-learn has it where it has it.
/// Of several labels: auc and log_loss are means over the labels (auc: over those that have both
/// values), f1 counts all labels together (micro), accuracy is the share of rows of which all
/// labels are right. Of retrieval: recall_at_10 and the mean reciprocal rank, among the items of a
/// batch. Of ranking: the means over the groups of two rows and more of ndcg, of all rows and of
/// the first 10, gains being the relevances and ties averaged; log_loss is the logistic loss of all
/// pairs. Of a reconstruction: rmse in deviations, and log_loss, a number's under N(reconstruction,
/// 1).
std::map<std::string, double> metrics_of(const Scores& scores);
/// Whether a larger value of this metric is better.
bool larger_is_better(std::string_view metric);
/// The names that `metrics_of` gives for a task.
std::vector<std::string> metric_names(Task task);

}  // namespace firesteel
