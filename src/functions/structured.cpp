// Arguments that are schemas and options, checked as Spark checks them.
#include "functions/structured.h"

#include <fmt/format.h>

#include <algorithm>

#include "functions/coercion.h"

namespace firesteel {

namespace {

using enum TypeKind;

bool has_interval(const DataType& type) {
  if (type.kind == kDayTimeInterval || type.kind == kYearMonthInterval) return true;
  return type.fields && std::any_of(type.fields->begin(), type.fields->end(),
                                    [](const Field& field) { return has_interval(field.type); });
}

std::string upper_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), ::toupper);
  return text;
}

std::string constants(const DataType& type, const std::string& options, const CallContext& call) {
  return fmt::format("{}, {}, {}", sql_string(type.sql()), sql_string(options),
                     sql_string(call.time_zone));
}

}  // namespace

bool is_constant_text(const Resolved& value) {
  return value.type.kind == kString && (!value.literal.empty() || value.sql == "''");
}

DataType nullable_type(const DataType& type) {
  if (!type.fields) return type;
  DataType out = type;
  Schema fields;
  for (const auto& field : *type.fields) {
    const bool is_key = type.kind == kMap && fields.empty();
    fields.push_back({field.name, nullable_type(field.type), !is_key});
  }
  out.fields = std::make_shared<const Schema>(std::move(fields));
  return out;
}

DataType schema_argument(const Resolved& value, const CallContext& call) {
  if (!is_constant_text(value)) {
    throw Error("INVALID_SCHEMA.NON_STRING_LITERAL",
                fmt::format("The input schema \"{}\" is not a valid schema string. The input "
                            "expression must be string literal and not null.",
                            value.name))
        .at(call.span);
  }
  try {
    return nullable_type(parse_type(value.literal));
  } catch (const Error& not_a_type) {
    try {
      return nullable_type(struct_type(parse_schema(value.literal)));
    } catch (const Error&) {
      throw Error(not_a_type.condition(), not_a_type.message()).at(call.span);
    }
  }
}

std::string options_argument(const std::vector<Resolved>& arguments, size_t index,
                             const CallContext& call) {
  if (index >= arguments.size()) return "";
  const auto& options = arguments[index];
  if (options.type.kind != kMap) {
    throw Error("INVALID_OPTIONS.NON_MAP_FUNCTION",
                "Invalid options: Must use the `map()` function for options.")
        .at(call.span);
  }
  const bool empty = options.type.key().kind == kNull;
  if (!empty && (options.type.key().kind != kString || options.type.value().kind != kString)) {
    throw Error("INVALID_OPTIONS.NON_STRING_TYPE",
                fmt::format("Invalid options: A type of keys and values in `map()` must be string, "
                            "but got \"{}\".",
                            options.type.sql()))
        .at(call.span);
  }
  if (!empty && options.literal.empty()) {
    throw Error("INVALID_OPTIONS.NON_MAP_FUNCTION",
                "Invalid options: Must use the `map()` function of literals for options.")
        .at(call.span);
  }
  return options.literal;
}

std::string option_value(const std::string& options, std::string_view name) {
  for (size_t at = 0; at < options.size();) {
    const auto middle = options.find('\x1f', at), end = options.find('\x1f', middle + 1);
    if (upper_case(options.substr(at, middle - at)) == name) {
      return options.substr(middle + 1, end - middle - 1);
    }
    at = end + 1;
  }
  return "";
}

Resolved read_call(const char* kernel, Resolved value, const DataType& type,
                   const std::string& options, const CallContext& call) {
  if (value.type.kind != kString && !value.is_null()) {
    throw Error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                fmt::format("Cannot resolve \"{0}({1})\" due to data type mismatch: The first "
                            "parameter requires the \"STRING\" type, however \"{1}\" has the type "
                            "\"{2}\".",
                            call.name, value.name, value.type.sql()))
        .at(call.span);
  }
  if (has_interval(type)) {
    throw Error("UNSUPPORTED_FEATURE.READ_INTERVAL",
                fmt::format("{} does not read intervals: read STRING and cast it.", call.name))
        .at(call.span);
  }
  return {.sql = fmt::format("{}(CAST({} AS VARCHAR), {})", kernel, value.sql,
                             constants(type, options, call)),
          .type = type,
          .name = fmt::format("{}({})", call.name, value.name)};
}

Resolved write_call(const char* kernel, const Resolved& value, const std::string& options,
                    const CallContext& call) {
  return {.sql = fmt::format("{}({}, {})", kernel, value.sql, constants(value.type, options, call)),
          .type = make_type(kString),
          .nullable = value.nullable,
          .name = fmt::format("{}({})", call.name, value.name)};
}

Resolved schema_call(const char* kernel, std::vector<Resolved>& a, const char* what,
                     const CallContext& call) {
  const auto fail = [&](const char* condition, const std::string& message) {
    throw Error(condition, fmt::format("Cannot resolve \"{}({})\" due to data type mismatch: {}",
                                       call.name, a[0].name, message))
        .at(call.span);
  };
  if (a[0].is_null()) {
    fail("DATATYPE_MISMATCH.UNEXPECTED_NULL", fmt::format("The {} must not be null.", what));
  }
  if (a[0].type.kind == kString && !is_constant_text(a[0])) {
    fail("DATATYPE_MISMATCH.NON_FOLDABLE_INPUT",
         fmt::format("the input `{}` should be a foldable \"STRING\" expression; however, got "
                     "\"{}\".",
                     what, a[0].name));
  }
  auto result = read_call(kernel, a[0], make_type(kString), options_argument(a, 1, call), call);
  result.nullable = false;
  return result;
}

void check_mode(const DataType& type, const std::string& options, const CallContext& call) {
  const auto mode = upper_case(option_value(options, "MODE"));
  if (mode == "DROPMALFORMED") {
    throw Error("PARSE_MODE_UNSUPPORTED",
                fmt::format("The function `{}` doesn't support the {} mode. Acceptable modes are "
                            "PERMISSIVE and FAILFAST.",
                            call.name, mode))
        .at(call.span);
  }
  auto corrupt = option_value(options, "COLUMNNAMEOFCORRUPTRECORD");
  if (corrupt.empty()) corrupt = "_corrupt_record";
  if (type.kind != kStruct) return;
  for (const auto& field : *type.fields) {
    if (field.name != corrupt || field.type.kind == kString) continue;
    throw Error("INVALID_CORRUPT_RECORD_TYPE",
                fmt::format("The column `{}` for corrupt records must have the nullable STRING "
                            "type, but got \"{}\".",
                            corrupt, field.type.sql()))
        .at(call.span);
  }
}

}  // namespace firesteel
