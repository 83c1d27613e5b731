// A model goes to the executors as a folder; what training made of it comes back as rows of file
// blocks.
#include "ml/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/made_stream.h"
#include "dataframe/dataset.h"
#include "dataframe/functions.h"
#include "ml/temporary.h"

namespace firesteel {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* kPredict = "firesteel_predict";
constexpr const char* kTrain = "firesteel_train";
constexpr size_t kFileBlockBytes = 4 << 20;

/// A piece of a file that a task gives.
struct FileBlock {
  std::string name;
  int64_t place = 0;
  std::vector<std::byte> bytes;
};
FIRESTEEL_ROW(FileBlock, name, place, bytes)

ArrowStream predicted(ArrowStream rows, const TaskContext& context) {
  // Of a process that goes on to other partitions.
  static std::mutex mutex;
  static std::map<fs::path, TabularModel> models;
  const auto& folder = context.folders.at(0);
  const std::lock_guard lock(mutex);
  auto found = models.find(folder);
  if (found == models.end()) found = models.emplace(folder, TabularModel::load(folder)).first;
  return found->second.transform(std::move(rows));
}

/// Rows that are sorted by their part as two streams, the first of which is read first.
class Parts {
 public:
  Parts(ArrowStream rows, const std::string& column) : rows_(std::move(rows)) {
    auto schema = rows_.schema();
    for (int64_t i = 0; i < schema.get()->n_children; ++i)
      if (schema.get()->children[i]->name == column) column_ = i;
  }

  ArrowStream stream(int32_t part) {
    return make_stream(
        [this] { return rows_.schema(); },
        [this, part]() -> std::optional<ArrowBatch> {
          while (!batch_ || begin_ == batch_->rows()) {
            auto next = rows_.next();
            if (!next) return std::nullopt;
            batch_ = std::make_shared<ArrowBatch>(std::move(*next));
            begin_ = 0;
          }
          const auto& parts = *batch_->get()->children[column_];
          const auto* values = static_cast<const int32_t*>(parts.buffers[1]) + parts.offset;
          const auto* end = std::upper_bound(values + begin_, values + batch_->rows(), part);
          const auto rows = end - (values + begin_);
          if (rows == 0) return std::nullopt;
          begin_ += rows;
          return slice_of(batch_, begin_ - rows, rows);
        });
  }

