// Tasks over the partitions of a plan's rows, on threads of this process: the rows are dealt to
// partitions, a thread at a time runs the task over one, and its rows go into a table of the
// engine.
#include <arrow/c/bridge.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/made_stream.h"
#include "engine/arrow_result.h"
#include "engine/embedded.h"
#include "functions/coercion.h"
#include "plan/build.h"
#include "plan/names.h"

namespace firesteel {

namespace {

constexpr int64_t kHeldRows = 65536;               // what waits to be put into the table
constexpr int64_t kHeldBytes = int64_t{64} << 20;  // of one partition
constexpr size_t kBatchesAhead = 2;                // of one partition, not yet read by its task

/// What the threads of one call share. Whatever fails first is what the caller gets; all who wait,
/// and all who ask for rows, throw from then on.
class TaskRun {
 public:
  explicit TaskRun(EmbeddedExecutor& engine)
      : engine_(engine), interruptions_(engine.interruptions()) {}

  void fail(std::exception_ptr reason) {
    const std::lock_guard lock(mutex);
    if (!failure_) failure_ = std::move(reason);
    changed.notify_all();
  }
  void check() {
    const std::lock_guard lock(mutex);
    check_locked();
  }
  /// Waits until `ready`, with the mutex locked.
  template <typename Ready>
  void wait(std::unique_lock<std::mutex>& lock, Ready ready) {
    while (!ready()) {
      check_locked();
      changed.wait_for(lock, std::chrono::milliseconds(100));  // an interruption tells nobody
    }
  }
  void rethrow() {
    if (failure_) std::rethrow_exception(failure_);
  }

  std::mutex mutex;
  std::condition_variable changed;

 private:
  void check_locked() const {
    if (failure_ || engine_.interruptions() != interruptions_)
      throw Error("OPERATION_CANCELED", "The operation was cancelled.");
  }

  EmbeddedExecutor& engine_;
  const int64_t interruptions_;
  std::exception_ptr failure_;
};

/// Where partitions have their rows from. Thread-safe.
class PartitionRows {
 public:
  virtual ~PartitionRows() = default;
  virtual ArrowSchemaHandle schema() = 0;
  /// The partition's next batch. One thread at a time asks for the rows of one partition.
  virtual std::optional<ArrowBatch> next(size_t partition) = 0;
  /// Nobody asks for the partition's rows any more.
  virtual void close(size_t partition) = 0;
};

/// A query's batches in turn: the first for the first partition, and so on. Whoever needs one reads
/// those before it for the others, up to a bound.
class BatchesInTurn : public PartitionRows {
 public:
  BatchesInTurn(TaskRun& run, ArrowStream rows, size_t partitions)
      : run_(run), rows_(std::move(rows)), waiting_(partitions), closed_(partitions) {}

  ArrowSchemaHandle schema() override {
    std::unique_lock lock(run_.mutex);
    run_.wait(lock, [&] { return !reads_; });
    return rows_.schema();
  }

  std::optional<ArrowBatch> next(size_t partition) override {
    std::unique_lock lock(run_.mutex);
    auto& own = waiting_[partition];
    for (;;) {
      run_.wait(lock, [&] { return !own.empty() || ended_ || (!reads_ && has_room(turn_)); });
      if (!own.empty()) {
        auto batch = std::move(own.front());
        own.pop_front();
        run_.changed.notify_all();
        return batch;
      }
      if (ended_) return std::nullopt;
      read(lock);
    }
  }

  void close(size_t partition) override {
    const std::lock_guard lock(run_.mutex);
    closed_[partition] = true;
    waiting_[partition].clear();
    run_.changed.notify_all();
  }

 private:
  bool has_room(size_t partition) const {
    return closed_[partition] || waiting_[partition].size() < kBatchesAhead;
  }

  /// Reads the batch whose turn it is, while the others go on.
  void read(std::unique_lock<std::mutex>& lock) {
    reads_ = true;
    lock.unlock();
    std::optional<ArrowBatch> batch;
    try {
      batch = rows_.next();
    } catch (...) {
      run_.fail(std::current_exception());  // before another can read on and fail of that
      lock.lock();
      reads_ = false;
      throw;
    }
    lock.lock();
    reads_ = false;
    ended_ = !batch;
    if (batch && !closed_[turn_]) waiting_[turn_].push_back(std::move(*batch));
    turn_ = (turn_ + 1) % waiting_.size();
    run_.changed.notify_all();
  }

