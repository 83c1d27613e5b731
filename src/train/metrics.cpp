// Formulae of the metrics, in double precision.
#include "train/metrics.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <utility>

namespace firesteel {

namespace {

constexpr double kProbabilityEdge = 1e-15;

double clamped_log(double probability) {
  return std::log(std::clamp(probability, kProbabilityEdge, 1 - kProbabilityEdge));
}

double share(double part, double whole) { return whole == 0 ? 0 : part / whole; }

template <typename Term>
double mean_of(const std::vector<float>& values, const std::vector<float>& labels, Term term) {
  assert(values.size() == labels.size());
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    sum += term(static_cast<double>(values[i]), static_cast<double>(labels[i]));
  }
  return sum / static_cast<double>(values.size());
}

}  // namespace

double auc(const std::vector<float>& probability, const std::vector<float>& label) {
  assert(probability.size() == label.size());
  std::vector<std::pair<float, bool>> rows(probability.size());
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = {probability[i], label[i] > 0.5f};
  std::sort(rows.begin(), rows.end());
  // Over the values from low to high: each positive wins against the negatives below it.
  double wins = 0, negatives = 0, positives = 0;
  for (size_t begin = 0; begin < rows.size();) {
    size_t end = begin;
    double tied_positives = 0;
    for (; end < rows.size() && rows[end].first == rows[begin].first; ++end) {
      tied_positives += rows[end].second;
    }
    const double tied_negatives = static_cast<double>(end - begin) - tied_positives;
    wins += tied_positives * (negatives + tied_negatives / 2);
    negatives += tied_negatives;
    positives += tied_positives;
    begin = end;
  }
  if (positives == 0 || negatives == 0) return std::numeric_limits<double>::quiet_NaN();
  return wins / (positives * negatives);
}

double log_loss(const std::vector<float>& probability, const std::vector<float>& label) {
  return mean_of(probability, label, [](double p, double y) {
    return -(y * clamped_log(p) + (1 - y) * clamped_log(1 - p));
  });
}

double brier(const std::vector<float>& probability, const std::vector<float>& label) {
  return mean_of(probability, label, [](double p, double y) { return (p - y) * (p - y); });
}

double Confusion::accuracy() const {
  const auto right = static_cast<double>(true_positive + true_negative);
  return share(right, right + static_cast<double>(false_positive + false_negative));
}
double Confusion::precision() const {
  return share(static_cast<double>(true_positive),
               static_cast<double>(true_positive + false_positive));
}
double Confusion::recall() const {
  return share(static_cast<double>(true_positive),
               static_cast<double>(true_positive + false_negative));
}
double Confusion::f1() const { return share(2 * precision() * recall(), precision() + recall()); }

Confusion confusion(const std::vector<float>& probability, const std::vector<float>& label,
                    double threshold) {
  Confusion counts;
  for (size_t i = 0; i < label.size(); ++i) {
    const bool said = probability[i] >= threshold;
    if (label[i] > 0.5f) {
      ++(said ? counts.true_positive : counts.false_negative);
    } else {
      ++(said ? counts.false_positive : counts.true_negative);
    }
  }
  return counts;
}

double rmse(const std::vector<float>& prediction, const std::vector<float>& label) {
  return std::sqrt(
      mean_of(prediction, label, [](double p, double y) { return (p - y) * (p - y); }));
}

double mae(const std::vector<float>& prediction, const std::vector<float>& label) {
  return mean_of(prediction, label, [](double p, double y) { return std::abs(p - y); });
}

double r2(const std::vector<float>& prediction, const std::vector<float>& label) {
  const double mean = mean_of(prediction, label, [](double, double y) { return y; });
  const double total =
      mean_of(prediction, label, [&](double, double y) { return (y - mean) * (y - mean); });
  const double residual =
      mean_of(prediction, label, [](double p, double y) { return (p - y) * (p - y); });
  return 1 - residual / total;
}

std::vector<CalibrationBin> calibration(const std::vector<float>& probability,
                                        const std::vector<float>& label, int bins) {
  std::vector<CalibrationBin> all(static_cast<size_t>(bins));
  for (size_t i = 0; i < label.size(); ++i) {
    const auto place = static_cast<int>(probability[i] * static_cast<float>(bins));
    auto& bin = all[static_cast<size_t>(std::clamp(place, 0, bins - 1))];
    ++bin.rows;
    bin.mean_probability += probability[i];
    bin.positive_share += label[i];
  }
  std::erase_if(all, [](const CalibrationBin& bin) { return bin.rows == 0; });
  for (auto& bin : all) {
    bin.mean_probability /= static_cast<double>(bin.rows);
    bin.positive_share /= static_cast<double>(bin.rows);
  }
  return all;
}

