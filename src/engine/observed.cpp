// Observed metrics: Arrow's values as the protocol's literals, and which of them a plan has.
#include "engine/observed.h"

#include <fmt/format.h>

#include <cstring>

#include "engine/embedded.h"
#include "functions/coercion.h"
#include "plan/visit.h"

// Types of nested literals stand in fields that PySpark 4.3 goes on using.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace firesteel {

namespace {

using Literal = proto::Expression::Literal;
using enum TypeKind;

template <typename T>
T value_at(const ArrowArray& array, int64_t row, int buffer = 1) {
  return static_cast<const T*>(array.buffers[buffer])[array.offset + row];
}

bool bit_at(const void* bits, int64_t at) {
  return (static_cast<const uint8_t*>(bits)[at / 8] >> (at % 8)) & 1;
}

/// First and end of a list's or a text's items.
std::pair<int64_t, int64_t> range_at(const ArrowArray& array, int64_t row, bool large) {
  if (large) return {value_at<int64_t>(array, row), value_at<int64_t>(array, row + 1)};
  return {value_at<int32_t>(array, row), value_at<int32_t>(array, row + 1)};
}

std::string text_at(const ArrowSchema& schema, const ArrowArray& array, int64_t row) {
  const bool large = schema.format[0] == 'U' || schema.format[0] == 'Z';
  const auto [first, end] = range_at(array, row, large);
  return std::string(static_cast<const char*>(array.buffers[2]) + first,
                     static_cast<size_t>(end - first));
}

std::string decimal_text(__int128 unscaled, int scale) {
  const bool negative = unscaled < 0;
  std::string digits;
  for (auto rest = negative ? -static_cast<unsigned __int128>(unscaled)
                            : static_cast<unsigned __int128>(unscaled);
       rest > 0; rest /= 10)
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(rest % 10)));
  while (static_cast<int>(digits.size()) <= scale) digits.insert(digits.begin(), '0');
  if (scale > 0) digits.insert(digits.size() - static_cast<size_t>(scale), ".");
  return (negative ? "-" : "") + digits;
}

Literal literal_at(const ArrowSchema& schema, const ArrowArray& array, int64_t row,
                   const DataType& type) {
  Literal out;
  const void* valid = array.n_buffers > 0 ? array.buffers[0] : nullptr;
  if (type.kind == kNull || (valid && !bit_at(valid, array.offset + row))) {
    type_to_proto(type, out.mutable_null());
    return out;
  }
  switch (type.kind) {
    case kBoolean:
      out.set_boolean(bit_at(array.buffers[1], array.offset + row));
      break;
    case kByte:
      out.set_byte(value_at<int8_t>(array, row));
      break;
    case kShort:
      out.set_short_(value_at<int16_t>(array, row));
      break;
    case kInteger:
      out.set_integer(value_at<int32_t>(array, row));
      break;
    case kLong:
      out.set_long_(value_at<int64_t>(array, row));
      break;
    case kFloat:
      out.set_float_(value_at<float>(array, row));
      break;
    case kDouble:
      out.set_double_(value_at<double>(array, row));
      break;
    case kDecimal: {
      __int128 value = 0;
      std::memcpy(&value, static_cast<const char*>(array.buffers[1]) + 16 * (array.offset + row),
                  16);
      out.mutable_decimal()->set_value(decimal_text(value, type.scale));
      out.mutable_decimal()->set_precision(type.precision);
      out.mutable_decimal()->set_scale(type.scale);
      break;
    }
    case kString:
      out.set_string(text_at(schema, array, row));
      break;
    case kBinary:
      out.set_binary(text_at(schema, array, row));
      break;
    case kDate:
      out.set_date(value_at<int32_t>(array, row));
      break;
    case kTimestamp:
      out.set_timestamp(value_at<int64_t>(array, row));
      break;
    case kTimestampNtz:
      out.set_timestamp_ntz(value_at<int64_t>(array, row));
      break;
    case kArray: {
      const auto [first, end] = range_at(array, row, schema.format[1] == 'L');
      type_to_proto(type.element(), out.mutable_array()->mutable_element_type());
      for (auto i = first; i < end; ++i)
        *out.mutable_array()->add_elements() =
            literal_at(*schema.children[0], *array.children[0], i, type.element());
      break;
    }
    case kMap: {
      const auto [first, end] = range_at(array, row, false);
      const auto &entries = *schema.children[0], &pairs = entries;
      const auto& items = *array.children[0];
      type_to_proto(type.key(), out.mutable_map()->mutable_key_type());
      type_to_proto(type.value(), out.mutable_map()->mutable_value_type());
      for (auto i = first + items.offset; i < end + items.offset; ++i) {
        *out.mutable_map()->add_keys() =
            literal_at(*pairs.children[0], *items.children[0], i, type.key());
        *out.mutable_map()->add_values() =
            literal_at(*pairs.children[1], *items.children[1], i, type.value());
      }
      break;
    }
    case kStruct:
      type_to_proto(type, out.mutable_struct_()->mutable_struct_type());
      for (size_t i = 0; i < type.fields->size(); ++i)
        *out.mutable_struct_()->add_elements() = literal_at(
            *schema.children[i], *array.children[i], array.offset + row, type.fields->at(i).type);
      break;
    default:
      throw Error(
          "UNSUPPORTED_FEATURE.LITERAL",
          fmt::format("A value of the type \"{}\" cannot be given as a literal here.", type.sql()));
  }
  return out;
}

}  // namespace

std::vector<std::vector<Literal>> literal_rows(ArrowStream stream, const Schema& schema) {
  const auto arrow = stream.schema();
  std::vector<std::vector<Literal>> out;
  while (const auto batch = stream.next()) {
    for (int64_t row = 0; row < batch->rows(); ++row) {
      auto& cells = out.emplace_back();
      for (size_t i = 0; i < schema.size(); ++i)
        cells.push_back(
            literal_at(*arrow.get()->children[i], *batch->get()->children[i], row, schema[i].type));
    }
  }
  return out;
}

std::string EmbeddedExecutor::observed(const Observation& observation, const std::string& rows,
                                       const std::string& metrics) {
  const auto table = sql_name(new_name("observed"));
  database_.execute(fmt::format("CREATE TABLE {} AS {}", table, rows));
  ObservedMetrics found{.name = observation.name, .plan_id = observation.plan_id};
  for (const auto& field : observation.schema) found.keys.push_back(field.name);
  const auto values = literal_rows(
      database_.query(fmt::format("SELECT {} FROM {}", metrics, table), observation.schema),
      observation.schema);
  if (!values.empty()) found.values = values[0];
  std::lock_guard lock(mutex_);
  observed_[observation.name] = std::move(found);
  return table;
}

std::vector<ObservedMetrics> EmbeddedExecutor::observed(const google::protobuf::Message& plan) {
  std::vector<ObservedMetrics> out;
  std::lock_guard lock(mutex_);
  for_each_message(plan, [&](const google::protobuf::Message& part) {
    if (part.GetDescriptor() != proto::CollectMetrics::descriptor()) return true;
    const auto found = observed_.find(static_cast<const proto::CollectMetrics&>(part).name());
    if (found != observed_.end()) out.push_back(found->second);
    return true;
  });
  return out;
}

}  // namespace firesteel
