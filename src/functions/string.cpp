// Strings.
#include <fmt/format.h>

#include "functions/coercion.h"
#include "functions/groups.h"

namespace firesteel {

namespace {

using enum TypeKind;

Resolved concat(std::vector<Resolved>& a, const CallContext& call) {
  Resolved result{.sql = "", .type = make_type(kString), .nullable = false};
  const bool arrays = !a.empty() && a[0].type.kind == kArray;
  std::string parts;
  for (auto& value : a) {
    if (arrays) {
      if (const auto common = common_type(a[0].type, value.type)) {
        result.type = *common;
      }
    } else {
      value = coerce(value, make_type(kString), call.time_zone);
    }
    result.nullable = result.nullable || value.nullable;
    parts += (parts.empty() ? "" : " || ") + value.sql;
  }
  result.sql = parts.empty() ? "''" : "(" + parts + ")";
  return result;
}

/// DuckDB keeps the pattern's backslash escapes as Spark does, but has no default escape.
Resolved like_pattern(std::vector<Resolved>& a, const CallContext&, const char* word) {
  Resolved result{.sql = "", .type = make_type(kBoolean), .nullable = a[0].nullable || a[1].nullable};
  const std::string escape = a.size() > 2 ? a[2].sql : "'\\'";
  // LIKE without an escape in its pattern lets DuckDB use its fast paths (prefix, contains).
  const bool plain = !a[1].literal.empty() && a[1].literal.find('\\') == std::string::npos && a.size() < 3;
  result.sql = plain ? fmt::format("({} {} {})", a[0].sql, word, a[1].sql)
                     : fmt::format("({} {} {} ESCAPE {})", a[0].sql, word, a[1].sql, escape);
  result.name = fmt::format("{} {} {}", a[0].name, word, a[1].name);
  if (word == std::string_view("ILIKE")) {
    result.name = fmt::format("ilike({}, {})", a[0].name, a[1].name);
  }
  return result;
}
Resolved like(std::vector<Resolved>& a, const CallContext& call) { return like_pattern(a, call, "LIKE"); }
Resolved ilike(std::vector<Resolved>& a, const CallContext& call) { return like_pattern(a, call, "ILIKE"); }

}  // namespace

// clang-format off
constexpr FunctionSpec kStrings[] = {
    {.name = "ascii", .signature = "(str: string) -> int", .lowering = "CASE WHEN {0} = '' THEN 0 ELSE ascii({0}) END",
     .doc = "Code of the first character; 0 of an empty string.", .example = "ascii('222')", .gives = "50"},
    {.name = "btrim", .signature = "(str: string, [characters: string]) -> string", .lowering = "trim({0}, {1?{1}}{1!' '})",
     .doc = "Without leading and trailing spaces or the given characters.", .example = "btrim('xxfirexx', 'x')", .gives = "fire"},
    {.name = "char_length", .signature = "(str: string) -> int", .lowering = "length({0})",
     .doc = "Number of characters.", .example = "char_length('steel ')", .gives = "6"},
    {.name = "concat", .signature = "(part: any...) -> string", .lower = concat, .nulls = Nulls::kAnyArgument,
     .doc = "Strings (or arrays) one after the other; null when one is null.", .example = "concat('fire', 'steel')", .gives = "firesteel"},
    {.name = "concat_ws", .signature = "(separator: string, part: string...) -> string", .lowering = "concat_ws({*})", .nulls = Nulls::kAlways,
     .doc = "Strings joined by a separator; nulls are skipped.", .example = "concat_ws('-', 'a', NULL, 'b')", .gives = "a-b"},
    {.name = "contains", .signature = "(str: string, part: string) -> boolean", .lowering = "contains({0}, {1})",
     .doc = "Whether the string holds the part.", .example = "contains('firesteel', 'est')", .gives = "true"},
    {.name = "endswith", .signature = "(str: string, suffix: string) -> boolean", .lowering = "suffix({0}, {1})",
     .doc = "Whether the string ends with the suffix.", .example = "endswith('firesteel', 'steel')", .gives = "true"},
    {.name = "ilike", .signature = "(str: string, pattern: string, [escape: string]) -> boolean", .lower = ilike,
     .doc = "LIKE without regard to case.", .example = "'Fire' ILIKE 'f%'", .gives = "true"},
    {.name = "initcap", .signature = "(str: string) -> string",
     .lowering = "array_to_string(list_transform(string_split({0}, ' '), lambda w: upper(w[1]) || lower(w[2:])), ' ')",
     .doc = "Every word with a capital first letter.", .example = "initcap('sPark sql')", .gives = "Spark Sql"},
    {.name = "instr", .signature = "(str: string, substr: string) -> int", .lowering = "instr({0}, {1})",
     .doc = "Position of the first `substr` in `str`, from 1; 0 when absent.", .example = "instr('firesteel', 'steel')", .gives = "5"},
    {.name = "lcase", .signature = "(str: string) -> string", .lowering = "lower({0})",
     .doc = "In small letters.", .example = "lcase('FIRE')", .gives = "fire"},
    {.name = "left", .signature = "(str: string, length: int) -> string", .lowering = "CASE WHEN {1} <= 0 THEN '' ELSE left({0}, {1}) END",
     .doc = "The first characters.", .example = "left('firesteel', 4)", .gives = "fire"},
    {.name = "length", .signature = "(str: string) -> int", .lowering = "length({0})",
     .doc = "Number of characters.", .example = "length('steel ')", .gives = "6"},
    {.name = "levenshtein", .signature = "(left: string, right: string) -> int", .lowering = "levenshtein({0}, {1})",
     .doc = "Number of edits between two strings.", .example = "levenshtein('kitten', 'sitting')", .gives = "3"},
    {.name = "like", .signature = "(str: string, pattern: string, [escape: string]) -> boolean", .lower = like,
     .doc = "Whether the string fits the pattern: `%` any text, `_` one character.", .example = "'fire' LIKE 'f_r%'", .gives = "true"},
    {.name = "locate", .signature = "(substr: string, str: string) -> int", .lowering = "instr({1}, {0})", .print = "locate({0}, {1}, 1)",
     .doc = "Position of `substr` in `str`, from 1; 0 when absent.", .example = "locate('bar', 'foobarbar')", .gives = "4"},
    {.name = "lower", .signature = "(str: string) -> string", .lowering = "lower({0})",
     .doc = "In small letters.", .example = "lower('FIRE')", .gives = "fire"},
    {.name = "lpad", .signature = "(str: string, length: int, [pad: string]) -> string", .lowering = "lpad({0}, greatest({1}, 0), {1?{2?{2}}{2!' '}})",
     .doc = "Filled on the left, or cut, to a length.", .example = "lpad('hi', 5, 'xy')", .gives = "xyxhi"},
    {.name = "ltrim", .signature = "(str: string) -> string", .lowering = "ltrim({0}, ' ')",
     .doc = "Without leading spaces or characters.", .example = "ltrim('  fire')", .gives = "fire"},
    {.name = "ltrim", .signature = "(characters: string, str: string) -> string", .lowering = "ltrim({1}, {0})", .print = "TRIM(LEADING {0} FROM {1})"},
    {.name = "regexp_extract", .signature = "(str: string, pattern: string, [group: int]) -> string", .lowering = "regexp_extract({0}, {1}, {2?{2}}{2!1})", .print = "regexp_extract({0}, {1}, {2?{2}}{2!1})",
     .doc = "The group of the first match; empty without a match.", .example = "regexp_extract('100-200', '(\\\\d+)-(\\\\d+)', 2)", .gives = "200"},
    {.name = "regexp_like", .signature = "(str: string, pattern: string) -> boolean", .lowering = "regexp_matches({0}, {1})", .print = "REGEXP_LIKE({0}, {1})",
     .doc = "Whether the pattern is found.", .example = "regexp_like('firesteel', 'e.t')", .gives = "true"},
    {.name = "regexp_replace", .signature = "(str: string, pattern: string, replacement: string) -> string", .lowering = "regexp_replace({0}, {1}, regexp_replace({2}, '\\$(\\d)', '\\\\\\1', 'g'), 'g')", .print = "regexp_replace({0}, {1}, {2}, 1)",
     .doc = "Every match replaced; `$1` is a group.", .example = "regexp_replace('100-200', '(\\\\d+)', 'num')", .gives = "num-num"},
    {.name = "repeat", .signature = "(str: string, times: int) -> string", .lowering = "repeat({0}, greatest({1}, 0))",
     .doc = "The string a number of times.", .example = "repeat('ab', 2)", .gives = "abab"},
    {.name = "replace", .signature = "(str: string, search: string, [replacement: string]) -> string", .lowering = "CASE WHEN {1} = '' THEN {0} ELSE replace({0}, {1}, {2?{2}}{2!''}) END", .print = "replace({0}, {1}, {2?{2}}{2!})",
     .doc = "Every `search` replaced.", .example = "replace('ABCabc', 'abc', 'DEF')", .gives = "ABCDEF"},
    {.name = "reverse", .signature = "(value: array<T>) -> array<T>", .lowering = "list_reverse({0})",
     .doc = "The string or array from its end.", .example = "reverse('fire')", .gives = "erif"},
    {.name = "reverse", .signature = "(value: string) -> string", .lowering = "reverse({0})"},
    {.name = "right", .signature = "(str: string, length: int) -> string", .lowering = "CASE WHEN {1} <= 0 THEN '' ELSE right({0}, {1}) END",
     .doc = "The last characters.", .example = "right('firesteel', 5)", .gives = "steel"},
    {.name = "rlike", .signature = "(str: string, pattern: string) -> boolean", .lowering = "regexp_matches({0}, {1})", .print = "RLIKE({0}, {1})",
     .doc = "Whether the regular expression is found.", .example = "'firesteel' RLIKE '^f.*l$'", .gives = "true"},
    {.name = "rpad", .signature = "(str: string, length: int, [pad: string]) -> string", .lowering = "rpad({0}, greatest({1}, 0), {1?{2?{2}}{2!' '}})",
     .doc = "Filled on the right, or cut, to a length.", .example = "rpad('hi', 5, 'xy')", .gives = "hixyx"},
    {.name = "rtrim", .signature = "(str: string) -> string", .lowering = "rtrim({0}, ' ')",
     .doc = "Without trailing spaces or characters.", .example = "rtrim('fire  ')", .gives = "fire"},
    {.name = "rtrim", .signature = "(characters: string, str: string) -> string", .lowering = "rtrim({1}, {0})", .print = "TRIM(TRAILING {0} FROM {1})"},
    {.name = "split", .signature = "(str: string, pattern: string) -> array<string>", .lowering = "regexp_split_to_array({0}, {1})", .print = "split({0}, {1}, -1)",
     .doc = "The parts between the matches of a regular expression.", .example = "split('oneAtwoB', '[AB]')", .gives = "[one, two, ]"},
    {.name = "startswith", .signature = "(str: string, prefix: string) -> boolean", .lowering = "prefix({0}, {1})",
     .doc = "Whether the string starts with the prefix.", .example = "startswith('firesteel', 'fire')", .gives = "true"},
    {.name = "substr", .signature = "(str: string, position: int, [length: int]) -> string", .lowering = "substring({0}, CASE WHEN {1} = 0 THEN 1 ELSE {1} END{2?, greatest({2}, 0)})", .print = "substr({0}, {1}, {2?{2}}{2!2147483647})",
     .doc = "The part from a position (from 1; negative from the end).", .example = "substr('Spark SQL', 5, 1)", .gives = "k"},
    {.name = "substring", .signature = "(str: string, position: int, [length: int]) -> string", .lowering = "substring({0}, CASE WHEN {1} = 0 THEN 1 ELSE {1} END{2?, greatest({2}, 0)})", .print = "substring({0}, {1}, {2?{2}}{2!2147483647})",
     .doc = "The part from a position (from 1; negative from the end).", .example = "substring('Spark SQL', -3)", .gives = "SQL"},
    {.name = "substring_index", .signature = "(str: string, delimiter: string, count: int) -> string",
     .lowering = "CASE WHEN {1} = '' OR {2} = 0 THEN '' WHEN {2} > 0 THEN array_to_string(list_slice(string_split({0}, {1}), 1, {2}), {1}) ELSE array_to_string(list_slice(string_split({0}, {1}), greatest(len(string_split({0}, {1})) + {2} + 1, 1), len(string_split({0}, {1}))), {1}) END",
     .doc = "The part before `count` delimiters, or behind the last -`count`.", .example = "substring_index('www.apache.org', '.', 2)", .gives = "www.apache"},
    {.name = "translate", .signature = "(str: string, from: string, to: string) -> string", .lowering = "translate({0}, {1}, {2})",
     .doc = "Characters of `from` replaced by those of `to`.", .example = "translate('AaBbCc', 'abc', '123')", .gives = "A1B2C3"},
    {.name = "trim", .signature = "(str: string, [characters: string]) -> string", .lowering = "trim({0}, {1?{1}}{1!' '})",
     .doc = "Without leading and trailing spaces or characters.", .example = "trim('  fire  ')", .gives = "fire"},
    {.name = "ucase", .signature = "(str: string) -> string", .lowering = "upper({0})",
     .doc = "In capital letters.", .example = "ucase('fire')", .gives = "FIRE"},
    {.name = "upper", .signature = "(str: string) -> string", .lowering = "upper({0})",
     .doc = "In capital letters.", .example = "upper('fire')", .gives = "FIRE"},
};
// clang-format on
static_assert(checked(kStrings));

std::span<const FunctionSpec> string_rows() { return kStrings; }

}  // namespace firesteel
