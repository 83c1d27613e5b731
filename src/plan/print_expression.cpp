// Expressions as Spark SQL: parentheses only where precedence needs them.
#include <fmt/format.h>
#include <spark/connect/base.pb.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "plan/print.h"
#include "plan/types.h"

namespace firesteel {

namespace {

using spark::connect::Expression;
using spark::connect::SubqueryExpression;
using Arguments = google::protobuf::RepeatedPtrField<Expression>;
using Literal = Expression::Literal;
using Frame = Expression::Window::WindowFrame;

/// How tightly a piece of text holds together; higher binds tighter.
enum Tightness {
  kLoose,  // a lambda, an alias
  kOr,
  kAnd,
  kNot,
  kPredicate,
  kComparison,
  kBitOr,
  kBitXor,
  kBitAnd,
  kShift,
  kSum,
  kProduct,
  kSign,
  kWhole,
};

struct Text {
  std::string text;
  Tightness tightness = kWhole;
};

struct Infix {
  std::string_view function;
  std::string_view symbol;
  Tightness tightness;
};

constexpr Infix kInfixes[] = {
    {"or", "OR", kOr},
    {"and", "AND", kAnd},
    {"==", "=", kComparison},
    {"<=>", "<=>", kComparison},
    {"<", "<", kComparison},
    {"<=", "<=", kComparison},
    {">", ">", kComparison},
    {">=", ">=", kComparison},
    {"|", "|", kBitOr},
    {"^", "^", kBitXor},
    {"&", "&", kBitAnd},
    {"shiftleft", "<<", kShift},
    {"shiftright", ">>", kShift},
    {"shiftrightunsigned", ">>>", kShift},
    {"+", "+", kSum},
    {"-", "-", kSum},
    {"*", "*", kProduct},
    {"/", "/", kProduct},
    {"%", "%", kProduct},
    {"div", "DIV", kProduct},
};

/// Words that do not read as a column's name.
constexpr std::string_view kWords[] = {
    "AND",          "AS",    "BETWEEN",   "BY",     "CASE",   "CURRENT_DATE", "CURRENT_TIMESTAMP",
    "CURRENT_USER", "ELSE",  "END",       "EXCEPT", "FALSE",  "FROM",         "GROUP",
    "HAVING",       "IN",    "INTERSECT", "IS",     "JOIN",   "LIKE",         "NOT",
    "NULL",         "ON",    "OR",        "ORDER",  "SELECT", "SESSION_USER", "THEN",
    "TRUE",         "UNION", "WHEN",      "WHERE",
};
static_assert(std::ranges::is_sorted(kWords));

Text render(const Expression& expression);

std::string render(const Expression& expression, Tightness least) {
  auto [text, tightness] = render(expression);
  return tightness < least ? "(" + text + ")" : text;
}

bool is_plain(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::ranges::all_of(name, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return std::isalnum(byte) || c == '_' || byte >= 0x80;
  });
}

std::string quoted_name(std::string_view name) {
  std::string text = "`";
  for (const char c : name) text += c == '`' ? "``" : std::string(1, c);
  return text + "`";
}

std::string upper_case(std::string_view name) {
  std::string upper;
  for (const char c : name) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return upper;
}

bool is_word(std::string_view name) {
  return std::ranges::binary_search(kWords, std::string_view(upper_case(name)));
}

std::string name_text(const std::string& name) {
  return is_plain(name) && !is_word(name) ? name : quoted_name(name);
}

/// A dotted identifier, whose parts may stand between backticks.
std::string identifier_text(const std::string& identifier) {
  std::string text;
  for (size_t at = 0; at <= identifier.size();) {
    size_t stop = at;
    if (at < identifier.size() && identifier[at] == '`') {
      for (++stop; stop < identifier.size(); ++stop) {
        if (identifier[stop] != '`') continue;
        if (stop + 1 < identifier.size() && identifier[stop + 1] == '`') {
          ++stop;
        } else {
          break;
        }
      }
      ++stop;
      if (stop > identifier.size() || (stop < identifier.size() && identifier[stop] != '.')) {
        return quoted_name(identifier);
      }
      text += identifier.substr(at, stop - at);
    } else {
      stop = std::min(identifier.find('.', at), identifier.size());
      text += name_text(identifier.substr(at, stop - at));
    }
    if (stop < identifier.size()) text += '.';
    at = stop + 1;
  }
  return text;
}

std::string string_text(std::string_view value) {
  std::string text = "'";
  for (const char c : value) {
    switch (c) {
      case '\'':
        text += "\\'";
        break;
      case '\\':
        text += "\\\\";
        break;
      case '\n':
        text += "\\n";
        break;
      case '\r':
        text += "\\r";
        break;
      case '\t':
        text += "\\t";
        break;
      case '\0':
        text += "\\000";
        break;
      default:
        text += c;
    }
  }
  return text + "'";
}

std::string date_text(int64_t days) {
  // Civil from days, with years that start in March.
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t day_of_era = days - era * 146097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  const int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  return fmt::format("{}{:04}-{:02}-{:02}", year < 0 ? "-" : "", std::abs(year), month, day);
}

std::string timestamp_text(int64_t micros) {
  int64_t days = micros / 86400000000, rest = micros % 86400000000;
  if (rest < 0) {
    rest += 86400000000;
    --days;
  }
  return fmt::format("{} {:02}:{:02}:{:02}.{:06}", date_text(days), rest / 3600000000,
                     rest / 60000000 % 60, rest / 1000000 % 60, rest % 1000000);
}

std::string interval_text(const Literal& literal) {
  const auto& type = literal.data_type();
  if (literal.has_year_month_interval()) {
    const bool known = type.has_year_month_interval();
    return year_month_text(literal.year_month_interval(),
                           known ? type.year_month_interval().start_field() : 0,
                           known ? type.year_month_interval().end_field() : 1);
  }
  const bool known = type.has_day_time_interval();
  return day_time_text(literal.day_time_interval(),
                       known ? type.day_time_interval().start_field() : 0,
                       known ? type.day_time_interval().end_field() : 3);
}

std::string double_text(double value, const char* suffix, const char* type) {
  if (std::isnan(value)) return fmt::format("CAST('NaN' AS {})", type);
  if (std::isinf(value)) return fmt::format("CAST('{}Infinity' AS {})", value < 0 ? "-" : "", type);
  return fmt::format("{}{}", value, suffix);
}

std::string literal_text(const Literal& literal) {
  const auto list = [](const auto& values) {
    std::string text;
    for (const auto& value : values) text += (text.empty() ? "" : ", ") + literal_text(value);
    return text;
  };
  switch (literal.literal_type_case()) {
    case Literal::kNull:
      return literal.null().has_null() || literal.null().kind_case() == 0
                 ? "NULL"
                 : fmt::format("CAST(NULL AS {})", type_from_proto(literal.null()).sql());
    case Literal::kBinary: {
      std::string text = "X'";
      for (const char c : literal.binary())
        text += fmt::format("{:02X}", static_cast<unsigned char>(c));
      return text + "'";
    }
    case Literal::kBoolean:
      return literal.boolean() ? "TRUE" : "FALSE";
    case Literal::kByte:
      return fmt::format("{}Y", literal.byte());
    case Literal::kShort:
      return fmt::format("{}S", literal.short_());
    case Literal::kInteger:
      return fmt::format("{}", literal.integer());
    case Literal::kLong:
      return fmt::format("{}L", literal.long_());
    case Literal::kFloat: {
      if (!std::isfinite(literal.float_())) return double_text(literal.float_(), "F", "FLOAT");
      return fmt::format("{}F", literal.float_());
    }
    case Literal::kDouble:
      return double_text(literal.double_(), "D", "DOUBLE");
    case Literal::kDecimal: {
      const auto& value = literal.decimal().value();
      return value.find('.') == std::string::npos ? value + "BD" : value;
    }
    case Literal::kString:
      return string_text(literal.string());
    case Literal::kDate:
      return fmt::format("DATE '{}'", date_text(literal.date()));
    case Literal::kTimestamp:
      return fmt::format("TIMESTAMP '{}Z'", timestamp_text(literal.timestamp()));
    case Literal::kTimestampNtz:
      return fmt::format("TIMESTAMP_NTZ '{}'", timestamp_text(literal.timestamp_ntz()));
    case Literal::kYearMonthInterval:
    case Literal::kDayTimeInterval:
      return interval_text(literal);
    case Literal::kArray:
      return fmt::format("array({})", list(literal.array().elements()));
    case Literal::kStruct:
      return fmt::format("struct({})", list(literal.struct_().elements()));
    case Literal::kMap: {
      std::string text;
      for (int i = 0; i < literal.map().keys_size(); ++i) {
        text +=
            fmt::format("{}{}, {}", text.empty() ? "" : ", ", literal_text(literal.map().keys(i)),
                        literal_text(literal.map().values(i)));
      }
      return fmt::format("map({})", text);
    }
    default:
      return literal.ShortDebugString();
  }
}

std::string list_text(const Arguments& arguments, int from = 0) {
  std::string text;
  for (int i = from; i < arguments.size(); ++i) {
    text += (i == from ? "" : ", ") + render(arguments.Get(i), kLoose);
  }
  return text;
}

std::string order_text(const Expression::SortOrder& order) {
  using Order = Expression::SortOrder;
  std::string text = render(order.child(), kOr);
  const bool descending = order.direction() == Order::SORT_DIRECTION_DESCENDING;
  if (descending) text += " DESC";
  if (order.null_ordering() == Order::SORT_NULLS_UNSPECIFIED) return text;
  const bool first = order.null_ordering() == Order::SORT_NULLS_FIRST;
  if (first == descending) text += first ? " NULLS FIRST" : " NULLS LAST";
  return text;
}

std::string boundary_text(const Frame::FrameBoundary& boundary, bool lower) {
  if (boundary.current_row()) return "CURRENT ROW";
  if (boundary.unbounded()) return lower ? "UNBOUNDED PRECEDING" : "UNBOUNDED FOLLOWING";
  const auto& value = boundary.value();
  if (value.unresolved_function().function_name() == "negative") {
    return render(value.unresolved_function().arguments(0), kOr) + " PRECEDING";
  }
  Expression opposite = value;
  auto* literal = opposite.mutable_literal();
  if (value.literal().integer() < 0) {
    literal->set_integer(-literal->integer());
  } else if (value.literal().long_() < 0) {
    literal->set_long_(-literal->long_());
  } else if (value.literal().day_time_interval() < 0) {
    literal->set_day_time_interval(-literal->day_time_interval());
  } else if (value.literal().year_month_interval() < 0) {
    literal->set_year_month_interval(-literal->year_month_interval());
  } else {
    return render(value, kOr) + " FOLLOWING";
  }
  return render(opposite, kOr) + " PRECEDING";
}

std::string window_text(const Expression::Window& window) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : " ") + part; };
  if (window.partition_spec_size() > 0) add("PARTITION BY " + list_text(window.partition_spec()));
  if (window.order_spec_size() > 0) {
    std::string order;
    for (const auto& item : window.order_spec())
      order += (order.empty() ? "" : ", ") + order_text(item);
    add("ORDER BY " + order);
  }
  if (window.has_frame_spec()) {
    const auto& frame = window.frame_spec();
    add(fmt::format("{} BETWEEN {} AND {}",
                    frame.frame_type() == Frame::FRAME_TYPE_ROW ? "ROWS" : "RANGE",
                    boundary_text(frame.lower(), true), boundary_text(frame.upper(), false)));
  }
  return fmt::format("{} OVER ({})", render(window.window_function(), kWhole), text);
}

