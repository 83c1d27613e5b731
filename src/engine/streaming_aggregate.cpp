// Which partial values an aggregate function has, how they merge, and its answer.
#include "engine/streaming_aggregate.h"

#include <fmt/format.h>

#include "functions/spec.h"
#include "plan/build.h"
#include "plan/names.h"
#include "plan/print.h"

namespace firesteel {

namespace {

using build::call;
using build::column;
using proto::Expression;

std::string key_text(const Expression& expression) {
  return without_origins(expression).SerializeAsString();
}

bool is_aggregate(const std::string& name) {
  const auto rows = find_function(name);
  return name == "product" || (!rows.empty() && rows.front()->kind == FunctionKind::kAggregate);
}

class Splitter {
 public:
  Splitter(bool select_list, EmbeddedExecutor& engine,
           const std::function<DataType(const Expression&)>& type_of)
      : select_list_(select_list), engine_(engine), type_of_(type_of) {}

  SplitAggregate split(const proto::Aggregate& aggregate) {
    for (const auto& written : aggregate.grouping_expressions()) {
      const auto key = parsed(written);
      const auto& plain = key.has_alias() ? key.alias().expr() : key;
      const auto name = lower_case(plain.unresolved_function().function_name());
      if (name == "session_window") out_.session = static_cast<int>(out_.keys.size());
      windows_.push_back(name == "window" || name == "session_window" ? name : "");
      key_texts_.push_back(key_text(plain));
      out_.keys.push_back(key);
    }
    if (!select_list_) {
      for (size_t i = 0; i < out_.keys.size(); ++i)
        out_.answers.push_back(column(SplitAggregate::key(i)));
    }
    for (const auto& item : aggregate.aggregate_expressions())
      out_.answers.push_back(answer(parsed(item), {}));
    return std::move(out_);
  }

 private:
  Expression parsed(const Expression& expression) {
    if (!expression.has_expression_string()) return expression;
    return engine_.parse_expression(expression.expression_string().expression());
  }

  /// A partial value's column; equal ones are one. `filter` is the condition of FILTER.
  Expression partial(Expression value, const std::function<Expression(Expression)>& merge,
                     const Expression* filter) {
    if (filter) {
      value = call("aggregate_filter", {std::move(value), *filter});
      value.mutable_unresolved_function()->set_is_internal(true);
    }
    const auto text = key_text(value);
    for (size_t i = 0; i < partial_texts_.size(); ++i) {
      if (partial_texts_[i] == text) return column(SplitAggregate::partial(i));
    }
    auto own = column(SplitAggregate::partial(out_.partials.size()));
    partial_texts_.push_back(text);
    out_.partials.push_back(std::move(value));
    out_.merges.push_back(merge(own));
    return own;
  }

  static Expression aggregate(const std::string& name, Expression of) {
    return call(name, {std::move(of)});
  }
  static std::function<Expression(Expression)> by(const std::string& name) {
    return [name](Expression own) { return aggregate(name, std::move(own)); };
  }
  /// The value of the first or last of the rows that `among` says are meant.
  static Expression edge(const char* name, Expression value, Expression among) {
    return call(name, {std::move(value), std::move(among)});
  }
  static Expression conditional(Expression condition, Expression value) {
    return call("when", {std::move(condition), std::move(value)});
  }
  /// Lists in the order of their rows, as one.
  static Expression lists(Expression own) {
    Expression take;
    auto* lambda = take.mutable_lambda_function();
    lambda->add_arguments()->add_name_parts("pair");
    lambda->mutable_function()->mutable_unresolved_named_lambda_variable()->add_name_parts("pair");
    lambda->mutable_function()->mutable_unresolved_named_lambda_variable()->add_name_parts("v");
    auto pairs =
        call("array_sort",
             {aggregate("collect_list", call("named_struct", {build::text("o"), column("__o"),
                                                              build::text("v"), own}))});
    return call("flatten", {call("transform", {std::move(pairs), std::move(take)})});
  }

  /// count, mean and squared distance of the values, which merge without loss.
  struct Moments {
    Expression count, mean, square;
  };
  Moments moments(const Expression& value, const Expression* filter) {
    const auto number = build::cast(value, make_type(TypeKind::kDouble));
    const auto n = partial(aggregate("count", number), by("sum"), filter);
    const auto total = [n](Expression weighted) {
      return call("/",
                  {aggregate("sum", std::move(weighted)),
                   aggregate("sum", call("nullif", {build::cast(n, make_type(TypeKind::kDouble)),
                                                    build::number(0)}))});
    };
    const auto mean = partial(
        aggregate("avg", number),
        [&](const Expression& own) {
          return total(call("*", {own, n}));
        },
        filter);
    const auto square = partial(
        call("*", {aggregate("var_pop", number), aggregate("count", number)}),
        [&](const Expression& own) {
          // Around the common mean: Σ(s + n·m²) - N·M².
          const auto whole = total(call("*", {mean, n}));
          return call("-",
                      {aggregate("sum", call("+", {own, call("*", {n, call("*", {mean, mean})})})),
                       call("*", {aggregate("sum", n), call("*", {whole, whole})})});
        },
        filter);
    return {n, mean, square};
  }

