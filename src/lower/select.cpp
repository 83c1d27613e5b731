// The relations that make columns or choose rows by expressions: project, filter, sort, join.
#include <fmt/format.h>

#include <algorithm>

#include "lower/resolver.h"

namespace firesteel {

namespace {

bool is_generator(const proto::Expression& expression) {
  const auto& inner = expression.has_alias() ? expression.alias().expr() : expression;
  return inner.has_unresolved_function() &&
         is_generator_name(inner.unresolved_function().function_name());
}

[[noreturn]] void not_boolean(const Resolved& condition, const char* where) {
  const auto type = condition.type.sql();
  throw(where == std::string_view("join")
            ? Error("JOIN_CONDITION_IS_NOT_BOOLEAN_TYPE",
                    fmt::format("The join condition \"{}\" has the invalid type \"{}\", expected "
                                "\"BOOLEAN\".",
                                condition.name, type))
            : Error("DATATYPE_MISMATCH.FILTER_NOT_BOOLEAN",
                    fmt::format("Cannot resolve \"{0}\" due to data type mismatch: Filter "
                                "expression \"{0}\" of type \"{1}\" is not a boolean.",
                                condition.name, type)))
      .at(condition.span);
}

}  // namespace

std::vector<proto::Expression> list_of(
    const google::protobuf::RepeatedPtrField<proto::Expression>& field) {
  return {field.begin(), field.end()};
}

proto::Expression attribute_expression(const std::string& quoted_name) {
  proto::Expression expression;
  expression.mutable_unresolved_attribute()->set_unparsed_identifier(quoted_name);
  return expression;
}

std::vector<proto::Expression> Resolver::expand(const std::vector<proto::Expression>& expressions,
                                                const std::vector<Attribute>& columns,
                                                const std::vector<Attribute>& hidden) {
  std::vector<proto::Expression> out;
  for (const auto& given : expressions) {
    proto::Expression parsed;  // selectExpr("*")
    if (given.expression_string().expression().find('*') != std::string::npos)
      parsed = catalog_->parse_expression(given.expression_string().expression());
    const auto& expression = parsed.has_unresolved_star() ? parsed : given;
    if (expression.has_unresolved_regex()) {
      auto pattern = expression.unresolved_regex().col_name();
      if (pattern.size() > 1 && pattern.front() == '`')
        pattern = pattern.substr(1, pattern.size() - 2);
      pattern = fmt::format("{}^(?:{})$", settings_.case_sensitive ? "" : "(?i)", pattern);
      for (const auto& column : columns) {
        const auto fits = catalog_->evaluate(
            fmt::format("spark_regexp_like({}, {})", sql_string(column.name), sql_string(pattern)));
        if (fits == "true") out.push_back(attribute_expression("`" + column.sql + "`"));
      }
      continue;
    }
    const auto& call = expression.unresolved_function();
    if (call.is_internal() && call.function_name() == "star_except") {
      // * EXCEPT (a, b)
      auto kept = expand({call.arguments(0)}, columns, hidden);
      for (int i = 1; i < call.arguments_size(); ++i) {
        const auto name =
            split_name(call.arguments(i).unresolved_attribute().unparsed_identifier()).back();
        const auto before = kept.size();
        std::erase_if(kept, [&](const proto::Expression& item) {
          const auto& sql = item.unresolved_attribute().unparsed_identifier();
          return std::any_of(columns.begin(), columns.end(), [&](const Attribute& column) {
            return same_name(column.name, name) && "`" + column.sql + "`" == sql;
          });
        });
        if (kept.size() == before)
          unresolved_column({name}, {&columns}, span_of(call.arguments(i)));
      }
      out.insert(out.end(), kept.begin(), kept.end());
      continue;
    }
    if (!expression.has_unresolved_star()) {
      out.push_back(expression);
      continue;
    }
    const auto& star = expression.unresolved_star();
    std::vector<std::string> target;
    if (star.has_unparsed_target()) {
      target = split_name(star.unparsed_target());
      if (!target.empty() && target.back() == "*") target.pop_back();
    }
    bool any = false;
    auto add = [&](const Attribute& column) {
      // The unique SQL name as an identifier: found even when two columns share a name.
      proto::Expression named;
      named.mutable_unresolved_attribute()->set_unparsed_identifier("`" + column.sql + "`");
      *named.mutable_common() = expression.common();
      out.push_back(std::move(named));
      any = true;
    };
    // The other side's key of a USING join is in its side's star, though not in a bare one.
    for (const auto& column : hidden) {
      if (target.empty() || column.qualifiers.empty() || column.of_file ||
          !same_name(column.qualifiers.back(), target.back()))
        continue;
      const bool shown = std::any_of(columns.begin(), columns.end(), [&](const Attribute& other) {
        return other.sql == column.sql;
      });
      if (!shown) add(column);
    }
    for (const auto& column : columns) {
      if (target.size() > column.qualifiers.size()) continue;
      const size_t offset = column.qualifiers.size() - target.size();
      bool fits = true;
      for (size_t i = 0; i < target.size() && fits; ++i)
        fits = same_name(column.qualifiers[offset + i], target[i]);
      if (star.has_plan_id() &&
          !std::count(column.plan_ids.begin(), column.plan_ids.end(), star.plan_id()))
        fits = false;
      if (fits) add(column);
    }
    if (any || target.empty()) continue;
    // A struct's fields: s.*
    for (const auto& column : columns) {
      if (any || !same_name(column.name, target.back()) || column.type.kind != TypeKind::kStruct)
        continue;
      for (const auto& field : *column.type.fields) {
        out.push_back(attribute_expression(fmt::format("`{}`.`{}`", column.name, field.name)));
      }
      any = true;
    }
    if (!any) {
      throw Error("CANNOT_RESOLVE_STAR_EXPAND",
                  fmt::format("Cannot resolve {}.* given input columns.", quoted(target)))
          .at(span_of(expression));
    }
  }
  return out;
}

std::optional<std::string> Resolver::beside(const std::string& from, const Query& generated,
                                            bool outer) {
  if (!generated.is_elements()) return std::nullopt;
  auto list = generated.elements->list;
  if (outer)
    list = fmt::format("CASE WHEN {0} IS NULL OR len({0}) = 0 THEN [NULL] ELSE {0} END", list);
  std::string columns;
  for (const auto& column : generated.output)
    columns += fmt::format(", {} AS {}", column.computed, column.sql);
  return fmt::format("(SELECT *{} FROM (SELECT *, unnest({}) AS {} FROM {}))", columns, list,
                     generated.elements->element, from);
}

Query Resolver::project_onto(Query input, const std::vector<proto::Expression>& given) {
  auto expressions = expand(given, input.output, input.hidden);
  take_python_columns(input, expressions);
  // A generator becomes a lateral join, its columns plain ones.
  for (auto& expression : expressions) {
    if (!is_generator(expression)) continue;
    const auto& call = expression.has_alias() ? expression.alias().expr() : expression;
    input.wrap();
    proto::UnresolvedTableValuedFunction function;
    function.set_function_name(call.unresolved_function().function_name());
    *function.mutable_arguments() = call.unresolved_function().arguments();
    Scope outer{.levels = {&input.output, &input.hidden}};
    outer_.push_back(&outer);
    auto generated = table_function(function, span_of(expression));
    outer_.pop_back();
    std::vector<proto::Expression> columns;
    for (size_t i = 0; i < generated.output.size(); ++i) {
      auto& column = generated.output[i];
      if (expression.has_alias() &&
          expression.alias().name_size() == static_cast<int>(generated.output.size())) {
        column.name = expression.alias().name(static_cast<int>(i));
      }
      columns.push_back(attribute_expression("`" + column.sql + "`"));
    }
    input.select.from =
        beside(input.select.from, generated, false)
            .value_or(fmt::format("({} INNER JOIN LATERAL ({}) ON true)", input.select.from,
                                  generated.print(generated.output)));
    for (auto& column : generated.output) column.computed.clear();
    input.hidden.insert(input.hidden.end(), generated.output.begin(), generated.output.end());
    const auto at = &expression - expressions.data();
    expressions.erase(expressions.begin() + at);
    expressions.insert(expressions.begin() + at, columns.begin(), columns.end());
    break;  // Spark allows one generator a SELECT
  }
  auto resolve_all = [&](Scope& scope, std::vector<Attribute>& output) {
    output.clear();
    std::vector<Attribute> aliases;  // earlier ones of this list, which later expressions may name
    for (const auto& expression : expressions) {
      const bool plain = expression.has_unresolved_attribute();
      const auto& name = expression.unresolved_attribute().unparsed_identifier();
      // A column by its unique SQL name (from a star).
      if (plain && name.size() > 2 && name[1] == '"') {
        const auto sql = name.substr(1, name.size() - 2);
        for (const auto* list : {&input.output, &input.hidden}) {
          const auto found = std::find_if(list->begin(), list->end(),
                                          [&](const Attribute& a) { return a.sql == sql; });
          if (found != list->end()) {
            output.push_back(*found);
            break;
          }
        }
        continue;
      }
      // Later expressions may name earlier aliases of the same list.
      scope.levels = {&input.output, &input.hidden, &aliases};
      const bool was_inlining = std::exchange(scope.inlines, false);
      const bool computed_before = std::exchange(scope.uses_computed, false);
      auto value = this->expression(expression, scope);
      const bool used_alias = scope.level_used == 2;
      if (used_alias) {
        // The alias itself is put in, since a block cannot name its own columns.
        scope.inlines = true;
        scope.level_used = 0;
        value = this->expression(expression, scope);
        scope.level_used = 0;
      }
      scope.inlines = was_inlining;
      scope.uses_computed = used_alias ? computed_before : (scope.uses_computed || computed_before);
      // A column that is only passed on, perhaps renamed, stays what it is.
      bool passed = false;
      for (const auto* list : {&input.output, &input.hidden}) {
        for (const auto& column : *list) {
          if (passed || column.sql != value.sql) continue;
          Attribute renamed = column;
          if (expression.has_alias()) renamed.qualifiers.clear();
          renamed.name = column_name(expression, value);
          renamed.metadata = value.metadata;
          output.push_back(std::move(renamed));
          passed = true;
        }
      }
      if (!passed) output.push_back(made(value, column_name(expression, value)));
      if (expression.has_alias() && !passed) aliases.push_back(output.back());
    }
    scope.uses_window = scope.uses_window || scope.uses_row;
  };
  Scope scope{.is_column = true};
  std::vector<Attribute> output;
  resolve_all(scope, output);
  // A column passed on is no use of it in an expression; names that are computed in this block are.
  const bool needs_wrap =
      scope.uses_computed || input.select.distinct || input.select.grouped ||
      (scope.uses_window && (input.select.limited() || !input.select.order_by.empty()));
  if (needs_wrap) {
    bool computes = false;
    for (const auto& attribute : output) {
      const bool own = std::none_of(input.output.begin(), input.output.end(),
                                    [&](const Attribute& a) { return a.sql == attribute.sql; });
      computes = computes || own;
    }
    if (computes || input.select.distinct) {
      input.wrap();
      Scope again{.is_column = true};
      resolve_all(again, output);
      scope.uses_window = again.uses_window;
    }
  }
  Query query;
  query.select = std::move(input.select);
  query.select.has_window = query.select.has_window || scope.uses_window;
  if (scope.uses_window) query.select.window_order = window_order_;
  query.output = std::move(output);
  query.below = std::move(input.output);
  query.below.insert(query.below.end(), input.hidden.begin(), input.hidden.end());
  if (!query.select.distinct && !query.select.grouped) {
    std::copy_if(input.hidden.begin(), input.hidden.end(), std::back_inserter(query.hidden),
                 [](const Attribute& column) { return column.name == kInputFile; });
  }
  query.aggregation = query.select.grouped ? input.aggregation : nullptr;
  return query;
}

/// Does a call of an aggregate function stand in the expression, windowed ones left out?
bool Resolver::has_aggregate(const proto::Expression& expression) const {
  const auto any = [&](const auto& list) {
    return std::any_of(list.begin(), list.end(), [&](const auto& e) { return has_aggregate(e); });
  };
  if (expression.has_alias()) return has_aggregate(expression.alias().expr());
  if (expression.has_cast()) return has_aggregate(expression.cast().expr());
  if (expression.has_expression_string()) {
    return has_aggregate(catalog_->parse_expression(expression.expression_string().expression()));
  }
  if (expression.has_unresolved_extract_value())
    return has_aggregate(expression.unresolved_extract_value().child());
  if (expression.has_common_inline_user_defined_function()) {
    const auto& function = expression.common_inline_user_defined_function();
    return is_python_aggregate(function) || any(function.arguments());
  }
  const auto is_aggregate = [&](const std::string& name) {
    if (const auto python = catalog_->python_function(split_name(name)))
      return is_python_aggregate(*python);
    if (lower_case(name) == "product") return true;
    const auto rows = find_function(name);
    return !rows.empty() && rows.front()->kind == FunctionKind::kAggregate;
  };
  if (expression.has_call_function()) {
    return is_aggregate(expression.call_function().function_name()) ||
           any(expression.call_function().arguments());
  }
  const auto& call = expression.unresolved_function();
  return expression.has_unresolved_function() &&
         (is_aggregate(call.function_name()) || any(call.arguments()));
}

Query Resolver::project(const proto::Project& project) {
  // df.select(sum("x")) is an aggregation of all rows.
  const auto& list = project.expressions();
  if (std::any_of(list.begin(), list.end(), [&](const auto& e) { return has_aggregate(e); })) {
    proto::Aggregate aggregate;
    aggregate.set_group_type(proto::Aggregate::GROUP_TYPE_GROUPBY);
    if (project.has_input()) *aggregate.mutable_input() = project.input();
    *aggregate.mutable_aggregate_expressions() = list;
    return this->aggregate(aggregate, true);
  }
  if (!project.has_input()) {
    auto query = project_onto(Query{}, list_of(project.expressions()));
    if (!query.select.from.empty() || query.select.has_window || !outer_.empty()) return query;
    auto rows = std::make_shared<Query::Rows>();
    rows->cells.emplace_back();
    for (const auto& column : query.output) {
      if (column.computed.find("SELECT") != std::string::npos) return query;
      rows->columns.push_back(column.sql);
      rows->cells[0].push_back({.sql = column.computed,
                                .type = column.type,
                                .nullable = column.nullable,
                                .exact = column.exact});
    }
    query.rows = std::move(rows);
    return query;
  }
  return project_onto(relation(project.input()), list_of(project.expressions()));
}

Query Resolver::with_columns(const proto::WithColumns& with_columns, bool existing) {
  auto input = relation(with_columns.input());
  std::vector<proto::Expression> expressions;
  std::vector<bool> placed(with_columns.aliases_size(), false);
  for (const auto& column : input.output) {
    bool replaced = false;
    for (int i = 0; i < with_columns.aliases_size(); ++i) {
      if (!same_name(with_columns.aliases(i).name(0), column.name)) continue;
      expressions.emplace_back().mutable_alias()->CopyFrom(with_columns.aliases(i));
      placed[i] = replaced = true;
      break;
    }
    if (!replaced) expressions.push_back(attribute_expression("`" + column.sql + "`"));
  }
  for (int i = 0; i < with_columns.aliases_size(); ++i) {
    if (placed[i]) continue;
    if (existing) {
      unresolved_column({with_columns.aliases(i).name(0)}, {&input.output},
                        span_of(with_columns.aliases(i).expr()));
    }
    expressions.emplace_back().mutable_alias()->CopyFrom(with_columns.aliases(i));
  }
  // The expressions see the columns as they were, not each other's results.
  return project_onto(std::move(input), expressions);
}

void Resolver::add_filter(Query& query, const Resolved& condition, const Scope& scope) {
  const bool outside = scope.uses_computed || query.select.grouped || query.select.distinct ||
                       query.select.limited() || query.select.has_window;
  if (outside) query.wrap();
  query.select.where.push_back(condition.sql);
}

Query Resolver::filter(const proto::Filter& filter) {
  auto query = relation(filter.input());
  if (query.aggregation && query.select.grouped && !query.select.limited() &&
      !query.select.distinct) {
    // HAVING: its names are the SELECT list's, then the aggregation's input.
    const auto aggregation = query.aggregation;
    Scope scope{.levels = {&query.output, &aggregation->input},
                .aggregates = true,
                .aggregate_input = &aggregation->input,
                .inlines = true,
                .grouping = aggregation->sets ? &aggregation->keys : nullptr};
    const auto condition = expression(filter.condition(), scope);
    if (scope.uses_aggregate || scope.level_used > 0) {
      if (condition.type.kind != TypeKind::kBoolean) not_boolean(condition, "filter");
      query.select.having.push_back(condition.sql);
      return query;
    }
  }
  std::vector<proto::Expression> conditions = {filter.condition()};
  const auto width = query.output.size();
  take_python_columns(query, conditions);
  if (query.output.size() > width) {  // what the condition alone needs
    query.hidden.insert(query.hidden.end(), query.output.begin() + static_cast<long>(width),
                        query.output.end());
    query.output.resize(width);
  }
  Scope scope{.levels = {&query.output, &query.hidden}};
  auto condition = expression(conditions[0], scope);
  if (condition.type.kind != TypeKind::kBoolean) not_boolean(condition, "filter");
  if (scope.uses_row && !scope.uses_window) {
    const auto number = number_rows(query);
    scope = Scope{.levels = {&query.output, &query.hidden}, .row = number.sql};
    condition = expression(conditions[0], scope);
  }
  if (scope.uses_window) {
    throw Error("WINDOW_FUNCTION_NOT_ALLOWED_IN_CLAUSE",
                "It is not allowed to use window functions inside WHERE or HAVING; filter their "
                "column in an outer query.")
        .at(condition.span);
  }
  add_filter(query, condition, scope);
  return query;
}

std::string Resolver::order_term(const proto::Expression::SortOrder& order, Scope& scope,
                                 const std::vector<Attribute>& output) {
  const bool descending =
      order.direction() == proto::Expression::SortOrder::SORT_DIRECTION_DESCENDING;
  const bool nulls_first =
      order.null_ordering() == proto::Expression::SortOrder::SORT_NULLS_UNSPECIFIED
          ? !descending
          : order.null_ordering() == proto::Expression::SortOrder::SORT_NULLS_FIRST;
  const auto suffix =
      fmt::format(" {} NULLS {}", descending ? "DESC" : "ASC", nulls_first ? "FIRST" : "LAST");
  const auto& child = order.child();
  if (child.has_literal() && child.literal().has_integer()) {
    const int position = child.literal().integer();
    if (position < 1 || position > static_cast<int>(output.size())) {
      throw Error(
          "ORDER_BY_POS_OUT_OF_RANGE",
          fmt::format("ORDER BY position {} is not in select list (valid range is [1, {}]).",
                      position, output.size()))
          .at(span_of(child));
    }
    const auto& column = output[position - 1];
    if (!column.computed.empty() && !scope.inlines) scope.uses_computed = true;
    return (scope.inlines && !column.computed.empty() ? "(" + column.computed + ")" : column.sql) +
           suffix;
  }
  const auto value = expression(child, scope);
  if (value.type.kind == TypeKind::kMap || value.type.kind == TypeKind::kVariant ||
      value.type.kind == TypeKind::kCalendarInterval) {
    throw Error(
        "DATATYPE_MISMATCH.INVALID_ORDERING_TYPE",
        fmt::format(
            "Cannot resolve \"{} {}\" due to data type mismatch: the sort order does not support "
            "ordering on type \"{}\".",
            value.name, suffix, value.type.sql()))
        .at(value.span);
  }
  return "(" + value.sql + ")" + suffix;
}

Query Resolver::sort(const proto::Sort& sort) {
  auto query = relation(sort.input());
  std::vector<proto::Expression::SortOrder> terms(sort.order().begin(), sort.order().end());
  if (terms.size() == 1 && terms[0].child().has_unresolved_attribute()) {
    std::string name = terms[0].child().unresolved_attribute().unparsed_identifier();
    std::transform(name.begin(), name.end(), name.begin(), ::tolower);
    const bool is_column = std::any_of(query.output.begin(), query.output.end(),
                                       [&](const Attribute& a) { return same_name(a.name, name); });
    if (name == "all" && !is_column) {
      const auto pattern = terms[0];
      terms.clear();
      for (size_t i = 0; i < query.output.size(); ++i) {
        terms.push_back(pattern);
        terms.back().mutable_child()->mutable_literal()->set_integer(static_cast<int>(i + 1));
      }
    }
  }
  if (query.aggregation && query.select.grouped && !query.select.limited() &&
      !query.select.distinct) {
    // ORDER BY may name aggregates and keys that the SELECT list lacks.
    const auto aggregation = query.aggregation;
    Scope scope{.levels = {&query.output, &aggregation->input},
                .aggregates = true,
                .aggregate_input = &aggregation->input,
                .inlines = true,
                .grouping = aggregation->sets ? &aggregation->keys : nullptr};
    std::vector<std::string> order;
    for (const auto& term : terms) order.push_back(order_term(term, scope, query.output));
    query.select.order_by = std::move(order);
    return query;
  }
  Scope scope{.levels = {&query.output, &query.hidden, &query.below}};
  std::vector<std::string> order;
  for (const auto& term : terms) order.push_back(order_term(term, scope, query.output));
  if (scope.uses_row) {
    const auto number = number_rows(query);
    scope = Scope{.levels = {&query.output, &query.hidden}, .row = number.sql};
    order.clear();
    for (const auto& term : terms) order.push_back(order_term(term, scope, query.output));
  }
  const bool needs_below = scope.level_used == 2;
  if (needs_below && query.select.distinct) {
    throw Error("MISSING_ATTRIBUTES.RESOLVED_ATTRIBUTE_MISSING_FROM_INPUT",
                "ORDER BY of a SELECT DISTINCT may only name its own columns.");
  }
  if (scope.uses_computed || query.select.limited() || query.select.grouped ||
      query.select.distinct)
    query.wrap(needs_below);
  query.select.order_by = std::move(order);
  query.aggregation.reset();
  return query;
}

Query Resolver::na_fill(const proto::NAFill& fill) {
  auto input = relation(fill.input());
  std::vector<proto::Expression> expressions;
  for (const auto& column : input.output) {
    const proto::Expression::Literal* value = nullptr;
    const bool named = fill.cols_size() > 0;
    for (int i = 0; i < fill.cols_size(); ++i) {
      if (same_name(fill.cols(i), column.name))
        value = &fill.values(fill.values_size() == 1 ? 0 : i);
    }
    if (!named) value = &fill.values(0);
    auto column_expression = attribute_expression("`" + column.sql + "`");
    if (value) {
      const auto type = literal(*value).type;
      const bool fits =
          (type.is_numeric() && column.type.is_numeric()) || type.kind == column.type.kind;
      if (!fits) value = nullptr;
    }
    if (!value) {
      expressions.push_back(column_expression);
      continue;
    }
    auto* alias = expressions.emplace_back().mutable_alias();
    alias->add_name(column.name);
    auto* cast = alias->mutable_expr()->mutable_cast();
    type_to_proto(column.type, cast->mutable_type());
    auto* call = cast->mutable_expr()->mutable_unresolved_function();
    call->set_function_name("coalesce");
    call->add_arguments()->mutable_unresolved_attribute()->set_unparsed_identifier(
        "`" + column.name + "`");
    *call->add_arguments()->mutable_literal() = *value;
  }
  for (const auto& name : fill.cols()) column_named(input.output, name);
  return project_onto(std::move(input), expressions);
}

Query Resolver::na_drop(const proto::NADrop& drop) {
  auto query = relation(drop.input());
  query.wrap();
  std::vector<std::string> there;
  std::vector<std::string> names(drop.cols().begin(), drop.cols().end());
  if (names.empty()) {
    for (const auto& column : query.output)
      there.push_back(column.type.is_fractional()
                          ? fmt::format("({0} IS NOT NULL AND NOT isnan({0}))", column.sql)
                          : column.sql + " IS NOT NULL");
  }
  for (const auto& name : names) {
    const auto& column = column_named(query.output, name);
    there.push_back(column.type.is_fractional()
                        ? fmt::format("({0} IS NOT NULL AND NOT isnan({0}))", column.sql)
                        : column.sql + " IS NOT NULL");
  }
  const int least =
      drop.has_min_non_nulls() ? drop.min_non_nulls() : static_cast<int>(there.size());
  std::string count;
  for (const auto& condition : there)
    count += fmt::format("{}CAST({} AS INTEGER)", count.empty() ? "" : " + ", condition);
  if (least == static_cast<int>(there.size())) {
    for (const auto& condition : there) query.select.where.push_back(condition);
  } else {
    query.select.where.push_back(fmt::format("({}) >= {}", count, least));
  }
  return query;
}

Query Resolver::join(const proto::Join& join, const proto::Relation& relation) {
  auto left = this->relation(join.left());
  auto right = this->relation(join.right());
  const auto is_table = [](const Query& query) {
    const auto& s = query.select;
    if (!s.where.empty() || s.grouped || s.distinct || s.limited() || s.has_window ||
        !s.order_by.empty() || s.from.empty())
      return false;
    return std::all_of(query.output.begin(), query.output.end(),
                       [](const Attribute& a) { return a.computed.empty(); });
  };
  if (!is_table(left)) left.wrap();
  if (!is_table(right)) right.wrap();
  using J = proto::Join;
  const char* word = "INNER JOIN";
  switch (join.join_type()) {
    case J::JOIN_TYPE_LEFT_OUTER:
      word = "LEFT JOIN";
      break;
    case J::JOIN_TYPE_RIGHT_OUTER:
      word = "RIGHT JOIN";
      break;
    case J::JOIN_TYPE_FULL_OUTER:
      word = "FULL JOIN";
      break;
    case J::JOIN_TYPE_LEFT_SEMI:
      word = "SEMI JOIN";
      break;
    case J::JOIN_TYPE_LEFT_ANTI:
      word = "ANTI JOIN";
      break;
    default:
      break;
  }
  const bool left_optional =
      join.join_type() == J::JOIN_TYPE_RIGHT_OUTER || join.join_type() == J::JOIN_TYPE_FULL_OUTER;
  const bool right_optional =
      join.join_type() == J::JOIN_TYPE_LEFT_OUTER || join.join_type() == J::JOIN_TYPE_FULL_OUTER;
  const bool left_only =
      join.join_type() == J::JOIN_TYPE_LEFT_SEMI || join.join_type() == J::JOIN_TYPE_LEFT_ANTI;

  std::string condition;
  std::vector<Attribute> keys, hidden;
  std::vector<std::string> taken;
  std::vector<std::string> shared(join.using_columns().begin(), join.using_columns().end());
  if (relation.common().origin().jvm_origin().object_type() == "NATURAL") {
    for (const auto& column : left.output) {
      const bool both =
          std::any_of(right.output.begin(), right.output.end(),
                      [&](const Attribute& other) { return same_name(other.name, column.name); });
      if (both) shared.push_back(column.name);
    }
  }
  for (const auto& name : shared) {
    auto side = [&](const Query& query, const char* which) -> const Attribute& {
      for (const auto& column : query.output) {
        if (same_name(column.name, name)) return column_named(query.output, name);
      }
      std::string list;
      for (const auto& column : query.output)
        list += fmt::format("{}`{}`", list.empty() ? "" : ", ", column.name);
      throw Error("UNRESOLVED_USING_COLUMN_FOR_JOIN",
                  fmt::format("USING column `{}` cannot be resolved on the {} side of the join. "
                              "The {}-side columns: [{}].",
                              name, which, which, list))
          .at(span_of(relation));
    };
    const Attribute& l = side(left, "left");
    const Attribute& r = side(right, "right");
    std::vector<Resolved> sides = {
        {.sql = l.sql, .type = l.type, .nullable = l.nullable, .exact = l.exact, .name = l.name},
        {.sql = r.sql, .type = r.type, .nullable = r.nullable, .exact = r.exact, .name = r.name}};
    const auto equal =
        resolve_call(find_function("=="), sides,
                     {.name = "==", .span = span_of(relation), .time_zone = settings_.time_zone});
    condition += (condition.empty() ? "" : " AND ") + equal.sql;
    Attribute key = join.join_type() == J::JOIN_TYPE_RIGHT_OUTER ? r : l;
    if (join.join_type() == J::JOIN_TYPE_FULL_OUTER) {
      key = fresh(l.name, *common_type(l.type, r.type), l.nullable && r.nullable);
      key.computed = fmt::format("coalesce({}, {})", l.sql, r.sql);
    }
    keys.push_back(key);
    taken.push_back(l.sql);
    taken.push_back(r.sql);
    hidden.push_back(l);
    if (!left_only) hidden.push_back(r);
  }
  Query query;
  query.select.from = fmt::format("{} {} {}", left.select.from, word, right.select.from);
  for (auto& column : left.output) column.nullable = column.nullable || left_optional;
  for (auto& column : right.output) column.nullable = column.nullable || right_optional;
  query.output = keys;
  auto append = [&](const std::vector<Attribute>& columns) {
    for (const auto& column : columns) {
      if (std::find(taken.begin(), taken.end(), column.sql) == taken.end())
        query.output.push_back(column);
    }
  };
  append(left.output);
  if (!left_only) append(right.output);
  query.hidden = hidden;
  query.hidden.insert(query.hidden.end(), left.hidden.begin(), left.hidden.end());
  if (!left_only) query.hidden.insert(query.hidden.end(), right.hidden.begin(), right.hidden.end());

  if (join.has_join_condition()) {
    auto both = left.output;
    both.insert(both.end(), right.output.begin(), right.output.end());
    auto both_hidden = left.hidden;
    both_hidden.insert(both_hidden.end(), right.hidden.begin(), right.hidden.end());
    Scope scope{.levels = {&both, &both_hidden}};
    const auto on = expression(join.join_condition(), scope);
    if (on.type.kind != TypeKind::kBoolean && !on.is_null()) not_boolean(on, "join");
    if (scope.uses_window || scope.uses_row) {
      throw Error("UNSUPPORTED_FEATURE.NONDETERMINISTIC_JOIN",
                  "Window functions, random numbers with a seed and monotonically_increasing_id() "
                  "cannot stand in ON; "
                  "put them in a column first.")
          .at(on.span);
    }
    condition = on.sql;
  }
  if (condition.empty()) {
    const bool inner = join.join_type() == J::JOIN_TYPE_INNER ||
                       join.join_type() == J::JOIN_TYPE_CROSS ||
                       join.join_type() == J::JOIN_TYPE_UNSPECIFIED;
    query.select.from = inner ? fmt::format("{} CROSS JOIN {}", left.select.from, right.select.from)
                              : fmt::format("{} ON true", query.select.from);
  } else {
    query.select.from += " ON " + condition;
  }
  // A join chain needs its left side in parentheses once it stands on the right of another.
  query.select.from = "(" + query.select.from + ")";
  return query;
}

Query Resolver::lateral_join(const proto::LateralJoin& join) {
  if (auto python = python_lateral(join)) return std::move(*python);
  auto left = relation(join.left());
  left.wrap();
  Scope scope{.levels = {&left.output, &left.hidden}};
  outer_.push_back(&scope);
  auto right = relation(join.right());
  outer_.pop_back();
  const bool outer = join.join_type() == proto::Join::JOIN_TYPE_LEFT_OUTER;
  std::string condition = "true";
  auto both = left.output;
  both.insert(both.end(), right.output.begin(), right.output.end());
  if (join.has_join_condition()) {
    Scope on_scope{.levels = {&both}};
    condition = expression(join.join_condition(), on_scope).sql;
  }
  Query query;
  const auto elements = condition == "true" ? beside(left.select.from, right, outer) : std::nullopt;
  query.select.from = elements.value_or(fmt::format("({} {} JOIN LATERAL ({}) ON {})",
                                                    left.select.from, outer ? "LEFT" : "INNER",
                                                    right.print(right.output), condition));
  for (auto& column : right.output) {
    column.computed.clear();
    column.nullable = column.nullable || outer;
  }
  query.output = left.output;
  query.output.insert(query.output.end(), right.output.begin(), right.output.end());
  query.hidden = left.hidden;
  return query;
}

}  // namespace firesteel