std::string case_text(const Arguments& arguments) {
  std::string text = "CASE";
  int i = 0;
  for (; i + 1 < arguments.size(); i += 2) {
    text += fmt::format(" WHEN {} THEN {}", render(arguments.Get(i), kOr),
                        render(arguments.Get(i + 1), kOr));
  }
  if (i < arguments.size()) text += " ELSE " + render(arguments.Get(i), kOr);
  return text + " END";
}

/// The forms with NOT inside: IN, LIKE, BETWEEN, comparisons.
std::optional<Text> predicate_text(const Expression& expression, bool negated) {
  const auto& call = expression.unresolved_function();
  if (call.is_distinct()) return std::nullopt;
  const auto& name = call.function_name();
  const auto& arguments = call.arguments();
  const std::string no = negated ? "NOT " : "";
  const auto operand = [&](int i) { return render(arguments.Get(i), kComparison); };
  if (name == "in" && arguments.size() > 1) {
    return Text{fmt::format("{} {}IN ({})", operand(0), no, list_text(arguments, 1)), kPredicate};
  }
  if (name == "between" && arguments.size() == 3) {
    return Text{fmt::format("{} {}BETWEEN {} AND {}", operand(0), no, operand(1), operand(2)),
                kPredicate};
  }
  const bool pattern = name == "like" || name == "ilike" || name == "rlike";
  const bool escape =
      arguments.size() == 3 && name != "rlike" && arguments.Get(2).literal().string().size() == 1;
  if (pattern && (arguments.size() == 2 || escape)) {
    std::string upper;
    for (const char c : name) upper += static_cast<char>(std::toupper(c));
    std::string text = fmt::format("{} {}{} {}", operand(0), no, upper, operand(1));
    if (escape) text += " ESCAPE " + operand(2);
    return Text{std::move(text), kPredicate};
  }
  if (arguments.size() == 1 && (name == "isnull" || name == "isnotnull") && !negated) {
    return Text{operand(0) + (name == "isnull" ? " IS NULL" : " IS NOT NULL"), kPredicate};
  }
  if (negated && arguments.size() == 2 && name == "==") {
    return Text{fmt::format("{} <> {}", operand(0), render(arguments.Get(1), kBitOr)), kComparison};
  }
  if (negated && arguments.size() == 2 && name == "<=>") {
    return Text{fmt::format("{} IS DISTINCT FROM {}", operand(0), operand(1)), kPredicate};
  }
  return std::nullopt;
}

