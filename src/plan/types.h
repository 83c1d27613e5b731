// Spark's data types as values: the type of every column and expression. Conversions to and from
// the protocol's DataType, DDL text, JSON and the printed tree are beside.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace spark::connect {
class DataType;
}

namespace firesteel {

enum class TypeKind {
  kNull,
  kBoolean,
  kByte,
  kShort,
  kInteger,
  kLong,
  kFloat,
  kDouble,
  kDecimal,
  kString,
  kBinary,
  kTime,
  kDate,
  kTimestamp,
  kTimestampNtz,
  kDayTimeInterval,
  kYearMonthInterval,
  kVariant,
  kCalendarInterval,
  kArray,
  kMap,
  kStruct,
};

struct Field;

/// A Spark type. Nested types share their children; values never change once made.
struct DataType {
  TypeKind kind = TypeKind::kNull;
  int precision = 0, scale = 0;        // kDecimal; of kTime the digits of its second
  int start_field = 0, end_field = 0;  // intervals: 0 day (year) … 3 second (1 month)
  /// kStruct: its fields. kArray: one, "element". kMap: two, "key" and "value".
  std::shared_ptr<const std::vector<Field>> fields = {};

  bool operator==(const DataType& other) const;  // names and nullability included

  bool is_integral() const { return kind >= TypeKind::kByte && kind <= TypeKind::kLong; }
  bool is_numeric() const { return kind >= TypeKind::kByte && kind <= TypeKind::kDecimal; }
  bool is_fractional() const { return kind == TypeKind::kFloat || kind == TypeKind::kDouble; }
  bool is_nested() const { return kind >= TypeKind::kArray; }
  bool is_datetime() const { return kind >= TypeKind::kDate && kind <= TypeKind::kTimestampNtz; }
  const DataType& element() const;  // kArray
  const DataType& key() const;      // kMap
  const DataType& value() const;    // kMap

  /// "int", "decimal(10,2)", "array<string>", "struct<a:int>": as `dtypes` and DDL print it.
  std::string simple_string() const;
  /// "INT", "DECIMAL(10,2)", "ARRAY<STRING>", "STRUCT<a: INT>": as error messages print it.
  std::string sql() const;
};

struct Field {
  std::string name;
  DataType type;
  bool nullable = true;
  std::string metadata = {};  // a JSON object's text; empty: none
  /// Metadata makes no other type of it.
  bool operator==(const Field& other) const {
    return name == other.name && type == other.type && nullable == other.nullable;
  }
};

using Schema = std::vector<Field>;

/// Spark's literal of an interval of microseconds (months): "INTERVAL '1 02' DAY TO HOUR".
std::string day_time_text(int64_t micros, int start_field, int end_field);
std::string year_month_text(int64_t months, int start_field, int end_field);

DataType make_type(TypeKind kind);
DataType decimal_type(int precision, int scale);
DataType time_type(int precision);
DataType array_type(DataType element, bool contains_null = true);
DataType map_type(DataType key, DataType value, bool value_contains_null = true);
DataType struct_type(std::vector<Field> fields);

/// Spark's JSON form of a struct schema, as `df.schema.json()`.
std::string schema_json(const Schema& schema);
/// The tree of `printSchema()`, ending in a newline.
std::string schema_tree(const Schema& schema);
/// The same down to a level of nesting; 0 or less: all of it.
std::string schema_tree(const Schema& schema, int level);
/// Spark's StructType.toDDL: "a INT,b STRING NOT NULL".
std::string schema_ddl(const Schema& schema);
/// A type of its JSON form, as `schema_json` and DataType.json() print it. Throws
/// INVALID_JSON_DATA_TYPE.
DataType type_from_json(std::string_view json);

DataType type_from_proto(const spark::connect::DataType& proto);
void type_to_proto(const DataType& type, spark::connect::DataType* proto);

/// A type's text: "int", "decimal(10, 2)", "array<struct<a: int, b: string>>". Throws
/// PARSE_SYNTAX_ERROR or UNSUPPORTED_DATATYPE.
DataType parse_type(std::string_view text);
/// A table schema's text: "a INT NOT NULL, b ARRAY<STRING>", or its JSON form.
Schema parse_schema(std::string_view text);

}  // namespace firesteel
