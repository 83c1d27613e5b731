// A run: sources and steps become views; the rows go through the engine once, into a Parquet file;
// then fit, train, evaluate, compare, write.
#include "ml/pipeline.h"

#include <fmt/format.h>
#include <spark/connect/relations.pb.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "ml/artifact.h"
#include "ml/report.h"
#include "models/model_function.h"
#include "models/pretrained.h"
#include "plan/print.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

constexpr const char* kPartColumn = "__part";
constexpr const char* kFunctions = "functions";  // a folder of models, by their names
constexpr int64_t kImportanceRows = 50'000;

std::string grouped(int64_t value) {
  std::string text = std::to_string(value);
  for (int at = static_cast<int>(text.size()) - 3; at > 0; at -= 3) text.insert(at, ",");
  return text;
}

/// One run: the members are what its stages hand on.
struct PipelineRun {
  Pipeline pipeline;
  const std::shared_ptr<Executor> executor;
  const RunOptions& options;
  const fs::path output, work;

  std::map<std::string, std::string> input_hashes;
  std::string plan_bytes, plan_text, rows_key;
  RunResult result = {};
  std::unique_ptr<Tracking> tracking = {};

  RunResult run();
  /// Whether workers train on the cluster that the plans run on.
  bool trains_there() const {
    return executor->is_remote() &&
           (options.workers > 0 ? options.workers : pipeline.train.workers) > 1;
  }
  DataFrame feature_rows();
  void hash_inputs();
  std::string model_name() const;
  std::string part_expression(const DataFrame& rows) const;
  DataFrame stored_rows(const DataFrame& rows);
  FittedModel search(const DataFrame& rows, const std::optional<DataFrame>& validation,
                     const TrainOptions& train);
  void log(const std::string& line) const {
    if (options.log) options.log(line);
  }
  Report report(const FittedModel& fitted, const OpenRows& test) const;
};

nlohmann::ordered_json metrics_json(const RunResult& result) {
  nlohmann::ordered_json json;
  for (const auto& model : result.models) {
    for (const auto& [name, value] : model.metrics) {
      json["test"][model.name][name] =
          std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
    }
  }
  for (const auto& row : result.training.history) {
    json["history"].push_back(
        {{"epoch", row.epoch + 1},
         {"loss", row.loss},
         {"validation",
          std::isfinite(row.validation) ? nlohmann::json(row.validation) : nlohmann::json()},
         {"learning_rate", row.learning_rate},
         {"seconds", row.seconds}});
  }
  if (result.tuned) json["trials"] = nlohmann::json(result.tuned->trials);
  json["metric"] = result.training.metric;
  json["best_epoch"] = result.training.best_epoch + 1;
  for (const auto& [name, rows] : result.sizes) json["rows"][name] = rows;
  return json;
}

}  // namespace

std::string path_there(const Executor& executor, const fs::path& path) {
  const auto text = path.string();
  return executor.is_remote() && text.find(":/") == std::string::npos ? fs::absolute(path).string()
                                                                      : text;
}

DataFrame pipeline_rows(const Pipeline& pipeline, std::shared_ptr<Executor> executor,
                        const std::string& step) {
  const std::string wanted = step.empty() ? pipeline.from : step;
  std::vector<std::string> names;
  for (const auto& source : pipeline.sources) names.push_back(source.name);
  for (const auto& other : pipeline.steps) names.push_back(other.name);
  if (std::find(names.begin(), names.end(), wanted) == names.end()) {
    const auto near = nearest_name(wanted, names);
    throw Error("INVALID_OPTION",
                fmt::format("{} has no source or step `{}`.{} It has: {}.", pipeline.file.string(),
                            wanted, near.empty() ? "" : fmt::format(" Did you mean `{}`?", near),
                            fmt::join(names, ", ")));
  }
  for (const auto& function : pipeline.functions)
    executor->add_function(make_model_function(function.name, function.path));
  const Session spark(executor);
  // The whole plan in one piece: what each name stands for, then the rows wanted.
  spark::connect::Relation plan;
  auto* named = plan.mutable_with_relations();
  named->mutable_root()->mutable_sql()->set_query("SELECT * FROM `" + wanted + "`");
  const auto add = [&](const std::string& name, const DataFrame& rows) {
    auto* alias = named->add_references()->mutable_subquery_alias();
    *alias->mutable_input() = rows.plan();
    alias->set_alias(name);
    rows.createOrReplaceTempView(name);
    return name == wanted;
  };
  const auto whole = [&] {
    return DataFrame(executor, std::make_shared<const spark::connect::Relation>(std::move(plan)));
  };
  for (const auto& source : pipeline.sources) {
    auto reader = spark.read();
    reader.format(source.format);
    for (const auto& [key, value] : source.options) reader.option(key, value);
    if (!source.schema.empty()) reader.schema(source.schema);
    if (add(source.name, reader.load(path_there(*executor, source.path)))) return whole();
  }
  for (const auto& other : pipeline.steps) {
    try {
      if (add(other.name, spark.sql(other.sql))) break;
    } catch (const Error& error) {
      throw Error(error.condition(), fmt::format("step `{}`: {}", other.name, error.message()))
          .at(error.span())
          .in(error.sql_text());
    }
  }
  return whole();
}

