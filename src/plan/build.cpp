// Small pieces of plans.
#include "plan/build.h"

namespace firesteel::build {

Expression call(const std::string& name, std::vector<Expression> arguments) {
  Expression made;
  auto* function = made.mutable_unresolved_function();
  function->set_function_name(name);
  for (auto& argument : arguments) *function->add_arguments() = std::move(argument);
  return made;
}

Expression attribute(const std::string& written) {
  Expression made;
  made.mutable_unresolved_attribute()->set_unparsed_identifier(written);
  return made;
}

Expression column(const std::string& name) {
  std::string written = "`";
  for (const char c : name) written += c == '`' ? std::string("``") : std::string(1, c);
  return attribute(written + "`");
}

Expression integer(int value) {
  Expression made;
  made.mutable_literal()->set_integer(value);
  return made;
}

Expression number(double value) {
  Expression made;
  made.mutable_literal()->set_double_(value);
  return made;
}

Expression text(const std::string& value) {
  Expression made;
  made.mutable_literal()->set_string(value);
  return made;
}

Expression alias(Expression value, const std::string& name) {
  Expression made;
  made.mutable_alias()->add_name(name);
  *made.mutable_alias()->mutable_expr() = std::move(value);
  return made;
}

Expression cast(Expression value, const DataType& type, bool try_cast) {
  Expression made;
  *made.mutable_cast()->mutable_expr() = std::move(value);
  type_to_proto(type, made.mutable_cast()->mutable_type());
  if (try_cast) made.mutable_cast()->set_eval_mode(Expression::Cast::EVAL_MODE_TRY);
  return made;
}

Expression star() {
  Expression made;
  made.mutable_unresolved_star();
  return made;
}

Relation project(Relation input, std::vector<Expression> columns) {
  Relation made;
  *made.mutable_project()->mutable_input() = std::move(input);
  for (auto& column : columns) *made.mutable_project()->add_expressions() = std::move(column);
  return made;
}

Relation filter(Relation input, Expression condition) {
  Relation made;
  *made.mutable_filter()->mutable_input() = std::move(input);
  *made.mutable_filter()->mutable_condition() = std::move(condition);
  return made;
}

Relation aggregate(Relation input, std::vector<Expression> keys, std::vector<Expression> values) {
  Relation made;
  auto* aggregate = made.mutable_aggregate();
  aggregate->set_group_type(spark::connect::Aggregate::GROUP_TYPE_GROUPBY);
  *aggregate->mutable_input() = std::move(input);
  for (auto& key : keys) *aggregate->add_grouping_expressions() = std::move(key);
  for (auto& value : values) *aggregate->add_aggregate_expressions() = std::move(value);
  return made;
}

Relation to_df(Relation input, const std::vector<std::string>& names) {
  Relation made;
  *made.mutable_to_df()->mutable_input() = std::move(input);
  for (const auto& name : names) made.mutable_to_df()->add_column_names(name);
  return made;
}

Relation union_all(Relation left, Relation right) {
  Relation made;
  auto* operation = made.mutable_set_op();
  operation->set_set_op_type(spark::connect::SetOperation::SET_OP_TYPE_UNION);
  operation->set_is_all(true);
  *operation->mutable_left_input() = std::move(left);
  *operation->mutable_right_input() = std::move(right);
  return made;
}

}  // namespace firesteel::build
