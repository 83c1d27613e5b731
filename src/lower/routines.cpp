// Functions that make rows (generators, range), and functions that users write in SQL.
#include <fmt/format.h>

#include <algorithm>

#include "lower/python_task.h"
#include "lower/resolver.h"

namespace firesteel {

namespace {

using enum TypeKind;

[[noreturn]] void wrong_type(const std::string& name, const Resolved& value,
                             const std::string& wanted, Span span) {
  throw Error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
              fmt::format("Cannot resolve \"{}({})\" due to data type mismatch: The first "
                          "parameter requires the {} type, however \"{}\" has the type \"{}\".",
                          name, value.name, wanted, value.name, value.type.sql()))
      .at(span);
}

[[noreturn]] void wrong_count(const std::string& name, const std::string& wanted, size_t given,
                              Span span) {
  throw Error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
              fmt::format("The `{}` requires {} parameters but the actual number is {}.", name,
                          wanted, given))
      .at(span);
}

}  // namespace

bool is_generator_name(const std::string& name) {
  const auto rows = find_function(name);
  return !rows.empty() && rows.front()->kind == FunctionKind::kGenerator;
}

Query Resolver::table_function(const proto::UnresolvedTableValuedFunction& function, Span span) {
  const auto parts = split_name(function.function_name());
  const auto name = lower_case(parts.back());
  auto given = list_of(function.arguments());
  if (const auto python = python_table_named(parts, given))
    return python_table(*python, given, span);
  if (!is_generator_name(name) && name != "range" && name != "sql_keywords") {
    if (const auto routine = catalog_->routine(parts, names_); routine && routine->table)
      return table_routine(*routine, list_of(function.arguments()), quoted(parts), span);
  }
  Scope scope;
  std::vector<Resolved> arguments;
  for (const auto& argument : function.arguments()) {
    const bool named = argument.has_named_argument_expression();
    arguments.push_back(
        expression(named ? argument.named_argument_expression().value() : argument, scope));
  }
  if (name == "range") return range_rows(arguments, span);
  if (name == "sql_keywords" && arguments.empty()) return keyword_rows();
  const bool outer = name.ends_with("_outer");
  const std::string base = outer ? name.substr(0, name.size() - 6) : name;
  if (base == "stack") return stack_rows(arguments, span);
  if (base == "json_tuple") return json_tuple_rows(arguments, span);
  if (base == "variant_explode") {
    if (arguments.size() != 1) wrong_count(name, "1", arguments.size(), span);
    if (arguments[0].type.kind != kVariant) wrong_type(name, arguments[0], "\"VARIANT\"", span);
    // Its entries as structs of position, key and value.
    arguments[0].sql = fmt::format("spark_variant_entries({}, 'VOID', '', {})", arguments[0].sql,
                                   sql_string(settings_.time_zone));
    arguments[0].type = array_type(struct_type({{"pos", make_type(kInteger), false},
                                                {"key", make_type(kString), true},
                                                {"value", make_type(kVariant), false}}));
    return exploded_rows("inline", name, arguments[0], outer, span);
  }
  if (base == "explode" || base == "posexplode" || base == "inline") {
    if (arguments.size() != 1) wrong_count(name, "1", arguments.size(), span);
    return exploded_rows(base, name, arguments[0], outer, span);
  }
  throw Error(
      "UNRESOLVABLE_TABLE_VALUED_FUNCTION",
      fmt::format("Could not resolve `{}` to a table-valued function. Please make sure that "
                  "`{}` is defined as a table-valued function and that all required "
                  "parameters are provided correctly.",
                  function.function_name(), function.function_name()))
      .at(span);
}

Query Resolver::range_rows(const std::vector<Resolved>& arguments, Span span) {
  if (arguments.empty() || arguments.size() > 4)
    wrong_count("range", "[1, 4]", arguments.size(), span);
  Query query;
  query.output = {fresh("id", make_type(kLong), false)};
  std::string list;
  for (size_t i = 0; i < arguments.size() && i < 3; ++i) {
    list += (i ? ", " : "") + coerce(arguments[i], make_type(kLong), settings_.time_zone).sql;
  }
  query.select.from = fmt::format("(SELECT range AS {} FROM range({}))", query.output[0].sql, list);
  return query;
}

