// Calls that are more than a row: those of SQL's own syntax (FILTER, WITHIN GROUP, LIKE ALL),
// grouping(), and functions of the row's number. Typed literals too, whose text the session's time
// zone decides.
#include <fmt/format.h>

#include <algorithm>

#include "lower/resolver.h"

namespace firesteel {

namespace {

using enum TypeKind;

constexpr std::string_view kAnd = "/*and*/", kOver = "/*over*/";

/// FILTER behind an aggregate; where the row has a filter of its own, one more condition of it.
std::string filtered(std::string sql, const std::string& condition) {
  const auto clause = fmt::format(" FILTER (WHERE {})", condition);
  const auto more = fmt::format(" AND ({})", condition);
  if (sql.find(kOver) == std::string::npos) return sql + clause + std::string(kOver);
  for (size_t at = sql.find(kOver); at != std::string::npos;
       at = sql.find(kOver, at + kOver.size())) {
    const size_t own = at < kAnd.size() + 1 ? 0 : at - 1 - kAnd.size();
    const bool has_filter = sql.compare(own, kAnd.size(), kAnd) == 0;
    sql.insert(has_filter ? own : at, has_filter ? more : clause);
    at += has_filter ? more.size() : clause.size();
  }
  return sql;
}

}  // namespace

void Resolver::enter_aggregate(const std::string& name, Scope& scope, Span span) {
  if (!scope.aggregates) {
    throw Error(
        scope.is_key ? "GROUP_BY_AGGREGATE" : "INVALID_WHERE_CONDITION",
        fmt::format("The expression with aggregate function `{}` is not allowed here: use it in "
                    "SELECT or HAVING.",
                    name))
        .at(span);
  }
  if (scope.inside_aggregate) {
    throw Error(
        "NESTED_AGGREGATE_FUNCTION",
        "It is not allowed to use an aggregate function in the argument of another aggregate "
        "function. Please use the inner aggregate function in a sub-query.")
        .at(span);
  }
  scope.uses_aggregate = true;
}

Resolved Resolver::internal_function(const std::string& name,
                                     const proto::Expression::UnresolvedFunction& call,
                                     Scope& scope, Span span) {
  if (name == "aggregate_filter") {
    auto aggregate = expression(call.arguments(0), scope);
    const bool inside = std::exchange(scope.inside_aggregate, true);
    const auto condition = expression(call.arguments(1), scope);
    scope.inside_aggregate = inside;
    aggregate.sql = filtered(std::move(aggregate.sql), condition.sql);
    aggregate.name += fmt::format(" FILTER (WHERE {})", condition.name);
    return aggregate;
  }
  if (name == "within_group") return within_group(call, scope, span);
  if (name == "distributed_sequence_id") return numbered(name, call, scope, span);
  if (name == "variant_path") {
    const auto value = expression(call.arguments(0), scope);
    if (value.type.kind != kVariant && !value.is_null()) {
      throw Error("COLUMN_IS_NOT_VARIANT_TYPE",
                  "The semi-structured extraction operator (`:`) can only be applied to a column "
                  "of the VARIANT type.")
          .at(span);
    }
    return resolve_call(find_function("variant_get"), {value, expression(call.arguments(1), scope)},
                        {.name = "variant_get", .span = span, .time_zone = settings_.time_zone});
  }
  if (name.ends_with("likeall") || name.ends_with("likeany")) {
    const auto value = expression(call.arguments(0), scope);
    const bool all = name.ends_with("all"), negated = name.starts_with("not");
    Resolved result{
        .sql = "", .type = make_type(kBoolean), .name = fmt::format("{}({})", name, value.name)};
    for (int i = 1; i < call.arguments_size(); ++i) {
      const auto one =
          resolve_call(find_function("like"), {value, expression(call.arguments(i), scope)},
                       {.name = "like", .span = span, .time_zone = settings_.time_zone});
      result.sql += fmt::format("{}{}{}",
                                i == 1 ? "("
                                : all  ? " AND "
                                       : " OR ",
                                negated ? "NOT " : "", one.sql);
    }
    result.sql += ")";
    return result;
  }
  // Operators that are functions too, which name their columns otherwise.
  static constexpr std::pair<std::string_view, std::string_view> kOperators[] = {
      {"negative", "(- {})"},
      {"shiftleft", "({} << {})"},
      {"shiftright", "({} >> {})"},
      {"shiftrightunsigned", "({} >>> {})"}};
  for (const auto& [function_name, pattern] : kOperators) {
    if (name != function_name) continue;
    std::vector<Resolved> arguments;
    for (const auto& argument : call.arguments()) arguments.push_back(expression(argument, scope));
    const auto first = arguments.at(0).name, second = arguments.size() > 1 ? arguments[1].name : "";
    auto result = resolve_call(find_function(name), std::move(arguments),
                               {.name = name, .span = span, .time_zone = settings_.time_zone});
    result.name = fmt::format(fmt::runtime(pattern), first, second);
    return result;
  }
  throw Error("UNSUPPORTED_FEATURE.EXPRESSION",
              fmt::format("The internal function `{}` is not supported.", name))
      .at(span);
}

/// An aggregate of ordered values.
Resolved Resolver::within_group(const proto::Expression::UnresolvedFunction& call, Scope& scope,
                                Span span) {
  const auto& inner = call.arguments(0).unresolved_function();
  const auto name = lower_case(inner.function_name());
  const bool lists = name == "listagg" || name == "string_agg";
  const bool percentile = name == "percentile_cont" || name == "percentile_disc";
  if (name == "mode") {
    throw Error("UNSUPPORTED_FEATURE.WITHIN_GROUP",
                "mode() WITHIN GROUP is not supported; write mode(column).")
        .at(span);
  }
  if (!lists && !percentile) {
    throw Error(
        "INVALID_SQL_SYNTAX.FUNCTION_WITH_UNSUPPORTED_SYNTAX",
        fmt::format(
            "Invalid SQL syntax: The function `{}` does not support WITHIN GROUP (ORDER BY ...).",
            name))
        .at(span);
  }
  const int most = lists ? 2 : 1;
  if (inner.arguments_size() < 1 || inner.arguments_size() > most) {
    throw Error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
                fmt::format("The `{}` requires {} parameters but the actual number is {}.", name,
                            lists ? "[1, 2]" : "1", inner.arguments_size()))
        .at(span);
  }
  enter_aggregate(name, scope, span);
  const bool inside = std::exchange(scope.inside_aggregate, true);
  std::vector<Resolved> arguments;
  for (const auto& argument : inner.arguments()) arguments.push_back(expression(argument, scope));
  std::string order, order_name;
  using Order = proto::Expression::SortOrder;
  for (int i = 1; i < call.arguments_size(); ++i) {
    const auto& term = call.arguments(i).sort_order();
    auto value = expression(term.child(), scope);
    if (percentile) value = coerce(value, make_type(kDouble), settings_.time_zone);
    const bool descending = term.direction() == Order::SORT_DIRECTION_DESCENDING;
    const bool first = term.null_ordering() == Order::SORT_NULLS_FIRST ||
                       (term.null_ordering() == Order::SORT_NULLS_UNSPECIFIED && !descending);
    const auto ends = fmt::format(" NULLS {}", first ? "FIRST" : "LAST");
    order += fmt::format("{}{} {}{}", i > 1 ? ", " : "", value.sql, descending ? "DESC" : "ASC",
                         percentile ? "" : ends);
    order_name += fmt::format(
        "{}{}{}", i > 1 ? ", " : "", value.name,
        percentile ? (descending ? " DESC" : "") : (descending ? " DESC" : " ASC") + ends);
  }
  scope.inside_aggregate = inside;
  Resolved result;
  if (percentile) {
    if (call.arguments_size() != 2) {
      throw Error("INVALID_WITHIN_GROUP_EXPRESSION.WRONG_NUM_ORDERINGS",
                  fmt::format("`{}` requires 1 ordering in WITHIN GROUP but got {}.", name,
                              call.arguments_size() - 1))
          .at(span);
    }
    const auto& share = arguments[0];
    const bool many = share.type.kind == kArray;
    const auto type = many ? array_type(make_type(kDouble)) : make_type(kDouble);
    const bool descending = order.ends_with(" DESC");
    if (descending && scope.windowed) {
      throw Error(
          "UNSUPPORTED_FEATURE.WITHIN_GROUP",
          fmt::format("{} WITHIN GROUP (ORDER BY … DESC) is not supported with OVER.", name))
          .at(span);
    }
    const auto share_sql = coerce(share, type, settings_.time_zone).sql;
    const char* ascending = name == "percentile_cont" ? "quantile_cont" : "quantile_disc";
    result = {.sql = descending
                         ? fmt::format("{}({}) WITHIN GROUP (ORDER BY {})", name, share_sql, order)
                         : fmt::format("{}({}, {})", ascending, order.substr(0, order.size() - 4),
                                       share_sql),
              .type = many ? array_type(make_type(kDouble), false) : type,
              .name = fmt::format("{}({})", name, share.name)};
  } else {
    for (auto& value : arguments) value = coerce(value, make_type(kString), settings_.time_zone);
    const char* distinct = inner.is_distinct() ? "DISTINCT " : "";
    result = {.sql = fmt::format("string_agg({}{}, {} ORDER BY {})", distinct, arguments[0].sql,
                                 arguments.size() > 1 ? arguments[1].sql : "''", order),
              .type = make_type(kString),
              .name = fmt::format("listagg({}{}, {})", distinct, arguments[0].name,
                                  arguments.size() > 1 ? arguments[1].name : "NULL")};
  }
  result.name += fmt::format(" WITHIN GROUP (ORDER BY {})", order_name);
  return result;
}

