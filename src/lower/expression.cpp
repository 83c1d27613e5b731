// Expressions: names, literals, calls, lambdas, subqueries.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/number_text.h"
#include "lower/resolver.h"

// Types of nested literals stand in fields that PySpark 4.3 goes on using.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace firesteel {

namespace {

using enum TypeKind;

Span to_span(const proto::JvmOrigin& origin) {
  if (!origin.has_start_index() || !origin.has_stop_index()) return {};
  return {origin.start_index(), origin.stop_index() + 1};
}

std::string date_text(int days) {
  const int64_t z = static_cast<int64_t>(days) + 719468;
  const int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(z - era * 146097);
  const unsigned year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted_month = (5 * day_of_year + 2) / 153;
  const unsigned day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  const unsigned month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  const int64_t year = static_cast<int64_t>(year_of_era) + era * 400 + (month <= 2);
  return fmt::format("{:04}-{:02}-{:02}", year, month, day);
}

std::string timestamp_sql(int64_t micros) { return fmt::format("make_timestamp({})", micros); }

std::string interval_sql(int64_t micros) {
  // DuckDB keeps days apart from microseconds.
  const int64_t day = 86400000000;
  return fmt::format("(to_days({}) + to_microseconds({}))", micros / day, micros % day);
}

[[noreturn]] void not_extractable(const Resolved& value, Span span) {
  throw Error(
      "INVALID_EXTRACT_BASE_FIELD_TYPE",
      fmt::format("Can't extract a value from \"{}\". Need a complex type [STRUCT, ARRAY, MAP] "
                  "but got \"{}\".",
                  value.name, value.type.sql()))
      .at(span);
}

}  // namespace

Resolved counted_row() {
  return {.sql = "1", .type = make_type(kInteger), .nullable = false, .literal = "1", .name = "1"};
}

std::string Resolver::column_name(const proto::Expression& expression,
                                  const Resolved& value) const {
  if (expression.has_expression_string())
    return column_name(catalog_->parse_expression(expression.expression_string().expression()),
                       value);
  const auto& inner = expression.cast().expr();
  if (expression.has_cast() && inner.has_alias()) return inner.alias().name(0);  // v:name::int
  if (!expression.has_cast() || !inner.has_unresolved_attribute()) return value.name;
  return split_name(inner.unresolved_attribute().unparsed_identifier()).back();
}

Span span_of(const proto::Expression& expression) {
  return to_span(expression.common().origin().jvm_origin());
}

Span span_of(const proto::Relation& relation) {
  return to_span(relation.common().origin().jvm_origin());
}

void unresolved_column(const std::vector<std::string>& parts,
                       const std::vector<const std::vector<Attribute>*>& levels, Span span) {
  // As qualified as what was asked for.
  std::vector<std::string> names;
  for (const auto* level : levels) {
    for (const auto& attribute : *level) {
      const auto more = std::min(parts.size() - 1, attribute.qualifiers.size());
      std::vector<std::string> full(attribute.qualifiers.end() - more, attribute.qualifiers.end());
      full.push_back(attribute.name);
      if (auto name = quoted(full); std::ranges::find(names, name) == names.end())
        names.push_back(std::move(name));
    }
  }
  if (names.empty()) {
    throw Error(
        "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION",
        fmt::format("A column, variable, or function parameter with name {} cannot be resolved.",
                    quoted(parts)))
        .at(span);
  }
  // The nearest first, at most five, as Spark does.
  names = nearest_first(quoted(parts), std::move(names));
  names.resize(std::min<size_t>(names.size(), 5));
  throw Error(
      "UNRESOLVED_COLUMN.WITH_SUGGESTION",
      fmt::format("A column, variable, or function parameter with name {} cannot be resolved. "
                  "Did you mean one of the following? [{}].",
                  quoted(parts), fmt::join(names, ", ")))
      .at(span);
}

bool Resolver::same_name(const std::string& a, const std::string& b) const {
  return settings_.case_sensitive ? a == b : equal_ignoring_case(a, b);
}

