// Arrow C++ reads and writes the streams; the task sees the C interface.
#include "cluster/task_run.h"

#include <arrow/array/array_nested.h>
#include <arrow/c/bridge.h>
#include <arrow/io/interfaces.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/made_stream.h"

namespace firesteel::cluster {

namespace {

void check(const arrow::Status& status) {
  if (!status.ok()) throw Error("TASK_FAILED", "Arrow: " + status.message());
}

template <typename T>
T value_of(arrow::Result<T> result) {
  check(result.status());
  return std::move(result).ValueUnsafe();
}

/// The rows of an IPC stream as they come. Lives until the task has released the stream and the
/// input was read to its end.
struct Input {
  std::shared_ptr<arrow::ipc::RecordBatchStreamReader> reader;
  bool is_struct = false, ended = false;

  std::shared_ptr<arrow::Schema> schema() const {
    return is_struct ? arrow::schema(reader->schema()->field(0)->type()->fields())
                     : reader->schema();
  }
  std::shared_ptr<arrow::RecordBatch> next() {
    std::shared_ptr<arrow::RecordBatch> batch;
    if (ended) return batch;
    check(reader->ReadNext(&batch));
    if (!batch) ended = true;
    if (batch && is_struct) batch = value_of(arrow::RecordBatch::FromStructArray(batch->column(0)));
    return batch;
  }
};

ArrowStream stream_of(const std::shared_ptr<Input>& input) {
  return make_stream(
      [input] {
        ArrowSchemaHandle out;
        check(arrow::ExportSchema(*input->schema(), out.out()));
        return out;
      },
      [input]() -> std::optional<ArrowBatch> {
        const auto batch = input->next();
        if (!batch) return std::nullopt;
        ArrowArray array{};
        check(arrow::ExportRecordBatch(*batch, &array));
        return ArrowBatch(array);
      });
}

}  // namespace

TaskRequest parse_request(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  TaskRequest request{.task = json.at("task"), .context = {}};
  request.context.argument = json.at("argument");
  request.context.partition = json.at("partition");
  request.context.attempt = json.at("attempt");
  request.context.partitions = json.at("partitions");
  for (const std::string folder : json.at("folders")) request.context.folders.emplace_back(folder);
  return request;
}

void run_task(const TaskRequest& request, arrow::io::InputStream& stream,
              const TaskOutput& output) {
  const auto& function = find_task(request.task);
  const auto input = std::make_shared<Input>(
      Input{.reader = value_of(arrow::ipc::RecordBatchStreamReader::Open(&stream))});
  const auto& columns = input->reader->schema()->fields();
  input->is_struct = !output.struct_name.empty() && columns.size() == 1 &&
                     columns[0]->type()->id() == arrow::Type::STRUCT;
  {
    auto rows = function(stream_of(input), request.context);
    auto handle = rows.schema();
    ArrowSchema taken = *handle.get();
    handle.out()->release = nullptr;
    const auto schema = value_of(arrow::ImportSchema(&taken));
    const auto written =
        output.struct_name.empty()
            ? schema
            : arrow::schema({arrow::field(output.struct_name, arrow::struct_(schema->fields()))});
    if (output.begin) output.begin();
    const auto writer = value_of(arrow::ipc::MakeStreamWriter(&output.stream, written));
    try {
      while (auto batch = rows.next()) {
        ArrowArray array = batch->release();
        auto columns_of_batch = value_of(arrow::ImportRecordBatch(&array, schema));
        if (!output.struct_name.empty()) {
          columns_of_batch =
              arrow::RecordBatch::Make(written, columns_of_batch->num_rows(),
                                       {std::static_pointer_cast<arrow::Array>(
                                           value_of(columns_of_batch->ToStructArray()))});
        }
        check(writer->WriteRecordBatch(*columns_of_batch));
      }
    } catch (...) {
      // Spark hears of the error behind the end of the rows.
      static_cast<void>(writer->Close());
      throw;
    }
    check(writer->Close());
  }
  while (input->next()) {  // What the task did not want: the next request stands behind it.
  }
}

std::string error_json(std::exception_ptr error) {
  nlohmann::json json;
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    json = {{"condition", known.condition()}, {"message", known.message()}};
  } catch (const std::bad_alloc&) {
    json = {{"condition", "OUT_OF_MEMORY"},
            {"message",
             "A task has no memory left on its executor. Give executors more, or use more and "
             "smaller partitions."}};
  } catch (const std::exception& other) {
    json = {{"condition", "TASK_FAILED"}, {"message", other.what()}};
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace firesteel::cluster
