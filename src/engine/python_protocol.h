// The first message to a Python worker: the task, its functions and the settings they read. Its
// layout is private to Spark and differs between versions (pyspark/worker_message.py).
#pragma once

#include <string>

#include "lower/python_task.h"

namespace firesteel {

class PythonWorker;

/// Numbers that stand where a length is expected (pyspark.serializers.SpecialLengths).
namespace python_mark {
inline constexpr int kEndOfData = -1, kException = -2, kTiming = -3, kEndOfStream = -4;
inline constexpr int kArrowStream = -6, kInit = -8;
}  // namespace python_mark

/// The bytes that begin a task. Throws UNSUPPORTED_PYTHON_WORKER for a version of pyspark whose
/// layout is not known.
std::string python_init_message(const PythonTask& task, const PythonWorker& worker);
/// How a worker that is not asked to run functions begins: the session's files.
std::string python_session_message(const PythonTask& task, const PythonWorker& worker);
/// The same for the method `analyze` of a table function.
std::string python_analyze_message(const PythonTask& task,
                                   const std::vector<AnalyzeArgument>& arguments,
                                   const PythonWorker& worker);
/// How many long numbers a worker says at the end of a task: times, and bytes of its own.
int python_end_numbers(const std::string& version);

}  // namespace firesteel
