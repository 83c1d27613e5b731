// Where a plan runs: the embedded engine or a Spark cluster. Code above never knows which.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/arrow_stream.h"
#include "base/native_function.h"
#include "base/task.h"
#include "plan/types.h"

namespace spark::connect {
class Command;
class Relation;
}  // namespace spark::connect

namespace firesteel {

/// A task over the partitions of a plan's rows.
struct TaskCall {
  std::string task;      // its name
  std::string argument;  // what every partition is told
  Schema output;
  /// All partitions run at once and can talk to each other; the cluster must have a place for each.
  bool together = false;
  /// Go along to where the tasks run.
  std::vector<std::filesystem::path> folders = {};
};

/// Runs plans. Thread-safe. Streams must not outlive it.
class Executor {
 public:
  virtual ~Executor() = default;

  /// Whether plans run on other machines, whose files and memory are not this one's.
  virtual bool is_remote() const = 0;

  /// The schema of a plan, known without running it.
  virtual Schema schema(const spark::connect::Relation& relation) = 0;
  /// Runs a plan. The stream's Arrow types follow `schema`.
  virtual ArrowStream execute(const spark::connect::Relation& relation) = 0;
  /// Runs a command: a write, a view.
  virtual void run(const spark::connect::Command& command) = 0;
  /// A SQL statement: a query comes back as its plan, not yet run; a command is run, and its rows
  /// come back as a plan.
  virtual spark::connect::Relation sql(std::string_view text) = 0;
  /// Rows from elsewhere as a plan. They are read now and held, on disk when they are many, until
  /// the executor ends.
  virtual spark::connect::Relation import(ArrowStream rows) = 0;
  /// The rows that a task makes of a plan's. Here it runs now, on the engine's threads, and its
  /// rows are held as those of `import` are; on a cluster it runs when rows are asked for. Throws
  /// TASK_NOT_FOUND.
  virtual spark::connect::Relation map_partitions(const spark::connect::Relation& rows,
                                                  const TaskCall& call) = 0;
  /// Plans may call the function by its name from now on, in place of one of the same name.
  virtual void add_function(NativeFunction function) = 0;
  /// The plan and what it runs as. Modes are Spark's (simple, extended, codegen, cost, formatted),
  /// and `analyze`, which runs it and gives each operator's rows and time.
  virtual std::string explain(const spark::connect::Relation& relation, std::string_view mode) = 0;
  /// Stops what is running now, from any thread: its stream throws OPERATION_CANCELED.
  virtual void interrupt() = 0;
  /// Share done of the query running now, 0 to 1; negative when unknown.
  virtual double progress() = 0;
  /// A session setting, e.g. "spark.sql.session.timeZone"; throws on a bad value.
  virtual void set_config(const std::string& key, const std::string& value) = 0;
  virtual std::string config(const std::string& key) = 0;
};

}  // namespace firesteel
