// VARIANT: values whose type each carries itself.
#include <fmt/format.h>

#include "functions/coercion.h"
#include "functions/groups.h"
#include "functions/structured.h"

namespace firesteel {

namespace {

using enum TypeKind;

Resolved variant_call(const char* kernel, const std::string& arguments, const DataType& result,
                      const std::string& type, const std::string& options,
                      const CallContext& call) {
  return {.sql = fmt::format("{}({}, {}, {}, {})", kernel, arguments, sql_string(type),
                             sql_string(options), sql_string(call.time_zone)),
          .type = result};
}

const DataType& variant() {
  static const DataType type = make_type(kVariant);
  return type;
}

bool is_try(const CallContext& call) { return call.name.starts_with("try_"); }

std::string option(std::string_view name, std::string_view value) {
  return fmt::format("{}\x1f{}\x1f", name, value);
}

std::string options_of(const CallContext& call) {
  return option("function", call.name) + option("try", is_try(call) ? "true" : "false");
}

Resolved parse_json(std::vector<Resolved>& a, const CallContext& call) {
  auto result = read_call("spark_parse_json", a[0], variant(), options_of(call), call);
  result.nullable = a[0].nullable || is_try(call);
  return result;
}

Resolved variant_get(std::vector<Resolved>& a, const CallContext& call) {
  auto type = variant();
  std::string name = fmt::format("{}({}, {})", call.name, a[0].name, a[1].name);
  if (a.size() > 2) {
    if (!is_constant_text(a[2])) {
      throw Error("INVALID_SCHEMA.NON_STRING_LITERAL",
                  fmt::format("The input schema \"{}\" is not a valid schema string. The input "
                              "expression must be string literal and not null.",
                              a[2].name))
          .at(call.span);
    }
    type = schema_argument(a[2], call);
    a[0].span = call.span;
    cast(a[0], type, call.time_zone);  // refuses what no variant can be
  }
  auto result = variant_call("spark_variant_get", a[0].sql + ", " + a[1].sql, type, type.sql(),
                             options_of(call), call);
  result.name = name;
  return result;
}

/// Objects are made of structs and of maps with string keys, within arrays too.
bool is_object(const DataType& type) {
  if (type.kind == kArray) return !type.element().is_nested() || is_object(type.element());
  if (type.kind == kMap && type.key().kind != kString) return false;
  if (!type.is_nested()) return false;
  for (const auto& field : *type.fields) {
    if (field.type.is_nested() && !is_object(field.type)) return false;
  }
  return true;
}

Resolved to_variant_object(std::vector<Resolved>& a, const CallContext& call) {
  if (!is_object(a[0].type)) {
    throw Error("DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION",
                fmt::format("Cannot resolve \"to_variant_object({})\" due to data type mismatch: "
                            "cannot cast \"{}\" to \"VARIANT\".",
                            a[0].name, a[0].type.sql()))
        .at(call.span);
  }
  auto result = variant_call("spark_to_variant", a[0].sql, variant(), a[0].type.sql(), "", call);
  result.nullable = a[0].nullable;
  return result;
}

/// A flag that must be known now.
std::string constant_flag(const Resolved& value, const char* what, const CallContext& call) {
  if (value.literal == "true" || value.literal == "false") return value.literal;
  throw Error("DATATYPE_MISMATCH.NON_FOLDABLE_INPUT",
              fmt::format("Cannot resolve \"{}\" due to data type mismatch: the input `{}` should "
                          "be a foldable \"BOOLEAN\" expression; however, got \"{}\".",
                          call.name, what, value.name))
      .at(call.span);
}

Resolved variant_delete(std::vector<Resolved>& a, const CallContext& call) {
  std::string sql = a[0].sql, names = a[0].name;
  for (size_t i = 1; i < a.size(); ++i) {
    names += ", " + a[i].name;
    if (a[i].is_null() || a[i].sql == "NULL") continue;
    const auto path = coerce(a[i], make_type(kString), call.time_zone).sql;
    sql = fmt::format("CASE WHEN {1} IS NULL THEN {0} ELSE {2} END", sql, path,
                      variant_call("spark_variant_delete", sql + ", " + path, variant(), "VOID",
                                   options_of(call), call)
                          .sql);
  }
  return {.sql = sql, .type = variant(), .name = fmt::format("variant_delete({})", names)};
}

Resolved variant_change(std::vector<Resolved>& a, const CallContext& call) {
  static constexpr std::pair<std::string_view, const char*> kKernels[] = {
      {"variant_insert", "spark_variant_insert"},
      {"variant_set", "spark_variant_set"},
      {"variant_array_append", "spark_variant_array_append"}};
  const auto base = is_try(call) ? call.name.substr(4) : call.name;
  const char* kernel = nullptr;
  for (const auto& [name, of] : kKernels) {
    if (name == base) kernel = of;
  }
  auto options = options_of(call);
  std::string flag;
  if (base == "variant_set") {
    flag = a.size() > 3 ? constant_flag(a[3], "create_if_missing", call) : "true";
    options += option("create", flag);
  }
  const auto value = coerce(a[2], variant(), call.time_zone);
  auto result = variant_call(kernel, fmt::format("{}, {}, {}", a[0].sql, a[1].sql, value.sql),
                             variant(), "VOID", options, call);
  result.name = fmt::format("{}({}, {}, {}{})", call.name, a[0].name, a[1].name, a[2].name,
                            flag.empty() ? "" : ", " + flag);
  result.nullable = is_try(call) || a[0].nullable || a[1].nullable || a[2].nullable;
  return result;
}

Resolved variant_strip_nulls(std::vector<Resolved>& a, const CallContext& call) {
  const auto flag = a.size() > 1 ? constant_flag(a[1], "include_arrays", call) : "true";
  auto result = variant_call("spark_variant_strip_nulls", a[0].sql, variant(), "VOID",
                             option("arrays", flag), call);
  result.name = fmt::format("variant_strip_nulls({}, {})", a[0].name, flag);
  result.nullable = a[0].nullable;
  return result;
}

}  // namespace

// clang-format off
constexpr FunctionSpec kVariants[] = {
    {.name = "is_valid_variant", .signature = "(v: variant) -> boolean", .lowering = "spark_is_valid_variant({0}, 'VOID', '', 'UTC')",
     .doc = "Whether the bytes of a variant are well formed.", .example = "is_valid_variant(parse_json('null'))", .gives = "true"},
    {.name = "is_variant_null", .signature = "(v: variant) -> boolean", .lowering = "coalesce(spark_is_variant_null({0}, 'VOID', '', 'UTC'), false)", .nulls = Nulls::kNever,
     .doc = "Whether a variant is JSON's null, which is not SQL's.", .example = "is_variant_null(parse_json('null'))", .gives = "true"},
    {.name = "parse_json", .signature = "(json: any) -> variant", .lower = parse_json,
     .doc = "JSON as a variant; malformed text is an error.", .example = "parse_json('{\"a\":1,\"b\":0.8}')", .gives = "{\"a\":1,\"b\":0.8}"},
    {.name = "schema_of_variant", .signature = "(v: variant) -> string", .lowering = "spark_schema_of_variant({0}, 'VOID', '', 'UTC')",
     .doc = "The type of a variant's value.", .example = "schema_of_variant(parse_json('[{\"b\":true,\"a\":0}]'))", .gives = "ARRAY<OBJECT<a: BIGINT, b: BOOLEAN>>"},
    {.name = "schema_of_variant_agg", .signature = "(v: variant) -> string", .lowering = "spark_schema_of_variants(coalesce(list({0}) FILTER (WHERE {0} IS NOT NULL)/*and*//*over*/, []), 'VOID', '', 'UTC')", .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "The type that the variants of a column have together.", .example = "schema_of_variant_agg(parse_json('[1]'))", .gives = "ARRAY<BIGINT>"},
    {.name = "to_variant_object", .signature = "(value: any) -> variant", .lower = to_variant_object,
     .doc = "An array, map or struct as a variant.", .example = "to_variant_object(named_struct('a', 1, 'b', 2))", .gives = "{\"a\":1,\"b\":2}"},
    {.name = "try_parse_json", .signature = "(json: any) -> variant", .lower = parse_json, .nulls = Nulls::kAlways,
     .doc = "JSON as a variant; null of malformed text.", .example = "try_parse_json('{\"a\":1,')", .gives = "NULL"},
    {.name = "try_variant_array_append", .signature = "(v: variant, path: string, value: any) -> variant", .lower = variant_change, .nulls = Nulls::kAlways,
     .doc = "A variant with a value more at the end of the array at a path; null where there is no array.", .example = "try_variant_array_append(parse_json('{\"a\": 1}'), '$.a', 2)", .gives = "NULL"},
    {.name = "try_variant_get", .signature = "(v: variant, path: string, [type: string]) -> any", .lower = variant_get, .nulls = Nulls::kAlways, .constants_from = 2,
     .doc = "The value at a path, cast to a type; null where it cannot be.", .example = "try_variant_get(parse_json('[1, \"hello\"]'), '$[1]', 'int')", .gives = "NULL"},
    {.name = "try_variant_insert", .signature = "(v: variant, path: string, value: any) -> variant", .lower = variant_change, .nulls = Nulls::kAlways,
     .doc = "A variant with a value more at a path; null where it cannot be.", .example = "try_variant_insert(parse_json('{\"a\": 1}'), '$.a', 2)", .gives = "NULL"},
    {.name = "try_variant_set", .signature = "(v: variant, path: string, value: any, [create_if_missing: boolean]) -> variant", .lower = variant_change, .nulls = Nulls::kAlways,
     .doc = "A variant with another value at a path; null where it cannot be.", .example = "try_variant_set(parse_json('{\"a\": 1}'), '$.a.b', 2)", .gives = "NULL"},
    {.name = "variant_array_append", .signature = "(v: variant, path: string, value: any) -> variant", .lower = variant_change,
     .doc = "A variant with a value more at the end of the array at a path.", .example = "variant_array_append(parse_json('{\"a\": [1, 2]}'), '$.a', 3)", .gives = "{\"a\":[1,2,3]}"},
    {.name = "variant_delete", .signature = "(v: variant, path: string...) -> variant", .lower = variant_delete, .nulls = Nulls::kAlways,
     .doc = "A variant without what stands at the paths.", .example = "variant_delete(parse_json('{\"a\": 1, \"b\": 2}'), '$.a')", .gives = "{\"b\":2}"},
    {.name = "variant_get", .signature = "(v: variant, path: string, [type: string]) -> any", .lower = variant_get, .nulls = Nulls::kAlways, .constants_from = 2,
     .doc = "The value at a path such as `$.a[0]`, cast to a type; null where there is none.", .example = "variant_get(parse_json('{\"a\": 1}'), '$.a', 'int')", .gives = "1"},
    {.name = "variant_insert", .signature = "(v: variant, path: string, value: any) -> variant", .lower = variant_change,
     .doc = "A variant with a value more: a new field, or an element before that of the index.", .example = "variant_insert(parse_json('[\"a\",\"b\",\"c\"]'), '$[1]', 'z')", .gives = "[\"a\",\"z\",\"b\",\"c\"]"},
    {.name = "variant_set", .signature = "(v: variant, path: string, value: any, [create_if_missing: boolean]) -> variant", .lower = variant_change,
     .doc = "A variant with another value at a path, which is made unless told not to.", .example = "variant_set(parse_json('{\"a\": 1}'), '$.b', 3)", .gives = "{\"a\":1,\"b\":3}"},
    {.name = "variant_strip_nulls", .signature = "(v: variant, [include_arrays: boolean]) -> variant", .lower = variant_strip_nulls,
     .doc = "A variant without fields and elements that are null.", .example = "variant_strip_nulls(parse_json('{\"a\": 1, \"b\": null}'))", .gives = "{\"a\":1}"},
};
// clang-format on
static_assert(checked(kVariants));

std::span<const FunctionSpec> variant_rows() { return kVariants; }

}  // namespace firesteel