Resolved Resolver::expression(const proto::Expression& expression, Scope& scope) {
  if (++expression_depth_ > 2000) {
    throw Error("UNSUPPORTED_FEATURE.DEEP_EXPRESSION", "The expression is nested too deeply.");
  }
  struct Leave {
    int& depth;
    ~Leave() { --depth; }
  } leave{expression_depth_};
  const Span span = span_of(expression);
  Resolved result;
  switch (expression.expr_type_case()) {
    case proto::Expression::kUnresolvedAttribute:
      result = attribute(expression, scope);
      break;
    case proto::Expression::kLiteral:
      result = literal(expression.literal());
      break;
    case proto::Expression::kUnresolvedFunction:
      result = function(expression.unresolved_function(), scope, span);
      break;
    case proto::Expression::kCallFunction: {
      proto::Expression::UnresolvedFunction call;
      call.set_function_name(expression.call_function().function_name());
      *call.mutable_arguments() = expression.call_function().arguments();
      result = function(call, scope, span);
      break;
    }
    case proto::Expression::kAlias: {
      result = this->expression(expression.alias().expr(), scope);
      result.name = expression.alias().name(0);
      result.named = true;
      if (expression.alias().has_metadata()) result.metadata = expression.alias().metadata();
      return result;  // its own span is the better one
    }
    case proto::Expression::kCast: {
      const auto& cast_proto = expression.cast();
      if (expression.common().origin().jvm_origin().object_type() == "LITERAL") {
        result = typed_literal(cast_proto, span);
        break;
      }
      auto value = this->expression(cast_proto.expr(), scope);
      const auto type = cast_proto.has_type() ? type_from_proto(cast_proto.type())
                                              : parse_type(cast_proto.type_str());
      const bool try_cast = cast_proto.eval_mode() == proto::Expression::Cast::EVAL_MODE_TRY;
      value.span = span;
      const std::string name = value.name;
      result = cast(value, type, settings_.time_zone, try_cast);
      // Spark leaves the cast out of a column's name when the type is nested.
      result.name = type.is_nested() ? name
                                     : fmt::format("{}({} AS {})", try_cast ? "TRY_CAST" : "CAST",
                                                   name, type.sql());
      result.literal.clear();
      break;
    }
    case proto::Expression::kExpressionString: {
      const auto parsed = catalog_->parse_expression(expression.expression_string().expression());
      try {
        return this->expression(parsed, scope);
      } catch (const Error& error) {
        throw error.in(expression.expression_string().expression());
      }
    }
    case proto::Expression::kWindow:
      result = window(expression.window(), scope, span);
      break;
    case proto::Expression::kUnresolvedExtractValue:
      result = extract_value(expression.unresolved_extract_value(), scope, span);
      break;
    case proto::Expression::kUnresolvedNamedLambdaVariable: {
      const auto& parts = expression.unresolved_named_lambda_variable().name_parts();
      for (auto frame = scope.lambdas.rbegin(); frame != scope.lambdas.rend(); ++frame) {
        const auto found = frame->find(parts.at(0));
        if (found == frame->end()) continue;
        result = found->second;
        for (int i = 1; i < parts.size(); ++i) result = part_of(result, parts[i], span);
        result.span = span;
        return result;
      }
      unresolved_column({parts.begin(), parts.end()}, scope.levels, span);
    }
    case proto::Expression::kSubqueryExpression:
      result = subquery(expression.subquery_expression(), scope, span);
      break;
    case proto::Expression::kUpdateFields:
      result = updated_fields(expression.update_fields(), scope, span);
      break;
    case proto::Expression::kUnresolvedStar:
      throw Error("INVALID_USAGE_OF_STAR_OR_REGEX", "Invalid usage of '*' in an expression.")
          .at(span);
    case proto::Expression::kCommonInlineUserDefinedFunction:
      result = python_function(expression.common_inline_user_defined_function(), scope, span);
      break;
    case proto::Expression::kDirectShufflePartitionId:
      return this->expression(expression.direct_shuffle_partition_id().child(), scope);
    case proto::Expression::kSortOrder:
      return this->expression(expression.sort_order().child(), scope);
    default: {
      const auto* field =
          expression.GetDescriptor()->FindFieldByNumber(expression.expr_type_case());
      throw Error("UNSUPPORTED_FEATURE.EXPRESSION",
                  fmt::format("The expression `{}` is not supported by the embedded engine.",
                              field ? field->name() : "(none)"))
          .at(span);
    }
  }
  result.span = span;
  // Equal to a grouping key: what it is made of need not be aggregated.
  if (scope.keys && !scope.inside_aggregate) {
    for (const auto& key : *scope.keys) {
      if (key.sql == result.sql) {
        std::erase_if(scope.ungrouped, [&](const Resolved& part) {
          return result.sql.find(part.sql) != std::string::npos;
        });
      }
    }
  }
  return result;
}

std::optional<Resolved> Resolver::find_name(const std::vector<std::string>& parts,
                                            std::optional<int64_t> plan_id, Scope& scope, Span span,
                                            int* level_found) {
  const auto* levels = &scope.levels;
  std::vector<const std::vector<Attribute>*> aggregate_level;
  if (scope.inside_aggregate && scope.aggregate_input) {
    aggregate_level = {scope.aggregate_input};
    levels = &aggregate_level;
  }
  for (size_t level = 0; level < levels->size(); ++level) {
    // A column may be qualified (t.a) or have fields (a.b): the longest qualifier first.
    for (size_t before = parts.size(); before-- > 0;) {
      std::vector<const Attribute*> found;
      for (const auto& attribute : *(*levels)[level]) {
        // A star inside a call names columns by their unique SQL name.
        if (!same_name(attribute.name, parts[before]) && attribute.sql != parts[before]) continue;
        if (before > attribute.qualifiers.size()) continue;
        const size_t offset = attribute.qualifiers.size() - before;
        bool fits = true;
        for (size_t i = 0; i < before && fits; ++i) {
          fits = same_name(attribute.qualifiers[offset + i], parts[i]);
        }
        if (!fits) continue;
        if (plan_id && std::find(attribute.plan_ids.begin(), attribute.plan_ids.end(), *plan_id) ==
                           attribute.plan_ids.end()) {
          continue;
        }
        const bool same = std::any_of(found.begin(), found.end(), [&](const Attribute* other) {
          return other->sql == attribute.sql;
        });
        if (!same) found.push_back(&attribute);
      }
      if (found.empty()) continue;
      if (found.size() > 1) {
        std::string list;
        for (const auto* attribute : found) {
          auto full = attribute->qualifiers;
          full.push_back(attribute->name);
          list += fmt::format("{}{}", list.empty() ? "" : ", ", quoted(full));
        }
        throw Error("AMBIGUOUS_REFERENCE",
                    fmt::format("Reference {} is ambiguous, could be: [{}].", quoted(parts), list))
            .at(span);
      }
      const Attribute& attribute = *found.front();
      Resolved result{.sql = attribute.sql,
                      .type = attribute.type,
                      .nullable = attribute.nullable,
                      .exact = attribute.exact,
                      .name = attribute.name,
                      .metadata = attribute.metadata,
                      .span = span};
      if (!attribute.computed.empty()) {
        if (scope.inlines) {
          result.sql = attribute.computed;
        } else {
          scope.uses_computed = true;
        }
      }
      for (size_t i = before + 1; i < parts.size(); ++i) result = field_of(result, parts[i], span);
      if (before + 1 < parts.size()) result.name = parts.back();
      result.named = true;
      *level_found = static_cast<int>(level);
      return result;
    }
  }
  return std::nullopt;
}

