// Strings.
#include <fmt/format.h>

#include <algorithm>

#include "functions/coercion.h"
#include "functions/groups.h"
#include "functions/number_format.h"

namespace firesteel {

namespace {

using enum TypeKind;

Resolved concat(std::vector<Resolved>& a, const CallContext& call) {
  Resolved result{.sql = "", .type = make_type(kString), .nullable = false};
  const bool arrays = std::any_of(a.begin(), a.end(),
                                  [](const Resolved& value) { return value.type.kind == kArray; });
  const bool bytes = !a.empty() && std::ranges::all_of(a, [](const Resolved& value) {
    return value.type.kind == kBinary;
  });
  if (arrays) result.type = make_type(kNull);
  if (bytes) result.type = make_type(kBinary);
  for (const auto& value : a) {
    if (!arrays) break;
    const auto common = common_type(result.type, value.type);
    if (!common || value.type.kind != kArray) {
      throw Error("DATATYPE_MISMATCH.DATA_DIFF_TYPES",
                  fmt::format("Cannot resolve \"concat\" due to data type mismatch: Input to "
                              "`concat` should all be the same type, but it's "
                              "[\"{}\", \"{}\"].",
                              result.type.sql(), value.type.sql()))
          .at(call.span);
    }
    result.type = *common;
  }
  std::string parts, given;
  for (auto& value : a) {
    value = coerce(value, result.type, call.time_zone);
    result.nullable = result.nullable || value.nullable;
    parts += (parts.empty() ? "" : " || ") + value.sql;
    given += fmt::format("{}{} IS NOT NULL", given.empty() ? "" : " AND ", value.sql);
  }
  result.sql = parts.empty() ? "''" : "(" + parts + ")";
  // DuckDB's || of arrays takes null for an empty one.
  if (arrays && result.nullable)
    result.sql = fmt::format("CASE WHEN {} THEN {} END", given, result.sql);
  return result;
}

/// DuckDB keeps the pattern's backslash escapes as Spark does, but has no default escape.
Resolved like_pattern(std::vector<Resolved>& a, const CallContext&, const char* word) {
  Resolved result{
      .sql = "", .type = make_type(kBoolean), .nullable = a[0].nullable || a[1].nullable};
  const std::string escape = a.size() > 2 ? a[2].sql : "'\\'";
  // LIKE without an escape in its pattern lets DuckDB use its fast paths (prefix, contains).
  const bool plain =
      !a[1].literal.empty() && a[1].literal.find('\\') == std::string::npos && a.size() < 3;
  result.sql = plain ? fmt::format("({} {} {})", a[0].sql, word, a[1].sql)
                     : fmt::format("({} {} {} ESCAPE {})", a[0].sql, word, a[1].sql, escape);
  result.name = fmt::format("{} {} {}", a[0].name, word, a[1].name);
  if (a.size() > 2) result.name += fmt::format(" ESCAPE '{}'", a[2].name);
  if (word == std::string_view("ILIKE")) {
    result.name = fmt::format("ilike({}, {})", a[0].name, a[1].name);
  }
  return result;
}
Resolved like(std::vector<Resolved>& a, const CallContext& call) {
  return like_pattern(a, call, "LIKE");
}
Resolved ilike(std::vector<Resolved>& a, const CallContext& call) {
  return like_pattern(a, call, "ILIKE");
}

Resolved format_number(std::vector<Resolved>& a, const CallContext&) {
  return {.sql = fmt::format("format('{{:,.' || {} || 'f}}', {})", a[1].sql, a[0].sql),
          .type = make_type(kString),
          .nullable = a[0].nullable || a[1].nullable};
}

/// printf, whose %d and %s read DuckDB's whole numbers and text.
Resolved format_string(std::vector<Resolved>& a, const CallContext& call) {
  std::string parts;
  for (auto& value : a) {
    const bool number = value.type.is_integral() || value.type.is_fractional();
    if (!number) value = coerce(value, make_type(kString), call.time_zone);
    if (!number && &value != &a[0]) value.sql = fmt::format("coalesce({}, 'null')", value.sql);
    parts += (parts.empty() ? "" : ", ") + value.sql;
  }
  return {.sql = fmt::format("printf({})", parts),
          .type = make_type(kString),
          .nullable = a[0].nullable};
}

/// decode(expr, search, result, …, default): null finds null.
Resolved decode_cases(std::vector<Resolved>& a, const CallContext& call) {
  DataType type = make_type(kNull);
  const auto is_result = [&](size_t i) { return i % 2 == 0 || i + 1 == a.size(); };
  for (size_t i = 2; i < a.size(); ++i) {
    if (!is_result(i)) continue;
    const auto wider = common_type(type, a[i].type);
    if (!wider) {
      throw Error("DATATYPE_MISMATCH.DATA_DIFF_TYPES",
                  fmt::format("Cannot resolve \"decode\" due to data type mismatch: Input to "
                              "`decode` should all be the same type, but it's "
                              "[\"{}\", \"{}\"].",
                              type.sql(), a[i].type.sql()))
          .at(call.span);
    }
    type = *wider;
  }
  std::string cases;
  for (size_t i = 1; i + 1 < a.size(); i += 2) {
    const auto same = resolve_call(find_function("<=>"), {a[0], a[i]}, call);
    cases += fmt::format(" WHEN {} THEN {}", same.sql, coerce(a[i + 1], type, call.time_zone).sql);
  }
  const bool has_default = a.size() % 2 == 0;
  return {.sql = fmt::format("CASE{} ELSE {} END", cases,
                             has_default ? coerce(a.back(), type, call.time_zone).sql : "NULL"),
          .type = type};
}

/// concat_ws(separator, part or array of parts, …)
Resolved concat_ws(std::vector<Resolved>& a, const CallContext& call) {
  const auto text = make_type(kString);
  std::string parts;
  bool arrays = false;
  for (size_t i = 1; i < a.size(); ++i) arrays = arrays || a[i].type.kind == kArray;
  for (size_t i = 1; i < a.size(); ++i) {
    const bool array = a[i].type.kind == kArray;
    const auto value = coerce(a[i], array ? array_type(text) : text, call.time_zone).sql;
    parts += (parts.empty() ? "" : ", ") + (!arrays ? value
                                            : array ? fmt::format("coalesce({}, [])", value)
                                                    : fmt::format("[{}]", value));
  }
  Resolved result{.sql = fmt::format("concat_ws({}, {})", a[0].sql, parts), .type = text};
  if (a.size() == 1) result.sql = fmt::format("CASE WHEN {} IS NOT NULL THEN '' END", a[0].sql);
  if (arrays)
    result.sql =
        fmt::format("array_to_string(list_filter(list_concat({}), lambda e: e IS NOT NULL), {})",
                    parts, a[0].sql);
  return result;
}

/// elt(n, first, second, …)
Resolved elt(std::vector<Resolved>& a, const CallContext& call) {
  Resolved result{.sql = fmt::format("CASE {}", a[0].sql), .type = make_type(kString)};
  for (size_t i = 1; i < a.size(); ++i) {
    result.sql += fmt::format(" WHEN {} THEN {}", i, coerce(a[i], result.type, call.time_zone).sql);
  }
  const auto outside =
      raise_sql("INVALID_ARRAY_INDEX",
                fmt::format("The index {} is out of bounds. The array has {} elements. Use the SQL "
                            "function `get()` to tolerate accessing element at invalid index and "
                            "return NULL instead.",
                            raised_value(a[0].sql), a.size() - 1),
                call.span);
  result.sql += fmt::format(" ELSE CASE WHEN {} IS NOT NULL THEN {} END END", a[0].sql, outside);
  return result;
}

/// mask(text[, upper, lower, digit, other]): null leaves the characters of a kind as they are.
Resolved mask(std::vector<Resolved>& a, const CallContext& call) {
  static constexpr std::pair<const char*, const char*> kKinds[] = {
      {"X", "\\p{Lu}"}, {"x", "\\p{Ll}"}, {"n", "\\p{Nd}"}, {"NULL", "."}};
  std::string cases, name = fmt::format("mask({}", a[0].name);
  for (size_t i = 1; i <= 4; ++i) {
    const auto& [otherwise, pattern] = kKinds[i - 1];
    name += fmt::format(", {}", i < a.size() ? a[i].name : otherwise);
    const auto sign = i < a.size() ? coerce(a[i], make_type(kString), call.time_zone).sql
                      : i < 4      ? sql_string(otherwise)
                                   : "NULL";
    cases += fmt::format(" WHEN regexp_full_match(c, '{}') THEN coalesce({}, c)", pattern, sign);
  }
  return {
      .sql = fmt::format(
          "array_to_string(list_transform(string_split({}, ''), lambda c: CASE{} ELSE c END), '')",
          a[0].sql, cases),
      .type = make_type(kString),
      .nullable = a[0].nullable,
      .name = name + ")"};
}

/// Whether RE2 cannot run a pattern, or its rows have patterns of their own: then PCRE2 does.
bool needs_pcre(const Resolved& pattern) {
  if (pattern.literal.empty()) return pattern.sql != "''";
  std::string_view text = pattern.literal;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto at = text.substr(i);
    for (const std::string_view start :
         {"(?=", "(?!", "(?<", "(?>", "++", "*+", "?+", "}+", "&&"}) {
      if (at.starts_with(start)) return true;
    }
    if (text[i] != '\\' || i + 1 == text.size()) continue;
    const char next = text[++i];
    if ((next >= '1' && next <= '9') || std::string_view("kuvhHRGZX").find(next) != text.npos)
      return true;
    if ((next == 'p' || next == 'P') && at.size() > 4 && std::islower(at[4])) return true;
  }
  return false;
}

/// rlike and its like, by the engine that can run the pattern.
Resolved by_engine(const std::vector<Resolved>& a, DataType type, std::string re2,
                   std::string pcre) {
  return {.sql = needs_pcre(a[1]) ? std::move(pcre) : std::move(re2),
          .type = std::move(type),
          .exact = false};
}

Resolved regexp_like(std::vector<Resolved>& a, const CallContext&) {
  const auto arguments = fmt::format("{}, {}", a[0].sql, a[1].sql);
  auto result = by_engine(a, make_type(kBoolean), fmt::format("regexp_matches({})", arguments),
                          fmt::format("spark_regexp_like({})", arguments));
  result.exact = true;
  return result;
}
Resolved regexp_count(std::vector<Resolved>& a, const CallContext&) {
  const auto arguments = fmt::format("{}, {}", a[0].sql, a[1].sql);
  return by_engine(a, make_type(kInteger), fmt::format("len(regexp_extract_all({}))", arguments),
                   fmt::format("spark_regexp_count({})", arguments));
}
/// RE2 gives the match's text, not its place.
/// From a place on, backwards from the end when it is negative, the so manieth.
Resolved instr_from(std::vector<Resolved>& a, const CallContext& call) {
  const auto nth = a.size() > 3 ? a[3].sql : "1";
  return {
      .sql = fmt::format(
          "coalesce(list_extract(list_filter(CASE WHEN {2} > 0 THEN range({2}, length({0}) + 2) "
          "WHEN {2} < 0 THEN range(length({0}) + {2} + 1, 0, -1) ELSE [] END, lambda i: "
          "substr({0}, i, length({1})) = {1}), {3}), 0)",
          a[0].sql, a[1].sql, a[2].sql, nth),
      .type = make_type(kInteger),
      .nullable = true,
      .name = fmt::format("{}({}, {}, {}, {})", call.name, a[0].name, a[1].name, a[2].name,
                          a.size() > 3 ? a[3].name : "1")};
}
Resolved regexp_instr(std::vector<Resolved>& a, const CallContext&) {
  return {.sql = fmt::format("spark_regexp_instr({}, {})", a[0].sql, a[1].sql),
          .type = make_type(kInteger)};
}
/// A match of nothing is none here.
Resolved regexp_substr(std::vector<Resolved>& a, const CallContext&) {
  auto result = by_engine(a, make_type(kString),
                          fmt::format("nullif(regexp_extract({}, {}), '')", a[0].sql, a[1].sql),
                          fmt::format("spark_regexp_substr({}, {})", a[0].sql, a[1].sql));
  result.exact = true;
  return result;
}
Resolved regexp_extract(std::vector<Resolved>& a, const CallContext& call) {
  const bool all = call.name == "regexp_extract_all";
  const auto arguments =
      fmt::format("({}, {}, {})", a[0].sql, a[1].sql, a.size() > 2 ? a[2].sql : "1");
  auto result = by_engine(a, make_type(kString), fmt::format("{}{}", call.name, arguments),
                          fmt::format("spark_{}{}", call.name, arguments));
  if (all) result.type = array_type(make_type(kString));
  result.exact = true;
  return result;
}
/// regexp_replace(str, pattern, replacement[, from which character])
Resolved regexp_replace(std::vector<Resolved>& a, const CallContext& call) {
  if (a.size() > 3 && (a[3].literal.starts_with('-') || a[3].literal == "0")) {
    throw Error("DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE",
                fmt::format("Cannot resolve \"{}\" due to data type mismatch: The position must be "
                            "between (0, 2147483647] (current value = {}).",
                            call.name, a[3].literal))
        .at(call.span);
  }
  const auto pcre = fmt::format("spark_regexp_replace({}, {}, {}, {})", a[0].sql, a[1].sql,
                                a[2].sql, a.size() > 3 ? a[3].sql : "1");
  // What names groups, or begins at a place, is Java's to say.
  const bool plain = a.size() < 4 && (!a[2].literal.empty() || a[2].sql == "''") &&
                     a[2].literal.find_first_of("$\\") == std::string::npos;
  auto result = by_engine(
      a, make_type(kString),
      plain ? fmt::format("regexp_replace({}, {}, {}, 'g')", a[0].sql, a[1].sql, a[2].sql) : pcre,
      pcre);
  result.exact = true;
  return result;
}
Resolved split(std::vector<Resolved>& a, const CallContext&) {
  if (a.size() > 2 && a[2].literal == "NULL")
    return {.sql = "CAST(NULL AS VARCHAR[])", .type = array_type(make_type(kString), false)};
  const auto limit = a.size() > 2 ? a[2].sql : "-1";
  auto result =
      by_engine(a, array_type(make_type(kString), false),
                a.size() > 2 ? fmt::format("spark_split({}, {}, {})", a[0].sql, a[1].sql, limit)
                             : fmt::format("regexp_split_to_array({}, {})", a[0].sql, a[1].sql),
                fmt::format("spark_regexp_split({}, {}, {})", a[0].sql, a[1].sql, limit));
  result.exact = true;
  return result;
}

/// collate(str, name): UTF8_BINARY alone, by which strings are compared anyway.
Resolved collate(std::vector<Resolved>& a, const CallContext& call) {
  std::string name = a[1].literal;
  std::transform(name.begin(), name.end(), name.begin(), ::toupper);
  for (const std::string_view path : {"SYSTEM.", "BUILTIN."}) {
    if (name.starts_with(path)) name.erase(0, path.size());
  }
  if (name != "UTF8_BINARY") {
    throw Error(
        "UNSUPPORTED_FEATURE.COLLATION",
        fmt::format("The collation `{}` is not supported: strings are compared byte by byte "
                    "(UTF8_BINARY). Compare lower(x), for instance, to leave case out.",
                    a[1].literal))
        .at(call.span);
  }
  return {.sql = a[0].sql,
          .type = make_type(kString),
          .nullable = a[0].nullable,
          .name = fmt::format("collate({}, {})", a[0].name, a[1].literal)};
}

/// The parsed format of to_number and to_char, which must be a literal.
NumberFormat number_format(const Resolved& format, const CallContext& call) {
  if (format.literal.empty() && format.sql != "''") {
    throw Error("DATATYPE_MISMATCH.NON_FOLDABLE_INPUT",
                fmt::format("Cannot resolve \"{}\" due to data type mismatch: the input `format` "
                            "should be a foldable \"STRING\" expression; however, got \"{}\".",
                            call.name, format.name))
        .at(call.span);
  }
  try {
    return NumberFormat(format.literal);
  } catch (const Error& error) {
    throw error.at(call.span);
  }
}

/// to_number(text, format) and try_to_number: a decimal of the format's digits.
Resolved number_of(std::vector<Resolved>& a, const CallContext& call, bool try_parse) {
  const auto format = number_format(a[1], call);
  const int precision = format.whole_digits() + format.scale();
  if (precision > 38) {
    throw Error("DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION",
                fmt::format("Decimal precision {} exceeds max precision 38.", precision))
        .at(call.span);
  }
  const auto type = decimal_type(precision, format.scale());
  const auto attempt =
      fmt::format("CAST(spark_try_to_number({}, {}) AS {})", a[0].sql, a[1].sql, duckdb_type(type));
  Resolved result{.sql = attempt, .type = type};
  if (try_parse) return result;
  const auto wrong = raise_sql("INVALID_FORMAT.MISMATCH_INPUT",
                               fmt::format("The format is invalid: '{}'. The input does not match "
                                           "the number format.",
                                           a[1].literal),
                               call.span);
  result.sql =
      fmt::format("coalesce({}, CASE WHEN {} IS NOT NULL THEN {} END)", attempt, a[0].sql, wrong);
  return result;
}
Resolved to_number(std::vector<Resolved>& a, const CallContext& call) {
  return number_of(a, call, false);
}
Resolved try_to_number(std::vector<Resolved>& a, const CallContext& call) {
  return number_of(a, call, true);
}

/// to_char(value, format): of a moment date_format, of bytes an encoding, of a number its format.
Resolved to_char(std::vector<Resolved>& a, const CallContext& call) {
  const auto delegate = [&](std::string_view function, std::vector<Resolved> arguments) {
    return resolve_call(find_function(function), std::move(arguments),
                        {.name = function, .span = call.span, .time_zone = call.time_zone});
  };
  if (a[0].type.is_datetime() || a[0].type.kind == kTime) return delegate("date_format", a);
  if (a[0].type.kind == kBinary) {
    std::string format = a[1].literal;
    std::transform(format.begin(), format.end(), format.begin(), ::tolower);
    if (format == "base64" || format == "hex") return delegate(format, {a[0]});
    if (format == "utf-8") return delegate("decode", a);
    throw Error("INVALID_PARAMETER_VALUE.BINARY_FORMAT",
                fmt::format("The value of parameter `format` in `{}` is invalid: expects one of "
                            "the binary formats 'base64', 'hex', 'utf-8', but got '{}'.",
                            call.name, a[1].name))
        .at(call.span);
  }
  const auto name = fmt::format("to_char({}, {})", a[0].name, a[1].name);
  if (a[0].type.kind == kBoolean) {
    throw Error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                fmt::format("Cannot resolve \"{}\" due to data type mismatch: The first parameter "
                            "requires the \"NUMERIC\" type, however \"{}\" has the type "
                            "\"BOOLEAN\".",
                            name, a[0].name))
        .at(call.span);
  }
  number_format(a[1], call);
  const auto type = a[0].type.kind == kDouble  ? decimal_type(30, 15)
                    : a[0].type.kind == kFloat ? decimal_type(14, 7)
                                               : decimal_for(a[0].type);
  const auto number = coerce(a[0], type, call.time_zone);
  return {.sql = fmt::format("spark_to_char({}, {})",
                             coerce(number, make_type(kString), call.time_zone).sql, a[1].sql),
          .type = make_type(kString),
          .nullable = a[0].nullable,
          .name = name};
}

