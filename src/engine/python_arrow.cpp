// The few types whose layout differs between DuckDB, Arrow as Spark sends it, and back.
#include "engine/python_arrow.h"

#include <arrow/array/array_nested.h>
#include <arrow/array/concatenate.h>
#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include "base/error.h"
#include "duckdb.hpp"
#include "duckdb/common/arrow/arrow_converter.hpp"
#include "duckdb/common/arrow/arrow_wrapper.hpp"
#include "duckdb/function/table/arrow.hpp"
#include "engine/arrow_result.h"

namespace firesteel {

namespace {

using arrow::ArrayData;
using enum TypeKind;

constexpr int64_t kDayMicros = 86400000000;

enum class Side { kFromDuckDb, kWorker, kToDuckDb };

std::shared_ptr<arrow::DataType> arrow_type(const DataType& type, Side side,
                                            const std::string& zone) {
  switch (type.kind) {
    case kNull:  // a column of nothing but nulls is DuckDB's INTEGER
      return side == Side::kWorker ? arrow::null() : arrow::int32();
    case kBoolean:
      return arrow::boolean();
    case kByte:
      return arrow::int8();
    case kShort:
      return arrow::int16();
    case kInteger:
      return arrow::int32();
    case kLong:
      return arrow::int64();
    case kFloat:
      return arrow::float32();
    case kDouble:
      return arrow::float64();
    case kDecimal:
      return arrow::decimal128(type.precision, type.scale);
    case kString:
      return arrow::utf8();
    case kBinary:
      return arrow::binary();
    case kTime:
      return arrow::time64(side == Side::kWorker ? arrow::TimeUnit::NANO : arrow::TimeUnit::MICRO);
    case kDate:
      return arrow::date32();
    case kTimestamp:
      return side == Side::kWorker ? arrow::timestamp(arrow::TimeUnit::MICRO, zone)
                                   : arrow::timestamp(arrow::TimeUnit::MICRO);
    case kTimestampNtz:
      return arrow::timestamp(arrow::TimeUnit::MICRO);
    case kDayTimeInterval:
      return side == Side::kFromDuckDb ? arrow::month_day_nano_interval()
                                       : arrow::duration(arrow::TimeUnit::MICRO);
    case kVariant:
      return arrow::struct_(
          {arrow::field("value", arrow::binary()), arrow::field("metadata", arrow::binary())});
    case kArray:
      return arrow::list(arrow::field("element", arrow_type(type.element(), side, zone)));
    case kMap:
      return std::make_shared<arrow::MapType>(
          arrow::field("key", arrow_type(type.key(), side, zone), false),
          arrow::field("value", arrow_type(type.value(), side, zone)));
    case kStruct: {
      arrow::FieldVector fields;
      for (const auto& field : *type.fields)
        fields.push_back(
            arrow::field(field.name, arrow_type(field.type, side, zone), field.nullable));
      return arrow::struct_(fields);
    }
    case kYearMonthInterval:
    case kCalendarInterval:
      break;
  }
  throw Error("UNSUPPORTED_DATATYPE",
              fmt::format("Values of the type \"{}\" cannot go to Python functions.", type.sql()));
}

/// Each value by a function, nulls as they are. `Function` takes the value's place.
template <typename Function>
std::shared_ptr<ArrayData> with_values(const ArrayData& data, std::shared_ptr<arrow::DataType> type,
                                       Function value_at) {
  std::shared_ptr<arrow::Buffer> values =
      arrow_value(arrow::AllocateBuffer((data.offset + data.length) * sizeof(int64_t)));
  auto* out = reinterpret_cast<int64_t*>(values->mutable_data());
  for (int64_t i = 0; i < data.offset; ++i) out[i] = 0;
  for (int64_t i = data.offset; i < data.offset + data.length; ++i) out[i] = value_at(i);
  auto copy = data.Copy();
  copy->type = std::move(type);
  copy->buffers[1] = std::move(values);
  return copy;
}

/// Children by a function of child and Spark type.
template <typename Function>
std::shared_ptr<ArrayData> with_children(const ArrayData& data, const DataType& type,
                                         std::shared_ptr<arrow::DataType> arrow_type,
                                         Function convert) {
  auto copy = data.Copy();
  copy->type = std::move(arrow_type);
  if (type.kind == kMap) {
    auto entries = data.child_data.at(0)->Copy();
    entries->child_data[0] = convert(*entries->child_data[0], type.key());
    entries->child_data[1] = convert(*entries->child_data[1], type.value());
    entries->type = arrow::struct_({copy->type->field(0)->type()->fields()});
    copy->child_data[0] = std::move(entries);
    return copy;
  }
  for (size_t i = 0; i < copy->child_data.size(); ++i)
    copy->child_data[i] = convert(*copy->child_data[i], (*type.fields)[i].type);
  return copy;
}

std::shared_ptr<ArrayData> to_worker(const ArrayData& data, const DataType& type,
                                     const std::string& zone) {
  auto wanted = arrow_type(type, Side::kWorker, zone);
  switch (type.kind) {
    case kNull:
      return ArrayData::Make(wanted, data.length, {nullptr}, data.length);
    case kTime: {
      const auto* micros = reinterpret_cast<const int64_t*>(data.buffers[1]->data());
      return with_values(data, wanted, [&](int64_t i) { return micros[i] * 1000; });
    }
    case kDayTimeInterval: {
      using Interval = arrow::MonthDayNanoIntervalType::MonthDayNanos;
      const auto* parts = reinterpret_cast<const Interval*>(data.buffers[1]->data());
      return with_values(data, wanted, [&](int64_t i) {
        return (parts[i].months * 30LL + parts[i].days) * kDayMicros + parts[i].nanoseconds / 1000;
      });
    }
    case kArray:
    case kMap:
    case kStruct:
      return with_children(data, type, wanted, [&](const ArrayData& child, const DataType& of) {
        return to_worker(child, of, zone);
      });
    default: {
      auto copy = data.Copy();
      copy->type = std::move(wanted);
      return copy;
    }
  }
}

/// How many units of time a microsecond has, or how many microseconds a unit (negative).
int64_t per_micro(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::NANO:
      return 1000;
    case arrow::TimeUnit::MICRO:
      return 1;
    case arrow::TimeUnit::MILLI:
      return -1000;
    default:
      return -1000000;
  }
}

std::shared_ptr<ArrayData> in_micros(const ArrayData& data, arrow::TimeUnit::type unit,
                                     std::shared_ptr<arrow::DataType> type) {
  const int64_t factor = per_micro(unit);
  const auto* values = reinterpret_cast<const int64_t*>(data.buffers[1]->data());
  if (factor == 1) {
    auto copy = data.Copy();
    copy->type = std::move(type);
    return copy;
  }
  return with_values(data, std::move(type), [&](int64_t i) {
    if (factor < 0) return values[i] * -factor;
    return values[i] >= 0 ? values[i] / factor : -((-values[i] + factor - 1) / factor);
  });
}

[[noreturn]] void mismatch(const arrow::DataType& given, const DataType& wanted) {
  throw Error("ARROW_TYPE_MISMATCH",
              fmt::format("Invalid schema from pandas_udf(): expected {}, got {}.", wanted.sql(),
                          given.ToString()));
}

std::shared_ptr<ArrayData> from_worker(const ArrayData& data, const DataType& type) {
  auto wanted = arrow_type(type, Side::kToDuckDb, "");
  const auto& given = *data.type;
  if (given.id() == arrow::Type::NA || type.kind == kNull)
    return arrow_value(arrow::MakeArrayOfNull(wanted, data.length))->data();
  const auto same = [&] {
    if (given.id() == wanted->id()) return true;
    if (wanted->id() == arrow::Type::STRING)
      return given.id() == arrow::Type::LARGE_STRING || given.id() == arrow::Type::STRING_VIEW;
    if (wanted->id() == arrow::Type::BINARY)
      return given.id() == arrow::Type::LARGE_BINARY || given.id() == arrow::Type::BINARY_VIEW;
    return wanted->id() == arrow::Type::LIST && given.id() == arrow::Type::LARGE_LIST;
  };
  if (!same()) mismatch(given, type);
  switch (type.kind) {
    case kTime:
      return in_micros(data, static_cast<const arrow::Time64Type&>(given).unit(), wanted);
    case kTimestamp:
    case kTimestampNtz:
      return in_micros(data, static_cast<const arrow::TimestampType&>(given).unit(), wanted);
    case kDayTimeInterval:
      return in_micros(data, static_cast<const arrow::DurationType&>(given).unit(), wanted);
    case kDecimal:
      if (!given.Equals(*wanted)) mismatch(given, type);
      return data.Copy();
    case kArray:
    case kMap:
    case kStruct: {
      if (type.kind == kStruct && data.child_data.size() != type.fields->size())
        mismatch(given, type);
      std::vector<std::shared_ptr<arrow::DataType>> children;
      const auto convert = [&](const ArrayData& child, const DataType& of) {
        auto made = from_worker(child, of);
        children.push_back(made->type);
        return made;
      };
      auto copy = with_children(data, type, wanted, convert);
      // What a child kept of its own layout (long offsets) is part of the type.
      if (type.kind == kArray) {
        const auto element = arrow::field("element", children[0]);
        copy->type = given.id() == arrow::Type::LARGE_LIST ? arrow::large_list(element)
                                                           : arrow::list(element);
      } else if (type.kind == kMap) {
        copy->type = std::make_shared<arrow::MapType>(arrow::field("key", children[0], false),
                                                      arrow::field("value", children[1]));
        copy->child_data[0]->type = copy->type->field(0)->type();
      } else {
        arrow::FieldVector fields;
        for (size_t i = 0; i < children.size(); ++i)
          fields.push_back(arrow::field((*type.fields)[i].name, children[i]));
        copy->type = arrow::struct_(fields);
      }
      return copy;
    }
    default:
      return data.Copy();
  }
}

}  // namespace

