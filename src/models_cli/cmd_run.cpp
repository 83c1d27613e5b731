// firesteel run, predict and show: pipelines and their models.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>

#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/run_log.h"
#include "cli/run_view.h"
#include "engine/engine.h"
#include "ml/pipeline.h"
#include "models_cli/input_rows.h"
#include "train/metrics.h"
#include "train/progress.h"

namespace firesteel::cli {

namespace {

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Per column: nulls, distinct values, and for numbers mean and quantiles, in one pass.
DataFrame summary(const DataFrame& rows) {
  std::string parts;
  for (const auto& field : rows.schema()) {
    const auto name = "`" + field.name + "`";
    const bool number = field.type.is_numeric();
    if (field.type.is_nested()) continue;
    auto statistic = [&](const std::string& call) {
      return number ? fmt::format("round({}, 4)", call) : std::string("CAST(NULL AS DOUBLE)");
    };
    std::string literal;
    for (char c : field.name) literal += c == '\'' ? std::string("\\'") : std::string(1, c);
    const auto as_number = fmt::format("CAST({} AS DOUBLE)", number ? name : "NULL");
    parts += fmt::format(
        "{}named_struct('column', '{}', 'type', '{}', 'nulls', count(*) - count({}), 'distinct', "
        "approx_count_distinct({}), "
        "'mean', {}, 'min', CAST(min({}) AS STRING), '25%', {}, '50%', {}, '75%', {}, 'max', "
        "CAST(max({}) AS STRING))",
        parts.empty() ? "" : ", ", literal, field.type.simple_string(), name, name,
        statistic("avg(" + as_number + ")"), name,
        statistic(fmt::format("percentile({}, 0.25e0)", as_number)),
        statistic(fmt::format("percentile({}, 0.5e0)", as_number)),
        statistic(fmt::format("percentile({}, 0.75e0)", as_number)), name);
  }
  rows.createOrReplaceTempView("__shown");
  return Session(rows.executor())
      .sql(fmt::format("SELECT inline(all) FROM (SELECT array({}) AS all FROM __shown)", parts));
}

/// A run that draws itself.
struct WatchedRun {
  /// A resumed run's epochs so far are those of the log in its work folder.
  WatchedRun(const Pipeline& pipeline, const std::filesystem::path& log_before) : view(stderr) {
    RunLog before;
    std::ifstream lines(log_before);
    for (std::string line; std::getline(lines, line);) before.take(line);
    picture = std::move(before.picture);
    picture.state = RunPicture::State::kTraining;
    picture.note.clear();
    picture.losses.clear();
    picture.pipeline = pipeline.file.filename().string();
    picture.model = pipeline.settings.at("model.kind");
    if (picture.run.empty()) picture.run = pipeline.track.run;
    picture.epochs = pipeline.train.trainer.epochs;
  }
  ~WatchedRun() {
    if (picture.state == RunPicture::State::kTraining) picture.state = RunPicture::State::kStopped;
    view.show(picture, true);
  }
  void show(const TrainProgress& now) {
    if (const auto* record = now.finished) {
      picture.metric = now.metric;
      picture.larger_is_better = larger_is_better(now.metric);
      picture.finish({.epoch = record->epoch + 1,
                      .loss = record->loss,
                      .validation = record->validation,
                      .learning_rate = record->learning_rate,
                      .rows_per_second = now.rows_per_second,
                      .waited_share = now.waited_share,
                      .seconds = record->seconds});
    } else {
      const double share = now.rows_total > 0 ? static_cast<double>(now.rows_done) /
                                                    static_cast<double>(now.rows_total)
                                              : 0;
      picture.progress(now.epoch + 1, share, now.loss);
    }
    picture.rows_per_second = now.rows_per_second;
    picture.waited_share = now.waited_share;
    picture.seconds_left = now.seconds_left;
    view.show(picture);
  }