Resolved Resolver::attribute(const proto::Expression& expression, Scope& scope) {
  const auto& attribute = expression.unresolved_attribute();
  const Span span = span_of(expression);
  const auto parts = split_name(attribute.unparsed_identifier());
  for (auto frame = scope.lambdas.rbegin(); frame != scope.lambdas.rend(); ++frame) {
    const auto found = frame->find(parts[0]);
    if (found == frame->end()) continue;
    Resolved value = found->second;
    for (size_t i = 1; i < parts.size(); ++i) value = part_of(value, parts[i], span);
    value.named = true;
    return value;
  }
  std::optional<int64_t> plan_id;
  if (attribute.has_plan_id()) plan_id = attribute.plan_id();
  int level = 0;
  auto found = find_name(parts, plan_id, scope, span, &level);
  if (!found && plan_id) found = find_name(parts, std::nullopt, scope, span, &level);
  if (found) {
    scope.level_used = std::max(scope.level_used, level);
    const auto is_part_of = [&](const Resolved& key) {
      return found->sql.ends_with(")") &&
             found->sql.find("(" + key.sql + ", ") != std::string::npos;
    };
    const bool of_key = scope.keys && std::any_of(scope.keys->begin(), scope.keys->end(),
                                                  is_part_of);  // a field of a key
    if (scope.keys && !scope.inside_aggregate && !of_key) scope.ungrouped.push_back(*found);
    return *found;
  }
  for (auto outer = outer_.rbegin(); outer != outer_.rend(); ++outer) {
    found = find_name(parts, plan_id, **outer, span, &level);
    if (found) {
      (*outer)->level_used = std::max((*outer)->level_used, level);
      return *found;
    }
  }
  // A session variable, perhaps with fields behind it.
  for (size_t length = parts.size(); length > 0; --length) {
    auto value = catalog_->variable({parts.begin(), parts.begin() + static_cast<long>(length)});
    if (!value) continue;
    for (size_t i = length; i < parts.size(); ++i) *value = part_of(*value, parts[i], span);
    return *value;
  }
  unresolved_column(parts, scope.levels, span);
}

namespace {

/// The struct with one field set, added or (without a value) dropped; `path` goes into nested ones.
Resolved with_field(const Resolved& value, const std::vector<std::string>& path, size_t depth,
                    const Resolved* field, Span span) {
  if (value.type.kind != kStruct) not_extractable(value, span);
  std::string parts;
  Schema fields;
  bool found = false;
  const auto add = [&](const std::string& name, const Resolved& part) {
    parts += fmt::format("{}{} := {}", parts.empty() ? "" : ", ", sql_name(name), part.sql);
    fields.push_back({name, part.type, part.nullable});
  };
  for (const auto& own : *value.type.fields) {
    const Resolved part{
        .sql = fmt::format("struct_extract({}, {})", value.sql, sql_string(own.name)),
        .type = own.type,
        .nullable = own.nullable,
        .name = own.name};
    if (!equal_ignoring_case(own.name, path[depth])) {
      add(own.name, part);
      continue;
    }
    found = true;
    if (depth + 1 < path.size()) {
      add(own.name, with_field(part, path, depth + 1, field, span));
    } else if (field) {
      add(path[depth], *field);
    }
  }
  if (!found && depth + 1 < path.size()) {
    throw Error("FIELD_NOT_FOUND",
                fmt::format("No such struct field `{}` in `{}`.", path[depth],
                            value.type.fields->empty() ? "" : value.type.fields->front().name))
        .at(span);
  }
  if (!found && field) add(path[depth], *field);
  if (fields.empty()) {
    throw Error(
        "DATATYPE_MISMATCH.CANNOT_DROP_ALL_FIELDS",
        fmt::format("Cannot resolve \"update_fields({})\" due to data type mismatch: Cannot "
                    "drop all fields in struct.",
                    value.name))
        .at(span);
  }
  return {.sql = fmt::format("CASE WHEN {} IS NOT NULL THEN struct_pack({}) END", value.sql, parts),
          .type = struct_type(std::move(fields)),
          .nullable = value.nullable,
          .name = value.name};
}

}  // namespace

Resolved Resolver::updated_fields(const proto::Expression::UpdateFields& update, Scope& scope,
                                  Span span) {
  const auto value = expression(update.struct_expression(), scope);
  const auto path = split_name(update.field_name());
  std::optional<Resolved> field;
  if (update.has_value_expression()) field = expression(update.value_expression(), scope);
  auto result = with_field(value, path, 0, field ? &*field : nullptr, span);
  // update_fields(s, WithField(1), dropfield())
  auto step = field ? fmt::format("WithField({})", field->name) : std::string("dropfield()");
  for (size_t i = path.size() - 1; i > 0; --i) {
    step = fmt::format("WithField(update_fields({}.{}, {}))", value.name,
                       fmt::join(path.begin(), path.begin() + static_cast<long>(i), "."), step);
  }
  result.name = value.name.starts_with("update_fields(")
                    ? fmt::format("{}, {})", value.name.substr(0, value.name.size() - 1), step)
                    : fmt::format("update_fields({}, {})", value.name, step);
  return result;
}

Resolved Resolver::field_of(Resolved value, const std::string& field, Span span) {
  if (value.type.kind == kMap) {
    return {.sql = fmt::format("{}[{}]", value.sql, sql_string(field)),
            .type = value.type.value(),
            .name = fmt::format("{}[{}]", value.name, field),
            .span = span};
  }
  const bool list = value.type.kind == kArray && value.type.element().kind == kStruct;
  if (value.type.kind != kStruct && !list) not_extractable(value, span);
  const auto& fields = *(list ? value.type.element().fields : value.type.fields);
  for (const auto& candidate : fields) {
    if (!same_name(candidate.name, field)) continue;
    Resolved result{
        .sql = fmt::format("struct_extract({}, {})", value.sql, sql_string(candidate.name)),
        .type = candidate.type,
        .nullable = value.nullable || candidate.nullable,
        .name = candidate.name,
        .span = span};
    if (list) {
      result.sql = fmt::format("list_transform({}, lambda e: struct_extract(e, {}))", value.sql,
                               sql_string(candidate.name));
      result.type = array_type(candidate.type);
    }
    return result;
  }
  std::string names;
  for (const auto& candidate : fields)
    names += fmt::format("{}`{}`", names.empty() ? "" : ", ", candidate.name);
  throw Error("FIELD_NOT_FOUND", fmt::format("No such struct field `{}` in {}.", field, names))
      .at(span);
}

