// Spark's data types: equality, and their printed and protocol forms.
#include "plan/types.h"

#include <fmt/format.h>
#include <spark/connect/types.pb.h>

#include <climits>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace firesteel {

namespace {

struct KindNames {
  TypeKind kind;
  const char* simple;  // DDL, `dtypes`
  const char* tree;    // `printSchema`, JSON
};

constexpr KindNames kKindNames[] = {
    {TypeKind::kNull, "void", "void"},
    {TypeKind::kBoolean, "boolean", "boolean"},
    {TypeKind::kByte, "tinyint", "byte"},
    {TypeKind::kShort, "smallint", "short"},
    {TypeKind::kInteger, "int", "integer"},
    {TypeKind::kLong, "bigint", "long"},
    {TypeKind::kFloat, "float", "float"},
    {TypeKind::kDouble, "double", "double"},
    {TypeKind::kDecimal, "decimal", "decimal"},
    {TypeKind::kString, "string", "string"},
    {TypeKind::kBinary, "binary", "binary"},
    {TypeKind::kTime, "time", "time"},
    {TypeKind::kDate, "date", "date"},
    {TypeKind::kTimestamp, "timestamp", "timestamp"},
    {TypeKind::kTimestampNtz, "timestamp_ntz", "timestamp_ntz"},
    {TypeKind::kDayTimeInterval, "interval day to second", "interval day to second"},
    {TypeKind::kYearMonthInterval, "interval year to month", "interval year to month"},
    {TypeKind::kVariant, "variant", "variant"},
    {TypeKind::kCalendarInterval, "interval", "interval"},
    {TypeKind::kArray, "array", "array"},
    {TypeKind::kMap, "map", "map"},
    {TypeKind::kStruct, "struct", "struct"},
};

const KindNames& names_of(TypeKind kind) {
  for (const auto& row : kKindNames) {
    if (row.kind == kind) return row;
  }
  throw Error("INTERNAL_ERROR", "a type without a name");
}

std::string interval_name(const DataType& type) {
  static constexpr const char* kDayTime[] = {"day", "hour", "minute", "second"};
  static constexpr const char* kYearMonth[] = {"year", "month"};
  const bool day_time = type.kind == TypeKind::kDayTimeInterval;
  const char* start = day_time ? kDayTime[type.start_field] : kYearMonth[type.start_field];
  const char* end = day_time ? kDayTime[type.end_field] : kYearMonth[type.end_field];
  if (type.start_field == type.end_field) return fmt::format("interval {}", start);
  return fmt::format("interval {} to {}", start, end);
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string flat_name(const DataType& type, bool tree) {
  switch (type.kind) {
    case TypeKind::kDecimal:
      return fmt::format("decimal({},{})", type.precision, type.scale);
    case TypeKind::kTime:
      return fmt::format("time({})", type.precision);
    case TypeKind::kDayTimeInterval:
    case TypeKind::kYearMonthInterval:
      return interval_name(type);
    default:
      return tree ? names_of(type.kind).tree : names_of(type.kind).simple;
  }
}

nlohmann::ordered_json to_json(const DataType& type);

nlohmann::ordered_json fields_json(const Schema& schema) {
  auto fields = nlohmann::ordered_json::array();
  for (const auto& field : schema) {
    fields.push_back(
        {{"metadata", field.metadata.empty() ? nlohmann::ordered_json::object()
                                             : nlohmann::ordered_json::parse(field.metadata)},
         {"name", field.name},
         {"nullable", field.nullable},
         {"type", to_json(field.type)}});
  }
  return {{"fields", fields}, {"type", "struct"}};
}

nlohmann::ordered_json to_json(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kArray:
      return {{"containsNull", type.fields->at(0).nullable},
              {"elementType", to_json(type.element())},
              {"type", "array"}};
    case TypeKind::kMap:
      return {{"keyType", to_json(type.key())},
              {"type", "map"},
              {"valueContainsNull", type.fields->at(1).nullable},
              {"valueType", to_json(type.value())}};
    case TypeKind::kStruct:
      return fields_json(*type.fields);
    default:
      return flat_name(type, true);
  }
}

void print_tree(const DataType& type, const std::string& indent, int level, std::string& out);

void print_line(const std::string& name, const DataType& type, const char* flag_name, bool flag,
                const std::string& indent, int level, std::string& out) {
  if (level <= 0) return;
  const std::string kind = type.is_nested() ? names_of(type.kind).tree : flat_name(type, true);
  out += fmt::format("{}-- {}: {}", indent, name, kind);
  if (flag_name) out += fmt::format(" ({} = {})", flag_name, flag);
  out += "\n";
  print_tree(type, indent + "    |", level - 1, out);
}

void print_tree(const DataType& type, const std::string& indent, int level, std::string& out) {
  switch (type.kind) {
    case TypeKind::kArray:
      print_line("element", type.element(), "containsNull", type.fields->at(0).nullable, indent,
                 level, out);
      break;
    case TypeKind::kMap:
      print_line("key", type.key(), nullptr, false, indent, level, out);
      print_line("value", type.value(), "valueContainsNull", type.fields->at(1).nullable, indent,
                 level, out);
      break;
    case TypeKind::kStruct:
      for (const auto& field : *type.fields) {
        print_line(field.name, field.type, "nullable", field.nullable, indent, level, out);
      }
      break;
    default:
      break;
  }
}

bool plain_identifier(const std::string& name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) return false;
  for (unsigned char c : name) {
    if (!std::isalnum(c) && c != '_') return false;
  }
  return true;
}

