// writeTo and mergeInto as commands.
#include "dataframe/tables.h"

#include <spark/connect/commands.pb.h>

#include "dataframe/functions.h"

namespace firesteel {

namespace proto = spark::connect;
using Operation = proto::WriteOperationV2;

DataFrameWriterV2::DataFrameWriterV2(const DataFrame& df, const std::string& table)
    : executor_(df.executor()), operation_(std::make_shared<Operation>()) {
  *operation_->mutable_input() = df.plan();
  operation_->set_table_name(table);
}

DataFrameWriterV2& DataFrameWriterV2::using_(const std::string& provider) {
  operation_->set_provider(provider);
  return *this;
}
DataFrameWriterV2& DataFrameWriterV2::option(const std::string& key, const std::string& value) {
  (*operation_->mutable_options())[key] = value;
  return *this;
}
DataFrameWriterV2& DataFrameWriterV2::options(const std::map<std::string, std::string>& options) {
  for (const auto& [key, value] : options) option(key, value);
  return *this;
}
DataFrameWriterV2& DataFrameWriterV2::tableProperty(const std::string& key,
                                                    const std::string& value) {
  (*operation_->mutable_table_properties())[key] = value;
  return *this;
}
DataFrameWriterV2& DataFrameWriterV2::partitionedBy(const std::vector<Column>& columns) {
  for (const auto& column : columns) *operation_->add_partitioning_columns() = column.expression();
  return *this;
}
DataFrameWriterV2& DataFrameWriterV2::clusterBy(const std::vector<std::string>& columns) {
  for (const auto& column : columns) operation_->add_clustering_columns(column);
  return *this;
}

void DataFrameWriterV2::write(int mode) {
  operation_->set_mode(static_cast<Operation::Mode>(mode));
  proto::Command command;
  *command.mutable_write_operation_v2() = *operation_;
  executor_->run(command);
}
void DataFrameWriterV2::create() { write(Operation::MODE_CREATE); }
void DataFrameWriterV2::replace() { write(Operation::MODE_REPLACE); }
void DataFrameWriterV2::createOrReplace() { write(Operation::MODE_CREATE_OR_REPLACE); }
void DataFrameWriterV2::append() { write(Operation::MODE_APPEND); }
void DataFrameWriterV2::overwritePartitions() { write(Operation::MODE_OVERWRITE_PARTITIONS); }
void DataFrameWriterV2::overwrite(const Column& condition) {
  *operation_->mutable_overwrite_condition() = condition.expression();
  write(Operation::MODE_OVERWRITE);
}

namespace {
enum MergeList { kMatched, kNotMatched, kNotMatchedBySource };
}  // namespace

MergeIntoWriter::MergeIntoWriter(const DataFrame& df, const std::string& table, const Column& on)
    : executor_(df.executor()), command_(std::make_shared<proto::MergeIntoTableCommand>()) {
  command_->set_target_table_name(table);
  *command_->mutable_source_table_plan() = df.plan();
  *command_->mutable_merge_condition() = on.expression();
}

MergeIntoWriter& MergeIntoWriter::WhenMatched::add(const std::string& action,
                                                   const Assignments& assignments) {
  using Action = proto::MergeAction;
  static const std::map<std::string, Action::ActionType> types = {
      {"delete", Action::ACTION_TYPE_DELETE},
      {"insert", Action::ACTION_TYPE_INSERT},
      {"insert *", Action::ACTION_TYPE_INSERT_STAR},
      {"update", Action::ACTION_TYPE_UPDATE},
      {"update *", Action::ACTION_TYPE_UPDATE_STAR}};
  auto& command = *writer_.command_;
  auto* made = (list_ == kMatched      ? command.add_match_actions()
                : list_ == kNotMatched ? command.add_not_matched_actions()
                                       : command.add_not_matched_by_source_actions())
                   ->mutable_merge_action();
  made->set_action_type(types.at(action));
  if (condition_) *made->mutable_condition() = condition_->expression();
  for (const auto& [name, value] : assignments) {
    auto* assignment = made->add_assignments();
    *assignment->mutable_key() = functions::expr(name).expression();
    *assignment->mutable_value() = value.expression();
  }
  return writer_;
}

MergeIntoWriter::WhenMatched MergeIntoWriter::whenMatched(std::optional<Column> condition) {
  return {*this, kMatched, std::move(condition)};
}
MergeIntoWriter::WhenNotMatched MergeIntoWriter::whenNotMatched(std::optional<Column> condition) {
  return {*this, kNotMatched, std::move(condition)};
}
MergeIntoWriter::WhenMatched MergeIntoWriter::whenNotMatchedBySource(
    std::optional<Column> condition) {
  return {*this, kNotMatchedBySource, std::move(condition)};
}
MergeIntoWriter& MergeIntoWriter::withSchemaEvolution() {
  command_->set_with_schema_evolution(true);
  return *this;
}

void MergeIntoWriter::merge() {
  proto::Command command;
  *command.mutable_merge_into_table_command() = *command_;
  executor_->run(command);
}

}  // namespace firesteel
