// DataFrame calls as relations, and the actions that run them.
#include "dataframe/dataframe.h"

#include <fmt/format.h>
#include <spark/connect/commands.pb.h>
#include <spark/connect/relations.pb.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <random>

#include "base/error.h"
#include "dataframe/derive.h"
#include "dataframe/functions.h"
#include "dataframe/session.h"

namespace firesteel {

namespace proto = spark::connect;

namespace {

proto::Join::JoinType join_type(const std::string& how) {
  using J = proto::Join;
  std::string name;
  for (char c : how) {
    if (c != '_') name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  static const std::map<std::string, J::JoinType> types = {
      {"inner", J::JOIN_TYPE_INNER},       {"outer", J::JOIN_TYPE_FULL_OUTER},
      {"full", J::JOIN_TYPE_FULL_OUTER},   {"fullouter", J::JOIN_TYPE_FULL_OUTER},
      {"left", J::JOIN_TYPE_LEFT_OUTER},   {"leftouter", J::JOIN_TYPE_LEFT_OUTER},
      {"right", J::JOIN_TYPE_RIGHT_OUTER}, {"rightouter", J::JOIN_TYPE_RIGHT_OUTER},
      {"semi", J::JOIN_TYPE_LEFT_SEMI},    {"leftsemi", J::JOIN_TYPE_LEFT_SEMI},
      {"anti", J::JOIN_TYPE_LEFT_ANTI},    {"leftanti", J::JOIN_TYPE_LEFT_ANTI},
      {"cross", J::JOIN_TYPE_CROSS}};
  const auto found = types.find(name);
  if (found == types.end()) {
    throw Error("UNSUPPORTED_JOIN_TYPE",
                fmt::format("Unsupported join type '{}'. Supported join types include: inner, "
                            "outer, full, left, right, "
                            "semi, anti, cross.",
                            how));
  }
  return found->second;
}

proto::Expression::SortOrder sort_order(const Column& column) {
  return (column.expression().has_sort_order() ? column : column.asc()).expression().sort_order();
}

/// Text of an Arrow utf8 column's row.
std::optional<std::string> text_at(const ArrowArray& column, int64_t row) {
  const int64_t i = row + column.offset;
  const auto* validity = static_cast<const uint8_t*>(column.buffers[0]);
  if (validity && !(validity[i / 8] >> (i % 8) & 1)) return std::nullopt;
  const auto* offsets = static_cast<const int32_t*>(column.buffers[1]);
  const auto* data = static_cast<const char*>(column.buffers[2]);
  return std::string(data + offsets[i], offsets[i + 1] - offsets[i]);
}

}  // namespace

DataFrame::DataFrame(std::shared_ptr<Executor> executor,
                     std::shared_ptr<const proto::Relation> plan)
    : executor_(std::move(executor)), plan_(std::move(plan)) {}

/// Rows that are kept once they have been asked for.
struct DataFrame::Held {
  std::once_flag once;
  std::shared_ptr<const proto::Relation> rows;
};

const proto::Relation& DataFrame::plan() const {
  if (!held_) return *plan_;
  std::call_once(held_->once, [&] {
    auto rows = executor_->import(executor_->execute(*plan_));
    rows.mutable_common()->set_plan_id(plan_->common().plan_id());
    held_->rows = shared(std::move(rows));
  });
  return *held_->rows;
}

DataFrame DataFrame::select(const std::vector<Column>& columns) const {
  return derive([&](proto::Relation& out) {
    for (const auto& column : columns)
      *out.mutable_project()->add_expressions() = column.expression();
    return out.mutable_project()->mutable_input();
  });
}

DataFrame DataFrame::select(std::initializer_list<const char*> columns) const {
  return select(std::vector<Column>(columns.begin(), columns.end()));
}

DataFrame DataFrame::selectExpr(const std::vector<std::string>& expressions) const {
  return derive([&](proto::Relation& out) {
    for (const auto& expression : expressions) {
      out.mutable_project()->add_expressions()->mutable_expression_string()->set_expression(
          expression);
    }
    return out.mutable_project()->mutable_input();
  });
}

DataFrame DataFrame::withColumn(const std::string& name, const Column& column) const {
  return withColumns({{name, column}});
}

DataFrame DataFrame::withColumns(const std::vector<std::pair<std::string, Column>>& columns) const {
  return derive([&](proto::Relation& out) {
    for (const auto& [name, column] : columns) {
      auto* alias = out.mutable_with_columns()->add_aliases();
      *alias->mutable_expr() = column.expression();
      alias->add_name(name);
    }
    return out.mutable_with_columns()->mutable_input();
  });
}

DataFrame DataFrame::withColumnsRenamed(const std::map<std::string, std::string>& names) const {
  return derive([&](proto::Relation& out) {
    for (const auto& [existing, renamed] : names) {
      auto* rename = out.mutable_with_columns_renamed()->add_renames();
      rename->set_col_name(existing);
      rename->set_new_col_name(renamed);
    }
    return out.mutable_with_columns_renamed()->mutable_input();
  });
}

DataFrame DataFrame::mapPartitions(const std::string& task, const std::string& schema,
                                   const std::string& argument) const {
  return mapPartitions({.task = task, .argument = argument, .output = parse_schema(schema)});
}

DataFrame DataFrame::mapPartitions(const TaskCall& call) const {
  return DataFrame(executor_, shared(executor_->map_partitions(plan(), call)));
}

DataFrame DataFrame::withMetadata(const std::string& name, const std::string& json) const {
  return derive([&](proto::Relation& out) {
    auto* alias = out.mutable_with_columns()->add_aliases();
    *alias->mutable_expr() = (*this)[name].expression();
    alias->add_name(name);
    alias->set_metadata(json);
    return out.mutable_with_columns()->mutable_input();
  });
}

DataFrame DataFrame::to(const std::string& schema) const {
  return derive([&](proto::Relation& out) {
    type_to_proto(struct_type(parse_schema(schema)), out.mutable_to_schema()->mutable_schema());
    return out.mutable_to_schema()->mutable_input();
  });
}

DataFrame DataFrame::withColumnRenamed(const std::string& existing,
                                       const std::string& renamed) const {
  return derive([&](proto::Relation& out) {
    auto* rename = out.mutable_with_columns_renamed()->add_renames();
    rename->set_col_name(existing);
    rename->set_new_col_name(renamed);
    return out.mutable_with_columns_renamed()->mutable_input();
  });
}

DataFrame DataFrame::drop(const std::vector<std::string>& columns) const {
  return derive([&](proto::Relation& out) {
    for (const auto& column : columns) out.mutable_drop()->add_column_names(column);
    return out.mutable_drop()->mutable_input();
  });
}

DataFrame DataFrame::drop(const Column& column) const {
  return derive([&](proto::Relation& out) {
    *out.mutable_drop()->add_columns() = column.expression();
    return out.mutable_drop()->mutable_input();
  });
}

DataFrame DataFrame::toDF(const std::vector<std::string>& names) const {
  return derive([&](proto::Relation& out) {
    for (const auto& name : names) out.mutable_to_df()->add_column_names(name);
    return out.mutable_to_df()->mutable_input();
  });
}

DataFrame DataFrame::alias(const std::string& name) const {
  return derive([&](proto::Relation& out) {
    out.mutable_subquery_alias()->set_alias(name);
    return out.mutable_subquery_alias()->mutable_input();
  });
}

DataFrame DataFrame::filter(const Column& condition) const {
  return derive([&](proto::Relation& out) {
    *out.mutable_filter()->mutable_condition() = condition.expression();
    return out.mutable_filter()->mutable_input();
  });
}

DataFrame DataFrame::filter(const std::string& condition) const {
  return derive([&](proto::Relation& out) {
    out.mutable_filter()->mutable_condition()->mutable_expression_string()->set_expression(
        condition);
    return out.mutable_filter()->mutable_input();
  });
}

DataFrame DataFrame::join(const DataFrame& other, const std::vector<std::string>& on,
                          const std::string& how) const {
  return derive([&](proto::Relation& out) {
    auto* join = out.mutable_join();
    *join->mutable_right() = other.plan();
    for (const auto& column : on) join->add_using_columns(column);
    join->set_join_type(join_type(how));
    return join->mutable_left();
  });
}

DataFrame DataFrame::join(const DataFrame& other, const Column& on, const std::string& how) const {
  return derive([&](proto::Relation& out) {
    auto* join = out.mutable_join();
    *join->mutable_right() = other.plan();
    *join->mutable_join_condition() = on.expression();
    join->set_join_type(join_type(how));
    return join->mutable_left();
  });
}

DataFrame DataFrame::join(const DataFrame& other, const std::vector<Column>& on,
                          const std::string& how) const {
  if (on.empty()) return join(other, std::vector<std::string>{}, how);
  Column all = on[0];
  for (size_t i = 1; i < on.size(); ++i) all = all && on[i];
  return join(other, all, how);
}

DataFrame DataFrame::lateralJoin(const DataFrame& other, const std::optional<Column>& on,
                                 const std::string& how) const {
  return derive([&](proto::Relation& out) {
    auto* join = out.mutable_lateral_join();
    *join->mutable_right() = other.plan();
    if (on) *join->mutable_join_condition() = on->expression();
    join->set_join_type(join_type(how));
    return join->mutable_left();
  });
}

DataFrame DataFrame::crossJoin(const DataFrame& other) const {
  return join(other, std::vector<std::string>{}, "cross");
}

GroupedData DataFrame::groupBy(const std::vector<Column>& keys) const {
  return GroupedData(*this, keys, proto::Aggregate::GROUP_TYPE_GROUPBY);
}
GroupedData DataFrame::groupingSets(const std::vector<std::vector<Column>>& sets,
                                    const std::vector<Column>& keys) const {
  GroupedData grouped(*this, keys, proto::Aggregate::GROUP_TYPE_GROUPING_SETS);
  grouped.sets_ = sets;
  return grouped;
}
GroupedData DataFrame::rollup(const std::vector<Column>& keys) const {
  return GroupedData(*this, keys, proto::Aggregate::GROUP_TYPE_ROLLUP);
}
GroupedData DataFrame::cube(const std::vector<Column>& keys) const {
  return GroupedData(*this, keys, proto::Aggregate::GROUP_TYPE_CUBE);
}
DataFrame DataFrame::agg(const std::vector<Column>& aggregates) const {
  return groupBy().agg(aggregates);
}

DataFrame DataFrame::sorted(const std::vector<Column>& keys, bool global) const {
  return derive([&](proto::Relation& out) {
    for (const auto& key : keys) *out.mutable_sort()->add_order() = sort_order(key);
    out.mutable_sort()->set_is_global(global);
    return out.mutable_sort()->mutable_input();
  });
}

DataFrame DataFrame::distinct() const { return dropDuplicates(); }

DataFrame DataFrame::dropDuplicates(const std::vector<std::string>& columns) const {
  return derive([&](proto::Relation& out) {
    auto* deduplicate = out.mutable_deduplicate();
    deduplicate->set_all_columns_as_keys(columns.empty());
    for (const auto& column : columns) deduplicate->add_column_names(column);
    return deduplicate->mutable_input();
  });
}

DataFrame DataFrame::dropDuplicatesWithinWatermark(const std::vector<std::string>& columns) const {
  return derive([&](proto::Relation& out) {
    auto* deduplicate = out.mutable_deduplicate();
    deduplicate->set_all_columns_as_keys(columns.empty());
    for (const auto& column : columns) deduplicate->add_column_names(column);
    deduplicate->set_within_watermark(true);
    return deduplicate->mutable_input();
  });
}

DataFrame DataFrame::withWatermark(const std::string& event_time, const std::string& delay) const {
  return derive([&](proto::Relation& out) {
    out.mutable_with_watermark()->set_event_time(event_time);
    out.mutable_with_watermark()->set_delay_threshold(delay);
    return out.mutable_with_watermark()->mutable_input();
  });
}

DataFrame DataFrame::zip(const DataFrame& other) const {
  return derive([&](proto::Relation& out) {
    *out.mutable_zip()->mutable_right() = other.plan();
    return out.mutable_zip()->mutable_left();
  });
}

namespace {
proto::Relation* set_operation(proto::Relation& out, const proto::Relation& other,
                               proto::SetOperation::SetOpType type, bool all, bool by_name = false,
                               bool allow_missing = false) {
  auto* operation = out.mutable_set_op();
  operation->set_set_op_type(type);
  operation->set_is_all(all);
  operation->set_by_name(by_name);
  operation->set_allow_missing_columns(allow_missing);
  *operation->mutable_right_input() = other;
  return operation->mutable_left_input();
}
}  // namespace

DataFrame DataFrame::intersectAll(const DataFrame& other) const {
  return derive([&](proto::Relation& out) {
    return set_operation(out, other.plan(), proto::SetOperation::SET_OP_TYPE_INTERSECT, true);
  });
}
DataFrame DataFrame::exceptAll(const DataFrame& other) const {
  return derive([&](proto::Relation& out) {
    return set_operation(out, other.plan(), proto::SetOperation::SET_OP_TYPE_EXCEPT, true);
  });
}
DataFrame DataFrame::unionAll(const DataFrame& other) const {
  return derive([&](proto::Relation& out) {
    return set_operation(out, other.plan(), proto::SetOperation::SET_OP_TYPE_UNION, true);
  });
}
DataFrame DataFrame::unionByName(const DataFrame& other, bool allow_missing_columns) const {
  return derive([&](proto::Relation& out) {
    return set_operation(out, other.plan(), proto::SetOperation::SET_OP_TYPE_UNION, true, true,
                         allow_missing_columns);
  });
}
DataFrame DataFrame::intersect(const DataFrame& other) const {
  return derive([&](proto::Relation& out) {
    return set_operation(out, other.plan(), proto::SetOperation::SET_OP_TYPE_INTERSECT, false);
  });
}
DataFrame DataFrame::subtract(const DataFrame& other) const {
  return derive([&](proto::Relation& out) {
    return set_operation(out, other.plan(), proto::SetOperation::SET_OP_TYPE_EXCEPT, false);
  });
}

DataFrame DataFrame::limit(int64_t rows) const {
  return derive([&](proto::Relation& out) {
    out.mutable_limit()->set_limit(static_cast<int32_t>(rows));
    return out.mutable_limit()->mutable_input();
  });
}

DataFrame DataFrame::offset(int64_t rows) const {
  return derive([&](proto::Relation& out) {
    out.mutable_offset()->set_offset(static_cast<int32_t>(rows));
    return out.mutable_offset()->mutable_input();
  });
}

DataFrame DataFrame::sampled(bool with_replacement, double fraction,
                             std::optional<int64_t> seed) const {
  return derive([&](proto::Relation& out) {
    auto* sample = out.mutable_sample();
    sample->set_lower_bound(0);
    sample->set_upper_bound(fraction);
    sample->set_with_replacement(with_replacement);
    sample->set_seed(seed.value_or(std::random_device{}()));
    return sample->mutable_input();
  });
}

std::vector<DataFrame> DataFrame::randomSplit(const std::vector<double>& weights,
                                              std::optional<int64_t> seed) const {
  double total = 0;
  for (double weight : weights) {
    if (weight < 0)
      throw Error("INVALID_PARAMETER_VALUE", "randomSplit's weights must not be negative.");
    total += weight;
  }
  if (total <= 0)
    throw Error("INVALID_PARAMETER_VALUE", "randomSplit's weights must have a sum above zero.");
  const int64_t chosen = seed.value_or(std::random_device{}());
  std::vector<DataFrame> parts;
  double low = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const double high = i + 1 == weights.size() ? 1.0 : low + weights[i] / total;
    parts.push_back(derive([&](proto::Relation& out) {
      auto* sample = out.mutable_sample();
      sample->set_lower_bound(low);
      sample->set_upper_bound(high);
      sample->set_seed(chosen);
      sample->set_deterministic_order(true);
      return sample->mutable_input();
    }));
    low = high;
  }
  return parts;
}

DataFrame DataFrame::repartition(int partitions) const {
  return derive([&](proto::Relation& out) {
    out.mutable_repartition()->set_num_partitions(partitions);
    out.mutable_repartition()->set_shuffle(true);
    return out.mutable_repartition()->mutable_input();
  });
}
DataFrame DataFrame::repartitionById(int partitions, const Column& id) const {
  return derive([&](proto::Relation& out) {
    auto* repartition = out.mutable_repartition_by_expression();
    *repartition->add_partition_exprs()->mutable_direct_shuffle_partition_id()->mutable_child() =
        id.expression();
    repartition->set_num_partitions(partitions);
    return repartition->mutable_input();
  });
}
DataFrame DataFrame::coalesce(int partitions) const {
  return derive([&](proto::Relation& out) {
    out.mutable_repartition()->set_num_partitions(partitions);
    return out.mutable_repartition()->mutable_input();
  });
}
DataFrame DataFrame::repartition(const std::vector<Column>& keys,
                                 std::optional<int> partitions) const {
  return derive([&](proto::Relation& out) {
    auto* repartition = out.mutable_repartition_by_expression();
    for (const auto& key : keys) *repartition->add_partition_exprs() = key.expression();
    if (partitions) repartition->set_num_partitions(*partitions);
    return repartition->mutable_input();
  });
}
DataFrame DataFrame::repartitionByRange(const std::vector<Column>& keys,
                                        std::optional<int> partitions) const {
  std::vector<Column> orders;
  for (const auto& key : keys)
    orders.push_back(key.expression().has_sort_order() ? key : key.asc());
  return repartition(orders, partitions);
}

DataFrame DataFrame::hint(const std::string& name, const std::vector<Column>& parameters) const {
  return derive([&](proto::Relation& out) {
    out.mutable_hint()->set_name(name);
    for (const auto& parameter : parameters)
      *out.mutable_hint()->add_parameters() = parameter.expression();
    return out.mutable_hint()->mutable_input();
  });
}

DataFrame DataFrame::cache() const {
  DataFrame kept = *this;
  if (!kept.held_) kept.held_ = std::make_shared<Held>();
  return kept;
}
DataFrame DataFrame::unpersist() const { return DataFrame(executor_, plan_); }
DataFrame DataFrame::checkpoint(bool eager) const {
  const auto kept = cache();
  if (eager) kept.plan();
  return kept;
}

Column DataFrame::operator[](const std::string& name) const {
  auto expression = std::make_shared<proto::Expression>(col(name).expression());
  if (expression->has_unresolved_attribute() && plan_->common().has_plan_id())
    expression->mutable_unresolved_attribute()->set_plan_id(plan_->common().plan_id());
  if (expression->has_unresolved_star() && plan_->common().has_plan_id())
    expression->mutable_unresolved_star()->set_plan_id(plan_->common().plan_id());
  return Column(std::move(expression));
}
Column DataFrame::metadataColumn(const std::string& name) const {
  auto expression = std::make_shared<proto::Expression>();
  auto* attribute = expression->mutable_unresolved_attribute();
  attribute->set_unparsed_identifier(name);
  attribute->set_plan_id(plan_->common().plan_id());
  attribute->set_is_metadata_column(true);
  return Column(std::move(expression));
}
Column DataFrame::colRegex(const std::string& pattern) const {
  auto expression = std::make_shared<proto::Expression>();
  expression->mutable_unresolved_regex()->set_col_name(pattern);
  expression->mutable_unresolved_regex()->set_plan_id(plan_->common().plan_id());
  return Column(std::move(expression));
}

std::vector<std::pair<std::string, std::string>> DataFrame::dtypes() const {
  std::vector<std::pair<std::string, std::string>> types;
  for (const auto& field : schema()) types.emplace_back(field.name, field.type.simple_string());
  return types;
}
std::string DataFrame::schemaJson() const { return schema_json(schema()); }

Schema DataFrame::schema() const { return executor_->schema(*plan_); }

std::vector<std::string> DataFrame::columns() const {
  std::vector<std::string> names;
  for (const auto& field : schema()) names.push_back(field.name);
  return names;
}

void DataFrame::printSchema() const { fmt::print("{}", schema_tree(schema())); }
std::string DataFrame::explain(const std::string& mode) const {
  return executor_->explain(plan(), mode);
}
ArrowStream DataFrame::toArrowStream() const { return executor_->execute(plan()); }

std::vector<Row> DataFrame::collect() const {
  const auto fields = schema();
  std::vector<std::string> names;
  std::vector<Column> texts;
  for (size_t i = 0; i < fields.size(); ++i) {
    names.push_back(fmt::format("c{}", i));
    texts.push_back(col(names.back()).cast("string"));
  }
  auto stream = toDF(names).select(texts).toArrowStream();
  std::vector<Row> rows;
  while (auto batch = stream.next()) {
    for (int64_t r = 0; r < batch->rows(); ++r) {
      Row& row = rows.emplace_back();
      for (size_t c = 0; c < fields.size(); ++c) {
        Value& value = row.emplace_back();
        auto text = text_at(*batch->get()->children[c], r);
        if (!text) continue;
        value.null = false;
        if (fields[c].type.is_numeric()) value.number = std::strtod(text->c_str(), nullptr);
        if (fields[c].type.kind == TypeKind::kBoolean) value.number = *text == "true" ? 1 : 0;
        value.text = std::move(*text);
      }
    }
  }
  return rows;
}

std::optional<Row> DataFrame::first() const {
  const auto rows = head(1);
  return rows.empty() ? std::nullopt : std::optional(rows[0]);
}

std::vector<Row> DataFrame::tail(int64_t rows) const {
  return derive([&](proto::Relation& out) {
           out.mutable_tail()->set_limit(static_cast<int32_t>(rows));
           return out.mutable_tail()->mutable_input();
         })
      .collect();
}

int64_t DataFrame::count() const {
  proto::Expression count;
  count.mutable_unresolved_function()->set_function_name("count");
  count.mutable_unresolved_function()->add_arguments()->mutable_literal()->set_integer(1);
  const auto rows =
      groupBy()
          .agg(std::vector<Column>{Column(std::make_shared<const proto::Expression>(count))})
          .collect();
  return static_cast<int64_t>(rows.at(0).at(0).number);
}

std::string DataFrame::showString(int rows, int truncate, bool vertical) const {
  const auto df = derive([&](proto::Relation& out) {
    auto* show = out.mutable_show_string();
    show->set_num_rows(rows);
    show->set_truncate(truncate);
    show->set_vertical(vertical);
    return show->mutable_input();
  });
  auto stream = df.toArrowStream();
  std::string out;
  while (auto batch = stream.next()) {
    for (int64_t r = 0; r < batch->rows(); ++r)
      out += text_at(*batch->get()->children[0], r).value_or("");
  }
  return out;
}

void DataFrame::show(int rows, int truncate, bool vertical) const {
  fmt::print("{}\n", showString(rows, truncate, vertical));
}

void DataFrame::create_view(const std::string& name, bool replace, bool global) const {
  proto::Command command;
  auto* view = command.mutable_create_dataframe_view();
  *view->mutable_input() = plan();
  view->set_name(name);
  view->set_replace(replace);
  view->set_is_global(global);
  executor_->run(command);
}

DataFrameWriter DataFrame::write() const { return DataFrameWriter(*this); }

GroupedData::GroupedData(const DataFrame& df, std::vector<Column> keys, int group_type)
    : df_(std::make_shared<const DataFrame>(df)), keys_(std::move(keys)), group_type_(group_type) {}
GroupedData::~GroupedData() = default;

DataFrame GroupedData::agg(const std::vector<Column>& aggregates) const {
  proto::Relation relation;
  auto* aggregate = relation.mutable_aggregate();
  *aggregate->mutable_input() = df_->plan();
  aggregate->set_group_type(static_cast<proto::Aggregate::GroupType>(group_type_));
  for (const auto& key : keys_) *aggregate->add_grouping_expressions() = key.expression();
  for (const auto& set : sets_) {
    auto* made = aggregate->add_grouping_sets();
    for (const auto& key : set) *made->add_grouping_set() = key.expression();
  }
  if (pivot_) {
    *aggregate->mutable_pivot()->mutable_col() = pivot_->expression();
    for (const auto& value : pivot_values_)
      *aggregate->mutable_pivot()->add_values() = literal_of(value);
  }
  for (const auto& column : aggregates)
    *aggregate->add_aggregate_expressions() = column.expression();
  return DataFrame(df_->executor(), shared(std::move(relation)));
}

GroupedData GroupedData::pivot(const Column& column, const std::vector<Column>& values) const {
  GroupedData made(*df_, keys_, proto::Aggregate::GROUP_TYPE_PIVOT);
  // A name means this DataFrame's own column.
  const auto& named = column.expression();
  made.pivot_ = named.has_unresolved_attribute() && !named.unresolved_attribute().has_plan_id()
                    ? (*df_)[named.unresolved_attribute().unparsed_identifier()]
                    : column;
  made.pivot_values_ = values;
  return made;
}

DataFrame GroupedData::by_name(const std::map<std::string, std::string>& functions) const {
  std::vector<Column> aggregates;
  for (const auto& [column, function] : functions)
    aggregates.push_back(functions::built_in(function, {col(column)}));
  return agg(aggregates);
}

DataFrame GroupedData::count() const {
  proto::Expression count;
  count.mutable_unresolved_function()->set_function_name("count");
  count.mutable_unresolved_function()->add_arguments()->mutable_literal()->set_integer(1);
  return agg(
      std::vector<Column>{Column(std::make_shared<const proto::Expression>(count)).alias("count")});
}

DataFrame GroupedData::each(const std::string& function,
                            const std::vector<std::string>& columns) const {
  std::vector<Column> aggregates;
  const auto add = [&](const std::string& name) {
    aggregates.push_back(functions::built_in(function, {col(name)}));
  };
  for (const auto& column : columns) add(column);
  if (columns.empty()) {
    for (const auto& field : df_->schema())
      if (field.type.is_numeric()) add(field.name);
  }
  return agg(aggregates);
}
DataFrame GroupedData::sum(const std::vector<std::string>& columns) const {
  return each("sum", columns);
}
DataFrame GroupedData::avg(const std::vector<std::string>& columns) const {
  return each("avg", columns);
}
DataFrame GroupedData::mean(const std::vector<std::string>& columns) const { return avg(columns); }
DataFrame GroupedData::min(const std::vector<std::string>& columns) const {
  return each("min", columns);
}
DataFrame GroupedData::max(const std::vector<std::string>& columns) const {
  return each("max", columns);
}

DataFrameReader& DataFrameReader::format(const std::string& source) {
  format_ = source;
  return *this;
}
DataFrameReader& DataFrameReader::option(const std::string& key, const std::string& value) {
  options_[key] = value;
  return *this;
}
DataFrameReader& DataFrameReader::option(const std::string& key, const char* value) {
  return option(key, std::string(value));
}
DataFrameReader& DataFrameReader::option(const std::string& key, bool value) {
  return option(key, std::string(value ? "true" : "false"));
}
DataFrameReader& DataFrameReader::option(const std::string& key, int64_t value) {
  return option(key, std::to_string(value));
}
DataFrameReader& DataFrameReader::schema(const std::string& ddl) {
  schema_ = ddl;
  return *this;
}
DataFrameReader& DataFrameReader::options(const std::map<std::string, std::string>& options) {
  for (const auto& [key, value] : options) option(key, value);
  return *this;
}
DataFrame DataFrameReader::load() { return load(std::vector<std::string>{}); }
DataFrame DataFrameReader::load(const std::string& path) {
  return load(std::vector<std::string>{path});
}

DataFrame DataFrameReader::load(const std::vector<std::string>& paths) {
  proto::Relation relation;
  auto* source = relation.mutable_read()->mutable_data_source();
  if (!format_.empty()) source->set_format(format_);
  if (!schema_.empty()) source->set_schema(schema_);
  for (const auto& [key, value] : options_) (*source->mutable_options())[key] = value;
  for (const auto& path : paths) source->add_paths(path);
  DataFrame df(executor_, shared(std::move(relation)));
  df.schema();  // a missing file is found here, as in Spark
  return df;
}

DataFrame DataFrameReader::parquet(const std::string& path) { return format("parquet").load(path); }
DataFrame DataFrameReader::parquet(const std::vector<std::string>& paths) {
  return format("parquet").load(paths);
}
DataFrame DataFrameReader::csv(const std::string& path) { return format("csv").load(path); }
DataFrame DataFrameReader::json(const std::string& path) { return format("json").load(path); }
DataFrame DataFrameReader::orc(const std::string& path) { return format("orc").load(path); }
DataFrame DataFrameReader::text(const std::string& path) { return format("text").load(path); }
DataFrame DataFrameReader::xml(const std::string& path) { return format("xml").load(path); }

DataFrame DataFrameReader::table(const std::string& name) {
  proto::Relation relation;
  auto* table = relation.mutable_read()->mutable_named_table();
  table->set_unparsed_identifier(name);
  for (const auto& [key, value] : options_) (*table->mutable_options())[key] = value;
  return DataFrame(executor_, shared(std::move(relation)));
}

DataFrameWriter::DataFrameWriter(const DataFrame& df)
    : df_(std::make_shared<const DataFrame>(df)) {}
DataFrameWriter::~DataFrameWriter() = default;
DataFrameWriter& DataFrameWriter::format(const std::string& source) {
  format_ = source;
  return *this;
}
DataFrameWriter& DataFrameWriter::mode(const std::string& mode) {
  mode_ = mode;
  return *this;
}
DataFrameWriter& DataFrameWriter::option(const std::string& key, const std::string& value) {
  options_[key] = value;
  return *this;
}
DataFrameWriter& DataFrameWriter::option(const std::string& key, const char* value) {
  return option(key, std::string(value));
}
DataFrameWriter& DataFrameWriter::option(const std::string& key, bool value) {
  return option(key, std::string(value ? "true" : "false"));
}
DataFrameWriter& DataFrameWriter::option(const std::string& key, int64_t value) {
  return option(key, std::to_string(value));
}
DataFrameWriter& DataFrameWriter::options(const std::map<std::string, std::string>& options) {
  for (const auto& [key, value] : options) option(key, value);
  return *this;
}
DataFrameWriter& DataFrameWriter::partitionBy(const std::vector<std::string>& columns) {
  partitions_ = columns;
  return *this;
}
DataFrameWriter& DataFrameWriter::bucketBy(int buckets, const std::vector<std::string>& columns) {
  buckets_ = buckets;
  bucket_columns_ = columns;
  return *this;
}
DataFrameWriter& DataFrameWriter::sortBy(const std::vector<std::string>& columns) {
  sort_columns_ = columns;
  return *this;
}
DataFrameWriter& DataFrameWriter::clusterBy(const std::vector<std::string>& columns) {
  cluster_columns_ = columns;
  return *this;
}

proto::Command DataFrameWriter::command() const {
  proto::Command command;
  auto* write = command.mutable_write_operation();
  *write->mutable_input() = df_->plan();
  if (!format_.empty()) write->set_source(format_);
  using W = proto::WriteOperation;
  static const std::map<std::string, W::SaveMode> modes = {
      {"", W::SAVE_MODE_UNSPECIFIED},  // Spark's own choice: an error, and for insertInto to append
      {"error", W::SAVE_MODE_ERROR_IF_EXISTS}, {"errorifexists", W::SAVE_MODE_ERROR_IF_EXISTS},
      {"overwrite", W::SAVE_MODE_OVERWRITE},   {"append", W::SAVE_MODE_APPEND},
      {"ignore", W::SAVE_MODE_IGNORE}};
  const auto mode = modes.find(mode_);
  if (mode == modes.end()) {
    throw Error(
        "INVALID_PARAMETER_VALUE",
        fmt::format("The save mode is error, overwrite, append or ignore, not \"{}\".", mode_));
  }
  write->set_mode(mode->second);
  for (const auto& column : partitions_) write->add_partitioning_columns(column);
  for (const auto& column : sort_columns_) write->add_sort_column_names(column);
  for (const auto& column : cluster_columns_) write->add_clustering_columns(column);
  if (buckets_ != 0) {
    write->mutable_bucket_by()->set_num_buckets(buckets_);
    for (const auto& column : bucket_columns_)
      write->mutable_bucket_by()->add_bucket_column_names(column);
  }
  for (const auto& [key, value] : options_) (*write->mutable_options())[key] = value;
  return command;
}

void DataFrameWriter::save(const std::string& path) {
  auto command = this->command();
  if (!path.empty()) command.mutable_write_operation()->set_path(path);
  df_->executor()->run(command);
}

void DataFrameWriter::saveAsTable(const std::string& name) {
  auto command = this->command();
  auto* table = command.mutable_write_operation()->mutable_table();
  table->set_table_name(name);
  table->set_save_method(proto::WriteOperation::SaveTable::TABLE_SAVE_METHOD_SAVE_AS_TABLE);
  df_->executor()->run(command);
}

void DataFrameWriter::insertInto(const std::string& name, std::optional<bool> overwrite) {
  if (overwrite) mode(*overwrite ? "overwrite" : "append");
  auto command = this->command();
  auto* table = command.mutable_write_operation()->mutable_table();
  table->set_table_name(name);
  table->set_save_method(proto::WriteOperation::SaveTable::TABLE_SAVE_METHOD_INSERT_INTO);
  df_->executor()->run(command);
}

DataFrame Session::sql(const std::string& text) const {
  return DataFrame(executor_, shared(executor_->sql(text)));
}

DataFrame Session::table(const std::string& name) const { return read().table(name); }

DataFrame Session::createDataFrame(ArrowStream rows) const {
  return {executor_, std::make_shared<const proto::Relation>(executor_->import(std::move(rows)))};
}

DataFrame Session::range(int64_t start, int64_t end, int64_t step) const {
  proto::Relation relation;
  relation.mutable_range()->set_start(start);
  relation.mutable_range()->set_end(end);
  relation.mutable_range()->set_step(step);
  return DataFrame(executor_, shared(std::move(relation)));
}

}  // namespace firesteel
