// Reads IPC messages as they come; a batch shares the memory of its message.
#include "connect/client/row_stream.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/c/bridge.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <optional>

#include "base/made_stream.h"
#include "connect/arrow_encoder.h"
#include "engine/arrow_result.h"

namespace firesteel::connect {

namespace {

/// Instants are in whatever zone the session has; their numbers are those of UTC.
std::shared_ptr<arrow::DataType> in_utc(const std::shared_ptr<arrow::DataType>& type);

std::shared_ptr<arrow::Field> in_utc(const std::shared_ptr<arrow::Field>& field) {
  return field->WithType(in_utc(field->type()));
}

std::shared_ptr<arrow::DataType> in_utc(const std::shared_ptr<arrow::DataType>& type) {
  switch (type->id()) {
    case arrow::Type::TIMESTAMP: {
      const auto& stamp = static_cast<const arrow::TimestampType&>(*type);
      return stamp.timezone().empty() ? type : arrow::timestamp(stamp.unit(), "UTC");
    }
    case arrow::Type::LIST:
      return arrow::list(in_utc(type->field(0)));
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(*type);
      return std::make_shared<arrow::MapType>(in_utc(map.key_field()), in_utc(map.item_field()),
                                              map.keys_sorted());
    }
    case arrow::Type::STRUCT: {
      arrow::FieldVector fields;
      for (const auto& field : type->fields()) fields.push_back(in_utc(field));
      return arrow::struct_(std::move(fields));
    }
    default:
      return type;
  }
}

struct Rows {
  std::unique_ptr<Client::Responses> responses;
  std::function<Schema()> described;
  std::shared_ptr<arrow::Schema> schema = {};
  std::shared_ptr<arrow::ipc::RecordBatchStreamReader> message = {};
  std::shared_ptr<arrow::RecordBatch> first = {};  // read to learn the schema
  std::string chunks = {};
  bool ended = false;

  std::shared_ptr<arrow::RecordBatch> next() {
    for (;;) {
      if (first) return std::exchange(first, nullptr);
      if (message) {
        std::shared_ptr<arrow::RecordBatch> batch;
        check_arrow(message->ReadNext(&batch));
        if (batch && batch->num_rows() > 0) return batch;
        if (!batch) message.reset();
        continue;
      }
      if (ended) return nullptr;
      auto response = responses->next();
      if (!response) {
        ended = true;
        continue;
      }
      if (!response->has_arrow_batch()) continue;
      auto& part = *response->mutable_arrow_batch();
      if (part.num_chunks_in_batch() > 1) {
        chunks += part.data();
        if (part.chunk_index() + 1 < part.num_chunks_in_batch()) continue;
        *part.mutable_data() = std::exchange(chunks, {});
      }
      auto input = std::make_shared<arrow::io::BufferReader>(
          arrow::Buffer::FromString(std::move(*part.mutable_data())));
      message = arrow_value(arrow::ipc::RecordBatchStreamReader::Open(std::move(input)));
      if (!schema) schema = message->schema();
    }
  }

  const std::shared_ptr<arrow::Schema>& known_schema() {
    if (!schema) first = next();
    if (!schema) schema = arrow_schema(described(), "UTC");
    return schema;
  }

  ArrowSchemaHandle spark_schema() {
    arrow::FieldVector fields;
    for (const auto& field : known_schema()->fields()) fields.push_back(in_utc(field));
    ArrowSchemaHandle out;
    check_arrow(arrow::ExportSchema(*arrow::schema(std::move(fields)), out.out()));
    return out;
  }
};

}  // namespace

ArrowStream row_stream(std::unique_ptr<Client::Responses> responses, std::function<Schema()> schema,
                       std::function<Error(const Error&)> explained) {
  const auto rows = std::make_shared<Rows>(
      Rows{.responses = std::move(responses), .described = std::move(schema)});
  const auto with_errors = [explained](auto body) {
    try {
      return body();
    } catch (const Error& error) {
      throw explained(error);
    }
  };
  return make_stream(
      [rows, with_errors] { return with_errors([&] { return rows->spark_schema(); }); },
      [rows, with_errors] {
        return with_errors([&]() -> std::optional<ArrowBatch> {
          const auto batch = rows->next();
          if (!batch) return std::nullopt;
          ArrowArray array{};
          check_arrow(arrow::ExportRecordBatch(*batch, &array));
          return ArrowBatch(array);
        });
      });
}

}  // namespace firesteel::connect