  TaskRun& run_;
  ArrowStream rows_;
  std::vector<std::deque<ArrowBatch>> waiting_;
  std::vector<bool> closed_;
  size_t turn_ = 0;
  bool reads_ = false, ended_ = false;
};

/// Rows that stand by partition in a table, the partition's number behind the columns.
class RowsOfTable : public PartitionRows {
 public:
  RowsOfTable(Database& database, std::string table, Schema schema, size_t partitions)
      : database_(database),
        table_(std::move(table)),
        schema_(std::move(schema)),
        streams_(partitions) {}
  ~RowsOfTable() override {
    streams_.clear();
    const PlanTables tables{database_, {table_}};
  }

  ArrowSchemaHandle schema() override { return query("false").schema(); }
  std::optional<ArrowBatch> next(size_t partition) override {
    auto& rows = streams_[partition];
    if (!rows) {
      rows = query(fmt::format("{} = {}", HeldRows::column(schema_.size()), partition));
    }
    return rows->next();
  }
  void close(size_t partition) override { streams_[partition].reset(); }

 private:
  ArrowStream query(const std::string& condition) {
    std::string columns;
    for (size_t i = 0; i < schema_.size(); ++i) {
      columns +=
          fmt::format("{}{} AS {}", i ? ", " : "", HeldRows::column(i), sql_name(schema_[i].name));
    }
    return database_.query(fmt::format("SELECT {} FROM {} WHERE {}",
                                       columns.empty() ? "NULL" : columns, table_, condition),
                           schema_);
  }

  Database& database_;
  const std::string table_;
  const Schema schema_;
  std::vector<std::optional<ArrowStream>> streams_;
};

/// Every task's text for each of them, once all have called.
class Gathering {
 public:
  Gathering(TaskRun& run, size_t partitions) : run_(run), texts_(partitions) {}

  std::vector<std::string> gather(size_t partition, const std::string& text) {
    std::unique_lock lock(run_.mutex);
    const auto round = round_;
    texts_[partition] = text;
    if (++arrived_ == texts_.size()) {
      all_ = texts_;
      arrived_ = 0;
      ++round_;
      run_.changed.notify_all();
      return all_;
    }
    run_.wait(lock, [&] { return round_ != round || left_; });
    if (round_ == round) {
      throw Error("TASK_GATHER_FAILED",
                  fmt::format("Partition {} has ended, and {} waits for its text. Each task that "
                              "runs together calls `gather` as often as the others.",
                              *left_, partition));
    }
    return all_;
  }
  /// The partition will not call any more.
  void leave(size_t partition) {
    const std::lock_guard lock(run_.mutex);
    left_ = partition;
    run_.changed.notify_all();
  }