Resolved Resolver::part_of(const Resolved& value, const std::string& field, Span span) {
  auto result = field_of(value, field, span);
  if (value.type.kind != kMap) result.name = fmt::format("{}.{}", value.name, result.name);
  return result;
}

Resolved Resolver::extract_value(const proto::Expression::UnresolvedExtractValue& extract,
                                 Scope& scope, Span span) {
  auto value = expression(extract.child(), scope);
  auto key = expression(extract.extraction(), scope);
  const bool list = value.type.kind == kArray && value.type.element().kind == kStruct;
  if (value.type.kind == kStruct || (list && key.type.kind == kString))
    return part_of(value, key.literal, span);
  const auto name = fmt::format("{}[{}]", value.name, key.name);
  if (value.type.kind == kMap) {
    key = coerce(key, value.type.key(), settings_.time_zone);
    return {
        .sql = fmt::format("{}[{}]", value.sql, key.sql), .type = value.type.value(), .name = name};
  }
  if (value.type.kind != kArray) not_extractable(value, span);
  if (!key.type.is_integral() && !key.is_null()) {
    throw Error(
        "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
        fmt::format(
            "Cannot resolve \"{}\" due to data type mismatch: The second parameter requires the "
            "\"INTEGRAL\" type, however \"{}\" has the type \"{}\".",
            name, key.name, key.type.sql()))
        .at(span);
  }
  // Spark's [] is 0-based; list_extract is 1-based.
  const auto message = fmt::format(
      "The index {} is out of bounds. The array has {} elements. Use the SQL function `get()` to "
      "tolerate accessing element at invalid index and return NULL instead.",
      raised_value(key.sql), raised_value(fmt::format("len({})", value.sql)));
  return {.sql = fmt::format(
              "CASE WHEN {1} < 0 OR {1} >= len({0}) THEN {2} ELSE list_extract({0}, {1} + 1) END",
              value.sql, key.sql, raise_sql("INVALID_ARRAY_INDEX", message, span)),
          .type = value.type.element(),
          .name = name};
}