/// grouping(key), grouping_id([key, …]): which keys a row of ROLLUP, CUBE or GROUPING SETS leaves
/// out.
Resolved Resolver::grouping(const std::string& name,
                            const proto::Expression::UnresolvedFunction& call, Scope& scope,
                            Span span) {
  if (!scope.grouping) {
    throw Error("UNSUPPORTED_GROUPING_EXPRESSION",
                "grouping()/grouping_id() can only be used with GroupingSets/Cube/Rollup.")
        .at(span);
  }
  const bool one = name == "grouping";
  if (one && call.arguments_size() != 1) {
    throw Error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
                fmt::format("The `grouping` requires 1 parameters but the actual number is {}.",
                            call.arguments_size()))
        .at(span);
  }
  enter_aggregate(name, scope, span);
  const bool inside = std::exchange(scope.inside_aggregate, true);
  std::string keys, names;
  for (const auto& argument : call.arguments()) {
    const auto key = expression(argument, scope);
    const bool known = std::any_of(scope.grouping->begin(), scope.grouping->end(),
                                   [&](const Resolved& other) { return other.sql == key.sql; });
    if (!known || (!one && call.arguments_size() != static_cast<int>(scope.grouping->size()))) {
      throw Error(
          one ? "GROUPING_COLUMN_MISMATCH" : "GROUPING_ID_COLUMN_MISMATCH",
          fmt::format("Column of {} ({}) can't be found in grouping columns.", name, key.name))
          .at(span);
    }
    keys += (keys.empty() ? "" : ", ") + key.sql;
    names += (names.empty() ? "" : ", ") + key.name;
  }
  scope.inside_aggregate = inside;
  if (call.arguments_size() == 0) {
    for (const auto& key : *scope.grouping) keys += (keys.empty() ? "" : ", ") + key.sql;
  }
  const auto type = make_type(one ? kByte : kLong);
  return {.sql = fmt::format("CAST(GROUPING({}) AS {})", keys, duckdb_type(type)),
          .type = type,
          .nullable = false,
          .name = fmt::format("{}({})", name, names)};
}

