// One task on one worker: batches in, batches out, and what the worker says around them.
#pragma once

#include <arrow/type_fwd.h>

#include <functional>
#include <memory>
#include <string>

#include "engine/python_worker.h"
#include "lower/python_task.h"

namespace arrow::ipc {
class RecordBatchWriter;
}

namespace firesteel {

/// How rows go to a kind of function: one Arrow stream, one for each group, pickles; or one Arrow
/// stream in which each batch is a group, as pyspark 4.0 has it.
enum class PythonForm { kStream, kGroups, kPickles, kBatchGroups };
PythonForm python_form(int kind);

/// Throws PYTHON_EXCEPTION with the traceback of what a function raised. One thread at a time.
class PythonRun {
 public:
  /// Takes a worker and says the task.
  PythonRun(const PythonTask& task, std::function<bool()> interrupted);
  ~PythonRun();

  PythonWorker& worker() { return *worker_; }
  PythonForm form() const { return form_; }

  // What goes in: a stream of batches, one stream a group, or messages to `worker` itself.
  void begin_stream(const std::shared_ptr<arrow::Schema>& schema);
  void send(const arrow::RecordBatch& batch);
  void end_stream();
  /// No more comes: ends what is open.
  void end_input();

  /// The next batch of the worker's; nothing at its end, when the worker may be used again.
  std::shared_ptr<arrow::RecordBatch> next();
  /// A message of pickled values; false at the end.
  bool next_pickle(std::string& out);
  /// Ends what goes in and reads to the end, which must be near: all that comes before it is no
  /// longer wanted.
  void end();

 private:
  class Input;
  class Output;
  bool next_mark(int mark);
  void read_end();

  std::unique_ptr<PythonWorker> worker_;
  std::shared_ptr<Input> input_;
  std::shared_ptr<Output> output_;
  std::shared_ptr<arrow::ipc::RecordBatchWriter> writer_;
  std::shared_ptr<arrow::RecordBatchReader> reader_;
  PythonForm form_;
  bool ended_ = false, input_ended_ = false;
};

/// The most rows of a batch, as a session's settings say.
size_t python_batch_rows(const PythonTask& task);
/// The worker that a session's settings ask for.
PythonSetup python_setup(const PythonTask& task);

}  // namespace firesteel