std::shared_ptr<arrow::DataType> python_arrow_type(const DataType& type, const std::string& zone) {
  return arrow_type(type, Side::kWorker, zone);
}

std::shared_ptr<arrow::Schema> python_arrow_schema(const Schema& schema, const std::string& zone) {
  arrow::FieldVector fields;
  for (const auto& field : schema)
    fields.push_back(
        arrow::field(field.name, arrow_type(field.type, Side::kWorker, zone), field.nullable));
  return arrow::schema(fields);
}

std::shared_ptr<arrow::DataType> duckdb_arrow_type(const DataType& type) {
  return arrow_type(type, Side::kToDuckDb, "");
}

std::shared_ptr<arrow::RecordBatch> batch_of_chunk(duckdb::ClientContext& context,
                                                   duckdb::DataChunk& chunk, size_t first,
                                                   const Schema& types,
                                                   const std::shared_ptr<arrow::Schema>& schema,
                                                   const std::string& zone) {
  if (types.empty())
    return arrow::RecordBatch::Make(schema, static_cast<int64_t>(chunk.size()),
                                    arrow::ArrayVector{});
  duckdb::DataChunk part;
  duckdb::vector<duckdb::LogicalType> logical;
  for (size_t i = 0; i < types.size(); ++i) logical.push_back(chunk.data[first + i].GetType());
  part.InitializeEmpty(logical);
  for (size_t i = 0; i < types.size(); ++i) part.data[i].Reference(chunk.data[first + i]);
  part.SetCardinality(chunk.size());
  ArrowArray array{};
  duckdb::ArrowConverter::ToArrowArray(part, &array, context.GetClientProperties(), {});
  arrow::FieldVector fields;
  for (const auto& field : types)
    fields.push_back(arrow::field(field.name, arrow_type(field.type, Side::kFromDuckDb, "")));
  const auto batch = arrow_value(arrow::ImportRecordBatch(&array, arrow::schema(fields)));
  std::vector<std::shared_ptr<ArrayData>> columns;
  for (size_t i = 0; i < types.size(); ++i) {
    const auto& wanted = schema->field(static_cast<int>(i))->type();
    const auto& data = batch->column_data(static_cast<int>(i));
    if (data->type->Equals(*wanted)) {
      columns.push_back(data);
      continue;
    }
    columns.push_back(to_worker(*data, types[i].type, zone));
    columns.back()->type = wanted;
  }
  return arrow::RecordBatch::Make(schema, batch->num_rows(), std::move(columns));
}