 private:
  TaskRun& run_;
  std::vector<std::string> texts_, all_;
  size_t arrived_ = 0;
  int64_t round_ = 0;
  std::optional<size_t> left_;
};

/// A batch of so many rows without columns, which DuckDB gives one column of nulls.
ArrowBatch without_columns(int64_t rows) {
  static const void* no_validity[1] = {nullptr};
  ArrowArray array{};
  array.length = rows;
  array.n_buffers = 1;
  array.buffers = no_validity;
  array.release = [](ArrowArray* self) { self->release = nullptr; };
  return ArrowBatch(array);
}

ArrowSchemaHandle no_columns() {
  ArrowSchemaHandle schema;
  schema.out()->format = "+s";
  schema.out()->name = "";
  schema.out()->release = [](ArrowSchema* self) { self->release = nullptr; };
  return schema;
}

/// How a plan's root asks for its rows to be dealt.
struct Dealing {
  const proto::Relation* rows = nullptr;
  std::vector<proto::Expression> keys = {};
  std::optional<int> partitions = {};
  std::vector<proto::Expression::SortOrder> order = {};  // within a partition
};

std::optional<Dealing> dealing_of(const proto::Relation& plan) {
  Dealing out;
  const auto* root = &plan;
  if (plan.has_sort() && !plan.sort().is_global()) {
    out.order.assign(plan.sort().order().begin(), plan.sort().order().end());
    root = &plan.sort().input();
  }
  if (root->has_repartition()) {
    out.rows = &root->repartition().input();
    out.partitions = root->repartition().num_partitions();
  } else if (root->has_repartition_by_expression()) {
    const auto& by = root->repartition_by_expression();
    out.rows = &by.input();
    out.keys.assign(by.partition_exprs().begin(), by.partition_exprs().end());
    if (by.has_num_partitions()) out.partitions = by.num_partitions();
  } else {
    return std::nullopt;
  }
  if (out.partitions.value_or(1) < 1) {
    throw Error(
        "INVALID_PARAMETER_VALUE",
        fmt::format("Rows are dealt to one partition or more, not to {}.", *out.partitions));
  }
  return out;
}

/// The number of a row's partition, by Spark's rules but where Spark draws: rows without keys go to
/// each in turn, and ranges are cut by all rows.
proto::Expression partition_of(const Dealing& dealing, const proto::Expression& row,
                               int partitions) {
  const auto count = build::integer(partitions);
  if (dealing.keys.empty()) return build::call("pmod", {row, count});
  if (!dealing.keys[0].has_sort_order())
    return build::call("pmod", {build::call("hash", dealing.keys), count});
  proto::Expression share;
  *share.mutable_window()->mutable_window_function() = build::call("percent_rank", {});
  for (const auto& key : dealing.keys) *share.mutable_window()->add_order_spec() = key.sort_order();
  return build::call("least",
                     {build::cast(build::call("*", {share, count}), make_type(TypeKind::kInteger)),
                      build::integer(partitions - 1)});
}

/// The rows with their partition's number behind their columns, in order of partition and then as
/// asked for; rows that are equal in that stay in the plan's order.
proto::Relation dealt(const Dealing& dealing, int partitions) {
  const std::string partition = "__partition", row = "__row";
  auto number = build::project(
      *dealing.rows,
      {build::star(), build::alias(build::call("monotonically_increasing_id", {}), row)});
  auto numbered = build::project(
      std::move(number),
      {build::star(),
       build::alias(partition_of(dealing, build::column(row), partitions), partition)});
  proto::Relation out;
  auto& sort = *out.mutable_sort();
  sort.set_is_global(true);
  const auto add = [&](const std::string& column) {
    auto& order = *sort.add_order();
    *order.mutable_child() = build::column(column);
    order.set_direction(proto::Expression::SortOrder::SORT_DIRECTION_ASCENDING);
  };
  add(partition);
  for (const auto& order : dealing.order) *sort.add_order() = order;
  add(row);
  *sort.mutable_input() = std::move(numbered);
  return out;
}

/// Whether the types of two columns are the same; the names of lists' and maps' items do not count.
bool same_type(const ArrowSchema& a, const ArrowSchema& b) {
  if (std::string_view(a.format) != b.format || a.n_children != b.n_children) return false;
  for (int64_t i = 0; i < a.n_children; ++i) {
    const auto &child = *a.children[i], &other = *b.children[i];
    if (std::string_view(a.format) == "+s" && std::string_view(child.name) != other.name)
      return false;
    if (!same_type(child, other)) return false;
  }
  return !a.dictionary && !b.dictionary;
}

/// As Arrow prints it. Takes the schema.
std::string type_text(ArrowSchema& schema) {
  const std::string format = schema.format;
  const auto type = arrow::ImportType(&schema);
  return type.ok() ? (*type)->ToString() : format;
}

/// About how many bytes the rows of an array take.
int64_t bytes_of(const ArrowSchema& schema, const ArrowArray& array) {
  int64_t bytes = array.length * 8;
  for (int64_t i = 0; i < array.n_children; ++i)
    bytes += bytes_of(*schema.children[i], *array.children[i]);
  const std::string_view format = schema.format;
  if ((format == "u" || format == "z") && array.length > 0) {
    const auto* offsets = static_cast<const int32_t*>(array.buffers[1]) + array.offset;
    bytes += offsets[array.length] - offsets[0];
  }
  return bytes;
}

bool has_nulls(const ArrowArray& column) {
  if (column.null_count >= 0) return column.null_count > 0;
  const auto* valid = static_cast<const uint8_t*>(column.buffers[0]);
  for (int64_t i = column.offset; valid && i < column.offset + column.length; ++i) {
    if (!(valid[i / 8] >> (i % 8) & 1)) return true;
  }
  return false;
}

/// One call of a task.
class TaskExecution {
 public:
  TaskExecution(EmbeddedExecutor& engine, const proto::Relation& plan, const TaskCall& call)
      : engine_(engine), call_(call), task_(find_task(call.task)), run_(engine) {
    const int threads = engine.database().threads();
    const auto dealing = dealing_of(plan);
    if (call.together && !(dealing && dealing->partitions)) {
      throw Error("INVALID_OPTION",
                  "Tasks run together over the partitions of a repartition: give their number with "
                  "`repartition(n)` right before.");
    }
    const int partitions = dealing ? dealing->partitions.value_or(threads) : threads;
    threads_ = call.together ? partitions : std::min(threads, partitions);
    tables_.resize(static_cast<size_t>(partitions));
    proto::Relation none;
    none.mutable_local_relation()->set_schema(schema_ddl(call.output));
    declared_ = call.output.empty() ? no_columns() : engine.execute(none).schema();
    if (dealing) {
      rows_ = deal(*dealing, text_of(plan));
    } else {
      auto query = engine.query(plan);
      has_columns_ = !query.schema.empty();
      rows_ = std::make_unique<BatchesInTurn>(run_, std::move(query.rows), tables_.size());
    }
    gathering_ = std::make_unique<Gathering>(run_, tables_.size());
  }

