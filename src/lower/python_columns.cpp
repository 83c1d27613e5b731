// Python functions that need to see more than a vector of rows, and still give one value a row:
// those over iterators of batches, and aggregates over windows. The relation below goes through
// the worker as a whole, its columns around it, and the value is one more column.
#include <fmt/format.h>

#include "lower/python_task.h"
#include "lower/resolver.h"

namespace firesteel {

namespace {

using namespace python_kind;
using google::protobuf::Message;

/// Visits the expressions inside a message, inner ones first; `visit` may change them.
void each_expression(Message& message, const std::function<void(proto::Expression&)>& visit) {
  const auto* reflection = message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE ||
        field->is_map() || field->message_type()->name() == "ExpressionCommon")
      continue;
    if (field->is_repeated()) {
      for (int i = 0; i < reflection->FieldSize(message, field); ++i)
        each_expression(*reflection->MutableRepeatedMessage(&message, field, i), visit);
    } else {
      each_expression(*reflection->MutableMessage(&message, field), visit);
    }
  }
  if (message.GetDescriptor() == proto::Expression::descriptor())
    visit(static_cast<proto::Expression&>(message));
}

bool is_iterator(int kind) { return kind == kScalarPandasIter || kind == kScalarArrowIter; }

using Frame = proto::Expression::Window::WindowFrame;

/// Are all rows of the partition in the frame?
bool is_unbounded(const proto::Expression::Window& window) {
  if (!window.has_frame_spec()) return window.order_spec().empty();
  return window.frame_spec().lower().has_unbounded() && window.frame_spec().upper().has_unbounded();
}

}  // namespace

/// The Python function that a call means, whether it stands there or was registered.
std::optional<proto::CommonInlineUserDefinedFunction> Resolver::python_called(
    const proto::Expression& expression) const {
  if (expression.has_common_inline_user_defined_function())
    return expression.common_inline_user_defined_function();
  const auto find =
      [&](const std::string& name,
          const auto& arguments) -> std::optional<proto::CommonInlineUserDefinedFunction> {
    const auto registered = catalog_->python_function(split_name(name));
    if (!registered) return std::nullopt;
    auto called = *registered;
    *called.mutable_arguments() = arguments;
    return called;
  };
  if (expression.has_unresolved_function() && !expression.unresolved_function().is_internal())
    return find(expression.unresolved_function().function_name(),
                expression.unresolved_function().arguments());
  if (expression.has_call_function())
    return find(expression.call_function().function_name(), expression.call_function().arguments());
  return std::nullopt;
}

/// Makes columns of the query of such functions, and names them where the functions stood.
void Resolver::take_python_columns(Query& input, std::vector<proto::Expression>& expressions) {
  for (auto& expression : expressions) {
    each_expression(expression, [&](proto::Expression& part) {
      std::optional<Attribute> made;
      if (part.has_window()) {
        const auto called = python_called(part.window().window_function());
        if (called && is_python_aggregate(*called))
          made = python_window_column(input, part, *called);
      } else if (const auto called = python_called(part)) {
        if (is_iterator(called->python_udf().eval_type()))
          made = python_iterator_column(input, *called, span_of(part));
      }
      if (made) part = attribute_expression("`" + made->sql + "`");
    });
  }
}

Attribute Resolver::python_iterator_column(Query& input,
                                           const proto::CommonInlineUserDefinedFunction& function,
                                           Span span) {
  input.wrap();
  Scope scope{.levels = {&input.output, &input.hidden}};
  std::vector<Resolved> columns;
  auto task = python_call_task(function, scope, span, columns);
  return python_beside(input, std::move(task), {}, std::move(columns), "");
}