/// parse_url(url, part[, key]), by the regular expression of RFC 3986.
Resolved parse_url(std::vector<Resolved>& a, const CallContext& call) {
  const auto name = fmt::format("{}({}, {}{})", call.name, a[0].name, a[1].name,
                                a.size() > 2 ? ", " + a[2].name : "");
  const auto group = [&](int n) {
    return fmt::format(
        "regexp_extract({}, '^(([^:/?#]+):)?(//([^/?#]*))?([^?#]*)(\\?([^#]*))?(#(.*))?', {})",
        a[0].sql, n);
  };
  const auto some = [](const std::string& sql) { return fmt::format("nullif({}, '')", sql); };
  const auto query = a.size() > 2
                         ? some(fmt::format("regexp_extract({}, '(?:&|^)' || {} || '=([^&]*)', 1)",
                                            group(7), a[2].sql))
                         : some(group(7));
  const std::pair<const char*, std::string> parts[] = {
      {"PROTOCOL", some(group(2))},
      {"AUTHORITY", some(group(4))},
      {"HOST",
       some(fmt::format("regexp_extract({}, '^(?:[^@]*@)?(\\[[^\\]]*\\]|[^:]*)', 1)", group(4)))},
      {"USERINFO", some(fmt::format("regexp_extract({}, '^([^@]*)@', 1)", group(4)))},
      {"PATH", group(5)},
      {"FILE", fmt::format("({} || {})", group(5), group(6))},
      {"REF", some(group(9))},
      {"QUERY", query}};
  std::string sql = "CASE " + a[1].sql;
  for (const auto& [part, value] : parts) sql += fmt::format(" WHEN '{}' THEN {}", part, value);
  sql += " END";
  const auto wrong = call.name == "try_parse_url"
                         ? "NULL"
                         : raise_sql("INVALID_URL",
                                     "The url is invalid. Use `try_parse_url` to tolerate invalid "
                                     "URL and return NULL instead.",
                                     call.span);
  return {
      .sql = fmt::format("CASE WHEN regexp_matches({}, '[\\s<>\"{{}}|\\\\^`]') THEN {} ELSE {} END",
                         a[0].sql, wrong, sql),
      .type = make_type(kString),
      .name = name};
}

}  // namespace