Query Resolver::exploded_rows(const std::string& base, const std::string& name, Resolved& list,
                              bool outer, Span span) {
  const bool map = list.type.kind == kMap;
  if (base == "inline" && (list.type.kind != kArray || list.type.element().kind != kStruct)) {
    wrong_type(name, list, "\"ARRAY<STRUCT>\"", span);
  }
  if (!map && list.type.kind != kArray) wrong_type(name, list, "(\"ARRAY\" or \"MAP\")", span);
  const auto values = map ? fmt::format("map_entries({})", list.sql) : list.sql;
  const bool numbered = base == "posexplode";
  auto items =
      numbered ? fmt::format("list_transform({}, lambda e, i: struct_pack(e := e, p := i))", values)
               : values;
  if (outer) {
    items = fmt::format("CASE WHEN {0} IS NULL OR len({0}) = 0 THEN [NULL] ELSE {1} END", values,
                        items);
  }
  auto query = element_rows(items);
  const auto& element = query.elements->element;
  const auto value = numbered ? fmt::format("struct_extract({}, 'e')", element) : element;
  const auto add = [&](const std::string& column, DataType type, std::string sql) {
    auto attribute = fresh(column, std::move(type), true);
    attribute.computed = std::move(sql);
    query.output.push_back(std::move(attribute));
  };
  if (numbered) {
    add("pos", make_type(kInteger),
        fmt::format("CAST(struct_extract({}, 'p') - 1 AS INTEGER)", element));
  }
  if (map) {
    add("key", list.type.key(), fmt::format("struct_extract({}, 'key')", value));
    add("value", list.type.value(), fmt::format("struct_extract({}, 'value')", value));
  } else if (base == "inline") {
    for (const auto& field : *list.type.element().fields)
      add(field.name, field.type,
          fmt::format("struct_extract({}, {})", value, sql_string(field.name)));
  } else {
    add("col", list.type.element(), value);
  }
  return query;
}

/// sql_keywords()
Query Resolver::keyword_rows() {
  static constexpr std::pair<const char*, bool> kKeywords[] = {
#include "lower/keywords.inc"
  };
  std::string rows;
  for (const auto& [keyword, reserved] : kKeywords)
    rows += fmt::format("{}('{}', {})", rows.empty() ? "" : ", ", keyword, reserved);
  Query query;
  query.output = {fresh("keyword", make_type(kString), false),
                  fresh("reserved", make_type(kBoolean), false)};
  query.select.from = fmt::format("(SELECT col0 AS {}, col1 AS {} FROM (VALUES {}))",
                                  query.output[0].sql, query.output[1].sql, rows);
  return query;
}

/// The elements of a list as the one column of a block.
Query Resolver::element_rows(const std::string& list) {
  Query query;
  const auto element = fresh("element", make_type(kNull), true).sql;
  query.elements =
      std::make_shared<const Query::Elements>(Query::Elements{.list = list, .element = element});
  query.select.from = fmt::format("(SELECT unnest({}) AS {})", list, element);
  return query;
}

/// stack(n, a, b, c …): n rows, filled row by row.
Query Resolver::stack_rows(std::vector<Resolved>& arguments, Span span) {
  if (arguments.size() < 2) wrong_count("stack", "> 1", arguments.size(), span);
  const int rows = std::atoi(arguments[0].literal.c_str());
  if (rows < 1) {
    throw Error("DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE",
                fmt::format("Cannot resolve \"stack({})\" due to data type mismatch: The n must be "
                            "between (0, 2147483647] (current value = {}).",
                            arguments[0].name, arguments[0].name))
        .at(span);
  }
  const size_t cells = arguments.size() - 1, width = (cells + rows - 1) / rows;
  std::vector<DataType> types(width, make_type(kNull));
  for (size_t i = 0; i < cells; ++i) {
    auto& type = types[i % width];
    const auto& own = arguments[i + 1].type;
    if (own.kind == kNull) continue;
    if (type.kind != kNull && type != own) {
      throw Error("DATATYPE_MISMATCH.STACK_COLUMN_DIFF_TYPES",
                  fmt::format("Cannot resolve \"stack\" due to data type mismatch: The data type "
                              "of the column ({}) do not have the same type: \"{}\" <> \"{}\".",
                              i % width, type.sql(), own.sql()))
          .at(span);
    }
    type = own;
  }
  std::string list;
  for (int row = 0; row < rows; ++row) {
    std::string fields;
    for (size_t column = 0; column < width; ++column) {
      const size_t i = row * width + column;
      fields += fmt::format("{}c{} := {}", column ? ", " : "", column,
                            i < cells && !arguments[i + 1].is_null()
                                ? cast(arguments[i + 1], types[column], settings_.time_zone).sql
                                : fmt::format("CAST(NULL AS {})", duckdb_type(types[column])));
    }
    list += fmt::format("{}struct_pack({})", row ? ", " : "", fields);
  }
  auto query = element_rows("[" + list + "]");
  for (size_t column = 0; column < width; ++column) {
    auto attribute = fresh(fmt::format("col{}", column), types[column], true);
    attribute.computed = fmt::format("struct_extract({}, 'c{}')", query.elements->element, column);
    query.output.push_back(std::move(attribute));
  }
  return query;
}

