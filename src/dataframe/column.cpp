// Column expressions as proto.
#include "dataframe/column.h"

#include <spark/connect/expressions.pb.h>

#include <atomic>

#include "dataframe/functions.h"
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

Column Column::alias(const std::string& name) const { return alias(std::vector{name}); }
Column Column::alias(const std::vector<std::string>& names) const {
  proto::Expression expression;
  *expression.mutable_alias()->mutable_expr() = *expression_;
  for (const auto& name : names) expression.mutable_alias()->add_name(name);
  return wrap(std::move(expression));
}

Column Column::alias(const std::string& name, const Metadata& metadata) const {
  proto::Expression expression = alias(name).expression();
  expression.mutable_alias()->set_metadata(metadata.json);
  return wrap(std::move(expression));
}

Column Column::cast(const std::string& type) const {
  proto::Expression expression;
  *expression.mutable_cast()->mutable_expr() = *expression_;
  expression.mutable_cast()->set_type_str(type);
  return wrap(std::move(expression));
}

Column Column::try_cast(const std::string& type) const {
  proto::Expression expression = cast(type).expression();
  expression.mutable_cast()->set_eval_mode(proto::Expression::Cast::EVAL_MODE_TRY);
  return wrap(std::move(expression));
}

Column Column::withField(const std::string& name, const Column& value) const {
  proto::Expression expression;
  auto* update = expression.mutable_update_fields();
  *update->mutable_struct_expression() = *expression_;
  update->set_field_name(name);
  *update->mutable_value_expression() = value.expression();
  return wrap(std::move(expression));
}

Column Column::dropFields(const std::vector<std::string>& names) const {
  Column out = *this;
  for (const auto& name : names) {
    proto::Expression expression;
    *expression.mutable_update_fields()->mutable_struct_expression() = out.expression();
    expression.mutable_update_fields()->set_field_name(name);
    out = wrap(std::move(expression));
  }
  return out;
}

Column Column::isNull() const { return call("isNull", {*this}); }
Column Column::isNotNull() const { return call("isNotNull", {*this}); }
Column Column::between(const Column& low, const Column& high) const {
  return *this >= low && *this <= high;
}
Column Column::like(const std::string& pattern) const {
  return call("like", {*this, lit(pattern)});
}
Column Column::ilike(const std::string& pattern) const {
  return call("ilike", {*this, lit(pattern)});
}
Column Column::rlike(const std::string& pattern) const {
  return call("rlike", {*this, lit(pattern)});
}
Column Column::startswith(const Column& prefix) const {
  return call("startsWith", {*this, prefix});
}
Column Column::endswith(const Column& suffix) const { return call("endsWith", {*this, suffix}); }
Column Column::contains(const Column& part) const { return call("contains", {*this, part}); }
Column Column::substr(int position, int length) const {
  return call("substr", {*this, lit(position), lit(length)});
}
Column Column::substr(const Column& position, const Column& length) const {
  return call("substr", {*this, position, length});
}
Column Column::isNaN() const { return call("isNaN", {*this}); }
Column Column::bitwiseAND(const Column& other) const { return call("&", {*this, other}); }
Column Column::bitwiseOR(const Column& other) const { return call("|", {*this, other}); }
Column Column::bitwiseXOR(const Column& other) const { return call("^", {*this, other}); }
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

Column Column::getItem(const std::string& key) const { return getItem(lit(key)); }
Column Column::getItem(int position) const { return getItem(lit(position)); }
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