  ~TaskExecution() {
    std::erase(tables_, "");
    const PlanTables left{engine_.database(), std::move(tables_)};
  }

  /// Runs it; its rows as a table.
  HeldRows result() {
    std::atomic<size_t> next = 0;
    const auto work = [&] {
      try {
        for (size_t partition; (partition = next++) < tables_.size();) run(partition);
      } catch (...) {
        run_.fail(std::current_exception());
      }
    };
    {
      std::vector<std::jthread> threads;
      try {
        for (int i = 0; i < threads_; ++i) threads.emplace_back(work);
      } catch (...) {  // no thread to be had
        run_.fail(std::current_exception());
      }
    }
    run_.rethrow();
    std::erase(tables_, "");
    if (tables_.empty()) tables_.push_back(new_table());
    auto& database = engine_.database();
    for (; tables_.size() > 1; tables_.erase(tables_.begin() + 1)) {
      database.execute(fmt::format("INSERT INTO {} SELECT * FROM {}", tables_[0], tables_[1]));
      database.execute("DROP TABLE " + tables_[1]);
    }
    auto held = engine_.hold_table(tables_[0], call_.output);
    tables_.clear();
    return held;
  }

 private:
  /// A batch's rows wait here until they are many.
  struct Waiting {
    std::deque<ArrowBatch> batches;
    int64_t rows = 0, bytes = 0;
  };

  std::unique_ptr<PartitionRows> deal(const Dealing& dealing, const std::string& text) {
    const auto partitions = static_cast<int>(tables_.size());
    auto& database = engine_.database();
    const auto plan = engine_.lowered(dealt(dealing, partitions), true);
    const PlanTables needed{database, plan.tables};
    auto schema = plan.schema;
    schema.resize(schema.size() - 2);  // the row's number, the partition's
    has_columns_ = !schema.empty();
    std::string all, kept;
    for (size_t i = 0; i < plan.schema.size(); ++i) {
      all += (i ? ", " : "") + HeldRows::column(i);
      if (i < schema.size()) kept += HeldRows::column(i) + ", ";
    }
    auto table = engine_.next_held_name();
    try {
      database.execute(fmt::format("CREATE TABLE {} AS SELECT {}{} AS {} FROM ({}) AS t({})", table,
                                   kept, HeldRows::column(schema.size() + 1),
                                   HeldRows::column(schema.size()), plan.sql, all));
    } catch (const Error& error) {
      throw error.in(text);
    }
    return std::make_unique<RowsOfTable>(database, std::move(table), std::move(schema),
                                         tables_.size());
  }

  void run(size_t partition) {
    run_.check();
    TaskContext context{.argument = call_.argument,
                        .partition = static_cast<int64_t>(partition),
                        .folders = call_.folders};
    if (call_.together) {
      context.partitions = static_cast<int64_t>(tables_.size());
      context.gather = [this, partition](const std::string& text) {
        return gathering_->gather(partition, text);
      };
    }
    auto made = task_(rows_of(partition), context);
    if (const auto schema = made.schema(); schema.get()->release) {
      check_columns(*schema.get());
      Waiting waiting;
      while (auto batch = made.next()) {
        run_.check();
        check_nulls(*batch->get());
        waiting.rows += batch->rows();
        waiting.bytes += bytes_of(*schema.get(), *batch->get());
        waiting.batches.push_back(std::move(*batch));
        if (waiting.rows >= kHeldRows || waiting.bytes >= kHeldBytes) put(partition, made, waiting);
      }
      if (waiting.rows > 0) put(partition, made, waiting);
    }
    gathering_->leave(partition);
  }

