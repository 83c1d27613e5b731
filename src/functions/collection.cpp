// Arrays, maps and structs.
#include <fmt/format.h>

#include <algorithm>

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
      std::string types;
      for (const auto& each : a)
        types += fmt::format("{}\"{}\"", types.empty() ? "" : " or ", each.type.sql());
      throw Error("DATATYPE_MISMATCH.DATA_DIFF_TYPES",
                  fmt::format("Cannot resolve \"array\" due to data type mismatch: Input to "
                              "`array` should all be the same type, but it's ({}).",
                              types))
          .at(call.span);
    }
    common = *wider;
    contains_null = contains_null || value.nullable;
  }
  std::string parts;
  for (auto& value : a) {
    if (common.kind != kNull) value = coerce(value, common, call.time_zone);
    parts += (parts.empty() ? "" : ", ") + value.sql;
  }
  return {.sql = fmt::format("list_value({})", parts),
          .type = array_type(common, contains_null),
          .nullable = false};
}

Resolved struct_of(std::vector<Resolved>& a, const CallContext&) {
  Schema fields;
  std::string parts;
  for (size_t i = 0; i < a.size(); ++i) {
    const std::string name = a[i].named ? a[i].name : fmt::format("col{}", i + 1);
    fields.push_back({name, a[i].type, a[i].nullable});
    parts += fmt::format("{}{} := {}", parts.empty() ? "" : ", ", sql_name(name), a[i].sql);
  }
  return {
      .sql = fmt::format("struct_pack({})", parts), .type = struct_type(fields), .nullable = false};
}

void check_pairs(const std::vector<Resolved>& a, const CallContext& call) {
  if (a.size() % 2 == 0) return;
  throw Error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
              fmt::format("The `{}` requires 2n (n > 0) parameters but the actual number is {}.",
                          call.name, a.size()))
      .at(call.span);
}

Resolved named_struct(std::vector<Resolved>& a, const CallContext& call) {
  check_pairs(a, call);
  Schema fields;
  std::string parts;
  for (size_t i = 0; i + 1 < a.size(); i += 2) {
    if (a[i].type.kind != kString || a[i].literal.empty()) {
      throw Error(
          "DATATYPE_MISMATCH.CREATE_NAMED_STRUCT_WITHOUT_FOLDABLE_STRING",
          fmt::format("Cannot resolve \"named_struct\" due to data type mismatch: Only foldable "
                      "`STRING` expressions are allowed to appear at odd position, but it is "
                      "\"{}\".",
                      a[i].name))
          .at(call.span);
    }
    fields.push_back({a[i].literal, a[i + 1].type, a[i + 1].nullable});
    parts +=
        fmt::format("{}{} := {}", parts.empty() ? "" : ", ", sql_name(a[i].literal), a[i + 1].sql);
  }
  return {
      .sql = fmt::format("struct_pack({})", parts), .type = struct_type(fields), .nullable = false};
}

/// A map of entries. Of a key that is there twice the last value stays, at the place of the first,
/// or it is an error.
std::string map_of_entries(const std::string& entries, const CallContext& call) {
  if (!call.last_key_wins) return fmt::format("map_from_entries({})", entries);
  return fmt::format(
      "map_from_entries(list_transform(list_filter({0}, lambda e, i: list_position(list_transform("
      "{0}, lambda x: struct_extract_at(x, 1)), struct_extract_at(e, 1)) = i), lambda e: "
      "struct_pack(key := "
      "struct_extract_at(e, 1), value := struct_extract_at(list_last(list_filter({0}, lambda x: "
      "struct_extract_at(x, 1) = struct_extract_at(e, 1))), 2))))",
      entries);
}

Resolved map_of(std::vector<Resolved>& a, const CallContext& call) {
  check_pairs(a, call);
  std::vector<Resolved> keys, values;
  for (size_t i = 0; i + 1 < a.size(); i += 2) {
    keys.push_back(a[i]);
    values.push_back(a[i + 1]);
  }
  // Options of functions are maps of literals, which are passed on as such.
  std::string literal;
  for (const auto& value : a) {
    literal += value.literal + '\x1f';
    if (value.type.kind != kString || (value.literal.empty() && value.sql != "''")) {
      literal.clear();
      break;
    }
  }
  const auto k = array_of(keys, call), v = array_of(values, call);
  return {.sql = call.last_key_wins
                     ? map_of_entries(fmt::format("list_zip({}, {})", k.sql, v.sql), call)
                     : fmt::format("map({}, {})", k.sql, v.sql),
          .type = map_type(k.type.element(), v.type.element(), (*v.type.fields)[0].nullable),
          .nullable = false,
          .literal = literal};
}

