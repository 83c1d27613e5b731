// The engine's Arrow arrays retyped as Spark's: the same buffers where the layout is the same, new
// ones for what DuckDB keeps otherwise (times of day, intervals).
#include "connect/arrow_encoder.h"

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/c/bridge.h>
#include <arrow/io/interfaces.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>
#include <arrow/util/key_value_metadata.h>

#include <algorithm>

#include "base/error.h"
#include "engine/arrow_result.h"

namespace firesteel::connect {

namespace {

using Array = std::shared_ptr<arrow::ArrayData>;

std::shared_ptr<arrow::Field> arrow_field(const Field& field, const std::string& zone);

std::shared_ptr<arrow::DataType> arrow_type(const DataType& type, const std::string& zone) {
  switch (type.kind) {
    case TypeKind::kNull:
      return arrow::null();
    case TypeKind::kBoolean:
      return arrow::boolean();
    case TypeKind::kByte:
      return arrow::int8();
    case TypeKind::kShort:
      return arrow::int16();
    case TypeKind::kInteger:
      return arrow::int32();
    case TypeKind::kLong:
      return arrow::int64();
    case TypeKind::kFloat:
      return arrow::float32();
    case TypeKind::kDouble:
      return arrow::float64();
    case TypeKind::kDecimal:
      return arrow::decimal128(type.precision, type.scale);
    case TypeKind::kString:
      return arrow::utf8();
    case TypeKind::kBinary:
      return arrow::binary();
    case TypeKind::kTime:
      return arrow::time64(arrow::TimeUnit::NANO);
    case TypeKind::kDate:
      return arrow::date32();
    case TypeKind::kTimestamp:
      return arrow::timestamp(arrow::TimeUnit::MICRO, zone);
    case TypeKind::kTimestampNtz:
      return arrow::timestamp(arrow::TimeUnit::MICRO);
    case TypeKind::kDayTimeInterval:
      return arrow::duration(arrow::TimeUnit::MICRO);
    case TypeKind::kYearMonthInterval:
      return arrow::month_interval();
    case TypeKind::kCalendarInterval:
      return arrow::month_day_nano_interval();
    case TypeKind::kVariant:
      return arrow::struct_({arrow::field("value", arrow::binary(), false),
                             arrow::field("metadata", arrow::binary(), false,
                                          arrow::key_value_metadata({"variant"}, {"true"}))});
    case TypeKind::kArray:
      return arrow::list(arrow_field((*type.fields)[0], zone));
    case TypeKind::kMap:
      return std::make_shared<arrow::MapType>(arrow_field((*type.fields)[0], zone),
                                              arrow_field((*type.fields)[1], zone));
    case TypeKind::kStruct: {
      arrow::FieldVector fields;
      for (const auto& field : *type.fields) fields.push_back(arrow_field(field, zone));
      return arrow::struct_(std::move(fields));
    }
  }
  throw Error("UNSUPPORTED_DATATYPE", "No Arrow type for " + type.simple_string());
}

std::shared_ptr<arrow::Field> arrow_field(const Field& field, const std::string& zone) {
  return arrow::field(field.name, arrow_type(field.type, zone), field.nullable);
}

DataType spark_type(const arrow::DataType& type) {
  const auto fields_of = [&] {
    std::vector<Field> fields;
    for (const auto& field : type.fields())
      fields.push_back({field->name(), spark_type(*field->type()), field->nullable()});
    return fields;
  };
  switch (type.id()) {
    case arrow::Type::NA:
      return make_type(TypeKind::kNull);
    case arrow::Type::BOOL:
      return make_type(TypeKind::kBoolean);
    case arrow::Type::INT8:
      return make_type(TypeKind::kByte);
    case arrow::Type::INT16:
      return make_type(TypeKind::kShort);
    case arrow::Type::INT32:
      return make_type(TypeKind::kInteger);
    case arrow::Type::INT64:
      return make_type(TypeKind::kLong);
    case arrow::Type::FLOAT:
      return make_type(TypeKind::kFloat);
    case arrow::Type::DOUBLE:
      return make_type(TypeKind::kDouble);
    case arrow::Type::DECIMAL128: {
      const auto& decimal = static_cast<const arrow::Decimal128Type&>(type);
      return decimal_type(decimal.precision(), decimal.scale());
    }
    case arrow::Type::STRING:
      return make_type(TypeKind::kString);
    case arrow::Type::BINARY:
      return make_type(TypeKind::kBinary);
    case arrow::Type::DATE32:
      return make_type(TypeKind::kDate);
    case arrow::Type::TIMESTAMP:
      return make_type(static_cast<const arrow::TimestampType&>(type).timezone().empty()
                           ? TypeKind::kTimestampNtz
                           : TypeKind::kTimestamp);
    case arrow::Type::LIST:
      return array_type(fields_of()[0].type, fields_of()[0].nullable);
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(type);
      return map_type(spark_type(*map.key_type()), spark_type(*map.item_type()),
                      map.item_field()->nullable());
    }
    case arrow::Type::STRUCT:
      return struct_type(fields_of());
    default:
      throw Error("UNSUPPORTED_DATATYPE",
                  "Rows with Arrow's type " + type.ToString() + " cannot be sent to Spark.");
  }
}

/// A leaf whose values are made anew: `make` gives the value of one of the old.
template <typename From, typename To, typename Make>
Array remade(const arrow::ArrayData& from, const std::shared_ptr<arrow::DataType>& type,
             Make make) {
  auto values = std::shared_ptr<arrow::Buffer>(
      arrow_value(arrow::AllocateBuffer((from.offset + from.length) * sizeof(To))));
  const auto* old =
      from.buffers[1] ? reinterpret_cast<const From*>(from.buffers[1]->data()) : nullptr;
  auto* out = reinterpret_cast<To*>(values->mutable_data());
  std::fill_n(out, from.offset, To{});
  for (int64_t i = from.offset; i < from.offset + from.length; ++i) out[i] = make(old[i]);
  return arrow::ArrayData::Make(type, from.length, {from.buffers[0], values},
                                from.null_count.load(), from.offset);
}

Array retyped(const Array& from, const DataType& type, const std::shared_ptr<arrow::DataType>& to) {
  using Interval = arrow::MonthDayNanoIntervalType::MonthDayNanos;
  const bool interval = from->type->id() == arrow::Type::INTERVAL_MONTH_DAY_NANO;
  if (type.kind == TypeKind::kNull)
    return arrow_value(arrow::MakeArrayOfNull(arrow::null(), from->length))->data();
  if (type.kind == TypeKind::kTime && from->type->id() == arrow::Type::TIME64)
    return remade<int64_t, int64_t>(*from, to, [](int64_t micros) { return micros * 1000; });
  // What stands under a null is any number: unsigned products do not overflow.
  if (type.kind == TypeKind::kDayTimeInterval && interval) {
    return remade<Interval, int64_t>(*from, to, [](const Interval& value) {
      return static_cast<int64_t>(static_cast<uint64_t>(value.days) * 86400000000u) +
             value.nanoseconds / 1000;
    });
  }
  if (type.kind == TypeKind::kYearMonthInterval && interval)
    return remade<Interval, int32_t>(*from, to, [](const Interval& value) { return value.months; });
  auto out = from->Copy();
  out->type = to;
  if (type.kind == TypeKind::kMap) {
    auto entries = from->child_data[0]->Copy();
    const auto& entry = to->field(0)->type();
    entries->type = entry;
    for (int i = 0; i < 2; ++i) {
      entries->child_data[i] =
          retyped(entries->child_data[i], (*type.fields)[i].type, entry->field(i)->type());
    }
    out->child_data[0] = std::move(entries);
  } else if (type.fields) {
    for (size_t i = 0; i < out->child_data.size(); ++i) {
      out->child_data[i] = retyped(out->child_data[i], (*type.fields)[i].type,
                                   to->field(static_cast<int>(i))->type());
    }
  } else if (type.kind == TypeKind::kVariant) {
    for (int i = 0; i < 2; ++i) {
      out->child_data[i] = out->child_data[i]->Copy();
      out->child_data[i]->type = arrow::binary();
    }
  }
  return out;
}

/// Appends what is written to a string.
class StringOutput : public arrow::io::OutputStream {
 public:
  explicit StringOutput(std::string& out) : out_(out) {}
  arrow::Status Write(const void* data, int64_t size) override {
    out_.append(static_cast<const char*>(data), static_cast<size_t>(size));
    return arrow::Status::OK();
  }
  arrow::Result<int64_t> Tell() const override { return static_cast<int64_t>(out_.size()); }
  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }

 private:
  std::string& out_;
  bool closed_ = false;
};

}  // namespace

std::shared_ptr<arrow::Schema> arrow_schema(const Schema& schema, const std::string& time_zone) {
  arrow::FieldVector fields;
  for (const auto& field : schema) fields.push_back(arrow_field(field, time_zone));
  return arrow::schema(std::move(fields));
}

Schema spark_schema(ArrowStream& rows) {
  auto handle = rows.schema();
  ArrowSchema taken = *handle.get();
  handle.out()->release = nullptr;
  const auto schema = arrow_value(arrow::ImportSchema(&taken));
  return *spark_type(*arrow::struct_(schema->fields())).fields;
}

struct ArrowEncoder::State {
  Schema schema;
  ArrowStream rows;
  int64_t bytes_max;
  std::shared_ptr<arrow::Schema> to, from;
  std::shared_ptr<arrow::RecordBatch> batch;  // what is left of it
  bool sent = false;

  std::shared_ptr<arrow::RecordBatch> read() {
    auto next = rows.next();
    if (!next) return nullptr;
    if (!from) {
      auto handle = rows.schema();
      ArrowSchema taken = *handle.get();
      handle.out()->release = nullptr;
      from = arrow_value(arrow::ImportSchema(&taken));
    }
    auto raw = next->release();
    const auto columns = arrow_value(arrow::ImportRecordBatch(&raw, from));
    std::vector<Array> data;
    for (int i = 0; i < to->num_fields(); ++i)
      data.push_back(retyped(columns->column_data(i), schema[i].type, to->field(i)->type()));
    return arrow::RecordBatch::Make(to, columns->num_rows(), std::move(data));
  }

