// Python table functions: on their own, on a table that is their argument, and beside each row of
// another relation.
#include <fmt/format.h>

#include <algorithm>

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

/// The function's task but for its input, and its columns when `analyze` has not said them.
PythonTask Resolver::table_task(const Udtf& function, std::optional<AnalyzedTable> analyzed) {
  const auto& udtf = function.python_udtf();
  PythonTask task;
  task.kind = udtf.eval_type();
  task.client_version = udtf.python_ver();
  task.calls.push_back({udtf.command()});
  if (analyzed) {
    task.output = struct_type(std::move(analyzed->columns));
    task.analyzed = std::move(analyzed->pickled);
  } else {
    task.output = python_return_type(udtf.return_type());
    if (task.output.kind != TypeKind::kStruct)
      task.output = struct_type({{"col", task.output, true}});
  }
  task.name = function.function_name();
  set_python_session(task, catalog_->python_settings(), settings_.time_zone);
  return task;
}

/// Asks the function's method `analyze` for its columns.
AnalyzedTable Resolver::analyze_table(const Udtf& function,
                                      const std::vector<proto::Expression>& arguments,
                                      const Query* beside, Span span) {
  std::vector<AnalyzeArgument> told;
  for (const auto& argument : arguments) {
    auto& one = told.emplace_back();
    const bool named = argument.has_named_argument_expression();
    if (named) one.keyword = argument.named_argument_expression().key();
    if (const auto* table = table_argument(argument)) {
      Schema columns;
      for (const auto& column : relation(table_plan(*table, span)).output)
        columns.push_back({column.name, column.type, column.nullable});
      one.type = struct_type(std::move(columns));
      one.table = true;
      continue;
    }
    Scope scope;
    if (beside) scope.levels = {&beside->output, &beside->hidden};
    const auto value =
        expression(named ? argument.named_argument_expression().value() : argument, scope);
    one.type = value.type;
    try {
      one.pickled = catalog_->evaluate(fmt::format("spark_pickled({}, CAST({} AS {}))",
                                                   sql_string(value.type.sql()), value.sql,
                                                   duckdb_type(value.type)));
    } catch (const Error&) {  // it needs rows: no constant
    }
  }
  AnalyzedTable none{.columns = {}, .pickled = {}};
  return catalog_->analyzed(table_task(function, std::move(none)), told);
}

const proto::Relation& Resolver::table_plan(const proto::SubqueryExpression& table,
                                            Span span) const {
  for (auto frame = subqueries_.rbegin(); frame != subqueries_.rend(); ++frame) {
    const auto found = frame->find(table.plan_id());
    if (found != frame->end()) return *found->second;
  }
  throw Error("INTERNAL_ERROR", "a table argument whose plan is not there").at(span);
}

/// A table as an argument: each of its rows is a struct, behind whose fields stand the values that
/// part it, which the worker takes away again. `order` is what its rows are ordered by.
Resolved Resolver::table_row(const proto::SubqueryExpression& table, Query& input, PythonTask& task,
                             const AnalyzedTable* analyzed, std::string& order, Span span) {
  input = relation(table_plan(table, span));
  input.wrap();
  Scope scope{.levels = {&input.output, &input.hidden}};
  Schema fields;
  std::string parts;
  const auto add = [&](const std::string& name, const Resolved& value) {
    fields.push_back({name, value.type, value.nullable});
    parts += fmt::format("{}{} := CAST({} AS {})", parts.empty() ? "" : ", ", sql_name(name),
                         value.sql, duckdb_type(value.type));
  };
  const auto parsed = [&](const std::string& text) {
    return expression(catalog_->parse_expression(text), scope);
  };
  if (analyzed && !analyzed->select.empty()) {
    for (const auto& [text, alias] : analyzed->select) {
      const auto value = parsed(text);
      add(alias.empty() ? value.name : alias, value);
    }
  } else {
    for (const auto& column : input.output)
      add(column.name, {.sql = column.sql, .type = column.type, .nullable = column.nullable});
  }
  std::vector<Resolved> partition;
  const auto& options = table.table_arg_options();
  for (const auto& key : options.partition_spec()) partition.push_back(expression(key, scope));
  if (analyzed)
    for (const auto& text : analyzed->partition) partition.push_back(parsed(text));
  for (const auto& value : partition) {
    task.partition_columns.push_back(static_cast<int>(fields.size()));
    add(fmt::format("partition_by_{}", task.partition_columns.size() - 1), value);
    order += fmt::format("{}{} NULLS FIRST", order.empty() ? "" : ", ", value.sql);
  }
  for (const auto& term : options.order_spec())
    order += (order.empty() ? "" : ", ") + order_term(term, scope, input.output);
  if (analyzed) {
    for (const auto& term : analyzed->order) {
      order += fmt::format("{}{} {} NULLS {}", order.empty() ? "" : ", ",
                           parsed(term.expression).sql, term.ascending ? "ASC" : "DESC",
                           term.nulls_first.value_or(term.ascending) ? "FIRST" : "LAST");
    }
  }
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
  auto outer = std::exchange(outer_, {});
  std::optional<AnalyzedTable> analyzed;
  if (!function.python_udtf().has_return_type())
    analyzed = analyze_table(function, arguments, nullptr, span);
  auto task = table_task(function, analyzed);
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
      columns.push_back(
          table_row(*table, input, task, analyzed ? &*analyzed : nullptr, order, span));
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
std::shared_ptr<const Udtf> Resolver::python_table_named(
    const std::vector<std::string>& parts, std::vector<proto::Expression>& arguments) {
  if (auto registered = catalog_->python_table_function(parts)) return registered;
  if (is_generator_name(lower_case(parts.back()))) return nullptr;
  const auto routine = catalog_->routine(parts, names_);
  if (!routine || !routine->table || routine->python.empty()) return nullptr;
  const auto& parameters = routine->parameters;
  for (size_t i = 0; i < std::min(arguments.size(), parameters.size()); ++i) {
    if (arguments[i].has_named_argument_expression() || table_argument(arguments[i])) continue;
    proto::Expression cast;
    *cast.mutable_cast()->mutable_expr() = arguments[i];
    type_to_proto(parameters[i].type, cast.mutable_cast()->mutable_type());
    arguments[i] = std::move(cast);
  }
  auto function = std::make_shared<Udtf>();
  function->set_function_name(routine->name);
  function->mutable_python_udtf()->set_eval_type(python_kind::kTable);
  function->mutable_python_udtf()->set_command(routine->python);
  type_to_proto(struct_type(routine->columns),
                function->mutable_python_udtf()->mutable_return_type());
  return function;
}

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
    arguments = list_of(call.arguments());
    registered = python_table_named(split_name(call.function_name()), arguments);
    function = registered.get();
  }
  if (!function) return std::nullopt;
  if (join.join_type() == proto::Join::JOIN_TYPE_LEFT_OUTER) {
    throw Error("UNSUPPORTED_FEATURE.PYTHON_TABLE_FUNCTION_OUTER_JOIN",
                "A Python table function cannot be joined LEFT OUTER.")
        .at(span);
  }
  auto left = relation(join.left());
  left.wrap();
  std::optional<AnalyzedTable> analyzed;
  if (!function->python_udtf().has_return_type())
    analyzed = analyze_table(*function, arguments, &left, span);
  auto task = table_task(*function, std::move(analyzed));
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
