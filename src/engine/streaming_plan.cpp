// Streams in plans: found, put in place of names, and held to what Spark allows.
#include "engine/streaming_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "functions/spec.h"
#include "plan/build.h"
#include "plan/names.h"
#include "plan/visit.h"

namespace firesteel {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

Message* kind_of(proto::Relation& relation) {
  const auto* field = relation.GetDescriptor()->FindFieldByNumber(relation.rel_type_case());
  return field ? relation.GetReflection()->MutableMessage(&relation, field) : nullptr;
}

[[noreturn]] void unsupported(const std::string& what) {
  throw Error("_LEGACY_ERROR_TEMP_3102", what);
}

std::string last_part(const std::string& written) {
  const auto parts = split_name(written);
  return parts.empty() ? "" : parts.back();
}

/// Puts the plan in place of every read of a name.
void put_in(proto::Relation& relation, const std::string& name, const proto::Relation& plan) {
  if (relation.has_read() && relation.read().has_named_table()) {
    const auto parts = split_name(relation.read().named_table().unparsed_identifier());
    if (parts.size() == 1 && equal_ignoring_case(parts[0], name)) {
      const auto common = relation.common();
      relation = plan;
      if (common.has_plan_id()) relation.mutable_common()->set_plan_id(common.plan_id());
    }
    return;
  }
  for (auto* input : inputs_of(relation)) put_in(*input, name, plan);
}

bool calls_aggregate(const Message& message) {
  bool found = false;
  for_each_message(message, [&](const Message& part) {
    if (part.GetDescriptor() == proto::Relation::descriptor()) return false;
    if (part.GetDescriptor() == proto::Expression::UnresolvedFunction::descriptor()) {
      const auto rows = find_function(
          static_cast<const proto::Expression::UnresolvedFunction&>(part).function_name());
      found = found || (!rows.empty() && rows.front()->kind == FunctionKind::kAggregate);
    }
    return !found;
  });
  return found;
}

/// HAVING with aggregates of its own: they become a column of the aggregation, which is filtered by
/// and dropped.
void make_having_a_column(proto::Relation& relation) {
  if (!relation.has_filter() || !is_streaming_aggregate(relation.filter().input()) ||
      !calls_aggregate(relation.filter().condition()))
    return;
  constexpr const char* kHaving = "__having";
  auto aggregate = relation.filter().input();
  const auto condition = relation.filter().condition();
  *aggregate.mutable_aggregate()->add_aggregate_expressions() = build::alias(condition, kHaving);
  proto::Relation dropped;
  *dropped.mutable_drop()->mutable_input() =
      build::filter(std::move(aggregate), build::column(kHaving));
  dropped.mutable_drop()->add_column_names(kHaving);
  if (relation.has_common()) *dropped.mutable_common() = relation.common();
  relation = std::move(dropped);
}

void expand(proto::Relation& relation, EmbeddedExecutor& engine, int depth) {
  if (depth > 200) throw Error("UNSUPPORTED_FEATURE.DEEP_PLAN", "The plan is nested too deeply.");
  if (relation.has_sql()) {
    const auto common = relation.common();
    relation = engine.parse_query(relation.sql());
    if (common.has_plan_id()) relation.mutable_common()->set_plan_id(common.plan_id());
  }
  if (relation.has_read() && relation.read().has_named_table()) {
    const auto name = relation.read().named_table().unparsed_identifier();
    const auto view = engine.temporary_view(name);
    if (!view) return;
    auto plan = *view;
    expand(plan, engine, depth + 1);
    if (!is_streaming(plan)) return;
    const auto common = relation.common();
    proto::Relation named;
    named.mutable_subquery_alias()->set_alias(last_part(name));
    *named.mutable_subquery_alias()->mutable_input() = std::move(plan);
    *named.mutable_common() = common;
    relation = std::move(named);
    return;
  }
  for (auto* input : inputs_of(relation)) expand(*input, engine, depth + 1);
  make_having_a_column(relation);
  if (!relation.has_with_relations()) return;
  // Named queries that are streams stand where they are named.
  auto with = relation.with_relations();
  auto* references = with.mutable_references();
  for (int i = references->size() - 1; i >= 0; --i) {
    const auto reference = references->Get(i);
    if (!reference.has_subquery_alias() || !is_streaming(reference)) continue;
    references->DeleteSubrange(i, 1);
    put_in(*with.mutable_root(), reference.subquery_alias().alias(), reference);
    for (int j = i; j < references->size(); ++j)
      put_in(*references->Mutable(j), reference.subquery_alias().alias(), reference);
  }
  if (references->empty()) {
    const proto::Relation root = with.root();
    relation = root;
  } else {
    *relation.mutable_with_relations() = std::move(with);
  }
}

const proto::Expression& unaliased(const proto::Expression& expression) {
  return expression.has_alias() ? expression.alias().expr() : expression;
}

std::string name_of(const proto::Expression& expression) {
  if (expression.has_alias()) return expression.alias().name(0);
  if (expression.has_unresolved_attribute())
    return last_part(expression.unresolved_attribute().unparsed_identifier());
  return lower_case(expression.unresolved_function().function_name());
}

std::set<std::string> of_expressions(
    const google::protobuf::RepeatedPtrField<proto::Expression>& expressions,
    const std::set<std::string>& columns) {
  std::set<std::string> out;
  for (const auto& expression : expressions) {
    if (expression.has_unresolved_star()) out.insert(columns.begin(), columns.end());
    if (!event_column_of(unaliased(expression), columns).empty())
      out.insert(lower_case(name_of(expression)));
  }
  return out;
}

const char* join_name(proto::Join::JoinType type) {
  switch (type) {
    case proto::Join::JOIN_TYPE_LEFT_OUTER:
      return "LeftOuter";
    case proto::Join::JOIN_TYPE_RIGHT_OUTER:
      return "RightOuter";
    case proto::Join::JOIN_TYPE_FULL_OUTER:
      return "FullOuter";
    case proto::Join::JOIN_TYPE_LEFT_SEMI:
      return "LeftSemi";
    case proto::Join::JOIN_TYPE_LEFT_ANTI:
      return "LeftAnti";
    default:
      return "Inner";
  }
}

void check_join(const proto::Join& join) {
  const bool left = is_streaming(join.left()), right = is_streaming(join.right());
  const auto type = join.join_type();
  if (left && right) {
    if (type == proto::Join::JOIN_TYPE_INNER || type == proto::Join::JOIN_TYPE_UNSPECIFIED) return;
    throw Error("UNSUPPORTED_FEATURE.STREAM_STREAM_JOIN",
                fmt::format("A {} join between two streaming DataFrames/Datasets is not supported; "
                            "inner joins are.",
                            join_name(type)));
  }
  if (type == proto::Join::JOIN_TYPE_FULL_OUTER) {
    unsupported(
        fmt::format("FullOuter joins with streaming DataFrames/Datasets on the {} and a "
                    "static DataFrame/Dataset on the {} is not supported",
                    left ? "left" : "right", left ? "right" : "left"));
  }
  const bool keeps_left = type == proto::Join::JOIN_TYPE_LEFT_OUTER ||
                          type == proto::Join::JOIN_TYPE_LEFT_SEMI ||
                          type == proto::Join::JOIN_TYPE_LEFT_ANTI;
  if (right && keeps_left) {
    unsupported(
        fmt::format("{} join with a streaming DataFrame/Dataset on the right and a static "
                    "DataFrame/Dataset on the left is not supported",
                    join_name(type)));
  }
  if (left && type == proto::Join::JOIN_TYPE_RIGHT_OUTER) {
    unsupported(
        "RightOuter join with a streaming DataFrame/Dataset on the left and a static "
        "DataFrame/DataSet on the right not supported");
  }
}

void check_expressions(const Message& message, EmbeddedExecutor& engine) {
  for_each_message(message, [&](const Message& part) {
    if (part.GetDescriptor() == proto::Relation::descriptor()) return false;
    if (part.GetDescriptor() == proto::Expression::ExpressionString::descriptor()) {
      const auto& text = static_cast<const proto::Expression::ExpressionString&>(part);
      check_expressions(engine.parse_expression(text.expression()), engine);
    }
    if (part.GetDescriptor() == proto::Expression::Window::descriptor()) {
      throw Error("NON_TIME_WINDOW_NOT_SUPPORTED_IN_STREAMING",
                  "Window function is not supported on streaming DataFrames/Datasets. Structured "
                  "Streaming only supports time-window aggregation using the WINDOW function.");
    }
    return true;
  });
}

bool has_aggregate_below(const proto::Relation& relation) {
  if (is_streaming_aggregate(relation)) return true;
  const auto inputs = inputs_of(relation);
  return std::any_of(inputs.begin(), inputs.end(),
                     [](const auto* input) { return has_aggregate_below(*input); });
}

void check_aggregate(const proto::Aggregate& aggregate, OutputMode mode) {
  if (aggregate.group_type() != proto::Aggregate::GROUP_TYPE_GROUPBY)
    unsupported("Grouping Sets is not supported on streaming DataFrames/Datasets");
  for (const auto& expression : aggregate.aggregate_expressions()) {
    for_each_message(expression, [](const Message& part) {
      if (part.GetDescriptor() == proto::Expression::UnresolvedFunction::descriptor() &&
          static_cast<const proto::Expression::UnresolvedFunction&>(part).is_distinct()) {
        unsupported(
            "Distinct aggregations are not supported on streaming DataFrames/Datasets. "
            "Consider using approx_count_distinct() instead.");
      }
      return true;
    });
  }
  const auto columns = event_columns(aggregate.input());
  bool timed = false, session = false;
  for (const auto& key : aggregate.grouping_expressions()) {
    timed = timed || !event_column_of(unaliased(key), columns).empty();
    session = session || name_of(unaliased(key)) == "session_window";
  }
  const auto refuse = [&](const char* mode_name, const char* operation) {
    throw Error("STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION",
                fmt::format("Invalid streaming output mode: {}. This output mode is not supported "
                            "for {} on streaming DataFrames/DataSets.",
                            mode_name, operation));
  };
  if (mode == OutputMode::kAppend && !timed)
    refuse("append", "streaming aggregations without watermark");
  if (mode == OutputMode::kUpdate && session)
    refuse("update", "session window streaming aggregations");
}

void check(const proto::Relation& relation, OutputMode mode, EmbeddedExecutor& engine) {
  if (!is_streaming(relation)) return;
  switch (relation.rel_type_case()) {
    case proto::Relation::kSort:
      if (mode != OutputMode::kComplete || !has_aggregate_below(relation)) {
        unsupported(
            "Sorting is not supported on streaming DataFrames/Datasets, unless it is on "
            "aggregated DataFrame/Dataset in Complete output mode");
      }
      break;
    case proto::Relation::kLimit:
      if (mode == OutputMode::kUpdate) {
        unsupported(
            "Limits are not supported on streaming DataFrames/Datasets in Update output "
            "mode");
      }
      break;
    case proto::Relation::kOffset:
      unsupported("Offset is not supported on streaming DataFrames/Datasets");
    case proto::Relation::kTail:
      unsupported("Tail is not supported on streaming DataFrames/Datasets");
    case proto::Relation::kSample:
    case proto::Relation::kSampleBy:
      unsupported("Sampling is not supported on streaming DataFrames/Datasets");
    case proto::Relation::kSetOp: {
      const auto& operation = relation.set_op();
      const bool left = is_streaming(operation.left_input()),
                 right = is_streaming(operation.right_input());
      using S = proto::SetOperation;
      if (operation.set_op_type() == S::SET_OP_TYPE_EXCEPT && right)
        unsupported("Except on a streaming DataFrame/Dataset on the right is not supported");
      if (operation.set_op_type() == S::SET_OP_TYPE_INTERSECT && left && right)
        unsupported("Intersect of streaming DataFrames/Datasets is not supported");
      if (operation.set_op_type() == S::SET_OP_TYPE_UNION && left != right)
        unsupported("Union between streaming and batch DataFrames/Datasets is not supported");
      if (!operation.is_all() || operation.set_op_type() != S::SET_OP_TYPE_UNION) {
        throw Error("UNSUPPORTED_FEATURE.STREAMING_SET_OPERATION",
                    "On streams of the set operations only UNION ALL is supported; drop duplicates "
                    "after it.");
      }
      break;
    }
    case proto::Relation::kJoin:
      check_join(relation.join());
      break;
    case proto::Relation::kAsOfJoin:
      if (is_streaming(relation.as_of_join().right()))
        unsupported("ASOF join with a streaming DataFrame/Dataset on the right is not supported");
      break;
    case proto::Relation::kNearestByJoin:
      throw Error("NEAREST_BY_JOIN.STREAMING_NOT_SUPPORTED",
                  "Nearest-by join is not supported with streaming DataFrames/Datasets.");
    case proto::Relation::kDeduplicate:
      if (relation.deduplicate().within_watermark() &&
          event_columns(relation.deduplicate().input()).empty()) {
        unsupported(
            "dropDuplicatesWithinWatermark is not supported on streaming "
            "DataFrames/DataSets without watermark");
      }
      break;
    case proto::Relation::kAggregate:
      check_aggregate(relation.aggregate(), mode);
      if (mode != OutputMode::kAppend && has_aggregate_below(relation.aggregate().input())) {
        unsupported(
            "Multiple streaming aggregations are only supported in Append output mode on "
            "streaming DataFrames/Datasets");
      }
      break;
    default:
      break;
  }
  check_expressions(*kind_of(const_cast<proto::Relation&>(relation)), engine);
  for (const auto* input : inputs_of(relation)) check(*input, mode, engine);
}

}  // namespace

