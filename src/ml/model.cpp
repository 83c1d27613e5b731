// The joint of both worlds: DataFrame → Arrow stream → TabularModel → Arrow stream → DataFrame.
#include "ml/model.h"

#include <fmt/format.h>
#include <spark/connect/relations.pb.h>

#include <cmath>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "dataframe/session.h"
#include "ml/artifact.h"
#include "ml/cluster.h"
#include "ml/temporary.h"
#include "models/pretrained.h"

namespace firesteel {

FittedModel train(const DataFrame& rows, const Features& features, const ModelOptions& model,
                  const TrainOptions& options, const std::optional<DataFrame>& validation) {
  DataFrame training = rows;
  std::optional<DataFrame> held = validation;
  const uint64_t seed = options.trainer.seed;
  if (!held && options.validation_fraction > 0) {
    const double share = options.validation_fraction;
    const auto terms = features.hash_terms();
    held = rows.filter(hash_share(terms, seed, 0, share));
    training = rows.filter(hash_share(terms, seed, share, 1));
  }
  auto fitted = fit(training, features);
  FittedModel result(TabularModel(fitted.specs, model, seed));
  auto trainer = options.trainer;
  trainer.rows = fitted.rows;
  for (const auto& spec : fitted.specs)
    if (spec.leave_out) trainer.rows = 0;  // The loader tells when it has read them.
  const auto columns = features.columns();
  const auto train_rows = opened(training, columns);
  const auto held_rows = held ? opened(*held, columns) : OpenRows();
  auto batches = options.batches;
  if (options.workers > 1 && rows.executor()->is_remote()) {
    constexpr const char* kPart = "__part";
    std::vector<std::string> parts;
    for (const auto& name : columns) parts.push_back("`" + name + "`");
    const auto marked = [&](const DataFrame& df, int part) {
      auto with_part = parts;
      with_part.push_back(fmt::format("{} AS {}", part, kPart));
      return df.selectExpr(with_part);
    };
    auto all = marked(training, 0);
    if (held) all = all.unionAll(marked(*held, 1));
    auto there = options;
    there.trainer = trainer;
    result.training_ = train_on_cluster(&result.model_, all, kPart, held.has_value(),
                                        features.hash_terms(), there);
  } else if (options.workers > 1) {
    const Temporary temporary;
    if (batches.records.empty() || batches.records_key.empty()) {
      batches.records = temporary.folder() / "records";
      batches.records_key = "once";
    }
    const auto job = options.job.empty() ? temporary.folder() / "job" : options.job;
    result.training_ =
        train_in_workers(&result.model_, train_rows, held_rows, trainer, batches, options.workers,
                         job, options.launch, options.progress, options.log);
  } else {
    result.training_ =
        result.model_.train(train_rows, held_rows, trainer, batches, options.progress);
  }
  result.features_ = std::move(fitted);
  return result;
}

OpenRows opened(const DataFrame& rows, const std::vector<std::string>& columns) {
  std::vector<Column> list;
  for (const auto& name : columns) list.emplace_back("`" + name + "`");
  return [selected = rows.select(list)] { return selected.toArrowStream(); };
}

std::string hash_share(const std::vector<std::string>& terms, uint64_t seed, double from,
                       double to) {
  constexpr int64_t kParts = 1'000'000;
  const auto part = fmt::format("pmod(xxhash64({}, {}L), {}L)", fmt::join(terms, ", "),
                                static_cast<int64_t>(seed), kParts);
  return fmt::format("{0} >= {1}L AND {0} < {2}L", part, std::llround(from * kParts),
                     std::llround(to * kParts));
}

DataFrame FittedModel::transform(const DataFrame& rows) const {
  if (rows.executor()->is_remote()) return transform_on_cluster(model_, rows);
  return Session(rows.executor()).createDataFrame(model_.transform(rows.toArrowStream()));
}

std::map<std::string, double> FittedModel::evaluate(const DataFrame& rows) const {
  std::vector<std::string> columns;
  for (const auto& spec : model_.specs()) {
    if (spec.column.empty()) continue;  // There is no label.
    if (std::find(columns.begin(), columns.end(), spec.column) == columns.end())
      columns.push_back(spec.column);
  }
  const Scores scores = model_.score(opened(rows, columns));
  if (scores.rows() == 0) throw Error("TRAINING_DATA_INVALID", "There is no row to evaluate.");
  return metrics_of(scores);
}

void FittedModel::save(const std::string& folder) const {
  ArtifactInfo info;
  info.versions["torch"] = torch_version();
  save_artifact(folder, info, [&](const std::filesystem::path& aside) { model_.save(aside); });
}

FittedModel FittedModel::load(const std::string& folder) {
  if (!std::filesystem::exists(std::filesystem::path(folder) / "model.json") &&
      is_classifier_folder(folder))
    return FittedModel(TabularModel::of_folder(folder));
  check_artifact(folder);
  return FittedModel(TabularModel::load(folder));
}

}  // namespace firesteel
