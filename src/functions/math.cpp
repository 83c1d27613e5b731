// Mathematics.
#include <fmt/format.h>

#include "functions/coercion.h"
#include "functions/groups.h"

namespace firesteel {

namespace {

using enum TypeKind;

/// round half up (Java's HALF_UP: away from zero on ties), keeping integral types.
Resolved round_half_up(std::vector<Resolved>& a, const CallContext& call) {
  const int digits = a.size() > 1 ? std::atoi(a[1].literal.c_str()) : 0;
  if (a.size() == 1) {
    a.push_back(
        {.sql = "0", .type = make_type(kInteger), .nullable = false, .literal = "0", .name = "0"});
  }
  const char* function = call.name == "bround" ? "round_even" : "round";
  Resolved result{.sql = fmt::format("{}({}, {})", function, a[0].sql, a[1].sql),
                  .type = a[0].type,
                  .nullable = a[0].nullable};
  result.name = fmt::format("{}({}, {})", call.name, a[0].name, a[1].name);
  if (a[0].type.kind == kDecimal) {
    const int scale = std::min(a[0].type.scale, std::max(digits, 0));
    result.type =
        decimal_type(std::min(38, a[0].type.precision - a[0].type.scale + 1 + scale), scale);
    result.exact = false;
    if (call.name == "bround")
      result.sql = fmt::format("CAST({} AS {})", result.sql, duckdb_type(result.type));
  } else if (a[0].type.is_integral()) {
    result.exact = false;
  } else if (a[0].type.kind == kString || a[0].is_null()) {
    result.type = make_type(kDouble);
    result.sql = fmt::format("{}({}, {})", function, coerce(a[0], result.type, call.time_zone).sql,
                             a[1].sql);
  }
  return result;
}

/// floor and ceil: bigint of doubles, decimals of scale 0 of decimals.
Resolved whole(std::vector<Resolved>& a, const CallContext& call, const char* function) {
  if (!a[0].type.is_numeric()) a[0] = coerce(a[0], make_type(kDouble), call.time_zone);
  Resolved result{.sql = "", .type = make_type(kLong), .nullable = a[0].nullable};
  if (a.size() > 1) {
    const int digits = std::atoi(a[1].literal.c_str());
    const int scale = a[0].type.kind == kDecimal ? std::min(a[0].type.scale, std::max(digits, 0))
                                                 : std::max(digits, 0);
    const auto type = a[0].type.kind == kDecimal ? a[0].type
                      : a[0].type.is_integral()  ? decimal_for(a[0].type)
                                                 : decimal_type(30, 15);
    result.type = decimal_type(std::min(38, std::max(type.precision - type.scale + 1, 1 - digits) +
                                                std::min(type.scale, scale)),
                               std::min(type.scale, scale));
    const auto power = fmt::format("CAST('1e{}' AS DOUBLE)", digits);
    result.sql = fmt::format("CAST({0}({1} * {2}) / {2} AS {3})", function, a[0].sql, power,
                             duckdb_type(result.type));
    result.name = fmt::format("{}({}, {})", call.name, a[0].name, a[1].name);
    return result;
  }
  if (a[0].type.kind == kDecimal) {
    result.type = decimal_type(a[0].type.precision - a[0].type.scale + 1, 0);
  }
  result.sql = fmt::format("CAST({}({}) AS {})", function, a[0].sql, duckdb_type(result.type));
  result.name = fmt::format("{}({})",
                            call.name == "ceil"    ? "CEIL"
                            : call.name == "floor" ? "FLOOR"
                                                   : call.name,
                            a[0].name);
  return result;
}
Resolved floor_of(std::vector<Resolved>& a, const CallContext& call) {
  return whole(a, call, "floor");
}
Resolved ceil_of(std::vector<Resolved>& a, const CallContext& call) {
  return whole(a, call, "ceil");
}

bool is_interval(const Resolved& value) {
  return value.type.kind == kDayTimeInterval || value.type.kind == kYearMonthInterval;
}

Resolved absolute(std::vector<Resolved>& a, const CallContext& call) {
  if (is_interval(a[0])) {
    return {.sql = fmt::format("CASE WHEN {0} < INTERVAL 0 DAY THEN - {0} ELSE {0} END", a[0].sql),
            .type = a[0].type,
            .nullable = a[0].nullable};
  }
  if (!a[0].type.is_numeric()) a[0] = coerce(a[0], make_type(kDouble), call.time_zone);
  return {.sql = fmt::format("abs({})", a[0].sql),
          .type = a[0].type,
          .nullable = a[0].nullable,
          .exact = false};
}

Resolved sign_of(std::vector<Resolved>& a, const CallContext& call) {
  const auto sql =
      is_interval(a[0])
          ? fmt::format(
                "CASE WHEN {0} < INTERVAL 0 DAY THEN -1 WHEN {0} > INTERVAL 0 DAY THEN 1 WHEN {0} "
                "IS NOT NULL THEN 0 END",
                a[0].sql)
          : fmt::format("CASE WHEN isnan({0}) OR {0} = 0 THEN {0} ELSE sign({0}) END",
                        coerce(a[0], make_type(kDouble), call.time_zone).sql);
  return {.sql = fmt::format("CAST({} AS DOUBLE)", sql),
          .type = make_type(kDouble),
          .nullable = a[0].nullable};
}

}  // namespace

// clang-format off
constexpr FunctionSpec kMath[] = {
    {.name = "abs", .signature = "(expr: any) -> any", .lower = absolute,
     .doc = "Absolute value.", .example = "abs(-1.5)", .gives = "1.5"},
    {.name = "acos", .signature = "(expr: double) -> double", .lowering = "CASE WHEN {0} BETWEEN -1 AND 1 THEN acos({0}) WHEN {0} IS NOT NULL THEN CAST('nan' AS DOUBLE) END", .print = "ACOS({0})",
     .doc = "Inverse cosine, in radians.", .example = "acos(1)", .gives = "0.0"},
    {.name = "acosh", .signature = "(expr: double) -> double", .lowering = "CASE WHEN {0} >= 1 THEN acosh({0}) WHEN {0} IS NOT NULL THEN CAST('nan' AS DOUBLE) END", .print = "ACOSH({0})",
     .doc = "Inverse hyperbolic cosine.", .example = "acosh(1)", .gives = "0.0"},
    {.name = "asin", .signature = "(expr: double) -> double", .lowering = "CASE WHEN {0} BETWEEN -1 AND 1 THEN asin({0}) WHEN {0} IS NOT NULL THEN CAST('nan' AS DOUBLE) END", .print = "ASIN({0})",
     .doc = "Inverse sine, in radians.", .example = "asin(0)", .gives = "0.0"},
    {.name = "asinh", .signature = "(expr: double) -> double", .lowering = "asinh({0})", .print = "ASINH({0})",
     .doc = "Inverse hyperbolic sine.", .example = "asinh(0)", .gives = "0.0"},
    {.name = "atan", .signature = "(expr: double) -> double", .lowering = "atan({0})", .print = "ATAN({0})",
     .doc = "Inverse tangent, in radians.", .example = "atan(0)", .gives = "0.0"},
    {.name = "atan2", .signature = "(y: double, x: double) -> double", .lowering = "atan2({0}, {1})", .print = "ATAN2({0}, {1})",
     .doc = "Angle of the point (x, y), in radians.", .example = "atan2(0, 1)", .gives = "0.0"},
    {.name = "atanh", .signature = "(expr: double) -> double", .lowering = "CASE WHEN abs({0}) < 1 THEN atanh({0}) WHEN abs({0}) = 1 THEN {0} * CAST('inf' AS DOUBLE) WHEN {0} IS NOT NULL THEN CAST('nan' AS DOUBLE) END", .print = "ATANH({0})",
     .doc = "Inverse hyperbolic tangent.", .example = "atanh(0)", .gives = "0.0"},
    {.name = "bin", .signature = "(expr: long) -> string", .lowering = "bin({0})",
     .doc = "Binary digits of a whole number.", .example = "bin(13)", .gives = "1101"},
    {.name = "bit_count", .signature = "(expr: long) -> int", .lowering = "bit_count({0})",
     .doc = "Number of bits that are set.", .example = "bit_count(7)", .gives = "3"},
    {.name = "bround", .signature = "(expr: any, [scale: int]) -> any", .lower = round_half_up,
     .doc = "Rounded to `scale` digits after the point, ties to the even digit.", .example = "bround(2.5, 0)", .gives = "2"},
    {.name = "cbrt", .signature = "(expr: double) -> double", .lowering = "spark_cbrt({0})", .print = "CBRT({0})",
     .doc = "Cube root.", .example = "cbrt(27)", .gives = "3.0"},
    {.name = "ceil", .signature = "(expr: any, [scale: int]) -> any", .lower = ceil_of,
     .doc = "Smallest whole number not below.", .example = "ceil(-0.1)", .gives = "0"},
    {.name = "ceiling", .signature = "(expr: any, [scale: int]) -> any", .lower = ceil_of,
     .doc = "Smallest whole number not below.", .example = "ceiling(5.2)", .gives = "6"},
    {.name = "conv", .signature = "(number: string, from_base: int, to_base: int) -> string", .lowering = "spark_conv({0}, {1}, {2})", .nulls = Nulls::kAlways,
     .doc = "The number in another base.", .example = "conv('100', 2, 10)", .gives = "4"},
    {.name = "cos", .signature = "(expr: double) -> double", .lowering = "cos({0})", .print = "COS({0})",
     .doc = "Cosine of an angle in radians.", .example = "cos(0)", .gives = "1.0"},
    {.name = "cosh", .signature = "(expr: double) -> double", .lowering = "spark_cosh({0})", .print = "COSH({0})",
     .doc = "Hyperbolic cosine.", .example = "cosh(0)", .gives = "1.0"},
    {.name = "cot", .signature = "(expr: double) -> double", .lowering = "(1 / tan({0}))", .print = "COT({0})",
     .doc = "Cotangent of an angle in radians.", .example = "cot(1)", .gives = "0.6420926159343306"},
    {.name = "csc", .signature = "(expr: double) -> double", .lowering = "(1 / sin({0}))", .print = "CSC({0})",
     .doc = "Cosecant of an angle in radians.", .example = "csc(1)", .gives = "1.1883951057781212"},
    {.name = "degrees", .signature = "(expr: double) -> double", .lowering = "degrees({0})", .print = "DEGREES({0})",
     .doc = "Degrees of an angle in radians.", .example = "degrees(0)", .gives = "0.0"},
    {.name = "e", .signature = "() -> double", .lowering = "exp(1.0::DOUBLE)", .nulls = Nulls::kNever, .print = "E()",
     .doc = "Euler's number.", .example = "e()", .gives = "2.718281828459045"},
    {.name = "exp", .signature = "(expr: double) -> double", .lowering = "spark_exp({0})", .print = "EXP({0})",
     .doc = "Power of Euler's number.", .example = "exp(0)", .gives = "1.0"},
    {.name = "expm1", .signature = "(expr: double) -> double", .lowering = "spark_expm1({0})", .print = "EXPM1({0})",
     .doc = "Power of Euler's number, minus one.", .example = "expm1(0)", .gives = "0.0"},
    {.name = "factorial", .signature = "(expr: int) -> long", .lowering = "CASE WHEN {0} BETWEEN 0 AND 20 THEN factorial({0}) END", .nulls = Nulls::kAlways,
     .doc = "The factorial of 0 to 20; else null.", .example = "factorial(5)", .gives = "120"},
    {.name = "floor", .signature = "(expr: any, [scale: int]) -> any", .lower = floor_of,
     .doc = "Largest whole number not above.", .example = "floor(-0.1)", .gives = "-1"},
    {.name = "hex", .signature = "(expr: long) -> string", .lowering = "hex({0})",
     .doc = "Hexadecimal digits of a number or of bytes.", .example = "hex(17)", .gives = "11"},
    {.name = "hex", .signature = "(expr: numeric) -> string", .lowering = "hex(CAST(trunc({0}) AS BIGINT))"},
    {.name = "hex", .signature = "(expr: string) -> string", .lowering = "hex({0})"},
    {.name = "hex", .signature = "(expr: binary) -> string", .lowering = "hex({0})"},
    {.name = "hypot", .signature = "(x: double, y: double) -> double", .lowering = "spark_hypot({0}, {1})", .print = "HYPOT({0}, {1})",
     .doc = "Length of the hypotenuse.", .example = "hypot(3, 4)", .gives = "5.0"},
    {.name = "ln", .signature = "(expr: double) -> double", .lowering = "CASE WHEN {0} > 0 THEN spark_ln({0}) END", .nulls = Nulls::kAlways,
     .doc = "Natural logarithm; null of what is not positive.", .example = "ln(1)", .gives = "0.0"},
    {.name = "log", .signature = "(expr: double) -> double", .lowering = "CASE WHEN {0} > 0 THEN spark_ln({0}) END", .nulls = Nulls::kAlways, .print = "LOG(E(), {0})",
     .doc = "Natural logarithm, or that of a base: `log(base, expr)`.", .example = "log(10, 100)", .gives = "2.0"},
    {.name = "log", .signature = "(base: double, expr: double) -> double", .lowering = "CASE WHEN {1} > 0 AND {0} > 0 THEN spark_ln({1}) / spark_ln({0}) END", .nulls = Nulls::kAlways, .print = "LOG({0}, {1})"},
    {.name = "log10", .signature = "(expr: double) -> double", .lowering = "CASE WHEN {0} > 0 THEN log10({0}) END", .nulls = Nulls::kAlways, .print = "LOG10({0})",
     .doc = "Logarithm to base 10.", .example = "log10(10)", .gives = "1.0"},
    {.name = "log1p", .signature = "(expr: double) -> double", .lowering = "CASE WHEN {0} > -1 THEN spark_log1p({0}) END", .nulls = Nulls::kAlways, .print = "LOG1P({0})",
     .doc = "Natural logarithm of the number plus one.", .example = "log1p(0)", .gives = "0.0"},
    {.name = "log2", .signature = "(expr: double) -> double", .lowering = "CASE WHEN {0} > 0 THEN spark_ln({0}) / spark_ln(2) END", .nulls = Nulls::kAlways, .print = "LOG2({0})",
     .doc = "Logarithm to base 2.", .example = "log2(2)", .gives = "1.0"},
    {.name = "nanvl", .signature = "(expr: double, otherwise: double) -> double", .lowering = "CASE WHEN isnan({0}) THEN {1} ELSE {0} END",
     .doc = "`otherwise` where the first is NaN.", .example = "nanvl(cast('NaN' as double), 123)", .gives = "123.0"},
    {.name = "pi", .signature = "() -> double", .lowering = "pi()", .nulls = Nulls::kNever, .print = "PI()",
     .doc = "The ratio of a circle's circumference to its diameter.", .example = "pi()", .gives = "3.141592653589793"},
    {.name = "pow", .signature = "(base: double, exponent: double) -> double", .lowering = "pow({0}, {1})",
     .doc = "Power.", .example = "pow(2, 3)", .gives = "8.0"},
    {.name = "power", .signature = "(base: double, exponent: double) -> double", .lowering = "pow({0}, {1})", .print = "POWER({0}, {1})",
     .doc = "Power.", .example = "power(2, 3)", .gives = "8.0"},
    {.name = "radians", .signature = "(expr: double) -> double", .lowering = "radians({0})", .print = "RADIANS({0})",
     .doc = "Radians of an angle in degrees.", .example = "radians(0)", .gives = "0.0"},
    {.name = "randn", .signature = "([seed: long]) -> double", .lowering = "(sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))", .nulls = Nulls::kNever,
     .doc = "A normally distributed random number. With a seed, Spark's number for the row of that place in one partition.", .example = "randn() IS NULL", .gives = "false"},
    {.name = "rint", .signature = "(expr: double) -> double", .lowering = "spark_rint({0})",
     .doc = "The nearest whole number as a double, ties to even.", .example = "rint(12.3456)", .gives = "12.0"},
    {.name = "round", .signature = "(expr: any, [scale: int]) -> any", .lower = round_half_up,
     .doc = "Rounded to `scale` digits after the point, ties away from zero.", .example = "round(2.5, 0)", .gives = "3"},
    {.name = "sec", .signature = "(expr: double) -> double", .lowering = "(1 / cos({0}))", .print = "SEC({0})",
     .doc = "Secant of an angle in radians.", .example = "sec(0)", .gives = "1.0"},
    {.name = "sign", .signature = "(expr: any) -> double", .lower = sign_of,
     .doc = "-1.0, 0.0 or 1.0.", .example = "sign(-40)", .gives = "-1.0"},
    {.name = "signum", .signature = "(expr: any) -> double", .lower = sign_of, .print = "SIGNUM({0})",
     .doc = "-1.0, 0.0 or 1.0.", .example = "signum(40)", .gives = "1.0"},
    {.name = "sin", .signature = "(expr: double) -> double", .lowering = "sin({0})", .print = "SIN({0})",
     .doc = "Sine of an angle in radians.", .example = "sin(0)", .gives = "0.0"},
    {.name = "sinh", .signature = "(expr: double) -> double", .lowering = "sinh({0})", .print = "SINH({0})",
     .doc = "Hyperbolic sine.", .example = "sinh(0)", .gives = "0.0"},
    {.name = "sqrt", .signature = "(expr: double) -> double", .lowering = "CASE WHEN {0} >= 0 THEN sqrt({0}) WHEN {0} IS NOT NULL THEN CAST('nan' AS DOUBLE) END", .print = "SQRT({0})",
     .doc = "Square root.", .example = "sqrt(4)", .gives = "2.0"},
    {.name = "tan", .signature = "(expr: double) -> double", .lowering = "tan({0})", .print = "TAN({0})",
     .doc = "Tangent of an angle in radians.", .example = "tan(0)", .gives = "0.0"},
    {.name = "tanh", .signature = "(expr: double) -> double", .lowering = "tanh({0})", .print = "TANH({0})",
     .doc = "Hyperbolic tangent.", .example = "tanh(0)", .gives = "0.0"},
    {.name = "unhex", .signature = "(expr: string) -> binary", .lowering = "CASE WHEN regexp_full_match({0}, '[0-9A-Fa-f]*') THEN unhex({0}) END", .nulls = Nulls::kAlways,
     .doc = "The bytes of hexadecimal digits.", .example = "decode(unhex('537061726B'), 'UTF-8')", .gives = "Spark"},
    {.name = "width_bucket", .signature = "(value: double, low: double, high: double, buckets: long) -> long", .lowering = "CASE WHEN {3} <= 0 OR {1} = {2} THEN NULL WHEN {1} < {2} AND {0} < {1} OR {1} > {2} AND {0} > {1} THEN 0 WHEN {1} < {2} AND {0} >= {2} OR {1} > {2} AND {0} <= {2} THEN {3} + 1 ELSE CAST(floor({3} * ({0} - {1}) / ({2} - {1})) AS BIGINT) + 1 END", .nulls = Nulls::kAlways,
     .doc = "The bucket of equal width the value falls in.", .example = "width_bucket(5.3, 0.2, 10.6, 5)", .gives = "3"},
};
// clang-format on
static_assert(checked(kMath));

std::span<const FunctionSpec> math_rows() { return kMath; }

}  // namespace firesteel
