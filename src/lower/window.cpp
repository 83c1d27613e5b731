// Calls with OVER: their partitions, order and frame, as SQL and as Spark names them.
#include <fmt/format.h>

#include <algorithm>

#include "lower/resolver.h"

namespace firesteel {

namespace {

using enum TypeKind;

constexpr std::string_view kOver = "/*over*/";

/// Where the clauses behind an aggregate call go: at the marks, or at the end.
std::string with_clause(std::string sql, const std::string& clause) {
  if (sql.find(kOver) == std::string::npos) return clause.empty() ? sql : sql + clause;
  for (size_t at = sql.find(kOver); at != std::string::npos;
       at = sql.find(kOver, at + clause.size())) {
    sql.replace(at, kOver.size(), clause);
  }
  return sql;
}

/// Rows (or values) from the current row, when the boundary is a literal.
std::optional<int64_t> offset_of(
    const proto::Expression::Window::WindowFrame::FrameBoundary& boundary, bool lower) {
  if (boundary.has_current_row()) return 0;
  if (boundary.has_unbounded()) return lower ? INT64_MIN : INT64_MAX;
  const auto& literal = boundary.value().literal();
  if (literal.has_integer()) return literal.integer();
  if (literal.has_long_()) return literal.long_();
  return std::nullopt;
}

/// How many rows away lag and lead look, as their arguments say; else 0.
std::string own_frame_offset(const proto::Expression::UnresolvedFunction& call) {
  if (call.arguments_size() < 2) return "1";
  const auto& literal = call.arguments(1).literal();
  return literal.has_integer() ? std::to_string(literal.integer()) : "1";
}

/// The frame that Spark names for a function that has one of its own.
std::string frame_name(const proto::Expression::UnresolvedFunction& call,
                       const std::string& offset) {
  if (equal_ignoring_case(call.function_name(), "lag")) {
    return offset == "0" ? " ROWS BETWEEN 0 FOLLOWING AND 0 FOLLOWING"
                         : fmt::format(" ROWS BETWEEN -{0} FOLLOWING AND -{0} FOLLOWING", offset);
  }
  if (equal_ignoring_case(call.function_name(), "lead"))
    return fmt::format(" ROWS BETWEEN {0} FOLLOWING AND {0} FOLLOWING", offset);
  const bool range = equal_ignoring_case(call.function_name(), "cume_dist");
  return fmt::format(" {} BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", range ? "RANGE" : "ROWS");
}

}  // namespace

Resolved Resolver::window(const proto::Expression::Window& window, Scope& scope, Span span) {
  Scope inner = scope;
  inner.aggregates = true;
  inner.ungrouped.clear();
  // Over an aggregation, the window function's argument may itself be an aggregate: sum(sum(x)).
  inner.inside_aggregate = false;
  const auto& call_proto = window.window_function();
  const auto& call = call_proto.unresolved_function();
  Resolved function_call;
  const auto overloads = find_function(call.function_name());
  const bool over_aggregation = scope.aggregates && !overloads.empty() &&
                                overloads.front()->kind == FunctionKind::kAggregate &&
                                call_proto.has_unresolved_function();
  if (over_aggregation) {
    std::vector<Resolved> arguments;
    for (const auto& argument : call.arguments()) {
      if (argument.has_unresolved_star()) {
        arguments.push_back(counted_row());
      } else {
        arguments.push_back(expression(argument, scope));
      }
    }
    function_call = resolve_call(overloads, std::move(arguments),
                                 {.name = call.function_name(),
                                  .span = span,
                                  .time_zone = settings_.time_zone,
                                  .windowed = true});
    if (call.is_distinct()) {
      throw Error("DISTINCT_WINDOW_FUNCTION_UNSUPPORTED",
                  "Distinct window functions are not supported.")
          .at(span);
    }
  } else {
    inner.keys = nullptr;
    inner.windowed = true;
    function_call = expression(call_proto, inner);
    scope.uses_computed |= inner.uses_computed;
    scope.level_used = std::max(scope.level_used, inner.level_used);
  }
  scope.uses_window = true;
  std::string sql, name;
  for (const auto& key : window.partition_spec()) {
    const auto value = expression(key, scope);
    sql += (sql.empty() ? "PARTITION BY " : ", ") + value.sql;
    name += (name.empty() ? "PARTITION BY " : ", ") + value.name;
  }
  std::string order;
  std::string order_name;
  for (const auto& term : window.order_spec()) {
    const auto value = expression(term.child(), scope);
    const bool descending =
        term.direction() == proto::Expression::SortOrder::SORT_DIRECTION_DESCENDING;
    const bool nulls_first =
        term.null_ordering() == proto::Expression::SortOrder::SORT_NULLS_UNSPECIFIED
            ? !descending
            : term.null_ordering() == proto::Expression::SortOrder::SORT_NULLS_FIRST;
    // A constant key orders nothing; DuckDB would read a bare number as a position.
    const auto suffix =
        fmt::format(" {} NULLS {}", descending ? "DESC" : "ASC", nulls_first ? "FIRST" : "LAST");
    order += (order.empty() ? "ORDER BY " : ", ") +
             (value.literal.empty() ? value.sql : "(" + value.sql + ")") + suffix;
    order_name += (order_name.empty() ? "ORDER BY " : ", ") + value.name + suffix;
  }
  window_order_ = sql.starts_with("PARTITION BY ") ? sql.substr(13) : "";
  if (!order.empty()) window_order_ += (window_order_.empty() ? "" : ", ") + order.substr(9);
  if (!order.empty()) {
    sql += (sql.empty() ? "" : " ") + order;
    name += (name.empty() ? "" : " ") + order_name;
  }
  const bool needs_order = !overloads.empty() && overloads.front()->kind == FunctionKind::kWindow;
  if (needs_order && order.empty()) {
    throw Error(
        "WINDOW_FUNCTION_FRAME_NOT_ORDERED",
        fmt::format("Window function {} requires the window to be ordered. You need to add an "
                    "ORDER BY clause. For example: SELECT {} OVER (PARTITION BY window_partition "
                    "ORDER BY window_ordering) FROM table.",
                    lower_case(call.function_name()), function_call.name))
        .at(span);
  }
  const bool own_frame = needs_order && !equal_ignoring_case(call.function_name(), "nth_value");
  if (window.has_frame_spec() && !own_frame) {
    const auto& frame = window.frame_spec();
    const bool rows = frame.frame_type() == proto::Expression::Window::WindowFrame::FRAME_TYPE_ROW;
    auto bound = [&](const proto::Expression::Window::WindowFrame::FrameBoundary& boundary,
                     bool lower) -> std::string {
      if (boundary.has_current_row()) return "CURRENT ROW";
      if (boundary.has_unbounded()) return lower ? "UNBOUNDED PRECEDING" : "UNBOUNDED FOLLOWING";
      auto value = expression(boundary.value(), scope);
      const bool negative = !value.literal.empty() && value.literal.front() == '-';
      if (negative) return fmt::format("{} PRECEDING", value.literal.substr(1));
      if (value.literal == "0") return "CURRENT ROW";
      // An interval before the current row arrives as a negated one: -(INTERVAL …).
      if (boundary.value().has_unresolved_function() &&
          boundary.value().unresolved_function().function_name() == "negative") {
        const auto positive =
            expression(boundary.value().unresolved_function().arguments(0), scope);
        return fmt::format("{} PRECEDING", positive.sql);
      }
      const auto& offset = boundary.value().literal();
      if (offset.day_time_interval() < 0 || offset.year_month_interval() < 0) {
        auto opposite = boundary.value();
        if (offset.has_day_time_interval())
          opposite.mutable_literal()->set_day_time_interval(-offset.day_time_interval());
        if (offset.has_year_month_interval())
          opposite.mutable_literal()->set_year_month_interval(-offset.year_month_interval());
        return fmt::format("{} PRECEDING", expression(opposite, scope).sql);
      }
      return fmt::format("{} FOLLOWING", value.sql);
    };
    const auto low = offset_of(frame.lower(), true), high = offset_of(frame.upper(), false);
    if (low && high && *low > *high) {
      throw Error(
          "DATATYPE_MISMATCH.SPECIFIED_WINDOW_FRAME_WRONG_COMPARISON",
          "The lower bound of a window frame must be less than or equal to the upper bound.")
          .at(span);
    }
    const auto text = fmt::format("{} BETWEEN {} AND {}", rows ? "ROWS" : "RANGE",
                                  bound(frame.lower(), true), bound(frame.upper(), false));
    sql += (sql.empty() ? "" : " ") + text;
    name += (name.empty() ? "" : " ") + text;
  } else if (!order.empty() && !own_frame) {
    name += " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW";
  } else if (own_frame) {
    name += frame_name(call, own_frame_offset(call));
  } else {
    name += (name.empty() ? "" : " ") +
            std::string("ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING");
  }
  function_call.sql = with_clause(function_call.sql, fmt::format(" OVER ({})", sql));
  function_call.name = fmt::format("{} OVER ({})", function_call.name, name);
  if (equal_ignoring_case(call.function_name(), "row_number"))  // rows that tie are numbered
    window_order_ += ", " + function_call.sql;
  function_call.literal.clear();
  return function_call;
}

}  // namespace firesteel