Column lit(std::nullptr_t) {
  proto::Expression expression;
  expression.mutable_literal()->mutable_null()->mutable_null();
  return wrap(std::move(expression));
}
Column lit(int8_t value) {
  proto::Expression expression;
  expression.mutable_literal()->set_byte(value);
  return wrap(std::move(expression));
}
Column lit(int16_t value) {
  proto::Expression expression;
  expression.mutable_literal()->set_short_(value);
  return wrap(std::move(expression));
}
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
Column lit(float value) {
  proto::Expression expression;
  expression.mutable_literal()->set_float_(value);
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
Column lit(const std::vector<std::byte>& value) {
  proto::Expression expression;
  expression.mutable_literal()->set_binary(value.data(), value.size());
  return wrap(std::move(expression));
}
Column lit(const Decimal& value) {
  proto::Expression expression;
  auto* decimal = expression.mutable_literal()->mutable_decimal();
  decimal->set_value(value.digits);
  decimal->set_precision(value.precision);
  decimal->set_scale(value.scale);
  return wrap(std::move(expression));
}
Column lit(std::chrono::sys_days value) {
  proto::Expression expression;
  expression.mutable_literal()->set_date(static_cast<int32_t>(value.time_since_epoch().count()));
  return wrap(std::move(expression));
}
Column lit(std::chrono::sys_time<std::chrono::microseconds> value) {
  proto::Expression expression;
  expression.mutable_literal()->set_timestamp(value.time_since_epoch().count());
  return wrap(std::move(expression));
}
Column lit(std::chrono::local_time<std::chrono::microseconds> value) {
  proto::Expression expression;
  expression.mutable_literal()->set_timestamp_ntz(value.time_since_epoch().count());
  return wrap(std::move(expression));
}
Column lit(std::chrono::hh_mm_ss<std::chrono::microseconds> value) {
  proto::Expression expression;
  auto* time = expression.mutable_literal()->mutable_time();
  time->set_nano(std::chrono::nanoseconds(value.to_duration()).count());
  time->set_precision(6);
  return wrap(std::move(expression));
}
Column lit(std::chrono::microseconds value) {
  proto::Expression expression;
  expression.mutable_literal()->set_day_time_interval(value.count());
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
Column operator~(const Column& column) { return call("not", {column}); }
Column operator&(const Column& left, const Column& right) { return left && right; }
Column operator|(const Column& left, const Column& right) { return left || right; }
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
Column built_in(const std::string& name, const std::vector<Column>& arguments) {
  return call(name, arguments);
}
Column call_function(const std::string& name, const std::vector<Column>& arguments) {
  proto::Expression expression;
  expression.mutable_call_function()->set_function_name(name);
  for (const auto& argument : arguments)
    *expression.mutable_call_function()->add_arguments() = argument.expression();
  return wrap(std::move(expression));
}
Column log(const Column& column) { return call("ln", {column}); }
Column log(double base, const Column& column) { return call("log", {lit(base), column}); }
Column expr(const std::string& sql) {
  proto::Expression expression;
  expression.mutable_expression_string()->set_expression(sql);
  return wrap(std::move(expression));
}
Column when(const Column& condition, const Column& value) {
  return call("when", {condition, value});
}
namespace {
Column distinct(const Column& made) {
  proto::Expression expression = made.expression();
  expression.mutable_unresolved_function()->set_is_distinct(true);
  return wrap(std::move(expression));
}
}  // namespace

Column count_distinct(const std::vector<Column>& columns) {
  return distinct(call("count", columns));
}
Column sum_distinct(const Column& column) { return distinct(call("sum", {column})); }
Column listagg_distinct(const Column& column, const std::string& delimiter) {
  return distinct(call("listagg", {column, lit(delimiter)}));
}
Column string_agg_distinct(const Column& column, const std::string& delimiter) {
  return distinct(call("string_agg", {column, lit(delimiter)}));
}
Column asc(const Column& column) { return column.asc(); }
Column asc_nulls_first(const Column& column) { return column.asc(); }
Column asc_nulls_last(const Column& column) { return column.asc_nulls_last(); }
Column desc(const Column& column) { return column.desc(); }
Column desc_nulls_first(const Column& column) { return column.desc_nulls_first(); }
Column desc_nulls_last(const Column& column) { return column.desc(); }

Column lambda(size_t parameters, const std::function<Column(const std::vector<Column>&)>& body) {
  // Names of their own, so that one lambda within another sees both.
  static std::atomic<uint64_t> next = 0;
  const auto number = next++;
  proto::Expression expression;
  std::vector<Column> variables;
  for (size_t i = 0; i < parameters; ++i) {
    const auto name = std::string(1, "xyz"[i]) + "_" + std::to_string(number);
    expression.mutable_lambda_function()->add_arguments()->add_name_parts(name);
    proto::Expression variable;
    variable.mutable_unresolved_named_lambda_variable()->add_name_parts(name);
    variables.push_back(wrap(std::move(variable)));
  }
  *expression.mutable_lambda_function()->mutable_function() = body(variables).expression();
  return wrap(std::move(expression));
}

Column options(const std::map<std::string, std::string>& options) {
  std::vector<Column> pairs;
  for (const auto& [key, value] : options) {
    pairs.push_back(lit(key));
    pairs.push_back(lit(value));
  }
  return call("map", pairs);
}
}  // namespace functions

}  // namespace firesteel