Query Resolver::json_tuple_rows(const std::vector<Resolved>& arguments, Span span) {
  if (arguments.size() < 2) wrong_count("json_tuple", "> 1", arguments.size(), span);
  Query query;
  std::string columns;
  for (size_t i = 1; i < arguments.size(); ++i) {
    const auto value =
        resolve_call(find_function("get_json_object"),
                     {arguments[0],
                      {.sql = fmt::format("('$.' || {})", arguments[i].sql),
                       .type = make_type(kString),
                       .literal = arguments[i].literal.empty() ? "" : "$." + arguments[i].literal,
                       .name = arguments[i].name}},
                     {.name = "json_tuple", .span = span, .time_zone = settings_.time_zone});
    auto attribute = fresh(fmt::format("c{}", i - 1), make_type(kString), true);
    columns += fmt::format("{}{} AS {}", i > 1 ? ", " : "", value.sql, attribute.sql);
    query.output.push_back(std::move(attribute));
  }
  query.select.from = fmt::format("(SELECT {})", columns);
  return query;
}

/// The arguments as columns that stand for themselves, for a body that names the parameters; and
/// their names, in the parameters' order.
std::vector<Attribute> Resolver::bound_parameters(const Routine& routine,
                                                  const std::vector<proto::Expression>& arguments,
                                                  const std::string& name, Scope& scope, Span span,
                                                  std::string* written) {
  const auto& parameters = routine.parameters;
  std::vector<std::optional<Resolved>> values(parameters.size());
  if (arguments.size() > parameters.size()) {
    wrong_count(name, std::to_string(parameters.size()), arguments.size(), span);
  }
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (!arguments[i].has_named_argument_expression()) {
      values[i] = expression(arguments[i], scope);
      continue;
    }
    const auto& named = arguments[i].named_argument_expression();
    const auto at = std::find_if(parameters.begin(), parameters.end(), [&](const Field& field) {
      return same_name(field.name, named.key());
    });
    if (at == parameters.end()) {
      throw Error(
          "UNRECOGNIZED_PARAMETER_NAME",
          fmt::format("Cannot invoke routine {} because the routine call included a named "
                      "argument reference for the argument named `{}`, but this routine does "
                      "not include any signature containing an argument with this name.",
                      name, named.key()))
          .at(span);
    }
    values[at - parameters.begin()] = expression(named.value(), scope);
  }
  std::vector<Attribute> bound;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const bool given = values[i].has_value();
    if (!given && i < routine.defaults.size() && !routine.defaults[i].empty())
      values[i] = expression(catalog_->parse_expression(routine.defaults[i]), scope);
    if (!values[i]) wrong_count(name, std::to_string(parameters.size()), arguments.size(), span);
    auto value = coerce(*values[i], parameters[i].type, settings_.time_zone);
    auto attribute = fresh(parameters[i].name, parameters[i].type, value.nullable);
    attribute.computed = "(" + value.sql + ")";
    attribute.qualifiers = {split_name(routine.name).back()};
    if (given) *written += (written->empty() ? "" : ", ") + values[i]->name;
    bound.push_back(std::move(attribute));
  }
  return bound;
}

