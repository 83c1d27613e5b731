// DataFrame calls as relations, and the actions that run them.
#include "dataframe/dataframe.h"

#include <fmt/format.h>
#include <spark/connect/commands.pb.h>
#include <spark/connect/relations.pb.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "base/error.h"
#include "dataframe/session.h"

namespace firesteel {

namespace proto = spark::connect;

namespace {

std::shared_ptr<const proto::Relation> shared(proto::Relation relation) {
  return std::make_shared<const proto::Relation>(std::move(relation));
}

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

/// A relation over this one: `build` fills it, given the relation to put this plan's copy in.
template <typename Build>
DataFrame DataFrame::derive(Build build) const {
  proto::Relation relation;
  *build(relation) = *plan_;
  return DataFrame(executor_, shared(std::move(relation)));
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
    *join->mutable_right() = *other.plan_;
    for (const auto& column : on) join->add_using_columns(column);
    join->set_join_type(join_type(how));
    return join->mutable_left();
  });
}

DataFrame DataFrame::join(const DataFrame& other, const Column& on, const std::string& how) const {
  return derive([&](proto::Relation& out) {
    auto* join = out.mutable_join();
    *join->mutable_right() = *other.plan_;
    *join->mutable_join_condition() = on.expression();
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
GroupedData DataFrame::rollup(const std::vector<Column>& keys) const {
  return GroupedData(*this, keys, proto::Aggregate::GROUP_TYPE_ROLLUP);
}
GroupedData DataFrame::cube(const std::vector<Column>& keys) const {
  return GroupedData(*this, keys, proto::Aggregate::GROUP_TYPE_CUBE);
}
DataFrame DataFrame::agg(const std::vector<Column>& aggregates) const {
  return groupBy().agg(aggregates);
}

DataFrame DataFrame::orderBy(const std::vector<Column>& keys) const {
  return derive([&](proto::Relation& out) {
    for (const auto& key : keys) *out.mutable_sort()->add_order() = sort_order(key);
    out.mutable_sort()->set_is_global(true);
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

DataFrame DataFrame::unionAll(const DataFrame& other) const {
  return derive([&](proto::Relation& out) {
    return set_operation(out, *other.plan_, proto::SetOperation::SET_OP_TYPE_UNION, true);
  });
}
DataFrame DataFrame::unionByName(const DataFrame& other, bool allow_missing_columns) const {
  return derive([&](proto::Relation& out) {
    return set_operation(out, *other.plan_, proto::SetOperation::SET_OP_TYPE_UNION, true, true,
                         allow_missing_columns);
  });
}
DataFrame DataFrame::intersect(const DataFrame& other) const {
  return derive([&](proto::Relation& out) {
    return set_operation(out, *other.plan_, proto::SetOperation::SET_OP_TYPE_INTERSECT, false);
  });
}
DataFrame DataFrame::subtract(const DataFrame& other) const {
  return derive([&](proto::Relation& out) {
    return set_operation(out, *other.plan_, proto::SetOperation::SET_OP_TYPE_EXCEPT, false);
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

DataFrame DataFrame::fillna(double value, const std::vector<std::string>& columns) const {
  return derive([&](proto::Relation& out) {
    for (const auto& column : columns) out.mutable_fill_na()->add_cols(column);
    out.mutable_fill_na()->add_values()->set_double_(value);
    return out.mutable_fill_na()->mutable_input();
  });
}

DataFrame DataFrame::fillna(const std::string& value,
                            const std::vector<std::string>& columns) const {
  return derive([&](proto::Relation& out) {
    for (const auto& column : columns) out.mutable_fill_na()->add_cols(column);
    out.mutable_fill_na()->add_values()->set_string(value);
    return out.mutable_fill_na()->mutable_input();
  });
}

DataFrame DataFrame::dropna(const std::string& how, const std::vector<std::string>& columns) const {
  if (how != "any" && how != "all") {
    throw Error("INVALID_PARAMETER_VALUE",
                fmt::format("dropna's `how` is \"any\" or \"all\", not \"{}\".", how));
  }
  return derive([&](proto::Relation& out) {
    for (const auto& column : columns) out.mutable_drop_na()->add_cols(column);
    if (how == "all") out.mutable_drop_na()->set_min_non_nulls(1);
    return out.mutable_drop_na()->mutable_input();
  });
}

DataFrame DataFrame::sample(double fraction, std::optional<int64_t> seed) const {
  return derive([&](proto::Relation& out) {
    auto* sample = out.mutable_sample();
    sample->set_lower_bound(0);
    sample->set_upper_bound(fraction);
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
    return out.mutable_repartition()->mutable_input();
  });
}

Schema DataFrame::schema() const { return executor_->schema(*plan_); }

std::vector<std::string> DataFrame::columns() const {
  std::vector<std::string> names;
  for (const auto& field : schema()) names.push_back(field.name);
  return names;
}

void DataFrame::printSchema() const { fmt::print("{}", schema_tree(schema())); }
std::string DataFrame::explain(const std::string& mode) const {
  return executor_->explain(*plan_, mode);
}
ArrowStream DataFrame::toArrowStream() const { return executor_->execute(*plan_); }

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

void DataFrame::createOrReplaceTempView(const std::string& name) const {
  proto::Command command;
  auto* view = command.mutable_create_dataframe_view();
  *view->mutable_input() = *plan_;
  view->set_name(name);
  view->set_replace(true);
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
  for (const auto& column : aggregates)
    *aggregate->add_aggregate_expressions() = column.expression();
  return DataFrame(df_->executor(), shared(std::move(relation)));
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
  for (const auto& column : columns) {
    proto::Expression call;
    call.mutable_unresolved_function()->set_function_name(function);
    *call.mutable_unresolved_function()->add_arguments() = col(column).expression();
    aggregates.emplace_back(std::make_shared<const proto::Expression>(std::move(call)));
  }
  return agg(aggregates);
}
DataFrame GroupedData::sum(const std::vector<std::string>& columns) const {
  return each("sum", columns);
}
DataFrame GroupedData::avg(const std::vector<std::string>& columns) const {
  return each("avg", columns);
}
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
DataFrame DataFrameReader::load(const std::string& path) {
  return load(std::vector<std::string>{path});
}

DataFrame DataFrameReader::load(const std::vector<std::string>& paths) {
  proto::Relation relation;
  auto* source = relation.mutable_read()->mutable_data_source();
  source->set_format(format_);
  if (!schema_.empty()) source->set_schema(schema_);
  for (const auto& [key, value] : options_) (*source->mutable_options())[key] = value;
  for (const auto& path : paths) source->add_paths(path);
  DataFrame df(executor_, shared(std::move(relation)));
  df.schema();  // a missing file is found here, as in Spark
  return df;
}

DataFrame DataFrameReader::parquet(const std::string& path) { return format("parquet").load(path); }
DataFrame DataFrameReader::csv(const std::string& path) { return format("csv").load(path); }
DataFrame DataFrameReader::json(const std::string& path) { return format("json").load(path); }

DataFrame DataFrameReader::table(const std::string& name) {
  proto::Relation relation;
  relation.mutable_read()->mutable_named_table()->set_unparsed_identifier(name);
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
DataFrameWriter& DataFrameWriter::partitionBy(const std::vector<std::string>& columns) {
  partitions_ = columns;
  return *this;
}

proto::Command DataFrameWriter::command() const {
  proto::Command command;
  auto* write = command.mutable_write_operation();
  *write->mutable_input() = df_->plan();
  write->set_source(format_);
  using W = proto::WriteOperation;
  static const std::map<std::string, W::SaveMode> modes = {
      {"error", W::SAVE_MODE_ERROR_IF_EXISTS},
      {"errorifexists", W::SAVE_MODE_ERROR_IF_EXISTS},
      {"overwrite", W::SAVE_MODE_OVERWRITE},
      {"append", W::SAVE_MODE_APPEND},
      {"ignore", W::SAVE_MODE_IGNORE}};
  const auto mode = modes.find(mode_);
  if (mode == modes.end()) {
    throw Error(
        "INVALID_PARAMETER_VALUE",
        fmt::format("The save mode is error, overwrite, append or ignore, not \"{}\".", mode_));
  }
  write->set_mode(mode->second);
  for (const auto& column : partitions_) write->add_partitioning_columns(column);
  for (const auto& [key, value] : options_) (*write->mutable_options())[key] = value;
  return command;
}

void DataFrameWriter::save(const std::string& path) {
  auto command = this->command();
  command.mutable_write_operation()->set_path(path);
  df_->executor()->run(command);
}

void DataFrameWriter::saveAsTable(const std::string& name) {
  auto command = this->command();
  auto* table = command.mutable_write_operation()->mutable_table();
  table->set_table_name(name);
  table->set_save_method(proto::WriteOperation::SaveTable::TABLE_SAVE_METHOD_SAVE_AS_TABLE);
  df_->executor()->run(command);
}

void DataFrameWriter::insertInto(const std::string& name, bool overwrite) {
  mode(overwrite ? "overwrite" : "append");
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

DataFrame Session::range(int64_t start, int64_t end, int64_t step) const {
  proto::Relation relation;
  relation.mutable_range()->set_start(start);
  relation.mutable_range()->set_end(end);
  relation.mutable_range()->set_step(step);
  return DataFrame(executor_, shared(std::move(relation)));
}

}  // namespace firesteel