std::string quoted_if_needed(const std::string& name) {
  if (plain_identifier(name)) return name;
  std::string quoted = "`";
  for (char c : name) quoted += c == '`' ? std::string("``") : std::string(1, c);
  return quoted + "`";
}

}  // namespace

bool DataType::operator==(const DataType& other) const {
  if (kind != other.kind || precision != other.precision || scale != other.scale ||
      start_field != other.start_field || end_field != other.end_field) {
    return false;
  }
  if (fields == other.fields) return true;
  return fields && other.fields && *fields == *other.fields;
}

const DataType& DataType::element() const { return fields->at(0).type; }
const DataType& DataType::key() const { return fields->at(0).type; }
const DataType& DataType::value() const { return fields->at(1).type; }

std::string DataType::simple_string() const {
  switch (kind) {
    case TypeKind::kArray:
      return fmt::format("array<{}>", element().simple_string());
    case TypeKind::kMap:
      return fmt::format("map<{},{}>", key().simple_string(), value().simple_string());
    case TypeKind::kStruct: {
      std::string inner;
      for (const auto& field : *fields) {
        inner += fmt::format("{}{}:{}", inner.empty() ? "" : ",", field.name,
                             field.type.simple_string());
      }
      return fmt::format("struct<{}>", inner);
    }
    default:
      return flat_name(*this, false);
  }
}

std::string DataType::sql() const {
  switch (kind) {
    case TypeKind::kArray:
      return fmt::format("ARRAY<{}>", element().sql());
    case TypeKind::kMap:
      return fmt::format("MAP<{}, {}>", key().sql(), value().sql());
    case TypeKind::kStruct: {
      std::string inner;
      for (const auto& field : *fields) {
        inner += fmt::format("{}{}: {}{}", inner.empty() ? "" : ", ", quoted_if_needed(field.name),
                             field.type.sql(), field.nullable ? "" : " NOT NULL");
      }
      return fmt::format("STRUCT<{}>", inner);
    }
    default:
      return upper(flat_name(*this, false));
  }
}

std::string day_time_text(int64_t micros, int start_field, int end_field) {
  static constexpr const char* kFields[] = {"DAY", "HOUR", "MINUTE", "SECOND"};
  static constexpr uint64_t kMicros[] = {86400000000, 3600000000, 60000000, 1000000};
  uint64_t rest = micros < 0 ? 0 - static_cast<uint64_t>(micros) : static_cast<uint64_t>(micros);
  std::string text = micros < 0 ? "-" : "";
  for (int field = start_field; field <= end_field; ++field) {
    if (field > start_field) text += field == 1 ? " " : ":";
    text += fmt::format("{:0{}}", rest / kMicros[field], field == 0 ? 1 : 2);
    rest %= kMicros[field];
  }
  if (end_field == 3 && rest > 0) {
    text += fmt::format(".{:06}", rest);
    text.erase(text.find_last_not_of('0') + 1);
  }
  if (start_field == end_field) return fmt::format("INTERVAL '{}' {}", text, kFields[start_field]);
  return fmt::format("INTERVAL '{}' {} TO {}", text, kFields[start_field], kFields[end_field]);
}