Resolved element_at(std::vector<Resolved>& a, const CallContext& call) {
  if (a[0].type.kind == kMap) {
    a[1] = coerce(a[1], a[0].type.key(), call.time_zone);
    return {.sql = fmt::format("{}[{}]", a[0].sql, a[1].sql),
            .type = a[0].type.value(),
            .nullable = true};
  }
  if (a[0].type.kind != kArray) {
    throw Error(
        "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
        fmt::format(
            "Cannot resolve \"element_at({}, {})\" due to data type mismatch: The first parameter "
            "requires the (\"ARRAY\" or \"MAP\") type, however \"{}\" has the type \"{}\".",
            a[0].name, a[1].name, a[0].name, a[0].type.sql()))
        .at(call.span);
  }
  const auto message = fmt::format(
      "The index {} is out of bounds. The array has {} elements. Use `try_element_at` to tolerate "
      "accessing element at invalid index and return NULL instead.",
      raised_value(a[1].sql), raised_value(fmt::format("len({})", a[0].sql)));
  return {.sql = fmt::format("CASE WHEN {1} = 0 THEN {3} WHEN abs({1}) > len({0}) THEN {2} ELSE "
                             "list_extract({0}, {1}) END",
                             a[0].sql, a[1].sql,
                             raise_sql("INVALID_ARRAY_INDEX_IN_ELEMENT_AT", message, call.span),
                             raise_sql("INVALID_INDEX_OF_ZERO",
                                       "The index 0 is invalid. An index shall be either < 0 or > "
                                       "0 (the first element has index 1).",
                                       call.span)),
          .type = a[0].type.element(),
          .nullable = true};
}

/// A lambda `lambda x_1, x_2: body` with other expressions in place of its parameters.
std::string applied(const std::string& lambda, const std::vector<std::string>& values) {
  const auto colon = lambda.find(": ");
  std::vector<std::string> names;
  for (size_t at = 7; at < colon;) {
    const auto end = std::min(lambda.find(", ", at), colon);
    names.push_back(lambda.substr(at, end - at));
    at = end + 2;
  }
  auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  std::string out;
  const auto body = lambda.substr(colon + 2);
  for (size_t i = 0; i < body.size();) {
    if (body[i] == '\'' || body[i] == '"') {  // text and quoted names stay
      const auto end = std::min(body.find(body[i], i + 1), body.size() - 1);
      out += body.substr(i, end - i + 1);
      i = end + 1;
      continue;
    }
    size_t end = i;
    while (end < body.size() && is_word(body[end])) ++end;
    if (end == i) {
      out += body[i++];
      continue;
    }
    const auto word = body.substr(i, end - i);
    const auto found = std::find(names.begin(), names.end(), word);
    const auto index = static_cast<size_t>(found - names.begin());
    out += found != names.end() && index < values.size() ? values[index] : word;
    i = end;
  }
  return out;
}

/// The lambda's parameters as DuckDB's list functions give them: Spark's index counts from 0.
std::string of_list(const std::string& lambda) {
  const auto colon = lambda.find(": "), comma = lambda.find(", ");
  if (comma == std::string::npos || comma > colon) return lambda;
  const auto first = lambda.substr(7, comma - 7),
             second = lambda.substr(comma + 2, colon - comma - 2);
  return lambda.substr(0, colon + 2) +
         applied(lambda, {first, fmt::format("CAST({} - 1 AS INTEGER)", second)});
}

Resolved transform(std::vector<Resolved>& a, const CallContext&) {
  return {.sql = fmt::format("list_transform({}, {})", a[0].sql, of_list(a[1].sql)),
          .type = array_type(a[1].type, a[1].nullable),
          .nullable = a[0].nullable};
}
Resolved filter(std::vector<Resolved>& a, const CallContext&) {
  return {.sql = fmt::format("list_filter({}, {})", a[0].sql, of_list(a[1].sql)),
          .type = a[0].type,
          .nullable = a[0].nullable};
}
/// Whether `wanted` is among the condition's values; unknown when a null is.
Resolved quantified(std::vector<Resolved>& a, bool wanted) {
  const auto truths = fmt::format("list_transform({}, {})", a[0].sql, a[1].sql);
  return {.sql = fmt::format("CASE WHEN list_contains({0}, {1}) THEN {1} WHEN len(list_filter({0}, "
                             "lambda e: e IS NULL)) > 0 THEN NULL "
                             "WHEN {2} IS NOT NULL THEN {3} END",
                             truths, wanted, a[0].sql, !wanted),
          .type = make_type(kBoolean)};
}
Resolved exists(std::vector<Resolved>& a, const CallContext&) { return quantified(a, true); }
Resolved forall(std::vector<Resolved>& a, const CallContext&) { return quantified(a, false); }

/// aggregate(array, start, (acc, x) -> …[, acc -> …])
Resolved fold(std::vector<Resolved>& a, const CallContext& call) {
  // DuckDB's list_reduce wants accumulator and elements of one type: both travel in a struct.
  const auto type = duckdb_type(a[1].type);
  const auto element = duckdb_type(a[0].type.element());
  Resolved body = a[2];
  body.sql = applied(a[2].sql, {"s.acc", "e.x"});
  body = coerce(body, a[1].type, call.time_zone);
  const auto sql = fmt::format(
      "list_reduce(list_transform({0}, lambda x: struct_pack(acc := CAST(NULL AS {1}), x := x)), "
      "lambda s, e: struct_pack(acc := CAST({2} AS {1}), x := CAST(NULL AS {3})), "
      "struct_pack(acc := CAST({4} AS {1}), x := CAST(NULL AS {3}))).acc",
      a[0].sql, type, body.sql, element, a[1].sql);
  Resolved result{.sql = sql, .type = a[1].type};
  if (a.size() > 3)
    result = {.sql = "(" + applied(a[3].sql, {"(" + sql + ")"}) + ")", .type = a[3].type};
  result.name = fmt::format(
      "{}({}, {}, {}, {})", call.name, a[0].name, a[1].name, a[2].name,
      a.size() > 3 ? a[3].name : "lambdafunction(namedlambdavariable(), namedlambdavariable())");
  return result;
}