/// The row's number from 0, where rows have one.
std::string Resolver::row_number(const std::string& name, Scope& scope, Span span) {
  if (scope.inside_aggregate) {
    throw Error("AGGREGATE_FUNCTION_WITH_NONDETERMINISTIC_EXPRESSION",
                fmt::format("Non-deterministic expression {}() should not appear in the arguments "
                            "of an aggregate function.",
                            name))
        .at(span);
  }
  if (scope.is_key) {
    throw Error("UNSUPPORTED_FEATURE.NONDETERMINISTIC_KEY",
                fmt::format("{}() cannot be a key of GROUP BY; put it in a column first.", name))
        .at(span);
  }
  scope.uses_row = true;
  return fmt::format("({} - 1)", scope.row.empty() ? "row_number() OVER ()" : scope.row);
}

/// The seed of a random function, which must be a literal.
std::string Resolver::seed(const std::string& name, const Resolved& given, Span span) {
  if (!given.is_null() && (given.literal.empty() || !given.type.is_integral())) {
    throw Error(
        "SEED_EXPRESSION_IS_UNFOLDABLE",
        fmt::format("The seed expression \"{}\" of the expression \"{}({})\" must be foldable.",
                    given.name, name, given.name))
        .at(span);
  }
  return fmt::format("CAST({} AS BIGINT)", given.is_null() ? "0" : given.literal);
}

