// Arrays, maps and structs.
#include <fmt/format.h>

#include "functions/coercion.h"
#include "functions/groups.h"

namespace firesteel {

namespace {

using enum TypeKind;

Resolved array_of(std::vector<Resolved>& a, const CallContext& call) {
  DataType common = make_type(kNull);
  bool contains_null = false;
  for (const auto& value : a) {
    const auto wider = common_type(common, value.type);
    if (!wider) {
      throw Error("DATATYPE_MISMATCH.DATA_DIFF_TYPES",
                  fmt::format("Cannot resolve \"array\" due to data type mismatch: its elements should be of one type, but they are \"{}\" and \"{}\".", common.sql(), value.type.sql())).at(call.span);
    }
    common = *wider;
    contains_null = contains_null || value.nullable;
  }
  std::string parts;
  for (auto& value : a) {
    if (common.kind != kNull) value = coerce(value, common, call.time_zone);
    parts += (parts.empty() ? "" : ", ") + value.sql;
  }
  return {.sql = fmt::format("list_value({})", parts), .type = array_type(common, contains_null), .nullable = false};
}

Resolved struct_of(std::vector<Resolved>& a, const CallContext&) {
  Schema fields;
  std::string parts;
  for (size_t i = 0; i < a.size(); ++i) {
    // A name given by a column or an alias, else col1, col2 …
    const bool plain = !a[i].name.empty() && a[i].name.find_first_of(" ()'") == std::string::npos && a[i].literal.empty();
    const std::string name = plain ? a[i].name : fmt::format("col{}", i + 1);
    fields.push_back({name, a[i].type, a[i].nullable});
    parts += fmt::format("{}{} := {}", parts.empty() ? "" : ", ", sql_name(name), a[i].sql);
  }
  return {.sql = fmt::format("struct_pack({})", parts), .type = struct_type(fields), .nullable = false};
}

Resolved named_struct(std::vector<Resolved>& a, const CallContext&) {
  Schema fields;
  std::string parts;
  for (size_t i = 0; i + 1 < a.size(); i += 2) {
    fields.push_back({a[i].literal, a[i + 1].type, a[i + 1].nullable});
    parts += fmt::format("{}{} := {}", parts.empty() ? "" : ", ", sql_name(a[i].literal), a[i + 1].sql);
  }
  return {.sql = fmt::format("struct_pack({})", parts), .type = struct_type(fields), .nullable = false};
}

Resolved map_of(std::vector<Resolved>& a, const CallContext& call) {
  std::vector<Resolved> keys, values;
  for (size_t i = 0; i + 1 < a.size(); i += 2) {
    keys.push_back(a[i]);
    values.push_back(a[i + 1]);
  }
  const auto k = array_of(keys, call), v = array_of(values, call);
  return {.sql = fmt::format("map({}, {})", k.sql, v.sql),
          .type = map_type(k.type.element(), v.type.element(), (*v.type.fields)[0].nullable), .nullable = false};
}

Resolved element_at(std::vector<Resolved>& a, const CallContext& call) {
  if (a[0].type.kind == kMap) {
    a[1] = coerce(a[1], a[0].type.key(), call.time_zone);
    return {.sql = fmt::format("{}[{}]", a[0].sql, a[1].sql), .type = a[0].type.value(), .nullable = true};
  }
  if (a[0].type.kind != kArray) {
    throw Error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", fmt::format("Cannot resolve \"element_at({}, {})\" due to data type mismatch: The first parameter requires the (\"ARRAY\" or \"MAP\") type, however \"{}\" has the type \"{}\".", a[0].name, a[1].name, a[0].name, a[0].type.sql())).at(call.span);
  }
  const auto message = "The index is out of bounds. Use `try_element_at` to tolerate accessing element at invalid index and return NULL instead.";
  return {.sql = fmt::format("CASE WHEN abs({1}) > len({0}) OR {1} = 0 THEN {2} ELSE list_extract({0}, {1}) END", a[0].sql, a[1].sql,
                             raise_sql("INVALID_ARRAY_INDEX_IN_ELEMENT_AT", message, call.span)),
          .type = a[0].type.element(), .nullable = true};
}

}  // namespace

