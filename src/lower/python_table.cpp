// Python table functions: on their own, on a table that is their argument, and beside each row of
// another relation.
#include <fmt/format.h>

#include "lower/python_task.h"
#include "lower/resolver.h"

namespace firesteel {

namespace {

using Udtf = proto::CommonInlineUserDefinedTableFunction;

const proto::SubqueryExpression* table_argument(const proto::Expression& argument) {
  const auto& value = argument.has_named_argument_expression()
                          ? argument.named_argument_expression().value()
                          : argument;
  const auto& subquery = value.subquery_expression();
  return value.has_subquery_expression() &&
                 subquery.subquery_type() == proto::SubqueryExpression::SUBQUERY_TYPE_TABLE_ARG
             ? &subquery
             : nullptr;
}

}  // namespace

/// The function's task but for its input.
PythonTask Resolver::table_task(const Udtf& function, Span span) {
  const auto& udtf = function.python_udtf();
  if (!udtf.has_return_type()) {
    throw Error("UNSUPPORTED_FEATURE.PYTHON_TABLE_FUNCTION_ANALYZE",
                fmt::format("The table function `{}` works out its columns by a method `analyze`, "
                            "which is not supported. Give it a return type.",
                            function.function_name()))
        .at(span);
  }
  PythonTask task;
  task.kind = udtf.eval_type();
  task.client_version = udtf.python_ver();
  task.calls.push_back({udtf.command()});
  task.output = python_return_type(udtf.return_type());
  if (task.output.kind != TypeKind::kStruct)
    task.output = struct_type({{"col", task.output, true}});
  task.name = function.function_name();
  add_python_settings(task);
  return task;
}

/// A table as an argument: each of its rows is a struct, behind whose fields stand the values that
/// part it, which the worker takes away again. `order` is what its rows are ordered by.
Resolved Resolver::table_row(const proto::SubqueryExpression& table, Query& input, PythonTask& task,
                             std::string& order, Span span) {
  const proto::Relation* plan = nullptr;
  for (auto frame = subqueries_.rbegin(); frame != subqueries_.rend() && !plan; ++frame) {
    const auto found = frame->find(table.plan_id());
    if (found != frame->end()) plan = found->second;
  }
  if (!plan) throw Error("INTERNAL_ERROR", "a table argument whose plan is not there").at(span);
  input = relation(*plan);
  input.wrap();
  Scope scope{.levels = {&input.output, &input.hidden}};
  Schema fields;
  std::string parts;
  const auto add = [&](const std::string& name, const Resolved& value) {
    fields.push_back({name, value.type, value.nullable});
    parts += fmt::format("{}{} := CAST({} AS {})", parts.empty() ? "" : ", ", sql_name(name),
                         value.sql, duckdb_type(value.type));
  };
  for (const auto& column : input.output)
    add(column.name, {.sql = column.sql, .type = column.type, .nullable = column.nullable});
  const auto& options = table.table_arg_options();
  for (int i = 0; i < options.partition_spec_size(); ++i) {
    const auto value = expression(options.partition_spec(i), scope);
    task.partition_columns.push_back(static_cast<int>(fields.size()));
    add(fmt::format("partition_by_{}", i), value);
    order += fmt::format("{}{} NULLS FIRST", order.empty() ? "" : ", ", value.sql);
  }
  for (const auto& term : options.order_spec())
    order += (order.empty() ? "" : ", ") + order_term(term, scope, input.output);
  return {.sql = fmt::format("struct_pack({})", parts),
          .type = struct_type(std::move(fields)),
          .nullable = false};
}

void Resolver::add_table_argument(PythonTask& task, const proto::Expression& argument,
                                  const Resolved& value) {
  const int place = static_cast<int>(task.input.size());
  task.input.push_back({fmt::format("_{}", place), value.type, true});
  if (argument.has_named_argument_expression()) {
    task.calls[0].named.emplace_back(argument.named_argument_expression().key(), place);
  } else {
    task.calls[0].arguments.push_back(place);
  }
  if (table_argument(argument)) task.table_arguments.push_back(place);
}

Query Resolver::python_table(const Udtf& function, const std::vector<proto::Expression>& arguments,
                             Span span) {
  auto task = table_task(function, span);
  auto outer = std::exchange(outer_, {});
  Query input;
  std::vector<Resolved> columns;
  std::string order;
  int tables = 0;
  for (const auto& argument : arguments) {
    if (const auto* table = table_argument(argument)) {
      if (++tables > 1) {
        throw Error("TABLE_VALUED_FUNCTION_TOO_MANY_TABLE_ARGUMENTS",
                    fmt::format("There are too many table arguments for table-valued function. It "
                                "allows one table argument, but got: {}.",
                                tables))
            .at(span);
      }
      columns.push_back(table_row(*table, input, task, order, span));
    } else {
      Scope scope;
      const bool named = argument.has_named_argument_expression();
      columns.push_back(
          expression(named ? argument.named_argument_expression().value() : argument, scope));
    }
    add_table_argument(task, argument, columns.back());
  }
  if (columns.empty()) columns.push_back({.sql = "1", .type = make_type(TypeKind::kInteger)});
  // One row of constants when no table is given.
  task.rows = tables > 0 ? python_input(input, columns, 0, 0, order)
                         : python_input(Query{}, columns, 0, 0, "");
  outer_ = std::move(outer);
  return python_output(task, {});
}

/// A table function beside each row of the left side; nothing when the right side is none.
std::optional<Query> Resolver::python_lateral(const proto::LateralJoin& join) {
  const proto::Relation* right = &join.right();
  std::vector<std::string> names, qualifiers;
  for (;;) {
    if (right->has_subquery_alias()) {
      if (qualifiers.empty()) qualifiers = {right->subquery_alias().alias()};
      right = &right->subquery_alias().input();
    } else if (right->has_to_df() && names.empty()) {
      names.assign(right->to_df().column_names().begin(), right->to_df().column_names().end());
      right = &right->to_df().input();
    } else {
      break;
    }
  }
  const Span span = span_of(*right);
  std::shared_ptr<const Udtf> registered;
  const Udtf* function = nullptr;
  std::vector<proto::Expression> arguments;
  if (right->has_common_inline_user_defined_table_function()) {
    function = &right->common_inline_user_defined_table_function();
    arguments = list_of(function->arguments());
  } else if (right->has_unresolved_table_valued_function()) {
    const auto& call = right->unresolved_table_valued_function();
    registered = catalog_.python_table_function(split_name(call.function_name()));
    function = registered.get();
    arguments = list_of(call.arguments());
  }
  if (!function) return std::nullopt;
  if (join.join_type() == proto::Join::JOIN_TYPE_LEFT_OUTER) {
    throw Error("UNSUPPORTED_FEATURE.PYTHON_TABLE_FUNCTION_OUTER_JOIN",
                "A Python table function cannot be joined LEFT OUTER.")
        .at(span);
  }
  auto task = table_task(*function, span);
  auto left = relation(join.left());
  left.wrap();
  Scope scope{.levels = {&left.output, &left.hidden}};
  std::vector<Resolved> columns;
  for (const auto& column : left.output)
    columns.push_back({.sql = column.sql, .type = column.type, .nullable = column.nullable});
  task.kept = static_cast<int>(columns.size());
  for (const auto& argument : arguments) {
    const bool named = argument.has_named_argument_expression();
    columns.push_back(
        expression(named ? argument.named_argument_expression().value() : argument, scope));
    add_table_argument(task, argument, columns.back());
  }
  task.rows = python_input(left, columns, 0, 0, "");
  auto query = python_output(task, left.output);
  for (size_t i = left.output.size(); i < query.output.size(); ++i) {
    query.output[i].qualifiers = qualifiers;
    if (const size_t at = i - left.output.size(); at < names.size())
      query.output[i].name = names[at];
  }
  if (join.has_join_condition()) {
    Scope on{.levels = {&query.output}};
    query.select.where.push_back(expression(join.join_condition(), on).sql);
  }
  return query;
}

}  // namespace firesteel