std::vector<proto::Relation*> inputs_of(proto::Relation& relation) {
  std::vector<proto::Relation*> out;
  auto* kind = kind_of(relation);
  if (!kind) return out;
  const auto* reflection = kind->GetReflection();
  for (int i = 0; i < kind->GetDescriptor()->field_count(); ++i) {
    const auto* field = kind->GetDescriptor()->field(i);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE ||
        field->message_type() != proto::Relation::descriptor())
      continue;
    if (field->is_repeated()) {
      for (int j = 0; j < reflection->FieldSize(*kind, field); ++j)
        out.push_back(
            static_cast<proto::Relation*>(reflection->MutableRepeatedMessage(kind, field, j)));
    } else if (reflection->HasField(*kind, field)) {
      out.push_back(static_cast<proto::Relation*>(reflection->MutableMessage(kind, field)));
    }
  }
  return out;
}

std::vector<const proto::Relation*> inputs_of(const proto::Relation& relation) {
  // Nothing is changed: what is there is only looked at.
  const auto inputs = inputs_of(const_cast<proto::Relation&>(relation));
  return {inputs.begin(), inputs.end()};
}

proto::Relation expanded(const proto::Relation& relation, EmbeddedExecutor& engine) {
  auto plan = relation;
  expand(plan, engine, 0);
  return plan;
}