/// rand(seed), randn(seed) and monotonically_increasing_id(): functions of the row's number.
Resolved Resolver::numbered(const std::string& name,
                            const proto::Expression::UnresolvedFunction& call, Scope& scope,
                            Span span) {
  const auto* partition = hidden_column(scope, kPartition);
  if (partition && name == "monotonically_increasing_id") {
    return {.sql = fmt::format("(CAST({} AS BIGINT) * 8589934592 + {})", partition->sql,
                               hidden_column(scope, kPartitionRow)->sql),
            .type = make_type(kLong),
            .nullable = false,
            .name = name + "()"};
  }
  const auto row = row_number(name, scope, span);
  if (call.arguments().empty()) {
    return {.sql = row, .type = make_type(kLong), .nullable = false, .name = name + "()"};
  }
  const auto given = expression(call.arguments(0), scope);
  return {.sql = fmt::format("spark_{}({}, {})", name, seed(name, given, span), row),
          .type = make_type(kDouble),
          .nullable = false,
          .name = fmt::format("{}({})", name, given.name)};
}

/// uniform(min, max[, seed]) and randstr(length[, seed]): drawn as rand(seed) is.
Resolved Resolver::drawn(const std::string& name, const proto::Expression::UnresolvedFunction& call,
                         Scope& scope, Span span) {
  const int count = name == "uniform" ? 2 : 1;
  if (call.arguments_size() < count || call.arguments_size() > count + 1) {
    throw Error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
                fmt::format("The `{}` requires [{}, {}] parameters but the actual number is {}.",
                            name, count, count + 1, call.arguments_size()))
        .at(span);
  }
  std::vector<Resolved> arguments;
  std::string names;
  for (const auto& argument : call.arguments()) {
    arguments.push_back(expression(argument, scope));
    names += (names.empty() ? "" : ", ") + arguments.back().name;
    if (arguments.back().sql.find('"') != std::string::npos) {  // it names a column
      throw Error(
          "DATATYPE_MISMATCH.NON_FOLDABLE_INPUT",
          fmt::format("Cannot resolve \"{}\" due to data type mismatch: the input should be "
                      "foldable; however, got \"{}\".",
                      name, arguments.back().name))
          .at(span);
    }
  }
  const bool seeded = call.arguments_size() > count;
  const auto place = seeded ? fmt::format("{}, {}", seed(name, arguments[count], span),
                                          row_number(name, scope, span))
                            : "CAST(random() * 1e18 AS BIGINT), 0";
  Resolved result{.sql = "", .nullable = false, .name = fmt::format("{}({})", name, names)};
  if (name == "randstr") {
    if (arguments[0].literal.starts_with('-')) {
      throw Error("DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE",
                  fmt::format("Cannot resolve \"{}\" due to data type mismatch: The length must be "
                              "between [0, 2147483647] (current value = {}).",
                              result.name, arguments[0].literal))
          .at(span);
    }
    result.sql = fmt::format("spark_randstr({}, {})", arguments[0].sql, place);
    result.type = make_type(kString);
    return result;
  }
  const auto &low = arguments[0], &high = arguments[1];
  const auto type = [&]() -> std::optional<DataType> {
    const auto is_single = [](const Resolved& x) { return x.type.kind == kFloat; };
    if ((is_single(low) && high.type.is_integral()) || (is_single(high) && low.type.is_integral()))
      return make_type(kFloat);
    const bool decimal = low.type.kind == kDecimal || high.type.kind == kDecimal;
    return decimal && !low.type.is_fractional() && !high.type.is_fractional()
               ? common_type(decimal_for(low), decimal_for(high))
               : common_type(low.type, high.type);
  }();
  if (!type || !type->is_numeric()) {
    throw Error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                fmt::format("Cannot resolve \"{}\" due to data type mismatch: the bounds must be "
                            "numbers, not \"{}\" and \"{}\".",
                            result.name, low.type.sql(), high.type.sql()))
        .at(span);
  }
  result.type = low.is_null() || high.is_null() ? make_type(kDouble) : *type;
  result.nullable = low.is_null() || high.is_null();
  const auto drawn =
      fmt::format("(CAST({0} AS DOUBLE) + CAST({1} - {0} AS DOUBLE) * spark_rand({2}))", low.sql,
                  high.sql, place);
  result.sql =
      fmt::format("CAST({} AS {})", result.type.is_integral() ? "trunc(" + drawn + ")" : drawn,
                  duckdb_type(result.type));
  return result;
}