std::shared_ptr<arrow::Array> column_for_duckdb(const std::shared_ptr<arrow::Array>& column,
                                                const DataType& type) {
  return arrow::MakeArray(from_worker(*column->data(), type));
}

void fill_vector(duckdb::ClientContext& context, const std::shared_ptr<arrow::Array>& column,
                 duckdb::Vector& out) {
  ArrowSchema schema{};
  check_arrow(arrow::ExportType(*column->type(), &schema));
  duckdb::ArrowSchemaWrapper owned_schema;
  owned_schema.arrow_schema = schema;
  const auto type = duckdb::ArrowType::GetTypeFromSchema(context, owned_schema.arrow_schema);
  auto array = duckdb::make_shared_ptr<duckdb::ArrowArrayWrapper>();
  check_arrow(arrow::ExportArray(*column, &array->arrow_array));
  duckdb::ArrowArrayScanState state(context);
  state.owned_data = array;
  const auto size = static_cast<duckdb::idx_t>(column->length());
  duckdb::ArrowToDuckDBConversion::SetValidityMask(out, array->arrow_array, 0, size, 0, -1);
  duckdb::ArrowToDuckDBConversion::ColumnArrowToDuckDB(out, array->arrow_array, 0, state, size,
                                                       *type);
}

}  // namespace firesteel
