// Aggregation: GROUP BY in all its forms, PySpark's agg(), PIVOT, and the columns of window().
#include <fmt/format.h>

#include <algorithm>

#include "lower/resolver.h"
#include "plan/print.h"

namespace firesteel {

namespace {

/// The name of window() and session_window(), which make columns of their own; else empty.
std::string window_name(const proto::Expression& expression) {
  std::string name = expression.unresolved_function().function_name();
  std::transform(name.begin(), name.end(), name.begin(), ::tolower);
  return name == "window" || name == "session_window" ? name : "";
}

/// Equal for expressions that differ in their places alone.
std::string without_places(const proto::Expression& expression) {
  return firesteel::without_origins(expression).SerializeAsString();
}

}  // namespace

/// The last column, which is each row's own session, becomes the one that it is part of among the
/// rows of equal other keys.
void Resolver::merge_sessions(Query& input, const std::vector<proto::Expression>& keys,
                              const proto::Expression& session) {
  Scope scope{.levels = {&input.output, &input.hidden}, .is_key = true};
  std::string partition;
  for (const auto& key : keys) {
    if (without_places(key) == without_places(session)) continue;
    partition += (partition.empty() ? "PARTITION BY " : ", ") + expression(key, scope).sql;
  }
  const auto own = input.output.back();
  const auto start = fmt::format("struct_extract({}, 'start')", own.sql),
             end = fmt::format("struct_extract({}, 'end')", own.sql);
  const auto columns = input.output.size();
  const auto add = [&](std::string sql, const DataType& type) {
    input.wrap();
    input.output.push_back(made({.sql = std::move(sql), .type = type}, ""));
    input.wrap();
    return input.output.back().sql;
  };
  const auto ordered = fmt::format("{} ORDER BY {}, {} ROWS BETWEEN UNBOUNDED PRECEDING AND ",
                                   partition, start, end);
  const auto begins =
      add(fmt::format("CAST(coalesce({} > max({}) OVER ({}1 PRECEDING), true) AS INTEGER)", start,
                      end, ordered),
          make_type(TypeKind::kInteger));
  const auto number =
      add(fmt::format("sum({}) OVER ({}CURRENT ROW)", begins, ordered), make_type(TypeKind::kLong));
  const auto group =
      fmt::format("OVER ({}{})", partition.empty() ? "PARTITION BY " : partition + ", ", number);
  add(fmt::format("struct_pack(\"start\" := min({}) {}, \"end\" := max({}) {})", start, group, end,
                  group),
      own.type);
  auto merged = input.output.back();
  merged.name = own.name;
  input.output.resize(columns);
  input.output.back() = std::move(merged);
}

Query Resolver::aggregate(const proto::Aggregate& aggregate, bool select_list) {
  auto input = relation(aggregate.input());
  std::vector<proto::Expression> keys = list_of(aggregate.grouping_expressions());
  auto items = expand(list_of(aggregate.aggregate_expressions()), input.output, input.hidden);

  // GROUP BY 1 and GROUP BY alias mean expressions of the SELECT list; GROUP BY ALL those without
  // aggregates.
  Scope probe{.levels = {&input.output, &input.hidden}, .aggregates = true};
  auto is_column = [&](const std::string& name) {
    return std::any_of(input.output.begin(), input.output.end(),
                       [&](const Attribute& a) { return same_name(a.name, name); });
  };
  if (select_list && keys.size() == 1 && keys[0].has_unresolved_attribute() &&
      same_name(keys[0].unresolved_attribute().unparsed_identifier(), "ALL") && !is_column("all")) {
    keys.clear();
    for (const auto& item : items) {
      probe.uses_aggregate = false;
      expression(item, probe);
      if (!probe.uses_aggregate) keys.push_back(item.has_alias() ? item.alias().expr() : item);
    }
  }
  auto substitute = [&](proto::Expression& key) {
    if (!select_list) return;
    if (key.has_literal() && key.literal().has_integer()) {
      const int position = key.literal().integer();
      if (position < 1 || position > static_cast<int>(items.size())) {
        throw Error(
            "GROUP_BY_POS_OUT_OF_RANGE",
            fmt::format("GROUP BY position {} is not in select list (valid range is [1, {}]).",
                        position, items.size()))
            .at(span_of(key));
      }
      const auto& item = items[position - 1];
      Scope aggregates{.levels = {&input.output, &input.hidden}, .aggregates = true};
      expression(item, aggregates);
      if (aggregates.uses_aggregate) {
        throw Error("GROUP_BY_POS_AGGREGATE",
                    fmt::format("GROUP BY {} refers to an expression that contains an aggregate "
                                "function. Aggregate "
                                "functions are not allowed in GROUP BY.",
                                position))
            .at(span_of(key));
      }
      key = proto::Expression(item.has_alias() ? item.alias().expr() : item);
    } else if (key.has_unresolved_attribute()) {
      const auto parts = split_name(key.unresolved_attribute().unparsed_identifier());
      if (parts.size() != 1 || is_column(parts[0])) return;
      for (const auto& item : items) {
        if (item.has_alias() && same_name(item.alias().name(0), parts[0])) {
          key = proto::Expression(item.alias().expr());
          return;
        }
      }
    }
  };
  for (auto& key : keys) substitute(key);

  // window(ts, …) is a column that other expressions take parts of.
  for (auto& key : keys) {
    const auto name = window_name(key);
    if (name.empty()) continue;
    Scope window_scope{.levels = {&input.output, &input.hidden}, .is_key = true};
    const auto call = without_places(key);
    const auto value = expression(key, window_scope);
    input.output.push_back(made(value, name));
    if (value.type.kind == TypeKind::kArray) {  // windows that overlap: the row is in each of them
      input.wrap();
      auto one = fresh("window", value.type.element(), true);
      input.select.from = fmt::format("({} INNER JOIN LATERAL (SELECT unnest({}) AS {}) ON true)",
                                      input.select.from, input.output.back().sql, one.sql);
      input.output.back() = std::move(one);
    }
    // By its SQL name where the input has a column of the name already.
    const bool twice =
        std::count_if(input.output.begin(), input.output.end(),
                      [&](const Attribute& a) { return same_name(a.name, name); }) > 1;
    const auto column =
        attribute_expression(fmt::format("`{}`", twice ? input.output.back().sql : name));
    for (auto& item : items) {
      if (without_places(item) == call) item = column;
    }
    key = column;
    input.wrap();
    // Rows without a time are in no window.
    input.select.where.push_back(input.output.back().sql + " IS NOT NULL");
    if (name == "session_window") merge_sessions(input, keys, column);
    for (auto& own : input.output) {
      if (own.name == name && own.type.kind == TypeKind::kStruct) own.nullable = false;
    }
    break;
  }

  Scope key_scope{.levels = {&input.output, &input.hidden}, .is_key = true};
  auto resolve_keys = [&](Scope& scope) {
    std::vector<Resolved> resolved;
    for (const auto& key : keys) {
      // A column of a star is named by its SQL name.
      const auto& name = key.unresolved_attribute().unparsed_identifier();
      if (key.has_unresolved_attribute() && name.size() > 2 && name[1] == '"') {
        const auto found =
            std::find_if(input.output.begin(), input.output.end(),
                         [&](const Attribute& a) { return "`" + a.sql + "`" == name; });
        resolved.push_back({.sql = found->sql,
                            .type = found->type,
                            .nullable = found->nullable,
                            .exact = found->exact,
                            .name = found->name});
        continue;
      }
      resolved.push_back(expression(key, scope));
    }
    return resolved;
  };
  auto resolved_keys = resolve_keys(key_scope);

  auto build = [&](Scope& scope, std::vector<Attribute>& output) {
    output.clear();
    if (!select_list) {
      for (const auto& key : resolved_keys) output.push_back(made(key, key.name));
    }
    for (const auto& item : items) {
      scope.ungrouped.clear();
      const auto& name = item.unresolved_attribute().unparsed_identifier();
      Resolved value;
      if (item.has_unresolved_attribute() && name.size() > 2 && name[1] == '"') {
        const auto found =
            std::find_if(input.output.begin(), input.output.end(),
                         [&](const Attribute& a) { return "`" + a.sql + "`" == name; });
        value = {.sql = found->sql,
                 .type = found->type,
                 .nullable = found->nullable,
                 .exact = found->exact,
                 .name = found->name};
        const bool is_key = std::any_of(resolved_keys.begin(), resolved_keys.end(),
                                        [&](const Resolved& key) { return key.sql == value.sql; });
        if (!is_key) scope.ungrouped.push_back(value);
      } else {
        value = expression(item, scope);
      }
      if (!scope.ungrouped.empty()) {
        const auto& column = scope.ungrouped.front();
        if (resolved_keys.empty()) {
          throw Error("MISSING_GROUP_BY",
                      "The query does not include a GROUP BY clause. Add GROUP BY or turn it into "
                      "the window functions using OVER clauses.")
              .at(column.span);
        }
        throw Error("MISSING_AGGREGATION",
                    fmt::format("The non-aggregating expression \"{0}\" is based on columns which "
                                "are not participating in "
                                "the GROUP BY clause. Add the columns or the expression to the "
                                "GROUP BY, aggregate the "
                                "expression, or use \"any_value({0})\" if you do not care which of "
                                "the values within a group "
                                "is returned.",
                                column.name))
            .at(column.span);
      }
      auto attribute = made(value, column_name(item, value));
      // A key passed on by its own name keeps its qualifier.
      for (const auto& column : input.output) {
        if (column.sql == value.sql && !item.has_alias()) attribute.qualifiers = column.qualifiers;
      }
      output.push_back(std::move(attribute));
    }
  };
  const bool sets = aggregate.group_type() == proto::Aggregate::GROUP_TYPE_ROLLUP ||
                    aggregate.group_type() == proto::Aggregate::GROUP_TYPE_CUBE ||
                    aggregate.group_type() == proto::Aggregate::GROUP_TYPE_GROUPING_SETS;
  const auto* grouping = sets ? &resolved_keys : nullptr;
  Scope scope{.levels = {&input.output, &input.hidden},
              .aggregates = true,
              .keys = &resolved_keys,
              .rows_order = &input.select.order_by,
              .is_column = true,
              .grouping = grouping};
  std::vector<Attribute> output;
  build(scope, output);
  const bool nests = key_scope.uses_computed || scope.uses_computed || input.select.grouped ||
                     input.select.distinct || input.select.limited() || input.select.has_window;
  if (nests) {
    input.wrap();
    Scope again{.levels = {&input.output, &input.hidden}};
    resolved_keys = resolve_keys(again);
    scope = Scope{.levels = {&input.output, &input.hidden},
                  .aggregates = true,
                  .keys = &resolved_keys,
                  .is_column = true,
                  .grouping = grouping};
    build(scope, output);
  }
  Query query;
  query.select = std::move(input.select);
  query.select.order_by.clear();
  query.select.grouped = true;
  // Spark asks a Python function nothing of no rows at all, and then has no row.
  const auto asks_python = [](const Attribute& column) {
    return column.computed.find("spark_python_group(") != std::string::npos;
  };
  if (resolved_keys.empty() && std::any_of(output.begin(), output.end(), asks_python))
    query.select.having.push_back("count(*) > 0");
  query.select.has_window = scope.uses_window || scope.uses_row;
  auto list = [&](const std::vector<Resolved>& parts) {
    std::string text;
    for (const auto& part : parts) text += (text.empty() ? "" : ", ") + ("(" + part.sql + ")");
    return text;
  };
  switch (aggregate.group_type()) {
    case proto::Aggregate::GROUP_TYPE_ROLLUP:
      query.select.group_by = {fmt::format("ROLLUP ({})", list(resolved_keys))};
      break;
    case proto::Aggregate::GROUP_TYPE_CUBE:
      query.select.group_by = {fmt::format("CUBE ({})", list(resolved_keys))};
      break;
    case proto::Aggregate::GROUP_TYPE_GROUPING_SETS: {
      std::string sets;
      for (const auto& set : aggregate.grouping_sets()) {
        std::vector<Resolved> members;
        for (auto member : set.grouping_set()) {
          substitute(member);
          Scope member_scope{.levels = {&input.output, &input.hidden}, .is_key = true};
          members.push_back(expression(member, member_scope));
        }
        sets += fmt::format("{}({})", sets.empty() ? "" : ", ", list(members));
      }
      query.select.group_by = {fmt::format("GROUPING SETS ({})", sets)};
      break;
    }
    default:
      for (const auto& key : resolved_keys) {
        // A constant key groups nothing; DuckDB would read a number as a position.
        if (key.literal.empty()) query.select.group_by.push_back(key.sql);
      }
      if (!resolved_keys.empty() && query.select.group_by.empty())
        query.select.group_by.push_back("(SELECT 1)");
      break;
  }
  query.output = std::move(output);
  query.aggregation =
      std::make_shared<Query::Aggregation>(Query::Aggregation{input.output, resolved_keys, sets});
  return query;
}

namespace {

/// Aggregates that have a value where there is no row.
bool counts(const std::string& name) {
  return name.starts_with("count") || name.starts_with("approx_count") ||
         name.starts_with("collect") || name == "array_agg" || name == "regr_count";
}

}  // namespace

/// The values there are, in order, when none are given.
void Resolver::find_pivot_values(const proto::Relation& input, proto::Aggregate::Pivot& pivot) {
  constexpr size_t kValuesMax = 10000;  // Spark's spark.sql.pivotMaxValues
  auto rows = relation(input);
  rows.wrap();
  Scope scope{.levels = {&rows.output, &rows.hidden}};
  const auto column = expression(pivot.col(), scope);
  const auto found =
      catalog_->rows(fmt::format("SELECT DISTINCT {} AS v FROM {} ORDER BY 1 LIMIT {}", column.sql,
                                 rows.select.from, kValuesMax + 1));
  if (found.size() > kValuesMax) {
    throw Error("_LEGACY_ERROR_TEMP_1324",
                fmt::format("The pivot column {} has more than {} distinct values, this could "
                            "indicate an error. If this was intended, set spark.sql.pivotMaxValues "
                            "to at least the number of distinct values of the pivot column.",
                            column.name, kValuesMax))
        .at(span_of(pivot.col()));
  }
  for (const auto& row : found) {
    auto* value = pivot.add_values();
    if (!row[0]) {
      type_to_proto(column.type, value->mutable_null());
    } else if (column.type.kind == TypeKind::kBoolean) {
      value->set_boolean(*row[0] == "true");
    } else if (column.type.is_integral()) {
      value->set_long_(std::stoll(*row[0]));
    } else if (column.type.is_fractional()) {
      value->set_double_(std::stod(*row[0]));
    } else if (column.type.kind == TypeKind::kDecimal) {
      value->mutable_decimal()->set_value(*row[0]);
      value->mutable_decimal()->set_precision(column.type.precision);
      value->mutable_decimal()->set_scale(column.type.scale);
    } else {
      value->set_string(*row[0]);
    }
  }
}

Query Resolver::pivot(const proto::Aggregate& aggregate) {
  // Each value of the pivot column is one filtered aggregate.
  auto pivot = aggregate.pivot();
  if (pivot.values_size() == 0) find_pivot_values(aggregate.input(), pivot);
  proto::Aggregate plain;
  *plain.mutable_input() = aggregate.input();
  *plain.mutable_grouping_expressions() = aggregate.grouping_expressions();
  if (plain.grouping_expressions_size() == 1 &&
      plain.grouping_expressions(0).has_unresolved_star()) {
    // SQL's PIVOT groups by every column that it does not otherwise use.
    plain.clear_grouping_expressions();
    const auto input = relation(aggregate.input());
    std::string used = aggregate.pivot().ShortDebugString();
    for (const auto& item : aggregate.aggregate_expressions()) used += item.ShortDebugString();
    for (const auto& column : input.output) {
      if (used.find(fmt::format("unparsed_identifier: \"{}\"", column.name)) != std::string::npos)
        continue;
      *plain.add_grouping_expressions() = attribute_expression("`" + column.name + "`");
    }
  }
  plain.set_group_type(proto::Aggregate::GROUP_TYPE_GROUPBY);
  std::map<const proto::Expression*, std::string> names;
  if (aggregate.aggregate_expressions_size() > 1) {
    const auto input = relation(aggregate.input());
    for (const auto& item : aggregate.aggregate_expressions()) {
      Scope scope{.levels = {&input.output, &input.hidden}, .aggregates = true};
      names[&item] = expression(item, scope).name;
    }
  }
  for (const auto& value : pivot.values()) {
    for (const auto& item : aggregate.aggregate_expressions()) {
      const auto& call = item.has_alias() ? item.alias().expr() : item;
      auto* alias = plain.add_aggregate_expressions()->mutable_alias();
      auto* filter = alias->mutable_expr()->mutable_unresolved_function();
      filter->set_function_name("aggregate_filter");
      filter->set_is_internal(true);
      *filter->add_arguments() = call;
      // (a, b) is struct(a, b), and its value a struct of literals.
      const auto& parts = value.struct_().elements();
      std::string name = value.has_struct_() ? "" : value.has_null() ? "null" : literal(value).name;
      proto::Expression condition;
      for (int i = 0; i < std::max(1, parts.size()); ++i) {
        proto::Expression one;
        auto* equal = one.mutable_unresolved_function();
        equal->set_function_name("<=>");
        *equal->add_arguments() =
            value.has_struct_() ? pivot.col().unresolved_function().arguments(i) : pivot.col();
        *equal->add_arguments()->mutable_literal() = value.has_struct_() ? parts[i] : value;
        if (value.has_struct_())
          name += fmt::format("{}{}", i ? ", " : "{", literal(parts[i]).name);
        if (i == 0) {
          condition = std::move(one);
          continue;
        }
        proto::Expression both;
        both.mutable_unresolved_function()->set_function_name("and");
        *both.mutable_unresolved_function()->add_arguments() = std::move(condition);
        *both.mutable_unresolved_function()->add_arguments() = std::move(one);
        condition = std::move(both);
      }
      if (value.has_struct_()) name += "}";
      *filter->add_arguments() = std::move(condition);
      if (aggregate.aggregate_expressions_size() > 1) name += "_" + names[&item];
      if (counts(call.unresolved_function().function_name())) {
        // Of a value that a group does not have there is no count, not a count of zero.
        proto::Expression any = alias->expr();
        auto* count = any.mutable_unresolved_function()->mutable_arguments(0);
        count->mutable_unresolved_function()->set_function_name("count");
        count->mutable_unresolved_function()->clear_arguments();
        count->mutable_unresolved_function()->add_arguments()->mutable_literal()->set_integer(1);
        proto::Expression counted;
        auto* when = counted.mutable_unresolved_function();
        when->set_function_name("when");
        auto* present = when->add_arguments()->mutable_unresolved_function();
        present->set_function_name(">");
        *present->add_arguments() = std::move(any);
        present->add_arguments()->mutable_literal()->set_integer(0);
        *when->add_arguments() = alias->expr();
        *alias->mutable_expr() = std::move(counted);
      }
      alias->add_name(name);
    }
  }
  return this->aggregate(plain, false);
}

}  // namespace firesteel