namespace {

std::map<std::string, double> multilabel_metrics(const Scores& scores) {
  const int64_t rows = scores.rows(), labels = scores.classes;
  double areas = 0, losses = 0, counted = 0;
  for (int64_t label = 0; label < labels; ++label) {
    std::vector<float> value(rows), truth(rows);
    for (int64_t row = 0; row < rows; ++row) {
      value[row] = scores.values[row * labels + label];
      truth[row] = scores.labels[row * labels + label];
    }
    losses += log_loss(value, truth);
    const double area = auc(value, truth);
    if (std::isnan(area)) continue;
    areas += area;
    ++counted;
  }
  int64_t right = 0;
  for (int64_t row = 0; row < rows; ++row) {
    bool all = true;
    for (int64_t at = row * labels; at < (row + 1) * labels; ++at) {
      all = all && (scores.values[at] >= 0.5f) == (scores.labels[at] > 0.5f);
    }
    right += all;
  }
  return {{"auc", counted > 0 ? areas / counted : std::numeric_limits<double>::quiet_NaN()},
          {"log_loss", losses / static_cast<double>(labels)},
          {"f1", confusion(scores.values, scores.labels).f1()},
          {"accuracy", static_cast<double>(right) / static_cast<double>(rows)}};
}

using Ranked = std::vector<std::pair<double, double>>;  // score and relevance of a group's rows

/// Sum of relevance / log2(place + 1) over the first `cutoff` places by score, from 1; rows of one
/// score share their places.
double discounted_gain(Ranked rows, size_t cutoff) {
  std::sort(rows.begin(), rows.end(), [](auto& a, auto& b) { return a.first > b.first; });
  double gain = 0;
  for (size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
    double relevance = 0, discounts = 0;
    for (; end < rows.size() && rows[end].first == rows[begin].first; ++end) {
      relevance += rows[end].second;
      if (end < cutoff) discounts += 1 / std::log2(static_cast<double>(end) + 2);
    }
    gain += relevance / static_cast<double>(end - begin) * discounts;
  }
  return gain;
}

/// 0 when no row is relevant.
double ndcg(const Ranked& rows, size_t cutoff) {
  Ranked best = rows;
  for (auto& [score, relevance] : best) score = relevance;
  return share(discounted_gain(rows, cutoff), discounted_gain(best, cutoff));
}

std::map<std::string, double> ranking_metrics(const Scores& scores) {
  std::map<std::pair<float, float>, Ranked> groups;
  for (int64_t row = 0; row < scores.rows(); ++row) {
    const float* label = scores.labels.data() + 3 * row;
    groups[{label[1], label[2]}].emplace_back(scores.values[row], label[0]);
  }
  double all = 0, first = 0, counted = 0, loss = 0, pairs = 0;
  for (const auto& [group, rows] : groups) {
    if (rows.size() < 2) continue;
    all += ndcg(rows, rows.size());
    first += ndcg(rows, 10);
    ++counted;
    for (const auto& [better, relevance] : rows) {
      for (const auto& [worse, less] : rows) {
        if (!(relevance > less)) continue;
        const double behind = worse - better;
        loss += std::max(behind, 0.0) + std::log1p(std::exp(-std::abs(behind)));
        ++pairs;
      }
    }
  }
  const auto mean = [](double sum, double count) {
    return count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN();
  };
  return {{"ndcg", mean(all, counted)},
          {"ndcg_at_10", mean(first, counted)},
          {"log_loss", mean(loss, pairs)}};
}

std::map<std::string, double> retrieval_metrics(const Scores& scores) {
  double loss = 0, found = 0, reciprocal = 0;
  for (int64_t row = 0; row < scores.rows(); ++row) {
    const double rank = scores.values[2 * row + 1];
    loss += scores.values[2 * row];
    found += rank <= 10;
    reciprocal += 1 / rank;
  }
  const auto rows = static_cast<double>(scores.rows());
  return {{"log_loss", loss / rows}, {"recall_at_10", found / rows}, {"mrr", reciprocal / rows}};
}

}  // namespace

int64_t Scores::best_class(int64_t row) const {
  const auto begin = values.begin() + row * classes;
  return std::max_element(begin, begin + classes) - begin;
}

std::map<std::string, double> metrics_of(const Scores& scores) {
  const auto& [task, classes, values, labels] = scores;
  switch (task) {
    case Task::kBinary: {
      const Confusion counts = confusion(values, labels);
      return {{"auc", auc(values, labels)},    {"log_loss", log_loss(values, labels)},
              {"accuracy", counts.accuracy()}, {"precision", counts.precision()},
              {"recall", counts.recall()},     {"f1", counts.f1()},
              {"brier", brier(values, labels)}};
    }
    case Task::kMulticlass: {
      double loss = 0, right = 0;
      for (int64_t row = 0; row < scores.rows(); ++row) {
        const auto label = static_cast<int64_t>(labels[row]);
        loss -= clamped_log(values[row * classes + label]);
        right += scores.best_class(row) == label;
      }
      const auto rows = static_cast<double>(scores.rows());
      return {{"log_loss", loss / rows}, {"accuracy", right / rows}};
    }
    case Task::kMultilabel:
      return multilabel_metrics(scores);
    case Task::kRetrieval:
      return retrieval_metrics(scores);
    case Task::kRanking:
      return ranking_metrics(scores);
    case Task::kReconstruction: {
      const double square =
          std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
      return {{"rmse", std::sqrt(square)},
              {"log_loss", (square + std::log(2 * std::numbers::pi)) / 2}};
    }
    case Task::kRegression:
      return {
          {"rmse", rmse(values, labels)}, {"mae", mae(values, labels)}, {"r2", r2(values, labels)}};
  }
  return {};
}

bool larger_is_better(std::string_view metric) {
  return metric != "log_loss" && metric != "brier" && metric != "rmse" && metric != "mae";
}

std::vector<std::string> metric_names(Task task) {
  switch (task) {
    case Task::kBinary:
      return {"auc", "log_loss", "accuracy", "precision", "recall", "f1", "brier"};
    case Task::kMulticlass:
      return {"log_loss", "accuracy"};
    case Task::kMultilabel:
      return {"auc", "log_loss", "f1", "accuracy"};
    case Task::kRetrieval:
      return {"log_loss", "recall_at_10", "mrr"};
    case Task::kRanking:
      return {"ndcg", "ndcg_at_10", "log_loss"};
    case Task::kReconstruction:
      return {"rmse", "log_loss"};
    case Task::kRegression:
      return {"rmse", "mae", "r2"};
  }
  return {};
}

}  // namespace firesteel