/// `function over (window)`: each partition is a group, and two columns say where a row's frame
/// begins and ends in it.
Attribute Resolver::python_window_column(Query& input, const proto::Expression& expression,
                                         const proto::CommonInlineUserDefinedFunction& function) {
  auto window = expression.window();
  const Span span = span_of(expression);
  input.wrap();
  Scope names{.levels = {&input.output, &input.hidden}};
  const auto name = this->window(window, names, span).name;
  // Rows are numbered within their partition, so that equal ones have an order too.
  Scope number_scope{.levels = {&input.output, &input.hidden}};
  proto::Expression::Window numbering;
  *numbering.mutable_partition_spec() = window.partition_spec();
  *numbering.mutable_order_spec() = window.order_spec();
  numbering.mutable_window_function()->mutable_unresolved_function()->set_function_name(
      "row_number");
  if (window.order_spec().empty()) {
    auto* term = numbering.add_order_spec();
    term->mutable_child()->mutable_literal()->set_integer(1);
    term->set_direction(proto::Expression::SortOrder::SORT_DIRECTION_ASCENDING);
    term->set_null_ordering(proto::Expression::SortOrder::SORT_NULLS_FIRST);
  }
  input.output.push_back(made(this->window(numbering, number_scope, span), "row"));
  input.select.has_window = true;
  input.wrap();
  const auto number = input.output.back();
  const bool unbounded = is_unbounded(window);
  Scope scope{.levels = {&input.output, &input.hidden}};
  std::vector<Resolved> columns;
  if (!unbounded) {
    auto frame = window;
    if (frame.has_frame_spec() && frame.frame_spec().frame_type() == Frame::FRAME_TYPE_ROW) {
      frame.clear_order_spec();
      auto* term = frame.add_order_spec();
      *term->mutable_child() = attribute_expression("`" + number.sql + "`");
      term->set_direction(proto::Expression::SortOrder::SORT_DIRECTION_ASCENDING);
      term->set_null_ordering(proto::Expression::SortOrder::SORT_NULLS_FIRST);
    }
    for (const char* bound : {"min", "max"}) {
      auto* call = frame.mutable_window_function()->mutable_unresolved_function();
      call->set_function_name(bound);
      call->clear_arguments();
      *call->add_arguments() = attribute_expression("`" + number.sql + "`");
      auto value = this->window(frame, scope, span);
      value.sql = fmt::format("coalesce({}{}, 0)", value.sql, bound[1] == 'i' ? " - 1" : "");
      value.type = make_type(TypeKind::kInteger);
      columns.push_back(std::move(value));
    }
  }
  std::vector<Resolved> keys;
  for (const auto& key : window.partition_spec()) keys.push_back(this->expression(key, scope));
  auto task = python_call_task(function, scope, span, columns);
  switch (task.kind) {
    case kGroupedAggPandas:
      task.kind = kWindowAggPandas;
      break;
    case kGroupedAggArrow:
      task.kind = kWindowAggArrow;
      break;
    default:
      throw Error("UNSUPPORTED_FEATURE.PYTHON_FUNCTION",
                  "Aggregates over iterators of batches cannot stand over a window.")
          .at(span);
  }
  task.settings["window_bound_types"] = unbounded ? "unbounded" : "bounded";
  auto made =
      python_beside(input, std::move(task), std::move(keys), std::move(columns), number.sql);
  std::erase_if(input.output, [&](const Attribute& column) { return column.sql == number.sql; });
  input.output.back().name = made.name = name;
  return made;
}

/// The task of one call. Its arguments' values are added to `columns`, which are all that is sent.
PythonTask Resolver::python_call_task(const proto::CommonInlineUserDefinedFunction& function,
                                      Scope& scope, Span span, std::vector<Resolved>& columns) {
  PythonTask task = python_task_of(function, span);
  for (size_t i = 0; i < columns.size(); ++i)
    task.calls[0].arguments.push_back(static_cast<int>(i));
  std::string names;
  for (const auto& argument : function.arguments()) {
    const bool named = argument.has_named_argument_expression();
    auto value = expression(named ? argument.named_argument_expression().value() : argument, scope);
    names += (names.empty() ? "" : ", ") + value.name;
    const int place = static_cast<int>(columns.size());
    if (named) {
      task.calls[0].named.emplace_back(argument.named_argument_expression().key(), place);
    } else {
      task.calls[0].arguments.push_back(place);
    }
    columns.push_back(std::move(value));
  }
  task.name = fmt::format("{}({})", function.function_name(), names);
  return task;
}

/// Puts the task's value beside the query's columns, and gives its column.
Attribute Resolver::python_beside(Query& input, PythonTask task, std::vector<Resolved> keys,
                                  std::vector<Resolved> sent, const std::string& order) {
  // What the worker's functions count their arguments from are the columns behind the kept ones.
  const int shift = static_cast<int>(keys.size());
  for (auto& place : task.calls[0].arguments) place += shift;
  for (auto& named : task.calls[0].named) named.second += shift;
  std::vector<Resolved> columns;
  std::vector<Attribute> kept = input.output;
  kept.insert(kept.end(), input.hidden.begin(), input.hidden.end());
  for (const auto& column : kept)
    columns.push_back({.sql = column.sql, .type = column.type, .nullable = column.nullable});
  task.kept = static_cast<int>(kept.size());
  task.keys = shift;
  for (auto* list : {&keys, &sent}) {
    for (auto& value : *list) {
      task.input.push_back({fmt::format("_{}", task.input.size()), value.type, true});
      columns.push_back(std::move(value));
    }
  }
  const auto first = kept.size();
  task.rows = python_input(input, columns, first, first + keys.size(), order);
  auto query = python_output(task, kept);
  auto made = query.output.back();
  made.name = query.output.back().name = task.name;
  // The hidden columns stay hidden.
  query.hidden.assign(query.output.begin() + static_cast<long>(input.output.size()),
                      query.output.end() - 1);
  query.output.erase(query.output.begin() + static_cast<long>(input.output.size()),
                     query.output.end() - 1);
  input = std::move(query);
  return made;
}

}  // namespace firesteel