std::optional<Text> operator_text(const Expression& expression) {
  const auto& call = expression.unresolved_function();
  const auto& name = call.function_name();
  const auto& arguments = call.arguments();
  if (call.is_distinct()) return std::nullopt;
  if (name == "not" && arguments.size() == 1) {
    if (auto text = predicate_text(arguments.Get(0), true)) return text;
    return Text{"NOT " + render(arguments.Get(0), kNot), kNot};
  }
  if (auto text = predicate_text(expression, false)) return text;
  const bool minus = name == "negative" && call.is_internal();
  if (arguments.size() == 1 && (minus || name == "positive" || name == "~")) {
    const char* sign = minus ? "-" : name == "positive" ? "+" : "~";
    auto operand = render(arguments.Get(0), kSign);
    // -1 is a literal and -- a comment.
    if (std::isdigit(static_cast<unsigned char>(operand[0])) || operand[0] == '-') {
      operand = "(" + operand + ")";
    }
    return Text{sign + operand, kSign};
  }
  const auto infix = std::ranges::find(kInfixes, name, &Infix::function);
  if (arguments.size() != 2 || infix == std::end(kInfixes)) return std::nullopt;
  if (infix->tightness == kShift && !call.is_internal()) return std::nullopt;
  const auto next = static_cast<Tightness>(infix->tightness + 1);
  auto left_least = infix->tightness;
  // The parser balances long chains of AND and OR; parentheses keep other shapes.
  if (infix->tightness == kAnd || infix->tightness == kOr) {
    int chain = 2;
    for (const auto* left = &arguments.Get(0); left->unresolved_function().function_name() == name;
         left = &left->unresolved_function().arguments(0)) {
      if (left->unresolved_function().arguments_size() != 2 || ++chain > 8) break;
    }
    if (chain > 8) left_least = next;
  }
  return Text{fmt::format("{} {} {}", render(arguments.Get(0), left_least), infix->symbol,
                          render(arguments.Get(1), next)),
              infix->tightness};
}