  RunPicture picture;
  RunView view;
};

struct RunArguments {
  std::string file, output;
  std::vector<std::string> set;
  bool tune = false, resume = false, resume_changed = false, quiet = false, watch = false;
  int64_t workers = 0, trials = 0, parallel = 0;
};

/// What `run` and `tune` have in common.
std::shared_ptr<RunArguments> run_arguments(CLI::App& app) {
  auto run = std::make_shared<RunArguments>();
  app.add_option("file", run->file, "The pipeline file (TOML); see docs/pipeline.md")->required();
  app.add_option("-o,--output", run->output, "Folder of the artifact, in place of the file's");
  app.add_flag("--resume", run->resume, "Go on from the last checkpoint of a stopped run");
  app.add_flag("--resume-changed", run->resume_changed,
               "The same though the pipeline or its inputs changed");
  app.add_option("--set", run->set,
                 "A key of the file otherwise, as written there: train.epochs=3; repeatable");
  return run;
}

int run_file(const RunArguments& run, const GlobalOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  TuneValues set;
  for (const auto& text : run.set) set.push_back(pair_of("--set takes key=value", text));
  auto pipeline = parse_pipeline(run.file, set);
  if (run.trials > 0) pipeline.tune.trials = run.trials;
  if (run.parallel > 0) pipeline.tune.parallel = run.parallel;
  const auto spark = open_session(options);
  RunOptions settings;
  settings.resume = run.resume || run.resume_changed;
  settings.resume_changed = run.resume_changed;
  settings.output = run.output;
  settings.tune = run.tune;
  settings.workers = run.workers;
  settings.program_version = FIRESTEEL_VERSION;
  settings.versions["duckdb"] = Database::version();
  settings.interrupt = &interrupted();
  std::optional<WatchedRun> watched;
  if (run.watch && RunView::possible(stderr)) {
    auto output = run.output.empty() ? pipeline.output : std::filesystem::path(run.output);
    if (!output.has_filename()) output = output.parent_path();
    watched.emplace(pipeline, settings.resume ? output += ".work/log.jsonl" : "");
  }
  const auto print = [&watched](const std::string& line) {
    if (watched) {
      watched->view.print(line);
    } else {
      fmt::print(stderr, "{}\n", line);
    }
  };
  settings.warn = [print](const std::string& line) { print("warning: " + line); };
  if (!run.quiet) {
    settings.log = [start, print](const std::string& line) {
      print(fmt::format("{:6.1f} s  {}", since(start), line));
    };
  }
  if (watched) {
    settings.progress = [&watched](const TrainProgress& now) { watched->show(now); };
  } else if (!run.quiet) {
    settings.progress = ProgressBar();
  }
  if (spark.executor()->is_remote()) settings.local = make_embedded_executor(options.database);
  const auto result = run_pipeline(pipeline, spark.executor(), settings);
  if (watched) watched->picture.state = RunPicture::State::kFinished;
  watched.reset();
  if (result.tuned) fmt::print("\n{}", result.tuned->table());
  fmt::print("\n{}\nartifact  {}\nreport    {}\ntime      {:.1f} s\n", result.table(),
             result.artifact.string(), (result.artifact / "report.html").string(), since(start));
  return 0;
}

}  // namespace

Run run_command(CLI::App& app, const GlobalOptions& options) {
  auto run = run_arguments(app);
  app.add_option("--workers", run->workers, "Processes that train together (default: the file's)")
      ->check(CLI::PositiveNumber);
  auto* quiet = app.add_flag("-q,--quiet", run->quiet, "Print the table alone");
  app.add_flag("--watch", run->watch, "Draw the curves and the last epochs while it trains")
      ->excludes(quiet);
  return [run, &options] { return run_file(*run, options); };
}

Run tune_command(CLI::App& app, const GlobalOptions& options) {
  auto run = run_arguments(app);
  run->tune = true;
  app.add_option("--trials", run->trials, "How many settings are tried (default: the file's)")
      ->check(CLI::PositiveNumber);
  app.add_option("--parallel", run->parallel, "Trials at once (default: the file's, or all cores)")
      ->check(CLI::PositiveNumber);
  app.add_flag("-q,--quiet", run->quiet, "Print the tables alone");
  return [run, &options] { return run_file(*run, options); };
}

Run predict_command(CLI::App& app, const GlobalOptions& options) {
  struct Options {
    std::string artifact, where, table, view;
    std::vector<std::string> sources;
    InputRows in;
    OutputRows out;
  };
  auto predict = std::make_shared<Options>();
  app.add_option("artifact", predict->artifact, "The folder that `firesteel run` wrote")
      ->required();
  auto* in = predict->in.add_options(app, "Rows with the columns that the model reads");
  auto* sources = app.add_option("--source", predict->sources,
                                 "Raw data in place of a source of the pipeline, name=path; its "
                                 "steps make the rows; repeatable");
  in->excludes(sources);
  auto* table = app.add_option("--table", predict->table, "Rows of a table or view");
  table->excludes(in)->excludes(sources);
  app.add_option("--where", predict->where, "Predict the rows of which this SQL condition holds");
  auto* out = predict->out.add_options(app);
  app.add_option("--view", predict->view,
                 "In place of a folder: a temporary view, for who shares the server's session")
      ->excludes(out);
  return [predict, &options] {
    if (predict->out.out.empty() && predict->view.empty())
      throw Error("INVALID_OPTION", "Say where the predictions go: --out FOLDER, or --view NAME.");
    if (predict->in.in.empty() && predict->sources.empty() && predict->table.empty()) {
      throw Error(
          "INVALID_OPTION",
          "Say what to predict: --in with rows that the model reads, or --source with raw data.");
    }
    const auto model = FittedModel::load(predict->artifact);
    const auto spark = open_session(options);
    const auto make_rows = [&] {
      std::map<std::string, std::vector<std::string>> paths;
      for (const auto& text : predict->sources) {
        const auto [name, path] = pair_of("--source takes name=path", text);
        paths[name].push_back(path);
      }
      return artifact_rows(predict->artifact, spark.executor(), paths);
    };
    auto rows = !predict->table.empty()  ? spark.table(predict->table)
                : predict->in.in.empty() ? make_rows()
                                         : predict->in.read(spark);
    if (!predict->where.empty()) rows = rows.filter(predict->where);
    const auto predicted = model.transform(rows);
    if (predict->view.empty())
      predict->out.write(predicted);
    else
      predicted.createOrReplaceTempView(predict->view);
    return 0;
  };
}

Run show_command(CLI::App& app, const GlobalOptions& options) {
  struct Options {
    std::string file, step;
    int rows = 10;
    bool batch = false;
  };
  auto show = std::make_shared<Options>();
  app.add_option("file", show->file, "The pipeline file")->required();
  app.add_option("step", show->step, "A source or step (default: the rows features are made of)");
  app.add_option("-n,--rows", show->rows, "Rows shown (default 10)");
  app.add_flag("--batch", show->batch, "The tensors that the model would get");
  return [show, &options] {
    const auto pipeline = parse_pipeline(show->file);
    const auto spark = open_session(options);
    const auto rows = pipeline_rows(pipeline, spark.executor(), show->step);
    if (show->batch) {
      const auto fitted = fit(rows, pipeline.features);
      const auto columns = pipeline.features.columns();
      const auto encoded = encode_rows(fitted.specs, opened(rows.limit(show->rows), columns));
      fmt::print(
          "{} rows x {} columns as the model gets them (numbers standardised, categories as ids)\n",
          encoded.rows, encoded.columns);
      fmt::print("{:<28} {:>8}", "column", "kind");
      for (int64_t r = 0; r < encoded.rows; ++r) fmt::print(" {:>9}", fmt::format("[{}]", r));
      for (int64_t c = 0; c < encoded.columns; ++c) {
        fmt::print("\n{:<28} {:>8}", encoded.names[c], encoded.is_categorical[c] ? "id" : "number");
        for (int64_t r = 0; r < encoded.rows; ++r) {
          const float value = encoded.values[r * encoded.columns + c];
          fmt::print(" {:>9}", encoded.is_categorical[c] ? fmt::format("{:.0f}", value)
                                                         : fmt::format("{:.4f}", value));
        }
      }
      fmt::print("\n{:<28} {:>8}", pipeline.features.label(), "label");
      for (int64_t r = 0; r < encoded.rows; ++r) fmt::print(" {:>9.4g}", encoded.labels[r]);
      fmt::print("\n");
      return 0;
    }
    fmt::print("{}\n{}\n{} rows\n\n{}", schema_tree(rows.schema()), rows.showString(show->rows),
               rows.count(), summary(rows).showString(1000, 24));
    return 0;
  };
}

}  // namespace firesteel::cli
