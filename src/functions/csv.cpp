// CSV text: one record read as a struct, or written of one.
#include <fmt/format.h>

#include <algorithm>

#include "functions/coercion.h"
#include "functions/groups.h"
#include "functions/structured.h"

namespace firesteel {

namespace {

using enum TypeKind;

Resolved from_csv(std::vector<Resolved>& a, const CallContext& call) {
  const auto options = options_argument(a, 2, call);
  const auto type = schema_argument(a[1], call);
  if (type.kind != kStruct) {
    throw Error("INVALID_SCHEMA.NON_STRUCT_TYPE",
                fmt::format("The input schema \"{}\" is not a valid schema string. The input "
                            "expression should be evaluated to struct type, but got \"{}\".",
                            a[1].name, type.sql()))
        .at(call.span);
  }
  check_mode(type, options, call);
  for (const auto& field : *type.fields) {
    if (!field.type.is_nested() && field.type.kind != kVariant) continue;
    throw Error("UNSUPPORTED_DATATYPE",
                fmt::format("Unsupported data type \"{}\".", field.type.sql()))
        .at(call.span);
  }
  return read_call("spark_from_csv", a[0], type, options, call);
}

Resolved to_csv(std::vector<Resolved>& a, const CallContext& call) {
  if (a[0].type.kind != kStruct) {
    throw Error("DATATYPE_MISMATCH.UNSUPPORTED_INPUT_TYPE",
                fmt::format("Cannot resolve \"to_csv({})\" due to data type mismatch: The input of "
                            "`to_csv` can't be \"{}\" type data.",
                            a[0].name, a[0].type.sql()))
        .at(call.span);
  }
  return write_call("spark_to_csv", a[0], options_argument(a, 1, call), call);
}

Resolved schema_of_csv(std::vector<Resolved>& a, const CallContext& call) {
  return schema_call("spark_schema_of_csv", a, "csv", call);
}

}  // namespace

// clang-format off
constexpr FunctionSpec kCsv[] = {
    {.name = "from_csv", .signature = "(csv: any, schema: any, [options: any]) -> any", .lower = from_csv, .nulls = Nulls::kAlways, .constants_from = 1,
     .doc = "One record of CSV as a struct; what is malformed is null. Options as of the CSV source.", .example = "from_csv('1, 0.8', 'a INT, b DOUBLE')", .gives = "{1, 0.8}"},
    {.name = "schema_of_csv", .signature = "(csv: any, [options: any]) -> string", .lower = schema_of_csv, .nulls = Nulls::kNever, .constants_from = 0,
     .doc = "The type of a constant record of CSV.", .example = "schema_of_csv('1,abc')", .gives = "STRUCT<_c0: INT, _c1: STRING>"},
    {.name = "to_csv", .signature = "(value: any, [options: any]) -> string", .lower = to_csv,
     .doc = "A struct as one record of CSV.", .example = "to_csv(named_struct('a', 1, 'b', 2))", .gives = "1,2"},
};
// clang-format on
static_assert(checked(kCsv));

std::span<const FunctionSpec> csv_rows() { return kCsv; }

}  // namespace firesteel