Text function_text(const Expression& expression) {
  const auto& call = expression.unresolved_function();
  const auto& name = call.function_name();
  const auto& arguments = call.arguments();
  if (auto text = operator_text(expression)) return *text;
  if (name == "when" && arguments.size() > 1) return {case_text(arguments)};
  if (call.is_internal() && name == "aggregate_filter" && arguments.size() == 2) {
    return {fmt::format("{} FILTER (WHERE {})", render(arguments.Get(0), kWhole),
                        render(arguments.Get(1), kOr))};
  }
  const bool many = name.ends_with("likeall") || name.ends_with("likeany");
  if (call.is_internal() && many && arguments.size() > 1) {
    return {fmt::format("{}{} LIKE {} ({})", render(arguments.Get(0), kComparison),
                        name.starts_with("not") ? " NOT" : "",
                        name.ends_with("all") ? "ALL" : "ANY", list_text(arguments, 1)),
            kPredicate};
  }
  if (call.is_internal() && name == "within_group" && arguments.size() > 1) {
    return {fmt::format("{} WITHIN GROUP (ORDER BY {})", render(arguments.Get(0), kWhole),
                        list_text(arguments, 1))};
  }
  if (call.is_internal() && name == "star_except" && arguments.size() > 1) {
    return {
        fmt::format("{} EXCEPT ({})", render(arguments.Get(0), kWhole), list_text(arguments, 1)),
        kLoose};
  }
  std::string shown = name;
  const bool dotted = std::ranges::all_of(name, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return std::isalnum(byte) || byte >= 0x80 || c == '_' || c == '.' || c == '`';
  });
  // FROM(a) is no call; CURRENT_DATE() is one.
  const bool reserved = is_word(name) && name.find('_') == std::string::npos;
  if (!dotted || name.empty() || reserved) shown = quoted_name(name);
  return {
      fmt::format("{}({}{})", shown, call.is_distinct() ? "DISTINCT " : "", list_text(arguments))};
}

