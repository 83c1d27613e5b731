// JSON text: values taken from it, values written as it.
#include <fmt/format.h>

#include "functions/coercion.h"
#include "functions/groups.h"

namespace firesteel {

namespace {

using enum TypeKind;

/// SQL of a value's JSON text; null where the value is.
std::string json_text(const Resolved& value, const CallContext& call) {
  const std::string& x = value.sql;
  const auto text = [&](const DataType& type, std::string sql) {
    return json_text({.sql = std::move(sql), .type = type, .name = value.name}, call);
  };
  switch (value.type.kind) {
    case kString:
      return fmt::format("CAST(to_json({}) AS VARCHAR)", x);
    case kDate:
      return fmt::format("('\"' || CAST({} AS VARCHAR) || '\"')", x);
    case kTimestamp:
    case kTimestampNtz: {
      if (call.time_zone != "UTC" && value.type.kind == kTimestamp) {
        throw Error(
            "UNSUPPORTED_FEATURE.JSON_TIMESTAMP",
            "Timestamps as JSON are supported in the time zone UTC alone; cast them to STRING.")
            .at(call.span);
      }
      return fmt::format("('\"' || strftime({}, '%Y-%m-%dT%H:%M:%S.%g') || '{}\"')", x,
                         value.type.kind == kTimestamp ? "Z" : "");
    }
    case kArray:
      return fmt::format(
          "('[' || array_to_string(list_transform({}, lambda e: coalesce({}, 'null')), ',') || "
          "']')",
          x, text(value.type.element(), "e"));
    case kMap: {
      const auto key =
          coerce({.sql = "e.key", .type = value.type.key()}, make_type(kString), call.time_zone);
      return fmt::format(
          "('{{' || array_to_string(list_transform(map_entries({}), lambda e: CAST(to_json({}) AS "
          "VARCHAR) || ':' || coalesce({}, 'null')), ',') || '}}')",
          x, key.sql, text(value.type.value(), "e.value"));
    }
    case kStruct: {  // a field that is null is left out
      std::string parts;
      for (const auto& field : *value.type.fields) {
        const auto part =
            text(field.type, fmt::format("struct_extract({}, {})", x, sql_string(field.name)));
        parts += fmt::format(", CAST(to_json({}) AS VARCHAR) || ':' || {}", sql_string(field.name),
                             part);
      }
      return fmt::format("CASE WHEN {} IS NOT NULL THEN '{{' || concat_ws(','{}) || '}}' END", x,
                         parts);
    }
    case kBinary:
    case kDayTimeInterval:
    case kYearMonthInterval:
      throw Error("UNSUPPORTED_FEATURE.JSON_VALUE",
                  fmt::format("\"{}\" of the type \"{}\" cannot be written as JSON.", value.name,
                              value.type.sql()))
          .at(call.span);
    default:
      return coerce(value, make_type(kString), call.time_zone).sql;
  }
}

Resolved to_json(std::vector<Resolved>& a, const CallContext& call) {
  if (!a[0].type.is_nested()) {
    throw Error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                fmt::format("Cannot resolve \"to_json({0})\" due to data type mismatch: The first "
                            "parameter requires a struct, array or map, however \"{0}\" "
                            "has the type \"{1}\".",
                            a[0].name, a[0].type.sql()))
        .at(call.span);
  }
  return {.sql = json_text(a[0], call), .type = make_type(kString), .nullable = a[0].nullable};
}

/// Spark's path as DuckDB's: $['a b'] is $."a b".
Resolved get_json_object(std::vector<Resolved>& a, const CallContext& call) {
  std::string path = a[1].literal;
  if (path.empty() || path.find('*') != std::string::npos) {
    throw Error("UNSUPPORTED_FEATURE.JSON_PATH",
                fmt::format("The path of {} must be a literal without `*`.", call.name))
        .at(call.span);
  }
  for (size_t at = path.find("['"); at != std::string::npos; at = path.find("['", at)) {
    const auto end = path.find("']", at);
    if (end == std::string::npos) break;
    path = path.substr(0, at) + ".\"" + path.substr(at + 2, end - at - 2) + "\"" +
           path.substr(end + 2);
  }
  return {.sql = fmt::format("CASE WHEN json_valid({0}) THEN json_extract_string({0}, {1}) END",
                             a[0].sql, sql_string(path)),
          .type = make_type(kString)};
}

}  // namespace

// clang-format off
constexpr FunctionSpec kJson[] = {
    {.name = "get_json_object", .signature = "(json: string, path: string) -> string", .lower = get_json_object, .nulls = Nulls::kAlways,
     .doc = "The value at a path such as `$.a.b[1]`; null where there is none.", .example = "get_json_object('{\"a\":\"b\"}', '$.a')", .gives = "b"},
    {.name = "json_array_length", .signature = "(json: string) -> int", .lowering = "CASE WHEN json_valid({0}) THEN CASE WHEN json_type({0}) = 'ARRAY' THEN json_array_length({0}) END END", .nulls = Nulls::kAlways,
     .doc = "Number of elements of a JSON array; null of anything else.", .example = "json_array_length('[1,2,3,4]')", .gives = "4"},
    {.name = "to_json", .signature = "(value: any) -> string", .lower = to_json,
     .doc = "A struct, array or map as JSON.", .example = "to_json(named_struct('a', 1, 'b', 2))", .gives = "{\"a\":1,\"b\":2}"},
};
// clang-format on
static_assert(checked(kJson));

std::span<const FunctionSpec> json_rows() { return kJson; }

}  // namespace firesteel