  ArrowStream rows_of(size_t partition) {
    // The last of the stream's functions to go says that the rows are not needed any more.
    const std::shared_ptr<void> open(nullptr,
                                     [this, partition](void*) { rows_->close(partition); });
    return make_stream([this, open] { return has_columns_ ? rows_->schema() : no_columns(); },
                       [this, partition, open]() -> std::optional<ArrowBatch> {
                         try {
                           run_.check();
                           auto batch = rows_->next(partition);
                           if (batch && !has_columns_) return without_columns(batch->rows());
                           return batch;
                         } catch (...) {  // also when the task goes on without these rows
                           run_.fail(std::current_exception());
                           throw;
                         }
                       });
  }

  void check_columns(const ArrowSchema& given) {
    const auto fail = [&](const std::string& what) {
      throw Error("TASK_OUTPUT_INVALID", fmt::format("The task `{}` {}", call_.task, what));
    };
    if (given.n_children != declared_.get()->n_children) {
      fail(fmt::format("gives rows of {} columns, and declares {}: {}.", given.n_children,
                       call_.output.size(), schema_ddl(call_.output)));
    }
    for (int64_t i = 0; i < given.n_children; ++i) {
      auto &column = *given.children[i], &declared = *declared_.get()->children[i];
      const std::string name = declared.name;
      if (name != column.name)
        fail(fmt::format("gives `{}` where it declares the column `{}`.", column.name, name));
      if (same_type(column, declared)) continue;
      const auto type = call_.output[static_cast<size_t>(i)].type.simple_string();
      fail(fmt::format("declares its column `{}` as {}, Arrow's {}, and gives {}.", name, type,
                       type_text(declared), type_text(column)));
    }
  }

  void check_nulls(const ArrowArray& batch) {
    for (size_t i = 0; i < call_.output.size(); ++i) {
      if (call_.output[i].nullable || !has_nulls(*batch.children[i])) continue;
      throw Error(
          "TASK_OUTPUT_INVALID",
          fmt::format("The task `{}` declares its column `{}` as NOT NULL, and gives a null.",
                      call_.task, call_.output[i].name));
    }
  }

  std::string new_table() {
    std::string columns;
    for (size_t i = 0; i < call_.output.size(); ++i) {
      columns += fmt::format("{}{} {}", i ? ", " : "", HeldRows::column(i),
                             duckdb_type(call_.output[i].type));
    }
    auto name = engine_.next_held_name();
    engine_.database().execute(
        fmt::format("CREATE TABLE {} ({})", name, columns.empty() ? "c0 INTEGER" : columns));
    return name;
  }

  void put(size_t partition, ArrowStream& made, Waiting& waiting) {
    auto& table = tables_[partition];
    if (table.empty()) table = new_table();
    if (call_.output.empty()) {
      engine_.database().execute(
          fmt::format("INSERT INTO {} SELECT NULL FROM range({})", table, waiting.rows));
    } else {
      engine_.database().append(table, make_stream([&] { return made.schema(); },
                                                   [&]() -> std::optional<ArrowBatch> {
                                                     if (waiting.batches.empty()) return {};
                                                     auto batch =
                                                         std::move(waiting.batches.front());
                                                     waiting.batches.pop_front();
                                                     return batch;
                                                   }));
    }
    waiting = {};
  }

  EmbeddedExecutor& engine_;
  const TaskCall& call_;
  const TaskFunction& task_;
  TaskRun run_;
  int threads_ = 0;
  bool has_columns_ = true;
  ArrowSchemaHandle declared_;
  std::unique_ptr<PartitionRows> rows_;
  std::unique_ptr<Gathering> gathering_;
  std::vector<std::string> tables_;  // of the partitions that gave rows; empty names: none
};

}  // namespace

proto::Relation EmbeddedExecutor::map_partitions(const proto::Relation& rows,
                                                 const TaskCall& call) {
  return TaskExecution(*this, rows, call).result().relation();
}

}  // namespace firesteel