std::string subquery_text(const SubqueryExpression& subquery) {
  const auto plan = fmt::format("(subquery #{})", subquery.plan_id());
  if (subquery.subquery_type() == SubqueryExpression::SUBQUERY_TYPE_EXISTS) return "EXISTS " + plan;
  if (subquery.subquery_type() != SubqueryExpression::SUBQUERY_TYPE_IN) return plan;
  const auto& values = subquery.in_subquery_values();
  if (values.size() == 1) return render(values.Get(0), kComparison) + " IN " + plan;
  return fmt::format("({}) IN {}", list_text(values), plan);
}

Text lambda_text(const Expression::LambdaFunction& lambda) {
  std::string names;
  for (const auto& argument : lambda.arguments()) {
    names += (names.empty() ? "" : ", ") + name_text(argument.name_parts(0));
  }
  if (lambda.arguments_size() != 1) names = "(" + names + ")";
  return {fmt::format("{} -> {}", names, render(lambda.function(), kLoose)), kLoose};
}

std::string extract_text(const Expression::UnresolvedExtractValue& extract) {
  auto child = render(extract.child(), kWhole);
  const auto& field = extract.extraction().literal();
  // After a name, a dot would only make the name longer.
  const bool after_name = extract.child().has_unresolved_attribute() ||
                          extract.child().has_unresolved_named_lambda_variable() ||
                          extract.child().has_literal();
  if (field.has_string() && is_plain(field.string()) && !after_name) {
    return fmt::format("{}.{}", child, field.string());
  }
  return fmt::format("{}[{}]", child, render(extract.extraction(), kLoose));
}