/// A column that no star shows, where there is one.
const Attribute* Resolver::hidden_column(const Scope& scope, const char* name) {
  for (const auto* level : scope.levels) {
    for (const auto& attribute : *level) {
      if (attribute.name == name && attribute.of_file) return &attribute;
    }
  }
  return nullptr;
}

/// Of the file that a row is of: its URI, and where the part that was read begins and how long it
/// is. Without a file "" and -1.
Resolved Resolver::of_input_file(const std::string& name, Scope& scope, Span span) {
  const Attribute* file = nullptr;
  for (const auto* level : scope.levels) {
    for (const auto& attribute : *level) {
      if (attribute.name != kInputFile || !attribute.of_file) continue;
      if (file && file->sql != attribute.sql) {
        throw Error(
            "MULTI_SOURCES_UNSUPPORTED_FOR_EXPRESSION",
            fmt::format("The expression \"{}()\" does not support more than one source.", name))
            .at(span);
      }
      file = &attribute;
    }
  }
  const bool is_name = name == "input_file_name";
  Resolved value{.sql = is_name ? "''" : "CAST(-1 AS BIGINT)",
                 .type = make_type(is_name ? TypeKind::kString : TypeKind::kLong),
                 .nullable = false,
                 .name = name + "()",
                 .span = span};
  if (file && name == "input_file_block_start") {
    value.sql = "CAST(0 AS BIGINT)";
  } else if (file) {
    value.sql = fmt::format("{}({})", is_name ? "spark_file_uri" : "spark_file_size", file->sql);
  }
  return value;
}