DataFrame artifact_rows(const fs::path& artifact, std::shared_ptr<Executor> executor,
                        const std::map<std::string, std::vector<std::string>>& sources) {
  check_artifact(artifact);
  spark::connect::Relation plan;
  if (!fs::exists(artifact / "plan.pb") || !plan.ParseFromString(read_file(artifact / "plan.pb"))) {
    throw Error("INVALID_ARTIFACT",
                fmt::format("`{}` has no plan of its rows: it was not made by a pipeline. Give the "
                            "rows with the columns that the model reads.",
                            artifact.string()));
  }
  std::map<std::string, spark::connect::Read_DataSource*> known;
  for (auto& named : *plan.mutable_with_relations()->mutable_references()) {
    auto& alias = *named.mutable_subquery_alias();
    if (!alias.input().read().has_data_source()) continue;
    known[alias.alias()] = alias.mutable_input()->mutable_read()->mutable_data_source();
  }
  for (const auto& [name, paths] : sources) {
    const auto found = known.find(name);
    if (found == known.end()) {
      std::vector<std::string> names;
      for (const auto& [other, source] : known) names.push_back(other);
      const auto near = nearest_name(name, names);
      throw Error("INVALID_OPTION",
                  fmt::format("`{}` was made from no source `{}`.{} It has: {}.", artifact.string(),
                              name, near.empty() ? "" : fmt::format(" Did you mean `{}`?", near),
                              fmt::join(names, ", ")));
    }
    found->second->clear_paths();
    for (const auto& path : paths) found->second->add_paths(path_there(*executor, path));
  }
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(artifact / kFunctions, none))
    executor->add_function(make_model_function(entry.path().filename().string(), entry.path()));
  return {std::move(executor), std::make_shared<const spark::connect::Relation>(std::move(plan))};
}

RunResult run_pipeline(const Pipeline& pipeline, std::shared_ptr<Executor> executor,
                       const RunOptions& options) {
  fs::path output = options.output.empty() ? pipeline.output : options.output;
  if (!output.has_filename()) output = output.parent_path();
  PipelineRun run{.pipeline = pipeline,
                  .executor = std::move(executor),
                  .options = options,
                  .output = output,
                  .work = fs::path(output.string() + ".work")};
  try {
    return run.run();
  } catch (const Error& error) {
    if (run.tracking) run.tracking->fail(error);
    if (error.condition() == "OPERATION_CANCELED") throw;
    // What was trained is kept; a run that did not get so far leaves nothing.
    std::error_code ignored;
    const bool trained = (fs::exists(run.work / "checkpoints", ignored) &&
                          !fs::is_empty(run.work / "checkpoints", ignored)) ||
                         fs::exists(run.work / "trials/trials.json", ignored);
    if (trained) {
      throw Error(error.condition(),
                  fmt::format("{} The last checkpoint is kept in `{}`: `--resume` goes on from it.",
                              error.message(), run.work.string()))
          .at(error.span())
          .in(error.sql_text());
    }
    fs::remove_all(run.work, ignored);
    throw;
  }
}

