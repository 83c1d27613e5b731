// A task on a worker, in the order that pyspark/worker.py reads and writes.
#include "engine/python_run.h"

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>

#include <exception>

#include "base/error.h"
#include "engine/arrow_result.h"
#include "engine/python_protocol.h"

namespace firesteel {

namespace {

int setting(const PythonTask& task, const std::string& key) {
  const auto found = task.settings.find(key);
  return found == task.settings.end() ? 0 : std::atoi(found->second.c_str());
}

std::string text_setting(const PythonTask& task, const std::string& key) {
  const auto found = task.settings.find(key);
  return found == task.settings.end() ? "" : found->second;
}

}  // namespace

PythonSetup python_setup(const PythonTask& task) {
  return {.program = text_setting(task, "python"),
          .folder = text_setting(task, "artifacts"),
          .memory_mb = setting(task, "memory_mb")};
}

size_t python_batch_rows(const PythonTask& task) {
  const auto rows =
      std::atoll(text_setting(task, "spark.sql.execution.arrow.maxRecordsPerBatch").c_str());
  return rows > 0 ? static_cast<size_t>(rows) : SIZE_MAX;
}

PythonForm python_form(int kind) {
  using namespace python_kind;
  switch (kind) {
    case kBatched:
    case kTable:
      return PythonForm::kPickles;
    case kGroupedMapPandas:
    case kGroupedMapPandasIter:
    case kGroupedMapArrow:
    case kGroupedMapArrowIter:
    case kCogroupedMapPandas:
    case kCogroupedMapArrow:
    case kGroupedAggPandas:
    case kGroupedAggPandasIter:
    case kGroupedAggArrow:
    case kGroupedAggArrowIter:
    case kWindowAggPandas:
    case kWindowAggArrow:
      return PythonForm::kGroups;
    default:
      return PythonForm::kStream;
  }
}

/// The worker's bytes as Arrow reads them. Its errors are kept: they pass Arrow as a status.
class PythonRun::Input : public arrow::io::InputStream {
 public:
  explicit Input(PythonWorker& worker) : worker_(worker) {}
  arrow::Status Close() override { return arrow::Status::OK(); }
  bool closed() const override { return false; }
  arrow::Result<int64_t> Tell() const override { return place_; }
  arrow::Result<int64_t> Read(int64_t count, void* out) override {
    try {
      worker_.read(static_cast<char*>(out), static_cast<size_t>(count));
    } catch (...) {
      error = std::current_exception();
      return arrow::Status::IOError("the worker failed");
    }
    place_ += count;
    return count;
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t count) override {
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> buffer, arrow::AllocateBuffer(count));
    ARROW_RETURN_NOT_OK(Read(count, buffer->mutable_data()));
    return buffer;
  }
  /// A status of Arrow's as the error behind it.
  void check(const arrow::Status& status) const {
    if (status.ok()) return;
    if (error) std::rethrow_exception(error);
    throw Error("PYTHON_WORKER_CRASHED",
                "The Python worker's answer is not Arrow: " + status.message());
  }

  std::exception_ptr error;

 private:
  PythonWorker& worker_;
  int64_t place_ = 0;
};

class PythonRun::Output : public arrow::io::OutputStream {
 public:
  explicit Output(PythonWorker& worker) : worker_(worker) {}
  arrow::Status Close() override { return arrow::Status::OK(); }
  bool closed() const override { return false; }
  arrow::Result<int64_t> Tell() const override { return place_; }
  arrow::Status Write(const void* data, int64_t count) override {
    worker_.send({static_cast<const char*>(data), static_cast<size_t>(count)});
    place_ += count;
    return arrow::Status::OK();
  }

 private:
  PythonWorker& worker_;
  int64_t place_ = 0;
};

PythonRun::PythonRun(const PythonTask& task, std::function<bool()> interrupted)
    : worker_(PythonWorker::take(python_setup(task))), form_(python_form(task.kind)) {
  const bool pairs =
      task.kind == python_kind::kCogroupedMapPandas || task.kind == python_kind::kCogroupedMapArrow;
  if (form_ == PythonForm::kGroups && !pairs && worker_->version().starts_with("4.0"))
    form_ = PythonForm::kBatchGroups;
  worker_->interrupted = std::move(interrupted);
  input_ = std::make_shared<Input>(*worker_);
  output_ = std::make_shared<Output>(*worker_);
  worker_->send_text("pyspark.worker");
  worker_->send(python_init_message(task, *worker_));
}

PythonRun::~PythonRun() = default;

void PythonRun::begin_stream(const std::shared_ptr<arrow::Schema>& schema) {
  auto options = arrow::ipc::IpcWriteOptions::Defaults();
  options.use_threads = false;
  writer_ = arrow_value(arrow::ipc::MakeStreamWriter(output_.get(), schema, options));
}

void PythonRun::send(const arrow::RecordBatch& batch) {
  check_arrow(writer_->WriteRecordBatch(batch));
}

void PythonRun::end_stream() {
  check_arrow(writer_->Close());
  writer_.reset();
}

void PythonRun::end_input() {
  if (writer_) {
    end_stream();
  } else if (form_ == PythonForm::kGroups || form_ == PythonForm::kPickles) {
    worker_->send_int(form_ == PythonForm::kGroups ? 0 : python_mark::kEndOfData);
  }
  worker_->send_int(python_mark::kEndOfStream);
  input_ended_ = true;
}

/// What stands between the data: false at the end.
bool PythonRun::next_mark(int mark) {
  switch (mark) {
    case python_mark::kException:
      throw Error("PYTHON_EXCEPTION",
                  "An exception was thrown from the Python worker: " + worker_->read_text());
    case python_mark::kTiming:
      for (int left = python_end_numbers(worker_->version()); left > 0; --left)
        worker_->read_long();
      return true;
    case python_mark::kEndOfData:
      read_end();
      return false;
    default:
      throw Error("PYTHON_WORKER_CRASHED",
                  "The Python worker's answer is not of the protocol of pyspark " +
                      worker_->version() + ".");
  }
}

void PythonRun::read_end() {
  for (int left = worker_->read_int(); left > 0; --left)
    worker_->read_text();  // accumulators: nobody asked
  ended_ = true;
  // One that did not read all of its rows is in no state to go on.
  if (input_ended_ && worker_->read_int() == python_mark::kEndOfStream) worker_->finish();
}

std::shared_ptr<arrow::RecordBatch> PythonRun::next() {
  while (!ended_) {
    if (reader_) {
      std::shared_ptr<arrow::RecordBatch> batch;
      input_->check(reader_->ReadNext(&batch));
      if (batch) return batch;
      reader_.reset();
    }
    const int mark = worker_->read_int();
    if (mark == python_mark::kArrowStream) {
      auto options = arrow::ipc::IpcReadOptions::Defaults();
      options.use_threads = false;
      auto opened = arrow::ipc::RecordBatchStreamReader::Open(input_.get(), options);
      input_->check(opened.status());
      reader_ = std::move(opened).ValueUnsafe();
    } else if (!next_mark(mark)) {
      break;
    }
  }
  return nullptr;
}

bool PythonRun::next_pickle(std::string& out) {
  while (!ended_) {
    const int mark = worker_->read_int();
    if (mark >= 0) {
      out.resize(static_cast<size_t>(mark));
      worker_->read(out.data(), out.size());
      return true;
    }
    if (!next_mark(mark)) break;
  }
  return false;
}

void PythonRun::end() {
  if (ended_) return;
  if (!input_ended_) end_input();
  std::string unread;
  while (reader_ ? next() != nullptr : next_pickle(unread)) {
  }
}

}  // namespace firesteel
