// How kernels are bound to a type, and the text of values that are not nested.
#include "engine/typed_kernel.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "base/number_text.h"
#include "duckdb.hpp"
#include "duckdb/execution/expression_executor.hpp"
#include "duckdb/function/scalar_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "functions/coercion.h"

namespace firesteel {

using duckdb::Value;
using enum TypeKind;

namespace {

constexpr const char* kMoment = "yyyy-MM-dd'T'HH:mm:ss[.SSS]";

std::optional<MomentPattern> pattern(const Options& options, const char* name,
                                     std::optional<std::string> otherwise = std::nullopt) {
  const auto text = options.find(name);
  if (text) otherwise = text;
  if (!otherwise) return std::nullopt;
  try {
    return MomentPattern(*otherwise);
  } catch (const Error& error) {
    raise(error.condition(), error.message());
  }
}

template <typename Number>
std::optional<Value> in_range(std::string_view text) {
  const auto number = integer_of_text(text);
  if (!number || *number < std::numeric_limits<Number>::min() ||
      *number > std::numeric_limits<Number>::max()) {
    return std::nullopt;
  }
  return Value::CreateValue<Number>(static_cast<Number>(*number));
}

struct TypedData : duckdb::FunctionData {
  std::shared_ptr<const Typed> typed;
  duckdb::unique_ptr<duckdb::FunctionData> Copy() const override {
    auto copy = duckdb::make_uniq<TypedData>();
    copy->typed = typed;
    return copy;
  }
  bool Equals(const duckdb::FunctionData& other) const override {
    return other.Cast<TypedData>().typed == typed;
  }
};

std::string constant_text(duckdb::ClientContext& context, const duckdb::Expression& expression) {
  return duckdb::ExpressionExecutor::EvaluateScalar(context, expression).ToString();
}

/// The constants stand behind the arguments.
duckdb::unique_ptr<duckdb::FunctionData> bind_typed(
    duckdb::ClientContext& context, duckdb::ScalarFunction& function,
    duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>& arguments) {
  auto typed = std::make_shared<Typed>();
  const size_t first = arguments.size() - 3;
  typed->type = parse_type(constant_text(context, *arguments[first]));
  typed->options = Options(constant_text(context, *arguments[first + 1]));
  typed->zone = typed->options.get("timeZone", constant_text(context, *arguments[first + 2]));
  typed->to_read = MomentFormats::to_read(typed->options);
  typed->to_write = MomentFormats::to_write(typed->options);
  for (auto& argument : function.arguments) {
    if (argument.id() == duckdb::LogicalTypeId::ANY) argument = logical_type(typed->type);
  }
  if (function.GetReturnType().id() == duckdb::LogicalTypeId::ANY) {
    function.SetReturnType(logical_type(typed->type));
  }
  auto data = duckdb::make_uniq<TypedData>();
  data->typed = std::move(typed);
  return data;
}

const Typed& typed_of(duckdb::ExpressionState& state) {
  return *state.expr.Cast<duckdb::BoundFunctionExpression>().bind_info->Cast<TypedData>().typed;
}

duckdb::LogicalType type_of_text(const std::string& text) {
  return text.empty() ? duckdb::LogicalType::ANY : logical_type(parse_type(text));
}

int64_t interval_micros(const Value& value) {
  const auto interval = value.GetValueUnsafe<duckdb::interval_t>();
  return interval.days * 86400000000 + interval.micros;
}

}  // namespace

MomentFormats MomentFormats::to_read(const Options& options) {
  return {.date = pattern(options, "dateFormat"),
          .timestamp = pattern(options, "timestampFormat"),
          .timestamp_ntz = pattern(options, "timestampNTZFormat")};
}

MomentFormats MomentFormats::to_write(const Options& options) {
  return {
      .date = pattern(options, "dateFormat", "yyyy-MM-dd"),
      .timestamp = pattern(options, "timestampFormat", std::string(kMoment) + "[XXX]"),
      .timestamp_ntz = pattern(options, "timestampNTZFormat", kMoment),
  };
}

std::optional<Value> value_of_text(std::string_view text, const DataType& type,
                                   const MomentFormats& formats, const Zone& zone) {
  switch (type.kind) {
    case kString:
      return Value(std::string(text));
    case kBoolean:
      if (text == "true") return Value::BOOLEAN(true);
      if (text == "false") return Value::BOOLEAN(false);
      return std::nullopt;
    case kByte:
      return in_range<int8_t>(text);
    case kShort:
      return in_range<int16_t>(text);
    case kInteger:
      return in_range<int32_t>(text);
    case kLong:
      return in_range<int64_t>(text);
    case kFloat:
    case kDouble: {
      if (!BigDecimal::parse(text)) return std::nullopt;
      const std::string copy(text);
      return type.kind == kFloat ? Value::FLOAT(std::strtof(copy.c_str(), nullptr))
                                 : Value::DOUBLE(std::strtod(copy.c_str(), nullptr));
    }
    case kDecimal: {
      const auto decimal = BigDecimal::parse(text);
      const auto unscaled = decimal ? decimal->unscaled(type.precision, type.scale) : std::nullopt;
      if (!unscaled) return std::nullopt;
      return decimal_value(*unscaled, type.precision, type.scale);
    }
    case kDate: {
      if (!formats.date) {
        const auto days = date_of_text(text);
        return days ? std::optional(Value::DATE(duckdb::date_t(*days))) : std::nullopt;
      }
      const auto moment = formats.date->parse(text);
      if (!moment) return std::nullopt;
      const int64_t day = 86400000000;
      const int64_t days = moment->local / day - (moment->local % day < 0);
      return Value::DATE(duckdb::date_t(static_cast<int32_t>(days)));
    }
    case TypeKind::kTimestamp: {
      std::optional<int64_t> micros;
      if (!formats.timestamp) {
        micros = timestamp_of_text(text, zone);
      } else if (const auto moment = formats.timestamp->parse(text)) {
        micros =
            moment->zone ? zone.to_utc(moment->local, *moment->zone) : zone.to_utc(moment->local);
      }
      return micros ? std::optional(Value::TIMESTAMP(duckdb::timestamp_t(*micros))) : std::nullopt;
    }
    case kTimestampNtz: {
      std::optional<int64_t> micros;
      if (!formats.timestamp_ntz) {
        micros = timestamp_ntz_of_text(text, false);
      } else if (const auto moment = formats.timestamp_ntz->parse(text)) {
        micros = moment->local;
      }
      return micros ? std::optional(Value::TIMESTAMP(duckdb::timestamp_t(*micros))) : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

std::string text_of_value(const Value& value, const DataType& type, const MomentFormats& formats,
                          const Zone& zone) {
  switch (type.kind) {
    case kFloat:
      return java_text(value.GetValueUnsafe<float>());
    case kDouble:
      return java_text(value.GetValueUnsafe<double>());
    case kDecimal:
      return big_decimal(unscaled_of(value), type.scale).text();
    case kString:
      return duckdb::StringValue::Get(value);
    case kBinary:
      return base64_text(duckdb::StringValue::Get(value));
    case kDate:
      return formats.date->format(value.GetValueUnsafe<duckdb::date_t>().days * 86400000000, 0);
    case TypeKind::kTimestamp: {
      const int64_t utc = value.GetValueUnsafe<duckdb::timestamp_t>().value;
      const int64_t local = zone.to_local(utc);
      return formats.timestamp->format(local, (local - utc) / 1000000);
    }
    case kTimestampNtz:
      return formats.timestamp_ntz->format(value.GetValueUnsafe<duckdb::timestamp_t>().value, 0);
    case kDayTimeInterval:
      return day_time_text(interval_micros(value), type.start_field, type.end_field);
    case kYearMonthInterval:
      return year_month_text(value.GetValueUnsafe<duckdb::interval_t>().months, type.start_field,
                             type.end_field);
    default:
      return value.ToString();
  }
}

void register_typed(duckdb::ExtensionLoader& loader, const char* name,
                    const std::vector<std::string>& arguments, const std::string& result,
                    MakeRow make) {
  const size_t count = arguments.size();
  const auto run = [make, count](duckdb::DataChunk& input, duckdb::ExpressionState& state,
                                 duckdb::Vector& out) {
    const auto& typed = typed_of(state);
    const Zone zone(state.GetContext(), typed.zone);
    const auto row = make(typed, zone);
    const bool constant = input.AllConstant();
    std::vector<Value> values(count);
    for (idx_t i = 0; i < (constant ? 1 : input.size()); ++i) {
      bool null = false;
      for (size_t k = 0; k < count; ++k) {
        values[k] = input.data[k].GetValue(i);
        null = null || values[k].IsNull();
      }
      out.SetValue(i, null ? Value(out.GetType()) : row(values));
    }
    if (constant) out.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
  };
  duckdb::vector<duckdb::LogicalType> types;
  for (const auto& argument : arguments) types.push_back(type_of_text(argument));
  types.insert(types.end(), 3, duckdb::LogicalType::VARCHAR);
  loader.RegisterFunction(
      duckdb::ScalarFunction(name, types, type_of_text(result), run, bind_typed));
}

std::string_view text_in(const Value& value) { return duckdb::StringValue::Get(value); }

std::string malformed_record(std::string_view record) {
  return fmt::format(
      "Malformed records are detected in record parsing: {}. Parse Mode: FAILFAST. To process "
      "malformed records as null result, try setting the option 'mode' as 'PERMISSIVE'.",
      record);
}

void raise(std::string_view condition, std::string_view message) {
  throw duckdb::InvalidInputException(raised_text(condition, message));
}

}  // namespace firesteel