  EncodedBatch encode(const arrow::RecordBatch& rows_of_it, int64_t bytes) {
    EncodedBatch out{.rows = rows_of_it.num_rows(), .data = {}};
    out.data.reserve(static_cast<size_t>(bytes) + 4096);
    StringOutput sink(out.data);
    const auto writer = arrow_value(arrow::ipc::MakeStreamWriter(&sink, to));
    check_arrow(writer->WriteRecordBatch(rows_of_it));
    check_arrow(writer->Close());
    sent = true;
    return out;
  }
};

ArrowEncoder::ArrowEncoder(Schema schema, std::string time_zone, ArrowStream rows,
                           int64_t bytes_max)
    : state_(std::make_unique<State>()) {
  state_->to = arrow_schema(schema, time_zone);
  state_->schema = std::move(schema);
  state_->rows = std::move(rows);
  state_->bytes_max = bytes_max;
}

ArrowEncoder::~ArrowEncoder() = default;

std::optional<EncodedBatch> ArrowEncoder::next() {
  auto& state = *state_;
  while (!state.batch || state.batch->num_rows() == 0) {
    state.batch = state.read();
    if (state.batch) continue;
    if (state.sent) return std::nullopt;
    return state.encode(*arrow_value(arrow::RecordBatch::MakeEmpty(state.to)), 0);
  }
  const auto rows = state.batch->num_rows();
  const auto bytes =
      std::max<int64_t>(1, arrow_value(arrow::util::ReferencedBufferSize(*state.batch)));
  const auto part = std::clamp<int64_t>(
      bytes <= state.bytes_max ? rows : rows * state.bytes_max / bytes, 1, rows);
  const auto batch = state.batch->Slice(0, part);
  state.batch = state.batch->Slice(part);
  return state.encode(*batch, bytes * part / rows);
}

}  // namespace firesteel::connect