/// The body is resolved where it is used, its parameters replaced by the arguments.
template <typename Body>
auto Resolver::in_body(const Routine& routine, const std::vector<Attribute>& parameters,
                       const std::string& name, Span span, Body body) {
  if (routine_depth_ > 50) {
    throw Error("RECURSIVE_ROUTINE", fmt::format("The function {} calls itself.", name)).at(span);
  }
  struct Within {
    Resolver& resolver;
    NameScope names;
    std::vector<Scope*> outer;
    size_t visible;
    ~Within() {
      resolver.names_ = std::move(names);
      resolver.outer_ = std::move(outer);
      resolver.visible_plans_ = visible;
      --resolver.routine_depth_;
    }
  };
  const Within within{*this, std::exchange(names_, routine.scope), std::exchange(outer_, {}),
                      std::exchange(visible_plans_, 0)};
  ++routine_depth_;
  Scope scope{.levels = {&parameters}, .inlines = true};
  return body(scope);
}

Resolved Resolver::scalar_routine(const Routine& routine,
                                  const proto::Expression::UnresolvedFunction& call,
                                  const std::string& name, Scope& scope, Span span) {
  std::string written;
  const auto parameters =
      bound_parameters(routine, list_of(call.arguments()), name, scope, span, &written);
  if (!routine.python.empty()) {
    proto::CommonInlineUserDefinedFunction function;
    function.set_function_name(routine.name);
    for (const auto& parameter : parameters)
      *function.add_arguments() = attribute_expression(quoted({parameter.name}));
    auto* udf = function.mutable_python_udf();
    udf->set_eval_type(python_kind::kArrowBatched);
    udf->set_command(routine.python);
    type_to_proto(*routine.returns, udf->mutable_output_type());
    auto result = in_body(routine, parameters, name, span, [&](Scope& body_scope) {
      return python_function(function, body_scope, span);
    });
    result.name = fmt::format("{}({})", routine.name, written);
    return result;
  }
  if (!routine.native.empty()) {
    Resolved result{.type = *routine.returns, .name = fmt::format("{}({})", routine.name, written)};
    for (const auto& parameter : parameters)
      result.sql += (result.sql.empty() ? "" : ", ") + parameter.computed;
    result.sql = fmt::format("{}({})", routine.native, result.sql);
    return result;
  }
  std::string upper = routine.body.substr(0, 6);
  std::transform(upper.begin(), upper.end(), upper.begin(), ::toupper);
  const bool query = upper == "SELECT" || upper.starts_with("WITH") || upper == "VALUES";
  proto::SQL text;
  text.set_query(query ? "SELECT (" + routine.body + ")" : "SELECT " + routine.body);
  const auto plan = catalog_->parse_query(text);
  auto result = in_body(routine, parameters, name, span, [&](Scope& body_scope) {
    const bool with = plan.has_with_relations();
    std::map<int64_t, const proto::Relation*> by_id;
    for (const auto& reference : plan.with_relations().references())
      by_id[reference.common().plan_id()] = &reference;
    subqueries_.push_back(std::move(by_id));
    const auto& row = with ? plan.with_relations().root() : plan;
    auto value = expression(
        row.has_project() ? row.project().expressions(0) : row.aggregate().aggregate_expressions(0),
        body_scope);
    subqueries_.pop_back();
    return value;
  });
  if (routine.returns) result = coerce(result, *routine.returns, settings_.time_zone);
  result.sql = "(" + result.sql + ")";
  result.literal.clear();
  result.name = fmt::format("{}({})", routine.name, written);
  return result;
}

Query Resolver::table_routine(const Routine& routine,
                              const std::vector<proto::Expression>& arguments,
                              const std::string& name, Span span) {
  Scope scope;
  std::string written;
  const auto parameters = bound_parameters(routine, arguments, name, scope, span, &written);
  proto::SQL text;
  text.set_query(routine.body);
  const auto plan = catalog_->parse_query(text);
  auto query = in_body(routine, parameters, name, span, [&](Scope& body_scope) {
    outer_.push_back(&body_scope);
    return relation(plan);
  });
  query.wrap();
  for (size_t i = 0; i < query.output.size(); ++i) {
    query.output[i].qualifiers = {split_name(name).back()};
    if (i < routine.columns.size()) query.output[i].name = routine.columns[i].name;
  }
  query.hidden.clear();
  query.below.clear();
  return query;
}

}  // namespace firesteel
