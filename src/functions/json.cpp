// JSON text: values taken from it, values written as it.
#include <fmt/format.h>

#include "functions/coercion.h"
#include "functions/groups.h"
#include "functions/structured.h"

namespace firesteel {

namespace {

using enum TypeKind;

[[noreturn]] void no_json_type(const std::string& name, const DataType& type,
                               const CallContext& call) {
  throw Error("DATATYPE_MISMATCH.INVALID_JSON_SCHEMA",
              fmt::format("Cannot resolve \"{}({})\" due to data type mismatch: Input schema "
                          "\"{}\" must be a struct, an array, a map or a variant.",
                          call.name, name, type.sql()))
      .at(call.span);
}

Resolved from_json(std::vector<Resolved>& a, const CallContext& call) {
  const auto options = options_argument(a, 2, call);
  const auto type = schema_argument(a[1], call);
  if (type.kind == kVariant) return read_call("spark_parse_json", a[0], type, "", call);
  if (!type.is_nested()) no_json_type(a[0].name, type, call);
  check_mode(type, options, call);
  auto result = read_call("spark_from_json", a[0], type, options, call);
  if (type.kind == kMap) result.name = "entries";  // as Spark names it
  return result;
}

Resolved to_json(std::vector<Resolved>& a, const CallContext& call) {
  if (!a[0].type.is_nested() && a[0].type.kind != kVariant) {
    no_json_type(a[0].name, a[0].type, call);
  }
  return write_call("spark_to_json", a[0], options_argument(a, 1, call), call);
}

Resolved schema_of_json(std::vector<Resolved>& a, const CallContext& call) {
  return schema_call("spark_schema_of_json", a, "json", call);
}

}  // namespace

// clang-format off
constexpr FunctionSpec kJson[] = {
    {.name = "from_json", .signature = "(json: any, schema: any, [options: any]) -> any", .lower = from_json, .nulls = Nulls::kAlways, .constants_from = 1,
     .doc = "JSON as a struct, array, map or variant; malformed text gives null fields. Options as of the JSON source.", .example = "from_json('{\"a\":1, \"b\":0.8}', 'a INT, b DOUBLE')", .gives = "{1, 0.8}"},
    {.name = "get_json_object", .signature = "(json: string, path: string) -> string", .lowering = "spark_get_json_object({0}, {1})", .nulls = Nulls::kAlways,
     .doc = "The value at a path such as `$.a.b[1]` or `$.a[*].b`; null where there is none.", .example = "get_json_object('{\"a\":\"b\"}', '$.a')", .gives = "b"},
    {.name = "json_array_length", .signature = "(json: string) -> int", .lowering = "spark_json_array_length({0})", .nulls = Nulls::kAlways,
     .doc = "Number of elements of a JSON array; null of anything else.", .example = "json_array_length('[1,2,3,4]')", .gives = "4"},
    {.name = "json_object_keys", .signature = "(json: string) -> array<string>", .lowering = "spark_json_object_keys({0})", .nulls = Nulls::kAlways,
     .doc = "The keys of a JSON object; null of anything else.", .example = "json_object_keys('{\"f1\":\"abc\",\"f2\":{\"f3\":\"a\"}}')", .gives = "[f1, f2]"},
    {.name = "schema_of_json", .signature = "(json: any, [options: any]) -> string", .lower = schema_of_json, .nulls = Nulls::kNever, .constants_from = 0,
     .doc = "The type of a constant JSON text.", .example = "schema_of_json('[{\"col\":0}]')", .gives = "ARRAY<STRUCT<col: BIGINT>>"},
    {.name = "to_json", .signature = "(value: any, [options: any]) -> string", .lower = to_json,
     .doc = "A struct, array, map or variant as JSON.", .example = "to_json(named_struct('a', 1, 'b', 2))", .gives = "{\"a\":1,\"b\":2}"},
};
// clang-format on
static_assert(checked(kJson));

std::span<const FunctionSpec> json_rows() { return kJson; }

}  // namespace firesteel
