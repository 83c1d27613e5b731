// Joins that choose rows by their distance (as-of and nearest-by) and zip, which puts the columns
// of two projections of one plan side by side.
#include <fmt/format.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>

#include "lower/resolver.h"
#include "plan/print.h"
#include "plan/visit.h"

namespace firesteel {

namespace {

[[noreturn]] void bad_direction(const std::string& condition, const std::string& direction,
                                const char* known) {
  throw Error(condition,
              fmt::format("Unsupported join direction '{}'. Supported are: {}.", direction, known));
}

/// Whether a plan's columns are computed row by row, so that its rows are those of its input.
const proto::Relation* projected(const proto::Relation& relation) {
  const auto row_by_row = [](const google::protobuf::Message& message) {
    bool plain = true;
    for_each_message(message, [&](const google::protobuf::Message& part) {
      if (part.GetDescriptor() == proto::Relation::descriptor()) return false;
      if (part.GetDescriptor() == proto::Expression::Window::descriptor()) plain = false;
      if (part.GetDescriptor() == proto::Expression::UnresolvedFunction::descriptor()) {
        const auto& name =
            static_cast<const proto::Expression::UnresolvedFunction&>(part).function_name();
        const auto rows = find_function(lower_case(name));
        if (is_generator_name(lower_case(name)) ||
            (!rows.empty() && rows.front()->kind != FunctionKind::kScalar))
          plain = false;
      }
      return plain;
    });
    return plain;
  };
  switch (relation.rel_type_case()) {
    case proto::Relation::kProject:
      return relation.project().has_input() && row_by_row(relation.project())
                 ? &relation.project().input()
                 : nullptr;
    case proto::Relation::kWithColumns:
      return row_by_row(relation.with_columns()) ? &relation.with_columns().input() : nullptr;
    case proto::Relation::kWithColumnsRenamed:
      return &relation.with_columns_renamed().input();
    case proto::Relation::kToDf:
      return &relation.to_df().input();
    case proto::Relation::kDrop:
      return &relation.drop().input();
    default:
      return nullptr;
  }
}

const proto::Relation& base_of(const proto::Relation& relation) {
  const auto* below = projected(relation);
  return below ? base_of(*below) : relation;
}

proto::Relation without_ids(proto::Relation relation) {
  relation = without_origins(std::move(relation));
  for_each_message(relation, [](const google::protobuf::Message& part) {
    auto& own = const_cast<google::protobuf::Message&>(part);
    if (own.GetDescriptor() == proto::RelationCommon::descriptor()) own.Clear();
    if (own.GetDescriptor() == proto::Expression::UnresolvedAttribute::descriptor())
      static_cast<proto::Expression::UnresolvedAttribute&>(own).clear_plan_id();
    if (own.GetDescriptor() == proto::Expression::UnresolvedStar::descriptor())
      static_cast<proto::Expression::UnresolvedStar&>(own).clear_plan_id();
    return true;
  });
  return relation;
}

/// The plan with its base replaced by a name.
void name_base(proto::Relation& relation, const std::string& name) {
  if (projected(relation)) {
    const auto* kind = relation.GetDescriptor()->FindFieldByNumber(relation.rel_type_case());
    auto* message = relation.GetReflection()->MutableMessage(&relation, kind);
    const auto* input = message->GetDescriptor()->FindFieldByName("input");
    name_base(
        static_cast<proto::Relation&>(*message->GetReflection()->MutableMessage(message, input)),
        name);
    return;
  }
  proto::Relation named;
  named.mutable_read()->mutable_named_table()->set_unparsed_identifier(name);
  if (relation.has_subquery_alias()) {
    proto::Relation alias;
    *alias.mutable_subquery_alias() = relation.subquery_alias();
    *alias.mutable_subquery_alias()->mutable_input() = std::move(named);
    named = std::move(alias);
  }
  if (relation.has_common()) *named.mutable_common() = relation.common();
  relation = std::move(named);
}

}  // namespace

Query Resolver::as_of_join(const proto::AsOfJoin& join) {
  auto left = relation(join.left());
  auto right = relation(join.right());
  left.wrap();
  // Of rows at the same distance the last is taken, as Spark's min_by does.
  const auto number = number_rows(right);
  const auto call = [&](const char* name, const Resolved& a, const Resolved& b) {
    return resolve_call(find_function(name), {a, b},
                        {.name = name, .span = {}, .time_zone = settings_.time_zone});
  };
  Scope left_scope{.levels = {&left.output, &left.hidden}},
      right_scope{.levels = {&right.output, &right.hidden}};
  const auto l = expression(join.left_as_of(), left_scope),
             r = expression(join.right_as_of(), right_scope);
  const auto direction = lower_case(join.direction());
  const bool exact = join.allow_exact_matches();
  const bool backward = direction == "backward", forward = direction == "forward";
  if (!backward && !forward && direction != "nearest")
    bad_direction("AS_OF_JOIN.UNSUPPORTED_DIRECTION", join.direction(),
                  "'backward', 'forward', 'nearest'");
  std::vector<std::string> conditions;
  if (backward) conditions.push_back(call(exact ? ">=" : ">", l, r).sql);
  if (forward) conditions.push_back(call(exact ? "<=" : "<", l, r).sql);
  if (!backward && !forward && !exact) conditions.push_back("NOT " + call("==", l, r).sql);
  if (join.has_tolerance()) {
    Scope none;
    const auto tolerance = expression(join.tolerance(), none);
    if (!forward) conditions.push_back(call(exact ? ">=" : ">", r, call("-", l, tolerance)).sql);
    if (!backward) conditions.push_back(call(exact ? "<=" : "<", r, call("+", l, tolerance)).sql);
  }
  for (const auto& name : join.using_columns()) {
    const auto value = [](const Attribute& a) {
      return Resolved{
          .sql = a.sql, .type = a.type, .nullable = a.nullable, .exact = a.exact, .name = a.name};
    };
    conditions.push_back(
        call("==", value(column_named(left.output, name)), value(column_named(right.output, name)))
            .sql);
  }
  if (join.has_join_expr()) {
    auto both = left.output;
    both.insert(both.end(), right.output.begin(), right.output.end());
    Scope scope{.levels = {&both}};
    conditions.push_back(expression(join.join_expr(), scope).sql);
  }
  const auto down = call("-", l, r).sql, up = call("-", r, l).sql;
  const auto distance =
      backward  ? down
      : forward ? up
                : fmt::format("CASE WHEN {} THEN {} ELSE {} END", call(">", l, r).sql, down, up);
  conditions.push_back(fmt::format("{} IS NOT NULL", distance));
  return nearest_rows(std::move(left), std::move(right), conditions,
                      fmt::format("{}, {} DESC", distance, number.sql), 1, join.join_type());
}

Query Resolver::nearest_by_join(const proto::NearestByJoin& join) {
  auto left = relation(join.left());
  auto right = relation(join.right());
  left.wrap();
  right.wrap();
  auto both = left.output;
  both.insert(both.end(), right.output.begin(), right.output.end());
  Scope scope{.levels = {&both}};
  const auto rank = expression(join.ranking_expression(), scope);
  if (join.direction() != "distance" && join.direction() != "similarity")
    bad_direction("NEAREST_BY_JOIN.UNSUPPORTED_DIRECTION", join.direction(),
                  "'distance', 'similarity'");
  if (join.num_results() < 1 || join.num_results() > 100000) {
    throw Error(
        "NEAREST_BY_JOIN.NUM_RESULTS_OUT_OF_RANGE",
        fmt::format("The number of results {} must be between 1 and 100000.", join.num_results()));
  }
  return nearest_rows(std::move(left), std::move(right), {fmt::format("{} IS NOT NULL", rank.sql)},
                      rank.sql + (join.direction() == "similarity" ? " DESC" : ""),
                      join.num_results(), join.join_type());
}

/// To each row of `left` the first rows of `right` by an order, of those that fit it.
Query Resolver::nearest_rows(Query left, Query right, const std::vector<std::string>& conditions,
                             const std::string& order, int rows, const std::string& join_type) {
  auto word = lower_case(join_type);
  std::erase(word, '_');
  const bool outer = word == "left" || word == "leftouter";
  if (!outer && word != "inner" && !word.empty()) {
    throw Error("UNSUPPORTED_JOIN_TYPE",
                fmt::format("Unsupported join type '{}'. Supported join types include: 'inner', "
                            "'leftouter', 'left', 'left_outer'.",
                            join_type));
  }
  right.select.where.insert(right.select.where.end(), conditions.begin(), conditions.end());
  right.select.order_by = {order};
  right.select.limit = std::to_string(rows);
  Query query;
  query.select.from = fmt::format("({} {} JOIN LATERAL ({}) ON true)", left.select.from,
                                  outer ? "LEFT" : "INNER", right.print(right.output));
  query.output = left.output;
  for (auto& column : right.output) {
    column.nullable = column.nullable || outer;
    query.output.push_back(std::move(column));
  }
  query.hidden = left.hidden;
  return query;
}

Query Resolver::zip(const proto::Zip& zip) {
  const auto& base = base_of(zip.left());
  if (!google::protobuf::util::MessageDifferencer::Equals(without_ids(base),
                                                          without_ids(base_of(zip.right())))) {
    throw Error("ZIP_PLANS_NOT_MERGEABLE",
                "The two DataFrames in zip() cannot be merged. They must be made of one DataFrame "
                "by projections alone (select, withColumn, withColumnRenamed …).");
  }
  // The base is worked out once, so that both sides see its rows in one order.
  const auto name = fmt::format("zip#{}", ++next_id_);
  named_plans_.push_back({name, &base, std::min(visible_plans_, named_plans_.size())});
  named_plans_.back().shared = true;
  const size_t visible = std::exchange(visible_plans_, named_plans_.size());
  Query sides[2];
  const proto::Relation* given[2] = {&zip.left(), &zip.right()};
  for (int i : {0, 1}) {
    auto plan = *given[i];
    name_base(plan, "`" + name + "`");
    sides[i] = relation(plan);
    // Each side has names of its own for the columns of the base.
    for (auto& column : sides[i].output) {
      if (!column.computed.empty()) continue;
      auto own = fresh(column.name, column.type, column.nullable);
      own.exact = column.exact;
      own.qualifiers = column.qualifiers;
      own.plan_ids = column.plan_ids;
      own.computed = column.sql;
      column = std::move(own);
    }
    sides[i].hidden.clear();
    sides[i].wrap();
  }
  visible_plans_ = visible;
  named_plans_.pop_back();
  Query query;
  query.select.from =
      fmt::format("({} POSITIONAL JOIN {})", sides[0].select.from, sides[1].select.from);
  query.output = sides[0].output;
  query.output.insert(query.output.end(), sides[1].output.begin(), sides[1].output.end());
  return query;
}

}  // namespace firesteel
