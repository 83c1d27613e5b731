#include "connect/client/row_stream.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/c/bridge.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cerrno>
#include <exception>
#include <optional>

#include "base/error.h"
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
  std::string chunks = {}, last_error = {};
  std::exception_ptr error = {};
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

  template <typename Body>
  int guarded(Body body) {
    try {
      body();
      return 0;
    } catch (const std::exception& failure) {
      error = std::current_exception();
      last_error = failure.what();
      return EIO;
    }
  }
  static Rows& of(ArrowArrayStream* stream) { return *static_cast<Rows*>(stream->private_data); }
};

}  // namespace

ArrowStream row_stream(std::unique_ptr<Client::Responses> responses,
                       std::function<Schema()> schema) {
  auto* rows = new Rows{.responses = std::move(responses), .described = std::move(schema)};
  ArrowStream out(ArrowArrayStream{
      .get_schema =
          [](ArrowArrayStream* stream, ArrowSchema* to) {
            auto& rows = Rows::of(stream);
            return rows.guarded([&] {
              arrow::FieldVector fields;
              for (const auto& field : rows.known_schema()->fields())
                fields.push_back(in_utc(field));
              check_arrow(arrow::ExportSchema(*arrow::schema(std::move(fields)), to));
            });
          },
      .get_next =
          [](ArrowArrayStream* stream, ArrowArray* to) {
            auto& rows = Rows::of(stream);
            return rows.guarded([&] {
              *to = ArrowArray{};
              if (const auto batch = rows.next()) check_arrow(arrow::ExportRecordBatch(*batch, to));
            });
          },
      .get_last_error =
          [](ArrowArrayStream* stream) { return Rows::of(stream).last_error.c_str(); },
      .release =
          [](ArrowArrayStream* stream) {
            delete &Rows::of(stream);
            stream->release = nullptr;
          },
      .private_data = rows});
  out.raise = [rows](const std::string&) { std::rethrow_exception(rows->error); };
  return out;
}

}  // namespace firesteel::connect
