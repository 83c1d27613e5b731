// Function calls: arguments, the forms with a syntax of their own (CAST, EXTRACT, TRIM, …), and
// what follows a call: FILTER, WITHIN GROUP, IGNORE NULLS, OVER.
#include <fmt/format.h>

#include <cctype>

#include "plan/names.h"
#include "sql/grammar.h"

namespace firesteel {

namespace {

using Expression = spark::connect::Expression;
using Frame = spark::connect::Expression::Window::WindowFrame;

Expression string_value(std::string text) {
  Expression made;
  made.mutable_literal()->set_string(std::move(text));
  return made;
}

bool is_integer(const Expression& value) { return value.literal().has_integer(); }

}  // namespace

Expression Grammar::call(const std::string& name, int start) {
  std::string upper;
  for (const char c : name) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  in_.expect("(");
  if (auto special = special_call(upper, start)) return after_call(std::move(*special), start);
  Expression made;
  auto* function = made.mutable_unresolved_function();
  function->set_function_name(name[0] == '`' ? name.substr(1, name.size() - 2) : name);
  const bool set_word = in_.is_any("DISTINCT", "ALL") && !in_.is(",", 1) && !in_.is(")", 1);
  if (set_word) function->set_is_distinct(in_.take().upper == "DISTINCT");
  if (!in_.is(")")) {
    do {
      *function->add_arguments() = argument();
    } while (in_.accept(","));
  }
  const bool ignores = in_.are("IGNORE", "NULLS");
  if (ignores || in_.are("RESPECT", "NULLS")) {
    in_.take();
    in_.take();
    if (ignores) function->add_arguments()->mutable_literal()->set_boolean(true);
  }
  in_.expect(")");
  return after_call(located(std::move(made), start), start);
}

Expression Grammar::argument() {
  const int start = in_.start();
  if (in_.is_name() && in_.is("=>", 1)) {
    Expression made;
    made.mutable_named_argument_expression()->set_key(in_.take().value);
    in_.take();
    *made.mutable_named_argument_expression()->mutable_value() = expression();
    return located(std::move(made), start);
  }
  if (in_.is("IGNORE") || in_.is("RESPECT")) return expression();
  // struct(a AS x) names its fields. A bare alias would swallow IGNORE NULLS.
  Expression value = expression();
  if (!in_.accept("AS")) return value;
  Expression made;
  made.mutable_alias()->add_name(alias_name());
  *made.mutable_alias()->mutable_expr() = std::move(value);
  return located(std::move(made), start);
}

std::optional<Expression> Grammar::special_call(const std::string& upper, int start) {
  if (upper == "CAST" || upper == "TRY_CAST") return cast_call(upper == "TRY_CAST", start);
  if (upper == "TRIM" && (in_.is_any("BOTH", "LEADING", "TRAILING") && !in_.is(")", 1))) {
    return trim_call(start);
  }
  if (upper == "TRIM" && count_in_call("FROM") > 0) {
    Expression characters = expression();
    in_.expect("FROM");
    Expression text = expression();
    in_.expect(")");
    return make("trim", start, std::move(characters), std::move(text));
  }
  if (upper == "EXTRACT" && in_.is("FROM", 1)) {
    const int field_start = in_.start();
    Expression field = string_value(in_.take().value);
    field = located(std::move(field), field_start);
    in_.expect("FROM");
    Expression source = expression();
    in_.expect(")");
    return make("extract", start, std::move(field), std::move(source));
  }
  if ((upper == "SUBSTRING" || upper == "SUBSTR") && count_in_call("FROM") > 0) {
    std::vector<Expression> arguments;
    arguments.push_back(expression());
    in_.expect("FROM");
    arguments.push_back(expression());
    if (in_.accept("FOR")) arguments.push_back(expression());
    in_.expect(")");
    return function("substring", std::move(arguments), start);
  }
  if (upper == "POSITION" && count_in_call("IN") > 0 && count_in_call(",") == 0) {
    Expression needle = operators(1);
    in_.expect("IN");
    Expression text = operators(1);
    in_.expect(")");
    return make("locate", start, std::move(needle), std::move(text));
  }
  if (upper == "OVERLAY" && count_in_call("PLACING") > 0) {
    std::vector<Expression> arguments;
    arguments.push_back(expression());
    in_.expect("PLACING");
    arguments.push_back(expression());
    in_.expect("FROM");
    arguments.push_back(expression());
    if (in_.accept("FOR")) arguments.push_back(expression());
    in_.expect(")");
    return function("overlay", std::move(arguments), start);
  }
  // Three arguments tell the form with a unit from date_add(date, days).
  const bool adds = upper == "TIMESTAMPADD" || upper == "DATEADD" || upper == "DATE_ADD";
  const bool subtracts = upper == "TIMESTAMPDIFF" || upper == "DATEDIFF" || upper == "DATE_DIFF";
  if ((adds || subtracts) && in_.token().kind == TokenKind::kWord && in_.is(",", 1) &&
      count_in_call(",") == 2) {
    const int unit_start = in_.start();
    Expression unit = string_value(in_.take().upper);
    unit = located(std::move(unit), unit_start);
    in_.expect(",");
    Expression first = expression();
    in_.expect(",");
    Expression second = expression();
    in_.expect(")");
    return make(adds ? "timestampadd" : "timestampdiff", start, std::move(unit), std::move(first),
                std::move(second));
  }
  return std::nullopt;
}

/// How often `text` stands between the parentheses of this call, deeper ones left out.
int Grammar::count_in_call(std::string_view text) const {
  int count = 0;
  for (size_t ahead = 0; !in_.is(")", ahead) && in_.token(ahead).kind != TokenKind::kEnd; ++ahead) {
    if (in_.is(text, ahead)) ++count;
    if (in_.is("(", ahead)) ahead = in_.token(ahead).match - in_.position();
  }
  return count;
}

Expression Grammar::cast_call(bool safe, int start) {
  Expression made;
  *made.mutable_cast()->mutable_expr() = expression();
  in_.expect("AS");
  *made.mutable_cast()->mutable_type() = type();
  if (safe) made.mutable_cast()->set_eval_mode(Expression::Cast::EVAL_MODE_TRY);
  in_.expect(")");
  return located(std::move(made), start);
}

Expression Grammar::trim_call(int start) {
  const auto side = in_.take().upper;
  const std::string_view name = side == "BOTH" ? "trim" : side == "LEADING" ? "ltrim" : "rtrim";
  std::vector<Expression> arguments;
  if (!in_.is("FROM")) arguments.push_back(expression());
  in_.expect("FROM");
  arguments.push_back(expression());
  in_.expect(")");
  return function(name, std::move(arguments), start);
}

Expression Grammar::after_call(Expression value, int start) {
  const auto internal = [&](std::string_view name, std::vector<Expression> arguments) {
    Expression made = function(name, std::move(arguments), start);
    made.mutable_unresolved_function()->set_is_internal(true);
    return made;
  };
  if (in_.are("WITHIN", "GROUP")) {
    in_.take();
    in_.take();
    in_.expect("(");
    in_.expect("ORDER");
    in_.expect("BY");
    std::vector<Expression> arguments;
    arguments.push_back(std::move(value));
    for (auto& item : sort_list()) {
      Expression order;
      *order.mutable_sort_order() = std::move(item);
      arguments.push_back(std::move(order));
    }
    in_.expect(")");
    value = internal("within_group", std::move(arguments));
  }
  if (in_.is("FILTER") && in_.is("(", 1)) {
    in_.take();
    in_.take();
    in_.expect("WHERE");
    std::vector<Expression> arguments;
    arguments.push_back(std::move(value));
    arguments.push_back(expression());
    in_.expect(")");
    value = internal("aggregate_filter", std::move(arguments));
  }
  const bool ignores = in_.are("IGNORE", "NULLS");
  if (ignores || in_.are("RESPECT", "NULLS")) {
    in_.take();
    in_.take();
    auto* call = value.mutable_unresolved_function();
    const auto name = lower_case(call->function_name());
    if (ignores && (name == "lead" || name == "lag")) {
      // Their fourth argument; the second and third have defaults.
      if (call->arguments_size() == 1) call->add_arguments()->mutable_literal()->set_integer(1);
      if (call->arguments_size() == 2) {
        call->add_arguments()->mutable_literal()->mutable_null()->mutable_null();
      }
    }
    if (ignores) call->add_arguments()->mutable_literal()->set_boolean(true);
    value = located(std::move(value), start);
  }
  if (!in_.is("OVER") || !(in_.is("(", 1) || in_.is_name(1))) return value;
  in_.take();
  Expression made;
  *made.mutable_window() = window_specification();
  *made.mutable_window()->mutable_window_function() = std::move(value);
  return located(std::move(made), start);
}

Grammar::Window Grammar::window_specification() {
  const bool bare = in_.is_name();
  if (bare || (in_.is("(") && in_.is_name(1) && in_.is(")", 2))) {
    if (!bare) in_.take();
    const Token& name = in_.take();
    const auto key = lower_case(name.value);
    if (!bare) in_.take();
    if (blocks_.empty())
      in_.fail(Error("MISSING_WINDOW_SPECIFICATION", "No window here."), name.span);
    if (!blocks_.back().windows_read && !blocks_.back().windows.contains(key)) {
      read_windows(blocks_.back().select_start);
    }
    const auto found = blocks_.back().windows.find(key);
    if (found == blocks_.back().windows.end()) {
      in_.fail(Error("MISSING_WINDOW_SPECIFICATION",
                     fmt::format("Window specification is not defined in the WINDOW clause for {}.",
                                 name.value)),
               name.span);
    }
    return found->second;
  }
  in_.expect("(");
  Window window;
  if (in_.accept("PARTITION", "BY") || in_.accept("DISTRIBUTE", "BY")) {
    for (auto& key : expression_list()) *window.add_partition_spec() = std::move(key);
  } else if (in_.accept("CLUSTER", "BY")) {
    for (auto& key : expression_list()) *window.add_partition_spec() = std::move(key);
  }
  if (in_.accept("ORDER", "BY") || in_.accept("SORT", "BY")) {
    for (auto& item : sort_list()) *window.add_order_spec() = std::move(item);
  }
  if (in_.is_any("ROWS", "RANGE")) *window.mutable_frame_spec() = window_frame();
  in_.expect(")");
  return window;
}

Frame Grammar::window_frame() {
  Frame frame;
  frame.set_frame_type(in_.take().upper == "ROWS" ? Frame::FRAME_TYPE_ROW
                                                  : Frame::FRAME_TYPE_RANGE);
  if (in_.accept("BETWEEN")) {
    *frame.mutable_lower() = frame_boundary();
    in_.expect("AND");
    *frame.mutable_upper() = frame_boundary();
  } else {
    *frame.mutable_lower() = frame_boundary();
    frame.mutable_upper()->set_current_row(true);
  }
  return frame;
}

Frame::FrameBoundary Grammar::frame_boundary() {
  Frame::FrameBoundary boundary;
  if (in_.accept("CURRENT", "ROW")) {
    boundary.set_current_row(true);
  } else if (in_.accept("UNBOUNDED")) {
    if (!in_.is_any("PRECEDING", "FOLLOWING")) in_.fail("PRECEDING or FOLLOWING");
    in_.take();
    boundary.set_unbounded(true);
  } else {
    const int start = in_.start();
    Expression offset = expression();
    if (!in_.is_any("PRECEDING", "FOLLOWING")) in_.fail("PRECEDING or FOLLOWING");
    // As PySpark's rowsBetween: what precedes is negative.
    if (in_.is("PRECEDING")) {
      if (is_integer(offset)) {
        offset.mutable_literal()->set_integer(-offset.literal().integer());
      } else if (offset.literal().has_day_time_interval()) {
        offset.mutable_literal()->set_day_time_interval(-offset.literal().day_time_interval());
      } else if (offset.literal().has_year_month_interval()) {
        offset.mutable_literal()->set_year_month_interval(-offset.literal().year_month_interval());
      } else {
        offset = make("negative", start, std::move(offset));
      }
    }
    in_.take();
    *boundary.mutable_value() = std::move(offset);
  }
  return boundary;
}

}  // namespace firesteel