Text render(const Expression& expression) {
  switch (expression.expr_type_case()) {
    case Expression::kLiteral:
      return {literal_text(expression.literal())};
    case Expression::kUnresolvedAttribute:
      return {identifier_text(expression.unresolved_attribute().unparsed_identifier())};
    case Expression::kUnresolvedFunction:
      return function_text(expression);
    case Expression::kExpressionString:
      return {"(" + expression.expression_string().expression() + ")"};
    case Expression::kUnresolvedStar:
      return {expression.unresolved_star().has_unparsed_target()
                  ? expression.unresolved_star().unparsed_target()
                  : "*"};
    case Expression::kAlias: {
      const auto& alias = expression.alias();
      std::string names;
      for (const auto& name : alias.name()) {
        names += (names.empty() ? "" : ", ") + (is_plain(name) ? name : quoted_name(name));
      }
      if (alias.name_size() != 1) names = "(" + names + ")";
      return {render(alias.expr(), kOr) + " AS " + names, kLoose};
    }
    case Expression::kCast: {
      const auto& cast = expression.cast();
      const bool safe = cast.eval_mode() == Expression::Cast::EVAL_MODE_TRY;
      return {fmt::format("{}({} AS {})", safe ? "TRY_CAST" : "CAST", render(cast.expr(), kOr),
                          cast.has_type() ? type_from_proto(cast.type()).sql() : cast.type_str())};
    }
    case Expression::kUnresolvedRegex:
      return {expression.unresolved_regex().col_name()};
    case Expression::kSortOrder:
      return {order_text(expression.sort_order()), kLoose};
    case Expression::kLambdaFunction:
      return lambda_text(expression.lambda_function());
    case Expression::kWindow:
      return {window_text(expression.window())};
    case Expression::kUnresolvedExtractValue:
      return {extract_text(expression.unresolved_extract_value())};
    case Expression::kUnresolvedNamedLambdaVariable: {
      std::string text;
      for (const auto& part : expression.unresolved_named_lambda_variable().name_parts()) {
        text += (text.empty() ? "" : ".") + name_text(part);
      }
      return {text};
    }
    case Expression::kUpdateFields: {
      const auto& update = expression.update_fields();
      const auto field = string_text(update.field_name());
      return {update.has_value_expression()
                  ? fmt::format("update_fields({}, {}, {})",
                                render(update.struct_expression(), kLoose), field,
                                render(update.value_expression(), kLoose))
                  : fmt::format("drop_field({}, {})", render(update.struct_expression(), kLoose),
                                field)};
    }
    case Expression::kCommonInlineUserDefinedFunction: {
      const auto& function = expression.common_inline_user_defined_function();
      return {fmt::format("{}({})", function.function_name(), list_text(function.arguments()))};
    }
    case Expression::kCallFunction:
      return {fmt::format("{}({})", expression.call_function().function_name(),
                          list_text(expression.call_function().arguments()))};
    case Expression::kNamedArgumentExpression: {
      const auto& argument = expression.named_argument_expression();
      return {fmt::format("{} => {}", argument.key(), render(argument.value(), kLoose)), kLoose};
    }
    case Expression::kSubqueryExpression:
      return {subquery_text(expression.subquery_expression()), kPredicate};
    default:
      return {expression.ShortDebugString()};
  }
}

}  // namespace

std::string print(const Expression& expression) { return render(expression).text; }

}  // namespace firesteel