std::string year_month_text(int64_t months, int start_field, int end_field) {
  const char* sign = months < 0 ? "-" : "";
  const int64_t size = months < 0 ? -months : months;
  if (start_field != end_field)
    return fmt::format("INTERVAL '{}{}-{}' YEAR TO MONTH", sign, size / 12, size % 12);
  if (start_field == 0) return fmt::format("INTERVAL '{}{}' YEAR", sign, size / 12);
  return fmt::format("INTERVAL '{}{}' MONTH", sign, size);
}

DataType make_type(TypeKind kind) {
  DataType type{.kind = kind};
  if (kind == TypeKind::kDayTimeInterval) type.end_field = 3;
  if (kind == TypeKind::kYearMonthInterval) type.end_field = 1;
  if (kind == TypeKind::kDecimal) type.precision = 10;
  if (kind == TypeKind::kTime) type.precision = 6;
  return type;
}

DataType decimal_type(int precision, int scale) {
  DataType type{.kind = TypeKind::kDecimal, .precision = precision, .scale = scale};
  return type;
}

DataType time_type(int precision) {
  DataType type{.kind = TypeKind::kTime, .precision = precision};
  return type;
}

DataType array_type(DataType element, bool contains_null) {
  DataType type{.kind = TypeKind::kArray};
  type.fields =
      std::make_shared<const Schema>(Schema{{"element", std::move(element), contains_null}});
  return type;
}

DataType map_type(DataType key, DataType value, bool value_contains_null) {
  DataType type{.kind = TypeKind::kMap};
  type.fields = std::make_shared<const Schema>(
      Schema{{"key", std::move(key), false}, {"value", std::move(value), value_contains_null}});
  return type;
}

DataType struct_type(std::vector<Field> fields) {
  DataType type{.kind = TypeKind::kStruct};
  type.fields = std::make_shared<const Schema>(std::move(fields));
  return type;
}

std::string schema_json(const Schema& schema) { return fields_json(schema).dump(); }

std::string schema_tree(const Schema& schema) { return schema_tree(schema, 0); }

std::string schema_tree(const Schema& schema, int level) {
  std::string out = "root\n";
  print_tree(struct_type(schema), " |", level > 0 ? level : INT_MAX, out);
  return out;
}

std::string schema_ddl(const Schema& schema) {
  std::string out;
  for (const auto& field : schema)
    out += fmt::format("{}{} {}{}", out.empty() ? "" : ",", quoted_if_needed(field.name),
                       field.type.sql(), field.nullable ? "" : " NOT NULL");
  return out;
}

DataType type_from_proto(const spark::connect::DataType& proto) {
  using P = spark::connect::DataType;
  switch (proto.kind_case()) {
    case P::kNull:
      return make_type(TypeKind::kNull);
    case P::kBoolean:
      return make_type(TypeKind::kBoolean);
    case P::kByte:
      return make_type(TypeKind::kByte);
    case P::kShort:
      return make_type(TypeKind::kShort);
    case P::kInteger:
      return make_type(TypeKind::kInteger);
    case P::kLong:
      return make_type(TypeKind::kLong);
    case P::kFloat:
      return make_type(TypeKind::kFloat);
    case P::kDouble:
      return make_type(TypeKind::kDouble);
    case P::kDecimal: {
      const auto& d = proto.decimal();
      return decimal_type(d.has_precision() ? d.precision() : 10, d.has_scale() ? d.scale() : 0);
    }
    case P::kString:
    case P::kChar:
    case P::kVarChar:
      return make_type(TypeKind::kString);
    case P::kBinary:
      return make_type(TypeKind::kBinary);
    case P::kTime:
      return time_type(proto.time().has_precision() ? proto.time().precision() : 6);
    case P::kDate:
      return make_type(TypeKind::kDate);
    case P::kTimestamp:
      return make_type(TypeKind::kTimestamp);
    case P::kTimestampNtz:
      return make_type(TypeKind::kTimestampNtz);
    case P::kDayTimeInterval: {
      const auto& interval = proto.day_time_interval();
      DataType type = make_type(TypeKind::kDayTimeInterval);
      if (interval.has_start_field()) type.start_field = type.end_field = interval.start_field();
      if (interval.has_end_field()) type.end_field = interval.end_field();
      return type;
    }
    case P::kYearMonthInterval: {
      const auto& interval = proto.year_month_interval();
      DataType type = make_type(TypeKind::kYearMonthInterval);
      if (interval.has_start_field()) type.start_field = type.end_field = interval.start_field();
      if (interval.has_end_field()) type.end_field = interval.end_field();
      return type;
    }
    case P::kVariant:
      return make_type(TypeKind::kVariant);
    case P::kCalendarInterval:
      return make_type(TypeKind::kCalendarInterval);
    case P::kArray:
      return array_type(type_from_proto(proto.array().element_type()),
                        proto.array().contains_null());
    case P::kMap:
      return map_type(type_from_proto(proto.map().key_type()),
                      type_from_proto(proto.map().value_type()), proto.map().value_contains_null());
    case P::kStruct: {
      Schema fields;
      for (const auto& field : proto.struct_().fields()) {
        fields.push_back({field.name(), type_from_proto(field.data_type()), field.nullable(),
                          field.metadata() == "{}" ? "" : field.metadata()});
      }
      return struct_type(std::move(fields));
    }
    case P::kUnparsed:
      return parse_type(proto.unparsed().data_type_string());
    case P::kTimestampNtzNanos:
    case P::kTimestampLtzNanos:
      throw Error("UNSUPPORTED_FEATURE.NANOSECOND_TIMESTAMPS",
                  "Timestamps of nanoseconds are not supported: use microseconds.");
    default:
      throw Error("UNSUPPORTED_DATATYPE",
                  fmt::format("The type `{}` is not supported.", proto.ShortDebugString()));
  }
}