namespace {

RunResult PipelineRun::run() {
  tracking = std::make_unique<Tracking>(pipeline.track, work, options.warn);
  hash_inputs();
  const DataFrame stored = stored_rows(feature_rows());
  const auto part = [&](int number) {
    return stored.filter(fmt::format("{} = {}", kPartColumn, number));
  };
  const DataFrame train_rows = part(0), validation_rows = part(1), test_rows = part(2);
  std::map<int, int64_t> counts;  // by part; -1: none
  for (const auto& row : stored.groupBy({kPartColumn}).count().collect()) {
    counts[row[0].null ? -1 : static_cast<int>(row[0].number)] =
        static_cast<int64_t>(row[1].number);
  }
  const int64_t train_count = counts[0], validation_count = counts[1], test_count = counts[2];
  if (test_count + train_count + validation_count == 0) {
    throw Error(
        "TRAINING_DATA_INVALID",
        fmt::format("No row of `{}` has a label `{}`{}.", pipeline.from, pipeline.features.label(),
                    pipeline.split.column.empty() ? "" : " and a moment to split by"));
  }
  if (test_count == 0) {
    throw Error("TRAINING_DATA_INVALID",
                "The split leaves no test row: move [split] `test_from` or raise `test`.");
  }
  result.sizes = {{"training rows", train_count},
                  {"validation rows", validation_count},
                  {"test rows", test_count}};
  log(fmt::format("{} rows to train on, {} to validate, {} to test", grouped(train_count),
                  grouped(validation_count), grouped(test_count)));
  if (const int64_t left_out = counts[-1]) {
    log(fmt::format("{} rows are left out: they have no label{}", grouped(left_out),
                    pipeline.split.column.empty() ? "" : ", or no moment to split by"));
  }

  const auto columns = pipeline.features.columns();
  TrainOptions train_options = pipeline.train;
  train_options.trainer.interrupt = options.interrupt;
  train_options.trainer.checkpoints = work / "checkpoints";
  train_options.trainer.resume = options.resume;
  train_options.trainer.resume_changed = options.resume_changed;
  train_options.batches.records = work / "records";
  train_options.batches.records_key = rows_key;
  if (options.workers > 0) train_options.workers = options.workers;
  train_options.job = work / "job";
  train_options.launch = options.launch;
  train_options.log = options.log;
  train_options.progress = [this](const TrainProgress& now) {
    if (options.progress) options.progress(now);
    tracking->progress(now);
  };
  if (validation_count == 0 && train_options.trainer.patience > 0) {
    throw Error("TRAINING_DATA_INVALID",
                "The split leaves no validation row, which `patience` needs.");
  }
  train_options.validation_fraction = 0;
  tracking->start({.name = pipeline.track.run,
                   .pipeline = pipeline.file,
                   .output = output,
                   .model = model_name(),
                   .label = pipeline.features.label(),
                   .epochs = pipeline.train.trainer.epochs,
                   .resumed = options.resume,
                   .sizes = result.sizes,
                   .settings = pipeline.settings});
  const auto start = std::chrono::steady_clock::now();
  const auto held = validation_count > 0 ? std::optional(validation_rows) : std::nullopt;
  const FittedModel model =
      options.tune ? search(train_rows, held, train_options)
                   : train(train_rows, pipeline.features, pipeline.model, train_options, held);
  result.task = model.features().task;
  result.training = model.training();
  if (const auto left_out = result.training.left_out; left_out > 0)
    log(fmt::format("{} rows are left out: their images cannot be read; the first: {}",
                    grouped(left_out), result.training.left_out_first));
  BaselineResult own;
  own.name = model_name();
  own.metrics = model.evaluate(test_rows);
  own.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.models.push_back(std::move(own));

  const BaselineRows baseline_rows{
      .specs = model.model().specs(),
      .train = opened(train_rows, columns),
      .validation = validation_count > 0 ? opened(validation_rows, columns) : OpenRows(),
      .test = opened(test_rows, columns)};
  auto linear = train_options.trainer;
  linear.rows = train_count;
  for (const auto& name : pipeline.baselines) {
    log(fmt::format("baseline {}", name));
    result.models.push_back(run_baseline(name, baseline_rows, linear, train_options.batches));
  }

  const TrackedEnd end{.epoch = result.training.best_epoch >= 0
                                    ? result.training.best_epoch + 1
                                    : static_cast<int64_t>(result.training.history.size()),
                       .models = result.models};
  const Report page = report(model, baseline_rows.test);
  ArtifactInfo info;
  info.seed = pipeline.train.trainer.seed;
  info.versions = options.versions;
  info.versions["firesteel"] = options.program_version;
  info.versions["torch"] = torch_version();
  info.input_hashes = input_hashes;
  save_artifact(output, info, [&](const fs::path& folder) {
    model.model().save(folder);
    std::error_code none;  // when trials have theirs elsewhere
    for (const auto& entry : fs::directory_iterator(work / "checkpoints", none)) {
      if (entry.path().extension() == ".safetensors") {  // of the best epochs
        fs::create_directories(folder / "best");
        fs::copy_file(entry.path(), folder / "best" / entry.path().filename());
      }
    }
    for (const auto& function : pipeline.functions) {
      fs::create_directories(folder / kFunctions);
      fs::copy(function.path, folder / kFunctions / function.name, fs::copy_options::recursive);
    }
    write_file_aside(folder / "pipeline.toml", pipeline.text);
    write_file_aside(folder / "plan.pb", plan_bytes);
    write_file_aside(folder / "plan.txt", plan_text);
    write_file_aside(folder / "metrics.json", metrics_json(result).dump(1) + "\n");
    write_file_aside(folder / "report.html", report_html(page));
    write_file_aside(folder / "log.jsonl", tracking->log_with(end));
  });
  tracking->end(end);
  result.artifact = output;
  std::error_code ignored;
  fs::remove_all(work, ignored);
  return std::move(result);
}

std::string PipelineRun::model_name() const {
  const auto& model = pipeline.model;
  return model.kind == "mlp" && model.hidden.empty() ? "linear" : model.kind;
}

void PipelineRun::hash_inputs() {
  std::vector<fs::path> paths;
  for (const auto& source : pipeline.sources) paths.push_back(source.path);
  for (const auto& function : pipeline.functions) paths.push_back(function.path);
  if (!pipeline.model.path.empty()) paths.emplace_back(pipeline.model.path);
  for (const auto& path : paths) {
    if (fs::is_directory(path)) {
      for (const auto& entry : fs::recursive_directory_iterator(path)) {
        if (entry.is_regular_file()) input_hashes[entry.path().string()] = hash_file(entry.path());
      }
    } else if (fs::exists(path)) {
      input_hashes[path.string()] = hash_file(path);
    }  // Else a pattern or an address, which the reader of the source knows.
  }
}

/// The rows that features are made of, and their plan for the artifact: its sources have the types
/// found now, so that other files are not read as other types.
DataFrame PipelineRun::feature_rows() {
  const DataFrame rows = pipeline_rows(pipeline, executor);
  spark::connect::Relation plan = rows.plan();
  for (auto& named : *plan.mutable_with_relations()->mutable_references()) {
    auto& input = *named.mutable_subquery_alias()->mutable_input();
    if (!input.read().has_data_source() || !input.read().data_source().schema().empty()) continue;
    std::string schema;
    for (const auto& field : executor->schema(input)) {
      schema += fmt::format("{}`{}` {}", schema.empty() ? "" : ", ", field.name, field.type.sql());
    }
    input.mutable_read()->mutable_data_source()->set_schema(schema);
  }
  plan_bytes = plan.SerializeAsString();
  plan_text = print(rows.plan()) + "\n" + rows.explain();
  return rows;
}

/// The condition of rows that no label can be taken from, or no group.
std::string no_label(const Features& features) {
  std::string condition;
  for (const auto& label : features.labels()) condition += fmt::format("`{}` IS NULL OR ", label);
  if (!features.group().empty()) condition += fmt::format("`{}` IS NULL OR ", features.group());
  return "(" + condition + "false)";
}

/// 0 for training rows, 1 for validation rows, 2 for test rows, null for neither: rows without a
/// label, or without a moment to split by.
std::string PipelineRun::part_expression(const DataFrame& rows) const {
  const auto& split = pipeline.split;
  if (split.by == PipelineSplit::By::kHash) {
    auto terms = pipeline.features.hash_terms();
    const double held = split.test + static_cast<double>(split.fold - 1) * split.validation;
    if (!split.columns.empty()) terms.clear();
    for (const auto& column : split.columns) terms.push_back(fmt::format("`{}`", column));
    return fmt::format("CASE WHEN {} THEN NULL WHEN {} THEN 2 WHEN {} THEN 1 ELSE 0 END",
                       no_label(pipeline.features), hash_share(terms, split.seed, 0, split.test),
                       hash_share(terms, split.seed, held, held + split.validation));
  }
  std::vector<std::string> names;
  std::string type;
  for (const auto& field : rows.schema()) {
    names.push_back(field.name);
    if (field.name == split.column) type = field.type.sql();
  }
  if (type.empty()) {
    const std::string near = nearest_name(split.column, names);
    throw Error("UNRESOLVED_COLUMN.WITH_SUGGESTION",
                fmt::format("`{}` has no column `{}` to split by.{}", pipeline.from, split.column,
                            near.empty() ? "" : fmt::format(" Did you mean `{}`?", near)));
  }
  const auto since = [&](const std::string& moment) {
    std::string text;
    for (const char c : moment) text += c == '\'' ? "\\'" : std::string(1, c);
    return fmt::format("`{}` >= CAST('{}' AS {})", split.column, text, type);
  };
  const auto validation = !split.validation_from.empty() ? since(split.validation_from)
                          : split.validation > 0 ? hash_share(pipeline.features.hash_terms(),
                                                              split.seed, 0, split.validation)
                                                 : "false";
  return fmt::format(
      "CASE WHEN {} OR `{}` IS NULL THEN NULL WHEN {} THEN 2 WHEN {} THEN 1 ELSE 0 END",
      no_label(pipeline.features), split.column, since(split.test_from), validation);
}

/// The columns that the model reads and the part of each row, run once and kept as a file. A
/// resumed run takes the file of the run before, when the inputs and the pipeline are the same.
DataFrame PipelineRun::stored_rows(const DataFrame& rows) {
  const fs::path path = work / "rows.parquet", key_path = work / "rows.key";
  std::string& key = rows_key;
  key = pipeline.text;
  for (const auto& step : pipeline.steps) key += "\n" + step.sql;
  for (const auto& [name, hash] : input_hashes) key += "\n" + name + " " + hash;
  key = hash_text(hash_bytes(key));
  const bool kept_there = trains_there();
  const Session keeper(kept_there || !options.local ? executor : options.local);
  const auto kept = [&] { return keeper.read().parquet(fs::absolute(path).string()); };
  if (options.resume && fs::exists(key_path)) {
    if (read_file(key_path) == key && fs::exists(path)) return kept();
    if (!options.resume_changed) {
      throw Error(
          "INVALID_OPTION",
          "The pipeline or its inputs changed since the run that is to be resumed. Start anew "
          "without resuming, or add `--resume-changed` to train on from its weights all the same.");
    }
    for (const auto& stale : {path, work / "records", work / "job"}) fs::remove_all(stale);
  } else {
    std::error_code ignored;
    fs::remove_all(work, ignored);
  }
  fs::create_directories(work);
  std::vector<std::string> columns;
  for (const auto& name : pipeline.features.columns()) columns.push_back("`" + name + "`");
  columns.push_back(fmt::format("{} AS {}", part_expression(rows), kPartColumn));
  auto wanted = rows.selectExpr(columns);
  if (keeper.executor() != executor) wanted = keeper.createDataFrame(wanted.toArrowStream());
  wanted.write().mode("overwrite").parquet(fs::absolute(path).string());
  if (kept_there && !fs::exists(path)) {
    throw Error("PATH_NOT_FOUND",
                fmt::format("The cluster wrote the rows to `{}`, which is not seen here. Workers "
                            "need an output folder that this machine and all executors share; "
                            "without one, train here with --workers 1.",
                            fs::absolute(path).string()));
  }
  write_file_aside(key_path, key);
  return kept();
}

/// Trials on the same rows; the pipeline is then that of the best.
FittedModel PipelineRun::search(const DataFrame& rows, const std::optional<DataFrame>& validation,
                                const TrainOptions& train) {
  if (pipeline.tune.space.empty()) {
    throw Error("INVALID_PIPELINE", fmt::format("{} has no [tune.space], which says what to try.",
                                                pipeline.file.string()));
  }
  auto fitted = fit(rows, pipeline.features);
  const auto columns = pipeline.features.columns();
  auto trainer = train.trainer;
  trainer.rows = fitted.rows;
  const auto with = [this](TuneValues values) {
    values.insert(values.begin(), pipeline.set.begin(), pipeline.set.end());
    return parse_pipeline(pipeline.file, values);
  };
  const auto settings = [&](const TuneValues& values) {
    const auto tried = with(values);
    return TrialSettings{tried.model, tried.train.trainer, tried.train.batches};
  };
  result.tuned = firesteel::tune(
      fitted, opened(rows, columns), validation ? opened(*validation, columns) : OpenRows(),
      pipeline.tune, deciding_metric(fitted.task, trainer.metric), settings, trainer, train.batches,
      work / "trials", train.launch, options.log);
  pipeline = with(result.tuned->trials[result.tuned->best].values);
  return {result.tuned->model, result.tuned->training, std::move(fitted)};
}

std::string importance_metric(Task task) {
  switch (task) {
    case Task::kBinary:
    case Task::kMultilabel:
      return "auc";
    case Task::kMulticlass:
      return "log_loss";
    case Task::kRegression:
    case Task::kReconstruction:
      return "rmse";
    case Task::kRetrieval:
      return "mrr";
    case Task::kRanking:
      return "ndcg";
  }
  return "";
}

Report PipelineRun::report(const FittedModel& fitted, const OpenRows& test) const {
  Report page;
  page.title = pipeline.features.labels().empty()
                   ? fmt::format("A {} task", task_name(result.task))
                   : fmt::format("Predicting `{}`", pipeline.features.label());
  page.task = result.task;
  page.models = result.models;
  page.training = result.training;
  page.importance_metric = importance_metric(result.task);
  if (!is_pretrained(pipeline.model.kind)) {  // Those read one feature.
    page.importance = fitted.model().importance(test, page.importance_metric, kImportanceRows,
                                                pipeline.train.trainer.seed);
  }
  if (result.task == Task::kBinary) {
    const Scores scores = fitted.model().score(test);
    page.calibration = calibration(scores.values, scores.labels);
  }
  page.sizes = result.sizes;
  const auto& trainer = pipeline.train.trainer;
  page.settings = {
      {"hidden layers", fmt::format("{}", fmt::join(pipeline.model.hidden, ", "))},
      {"parameters", grouped(fitted.model().parameter_count())},
      {"dropout", fmt::format("{}", pipeline.model.dropout)},
      {"epochs", fmt::format("{} of {}", result.training.history.size(), trainer.epochs)},
      {"batch size", std::to_string(pipeline.train.batches.rows)},
      {"learning rate", fmt::format("{}", trainer.learning_rate)},
      {"schedule", std::string(schedule_name(trainer.schedule.kind))},
      {"optimizer", std::string(optimizer_name(trainer.optimizer.kind))},
      {"weight decay", fmt::format("{}", trainer.optimizer.weight_decay)},
      {"seed", std::to_string(trainer.seed)},
      {"training seconds", fmt::format("{:.1f}", result.training.seconds)}};
  if (result.tuned) page.trials = result.tuned->table();
  page.plan = plan_text;
  page.pipeline = pipeline.text;
  page.notes = fitted.features().notes;
  return page;
}

}  // namespace

std::string RunResult::table() const {
  const auto names = metric_names(task);
  std::string text = fmt::format("{:<20}", "model");
  const auto width = [](const std::string& name) { return std::max<size_t>(11, name.size() + 2); };
  for (const auto& name : names) text += fmt::format("{:>{}}", name, width(name));
  text += fmt::format("{:>10}\n", "seconds");
  for (const auto& model : models) {
    text += fmt::format("{:<20}", model.name);
    for (const auto& name : names) {
      const auto found = model.metrics.find(name);
      text += found == model.metrics.end() ? fmt::format("{:>{}}", "-", width(name))
                                           : fmt::format("{:>{}.4f}", found->second, width(name));
    }
    text += fmt::format("{:>10.1f}\n", model.seconds);
  }
  return text;
}

}  // namespace firesteel