// clang-format off
constexpr FunctionSpec kCollections[] = {
    {.name = "array", .signature = "(element: any...) -> array<any>", .lower = array_of,
     .doc = "An array of its arguments.", .example = "array(1, 2, 3)", .gives = "[1, 2, 3]"},
    {.name = "array_contains", .signature = "(array: array<T>, value: T) -> boolean", .lowering = "list_contains({0}, {1})", .nulls = Nulls::kAlways,
     .doc = "Whether the array holds the value.", .example = "array_contains(array(1, 2, 3), 2)", .gives = "true"},
    {.name = "array_distinct", .signature = "(array: array<T>) -> array<T>", .lowering = "list_filter({0}, lambda x, i: list_position({0}, x) = i)",
     .doc = "Without repeated elements.", .example = "array_distinct(array(1, 2, 1))", .gives = "[1, 2]"},
    {.name = "array_join", .signature = "(array: array<string>, delimiter: string) -> string", .lowering = "array_to_string({0}, {1})",
     .doc = "The elements as one string.", .example = "array_join(array('hello', 'world'), ' ')", .gives = "hello world"},
    {.name = "array_max", .signature = "(array: array<T>) -> T", .lowering = "list_max({0})", .nulls = Nulls::kAlways,
     .doc = "The greatest element.", .example = "array_max(array(1, 20, 3))", .gives = "20"},
    {.name = "array_min", .signature = "(array: array<T>) -> T", .lowering = "list_min({0})", .nulls = Nulls::kAlways,
     .doc = "The least element.", .example = "array_min(array(1, 20, 3))", .gives = "1"},
    {.name = "array_position", .signature = "(array: array<T>, value: T) -> long", .lowering = "coalesce(list_position({0}, {1}), CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL THEN 0 END)",
     .doc = "Position of the first such element, from 1; 0 when absent.", .example = "array_position(array(3, 2, 1), 1)", .gives = "3"},
    {.name = "element_at", .signature = "(collection: any, key: any) -> any", .lower = element_at, .nulls = Nulls::kAlways,
     .doc = "The element at a position from 1, or a map's value.", .example = "element_at(array(1, 2, 3), 2)", .gives = "2"},
    {.name = "flatten", .signature = "(arrays: array<array<T>>) -> array<T>", .lowering = "flatten({0})",
     .doc = "An array of arrays as one array.", .example = "flatten(array(array(1, 2), array(3)))", .gives = "[1, 2, 3]"},
    {.name = "map", .signature = "(key_or_value: any...) -> map<any, any>", .lower = map_of,
     .doc = "A map of keys and values in turn.", .example = "map('a', 1, 'b', 2)", .gives = "{a -> 1, b -> 2}"},
    {.name = "map_keys", .signature = "(map: map<K, V>) -> array<K>", .lowering = "map_keys({0})",
     .doc = "The keys.", .example = "map_keys(map(1, 'a', 2, 'b'))", .gives = "[1, 2]"},
    {.name = "map_values", .signature = "(map: map<K, V>) -> array<V>", .lowering = "map_values({0})",
     .doc = "The values.", .example = "map_values(map(1, 'a', 2, 'b'))", .gives = "[a, b]"},
    {.name = "named_struct", .signature = "(name_or_value: any...) -> struct", .lower = named_struct,
     .doc = "A struct of names and values in turn.", .example = "named_struct('a', 1, 'b', 'x')", .gives = "{1, x}"},
    {.name = "sequence", .signature = "(start: long, stop: long, [step: long]) -> array<long>", .lowering = "generate_series({*})",
     .doc = "The numbers from start to stop.", .example = "sequence(1, 5)", .gives = "[1, 2, 3, 4, 5]"},
    {.name = "size", .signature = "(collection: array<T>) -> int", .lowering = "len({0})",
     .doc = "Number of elements.", .example = "size(array('b', 'd', 'c', 'a'))", .gives = "4"},
    {.name = "size", .signature = "(collection: map<K, V>) -> int", .lowering = "cardinality({0})"},
    {.name = "slice", .signature = "(array: array<T>, start: int, length: int) -> array<T>", .lowering = "list_slice({0}, CASE WHEN {1} < 0 THEN len({0}) + {1} + 1 ELSE {1} END, CASE WHEN {1} < 0 THEN len({0}) + {1} + 1 ELSE {1} END + {2} - 1)",
     .doc = "A part of the array.", .example = "slice(array(1, 2, 3, 4), 2, 2)", .gives = "[2, 3]"},
    {.name = "sort_array", .signature = "(array: array<T>) -> array<T>", .lowering = "list_sort({0}, 'ASC', 'NULLS FIRST')", .print = "sort_array({0}, true)",
     .doc = "In ascending order.", .example = "sort_array(array('b', 'd', 'c', 'a'))", .gives = "[a, b, c, d]"},
    {.name = "struct", .signature = "(field: any...) -> struct", .lower = struct_of,
     .doc = "A struct of its arguments.", .example = "struct(1, 2, 3)", .gives = "{1, 2, 3}"},
};
// clang-format on
static_assert(checked(kCollections));

std::span<const FunctionSpec> collection_rows() { return kCollections; }

}  // namespace firesteel