/// shuffle(array[, seed]): with a seed, Spark's permutation for the row of that place in one
/// partition, which depends on how many elements the rows before it have.
Resolved Resolver::shuffled(const proto::Expression::UnresolvedFunction& call, Scope& scope,
                            Span span) {
  if (call.arguments_size() < 1 || call.arguments_size() > 2) {
    throw Error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
                fmt::format("The `shuffle` requires [1, 2] parameters but the actual number is {}.",
                            call.arguments_size()))
        .at(span);
  }
  auto array = expression(call.arguments(0), scope);
  if (array.is_null()) array = cast(array, array_type(make_type(kNull)), settings_.time_zone);
  if (array.type.kind != kArray) {
    throw Error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                fmt::format("Cannot resolve \"shuffle({0})\" due to data type mismatch: The first "
                            "parameter requires the \"ARRAY\" type, however \"{0}\" has the type "
                            "\"{1}\".",
                            array.name, array.type.sql()))
        .at(span);
  }
  std::string start = "CAST(random() * 1e18 AS BIGINT)", before = "0";
  if (call.arguments_size() > 1) {
    start = seed("shuffle", expression(call.arguments(1), scope), span);
    row_number("shuffle", scope, span);
    before = fmt::format(
        "CAST(coalesce(sum(len({})) OVER ({}ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) "
        "AS "
        "BIGINT)",
        array.sql, scope.row.empty() ? "" : fmt::format("ORDER BY {} ", scope.row));
  }
  return {.sql = fmt::format(
              "list_select({0}, spark_shuffled_order(CAST(len({0}) AS BIGINT), {1}, {2}))",
              array.sql, start, before),
          .type = array.type,
          .nullable = array.nullable,
          .name = fmt::format("shuffle({})", array.name)};
}

/// Microseconds of text such as '5 minutes'.
int64_t Resolver::duration(const proto::Expression& expression, const std::string& function,
                           Span span) {
  const auto& text = expression.literal().string();
  std::optional<int64_t> micros;
  try {
    const auto parsed = catalog_->parse_expression(fmt::format("INTERVAL {}", sql_string(text)));
    if (parsed.literal().has_day_time_interval()) micros = parsed.literal().day_time_interval();
  } catch (const Error&) {  // no interval: refused below, by the function's name
  }
  if (!micros) {
    throw Error("CANNOT_PARSE_INTERVAL", fmt::format("Unable to parse '{}' of {}: it takes text of "
                                                     "days or shorter units, such as '5 minutes'.",
                                                     text, function))
        .at(span);
  }
  return *micros;
}

/// window(time, duration[, slide[, start]]): the window of fixed length that a time falls in.
Resolved Resolver::time_window(const proto::Expression::UnresolvedFunction& call, Scope& scope,
                               Span span) {
  if (call.arguments_size() < 2 || call.arguments_size() > 4) {
    throw Error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
                fmt::format("The `window` requires [2, 4] parameters but the actual number is {}.",
                            call.arguments_size()))
        .at(span);
  }
  auto time = expression(call.arguments(0), scope);
  if (time.type.kind == kStruct && time.type.fields->size() == 2) {  // a window: its last moment
    const auto type = time.type.fields->at(1).type;
    time.sql = fmt::format("(struct_extract({}, 'end') - to_microseconds(1))", time.sql);
    time.type = type;
  }
  if (time.type.kind != kTimestampNtz)
    time = coerce(time, make_type(kTimestamp), settings_.time_zone);
  const int64_t length = duration(call.arguments(1), "window", span);
  const int64_t slide =
      call.arguments_size() > 2 ? duration(call.arguments(2), "window", span) : length;
  const int64_t start = call.arguments_size() > 3 ? duration(call.arguments(3), "window", span) : 0;
  if (length <= 0 || slide <= 0 || slide > length || start >= slide || start <= -slide) {
    throw Error("DATATYPE_MISMATCH.PARAMETER_CONSTRAINT_VIOLATION",
                "window() takes a duration above zero, a slide above zero and at most the "
                "duration, and a start within the slide.")
        .at(span);
  }
  if (slide != length && !scope.is_key) {
    throw Error("UNSUPPORTED_FEATURE.SLIDING_WINDOW",
                "window() with a slide other than its duration stands in GROUP BY alone.")
        .at(span);
  }
  const auto micros = fmt::format("epoch_us({})", time.sql);
  const auto begin = fmt::format("({0} - ((({0} - {1}) % {2}) + {2}) % {2})", micros, start, slide);
  const auto type = struct_type({{"start", time.type, true}, {"end", time.type, true}});
  if (slide != length) {
    const auto first = fmt::format("({} - i * {})", begin, slide);
    return {
        .sql = fmt::format("list_filter(list_transform(range({0}), lambda i: struct_pack(\"start\" "
                           ":= make_timestamp({1}), \"end\" := make_timestamp({1} + {2}))), "
                           "lambda w: {3} < struct_extract(w, 'end'))",
                           (length + slide - 1) / slide, first, length, time.sql),
        .type = array_type(type, false),
        .nullable = time.nullable,
        .name = "window"};
  }
  return {.sql = fmt::format("CASE WHEN {0} IS NOT NULL THEN struct_pack(\"start\" := "
                             "make_timestamp({1}), \"end\" := make_timestamp({1} + {2})) END",
                             time.sql, begin, length),
          .type = type,
          .nullable = time.nullable,
          .name = "window"};
}

