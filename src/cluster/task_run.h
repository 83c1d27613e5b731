// One partition's run of a task: Arrow IPC in, Arrow IPC out, whatever carries them.
#pragma once

#include <exception>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/task.h"

namespace arrow::io {
class InputStream;
class OutputStream;
}  // namespace arrow::io

namespace firesteel::cluster {

/// What a task is asked for, as JSON: {"task", "argument", "partition", "attempt", "partitions",
/// "folders"}; `gather` is the transport's.
struct TaskRequest {
  std::string task;
  TaskContext context;
};
TaskRequest parse_request(const std::string& json);

/// How the rows are written.
struct TaskOutput {
  arrow::io::OutputStream& stream;
  /// The rows are one struct column of this name, as Spark's own workers write them; empty: they
  /// are the columns.
  std::string struct_name = {};
  /// Called before the stream begins.
  std::function<void()> begin = {};
};

/// Runs the task and reads what it leaves of its input. Rows that come as one struct column are
/// taken apart. Throws what the task throws.
void run_task(const TaskRequest& request, arrow::io::InputStream& input, const TaskOutput& output);

/// Stands before an error's JSON in the text of a Python exception, by which it gets through Spark.
inline constexpr std::string_view kErrorMark = "FIRESTEEL_ERROR ";  // and in bridge.py
/// {"condition", "message"} of whatever is being thrown.
std::string error_json(std::exception_ptr error);

}  // namespace firesteel::cluster