Resolved zip_with(std::vector<Resolved>& a, const CallContext&) {
  return {.sql = fmt::format("list_transform(list_zip({}, {}), lambda e: {})", a[0].sql, a[1].sql,
                             applied(a[2].sql, {"e[1]", "e[2]"})),
          .type = array_type(a[2].type, a[2].nullable),
          .nullable = a[0].nullable || a[1].nullable};
}

Resolved arrays_zip(std::vector<Resolved>& a, const CallContext& call) {
  Schema fields;
  std::string lists, parts;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].type.kind != kArray) {
      throw Error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                  fmt::format("Cannot resolve \"arrays_zip\" due to data type mismatch: \"{}\" has "
                              "the type \"{}\", not \"ARRAY\".",
                              a[i].name, a[i].type.sql()))
          .at(call.span);
    }
    const bool plain = !a[i].name.empty() && a[i].name.find_first_of(" ()'[,") == std::string::npos;
    fields.push_back({plain ? a[i].name : fmt::format("{}", i), a[i].type.element(), true});
    lists += (i ? ", " : "") + a[i].sql;
    parts += fmt::format("{}{} := e[{}]", i ? ", " : "", sql_name(fields.back().name), i + 1);
  }
  return {
      .sql = fmt::format("list_transform(list_zip({}), lambda e: struct_pack({}))", lists, parts),
      .type = array_type(struct_type(fields), false)};
}

/// A bare NULL has no type to be looked for.
void refuse_null(const Resolved& value, const CallContext& call) {
  if (value.literal != "NULL") return;
  throw Error("DATATYPE_MISMATCH.NULL_TYPE",
              fmt::format("Cannot resolve \"{}\" due to data type mismatch: Null typed values "
                          "cannot be used as arguments of `{}`.",
                          call.name, call.name))
      .at(call.span);
}

Resolved array_contains(std::vector<Resolved>& a, const CallContext& call) {
  refuse_null(a[1], call);
  return {
      .sql = fmt::format(
          "CASE WHEN list_contains({0}, {1}) THEN true WHEN {1} IS NULL OR len(list_filter({0}, "
          "lambda e: e IS NULL)) > 0 THEN NULL ELSE list_contains({0}, {1}) END",
          a[0].sql, a[1].sql),
      .type = make_type(kBoolean)};
}

Resolved array_position(std::vector<Resolved>& a, const CallContext&) {
  return {
      .sql = fmt::format("CASE WHEN {1} IS NOT NULL THEN CAST(coalesce(list_position({0}, {1}), "
                         "CASE WHEN {0} IS NOT NULL THEN 0 END) AS BIGINT) END",
                         a[0].sql, a[1].sql),
      .type = make_type(kLong)};
}

Resolved slice(std::vector<Resolved>& a, const CallContext& call) {
  const auto start = raise_sql("INVALID_PARAMETER_VALUE.START",
                               "The value of parameter(s) `start` in `slice` is invalid: expects a "
                               "positive or a negative value, but got 0.",
                               call.span);
  const auto length = raise_sql("INVALID_PARAMETER_VALUE.LENGTH",
                                "The value of parameter(s) `length` in `slice` is invalid: expects "
                                "a value of at least 0.",
                                call.span);
  // From the end when it is negative; before the first element nothing is taken.
  return {.sql = fmt::format("CASE WHEN {1} = 0 THEN {3} WHEN {2} < 0 THEN {4} WHEN {1} > 0 THEN "
                             "list_slice({0}, {1}, {1} + {2} - 1) WHEN len({0}) + {1} < 0 THEN "
                             "list_slice({0}, 1, 0) ELSE list_slice({0}, len({0}) + {1} + 1, "
                             "len({0}) + {1} + {2}) END",
                             a[0].sql, a[1].sql, a[2].sql, start, length),
          .type = a[0].type,
          .nullable = a[0].nullable || a[1].nullable || a[2].nullable};
}

Resolved array_insert(std::vector<Resolved>& a, const CallContext& call) {
  const auto& type = a[0].type;
  const auto zero = raise_sql("INVALID_INDEX_OF_ZERO",
                              "The index 0 is invalid. An index shall be either < 0 or > 0 (the "
                              "first element has index 1).",
                              call.span);
  // What lies between the array and the new element is null, on either side.
  return {
      .sql = fmt::format(
          "CASE WHEN {1} = 0 THEN {3} WHEN {0} IS NULL OR {1} IS NULL THEN NULL WHEN {1} > "
          "len({0}) THEN list_resize({0}, {1} - 1) || [{2}] WHEN {1} > 0 THEN list_slice({0}, 1, "
          "{1} - 1) || [{2}] || list_slice({0}, {1}, len({0})) WHEN len({0}) + {1} + 1 < 0 THEN "
          "[{2}] || list_resize(CAST([] AS {4}), 0 - {1} - len({0}) - 1) || {0} ELSE "
          "list_slice({0}, 1, len({0}) + {1} + 1) || [{2}] || list_slice({0}, len({0}) + {1} + 2, "
          "len({0})) END",
          a[0].sql, a[1].sql, a[2].sql, zero, duckdb_type(type)),
      .type = array_type(type.element()),
      .nullable = a[0].nullable || a[1].nullable};
}