/// session_window(time, gap): the session of a time alone. GROUP BY merges those that meet.
Resolved Resolver::session_window(const proto::Expression::UnresolvedFunction& call, Scope& scope,
                                  Span span) {
  if (call.arguments_size() != 2) {
    throw Error(
        "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
        fmt::format("The `session_window` requires 2 parameters but the actual number is {}.",
                    call.arguments_size()))
        .at(span);
  }
  auto time = expression(call.arguments(0), scope);
  if (time.type.kind == kStruct && time.type.fields->size() == 2) {  // a session already
    time.name = "session_window";
    return time;
  }
  if (time.type.kind != kTimestampNtz)
    time = coerce(time, make_type(kTimestamp), settings_.time_zone);
  auto gap = expression(call.arguments(1), scope);
  if (call.arguments(1).literal().has_string())
    duration(call.arguments(1), "session_window", span);  // refuses what is none
  if (gap.type.kind == kString) gap = cast(gap, make_type(kCalendarInterval), settings_.time_zone);
  if (gap.type.kind != kCalendarInterval) {
    throw Error("_LEGACY_ERROR_TEMP_1040",
                fmt::format("Gap duration expression used in session window must be "
                            "CalendarIntervalType, but got {}.",
                            gap.type.sql()))
        .at(span);
  }
  return {
      .sql = fmt::format("CASE WHEN {0} + {1} > {0} THEN struct_pack(\"start\" := {0}, \"end\" := "
                         "{0} + {1}) END",
                         time.sql, gap.sql),
      .type = struct_type({{"start", time.type, true}, {"end", time.type, true}}),
      .nullable = true,
      .name = "session_window"};
}

/// A timestamp literal of SQL that gives one: its name is its text in the session's time zone.
Resolved Resolver::timestamp_literal(const std::string& sql, TypeKind kind) {
  Resolved result{.sql = sql, .type = make_type(kind), .nullable = false};
  const auto text = cast(result, make_type(kString), settings_.time_zone);
  result.name = fmt::format("{} '{}'", kind == kTimestamp ? "TIMESTAMP" : "TIMESTAMP_NTZ",
                            catalog_->evaluate(text.sql).value_or("NULL"));
  return result;
}

/// TIMESTAMP'…', TIMESTAMP_NTZ'…' and TIME'…', which the parser leaves as casts of their text.
Resolved Resolver::typed_literal(const proto::Expression::Cast& cast_proto, Span span) {
  const auto type = type_from_proto(cast_proto.type());
  const auto text = literal(cast_proto.expr().literal());
  const auto value = cast(text, type, settings_.time_zone, true);
  const auto micros = catalog_->evaluate(fmt::format("epoch_us({})", value.sql));
  if (!micros) {
    throw Error("INVALID_TYPED_LITERAL",
                fmt::format("The value of the typed literal \"{}\" is invalid: '{}'.", type.sql(),
                            text.literal))
        .at(span);
  }
  if (type.kind == kTime) {
    const auto sql = time_sql(*micros);
    return {
        .sql = sql,
        .type = type,
        .nullable = false,
        .name = fmt::format(
            "TIME '{}'", catalog_->evaluate(fmt::format("CAST({} AS VARCHAR)", sql)).value_or(""))};
  }
  return timestamp_literal(fmt::format("make_timestamp({})", *micros), type.kind);
}

}  // namespace firesteel
