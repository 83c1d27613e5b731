// Tasks: functions of a program that make rows of rows, a partition at a time, on threads here or
// on the executors of a cluster, which run the same program. Knows the Arrow C data interface and
// nothing else.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/arrow_stream.h"

namespace firesteel {

/// What a task is told of the run it belongs to. What a task gives must not depend on `attempt`: a
/// cluster runs a partition again when it was lost.
struct TaskContext {
  std::string argument;  // the caller's, the same for all partitions
  int64_t partition = 0;
  int64_t attempt = 0;  // from 0
  /// Of tasks that run together: how many there are; 0 otherwise.
  int64_t partitions = 0;
  /// Where the folders that the caller sent along are here.
  std::vector<std::filesystem::path> folders = {};
  /// Of tasks that run together: every task's text, by partition, once all have called.
  std::function<std::vector<std::string>(const std::string& text)> gather = {};
};

/// The rows that are made of a partition's. The stream is read while the task's own is; Arrow types
/// are those of the schema that the caller names. Several partitions may run at once, each on a
/// thread of its own.
using TaskFunction = std::function<ArrowStream(ArrowStream rows, const TaskContext& context)>;

/// Makes a function known by a name; every process of the program must have it. Throws
/// INVALID_OPTION when another has the name.
void register_task(const std::string& name, TaskFunction function);
/// Throws TASK_NOT_FOUND, with the names there are.
const TaskFunction& find_task(std::string_view name);

struct TaskRegistration {
  TaskRegistration(const char* name, TaskFunction function) {
    register_task(name, std::move(function));
  }
};
/// In a program's own file: `FIRESTEEL_TASK(parse_log, [](ArrowStream rows, const TaskContext&)
/// {…});`
#define FIRESTEEL_TASK(name, ...) \
  static const ::firesteel::TaskRegistration name##_registration(#name, __VA_ARGS__)

}  // namespace firesteel
