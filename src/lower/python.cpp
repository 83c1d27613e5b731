// Python functions: as expressions a call of a kernel, over whole relations a table function that
// reads the relation's rows itself. Both carry their task (python_task.h) as a text.
#include <fmt/format.h>

#include "lower/python_task.h"
#include "lower/resolver.h"

namespace firesteel {

namespace {

using namespace python_kind;

std::string typed(const Resolved& value) {
  return fmt::format("CAST({} AS {})", value.sql, duckdb_type(value.type));
}

bool is_scalar(int kind) {
  switch (kind) {
    case kBatched:
    case kArrowBatched:
    case kScalarPandas:
    case kScalarPandasIter:
    case kScalarArrow:
    case kScalarArrowIter:
      return true;
    default:
      return false;
  }
}

[[noreturn]] void unsupported_kind(int kind, Span span) {
  throw Error("UNSUPPORTED_FEATURE.PYTHON_FUNCTION",
              fmt::format("Python functions of the kind {} are not supported here.", kind))
      .at(span);
}

}  // namespace

/// Text of a type, or of a table's columns.
DataType python_return_type(const proto::DataType& type) {
  if (!type.has_unparsed()) return type_from_proto(type);
  const auto& text = type.unparsed().data_type_string();
  try {
    return struct_type(parse_schema(text));
  } catch (const Error&) {
    return parse_type(text);
  }
}

PythonTask Resolver::python_task_of(const proto::CommonInlineUserDefinedFunction& function,
                                    Span span) const {
  if (!function.has_python_udf()) {
    throw Error("UNSUPPORTED_FEATURE.FUNCTION",
                fmt::format("{} is written in Java or Scala, which this engine does not run. Write "
                            "it in Python or SQL.",
                            function.function_name().empty()
                                ? "A function of the Dataset"
                                : fmt::format("The function `{}`", function.function_name())))
        .at(span);
  }
  const auto& udf = function.python_udf();
  PythonTask task;
  task.kind = udf.eval_type();
  task.client_version = udf.python_ver();
  task.includes = {udf.additional_includes().begin(), udf.additional_includes().end()};
  task.calls.push_back({udf.command()});
  task.output = python_return_type(udf.output_type());
  set_python_session(task, catalog_->python_settings(), settings_.time_zone);
  return task;
}

bool is_python_aggregate(const proto::CommonInlineUserDefinedFunction& function) {
  switch (function.python_udf().eval_type()) {
    case kGroupedAggPandas:
    case kGroupedAggPandasIter:
    case kGroupedAggArrow:
    case kGroupedAggArrowIter:
      return true;
    default:
      return false;
  }
}

Resolved Resolver::python_function(const proto::CommonInlineUserDefinedFunction& function,
                                   Scope& scope, Span span) {
  const bool aggregates = is_python_aggregate(function);
  auto task = python_task_of(function, span);
  if (!is_scalar(task.kind) && !aggregates) unsupported_kind(task.kind, span);
  // DuckDB has no struct without fields; DataFrame.foreach() asks for one and looks at none.
  if (task.output.kind == TypeKind::kStruct && task.output.fields->empty())
    task.output = make_type(TypeKind::kNull);
  if (aggregates) enter_aggregate(function.function_name(), scope, span);
  const bool inside = scope.inside_aggregate;
  if (aggregates) scope.inside_aggregate = true;
  std::string list, names;
  const auto add = [&](const Resolved& value, const std::string& keyword) {
    const int place = static_cast<int>(task.input.size());
    task.input.push_back({fmt::format("_{}", place), value.type, true});
    if (keyword.empty()) {
      task.calls[0].arguments.push_back(place);
    } else {
      task.calls[0].named.emplace_back(keyword, place);
    }
    list += aggregates ? fmt::format(", list({})/*over*/", typed(value)) : ", " + typed(value);
    names += fmt::format("{}{}{}", names.empty() ? "" : ", ",
                         keyword.empty() ? "" : keyword + " => ", value.name);
  };
  for (const auto& argument : function.arguments()) {
    if (argument.has_named_argument_expression()) {
      const auto& named = argument.named_argument_expression();
      add(expression(named.value(), scope), named.key());
    } else if (argument.has_unresolved_star() && !scope.levels.empty()) {
      static const std::vector<Attribute> kNone;
      const auto& hidden = scope.levels.size() > 1 ? *scope.levels[1] : kNone;
      for (const auto& column : expand({argument}, *scope.levels[0], hidden))
        add(expression(column, scope), "");
    } else {
      add(expression(argument, scope), "");
    }
  }
  scope.inside_aggregate = inside;
  // Without arguments the number of rows is all there is to know.
  if (aggregates && list.empty()) list = ", list(1)/*over*/";
  const auto text = sql_string(python_task_text(task));
  return {.sql = fmt::format("{}({}{})", aggregates ? "spark_python_group" : "spark_python", text,
                             list),
          .type = task.output,
          .name = fmt::format("{}({})", function.function_name(), names)};
}

/// The query's rows as the task's input: first columns that go around the worker, then keys by
/// which rows are ordered, then those that are sent.
std::string Resolver::python_input(const Query& input, const std::vector<Resolved>& columns,
                                   size_t keys_begin, size_t keys_end,
                                   const std::string& further_order) const {
  std::string list, order;
  for (size_t i = 0; i < columns.size(); ++i) {
    list += fmt::format("{}{} AS c{}", i ? ", " : "", typed(columns[i]), i);
    if (i >= keys_begin && i < keys_end)
      order += fmt::format("{}c{} NULLS FIRST", order.empty() ? " ORDER BY " : ", ", i);
  }
  if (!further_order.empty()) order += (order.empty() ? " ORDER BY " : ", ") + further_order;
  auto from = fmt::format("({})", input.print(input.output));
  if (!order.empty()) {  // rows of equal keys stay as they come: DuckDB's sort is not stable
    from = fmt::format("(SELECT *, row_number() OVER () AS \"row#\" FROM {})", from);
    order += ", \"row#\"";
  }
  return fmt::format("{}SELECT {} FROM {}{}", common_tables(), list.empty() ? "NULL" : list, from,
                     order);
}

Query Resolver::python_output(const PythonTask& task, const std::vector<Attribute>& kept) {
  Query query;
  std::string list;
  const auto add = [&](Attribute attribute) {
    list +=
        fmt::format("{}c{} AS {}", list.empty() ? "" : ", ", query.output.size(), attribute.sql);
    query.output.push_back(std::move(attribute));
  };
  for (const auto& column : kept) {
    auto attribute = column;
    attribute.computed.clear();
    add(std::move(attribute));
  }
  if (!python_gives_value(task.kind)) {
    for (const auto& field : *task.output.fields)
      add(fresh(field.name, field.type, field.nullable));
  } else {
    add(fresh("_0", task.output, true));
  }
  query.select.from = fmt::format("(SELECT {} FROM spark_python_rows({}))",
                                  list.empty() ? "NULL" : list, sql_string(python_task_text(task)));
  return query;
}

namespace {

std::vector<Resolved> all_of(const Query& input) {
  std::vector<Resolved> columns;
  for (const auto& column : input.output)
    columns.push_back({.sql = column.sql,
                       .type = column.type,
                       .nullable = column.nullable,
                       .exact = column.exact,
                       .name = column.name});
  return columns;
}

Schema schema_of(const std::vector<Resolved>& columns) {
  Schema schema;
  for (const auto& column : columns) schema.push_back({column.name, column.type, column.nullable});
  return schema;
}

/// The places of keys and values, as Spark tells the worker of them.
void add_places(std::vector<int>& out, int keys, int columns) {
  out.push_back(columns + 1);
  out.push_back(keys);
  for (int i = 0; i < columns; ++i) out.push_back(i);
}

}  // namespace

Query Resolver::map_partitions(const proto::MapPartitions& map) {
  catalog_->check_resource_profile(map.profile_id());
  auto task = python_task_of(map.func(), {});
  if (task.kind != kMapPandas && task.kind != kMapArrow) unsupported_kind(task.kind, {});
  auto outer = std::exchange(outer_, {});
  auto input = relation(map.input());
  input.wrap();
  const auto columns = all_of(input);
  task.input = schema_of(columns);
  task.calls[0].arguments = {0};  // the struct of all columns
  task.rows = python_input(input, columns, 0, 0, "");
  outer_ = std::move(outer);
  return python_output(task, {});
}

std::vector<Resolved> Resolver::python_keys(
    Query& input, const google::protobuf::RepeatedPtrField<proto::Expression>& keys) {
  input.wrap();
  Scope scope{.levels = {&input.output, &input.hidden}, .is_key = true};
  std::vector<Resolved> resolved;
  for (const auto& key : keys) resolved.push_back(expression(key, scope));
  const auto columns = all_of(input);
  resolved.insert(resolved.end(), columns.begin(), columns.end());
  return resolved;
}

Query Resolver::group_map(const proto::GroupMap& map) {
  auto task = python_task_of(map.func(), {});
  switch (task.kind) {
    case kGroupedMapPandas:
    case kGroupedMapPandasIter:
    case kGroupedMapArrow:
    case kGroupedMapArrowIter:
      break;
    default:
      unsupported_kind(task.kind, {});
  }
  auto outer = std::exchange(outer_, {});
  auto input = relation(map.input());
  const auto columns = python_keys(input, map.grouping_expressions());
  task.keys = map.grouping_expressions_size();
  task.input = schema_of(columns);
  std::string order;
  Scope scope{.levels = {&input.output, &input.hidden}};
  for (const auto& term : map.sorting_expressions())
    order += (order.empty() ? "" : ", ") + order_term(term.sort_order(), scope, input.output);
  task.rows = python_input(input, columns, 0, static_cast<size_t>(task.keys), order);
  add_places(task.calls[0].arguments, task.keys, static_cast<int>(columns.size()));
  outer_ = std::move(outer);
  return python_output(task, {});
}

Query Resolver::co_group_map(const proto::CoGroupMap& map) {
  auto task = python_task_of(map.func(), {});
  if (task.kind != kCogroupedMapPandas && task.kind != kCogroupedMapArrow)
    unsupported_kind(task.kind, {});
  auto outer = std::exchange(outer_, {});
  auto left = relation(map.input()), right = relation(map.other());
  auto left_columns = python_keys(left, map.input_grouping_expressions());
  auto right_columns = python_keys(right, map.other_grouping_expressions());
  task.keys = map.input_grouping_expressions_size();
  const auto keys = static_cast<size_t>(task.keys);
  for (size_t i = 0; i < keys; ++i) {  // keys are compared as one type
    const auto common = common_type(left_columns[i].type, right_columns[i].type);
    if (!common) continue;
    for (auto* key : {&left_columns[i], &right_columns[i]}) {
      if (key->type == *common) continue;
      const auto name = key->name;
      *key = coerce(*key, *common, settings_.time_zone);
      key->name = name;
    }
  }
  task.input = schema_of(left_columns);
  task.other_input = schema_of(right_columns);
  task.rows = python_input(left, left_columns, 0, keys, "");
  task.other_rows = python_input(right, right_columns, 0, keys, "");
  add_places(task.calls[0].arguments, task.keys, static_cast<int>(left_columns.size()));
  add_places(task.calls[0].arguments, task.keys, static_cast<int>(right_columns.size()));
  outer_ = std::move(outer);
  return python_output(task, {});
}

}  // namespace firesteel
