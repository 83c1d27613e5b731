// Column expressions as proto.
#include "dataframe/column.h"

#include <spark/connect/expressions.pb.h>

#include "plan/types.h"

namespace firesteel {

namespace proto = spark::connect;

namespace {

Column wrap(proto::Expression expression) {
  return Column(std::make_shared<const proto::Expression>(std::move(expression)));
}

Column call(const std::string& name, const std::vector<Column>& arguments) {
  proto::Expression expression;
  auto* function = expression.mutable_unresolved_function();
  function->set_function_name(name);
  for (const auto& argument : arguments) *function->add_arguments() = argument.expression();
  return wrap(std::move(expression));
}

Column order(const Column& column, bool descending, bool nulls_first) {
  using Order = proto::Expression::SortOrder;
  proto::Expression expression;
  auto* sort = expression.mutable_sort_order();
  *sort->mutable_child() = column.expression();
  sort->set_direction(descending ? Order::SORT_DIRECTION_DESCENDING
                                 : Order::SORT_DIRECTION_ASCENDING);
  sort->set_null_ordering(nulls_first ? Order::SORT_NULLS_FIRST : Order::SORT_NULLS_LAST);
  return wrap(std::move(expression));
}

proto::Expression named(const std::string& name) {
  proto::Expression expression;
  if (name == "*") {
    expression.mutable_unresolved_star();
  } else if (name.size() > 2 && name.ends_with(".*")) {
    expression.mutable_unresolved_star()->set_unparsed_target(name);
  } else {
    expression.mutable_unresolved_attribute()->set_unparsed_identifier(name);
  }
  return expression;
}

}  // namespace

Column::Column(const char* name) : Column(std::string(name)) {}
Column::Column(const std::string& name)
    : expression_(std::make_shared<const proto::Expression>(named(name))) {}
Column::Column(std::shared_ptr<const proto::Expression> expression)
    : expression_(std::move(expression)) {}

Column Column::alias(const std::string& name) const {
  proto::Expression expression;
  *expression.mutable_alias()->mutable_expr() = *expression_;
  expression.mutable_alias()->add_name(name);
  return wrap(std::move(expression));
}

Column Column::cast(const std::string& type) const {
  proto::Expression expression;
  *expression.mutable_cast()->mutable_expr() = *expression_;
  expression.mutable_cast()->set_type_str(type);
  return wrap(std::move(expression));
}

Column Column::isNull() const { return call("isnull", {*this}); }
Column Column::isNotNull() const { return call("isnotnull", {*this}); }
Column Column::between(const Column& low, const Column& high) const {
  return *this >= low && *this <= high;
}
Column Column::like(const std::string& pattern) const {
  return call("like", {*this, lit(pattern)});
}
Column Column::rlike(const std::string& pattern) const {
  return call("rlike", {*this, lit(pattern)});
}
Column Column::startswith(const Column& prefix) const {
  return call("startswith", {*this, prefix});
}
Column Column::endswith(const Column& suffix) const { return call("endswith", {*this, suffix}); }
Column Column::contains(const Column& part) const { return call("contains", {*this, part}); }
Column Column::substr(int position, int length) const {
  return call("substr", {*this, lit(position), lit(length)});
}
Column Column::eqNullSafe(const Column& other) const { return call("<=>", {*this, other}); }

Column Column::isin(const std::vector<Column>& values) const {
  std::vector<Column> arguments = {*this};
  arguments.insert(arguments.end(), values.begin(), values.end());
  return call("in", arguments);
}

Column Column::getItem(const Column& key) const {
  proto::Expression expression;
  *expression.mutable_unresolved_extract_value()->mutable_child() = *expression_;
  *expression.mutable_unresolved_extract_value()->mutable_extraction() = key.expression();
  return wrap(std::move(expression));
}

Column Column::getField(const std::string& name) const { return getItem(lit(name)); }

Column Column::when(const Column& condition, const Column& value) const {
  proto::Expression expression = *expression_;
  *expression.mutable_unresolved_function()->add_arguments() = condition.expression();
  *expression.mutable_unresolved_function()->add_arguments() = value.expression();
  return wrap(std::move(expression));
}

Column Column::otherwise(const Column& value) const {
  proto::Expression expression = *expression_;
  *expression.mutable_unresolved_function()->add_arguments() = value.expression();
  return wrap(std::move(expression));
}

Column Column::asc() const { return order(*this, false, true); }
Column Column::asc_nulls_last() const { return order(*this, false, false); }
Column Column::desc() const { return order(*this, true, false); }
Column Column::desc_nulls_first() const { return order(*this, true, true); }

Column Column::over(const WindowSpec& window) const {
  using Frame = proto::Expression::Window::WindowFrame;
  proto::Expression expression;
  auto* out = expression.mutable_window();
  *out->mutable_window_function() = *expression_;
  for (const auto& key : window.partition_) *out->add_partition_spec() = key.expression();
  for (const auto& key : window.order_) {
    *out->add_order_spec() =
        (key.expression().has_sort_order() ? key : key.asc()).expression().sort_order();
  }
  if (window.frame_ != WindowSpec::Frame::kDefault) {
    auto* frame = out->mutable_frame_spec();
    frame->set_frame_type(window.frame_ == WindowSpec::Frame::kRows ? Frame::FRAME_TYPE_ROW
                                                                    : Frame::FRAME_TYPE_RANGE);
    auto set = [&](Frame::FrameBoundary* boundary, int64_t value, int64_t unbounded) {
      if (value == 0) {
        boundary->set_current_row(true);
      } else if (value == unbounded) {
        boundary->set_unbounded(true);
      } else if (window.frame_ == WindowSpec::Frame::kRows) {
        boundary->mutable_value()->mutable_literal()->set_integer(static_cast<int32_t>(value));
      } else {
        boundary->mutable_value()->mutable_literal()->set_long_(value);
      }
    };
    set(frame->mutable_lower(), window.start_, INT64_MIN);
    set(frame->mutable_upper(), window.end_, INT64_MAX);
  }
  return wrap(std::move(expression));
}

Column col(const std::string& name) { return Column(name); }

Column lit(int value) {
  proto::Expression expression;
  expression.mutable_literal()->set_integer(value);
  return wrap(std::move(expression));
}
Column lit(int64_t value) {
  proto::Expression expression;
  expression.mutable_literal()->set_long_(value);
  return wrap(std::move(expression));
}
Column lit(double value) {
  proto::Expression expression;
  expression.mutable_literal()->set_double_(value);
  return wrap(std::move(expression));
}
Column lit(bool value) {
  proto::Expression expression;
  expression.mutable_literal()->set_boolean(value);
  return wrap(std::move(expression));
}
Column lit(const char* value) { return lit(std::string(value)); }
Column lit(const std::string& value) {
  proto::Expression expression;
  expression.mutable_literal()->set_string(value);
  return wrap(std::move(expression));
}

Column operator+(const Column& left, const Column& right) { return call("+", {left, right}); }
Column operator-(const Column& left, const Column& right) { return call("-", {left, right}); }
Column operator*(const Column& left, const Column& right) { return call("*", {left, right}); }
Column operator/(const Column& left, const Column& right) { return call("/", {left, right}); }
Column operator%(const Column& left, const Column& right) { return call("%", {left, right}); }
Column operator==(const Column& left, const Column& right) { return call("==", {left, right}); }
Column operator!=(const Column& left, const Column& right) {
  return call("not", {call("==", {left, right})});
}
Column operator<(const Column& left, const Column& right) { return call("<", {left, right}); }
Column operator<=(const Column& left, const Column& right) { return call("<=", {left, right}); }
Column operator>(const Column& left, const Column& right) { return call(">", {left, right}); }
Column operator>=(const Column& left, const Column& right) { return call(">=", {left, right}); }
Column operator&&(const Column& left, const Column& right) { return call("and", {left, right}); }
Column operator||(const Column& left, const Column& right) { return call("or", {left, right}); }
Column operator!(const Column& column) { return call("not", {column}); }
Column operator-(const Column& column) { return call("negative", {column}); }

WindowSpec WindowSpec::partitionBy(const std::vector<Column>& keys) const {
  WindowSpec copy = *this;
  copy.partition_ = keys;
  return copy;
}
WindowSpec WindowSpec::orderBy(const std::vector<Column>& keys) const {
  WindowSpec copy = *this;
  copy.order_ = keys;
  return copy;
}
WindowSpec WindowSpec::rowsBetween(int64_t start, int64_t end) const {
  WindowSpec copy = *this;
  copy.frame_ = Frame::kRows;
  copy.start_ = start;
  copy.end_ = end;
  return copy;
}
WindowSpec WindowSpec::rangeBetween(int64_t start, int64_t end) const {
  WindowSpec copy = rowsBetween(start, end);
  copy.frame_ = Frame::kRange;
  return copy;
}

namespace functions {
Column call_function(const std::string& name, const std::vector<Column>& arguments) {
  return call(name, arguments);
}
Column count_distinct(const std::vector<Column>& columns) {
  proto::Expression expression = call("count", columns).expression();
  expression.mutable_unresolved_function()->set_is_distinct(true);
  return wrap(std::move(expression));
}
Column expr(const std::string& sql) {
  proto::Expression expression;
  expression.mutable_expression_string()->set_expression(sql);
  return wrap(std::move(expression));
}
Column when(const Column& condition, const Column& value) {
  return call("when", {condition, value});
}
Column asc(const std::string& column) { return col(column).asc(); }
Column desc(const std::string& column) { return col(column).desc(); }
}  // namespace functions

}  // namespace firesteel