Resolved map_concat(std::vector<Resolved>& a, const CallContext& call) {
  std::string given, entries;
  bool nullable = false;
  for (const auto& map : a) {
    given += fmt::format("{}{} IS NOT NULL", given.empty() ? "" : " AND ", map.sql);
    const auto list = fmt::format("map_entries({})", map.sql);
    entries = entries.empty() ? list : fmt::format("list_concat({}, {})", entries, list);
    nullable = nullable || map.nullable;
  }
  return {.sql = fmt::format("CASE WHEN {} THEN {} END", given, map_of_entries(entries, call)),
          .type = a[0].type,
          .nullable = nullable};
}

Resolved map_entries(std::vector<Resolved>& a, const CallContext&) {
  return {.sql = fmt::format("map_entries({})", a[0].sql),
          .type = array_type(
              struct_type({{"key", a[0].type.key(), false}, {"value", a[0].type.value(), true}}),
              false),
          .nullable = a[0].nullable};
}
Resolved map_from_entries(std::vector<Resolved>& a, const CallContext& call) {
  if (a[0].type.kind != kArray || a[0].type.element().kind != kStruct ||
      a[0].type.element().fields->size() != 2) {
    throw Error("DATATYPE_MISMATCH.MAP_FROM_ENTRIES_WRONG_TYPE",
                fmt::format("Cannot resolve \"map_from_entries({})\" due to data type mismatch: it "
                            "needs an array of pairs, not \"{}\".",
                            a[0].name, a[0].type.sql()))
        .at(call.span);
  }
  const auto& fields = *a[0].type.element().fields;
  auto list = [&](size_t i) {
    return fmt::format("list_transform({}, lambda e: struct_extract(e, {}))", a[0].sql,
                       sql_string(fields[i].name));
  };
  return {.sql = fmt::format("map({}, {})", list(0), list(1)),
          .type = map_type(fields[0].type, fields[1].type),
          .nullable = a[0].nullable};
}
Resolved map_filter(std::vector<Resolved>& a, const CallContext&) {
  return {.sql = fmt::format("map_from_entries(list_filter(map_entries({}), lambda e: {}))",
                             a[0].sql, applied(a[1].sql, {"e.key", "e.value"})),
          .type = a[0].type,
          .nullable = a[0].nullable};
}
Resolved transform_keys(std::vector<Resolved>& a, const CallContext&) {
  return {
      .sql = fmt::format("map(list_transform(map_entries({0}), lambda e: {1}), map_values({0}))",
                         a[0].sql, applied(a[1].sql, {"e.key", "e.value"})),
      .type = map_type(a[1].type, a[0].type.value()),
      .nullable = a[0].nullable};
}
Resolved transform_values(std::vector<Resolved>& a, const CallContext&) {
  return {.sql = fmt::format("map(map_keys({0}), list_transform(map_entries({0}), lambda e: {1}))",
                             a[0].sql, applied(a[1].sql, {"e.key", "e.value"})),
          .type = map_type(a[0].type.key(), a[1].type),
          .nullable = a[0].nullable};
}

/// Each element's place is the number of those that the comparator puts before it.
Resolved array_sort_by(std::vector<Resolved>& a, const CallContext& call) {
  if (!a[1].type.is_integral()) {
    throw Error(
        "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
        fmt::format("Cannot resolve \"array_sort\" due to data type mismatch: The comparator "
                    "must give the \"INT\" type, however \"{}\" has the type \"{}\".",
                    a[1].name, a[1].type.sql()))
        .at(call.span);
  }
  const auto failure =
      raise_sql("COMPARATOR_RETURNS_NULL",
                "The comparator has returned a NULL for a comparison. It should return a positive "
                "integer for \"greater than\", 0 for \"equal\" and a negative integer for \"less "
                "than\". To revert to deprecated behavior where NULL is treated as 0 (equal), you "
                "must set \"spark.sql.legacy.allowNullComparisonResultInArraySort\" to \"true\".",
                call.span);
  return {.sql = fmt::format(
              "list_extract(list_transform([{}], lambda sorted_all: list_transform(list_sort("
              "list_transform(sorted_all, lambda sorted_x, sorted_i: struct_pack(place := "
              "len(list_filter(list_transform(sorted_all, lambda sorted_y, sorted_j: CASE WHEN "
              "sorted_i = sorted_j THEN -1 ELSE coalesce(sign({}) * 2, CAST({} AS INTEGER)) + "
              "CAST(sorted_j < sorted_i AS INTEGER) END), lambda sorted_p: sorted_p > 0)), v := "
              "sorted_x))), lambda sorted_e: sorted_e.v)), 1)",
              a[0].sql, applied(a[1].sql, {"sorted_x", "sorted_y"}), failure),
          .type = a[0].type,
          .nullable = a[0].nullable};
}

/// In descending order nulls come last.
Resolved sort_array(std::vector<Resolved>& a, const CallContext&) {
  const bool ascending = a[1].literal != "false";
  return {.sql = fmt::format("list_sort({}, '{}', 'NULLS {}')", a[0].sql,
                             ascending ? "ASC" : "DESC", ascending ? "FIRST" : "LAST"),
          .type = a[0].type,
          .nullable = a[0].nullable};
}