Resolved Resolver::literal(const proto::Expression::Literal& value) {
  using L = proto::Expression::Literal;
  auto number = [](std::string text, TypeKind kind) {
    return Resolved{.sql = kind == kInteger
                               ? text
                               : fmt::format("CAST({} AS {})", text, duckdb_type(make_type(kind))),
                    .type = make_type(kind),
                    .nullable = false,
                    .literal = text,
                    .name = text};
  };
  switch (value.literal_type_case()) {
    case L::kNull:
      return {
          .sql = "NULL", .type = type_from_proto(value.null()), .literal = "NULL", .name = "NULL"};
    case L::kBoolean: {
      const std::string text = value.boolean() ? "true" : "false";
      return {.sql = text,
              .type = make_type(kBoolean),
              .nullable = false,
              .literal = text,
              .name = text};
    }
    case L::kByte:
      return number(std::to_string(value.byte()), kByte);
    case L::kShort:
      return number(std::to_string(value.short_()), kShort);
    case L::kInteger: {
      auto result = number(std::to_string(value.integer()), kInteger);
      // DuckDB reads -2147483648 as the negation of a bigint.
      if (value.integer() == INT32_MIN)
        result.sql = fmt::format("CAST({} AS INTEGER)", result.literal);
      return result;
    }
    case L::kLong:
      return number(std::to_string(value.long_()), kLong);
    case L::kFloat:
    case L::kDouble: {
      const bool single = value.literal_type_case() == L::kFloat;
      const double x = single ? value.float_() : value.double_();
      const std::string text = single ? java_text(value.float_()) : java_text(x);
      Resolved result = number(text, single ? kFloat : kDouble);
      // A bare number would be a decimal, whose cast is off by a last bit.
      result.sql = fmt::format("CAST({} AS {})", sql_string(text), single ? "FLOAT" : "DOUBLE");
      return result;
    }
    case L::kDecimal: {
      const auto& decimal = value.decimal();
      const auto& text = decimal.value();
      const auto point = text.find('.');
      // Clients may name a narrower type than the value's own.
      const auto first = text.find_first_of("123456789");
      const int digits = first == std::string::npos
                             ? 1
                             : static_cast<int>(std::count_if(
                                   text.begin() + static_cast<long>(first), text.end(), ::isdigit));
      const int written =
          point == std::string::npos ? 0 : static_cast<int>(text.size() - point - 1);
      const int scale = std::max(written, decimal.has_scale() ? decimal.scale() : 0);
      const int precision = std::max(digits, decimal.has_precision() ? decimal.precision() : 0);
      const auto type = decimal_type(std::max(precision, scale), scale);
      return {.sql = fmt::format("CAST({} AS {})", sql_string(text), duckdb_type(type)),
              .type = type,
              .nullable = false,
              .literal = text,
              .name = text};
    }
    case L::kString:
      return {.sql = sql_string(value.string()),
              .type = make_type(kString),
              .nullable = false,
              .literal = value.string(),
              .name = value.string()};
    case L::kBinary: {
      std::string bytes, name;
      for (unsigned char c : value.binary()) {
        bytes += fmt::format("\\x{:02X}", c);
        name += fmt::format("{:02X}", c);
      }
      return {.sql = fmt::format("CAST('{}' AS BLOB)", bytes),
              .type = make_type(kBinary),
              .nullable = false,
              .name = "X'" + name + "'"};
    }
    case L::kDate: {
      const auto text = date_text(value.date());
      return {.sql = fmt::format("DATE '{}'", text),
              .type = make_type(kDate),
              .nullable = false,
              .name = fmt::format("DATE '{}'", text)};
    }
    case L::kTimestamp:
      return timestamp_literal(timestamp_sql(value.timestamp()), kTimestamp);
    case L::kTimestampNtz:
      return timestamp_literal(timestamp_sql(value.timestamp_ntz()), kTimestampNtz);
    case L::kDayTimeInterval: {
      DataType type = make_type(kDayTimeInterval);
      if (value.data_type().has_day_time_interval()) type = type_from_proto(value.data_type());
      return {.sql = interval_sql(value.day_time_interval()),
              .type = type,
              .nullable = false,
              .name = day_time_text(value.day_time_interval(), type.start_field, type.end_field)};
    }
    case L::kYearMonthInterval: {
      DataType type = make_type(kYearMonthInterval);
      if (value.data_type().has_year_month_interval()) type = type_from_proto(value.data_type());
      return {
          .sql = fmt::format("to_months({})", value.year_month_interval()),
          .type = type,
          .nullable = false,
          .name = year_month_text(value.year_month_interval(), type.start_field, type.end_field)};
    }
    case L::kArray: {
      std::vector<Resolved> elements;
      for (const auto& element : value.array().elements()) elements.push_back(literal(element));
      static const std::string zone = "UTC";
      return resolve_call(find_function("array"), elements,
                          {.name = "array", .span = {}, .time_zone = zone});
    }
    case L::kSpecializedArray: {
      const auto& list = value.specialized_array();
      L plain;
      auto* array = plain.mutable_array();
      for (const auto item : list.bools().values()) array->add_elements()->set_boolean(item);
      for (const auto item : list.ints().values()) array->add_elements()->set_integer(item);
      for (const auto item : list.longs().values()) array->add_elements()->set_long_(item);
      for (const auto item : list.floats().values()) array->add_elements()->set_float_(item);
      for (const auto item : list.doubles().values()) array->add_elements()->set_double_(item);
      for (const auto& item : list.strings().values()) array->add_elements()->set_string(item);
      return literal(plain);
    }
    case L::kMap: {
      std::vector<Resolved> items;
      for (int i = 0; i < value.map().keys_size(); ++i) {
        items.push_back(literal(value.map().keys(i)));
        items.push_back(literal(value.map().values(i)));
      }
      return resolve_call(find_function("map"), items,
                          {.name = "map", .span = {}, .time_zone = settings_.time_zone});
    }
    case L::kStruct: {
      const auto& given = value.struct_().struct_type().has_struct_()
                              ? value.struct_().struct_type()
                              : value.data_type();
      const auto type = type_from_proto(given);
      std::vector<Resolved> items;
      for (int i = 0; i < value.struct_().elements_size(); ++i) {
        items.push_back(literal([&] {
          L name;
          name.set_string(type.fields && static_cast<size_t>(i) < type.fields->size()
                              ? type.fields->at(static_cast<size_t>(i)).name
                              : fmt::format("col{}", i + 1));
          return name;
        }()));
        items.push_back(literal(value.struct_().elements(i)));
      }
      return resolve_call(find_function("named_struct"), items,
                          {.name = "named_struct", .span = {}, .time_zone = settings_.time_zone});
    }
    case L::kTime:
      return {.sql = time_sql(std::to_string(value.time().nano() / 1000)),
              .type = time_type(value.time().has_precision() ? value.time().precision() : 6),
              .nullable = false,
              .name = "TIME"};
    case L::kTimestampNtzNanos:
    case L::kTimestampLtzNanos:
      throw Error("UNSUPPORTED_FEATURE.NANOSECOND_TIMESTAMPS",
                  "Timestamps of nanoseconds are not supported: use microseconds.");
    default:
      throw Error("UNSUPPORTED_FEATURE.LITERAL",
                  fmt::format("The literal {} is not supported.", value.ShortDebugString()));
  }
}

namespace {

/// Types of a lambda's parameters, from the arguments before it.
std::vector<DataType> lambda_types(std::string_view function,
                                   const std::vector<Resolved>& arguments) {
  const auto& first = arguments.at(0).type;
  if (function == "map_zip_with") {
    if (arguments.size() < 2 || first.kind != kMap || arguments[1].type.kind != kMap)
      return std::vector(3, make_type(kNull));  // refused by the row
    const auto key = common_type(first.key(), arguments[1].type.key());
    return {key.value_or(first.key()), first.value(), arguments[1].type.value()};
  }
  if (first.kind == kMap) return {first.key(), first.value()};
  if (first.kind != kArray) return {};
  if (function == "aggregate" || function == "reduce") {
    if (arguments.size() == 3) return {arguments[1].type};
    return {arguments.at(1).type, first.element()};
  }
  if (function == "array_sort") return {first.element(), first.element()};
  if (function == "zip_with") return {first.element(), arguments.at(1).type.element()};
  return {first.element(), make_type(kInteger)};
}

bool takes_lambda(std::string_view function) {
  return function == "exists" || function == "filter" || function == "forall" ||
         function == "transform";
}

}  // namespace