 private:
  ArrowStream rows_;
  int64_t column_ = 0;
  std::shared_ptr<ArrowBatch> batch_;
  int64_t begin_ = 0;  // rows of it that were given
};

/// The files of a folder as rows.
ArrowStream files_as_rows(std::shared_ptr<const Temporary> folder) {
  return built_rows(row_schema<FileBlock>(), [folder](RowBuilder& rows) {
    Emit<FileBlock> emit(rows);
    std::error_code nothing;
    for (const auto& entry :
         fs::recursive_directory_iterator(folder->folder() / "result", nothing)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      FileBlock block{.name = fs::relative(entry.path(), folder->folder() / "result").string()};
      block.bytes.resize(kFileBlockBytes);
      for (;; ++block.place) {
        in.read(reinterpret_cast<char*>(block.bytes.data()), kFileBlockBytes);
        if (in.gcount() == 0 && block.place > 0) break;
        block.bytes.resize(static_cast<size_t>(in.gcount()));
        emit(block);
        if (block.bytes.size() < kFileBlockBytes) break;
      }
    }
  });
}

ArrowStream trained(ArrowStream rows, const TaskContext& context) {
  const auto arguments = json::parse(context.argument);
  const auto scratch = std::make_shared<const Temporary>();
  Parts parts(std::move(rows), arguments.at("part"));
  const fs::path progress_file = arguments.at("progress").get<std::string>();
  const bool first = context.partition == 0;
  std::ofstream lines;
  if (first && !progress_file.empty() && fs::is_directory(progress_file.parent_path()))
    lines.open(progress_file, std::ios::app);
  TrainResult result;
  const auto model = train_part(
      {.job = context.folders.at(0),
       .scratch = scratch->folder(),
       .checkpoints = arguments.at("checkpoints").get<std::string>(),
       .rank = context.partition,
       .world = context.partitions,
       .gather = context.gather},
      [&] { return parts.stream(0); },
      arguments.at("validated") ? OpenRows([&] { return parts.stream(1); }) : OpenRows(),
      [&](const TrainProgress& now) {
        if (lines) lines << progress_line(now) << std::endl;
      },
      &result);
  if (first) {
    fs::create_directories(scratch->folder() / "result");
    model.save(scratch->folder() / "result");
    write_file_aside(scratch->folder() / "result" / "training.json", training_text(result));
  }
  return files_as_rows(scratch);
}

const TaskRegistration kPredictTask(kPredict, predicted);
const TaskRegistration kTrainTask(kTrain, trained);

DataType type_of(const AddedColumn& column) {
  switch (column.kind) {
    case AddedColumn::Kind::kDouble:
      return make_type(TypeKind::kDouble);
    case AddedColumn::Kind::kFloatList:
      return array_type(make_type(TypeKind::kFloat));
    case AddedColumn::Kind::kText:
      return make_type(TypeKind::kString);
  }
  return {};
}

/// Reads what the first task says of its progress, where its file can be seen from here.
class ProgressReader {
 public:
  ProgressReader(fs::path file, std::function<void(const TrainProgress&)> progress)
      : file_(std::move(file)), progress_(std::move(progress)) {
    if (progress_ && !file_.empty()) thread_ = std::thread([this] { read(); });
  }
  ~ProgressReader() {
    ends_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  void read() {
    std::streamoff at = 0;
    for (bool last = false;;) {
      std::ifstream in(file_);
      in.seekg(at);
      for (std::string line; std::getline(in, line) && !in.eof(); at = in.tellg())
        take_progress(line, progress_);
      if (last) return;
      last = ends_;
      if (!last) std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }

  const fs::path file_;
  const std::function<void(const TrainProgress&)> progress_;
  std::atomic<bool> ends_ = false;
  std::thread thread_;
};

}  // namespace

DataFrame transform_on_cluster(const TabularModel& model, const DataFrame& rows) {
  const Temporary folder;
  model.save(folder.folder());
  auto output = rows.schema();
  const auto arrow = rows.limit(0).toArrowStream().schema();
  for (const auto& column : model.predictor(*arrow.get()).columns)
    output.push_back({column.name, type_of(column)});
  return rows.mapPartitions(
      {.task = kPredict, .output = std::move(output), .folders = {folder.folder()}});
}

TrainResult train_on_cluster(TabularModel* model, const DataFrame& rows, const std::string& part,
                             bool validated, const std::vector<std::string>& hash_terms,
                             const TrainOptions& options) {
  const Temporary job;
  const auto checkpoints =
      options.trainer.checkpoints.empty() ? fs::path() : fs::absolute(options.trainer.checkpoints);
  auto trainer = options.trainer;
  trainer.checkpoints.clear();
  auto batches = options.batches;
  batches.records.clear();
  write_job(job.folder(), *model, trainer, batches);
  if (!checkpoints.empty()) {
    std::error_code ignored;
    if (!options.trainer.resume) fs::remove_all(checkpoints, ignored);
    fs::create_directories(checkpoints.parent_path(), ignored);
  }
  const auto progress =
      checkpoints.empty() ? fs::path() : checkpoints.parent_path() / "progress.jsonl";
  const auto hash = functions::expr(fmt::format("xxhash64({})", fmt::join(hash_terms, ", ")));
  const auto dealt = rows.repartition(std::vector<Column>{hash}, static_cast<int>(options.workers))
                         .sortWithinPartitions({functions::col(part), hash});
  const json argument = {{"part", part},
                         {"validated", validated},
                         {"checkpoints", checkpoints.string()},
                         {"progress", progress.string()}};
  const ProgressReader reader(progress, options.progress);
  // Spark begins a barrier stage anew when the rows go on to another stage, not when they are the
  // answer (DAGScheduler).
  auto files = Dataset<FileBlock>::of(dealt
                                          .mapPartitions({.task = kTrain,
                                                          .argument = argument.dump(),
                                                          .output = row_schema<FileBlock>(),
                                                          .together = true,
                                                          .folders = {job.folder()}})
                                          .repartition(1))
                   .collect();
  std::ranges::sort(files, {},
                    [](const FileBlock& block) { return std::pair(block.name, block.place); });
  const auto result = job.folder() / "result";
  for (const auto& block : files) {
    fs::create_directories((result / block.name).parent_path());
    std::ofstream out(result / block.name, std::ios::binary | std::ios::app);
    out.write(reinterpret_cast<const char*>(block.bytes.data()),
              static_cast<std::streamsize>(block.bytes.size()));
    if (!out) throw Error("IO_ERROR", fmt::format("`{}` cannot be written.", result.string()));
  }
  *model = TabularModel::load(result);
  return training_of(job.folder());
}

}  // namespace firesteel