/// Numbers by a step, dates and timestamps by an interval; downward when `stop` is before `start`.
Resolved sequence(std::vector<Resolved>& a, const CallContext& call) {
  const auto name =
      fmt::format("sequence({}, {}{})", a[0].name, a[1].name, a.size() > 2 ? ", " + a[2].name : "");
  const auto common = common_type(a[0].type, a[1].type);
  if (!common || !(common->is_integral() || common->is_datetime())) {
    throw Error("DATATYPE_MISMATCH.SEQUENCE_WRONG_INPUT_TYPES",
                fmt::format("Cannot resolve \"{}\" due to data type mismatch: it runs over whole "
                            "numbers, dates or timestamps.",
                            name))
        .at(call.span);
  }
  for (int i : {0, 1}) a[i] = coerce(a[i], *common, call.time_zone);
  Resolved result{.sql = "",
                  .type = array_type(*common, false),
                  .nullable = a[0].nullable || a[1].nullable,
                  .name = name};
  if (a.size() > 2 && a[2].type.kind == kYearMonthInterval) {
    // Every element is so many months after the start, not after the element before it.
    const auto months = fmt::format(
        "CAST(date_part('year', {0}) * 12 + date_part('month', {0}) AS INTEGER)", a[2].sql);
    const auto work = [&](const Resolved& value) {
      return fmt::format("CAST({} AS TIMESTAMP)", value.sql);
    };
    result.sql = fmt::format(
        "CAST(list_filter(list_transform(range(0, abs(date_diff('month', {0}, {1})) // abs({2}) + "
        "2), lambda i: "
        "{0} + to_months(CAST(i * {2} AS INTEGER))), lambda d: CASE WHEN {2} > 0 THEN d <= {1} "
        "ELSE d >= {1} END) AS {3})",
        work(a[0]), work(a[1]), months, duckdb_type(result.type));
    return result;
  }
  const char* unit = common->is_integral() ? "1" : "INTERVAL 1 DAY";
  const auto step = a.size() > 2 ? a[2].sql
                                 : fmt::format("CASE WHEN {} <= {} THEN {} ELSE -{} END", a[0].sql,
                                               a[1].sql, unit, unit);
  const char* work = common->is_integral() ? "BIGINT" : "TIMESTAMP";
  result.sql = fmt::format("CAST(generate_series(CAST({0} AS {3}), CAST({1} AS {3}), {2}) AS {4})",
                           a[0].sql, a[1].sql, step, work, duckdb_type(result.type));
  return result;
}

/// map_zip_with(map, map, (key, value, other) -> …), over the keys of either.
Resolved map_zip_with(std::vector<Resolved>& a, const CallContext& call) {
  for (const int i : {0, 1}) {
    if (a[i].type.kind == kMap) continue;
    throw Error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                fmt::format("Cannot resolve \"map_zip_with\" due to data type mismatch: The {} "
                            "parameter requires the \"MAP\" type, however \"{}\" has the type "
                            "\"{}\".",
                            i == 0 ? "first" : "second", a[i].name, a[i].type.sql()))
        .at(call.span);
  }
  const auto parameters = std::string_view(a[2].sql).substr(0, a[2].sql.find(": "));
  if (std::count(parameters.begin(), parameters.end(), ',') != 2) {
    throw Error("INVALID_LAMBDA_FUNCTION_CALL.NUM_ARGS_MISMATCH",
                "Invalid lambda function call. A higher order function expects 3 arguments.")
        .at(call.span);
  }
  const auto &x = a[0].type, &y = a[1].type;
  const auto key = common_type(x.key(), y.key());
  if (!key || (x.key().kind == kString) != (y.key().kind == kString)) {
    throw Error(
        "DATATYPE_MISMATCH.MAP_ZIP_WITH_DIFF_TYPES",
        fmt::format("Cannot resolve \"map_zip_with\" due to data type mismatch: Input should "
                    "have been two maps with compatible key types, but it's [\"{}\", "
                    "\"{}\"].",
                    x.sql(), y.sql()))
        .at(call.span);
  }
  const auto left = coerce(a[0], map_type(*key, x.value()), call.time_zone).sql,
             right = coerce(a[1], map_type(*key, y.value()), call.time_zone).sql;
  const auto value = applied(a[2].sql, {"k", fmt::format("element_at({}, k)[1]", left),
                                        fmt::format("element_at({}, k)[1]", right)});
  const auto keys = fmt::format(
      "list_concat(map_keys({0}), list_filter(map_keys({1}), lambda o: NOT "
      "list_contains(map_keys({0}), o)))",
      left, right);
  return {.sql = fmt::format("CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL THEN "
                             "map_from_entries(list_transform({2}, lambda k: struct_pack(key := k, "
                             "value := {3}))) END",
                             left, right, keys, value),
          .type = map_type(*key, a[2].type),
          .nullable = a[0].nullable || a[1].nullable};
}

}  // namespace