Resolved Resolver::lambda(const proto::Expression::LambdaFunction& lambda,
                          const std::vector<DataType>& types, Scope& scope) {
  std::map<std::string, Resolved> frame;
  std::string names;
  for (int i = 0; i < lambda.arguments_size(); ++i) {
    const auto& name = lambda.arguments(i).name_parts(0);
    if (i >= static_cast<int>(types.size())) {
      throw Error(
          "INVALID_LAMBDA_FUNCTION_CALL.NUM_ARGS_MISMATCH",
          fmt::format("Invalid lambda function call. A higher order function expects {} arguments, "
                      "but got {}.",
                      types.size(), lambda.arguments_size()));
    }
    const auto sql = fmt::format("x_{}", ++next_id_);
    frame[name] = {.sql = sql, .type = types[i], .name = "namedlambdavariable()"};
    names += (names.empty() ? "" : ", ") + sql;
  }
  scope.lambdas.push_back(std::move(frame));
  auto body = expression(lambda.function(), scope);
  scope.lambdas.pop_back();
  body.sql = fmt::format("lambda {}: {}", names, body.sql);
  body.name = "lambdafunction(" + body.name;
  for (int i = 0; i < lambda.arguments_size(); ++i) body.name += ", namedlambdavariable()";
  body.name += ")";
  return body;
}

/// The arguments as the row's parameters stand, when some are named.
std::vector<proto::Expression> Resolver::in_order(const FunctionSpec& spec,
                                                  const proto::Expression::UnresolvedFunction& call,
                                                  Span span) const {
  auto arguments = list_of(call.arguments());
  const auto is_named = [](const proto::Expression& e) {
    return e.has_named_argument_expression();
  };
  const auto first = std::find_if(arguments.begin(), arguments.end(), is_named);
  if (first == arguments.end()) return arguments;
  const auto names = parameter_names(spec);
  std::vector<proto::Expression> ordered(arguments.begin(), first);
  std::map<size_t, const proto::Expression*> named;
  for (auto argument = first; argument != arguments.end(); ++argument) {
    if (!is_named(*argument)) {
      throw Error(
          "UNEXPECTED_POSITIONAL_ARGUMENT",
          fmt::format("Cannot invoke routine `{}` because it contains positional argument(s) "
                      "following the named argument; please rearrange them so the "
                      "positional arguments come first and then retry the query again.",
                      spec.name))
          .at(span);
    }
    const auto& key = argument->named_argument_expression().key();
    size_t at = 0;
    while (at < names.size() && !same_name(names[at], key)) ++at;
    if (at == names.size()) {
      throw Error(
          "UNRECOGNIZED_PARAMETER_NAME",
          fmt::format("Cannot invoke routine `{}` because the routine call included a named "
                      "argument reference for the argument named `{}`, but this routine "
                      "does not include any signature containing an argument with this name.",
                      spec.name, key))
          .at(span);
    }
    named[at] = &argument->named_argument_expression().value();
  }
  for (const auto& [at, value] : named) {
    if (at != ordered.size()) {
      throw Error(
          "REQUIRED_PARAMETER_NOT_FOUND",
          fmt::format("Cannot invoke routine `{}` because the parameter named `{}` is "
                      "required at index {}, but the routine call did not supply it.",
                      spec.name, names[std::min(ordered.size(), names.size() - 1)], ordered.size()))
          .at(span);
    }
    ordered.push_back(*value);
  }
  return ordered;
}

namespace {

/// Rows come to first(), collect_list() and their like in the order that they were put in:
/// first(x) → first(x ORDER BY k).
void keep_order(std::string& sql, const std::string& argument,
                const std::vector<std::string>& order) {
  for (const std::string function : {"first(", "last(", "list(", "string_agg("}) {
    const auto begin = sql.find(function + argument);
    if (begin == std::string::npos || (begin > 0 && std::isalnum(sql[begin - 1]))) continue;
    size_t end = begin + function.size() + argument.size();
    char quote = 0;
    for (int depth = 0; end < sql.size() && (quote || depth > 0 || sql[end] != ')'); ++end) {
      if (quote) {
        if (sql[end] == quote) quote = 0;
      } else if (sql[end] == '\'' || sql[end] == '"') {
        quote = sql[end];
      } else {
        depth += (sql[end] == '(') - (sql[end] == ')');
      }
    }
    sql.insert(end, fmt::format(" ORDER BY {}", fmt::join(order, ", ")));
    return;
  }
}

}  // namespace