// clang-format off
constexpr FunctionSpec kStrings[] = {
    {.name = "ascii", .signature = "(str: string) -> int", .lowering = "CASE WHEN {0} = '' THEN 0 ELSE ascii({0}) END",
     .doc = "Code of the first character; 0 of an empty string.", .example = "ascii('222')", .gives = "50"},
    {.name = "base64", .signature = "(bytes: binary) -> string", .lowering = "to_base64({0})",
     .doc = "As base 64 text.", .example = "base64('Spark SQL')", .gives = "U3BhcmsgU1FM"},
    {.name = "bit_length", .signature = "(str: string) -> int", .lowering = "(strlen({0}) * 8)",
     .doc = "Number of bits.", .example = "bit_length('Spark SQL')", .gives = "72"},
    {.name = "btrim", .signature = "(str: string, [characters: string]) -> string", .lowering = "trim({0}, {1?{1}}{1!' '})",
     .doc = "Without leading and trailing spaces or the given characters.", .example = "btrim('xxfirexx', 'x')", .gives = "fire"},
    {.name = "char", .signature = "(code: long) -> string", .lowering = "CASE WHEN {0} < 0 THEN '' ELSE chr(CAST({0} % 256 AS INTEGER)) END",
     .doc = "The character of a code.", .example = "char(65)", .gives = "A"},
    {.name = "char_length", .signature = "(str: string) -> int", .lowering = "length({0})",
     .doc = "Number of characters.", .example = "char_length('steel ')", .gives = "6"},
    {.name = "character_length", .signature = "(str: string) -> int", .lowering = "length({0})",
     .doc = "Number of characters.", .example = "character_length('Spark SQL ')", .gives = "10"},
    {.name = "chr", .signature = "(code: long) -> string", .lowering = "CASE WHEN {0} < 0 THEN '' ELSE chr(CAST({0} % 256 AS INTEGER)) END",
     .doc = "The character of a code.", .example = "chr(65)", .gives = "A"},
    {.name = "collate", .signature = "(str: string, collation: string) -> string", .lower = collate,
     .doc = "The string in a collation: `UTF8_BINARY` alone.", .example = "collate('a', 'UTF8_BINARY')", .gives = "a"},
    {.name = "collation", .signature = "(str: string) -> string", .lowering = "'SYSTEM.BUILTIN.UTF8_BINARY'", .nulls = Nulls::kNever,
     .doc = "The collation of a string.", .example = "collation('a')", .gives = "SYSTEM.BUILTIN.UTF8_BINARY"},
    {.name = "collations", .signature = "() -> any", .unsupported = "UTF8_BINARY is the one collation",
     .doc = "The collations, as a table."},
    {.name = "concat", .signature = "([part: any...]) -> string", .lower = concat, .nulls = Nulls::kAnyArgument,
     .doc = "Strings (or arrays) one after the other; null when one is null.", .example = "concat('fire', 'steel')", .gives = "firesteel"},
    {.name = "concat_ws", .signature = "(separator: string, [part: any...]) -> string", .lower = concat_ws, .nulls = Nulls::kAlways,
     .doc = "Strings, or arrays of them, joined by a separator; nulls are skipped.", .example = "concat_ws('-', 'a', NULL, 'b')", .gives = "a-b"},
    {.name = "contains", .signature = "(str: string, part: string) -> boolean", .lowering = "contains({0}, {1})",
     .doc = "Whether the string holds the part.", .example = "contains('firesteel', 'est')", .gives = "true"},
    {.name = "contains", .signature = "(bytes: binary, part: binary) -> boolean", .lowering = "regexp_matches(hex({0}), '^(?:..)*' || hex({1}))"},
    {.name = "decode", .signature = "(bytes: binary, charset: string) -> string", .lowering = "spark_decode({0}, {1})",
     .doc = "Text of bytes in a character set: US-ASCII, ISO-8859-1, UTF-8, UTF-16, UTF-16BE, UTF-16LE or UTF-32. With more arguments: the result behind the first search value that is the expression's, or the default.", .example = "decode(encode('abc', 'utf-8'), 'utf-8')", .gives = "abc"},
    {.name = "decode", .signature = "(expr: any, search: any, result: any, [more: any...]) -> any", .lower = decode_cases, .nulls = Nulls::kAlways},
    {.name = "elt", .signature = "(n: int, value: any...) -> string", .lower = elt, .nulls = Nulls::kAlways,
     .doc = "The value at a position, from 1.", .example = "elt(1, 'scala', 'java')", .gives = "scala"},
    {.name = "encode", .signature = "(str: string, charset: string) -> binary", .lowering = "spark_encode({0}, {1})",
     .doc = "Bytes of text in a character set.", .example = "encode('abc', 'utf-8')", .gives = "abc"},
    {.name = "endswith", .signature = "(str: string, suffix: string) -> boolean", .lowering = "suffix({0}, {1})",
     .doc = "Whether the string ends with the suffix.", .example = "endswith('firesteel', 'steel')", .gives = "true"},
    {.name = "endswith", .signature = "(bytes: binary, suffix: binary) -> boolean", .lowering = "suffix(hex({0}), hex({1}))"},
    {.name = "find_in_set", .signature = "(str: string, list: string) -> int", .lowering = "CASE WHEN contains({0}, ',') THEN 0 ELSE coalesce(list_position(string_split({1}, ','), {0}), CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL THEN 0 END) END",
     .doc = "Position in a list separated by commas, from 1; 0 when absent.", .example = "find_in_set('ab', 'abc,b,ab,c,def')", .gives = "3"},
    {.name = "format_number", .signature = "(number: double, digits: int) -> string", .exact_numbers = true, .lower = format_number,
     .doc = "With separators of thousands and so many digits after the point.", .example = "format_number(12332.123456, 4)", .gives = "12,332.1235"},
    {.name = "format_string", .signature = "(format: string, argument: any...) -> string", .lower = format_string,
     .doc = "Arguments in a printf pattern.", .example = "format_string('Hello World %d %s', 100, 'days')", .gives = "Hello World 100 days"},
    {.name = "ilike", .signature = "(str: string, pattern: string, [escape: string]) -> boolean", .lower = ilike,
     .doc = "LIKE without regard to case.", .example = "'Fire' ILIKE 'f%'", .gives = "true"},
    {.name = "initcap", .signature = "(str: string) -> string",
     .lowering = "array_to_string(list_transform(string_split({0}, ' '), lambda w: upper(w[1]) || lower(w[2:])), ' ')",
     .doc = "Every word with a capital first letter.", .example = "initcap('sPark sql')", .gives = "Spark Sql"},
    {.name = "instr", .signature = "(str: string, substr: string) -> int", .lowering = "instr({0}, {1})",
     .doc = "Position of the first `substr` in `str`, from 1; 0 when absent.", .example = "instr('firesteel', 'steel')", .gives = "5"},
    {.name = "instr", .signature = "(str: string, substr: string, start: int, [occurrence: int]) -> int", .lower = instr_from, .nulls = Nulls::kAnyArgument},
    {.name = "jaro_winkler_similarity", .signature = "(left: string, right: string) -> double", .lowering = "spark_jaro_winkler({0}, {1})",
     .doc = "How alike two strings are, from 0 to 1.", .example = "jaro_winkler_similarity('martha', 'marhta')", .gives = "0.9611111111111111"},
    {.name = "lcase", .signature = "(str: string) -> string", .lowering = "lower({0})",
     .doc = "In small letters.", .example = "lcase('FIRE')", .gives = "fire"},
    {.name = "left", .signature = "(str: string, length: int) -> string", .lowering = "CASE WHEN {1} <= 0 THEN '' ELSE left({0}, {1}) END",
     .doc = "The first characters.", .example = "left('firesteel', 4)", .gives = "fire"},
    {.name = "len", .signature = "(str: string) -> int", .lowering = "length({0})",
     .doc = "Number of characters.", .example = "len('Spark SQL ')", .gives = "10"},
    {.name = "length", .signature = "(str: string) -> int", .lowering = "length({0})",
     .doc = "Number of characters.", .example = "length('steel ')", .gives = "6"},
    {.name = "length", .signature = "(bytes: binary) -> int", .lowering = "octet_length({0})"},
    {.name = "levenshtein", .signature = "(left: string, right: string, [threshold: int]) -> int", .lowering = "{2?spark_levenshtein_within({0}, {1}, {2})}{2!spark_levenshtein({0}, {1})}",
     .doc = "Number of edits between two strings.", .example = "levenshtein('kitten', 'sitting')", .gives = "3"},
    {.name = "like", .signature = "(str: string, pattern: string, [escape: string]) -> boolean", .lower = like,
     .doc = "Whether the string fits the pattern: `%` any text, `_` one character.", .example = "'fire' LIKE 'f_r%'", .gives = "true"},
    {.name = "locate", .signature = "(substr: string, str: string, [start: int]) -> int", .lowering = "{2?CASE WHEN {2} IS NULL OR {2} <= 0 THEN 0 WHEN strpos(substring({1}, {2}), {0}) = 0 THEN 0 ELSE strpos(substring({1}, {2}), {0}) + {2} - 1 END}{2!strpos({1}, {0})}", .print = "locate({0}, {1}, {2?{2}}{2!1})",
     .doc = "Position of the first `substr` in `str`, from 1; 0 when absent.", .example = "locate('bar', 'foobarbar')", .gives = "4"},
    {.name = "lower", .signature = "(str: string) -> string", .lowering = "lower({0})",
     .doc = "In small letters.", .example = "lower('FIRE')", .gives = "fire"},
    {.name = "lpad", .signature = "(str: string, length: int, [pad: string]) -> string", .lowering = "CASE WHEN {2?{2}}{2!' '} = '' THEN left({0}, greatest({1}, 0)) ELSE lpad({0}, greatest({1}, 0), {2?{2}}{2!' '}) END", .print = "lpad({0}, {1}, {2?{2}}{2! })",
     .doc = "Filled on the left, or cut, to a length.", .example = "lpad('hi', 5, 'xy')", .gives = "xyxhi"},
    {.name = "lpad", .signature = "(str: string, length: int, pad: binary) -> string", .lowering = "lpad({0}, greatest({1}, 0), spark_make_valid_utf8({2}))"},
    {.name = "lpad", .signature = "(bytes: binary, length: int, [pad: binary]) -> binary",
     .lowering = "unhex(CASE WHEN {2?hex({2})}{2!'00'} = '' THEN left(hex({0}), 2 * greatest({1}, 0)) ELSE lpad(hex({0}), 2 * greatest({1}, 0), {2?hex({2})}{2!'00'}) END)",
     .print = "lpad({0}, {1}, {2?{2}}{2!X'00'})"},
    {.name = "ltrim", .signature = "(str: string) -> string", .lowering = "ltrim({0}, ' ')",
     .doc = "Without leading spaces or characters.", .example = "ltrim('  fire')", .gives = "fire"},
    {.name = "ltrim", .signature = "(characters: string, str: string) -> string", .lowering = "ltrim({1}, {0})", .print = "TRIM(LEADING {0} FROM {1})"},
    {.name = "luhn_check", .signature = "(str: string) -> boolean", .lowering = "CASE WHEN {0} IS NOT NULL THEN CASE WHEN regexp_full_match({0}, '[0-9]+') THEN list_sum(list_transform(string_split(reverse({0}), ''), lambda c, i: CASE WHEN i % 2 = 1 THEN CAST(c AS INTEGER) WHEN c >= '5' THEN CAST(c AS INTEGER) * 2 - 9 ELSE CAST(c AS INTEGER) * 2 END)) % 10 = 0 ELSE false END END",
     .doc = "Whether the digits pass the Luhn check.", .example = "luhn_check('8112189876')", .gives = "true"},
    {.name = "mask", .signature = "(str: string, [upperChar: any], [lowerChar: any], [digitChar: any], [otherChar: any]) -> string", .lower = mask,
     .doc = "Capitals, small letters, digits and other characters replaced.", .example = "mask('abcd-EFGH-8765-4321')", .gives = "xxxx-XXXX-nnnn-nnnn"},
    {.name = "octet_length", .signature = "(str: string) -> int", .lowering = "strlen({0})",
     .doc = "Number of bytes.", .example = "octet_length('Spark SQL')", .gives = "9"},
    {.name = "overlay", .signature = "(str: string, replacement: string, position: int, [length: int]) -> string", .lowering = "(substring({0}, 1, {2} - 1) || {1} || substring({0}, {2} + {3?CASE WHEN {3} < 0 THEN length({1}) ELSE {3} END}{3!length({1})}))", .print = "overlay({0}, {1}, {2}, {3?{3}}{3!-1})",
     .doc = "A part replaced.", .example = "overlay('Spark SQL', 'CORE', 7)", .gives = "Spark CORE"},
    {.name = "parse_url", .signature = "(url: string, part: string, [key: string]) -> string", .lower = parse_url, .nulls = Nulls::kAlways,
     .doc = "A part of a URL: HOST, PATH, QUERY, REF, PROTOCOL, FILE, AUTHORITY or USERINFO; of the query, a key's value.", .example = "parse_url('http://spark.apache.org/path?query=1', 'HOST')", .gives = "spark.apache.org"},
    {.name = "position", .signature = "(substr: string, str: string, [start: int]) -> int", .lowering = "{2?CASE WHEN {2} <= 0 THEN 0 WHEN strpos(substring({1}, {2}), {0}) = 0 THEN 0 ELSE strpos(substring({1}, {2}), {0}) + {2} - 1 END}{2!strpos({1}, {0})}", .print = "position({0}, {1}, {2?{2}}{2!1})",
     .doc = "Position of the first `substr`, from 1; 0 when absent.", .example = "position('bar', 'foobarbar')", .gives = "4"},
    {.name = "printf", .signature = "(format: string, argument: any...) -> string", .lower = format_string,
     .doc = "Arguments in a printf pattern.", .example = "printf('Hello World %d %s', 100, 'days')", .gives = "Hello World 100 days"},
    {.name = "quote", .signature = "(str: string) -> string", .lowering = "('''' || replace({0}, '''', '\\''') || '''')",
     .doc = "As a string literal.", .example = "quote('Don\\'t')", .gives = "'Don\\'t'"},
    {.name = "regexp", .signature = "(str: string, pattern: string) -> boolean", .lower = regexp_like, .nulls = Nulls::kAlways, .print = "REGEXP({0}, {1})",
     .doc = "Whether the regular expression is found.", .example = "regexp('firesteel', '^f.*l$')", .gives = "true"},
    {.name = "regexp_count", .signature = "(str: string, pattern: string) -> int", .lower = regexp_count, .nulls = Nulls::kAlways,
     .doc = "Number of matches.", .example = "regexp_count('Steven Jones and Stephen Smith', 'Ste(v|ph)en')", .gives = "2"},
    {.name = "regexp_extract", .signature = "(str: string, pattern: string, [group: int]) -> string", .lower = regexp_extract, .nulls = Nulls::kAlways, .print = "regexp_extract({0}, {1}, {2?{2}}{2!1})",
     .doc = "The group of the first match; empty without a match.", .example = "regexp_extract('100-200', '(\\\\d+)-(\\\\d+)', 2)", .gives = "200"},
    {.name = "regexp_extract_all", .signature = "(str: string, pattern: string, [group: int]) -> array<string>", .lower = regexp_extract, .nulls = Nulls::kAlways, .print = "regexp_extract_all({0}, {1}, {2?{2}}{2!1})",
     .doc = "The group of every match.", .example = "regexp_extract_all('100-200, 300-400', '(\\\\d+)-(\\\\d+)', 1)", .gives = "[100, 300]"},
    {.name = "regexp_instr", .signature = "(str: string, pattern: string, [group: int]) -> int", .lower = regexp_instr, .nulls = Nulls::kAlways, .print = "regexp_instr({0}, {1}, {2?{2}}{2!0})",
     .doc = "Position of the first match, from 1; 0 without a match.", .example = "regexp_instr('abcd', 'c')", .gives = "3"},
    {.name = "regexp_like", .signature = "(str: string, pattern: string) -> boolean", .lower = regexp_like, .nulls = Nulls::kAlways, .print = "REGEXP_LIKE({0}, {1})",
     .doc = "Whether the pattern is found.", .example = "regexp_like('firesteel', 'e.t')", .gives = "true"},
    {.name = "regexp_replace", .signature = "(str: string, pattern: string, replacement: string, [position: int]) -> string", .lower = regexp_replace, .nulls = Nulls::kAlways, .print = "regexp_replace({0}, {1}, {2}, {3?{3}}{3!1})",
     .doc = "Every match replaced, from a position on; `$1` is a group.", .example = "regexp_replace('100-200', '(\\\\d+)', 'num')", .gives = "num-num"},
    {.name = "regexp_substr", .signature = "(str: string, pattern: string) -> string", .lower = regexp_substr, .nulls = Nulls::kAlways,
     .doc = "The first match; null without one.", .example = "regexp_substr('Steven Jones', 'e.')", .gives = "ev"},
    {.name = "repeat", .signature = "(str: string, times: int) -> string", .lowering = "repeat({0}, greatest({1}, 0))",
     .doc = "The string a number of times.", .example = "repeat('ab', 2)", .gives = "abab"},
    {.name = "replace", .signature = "(str: string, search: string, [replacement: string]) -> string", .lowering = "CASE WHEN {1} = '' THEN {0} ELSE replace({0}, {1}, {2?{2}}{2!''}) END", .print = "replace({0}, {1}, {2?{2}}{2!})",
     .doc = "Every `search` replaced.", .example = "replace('ABCabc', 'abc', 'DEF')", .gives = "ABCDEF"},
    {.name = "reverse", .signature = "(value: array<T>) -> array<T>", .lowering = "list_reverse({0})",
     .doc = "The string or array from its end.", .example = "reverse('fire')", .gives = "erif"},
    {.name = "reverse", .signature = "(value: binary) -> binary", .lowering = "unhex(array_to_string(list_reverse(regexp_extract_all(hex({0}), '..')), ''))"},
    {.name = "reverse", .signature = "(value: string) -> string", .lowering = "reverse({0})"},
    {.name = "right", .signature = "(str: string, length: int) -> string", .lowering = "CASE WHEN {1} <= 0 THEN '' ELSE right({0}, {1}) END",
     .doc = "The last characters.", .example = "right('firesteel', 5)", .gives = "steel"},
    {.name = "rlike", .signature = "(str: string, pattern: string) -> boolean", .lower = regexp_like, .nulls = Nulls::kAlways, .print = "RLIKE({0}, {1})",
     .doc = "Whether the regular expression is found.", .example = "'firesteel' RLIKE '^f.*l$'", .gives = "true"},
    {.name = "rpad", .signature = "(str: string, length: int, [pad: string]) -> string", .lowering = "CASE WHEN {2?{2}}{2!' '} = '' THEN left({0}, greatest({1}, 0)) ELSE rpad({0}, greatest({1}, 0), {2?{2}}{2!' '}) END", .print = "rpad({0}, {1}, {2?{2}}{2! })",
     .doc = "Filled on the right, or cut, to a length.", .example = "rpad('hi', 5, 'xy')", .gives = "hixyx"},
    {.name = "rpad", .signature = "(str: string, length: int, pad: binary) -> string", .lowering = "rpad({0}, greatest({1}, 0), spark_make_valid_utf8({2}))"},
    {.name = "rpad", .signature = "(bytes: binary, length: int, [pad: binary]) -> binary",
     .lowering = "unhex(CASE WHEN {2?hex({2})}{2!'00'} = '' THEN left(hex({0}), 2 * greatest({1}, 0)) ELSE rpad(hex({0}), 2 * greatest({1}, 0), {2?hex({2})}{2!'00'}) END)",
     .print = "rpad({0}, {1}, {2?{2}}{2!X'00'})"},
    {.name = "rtrim", .signature = "(str: string) -> string", .lowering = "rtrim({0}, ' ')",
     .doc = "Without trailing spaces or characters.", .example = "rtrim('fire  ')", .gives = "fire"},
    {.name = "rtrim", .signature = "(characters: string, str: string) -> string", .lowering = "rtrim({1}, {0})", .print = "TRIM(TRAILING {0} FROM {1})"},
    {.name = "sentences", .signature = "(str: string, [language: string], [country: string]) -> array<array<string>>", .lowering = "list_filter(list_transform(regexp_split_to_array({0}, '[.!?]+(\\s+|$)'), lambda s: regexp_extract_all(s, '[\\pL\\pN][\\pL\\pN''_]*')), lambda s: len(s) > 0)", .print = "sentences({0}, {1?{1}}{1!}, {2?{2}}{2!})",
     .doc = "The words of every sentence.", .example = "sentences('Hi there! Good morning.')", .gives = "[[Hi, there], [Good, morning]]"},
    {.name = "soundex", .signature = "(str: string) -> string", .lowering = "spark_soundex({0})",
     .doc = "Code of how the word sounds in English.", .example = "soundex('Miller')", .gives = "M460"},
    {.name = "space", .signature = "(n: int) -> string", .lowering = "repeat(' ', greatest({0}, 0))",
     .doc = "So many spaces.", .example = "concat(space(2), '1')", .gives = "  1"},
    {.name = "split", .signature = "(str: string, pattern: string, [limit: int]) -> array<string>", .lower = split, .print = "split({0}, {1}, {2?{2}}{2!-1})",
     .doc = "The parts between the matches of a regular expression, the last of at most `limit` holding the rest.", .example = "split('oneAtwoB', '[AB]')", .gives = "[one, two, ]"},
    {.name = "split_part", .signature = "(str: string, delimiter: string, part: int) -> string", .lowering = "split_part({0}, {1}, {2})",
     .doc = "The part at a position, from 1; negative from the end.", .example = "split_part('11.12.13', '.', 3)", .gives = "13"},
    {.name = "startswith", .signature = "(str: string, prefix: string) -> boolean", .lowering = "prefix({0}, {1})",
     .doc = "Whether the string starts with the prefix.", .example = "startswith('firesteel', 'fire')", .gives = "true"},
    {.name = "startswith", .signature = "(bytes: binary, prefix: binary) -> boolean", .lowering = "prefix(hex({0}), hex({1}))"},
    {.name = "str_to_map", .signature = "(str: string, [pairs: string], [values: string]) -> map<string, string>", .lowering = "map_from_entries(list_transform(regexp_split_to_array({0}, {1?{1}}{1!','}), lambda e: struct_pack(key := spark_split(e, {2?{2}}{2!':'}, 2)[1], value := spark_split(e, {2?{2}}{2!':'}, 2)[2])))", .print = "str_to_map({0}, {1?{1}}{1!,}, {2?{2}}{2!:})",
     .doc = "A map of text such as `a:1,b:2`.", .example = "str_to_map('a:1,b:2,c:3', ',', ':')", .gives = "{a -> 1, b -> 2, c -> 3}"},
    {.name = "substr", .signature = "(str: string, position: int, [length: int]) -> string", .lowering = "substring({0}, CASE WHEN {1} = 0 THEN 1 ELSE {1} END{2?, greatest({2}, 0)})", .print = "substr({0}, {1}, {2?{2}}{2!2147483647})",
     .doc = "The part from a position (from 1; negative from the end).", .example = "substr('Spark SQL', 5, 1)", .gives = "k"},
    {.name = "substring", .signature = "(str: string, position: int, [length: int]) -> string", .lowering = "substring({0}, CASE WHEN {1} = 0 THEN 1 ELSE {1} END{2?, greatest({2}, 0)})", .print = "substring({0}, {1}, {2?{2}}{2!2147483647})",
     .doc = "The part from a position (from 1; negative from the end).", .example = "substring('Spark SQL', -3)", .gives = "SQL"},
    {.name = "substring_index", .signature = "(str: string, delimiter: string, count: int) -> string",
     .lowering = "CASE WHEN {1} = '' OR {2} = 0 THEN '' WHEN {2} > 0 THEN array_to_string(list_slice(string_split({0}, {1}), 1, {2}), {1}) ELSE array_to_string(list_slice(string_split({0}, {1}), greatest(len(string_split({0}, {1})) + {2} + 1, 1), len(string_split({0}, {1}))), {1}) END",
     .doc = "The part before `count` delimiters, or behind the last -`count`.", .example = "substring_index('www.apache.org', '.', 2)", .gives = "www.apache"},
    {.name = "to_char", .signature = "(value: any, format: string) -> string", .lower = to_char,
     .doc = "A number in a number format, a moment in a date pattern, bytes as `base64`, `hex` or `utf-8`.", .example = "to_char(-12454.8, '99G999D9S')", .gives = "12,454.8-"},
    {.name = "to_number", .signature = "(str: string, format: string) -> any", .lower = to_number, .nulls = Nulls::kAlways,
     .doc = "A decimal of text in a number format: digits (`9`, `0`), point (`.`, `D`), commas (`,`, `G`), `$`, signs (`S`, `MI`) and `PR` for brackets.", .example = "to_number('$78.12', '$99.99')", .gives = "78.12"},
    {.name = "to_varchar", .signature = "(value: any, format: string) -> string", .lower = to_char,
     .doc = "A number in a number format, a moment in a date pattern, bytes as `base64`, `hex` or `utf-8`.", .example = "to_varchar(12454, '99,999')", .gives = "12,454"},
    {.name = "translate", .signature = "(str: string, from: string, to: string) -> string", .lowering = "translate({0}, {1}, {2})",
     .doc = "Characters of `from` replaced by those of `to`.", .example = "translate('AaBbCc', 'abc', '123')", .gives = "A1B2C3"},
    {.name = "trim", .signature = "(str: string) -> string", .lowering = "trim({0}, ' ')",
     .doc = "Without leading and trailing spaces or characters.", .example = "trim('  fire  ')", .gives = "fire"},
    {.name = "trim", .signature = "(characters: string, str: string) -> string", .lowering = "trim({1}, {0})", .print = "TRIM(BOTH {0} FROM {1})"},
    {.name = "try_parse_url", .signature = "(url: string, part: string, [key: string]) -> string", .lower = parse_url, .nulls = Nulls::kAlways,
     .doc = "A part of a URL; null where it is none.", .example = "try_parse_url('inva lid://spark.apache.org', 'HOST')", .gives = "NULL"},
    {.name = "try_to_number", .signature = "(str: string, format: string) -> any", .lower = try_to_number, .nulls = Nulls::kAlways,
     .doc = "A decimal of text in a number format; null where it does not fit.", .example = "try_to_number('x', '999')", .gives = "NULL"},
    {.name = "try_url_decode", .signature = "(str: string) -> string", .lowering = "spark_try_url_decode({0})", .nulls = Nulls::kAlways,
     .doc = "Text of its URL form; null where it is none.", .example = "try_url_decode('%2')", .gives = "NULL"},
    {.name = "ucase", .signature = "(str: string) -> string", .lowering = "CASE WHEN contains({0}, 'ß') THEN upper(replace({0}, 'ß', 'SS')) ELSE upper({0}) END",
     .doc = "In capital letters.", .example = "ucase('fire')", .gives = "FIRE"},
    {.name = "unbase64", .signature = "(str: string) -> binary", .lowering = "spark_unbase64({0})",
     .doc = "The bytes of base 64 text.", .example = "decode(unbase64('U3BhcmsgU1FM'), 'utf-8')", .gives = "Spark SQL"},
    {.name = "upper", .signature = "(str: string) -> string", .lowering = "CASE WHEN contains({0}, 'ß') THEN upper(replace({0}, 'ß', 'SS')) ELSE upper({0}) END",
     .doc = "In capital letters.", .example = "upper('fire')", .gives = "FIRE"},
    {.name = "url_decode", .signature = "(str: string) -> string", .lower = [](std::vector<Resolved>& a, const CallContext& call) {
       const auto wrong = raise_sql("CANNOT_DECODE_URL", "The provided URL cannot be decoded. Please ensure that the URL is properly formatted and try again.", call.span);
       return Resolved{.sql = fmt::format("coalesce(spark_try_url_decode({0}), CASE WHEN {0} IS NOT NULL THEN {1} END)", a[0].sql, wrong), .type = make_type(kString), .nullable = a[0].nullable};
     },
     .doc = "Text of its URL form.", .example = "url_decode('https%3A%2F%2Fspark.apache.org')", .gives = "https://spark.apache.org"},
    {.name = "url_encode", .signature = "(str: string) -> string", .lowering = "replace(replace(replace(url_encode({0}), '%20', '+'), '%2A', '*'), '~', '%7E')",
     .doc = "As part of a URL.", .example = "url_encode('https://spark.apache.org')", .gives = "https%3A%2F%2Fspark.apache.org"},
};
// clang-format on
static_assert(checked(kStrings));

std::span<const FunctionSpec> string_rows() { return kStrings; }

}  // namespace firesteel