void type_to_proto(const DataType& type, spark::connect::DataType* proto) {
  switch (type.kind) {
    case TypeKind::kNull:
      proto->mutable_null();
      return;
    case TypeKind::kBoolean:
      proto->mutable_boolean();
      return;
    case TypeKind::kByte:
      proto->mutable_byte();
      return;
    case TypeKind::kShort:
      proto->mutable_short_();
      return;
    case TypeKind::kInteger:
      proto->mutable_integer();
      return;
    case TypeKind::kLong:
      proto->mutable_long_();
      return;
    case TypeKind::kFloat:
      proto->mutable_float_();
      return;
    case TypeKind::kDouble:
      proto->mutable_double_();
      return;
    case TypeKind::kDecimal:
      proto->mutable_decimal()->set_precision(type.precision);
      proto->mutable_decimal()->set_scale(type.scale);
      return;
    case TypeKind::kString:
      proto->mutable_string();
      return;
    case TypeKind::kBinary:
      proto->mutable_binary();
      return;
    case TypeKind::kTime:
      proto->mutable_time()->set_precision(type.precision);
      return;
    case TypeKind::kDate:
      proto->mutable_date();
      return;
    case TypeKind::kTimestamp:
      proto->mutable_timestamp();
      return;
    case TypeKind::kTimestampNtz:
      proto->mutable_timestamp_ntz();
      return;
    case TypeKind::kDayTimeInterval:
      proto->mutable_day_time_interval()->set_start_field(type.start_field);
      proto->mutable_day_time_interval()->set_end_field(type.end_field);
      return;
    case TypeKind::kYearMonthInterval:
      proto->mutable_year_month_interval()->set_start_field(type.start_field);
      proto->mutable_year_month_interval()->set_end_field(type.end_field);
      return;
    case TypeKind::kVariant:
      proto->mutable_variant();
      return;
    case TypeKind::kCalendarInterval:
      proto->mutable_calendar_interval();
      return;
    case TypeKind::kArray:
      type_to_proto(type.element(), proto->mutable_array()->mutable_element_type());
      proto->mutable_array()->set_contains_null(type.fields->at(0).nullable);
      return;
    case TypeKind::kMap:
      type_to_proto(type.key(), proto->mutable_map()->mutable_key_type());
      type_to_proto(type.value(), proto->mutable_map()->mutable_value_type());
      proto->mutable_map()->set_value_contains_null(type.fields->at(1).nullable);
      return;
    case TypeKind::kStruct:
      proto->mutable_struct_();
      for (const auto& field : *type.fields) {
        auto* out = proto->mutable_struct_()->add_fields();
        out->set_name(field.name);
        out->set_nullable(field.nullable);
        if (!field.metadata.empty()) out->set_metadata(field.metadata);
        type_to_proto(field.type, out->mutable_data_type());
      }
      return;
  }
}

}  // namespace firesteel