Resolved Resolver::function(const proto::Expression::UnresolvedFunction& call, Scope& scope,
                            Span span) {
  std::string name = call.function_name();
  std::transform(name.begin(), name.end(), name.begin(), ::tolower);
  if (call.is_internal()) return internal_function(name, call, scope, span);
  if (const auto python = catalog_->python_function(split_name(call.function_name()))) {
    auto inlined = *python;
    *inlined.mutable_arguments() = call.arguments();
    return python_function(inlined, scope, span);
  }
  if (name == "random") name = "rand";
  if (name == "not" && scope.is_column && call.arguments_size() == 1 &&
      call.arguments(0).has_subquery_expression()) {
    // NOT IN of a SELECT list: unknown is false too.
    scope.is_column = false;
    auto result = resolve_call(find_function("not"), {expression(call.arguments(0), scope)},
                               {.name = name, .span = span, .time_zone = settings_.time_zone});
    scope.is_column = true;
    result.sql = fmt::format("coalesce({}, false)", result.sql);
    return result;
  }
  if (name == "product" && call.arguments_size() == 1 && !span.known()) {  // SQL has no product()
    enter_aggregate(name, scope, span);
    const bool inside = std::exchange(scope.inside_aggregate, true);
    const auto value = expression(call.arguments(0), scope);
    scope.inside_aggregate = inside;
    const auto number = coerce(value, make_type(kDouble), settings_.time_zone);
    return {.sql = fmt::format("product({})", number.sql),
            .type = make_type(kDouble),
            .name = fmt::format("product({})", value.name)};
  }
  if (name == "grouping" || name == "grouping_id") return grouping(name, call, scope, span);
  const bool random = name == "rand" || name == "randn";
  if ((random && call.arguments_size() == 1) ||
      ((name == "monotonically_increasing_id" || name == "distributed_sequence_id") &&
       call.arguments_size() == 0)) {
    return numbered(name, call, scope, span);
  }
  if (name == "uniform" || name == "randstr") return drawn(name, call, scope, span);
  if (name == "shuffle") return shuffled(call, scope, span);
  if (const auto* partition = hidden_column(scope, kPartition);
      partition && name == "spark_partition_id") {
    return {.sql = partition->sql,
            .type = make_type(kInteger),
            .nullable = false,
            .name = "SPARK_PARTITION_ID()"};
  }
  if (name == "unwrap_udt" &&
      call.arguments_size() == 1) {  // what it is stored as, which it is here
    auto value = expression(call.arguments(0), scope);
    value.name = fmt::format("unwrap_udt({})", value.name);
    value.named = false;
    return value;
  }
  if (name.starts_with("input_file_") && call.arguments_size() == 0)
    return of_input_file(name, scope, span);
  if (name == "window") return time_window(call, scope, span);
  if (name == "session_window") return session_window(call, scope, span);
  if (is_generator_name(name)) {
    throw Error("UNSUPPORTED_GENERATOR.NESTED_IN_EXPRESSIONS",
                fmt::format("The generator `{}` is not supported: nested in expressions.", name))
        .at(span);
  }
  auto overloads = find_function(name);
  if ((name == "percentile_cont" || name == "percentile_disc") && call.arguments_size() == 1) {
    throw Error("INVALID_WITHIN_GROUP_EXPRESSION.WITHIN_GROUP_MISSING",
                fmt::format("`{}` requires WITHIN GROUP (ORDER BY …).", name))
        .at(span);
  }
  if (overloads.empty() && name.find('.') != std::string::npos) {
    // system.builtin.abs
    const auto parts = split_name(name);
    const bool builtin = parts[parts.size() - 2] == "builtin";
    if (builtin) overloads = find_function(name = parts.back());
  }
  if (overloads.empty() || overloads.front()->of_resolver) {
    const auto parts = split_name(call.function_name());
    if (const auto routine = catalog_->routine(parts, names_)) {
      if (routine->table) {
        throw Error("NOT_A_SCALAR_FUNCTION",
                    fmt::format("{} appears as a scalar expression here, but the function was "
                                "defined as a table function.",
                                quoted(parts)))
            .at(span);
      }
      return scalar_routine(*routine, call, call.function_name(), scope, span);
    }
    // A cast written as a function: int('1').
    static const std::map<std::string, std::string> casts = {
        {"boolean", "boolean"}, {"tinyint", "tinyint"},       {"smallint", "smallint"},
        {"int", "int"},         {"bigint", "bigint"},         {"float", "float"},
        {"double", "double"},   {"decimal", "decimal(10,0)"}, {"string", "string"},
        {"date", "date"},       {"timestamp", "timestamp"},   {"binary", "binary"},
        {"time", "time"}};
    const auto cast_to = casts.find(name);
    if (cast_to != casts.end() && call.arguments_size() == 1) {
      auto value = expression(call.arguments(0), scope);
      value.span = span;
      const auto value_name = value.name;
      auto result = cast(value, parse_type(cast_to->second), settings_.time_zone);
      result.name = value_name;
      return result;
    }
    const auto names = function_names();
    const auto nearest = nearest_name(name, names);
    throw Error("UNRESOLVED_ROUTINE",
                fmt::format("Cannot resolve routine `{}` on search path [`system`.`builtin`, "
                            "`system`.`session`, `spark_catalog`.`default`].{}",
                            call.function_name(),
                            nearest.empty() ? "" : fmt::format(" Did you mean `{}`?", nearest)))
        .at(span);
  }
  const FunctionKind kind = overloads.front()->kind;
  if (kind == FunctionKind::kWindow && !scope.windowed) {
    throw Error("WINDOW_FUNCTION_WITHOUT_OVER_CLAUSE",
                fmt::format("Window function \"{}()\" requires an OVER clause.", name))
        .at(span);
  }
  if (kind == FunctionKind::kAggregate) {
    enter_aggregate(name, scope, span);
  }
  const bool inside = scope.inside_aggregate;
  if (kind == FunctionKind::kAggregate) scope.inside_aggregate = true;
  std::vector<Resolved> arguments;
  for (const auto& given : in_order(*overloads.front(), call, span)) {
    proto::Expression star;
    const bool text = given.expression_string().expression() == "*";
    if (text) star = catalog_->parse_expression("*");
    const auto& argument = text ? star : given;
    if (argument.has_unresolved_star() && name == "count") {
      arguments.push_back(counted_row());
    } else if (argument.has_unresolved_star() && !scope.levels.empty()) {  // struct(*)
      static const std::vector<Attribute> kNone;
      const auto& hidden = scope.levels.size() > 1 ? *scope.levels[1] : kNone;
      for (const auto& column : expand({argument}, *scope.levels[0], hidden))
        arguments.push_back(expression(column, scope));
    } else if (argument.has_lambda_function()) {
      const auto& lambda_proto = argument.lambda_function();
      arguments.push_back(lambda(lambda_proto, lambda_types(name, arguments), scope));
    } else if (arguments.size() == 1 && takes_lambda(name)) {
      // A plain expression is a function that does not look at its argument.
      proto::Expression::LambdaFunction constant;
      *constant.mutable_function() = argument;
      constant.add_arguments()->add_name_parts("unused");
      arguments.push_back(lambda(constant, lambda_types(name, arguments), scope));
    } else {
      arguments.push_back(expression(argument, scope));
    }
  }
  scope.inside_aggregate = inside;
  if (takes_lambda(name) && name != "transform" && arguments.size() > 1 &&
      arguments[1].type.kind != kBoolean && !arguments[1].is_null()) {
    throw Error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                fmt::format("Cannot resolve \"{}\" due to data type mismatch: The second parameter "
                            "requires the \"BOOLEAN\" type, however \"{}\" has the type \"{}\".",
                            name, arguments[1].name, arguments[1].type.sql()))
        .at(span);
  }
  for (size_t i = overloads.front()->constants_from; i < arguments.size(); ++i) {
    fold_constant(arguments[i]);
  }
  if (call.is_distinct() && name == "count" && arguments.size() > 1) {
    std::string all, row, label;
    for (const auto& argument : arguments) {
      all += fmt::format("{}{} IS NOT NULL", all.empty() ? "" : " AND ", argument.sql);
      row += (row.empty() ? "" : ", ") + argument.sql;
      label += (label.empty() ? "" : ", ") + argument.name;
    }
    return {.sql = fmt::format("count(DISTINCT CASE WHEN {} THEN row({}) END)", all, row),
            .type = make_type(kLong),
            .nullable = false,
            .name = fmt::format("count(DISTINCT {})", label)};
  }
  if (call.is_distinct() && name == "count" && !arguments.empty()) arguments[0].literal.clear();
  const auto first_argument = arguments.empty() ? "" : arguments[0].sql;
  auto result = resolve_call(overloads, std::move(arguments),
                             {.name = name,
                              .span = span,
                              .time_zone = settings_.time_zone,
                              .windowed = scope.windowed,
                              .database = settings_.database,
                              .last_key_wins = settings_.last_key_wins});
  if (call.is_distinct()) {
    // sum(x) → sum(DISTINCT x); and the same in the name.
    for (auto* text : {&result.sql, &result.name}) {
      const auto joined = text == &result.sql ? text->find("string_agg(") : std::string::npos;
      const auto open = text->find('(', joined == std::string::npos ? 0 : joined);
      if (open != std::string::npos) text->insert(open + 1, "DISTINCT ");
    }
    // Texts that are joined come in any order; the same each time is the better one.
    for (const auto& value : {first_argument, "hex(" + first_argument + ")"}) {
      if (name == "listagg" || name == "string_agg")
        keep_order(result.sql, "DISTINCT " + value, {value});
    }
  }
  if (kind == FunctionKind::kAggregate && !scope.windowed && scope.rows_order &&
      !scope.rows_order->empty() && !call.is_distinct()) {
    keep_order(result.sql, first_argument, *scope.rows_order);
  }
  return result;
}

