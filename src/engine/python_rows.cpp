// Follows org.apache.spark.sql.execution.python.EvaluatePython, which says what goes as what.
#include "engine/python_rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/number_text.h"
#include "duckdb.hpp"
#include "engine/pickle.h"
#include "engine/values.h"

namespace firesteel {

namespace {

using duckdb::Value;
using enum TypeKind;
using Kind = PickledValue::Kind;

constexpr int kRowMaker = 100;
constexpr int64_t kDayMicros = 86400000000;

/// Types whose values Python makes of numbers and tuples, by the schema.
bool made_by_schema(const DataType& type) {
  switch (type.kind) {
    case kDate:
    case kTimestamp:
    case kTimestampNtz:
    case kTime:
    case kDayTimeInterval:
    case kYearMonthInterval:
    case kStruct:
    case kVariant:
      return true;
    case kArray:
    case kMap:
      return std::any_of(type.fields->begin(), type.fields->end(),
                         [](const Field& field) { return made_by_schema(field.type); });
    default:
      return false;
  }
}

void pickle(Pickler& out, const Value& value, const DataType& type) {
  if (value.IsNull()) return out.none();
  switch (type.kind) {
    case kBoolean:
      return out.flag(duckdb::BooleanValue::Get(value));
    case kByte:
    case kShort:
    case kInteger:
    case kLong:
      return out.number(value.GetValue<int64_t>());
    case kFloat:
    case kDouble:
      return out.real(value.GetValue<double>());
    case kDecimal:
      return out.decimal(big_decimal(unscaled_of(value), type.scale).text());
    case kString:
      return out.text(duckdb::StringValue::Get(value));
    case kBinary:
      return out.bytes(duckdb::StringValue::Get(value));
    case kDate:
      return out.number(value.GetValueUnsafe<duckdb::date_t>().days);
    case kTimestamp:
    case kTimestampNtz:
      return out.number(value.GetValueUnsafe<duckdb::timestamp_t>().value);
    case kTime:
      return out.number(value.GetValueUnsafe<duckdb::dtime_t>().micros * 1000);
    case kDayTimeInterval: {
      const auto interval = value.GetValueUnsafe<duckdb::interval_t>();
      return out.number((interval.months * 30LL + interval.days) * kDayMicros + interval.micros);
    }
    case kYearMonthInterval:
      return out.number(value.GetValueUnsafe<duckdb::interval_t>().months);
    case kArray:
      out.mark();
      for (const auto& element : duckdb::ListValue::GetChildren(value))
        pickle(out, element, type.element());
      return out.list();
    case kMap:
      out.mark();
      for (const auto& entry : duckdb::MapValue::GetChildren(value)) {
        const auto& pair = duckdb::StructValue::GetChildren(entry);
        pickle(out, pair[0], type.key());
        pickle(out, pair[1], type.value());
      }
      return out.dict();
    case kStruct: {
      out.mark();
      const auto& parts = duckdb::StructValue::GetChildren(value);
      for (size_t i = 0; i < parts.size(); ++i) pickle(out, parts[i], (*type.fields)[i].type);
      return out.tuple();
    }
    case kNull:
      return out.none();
    case kVariant:
    case kCalendarInterval:
      break;
  }
  throw Error("UNSUPPORTED_DATATYPE",
              fmt::format("Values of the type \"{}\" cannot go to Python functions.", type.sql()));
}

/// Java's toString of what the pickle is in Java.
std::string java_string(const PickledValue& value) {
  switch (value.kind) {
    case Kind::kNone:
      return "null";
    case Kind::kFlag:
      return value.number ? "true" : "false";
    case Kind::kNumber:
      return std::to_string(value.number);
    case Kind::kReal:
      return java_text(value.real);
    case Kind::kBigNumber:
    case Kind::kText:
      return value.text;
    case Kind::kDecimal: {
      const auto number = BigDecimal::parse(value.text);
      return number ? number->text() : value.text;
    }
    case Kind::kList:
    case Kind::kSet: {
      std::string out = "[";
      for (const auto& item : value.items) out += (out.size() > 1 ? ", " : "") + java_string(item);
      return out + "]";
    }
    case Kind::kDict: {
      std::string out = "{";
      for (size_t i = 0; i + 1 < value.items.size(); i += 2)
        out +=
            (i ? ", " : "") + java_string(value.items[i]) + "=" + java_string(value.items[i + 1]);
      return out + "}";
    }
    case Kind::kTuple:
    case Kind::kBytes:
      break;
  }
  // Java shows the array's address.
  throw Error("PICKLE_ERROR",
              "A function whose return type is STRING gave a tuple or bytes. Give a str.");
}

template <typename Number>
Value whole(const PickledValue& value, const DataType& type) {
  // Java's toInt and its like keep the low bits.
  if (value.kind != Kind::kNumber) return null_of(type);
  return Value::CreateValue<Number>(static_cast<Number>(value.number));
}

Value decimal_of(const PickledValue& value, const DataType& type) {
  if (value.kind != Kind::kDecimal) return null_of(type);
  const auto number = BigDecimal::parse(value.text);
  const auto unscaled = number ? number->unscaled(type.precision, type.scale) : std::nullopt;
  return unscaled ? decimal_value(*unscaled, type.precision, type.scale) : null_of(type);
}

Value struct_of(const PickledValue& value, const DataType& type) {
  const auto& fields = *type.fields;
  if (value.kind != Kind::kTuple) return null_of(type);
  if (value.items.size() != fields.size()) {
    throw Error("STRUCT_ARRAY_LENGTH_MISMATCH",
                fmt::format("Input row doesn't have expected number of values required by the "
                            "schema. {} fields are required while {} values are provided.",
                            fields.size(), value.items.size()));
  }
  duckdb::child_list_t<Value> parts;
  for (size_t i = 0; i < fields.size(); ++i)
    parts.emplace_back(fields[i].name, value_of_pickled(value.items[i], fields[i].type));
  return Value::STRUCT(std::move(parts));
}

}  // namespace

std::string pickled_rows(duckdb::DataChunk& chunk, size_t first, const Schema& types, size_t begin,
                         size_t end) {
  Pickler out;
  const bool by_schema = std::any_of(types.begin(), types.end(),
                                     [](const Field& field) { return made_by_schema(field.type); });
  if (by_schema) {  // a function that makes a Row of internal values
    out.global("pyspark.sql.types", "_create_row_inbound_converter");
    out.mark();
    out.global("pyspark.sql.types", "_parse_datatype_json_string");
    out.mark();
    out.text(schema_json(types));
    out.tuple();
    out.call();
    out.tuple();
    out.call();
    out.keep(kRowMaker);
  }
  out.mark();
  for (size_t row = begin; row < end; ++row) {
    if (by_schema) out.kept(kRowMaker);
    out.mark();
    for (size_t i = 0; i < types.size(); ++i)
      pickle(out, chunk.GetValue(first + i, row), types[i].type);
    out.tuple();
    if (by_schema) out.call();
  }
  out.list();
  return out.take();
}

std::string pickled_value(const Value& value, const DataType& type) {
  Pickler out;
  pickle(out, value, type);
  return out.take();
}

Value value_of_pickled(const PickledValue& value, const DataType& type) {
  if (value.kind == Kind::kNone) return null_of(type);
  switch (type.kind) {
    case kBoolean:
      return value.kind == Kind::kFlag ? Value::BOOLEAN(value.number != 0) : null_of(type);
    case kByte:
      return whole<int8_t>(value, type);
    case kShort:
      return whole<int16_t>(value, type);
    case kInteger:
      return whole<int32_t>(value, type);
    case kLong:
      return whole<int64_t>(value, type);
    case kFloat:
      return value.kind == Kind::kReal ? Value::FLOAT(static_cast<float>(value.real))
                                       : null_of(type);
    case kDouble:
      return value.kind == Kind::kReal ? Value::DOUBLE(value.real) : null_of(type);
    case kDecimal:
      return decimal_of(value, type);
    case kString:
      return Value(java_string(value));
    case kBinary:
      return value.kind == Kind::kBytes || value.kind == Kind::kText ? Value::BLOB_RAW(value.text)
                                                                     : null_of(type);
    case kDate:
      return value.kind == Kind::kNumber
                 ? Value::DATE(duckdb::date_t(static_cast<int32_t>(value.number)))
                 : null_of(type);
    case kTimestamp:
    case kTimestampNtz:
      return value.kind == Kind::kNumber ? Value::TIMESTAMP(duckdb::timestamp_t(value.number))
                                         : null_of(type);
    case kTime:
      return value.kind == Kind::kNumber ? Value::TIME(duckdb::dtime_t(value.number / 1000))
                                         : null_of(type);
    case kDayTimeInterval:
      return value.kind == Kind::kNumber
                 ? Value::INTERVAL(0, static_cast<int32_t>(value.number / kDayMicros),
                                   value.number % kDayMicros)
                 : null_of(type);
    case kYearMonthInterval:
      return value.kind == Kind::kNumber ? Value::INTERVAL(static_cast<int32_t>(value.number), 0, 0)
                                         : null_of(type);
    case kArray: {
      if (value.kind != Kind::kList && value.kind != Kind::kTuple) return null_of(type);
      duckdb::vector<Value> elements;
      for (const auto& item : value.items)
        elements.push_back(value_of_pickled(item, type.element()));
      return Value::LIST(logical_type(type.element()), std::move(elements));
    }
    case kMap: {
      if (value.kind != Kind::kDict) return null_of(type);
      duckdb::vector<Value> keys, values;
      for (size_t i = 0; i + 1 < value.items.size(); i += 2) {
        keys.push_back(value_of_pickled(value.items[i], type.key()));
        values.push_back(value_of_pickled(value.items[i + 1], type.value()));
      }
      return Value::MAP(logical_type(type.key()), logical_type(type.value()), std::move(keys),
                        std::move(values));
    }
    case kStruct:
      return struct_of(value, type);
    case kNull:
      return null_of(type);
    case kVariant:
    case kCalendarInterval:
      break;
  }
  throw Error("UNSUPPORTED_DATATYPE",
              fmt::format("Python functions cannot give values of the type \"{}\".", type.sql()));
}

}  // namespace firesteel
