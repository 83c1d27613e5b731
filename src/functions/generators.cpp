// Functions that the resolver knows itself: those that make rows, and those of GROUP BY.
#include "functions/groups.h"

namespace firesteel {

namespace {

// clang-format off
constexpr FunctionSpec kRows[] = {
    {.name = "explode", .signature = "(collection: any) -> any", .of_resolver = true, .kind = FunctionKind::kGenerator,
     .doc = "A row per element of an array (column `col`) or entry of a map (`key`, `value`).", .example = "explode(array(10))", .gives = "10"},
    {.name = "explode_outer", .signature = "(collection: any) -> any", .of_resolver = true, .kind = FunctionKind::kGenerator,
     .doc = "`explode`, but one row of nulls when there is no element.", .example = "explode_outer(array(10))", .gives = "10"},
    {.name = "grouping", .signature = "(key: any) -> byte", .of_resolver = true,
     .doc = "1 when the key of GROUP BY CUBE, ROLLUP or GROUPING SETS is summed over in this row, else 0.", .example = "(SELECT grouping(a) FROM VALUES (1) AS t(a) GROUP BY a WITH ROLLUP HAVING a IS NULL)", .gives = "1"},
    {.name = "grouping_id", .signature = "([key: any...]) -> long", .of_resolver = true,
     .doc = "The bits of `grouping` of all keys as one number.", .example = "(SELECT grouping_id() FROM VALUES (1) AS t(a) GROUP BY a WITH ROLLUP HAVING a IS NULL)", .gives = "1"},
    {.name = "inline", .signature = "(structs: array<struct>) -> any", .of_resolver = true, .kind = FunctionKind::kGenerator,
     .doc = "A row per struct of an array, a column per field.", .example = "inline(array(struct(1)))", .gives = "1"},
    {.name = "inline_outer", .signature = "(structs: array<struct>) -> any", .of_resolver = true, .kind = FunctionKind::kGenerator,
     .doc = "`inline`, but one row of nulls when there is no element.", .example = "inline_outer(array(struct(1)))", .gives = "1"},
    {.name = "json_tuple", .signature = "(json: string, field: string...) -> string", .of_resolver = true, .kind = FunctionKind::kGenerator,
     .doc = "The named fields of a JSON object as columns `c0`, `c1`, ….", .example = "json_tuple('{\"a\": 1}', 'a')", .gives = "1"},
    {.name = "posexplode", .signature = "(collection: any) -> any", .of_resolver = true, .kind = FunctionKind::kGenerator,
     .doc = "`explode` with the position, from 0, as a column `pos`.", .example = "(SELECT pos FROM posexplode(array(10)))", .gives = "0"},
    {.name = "posexplode_outer", .signature = "(collection: any) -> any", .of_resolver = true, .kind = FunctionKind::kGenerator,
     .doc = "`posexplode`, but one row of nulls when there is no element.", .example = "(SELECT pos FROM posexplode_outer(array(10)))", .gives = "0"},
    {.name = "range", .signature = "([start: long], end: long, [step: long], [partitions: int]) -> long", .of_resolver = true, .kind = FunctionKind::kGenerator,
     .doc = "A table of the numbers from `start` to before `end` in a column `id`.", .example = "(SELECT max(id) FROM range(5))", .gives = "4"},
    {.name = "stack", .signature = "(rows: int, value: any...) -> any", .of_resolver = true, .kind = FunctionKind::kGenerator,
     .doc = "The values as so many rows, filled row by row.", .example = "stack(1, 10)", .gives = "10"},
    {.name = "variant_explode", .signature = "(variant: variant) -> any", .of_resolver = true, .kind = FunctionKind::kGenerator,
     .doc = "A row per element of a variant's array or field of its object: `pos`, `key`, `value`.", .example = "(SELECT CAST(value AS INT) FROM variant_explode(parse_json('[7]')))", .gives = "7"},
    {.name = "variant_explode_outer", .signature = "(variant: variant) -> any", .of_resolver = true, .kind = FunctionKind::kGenerator,
     .doc = "`variant_explode`, but one row of nulls when there is no element.", .example = "(SELECT pos FROM variant_explode_outer(parse_json('[7]')))", .gives = "0"},
};
// clang-format on
static_assert(checked(kRows));

}  // namespace

std::span<const FunctionSpec> generator_rows() { return kRows; }

}  // namespace firesteel