void Resolver::fold_constant(Resolved& value) {
  if (value.type.kind != kString || !value.literal.empty() || value.sql == "''") return;
  try {
    if (const auto text = catalog_->evaluate(value.sql)) value.literal = *text;
  } catch (const Error&) {  // it needs rows: no constant
  }
}

Resolved Resolver::subquery(const proto::SubqueryExpression& subquery, Scope& scope, Span span) {
  const proto::Relation* plan = nullptr;
  for (auto frame = subqueries_.rbegin(); frame != subqueries_.rend() && !plan; ++frame) {
    const auto found = frame->find(subquery.plan_id());
    if (found != frame->end()) plan = found->second;
  }
  if (!plan) throw Error("INTERNAL_ERROR", "a subquery whose plan is not there").at(span);
  outer_.push_back(&scope);
  auto query = relation(*plan);
  outer_.pop_back();
  const auto sql = query.print(query.output);
  switch (subquery.subquery_type()) {
    case proto::SubqueryExpression::SUBQUERY_TYPE_EXISTS:
      return {.sql = fmt::format("EXISTS ({})", sql),
              .type = make_type(kBoolean),
              .nullable = false,
              .name = "exists()"};
    case proto::SubqueryExpression::SUBQUERY_TYPE_SCALAR:
      if (query.output.size() != 1) {
        throw Error(
            "INVALID_SUBQUERY_EXPRESSION.SCALAR_SUBQUERY_RETURN_MORE_THAN_ONE_OUTPUT_COLUMN",
            fmt::format(
                "Invalid subquery: Scalar subquery must return only one column, but got {}.",
                query.output.size()))
            .at(span);
      }
      return {.sql = fmt::format("({})", sql),
              .type = query.output[0].type,
              .exact = query.output[0].exact,
              .name = "scalarsubquery()"};
    case proto::SubqueryExpression::SUBQUERY_TYPE_IN: {
      std::string values;
      if (subquery.in_subquery_values_size() != static_cast<int>(query.output.size())) {
        throw Error("DATATYPE_MISMATCH.IN_SUBQUERY_LENGTH_MISMATCH",
                    "The number of columns in the left hand side of an IN subquery does not match "
                    "the number "
                    "of columns in the output of subquery.")
            .at(span);
      }
      std::string columns;
      for (int i = 0; i < subquery.in_subquery_values_size(); ++i) {
        auto value = expression(subquery.in_subquery_values(i), scope);
        auto& column = query.output[i];
        const auto common = common_type(value.type, column.type);
        if (!common) {
          throw Error(
              "DATATYPE_MISMATCH.IN_SUBQUERY_DATA_TYPE_MISMATCH",
              fmt::format(
                  "The type of \"{}\" ({}) does not match that of the subquery's column ({}).",
                  value.name, value.type.sql(), column.type.sql()))
              .at(span);
        }
        if (value.type != *common) value = coerce(value, *common, settings_.time_zone);
        values += (values.empty() ? "" : ", ") + value.sql;
        Resolved right{.sql = column.sql, .type = column.type, .exact = column.exact};
        columns +=
            (columns.empty() ? "" : ", ") +
            (right.type == *common ? right.sql : coerce(right, *common, settings_.time_zone).sql);
      }
      if (subquery.in_subquery_values_size() > 1) values = "(" + values + ")";
      Resolved found{.sql = fmt::format("({} IN (SELECT {} FROM ({})))", values, columns, sql),
                     .type = make_type(kBoolean),
                     .name = "insubquery()"};
      // As a column, Spark's answer is whether a match exists: unknown is false.
      if (scope.is_column) found.sql = fmt::format("coalesce({}, false)", found.sql);
      return found;
    }
    default:
      throw Error("UNSUPPORTED_FEATURE.TABLE_ARGUMENT", "Table arguments are not supported.")
          .at(span);
  }
}

}  // namespace firesteel