bool is_streaming(const proto::Relation& relation) {
  if (relation.has_read()) return relation.read().is_streaming();
  const auto inputs = inputs_of(relation);
  return std::any_of(inputs.begin(), inputs.end(),
                     [](const auto* input) { return is_streaming(*input); });
}

bool is_streaming_aggregate(const proto::Relation& relation) {
  return relation.has_aggregate() && is_streaming(relation);
}

std::string event_column_of(const proto::Expression& expression,
                            const std::set<std::string>& columns) {
  if (expression.has_alias()) return event_column_of(expression.alias().expr(), columns);
  if (expression.has_unresolved_attribute()) {
    const auto parts = split_name(expression.unresolved_attribute().unparsed_identifier());
    for (const auto& part : parts) {  // t.time, window.end
      if (columns.contains(lower_case(part))) return lower_case(part);
    }
    return "";
  }
  const auto& call = expression.unresolved_function();
  const auto name = lower_case(call.function_name());
  if ((name == "window" || name == "session_window" || name == "window_time") &&
      call.arguments_size() > 0)
    return event_column_of(call.arguments(0), columns);
  return "";
}

std::set<std::string> event_columns(const proto::Relation& relation) {
  std::set<std::string> columns;
  for (const auto* input : inputs_of(relation)) columns.merge(event_columns(*input));
  switch (relation.rel_type_case()) {
    case proto::Relation::kWithWatermark:
      columns.insert(lower_case(last_part(relation.with_watermark().event_time())));
      return columns;
    case proto::Relation::kProject:
      return of_expressions(relation.project().expressions(), columns);
    case proto::Relation::kAggregate: {
      auto out = of_expressions(relation.aggregate().grouping_expressions(), columns);
      out.merge(of_expressions(relation.aggregate().aggregate_expressions(), columns));
      return out;
    }
    case proto::Relation::kWithColumns: {
      const auto before = columns;
      for (const auto& alias : relation.with_columns().aliases()) {
        columns.erase(lower_case(alias.name(0)));
        if (!event_column_of(alias.expr(), before).empty())
          columns.insert(lower_case(alias.name(0)));
      }
      return columns;
    }
    case proto::Relation::kWithColumnsRenamed:
      for (const auto& pair : relation.with_columns_renamed().renames()) {
        if (columns.erase(lower_case(pair.col_name())))
          columns.insert(lower_case(pair.new_col_name()));
      }
      return columns;
    default:
      return columns;
  }
}

void check_streaming(const proto::Relation& relation, OutputMode mode, EmbeddedExecutor& engine) {
  if (!is_streaming(relation)) {
    throw Error("WRITE_STREAM_NOT_ALLOWED",
                "`writeStream` can be called only on streaming Dataset/DataFrame.");
  }
  check(relation, mode, engine);
  if (mode == OutputMode::kComplete && !has_aggregate_below(relation)) {
    throw Error("STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION",
                "Invalid streaming output mode: complete. This output mode is not supported for no "
                "streaming aggregations on streaming DataFrames/DataSets.");
  }
}

}  // namespace firesteel