// clang-format off
constexpr FunctionSpec kCollections[] = {
    {.name = "aggregate", .signature = "(array: array<T>, start: any, merge: any, [finish: any]) -> any", .lower = fold, .nulls = Nulls::kAlways,
     .doc = "The elements merged into one value.", .example = "aggregate(array(1, 2, 3), 0, (acc, x) -> acc + x)", .gives = "6"},
    {.name = "array", .signature = "([element: any...]) -> array<any>", .lower = array_of,
     .doc = "An array of its arguments.", .example = "array(1, 2, 3)", .gives = "[1, 2, 3]"},
    {.name = "array_append", .signature = "(array: array<T>, element: T) -> array<T>", .lowering = "CASE WHEN {0} IS NOT NULL THEN list_append({0}, {1}) END",
     .doc = "With an element at the end.", .example = "array_append(array('b', 'd'), 'd')", .gives = "[b, d, d]"},
    {.name = "array_compact", .signature = "(array: array<T>) -> array<T>", .lowering = "list_filter({0}, lambda x: x IS NOT NULL)",
     .doc = "Without nulls.", .example = "array_compact(array(1, 2, NULL))", .gives = "[1, 2]"},
    {.name = "array_contains", .signature = "(array: array<T>, value: T) -> boolean", .lower = array_contains, .nulls = Nulls::kAlways,
     .doc = "Whether the array holds the value.", .example = "array_contains(array(1, 2, 3), 2)", .gives = "true"},
    {.name = "array_distinct", .signature = "(array: array<T>) -> array<T>", .lowering = "list_filter({0}, lambda x, i: list_position({0}, x) = i)",
     .doc = "Without repeated elements.", .example = "array_distinct(array(1, 2, 1))", .gives = "[1, 2]"},
    {.name = "array_except", .signature = "(left: array<T>, right: array<T>) -> array<T>", .lowering = "list_filter({0}, lambda x, i: list_position({0}, x) = i AND list_position({1}, x) IS NULL)",
     .doc = "The different elements of `left` that `right` lacks.", .example = "array_except(array(1, 2, 3), array(1, 3, 5))", .gives = "[2]"},
    {.name = "array_insert", .signature = "(array: array<T>, position: int, element: T) -> array<T>", .exact_numbers = true, .lower = array_insert,
     .doc = "With an element at a position, from 1.", .example = "array_insert(array(1, 2, 4), 3, 3)", .gives = "[1, 2, 3, 4]"},
    {.name = "array_intersect", .signature = "(left: array<T>, right: array<T>) -> array<T>", .lowering = "list_filter({0}, lambda x, i: list_position({0}, x) = i AND list_position({1}, x) IS NOT NULL)",
     .doc = "The different elements in both.", .example = "array_intersect(array(1, 2, 3), array(1, 3, 5))", .gives = "[1, 3]"},
    {.name = "array_join", .signature = "(array: array<string>, delimiter: string, [null_replacement: string]) -> string", .lowering = "array_to_string({2?CASE WHEN {2} IS NOT NULL THEN list_transform({0}, lambda e: coalesce(e, {2})) END}{2!{0}}, {1})",
     .doc = "The elements as one string; nulls are skipped or replaced.", .example = "array_join(array('hello', 'world'), ' ')", .gives = "hello world"},
    {.name = "array_max", .signature = "(array: array<T>) -> T", .lowering = "list_max({0})", .nulls = Nulls::kAlways,
     .doc = "The greatest element.", .example = "array_max(array(1, 20, 3))", .gives = "20"},
    {.name = "array_min", .signature = "(array: array<T>) -> T", .lowering = "list_min({0})", .nulls = Nulls::kAlways,
     .doc = "The least element.", .example = "array_min(array(1, 20, 3))", .gives = "1"},
    {.name = "array_position", .signature = "(array: array<T>, value: T) -> long", .lower = array_position,
     .doc = "Position of the first such element, from 1; 0 when absent.", .example = "array_position(array(3, 2, 1), 1)", .gives = "3"},
    {.name = "array_prepend", .signature = "(array: array<T>, element: T) -> array<T>", .lowering = "CASE WHEN {0} IS NOT NULL THEN list_prepend({1}, {0}) END",
     .doc = "With an element at the start.", .example = "array_prepend(array('b', 'd'), 'a')", .gives = "[a, b, d]"},
    {.name = "array_remove", .signature = "(array: array<T>, element: T) -> array<T>", .lowering = "CASE WHEN {1} IS NOT NULL THEN list_filter({0}, lambda x: x IS DISTINCT FROM {1}) END",
     .doc = "Without the elements equal to one.", .example = "array_remove(array(1, 2, 3, NULL, 3), 3)", .gives = "[1, 2, null]"},
    {.name = "array_repeat", .signature = "(element: T, count: int) -> array<T>", .exact_numbers = true, .lowering = "list_transform(range(greatest({1}, 0)), lambda x: {0})",
     .doc = "The element a number of times.", .example = "array_repeat('123', 2)", .gives = "[123, 123]"},
    {.name = "array_size", .signature = "(array: array<T>) -> int", .lowering = "len({0})",
     .doc = "Number of elements.", .example = "array_size(array('b', 'd'))", .gives = "2"},
    {.name = "array_sort", .signature = "(array: array<T>) -> array<T>", .lowering = "list_sort({0}, 'ASC', 'NULLS LAST')", .print = "array_sort({0}, lambdafunction((IF(((namedlambdavariable() IS NULL) AND (namedlambdavariable() IS NULL)), 0, (IF((namedlambdavariable() IS NULL), 1, (IF((namedlambdavariable() IS NULL), -1, (IF((namedlambdavariable() < namedlambdavariable()), -1, (IF((namedlambdavariable() > namedlambdavariable()), 1, 0)))))))))), namedlambdavariable(), namedlambdavariable()))",
     .doc = "In ascending order, nulls last.", .example = "array_sort(array(5, NULL, 1))", .gives = "[1, 5, null]"},
    {.name = "array_sort", .signature = "(array: array<T>, comparator: any) -> array<T>", .lower = array_sort_by},
    {.name = "array_union", .signature = "(left: array<T>, right: array<T>) -> array<T>", .lowering = "CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL THEN list_filter(list_concat({0}, {1}), lambda x, i: list_position(list_concat({0}, {1}), x) = i) END",
     .doc = "The different elements of both.", .example = "array_union(array(1, 2, 3), array(1, 3, 5))", .gives = "[1, 2, 3, 5]"},
    {.name = "arrays_overlap", .signature = "(left: array<T>, right: array<T>) -> boolean", .lowering = "CASE WHEN list_has_any({0}, {1}) THEN true WHEN len({0}) > 0 AND len({1}) > 0 AND (len(list_filter({0}, lambda x: x IS NULL)) > 0 OR len(list_filter({1}, lambda x: x IS NULL)) > 0) THEN NULL ELSE list_has_any({0}, {1}) END", .nulls = Nulls::kAlways,
     .doc = "Whether both share an element.", .example = "arrays_overlap(array(1, 2, 3), array(3, 4, 5))", .gives = "true"},
    {.name = "arrays_zip", .signature = "(array: any...) -> any", .lower = arrays_zip,
     .doc = "An array of structs of the elements at each position.", .example = "arrays_zip(array(1, 2), array(2, 3))", .gives = "[{1, 2}, {2, 3}]"},
    {.name = "cardinality", .signature = "(collection: array<T>) -> int", .lowering = "len({0})",
     .doc = "Number of elements.", .example = "cardinality(array('b', 'd'))", .gives = "2"},
    {.name = "cardinality", .signature = "(collection: map<K, V>) -> int", .lowering = "cardinality({0})"},
    {.name = "element_at", .signature = "(collection: any, key: any) -> any", .lower = element_at, .nulls = Nulls::kAlways,
     .doc = "The element at a position from 1, or a map's value.", .example = "element_at(array(1, 2, 3), 2)", .gives = "2"},
    {.name = "exists", .signature = "(array: array<T>, condition: any) -> boolean", .lower = exists, .nulls = Nulls::kAlways,
     .doc = "Whether the condition holds for an element.", .example = "exists(array(1, 2, 3), x -> x % 2 = 0)", .gives = "true"},
    {.name = "filter", .signature = "(array: array<T>, condition: any) -> array<T>", .lower = filter,
     .doc = "The elements for which the condition holds.", .example = "filter(array(1, 2, 3), x -> x % 2 = 1)", .gives = "[1, 3]"},
    {.name = "flatten", .signature = "(arrays: array<array<T>>) -> array<T>", .lowering = "CASE WHEN len(list_filter({0}, lambda e: e IS NULL)) = 0 THEN flatten({0}) END",
     .doc = "An array of arrays as one array.", .example = "flatten(array(array(1, 2), array(3)))", .gives = "[1, 2, 3]"},
    {.name = "forall", .signature = "(array: array<T>, condition: any) -> boolean", .lower = forall, .nulls = Nulls::kAlways,
     .doc = "Whether the condition holds for every element.", .example = "forall(array(2, 4, 8), x -> x % 2 = 0)", .gives = "true"},
    {.name = "get", .signature = "(array: array<T>, index: int) -> T", .lowering = "CASE WHEN {1} >= 0 THEN list_extract({0}, {1} + 1) END", .nulls = Nulls::kAlways,
     .doc = "The element at an index from 0; null outside.", .example = "get(array(1, 2, 3), 0)", .gives = "1"},
    {.name = "map", .signature = "([key_or_value: any...]) -> map<any, any>", .lower = map_of,
     .doc = "A map of keys and values in turn.", .example = "map('a', 1, 'b', 2)", .gives = "{a -> 1, b -> 2}"},
    {.name = "map_concat", .signature = "(map: map<K, V>...) -> map<K, V>", .lower = map_concat,
     .doc = "The entries of all maps.", .example = "map_concat(map(1, 'a', 2, 'b'), map(3, 'c'))", .gives = "{1 -> a, 2 -> b, 3 -> c}"},
    {.name = "map_contains_key", .signature = "(map: map<K, V>, key: K) -> boolean", .lowering = "list_contains(map_keys({0}), {1})",
     .doc = "Whether the map has the key.", .example = "map_contains_key(map(1, 'a', 2, 'b'), 1)", .gives = "true"},
    {.name = "map_entries", .signature = "(map: map<K, V>) -> any", .lower = map_entries,
     .doc = "The entries as structs of key and value.", .example = "map_entries(map(1, 'a', 2, 'b'))", .gives = "[{1, a}, {2, b}]"},
    {.name = "map_filter", .signature = "(map: map<K, V>, condition: any) -> map<K, V>", .lower = map_filter,
     .doc = "The entries for which the condition holds.", .example = "map_filter(map(1, 0, 2, 2, 3, -1), (k, v) -> k > v)", .gives = "{1 -> 0, 3 -> -1}"},
    {.name = "map_from_arrays", .signature = "(keys: array<K>, values: array<V>) -> map<K, V>", .lowering = "map({0}, {1})",
     .doc = "A map of keys and values.", .example = "map_from_arrays(array(1.0, 3.0), array('2', '4'))", .gives = "{1.0 -> 2, 3.0 -> 4}"},
    {.name = "map_from_entries", .signature = "(entries: any) -> any", .lower = map_from_entries,
     .doc = "A map of an array of structs.", .example = "map_from_entries(array(struct(1, 'a'), struct(2, 'b')))", .gives = "{1 -> a, 2 -> b}"},
    {.name = "map_keys", .signature = "(map: map<K, V>) -> array<K>", .lowering = "map_keys({0})",
     .doc = "The keys.", .example = "map_keys(map(1, 'a', 2, 'b'))", .gives = "[1, 2]"},
    {.name = "map_values", .signature = "(map: map<K, V>) -> array<V>", .lowering = "map_values({0})",
     .doc = "The values.", .example = "map_values(map(1, 'a', 2, 'b'))", .gives = "[a, b]"},
    {.name = "map_zip_with", .signature = "(left: any, right: any, merge: any) -> any", .lower = map_zip_with,
     .doc = "Two maps merged, key by key.", .example = "map_zip_with(map(1, 'a', 2, 'b'), map(1, 'x', 2, 'y'), (k, v1, v2) -> concat(v1, v2))", .gives = "{1 -> ax, 2 -> by}"},
    {.name = "named_struct", .signature = "(name_or_value: any...) -> struct", .lower = named_struct,
     .doc = "A struct of names and values in turn.", .example = "named_struct('a', 1, 'b', 'x')", .gives = "{1, x}"},
    {.name = "reduce", .signature = "(array: array<T>, start: any, merge: any, [finish: any]) -> any", .lower = fold, .nulls = Nulls::kAlways,
     .doc = "The elements merged into one value.", .example = "reduce(array(1, 2, 3), 0, (acc, x) -> acc + x)", .gives = "6"},
    {.name = "sequence", .signature = "(start: any, stop: any, [step: any]) -> any", .lower = sequence,
     .doc = "The numbers from start to stop.", .example = "sequence(1, 5)", .gives = "[1, 2, 3, 4, 5]"},
    {.name = "shuffle", .signature = "(array: any, [seed: long]) -> any", .of_resolver = true,
     .doc = "The elements in random order. With a seed, Spark's order for the row of that place in one partition.", .example = "shuffle(array(1, 2, 3, 4), 42)", .gives = "[4, 3, 2, 1]"},
    {.name = "size", .signature = "(collection: array<T>) -> int", .lowering = "len({0})",
     .doc = "Number of elements.", .example = "size(array('b', 'd', 'c', 'a'))", .gives = "4"},
    {.name = "size", .signature = "(collection: map<K, V>) -> int", .lowering = "cardinality({0})"},
    {.name = "slice", .signature = "(array: array<T>, start: int, length: int) -> array<T>", .lower = slice,
     .doc = "A part of the array.", .example = "slice(array(1, 2, 3, 4), 2, 2)", .gives = "[2, 3]"},
    {.name = "sort_array", .signature = "(array: array<T>) -> array<T>", .lowering = "list_sort({0}, 'ASC', 'NULLS FIRST')", .print = "sort_array({0}, true)",
     .doc = "In ascending order.", .example = "sort_array(array('b', 'd', 'c', 'a'))", .gives = "[a, b, c, d]"},
    {.name = "sort_array", .signature = "(array: array<T>, ascending: boolean) -> array<T>", .lower = sort_array},
    {.name = "struct", .signature = "(field: any...) -> struct", .lower = struct_of,
     .doc = "A struct of its arguments.", .example = "struct(1, 2, 3)", .gives = "{1, 2, 3}"},
    {.name = "transform", .signature = "(array: array<T>, function: any) -> any", .lower = transform,
     .doc = "The function applied to every element, and its index from 0.", .example = "array_max(transform(array(1, 2, 3), x -> x + 1))", .gives = "4"},
    {.name = "transform_keys", .signature = "(map: map<K, V>, function: any) -> any", .lower = transform_keys,
     .doc = "The map with new keys.", .example = "transform_keys(map(1, 1, 2, 2), (k, v) -> k + 1)", .gives = "{2 -> 1, 3 -> 2}"},
    {.name = "transform_values", .signature = "(map: map<K, V>, function: any) -> any", .lower = transform_values,
     .doc = "The map with new values.", .example = "transform_values(map(1, 1, 2, 2), (k, v) -> v + 1)", .gives = "{1 -> 2, 2 -> 3}"},
    {.name = "try_element_at", .signature = "(array: array<T>, index: int) -> T", .exact_numbers = true, .lowering = "list_extract({0}, {1})", .nulls = Nulls::kAlways,
     .doc = "The element at a position from 1, or a map's value; null when absent.", .example = "try_element_at(array(1, 2, 3), 5)", .gives = "NULL"},
    {.name = "try_element_at", .signature = "(map: map<K, V>, key: K) -> V", .lowering = "{0}[{1}]", .nulls = Nulls::kAlways},
    {.name = "zip_with", .signature = "(left: array<T>, right: array<U>, function: any) -> any", .lower = zip_with,
     .doc = "The function applied to the elements at each position.", .example = "zip_with(array(1, 2), array(3, 4), (x, y) -> x + y)", .gives = "[4, 6]"},
};
// clang-format on
static_assert(checked(kCollections));

std::span<const FunctionSpec> collection_rows() { return kCollections; }

}  // namespace firesteel