  Expression function_answer(const std::string& name, const Expression::UnresolvedFunction& given,
                             const Expression* filter) {
    Expression whole;
    *whole.mutable_unresolved_function() = given;
    const auto argument = [&](int i) { return given.arguments(i); };
    const int arguments = given.arguments_size();
    if (name == "count" || name == "count_if" || name == "regr_count") {
      return call("coalesce", {partial(whole, by("sum"), filter),
                               build::cast(build::integer(0), make_type(TypeKind::kLong))});
    }
    for (const char* same : {"sum", "min", "max", "bool_and", "every", "bool_or", "some", "any",
                             "bit_and", "bit_or", "bit_xor", "product"}) {
      if (name == same) return partial(whole, by(name), filter);
    }
    if (name == "avg" || name == "mean") {
      const auto type = type_of_(argument(0));
      const auto value = type.kind == TypeKind::kDecimal
                             ? argument(0)
                             : build::cast(argument(0), make_type(TypeKind::kDouble));
      const auto sum = partial(aggregate("sum", value), by("sum"), filter);
      const auto count = partial(aggregate("count", value), by("sum"), filter);
      return call("/", {sum, call("nullif", {count, build::integer(0)})});
    }
    const bool first = name == "first" || name == "first_value" || name == "any_value";
    if (first || name == "last" || name == "last_value") {
      const bool skips = arguments > 1 && argument(1).literal().boolean();
      return partial(
          whole,
          [&](const Expression& own) {
            auto order = column("__o");
            if (skips) order = conditional(call("isnotnull", {own}), order);
            return edge(first ? "min_by" : "max_by", own, order);
          },
          filter);
    }
    if (name == "collect_list" || name == "array_agg") return partial(whole, lists, filter);
    if (name == "collect_set" || name == "approx_count_distinct") {
      const auto set = partial(
          aggregate("collect_set", argument(0)),
          [](const Expression& own) { return call("array_distinct", {lists(own)}); }, filter);
      if (name == "collect_set") return set;
      return build::cast(call("size", {set}), make_type(TypeKind::kLong));
    }
    if (name == "max_by" || name == "min_by") {
      const auto best = partial(aggregate(name == "max_by" ? "max" : "min", argument(1)),
                                by(name == "max_by" ? "max" : "min"), filter);
      return partial(
          whole, [&](const Expression& own) { return edge(name.c_str(), own, best); }, filter);
    }
    const bool sample = name == "stddev" || name == "std" || name == "stddev_samp" ||
                        name == "variance" || name == "var_samp";
    if (sample || name == "stddev_pop" || name == "var_pop") {
      const auto of = moments(argument(0), filter);
      const auto count = build::cast(of.count, make_type(TypeKind::kDouble));
      const auto share = call(
          "/", {call("greatest", {of.square, build::number(0)}),
                call("nullif",
                     {sample ? call("-", {count, build::number(1)}) : count, build::number(0)})});
      return name.starts_with("std") ? call("sqrt", {share}) : share;
    }
    throw Error("UNSUPPORTED_FEATURE.STREAMING_AGGREGATE",
                fmt::format("The aggregate function `{}` is not supported on streams: it cannot be "
                            "put together from parts.",
                            name));
  }

  /// The expression over merged rows.
  Expression answer(const Expression& given, const Expression* filter) {
    const auto expression = parsed(given);
    if (select_list_) {
      const auto text = key_text(expression);
      for (size_t i = 0; i < key_texts_.size(); ++i) {
        if (key_texts_[i] == text) return column(SplitAggregate::key(i));
      }
      if (expression.has_unresolved_attribute()) {
        auto parts = split_name(expression.unresolved_attribute().unparsed_identifier());
        for (size_t i = 0; i < windows_.size(); ++i) {  // window.start
          if (windows_[i].empty() || lower_case(parts[0]) != windows_[i]) continue;
          parts[0] = SplitAggregate::key(i);
          return build::attribute(quoted(parts));
        }
      }
    }
    if (expression.has_unresolved_function()) {
      const auto& function = expression.unresolved_function();
      const auto name = lower_case(function.function_name());
      if (function.is_internal() && name == "aggregate_filter")
        return answer(function.arguments(0), &function.arguments(1));
      if (is_aggregate(name)) return function_answer(name, function, filter);
    }
    auto out = expression;
    answer_parts(out);
    return out;
  }

  /// Within a message that is no aggregate itself.
  void answer_parts(google::protobuf::Message& message) {
    const auto* reflection = message.GetReflection();
    std::vector<const google::protobuf::FieldDescriptor*> fields;
    reflection->ListFields(message, &fields);
    for (const auto* field : fields) {
      if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE ||
          field->is_map())
        continue;
      const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
      for (int i = 0; i < count; ++i) {
        auto* part = field->is_repeated() ? reflection->MutableRepeatedMessage(&message, field, i)
                                          : reflection->MutableMessage(&message, field);
        if (part->GetDescriptor() == Expression::descriptor()) {
          auto& own = static_cast<Expression&>(*part);
          own = answer(own, nullptr);
        } else if (part->GetDescriptor() != proto::Relation::descriptor()) {
          answer_parts(*part);
        }
      }
    }
  }

  const bool select_list_;
  EmbeddedExecutor& engine_;
  const std::function<DataType(const Expression&)>& type_of_;
  SplitAggregate out_;
  std::vector<std::string> key_texts_, windows_, partial_texts_;
};

}  // namespace

std::vector<std::string> SplitAggregate::names() const {
  std::vector<std::string> out;
  for (size_t i = 0; i < keys.size(); ++i) out.push_back(key(i));
  for (size_t i = 0; i < partials.size(); ++i) out.push_back(partial(i));
  return out;
}

SplitAggregate split_aggregate(const proto::Aggregate& aggregate, bool select_list,
                               EmbeddedExecutor& engine,
                               const std::function<DataType(const proto::Expression&)>& type_of) {
  return Splitter(select_list, engine, type_of).split(aggregate);
}

}  // namespace firesteel
