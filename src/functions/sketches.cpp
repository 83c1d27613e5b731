// Sketches of Apache DataSketches: distinct counts (HLL, theta, tuples with a summary) and
// quantiles (KLL).
#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "functions/coercion.h"
#include "functions/groups.h"

namespace firesteel {

namespace {

using enum TypeKind;

/// Bytes as DuckDB's literal.
std::string blob_sql(const std::string& bytes) {
  std::string text;
  for (const unsigned char c : bytes) text += fmt::format("\\x{:02X}", c);
  return fmt::format("CAST('{}' AS BLOB)", text);
}

const std::string kEmptyTheta("\x01\x03\x03\x00\x00\x1E\x00\x00", 8);

/// A parameter that must be a constant between two bounds.
int constant(const std::vector<Resolved>& a, size_t index, int otherwise, int least, int most,
             const char* not_constant, const char* out_of_range, const CallContext& call) {
  if (index >= a.size()) return otherwise;
  const auto& text = a[index].literal;
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    throw Error(not_constant,
                fmt::format("Invalid call to `{}`; the parameter \"{}\" must be a constant value.",
                            call.name, a[index].name))
        .at(call.span);
  }
  if (value < least || value > most) {
    throw Error(out_of_range,
                fmt::format("Invalid call to `{}`; the parameter must be between {} and {}, "
                            "inclusive: {}.",
                            call.name, least, most, value))
        .at(call.span);
  }
  return value;
}

int hll_size(const std::vector<Resolved>& a, const CallContext& call) {
  return constant(a, 1, 12, 4, 21, "HLL_K_MUST_BE_CONSTANT", "HLL_INVALID_LG_K", call);
}
int theta_size(const std::vector<Resolved>& a, size_t index, const CallContext& call) {
  return constant(a, index, 12, 4, 26, "THETA_LG_NOM_ENTRIES_MUST_BE_CONSTANT",
                  "SKETCH_INVALID_LG_NOM_ENTRIES", call);
}
int kll_size(const std::vector<Resolved>& a, int otherwise, const CallContext& call) {
  return constant(a, 1, otherwise, 8, 65535, "DATATYPE_MISMATCH.NON_FOLDABLE_INPUT",
                  "DATATYPE_MISMATCH.TYPE_CHECK_FAILURE_WITH_HINT", call);
}

[[noreturn]] void wrong_type(const Resolved& value, const CallContext& call) {
  throw Error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
              fmt::format("Cannot resolve \"{0}({1})\" due to data type mismatch: The first "
                          "parameter of `{0}` cannot have the type \"{2}\".",
                          call.name, value.name, value.type.sql()))
      .at(call.span);
}

/// SQL of a value as a sketch hashes it.
std::string hashed(const Resolved& value, bool of_theta, const CallContext& call) {
  if (value.type.is_integral() || value.is_null()) {
    return fmt::format("CAST({} AS BIGINT)", value.sql);
  }
  if (value.type.kind == kString || value.type.kind == kBinary) return value.sql;
  if (of_theta && value.type.is_fractional()) return fmt::format("CAST({} AS DOUBLE)", value.sql);
  const bool integers = value.type.kind == kArray && (value.type.element().kind == kInteger ||
                                                      value.type.element().kind == kLong);
  if (!of_theta || !integers) wrong_type(value, call);
  return fmt::format("spark_integer_bytes({}, {}, '', 'UTC')", value.sql,
                     sql_string(value.type.sql()));
}

/// An aggregate, and what it gives without a value.
Resolved aggregate(const std::string& kernel, const std::string& value, int parameter,
                   const std::string& empty, const std::string& name) {
  return {.sql = fmt::format("{}({}, {}, {})", kernel, value, parameter, blob_sql(empty)),
          .type = make_type(kBinary),
          .nullable = false,
          .name = name};
}

std::string empty_hll(int size) {
  std::string bytes("\x02\x01\x07\x00\x03\x04\x00\x08", 8);
  bytes[3] = static_cast<char>(size);
  return bytes + std::string(32, '\0');
}

Resolved hll_sketch_agg(std::vector<Resolved>& a, const CallContext& call) {
  const int size = hll_size(a, call);
  return aggregate("spark_hll_agg", hashed(a[0], false, call), size, empty_hll(size),
                   fmt::format("hll_sketch_agg({}, {})", a[0].name, size));
}

Resolved hll_union_agg(std::vector<Resolved>& a, const CallContext&) {
  const bool any_size = a.size() > 1 && a[1].literal == "true";
  return aggregate("spark_hll_union_agg", a[0].sql, any_size, empty_hll(12),
                   fmt::format("hll_union_agg({}, {})", a[0].name, any_size));
}

Resolved hll_union(std::vector<Resolved>& a, const CallContext&) {
  const bool given = a.size() > 2;
  return {.sql = fmt::format("spark_hll_union({}, {}, {}, 'VOID', '', 'UTC')", a[0].sql, a[1].sql,
                             given ? a[2].sql : "false"),
          .type = make_type(kBinary),
          .name = fmt::format("hll_union({}, {}, {})", a[0].name, a[1].name,
                              given ? a[2].name : "false")};
}

Resolved theta_sketch_agg(std::vector<Resolved>& a, const CallContext& call) {
  const int size = theta_size(a, 1, call);
  return aggregate("spark_theta_agg", hashed(a[0], true, call), size, kEmptyTheta,
                   fmt::format("theta_sketch_agg({}, {})", a[0].name, size));
}

Resolved theta_union_agg(std::vector<Resolved>& a, const CallContext& call) {
  const int size = theta_size(a, 1, call);
  return aggregate("spark_theta_union_agg", a[0].sql, size, kEmptyTheta,
                   fmt::format("theta_union_agg({}, {})", a[0].name, size));
}

Resolved theta_union(std::vector<Resolved>& a, const CallContext& call) {
  const int size = theta_size(a, 2, call);
  return {.sql = fmt::format("spark_theta_union({}, {}, {}, 'VOID', '', 'UTC')", a[0].sql, a[1].sql,
                             size),
          .type = make_type(kBinary),
          .name = fmt::format("theta_union({}, {}, {})", a[0].name, a[1].name, size)};
}

/// kll_…_bigint, _double or _float: the type of its values.
DataType kll_type(const CallContext& call) {
  return make_type(call.name.ends_with("bigint")   ? kLong
                   : call.name.ends_with("double") ? kDouble
                                                   : kFloat);
}

Resolved kll_agg(std::vector<Resolved>& a, const CallContext& call) {
  const auto type = kll_type(call);
  const bool merges = call.name.starts_with("kll_merge");
  const int k = kll_size(a, merges ? 0 : 200, call);
  if (!merges) {
    const auto& given = a[0].type;
    const bool fits = type.kind == kLong     ? given.is_integral()
                      : type.kind == kDouble ? given.is_fractional()
                                             : given.kind == kFloat;
    if (!fits && !a[0].is_null()) wrong_type(a[0], call);
    a[0] = coerce(a[0], type, call.time_zone);
  }
  const int empty_k = k > 0 ? k : 200;
  std::string empty("\x02\x01\x0F\x01\x00\x00\x08\x00", 8);
  empty[4] = static_cast<char>(empty_k & 0xff);
  empty[5] = static_cast<char>(empty_k >> 8);
  const auto kernel = fmt::format("spark_kll_{}_{}", merges ? "merge_agg" : "agg",
                                  call.name.substr(call.name.rfind('_') + 1));
  const auto name = a.size() > 1 ? fmt::format("{}({}, {})", call.name, a[0].name, a[1].name)
                                 : fmt::format("{}({})", call.name, a[0].name);
  return aggregate(kernel, a[0].sql, k, empty, name);
}

/// Quantiles and ranks, one or an array of them.
Resolved kll_ask(std::vector<Resolved>& a, const CallContext& call) {
  const bool quantile = call.name.starts_with("kll_sketch_get_quantile");
  const auto type = kll_type(call);
  const auto question = quantile ? make_type(kDouble) : type,
             answer = quantile ? type : make_type(kDouble);
  const bool many = a[1].type.kind == kArray;
  const auto name = fmt::format("{}({}, {})", call.name, a[0].name, a[1].name);
  const auto asked = coerce(a[1], many ? array_type(question) : question, call.time_zone);
  return {.sql = fmt::format("spark_kll_{}{}({}, {}, 'VOID', '', 'UTC')", call.name.substr(11),
                             many ? "_array" : "", a[0].sql, asked.sql),
          .type = many ? array_type(answer, false) : answer,
          .name = name};
}

/// The place of a tuple's mode in `sum`, `min`, `max`, `alwaysone`.
int tuple_mode(const std::vector<Resolved>& a, size_t index, const CallContext& call) {
  static constexpr std::string_view kModes[] = {"sum", "min", "max", "alwaysone"};
  if (index >= a.size()) return 0;
  for (int mode = 0; mode < 4; ++mode) {
    if (a[index].literal == kModes[mode]) return mode;
  }
  throw Error("DATATYPE_MISMATCH.TYPE_CHECK_FAILURE_WITH_HINT",
              fmt::format("Invalid call to `{}`: mode '{}' is not supported. Valid modes are: sum, "
                          "min, max, alwaysone.",
                          call.name, a[index].name))
      .at(call.span);
}

int tuple_size(const std::vector<Resolved>& a, size_t index, const CallContext& call) {
  return constant(a, index, 12, 4, 26, "DATATYPE_MISMATCH.NON_FOLDABLE_INPUT",
                  "DATATYPE_MISMATCH.TYPE_CHECK_FAILURE_WITH_HINT", call);
}

/// tuple_…_double or _integer: the kernel's name without `spark_tuple_`, as spelled behind it.
std::string tuple_kernel(std::string_view what, const CallContext& call) {
  return fmt::format("spark_tuple_{}_{}", what, call.name.substr(call.name.rfind('_') + 1));
}

const std::string kEmptyTuple("\x01\x03\x09\x01\x00\x0E\xCC\x93", 8);

/// The defaults of a call, as Spark names its column.
std::string with_defaults(const std::vector<Resolved>& a, size_t fixed, std::optional<int> size,
                          std::optional<size_t> mode, const CallContext& call) {
  std::string name = fmt::format("{}(", call.name);
  for (size_t i = 0; i < fixed; ++i) name += (i ? ", " : "") + a[i].name;
  if (size) name += fmt::format(", {}", *size);
  if (mode) name += ", " + (*mode < a.size() ? a[*mode].literal : "sum");
  return name + ")";
}

Resolved tuple_sketch_agg(std::vector<Resolved>& a, const CallContext& call) {
  const int size = tuple_size(a, 2, call), mode = tuple_mode(a, 3, call);
  const auto name = with_defaults(a, 2, size, 3, call);
  const auto key = a[0].type.kind == kDecimal ? fmt::format("CAST({} AS DOUBLE)", a[0].sql)
                                              : hashed(a[0], true, call);
  const auto summary =
      coerce(a[1], make_type(call.name.ends_with("double") ? kDouble : kInteger), call.time_zone);
  return aggregate(tuple_kernel("agg", call), key + ", " + summary.sql, size | mode << 8,
                   kEmptyTuple, name);
}

Resolved tuple_merge_agg(std::vector<Resolved>& a, const CallContext& call) {
  const bool unites = call.name.starts_with("tuple_union");
  const size_t mode_at = unites ? 2 : 1;
  const int size = unites ? tuple_size(a, 1, call) : 12;
  const int mode = tuple_mode(a, mode_at, call);
  return aggregate(tuple_kernel(unites ? "union_agg" : "intersection_agg", call), a[0].sql,
                   size | mode << 8, kEmptyTuple,
                   with_defaults(a, 1, unites ? std::optional(size) : std::nullopt, mode_at, call));
}

std::string tuple_options(int size, int mode, const CallContext& call) {
  return fmt::format("function\x1f{}\x1fsize\x1f{}\x1fmode\x1f{}\x1f", call.name, size, mode);
}

/// tuple_sketch_estimate_double and its like.
Resolved tuple_fact(std::vector<Resolved>& a, const CallContext& call) {
  static constexpr std::string_view kPrefix = "tuple_sketch_";
  const auto what = call.name.substr(kPrefix.size(), call.name.rfind('_') - kPrefix.size());
  const bool sums = what == "summary";
  const int mode = sums ? tuple_mode(a, 1, call) : 0;
  const bool counts = sums && call.name.ends_with("integer");
  return {.sql = fmt::format("{}({}, 'VOID', {}, 'UTC')", tuple_kernel(what, call), a[0].sql,
                             sql_string(tuple_options(12, mode, call))),
          .type = make_type(counts ? kLong : kDouble),
          .nullable = a[0].nullable,
          .name = with_defaults(a, 1, std::nullopt, sums ? std::optional<size_t>(1) : std::nullopt,
                                call)};
}

/// tuple_union_double, tuple_difference_theta_integer and their like.
Resolved tuple_pair(std::vector<Resolved>& a, const CallContext& call) {
  static constexpr std::string_view kPrefix = "tuple_";
  const auto what = call.name.substr(kPrefix.size(), call.name.rfind('_') - kPrefix.size());
  const bool unites = what.starts_with("union"), differs = what.starts_with("difference");
  const size_t mode_at = unites ? 3 : 2;
  const int size = unites ? tuple_size(a, 2, call) : 12;
  const int mode = differs ? 0 : tuple_mode(a, mode_at, call);
  return {.sql = fmt::format("{}({}, {}, 'VOID', {}, 'UTC')", tuple_kernel(what, call), a[0].sql,
                             a[1].sql, sql_string(tuple_options(size, mode, call))),
          .type = make_type(kBinary),
          .nullable = a[0].nullable || a[1].nullable,
          .name = with_defaults(a, 2, unites ? std::optional(size) : std::nullopt,
                                differs ? std::nullopt : std::optional(mode_at), call)};
}

}  // namespace

// clang-format off
constexpr FunctionSpec kSketches[] = {
    {.name = "approx_top_k", .signature = "(expr: any, [k: int], [max_items_tracked: int]) -> any",
     .unsupported = "items counted alike stand in the order of Java's hash tables. Use `count(*)` with GROUP BY, ORDER BY and LIMIT.", .doc = "The most frequent values."},
    {.name = "approx_top_k_accumulate", .signature = "(expr: any, [max_items_tracked: int]) -> any",
     .unsupported = "items counted alike stand in the order of Java's hash tables. Use `count(*)` with GROUP BY, ORDER BY and LIMIT.", .doc = "A sketch of the most frequent values."},
    {.name = "approx_top_k_combine", .signature = "(state: any, [max_items_tracked: int]) -> any",
     .unsupported = "items counted alike stand in the order of Java's hash tables. Use `count(*)` with GROUP BY, ORDER BY and LIMIT.", .doc = "Sketches of the most frequent values as one."},
    {.name = "approx_top_k_estimate", .signature = "(state: any, [k: int]) -> any",
     .unsupported = "items counted alike stand in the order of Java's hash tables. Use `count(*)` with GROUP BY, ORDER BY and LIMIT.", .doc = "The most frequent values of a sketch."},
    {.name = "hll_sketch_agg", .signature = "(expr: any, [lg_config_k: int]) -> binary", .lower = hll_sketch_agg, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "An HLL sketch of the distinct values, of 2^k buckets.", .example = "hll_sketch_estimate(hll_sketch_agg(1))", .gives = "1"},
    {.name = "hll_sketch_estimate", .signature = "(sketch: binary) -> long", .lowering = "spark_hll_estimate({0}, 'VOID', '', 'UTC')",
     .doc = "The number of distinct values that an HLL sketch has seen.", .example = "hll_sketch_estimate(hll_sketch_agg('a'))", .gives = "1"},
    {.name = "hll_union", .signature = "(first: binary, second: binary, [allow_different_lg_config_k: boolean]) -> binary", .lower = hll_union,
     .doc = "The HLL sketch of what two have seen.", .example = "hll_sketch_estimate(hll_union(hll_sketch_agg(1), hll_sketch_agg(2)))", .gives = "2"},
    {.name = "hll_union_agg", .signature = "(sketch: binary, [allow_different_lg_config_k: boolean]) -> binary", .lower = hll_union_agg, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "The HLL sketch of what those of a column have seen.", .example = "hll_sketch_estimate(hll_union_agg(X'0201070C030400080000000000000000000000000000000000000000000000000000000000000000'))", .gives = "0"},
    {.name = "kll_merge_agg_bigint", .signature = "(sketch: binary, [k: int]) -> binary", .lower = kll_agg, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "The KLL sketch of what those of a column have seen.", .example = "kll_sketch_get_n_bigint(kll_merge_agg_bigint(X'02010F01C8000800'))", .gives = "0"},
    {.name = "kll_merge_agg_double", .signature = "(sketch: binary, [k: int]) -> binary", .lower = kll_agg, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "The KLL sketch of what those of a column have seen.", .example = "kll_sketch_get_n_double(kll_merge_agg_double(X'02010F01C8000800'))", .gives = "0"},
    {.name = "kll_merge_agg_float", .signature = "(sketch: binary, [k: int]) -> binary", .lower = kll_agg, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "The KLL sketch of what those of a column have seen.", .example = "kll_sketch_get_n_float(kll_merge_agg_float(X'02010F01C8000800'))", .gives = "0"},
    {.name = "kll_sketch_agg_bigint", .signature = "(expr: any, [k: int]) -> binary", .lower = kll_agg, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "A KLL sketch, for quantiles of a column; a larger k is exacter.", .example = "kll_sketch_get_n_bigint(kll_sketch_agg_bigint(1L))", .gives = "1"},
    {.name = "kll_sketch_agg_double", .signature = "(expr: any, [k: int]) -> binary", .lower = kll_agg, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "A KLL sketch, for quantiles of a column; a larger k is exacter.", .example = "kll_sketch_get_n_double(kll_sketch_agg_double(1.5D))", .gives = "1"},
    {.name = "kll_sketch_agg_float", .signature = "(expr: any, [k: int]) -> binary", .lower = kll_agg, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "A KLL sketch, for quantiles of a column; a larger k is exacter.", .example = "kll_sketch_get_n_float(kll_sketch_agg_float(1.5F))", .gives = "1"},
    {.name = "kll_sketch_get_n_bigint", .signature = "(sketch: binary) -> long", .lowering = "spark_kll_get_n_bigint({0}, 'VOID', '', 'UTC')",
     .doc = "The number of values that a KLL sketch has seen.", .example = "kll_sketch_get_n_bigint(kll_sketch_agg_bigint(1L))", .gives = "1"},
    {.name = "kll_sketch_get_n_double", .signature = "(sketch: binary) -> long", .lowering = "spark_kll_get_n_double({0}, 'VOID', '', 'UTC')",
     .doc = "The number of values that a KLL sketch has seen.", .example = "kll_sketch_get_n_double(kll_sketch_agg_double(1.5D))", .gives = "1"},
    {.name = "kll_sketch_get_n_float", .signature = "(sketch: binary) -> long", .lowering = "spark_kll_get_n_float({0}, 'VOID', '', 'UTC')",
     .doc = "The number of values that a KLL sketch has seen.", .example = "kll_sketch_get_n_float(kll_sketch_agg_float(1.5F))", .gives = "1"},
    {.name = "kll_sketch_get_quantile_bigint", .signature = "(sketch: binary, rank: any) -> any", .lower = kll_ask, .nulls = Nulls::kAlways,
     .doc = "The value at a rank between 0 and 1, or those at an array of ranks.", .example = "kll_sketch_get_quantile_bigint(kll_sketch_agg_bigint(1L), 0.5)", .gives = "1"},
    {.name = "kll_sketch_get_quantile_double", .signature = "(sketch: binary, rank: any) -> any", .lower = kll_ask, .nulls = Nulls::kAlways,
     .doc = "The value at a rank between 0 and 1, or those at an array of ranks.", .example = "kll_sketch_get_quantile_double(kll_sketch_agg_double(1.5D), 0.5)", .gives = "1.5"},
    {.name = "kll_sketch_get_quantile_float", .signature = "(sketch: binary, rank: any) -> any", .lower = kll_ask, .nulls = Nulls::kAlways,
     .doc = "The value at a rank between 0 and 1, or those at an array of ranks.", .example = "kll_sketch_get_quantile_float(kll_sketch_agg_float(1.5F), 0.5)", .gives = "1.5"},
    {.name = "kll_sketch_get_rank_bigint", .signature = "(sketch: binary, value: any) -> any", .lower = kll_ask, .nulls = Nulls::kAlways,
     .doc = "The share of values up to a value, or up to each of an array.", .example = "kll_sketch_get_rank_bigint(kll_sketch_agg_bigint(1L), 2L)", .gives = "1.0"},
    {.name = "kll_sketch_get_rank_double", .signature = "(sketch: binary, value: any) -> any", .lower = kll_ask, .nulls = Nulls::kAlways,
     .doc = "The share of values up to a value, or up to each of an array.", .example = "kll_sketch_get_rank_double(kll_sketch_agg_double(1.5D), 2.5D)", .gives = "1.0"},
    {.name = "kll_sketch_get_rank_float", .signature = "(sketch: binary, value: any) -> any", .lower = kll_ask, .nulls = Nulls::kAlways,
     .doc = "The share of values up to a value, or up to each of an array.", .example = "kll_sketch_get_rank_float(kll_sketch_agg_float(1.5F), 2.5F)", .gives = "1.0"},
    {.name = "kll_sketch_merge_bigint", .signature = "(left: binary, right: binary) -> binary", .lowering = "spark_kll_merge_bigint({0}, {1}, 'VOID', '', 'UTC')",
     .doc = "The KLL sketch of what two have seen.", .example = "kll_sketch_get_n_bigint(kll_sketch_merge_bigint(X'02010F01C8000800', kll_sketch_agg_bigint(1L)))", .gives = "1"},
    {.name = "kll_sketch_merge_double", .signature = "(left: binary, right: binary) -> binary", .lowering = "spark_kll_merge_double({0}, {1}, 'VOID', '', 'UTC')",
     .doc = "The KLL sketch of what two have seen.", .example = "kll_sketch_get_n_double(kll_sketch_merge_double(X'02010F01C8000800', kll_sketch_agg_double(1.5D)))", .gives = "1"},
    {.name = "kll_sketch_merge_float", .signature = "(left: binary, right: binary) -> binary", .lowering = "spark_kll_merge_float({0}, {1}, 'VOID', '', 'UTC')",
     .doc = "The KLL sketch of what two have seen.", .example = "kll_sketch_get_n_float(kll_sketch_merge_float(X'02010F01C8000800', kll_sketch_agg_float(1.5F)))", .gives = "1"},
    {.name = "kll_sketch_to_string_bigint", .signature = "(sketch: binary) -> string", .lowering = "spark_kll_to_string_bigint({0}, 'VOID', '', 'UTC')",
     .doc = "What a KLL sketch holds, as text.", .example = "length(kll_sketch_to_string_bigint(X'02010F01C8000800')) > 0", .gives = "true"},
    {.name = "kll_sketch_to_string_double", .signature = "(sketch: binary) -> string", .lowering = "spark_kll_to_string_double({0}, 'VOID', '', 'UTC')",
     .doc = "What a KLL sketch holds, as text.", .example = "length(kll_sketch_to_string_double(X'02010F01C8000800')) > 0", .gives = "true"},
    {.name = "kll_sketch_to_string_float", .signature = "(sketch: binary) -> string", .lowering = "spark_kll_to_string_float({0}, 'VOID', '', 'UTC')",
     .doc = "What a KLL sketch holds, as text.", .example = "length(kll_sketch_to_string_float(X'02010F01C8000800')) > 0", .gives = "true"},
    {.name = "theta_difference", .signature = "(first: binary, second: binary) -> binary", .lowering = "spark_theta_difference({0}, {1}, 'VOID', '', 'UTC')",
     .doc = "The theta sketch of what the first has seen and the second has not.", .example = "theta_sketch_estimate(theta_difference(theta_sketch_agg(1), theta_sketch_agg(2)))", .gives = "1"},
    {.name = "theta_intersection", .signature = "(first: binary, second: binary) -> binary", .lowering = "spark_theta_intersection({0}, {1}, 'VOID', '', 'UTC')",
     .doc = "The theta sketch of what both have seen.", .example = "theta_sketch_estimate(theta_intersection(theta_sketch_agg(1), theta_sketch_agg(2)))", .gives = "0"},
    {.name = "theta_intersection_agg", .signature = "(sketch: binary) -> binary", .lowering = "spark_theta_intersection_agg({0}, 0, CAST('\\x01\\x03\\x03\\x00\\x00\\x1E\\x00\\x00' AS BLOB))", .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "The theta sketch of what all those of a column have seen.", .example = "theta_sketch_estimate(theta_intersection_agg(X'01030300001E0000'))", .gives = "0"},
    {.name = "theta_sketch_agg", .signature = "(expr: any, [lg_nom_entries: int]) -> binary", .lower = theta_sketch_agg, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "A theta sketch of the distinct values, of 2^k entries.", .example = "theta_sketch_estimate(theta_sketch_agg(1))", .gives = "1"},
    {.name = "theta_sketch_estimate", .signature = "(sketch: binary) -> long", .lowering = "spark_theta_estimate({0}, 'VOID', '', 'UTC')",
     .doc = "The number of distinct values that a theta sketch has seen.", .example = "theta_sketch_estimate(theta_sketch_agg('a'))", .gives = "1"},
    {.name = "theta_union", .signature = "(first: binary, second: binary, [lg_nom_entries: int]) -> binary", .lower = theta_union,
     .doc = "The theta sketch of what two have seen.", .example = "theta_sketch_estimate(theta_union(theta_sketch_agg(1), theta_sketch_agg(2)))", .gives = "2"},
    {.name = "theta_union_agg", .signature = "(sketch: binary, [lg_nom_entries: int]) -> binary", .lower = theta_union_agg, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "The theta sketch of what those of a column have seen.", .example = "theta_sketch_estimate(theta_union_agg(X'01030300001E0000'))", .gives = "0"},
    {.name = "tuple_difference_double", .signature = "(first: binary, second: binary) -> binary", .lower = tuple_pair,
     .doc = "The tuple sketch of the keys that the first has seen and the second has not.", .example = "tuple_sketch_estimate_double(tuple_difference_double(tuple_sketch_agg_double(1, 1.5D), tuple_sketch_agg_double(2, 1.5D)))", .gives = "1.0"},
    {.name = "tuple_difference_integer", .signature = "(first: binary, second: binary) -> binary", .lower = tuple_pair,
     .doc = "The tuple sketch of the keys that the first has seen and the second has not.", .example = "tuple_sketch_estimate_integer(tuple_difference_integer(tuple_sketch_agg_integer(1, 2), tuple_sketch_agg_integer(2, 2)))", .gives = "1.0"},
    {.name = "tuple_difference_theta_double", .signature = "(tuple_sketch: binary, theta_sketch: binary) -> binary", .lower = tuple_pair,
     .doc = "The tuple sketch of the keys that a theta sketch has not seen.", .example = "tuple_sketch_estimate_double(tuple_difference_theta_double(tuple_sketch_agg_double(1, 1.5D), theta_sketch_agg(2)))", .gives = "1.0"},
    {.name = "tuple_difference_theta_integer", .signature = "(tuple_sketch: binary, theta_sketch: binary) -> binary", .lower = tuple_pair,
     .doc = "The tuple sketch of the keys that a theta sketch has not seen.", .example = "tuple_sketch_estimate_integer(tuple_difference_theta_integer(tuple_sketch_agg_integer(1, 2), theta_sketch_agg(2)))", .gives = "1.0"},
    {.name = "tuple_intersection_agg_double", .signature = "(sketch: binary, [mode: string]) -> binary", .lower = tuple_merge_agg, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "The tuple sketch of the keys that all those of a column have seen.", .example = "tuple_sketch_estimate_double(tuple_intersection_agg_double(X'01030901000ECC93'))", .gives = "0.0"},
    {.name = "tuple_intersection_agg_integer", .signature = "(sketch: binary, [mode: string]) -> binary", .lower = tuple_merge_agg, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "The tuple sketch of the keys that all those of a column have seen.", .example = "tuple_sketch_estimate_integer(tuple_intersection_agg_integer(X'01030901000ECC93'))", .gives = "0.0"},
    {.name = "tuple_intersection_double", .signature = "(first: binary, second: binary, [mode: string]) -> binary", .lower = tuple_pair,
     .doc = "The tuple sketch of the keys that both have seen.", .example = "tuple_sketch_estimate_double(tuple_intersection_double(tuple_sketch_agg_double(1, 1.5D), tuple_sketch_agg_double(2, 1.5D)))", .gives = "0.0"},
    {.name = "tuple_intersection_integer", .signature = "(first: binary, second: binary, [mode: string]) -> binary", .lower = tuple_pair,
     .doc = "The tuple sketch of the keys that both have seen.", .example = "tuple_sketch_estimate_integer(tuple_intersection_integer(tuple_sketch_agg_integer(1, 2), tuple_sketch_agg_integer(2, 2)))", .gives = "0.0"},
    {.name = "tuple_intersection_theta_double", .signature = "(tuple_sketch: binary, theta_sketch: binary, [mode: string]) -> binary", .lower = tuple_pair,
     .doc = "The tuple sketch of the keys that a theta sketch has seen too.", .example = "tuple_sketch_estimate_double(tuple_intersection_theta_double(tuple_sketch_agg_double(1, 1.5D), theta_sketch_agg(1)))", .gives = "1.0"},
    {.name = "tuple_intersection_theta_integer", .signature = "(tuple_sketch: binary, theta_sketch: binary, [mode: string]) -> binary", .lower = tuple_pair,
     .doc = "The tuple sketch of the keys that a theta sketch has seen too.", .example = "tuple_sketch_estimate_integer(tuple_intersection_theta_integer(tuple_sketch_agg_integer(1, 2), theta_sketch_agg(1)))", .gives = "1.0"},
    {.name = "tuple_sketch_agg_double", .signature = "(key: any, summary: any, [lg_nom_entries: int], [mode: string]) -> binary", .lower = tuple_sketch_agg, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "A tuple sketch of the distinct keys and a summary of each: the `sum`, `min` or `max`, or `alwaysone`.", .example = "tuple_sketch_summary_double(tuple_sketch_agg_double(1, 1.5D))", .gives = "1.5"},
    {.name = "tuple_sketch_agg_integer", .signature = "(key: any, summary: any, [lg_nom_entries: int], [mode: string]) -> binary", .lower = tuple_sketch_agg, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "A tuple sketch of the distinct keys and a summary of each: the `sum`, `min` or `max`, or `alwaysone`.", .example = "tuple_sketch_summary_integer(tuple_sketch_agg_integer(1, 2))", .gives = "2"},
    {.name = "tuple_sketch_estimate_double", .signature = "(sketch: binary) -> double", .lower = tuple_fact,
     .doc = "The number of distinct keys that a tuple sketch has seen.", .example = "tuple_sketch_estimate_double(tuple_sketch_agg_double(1, 1.5D))", .gives = "1.0"},
    {.name = "tuple_sketch_estimate_integer", .signature = "(sketch: binary) -> double", .lower = tuple_fact,
     .doc = "The number of distinct keys that a tuple sketch has seen.", .example = "tuple_sketch_estimate_integer(tuple_sketch_agg_integer(1, 2))", .gives = "1.0"},
    {.name = "tuple_sketch_summary_double", .signature = "(sketch: binary, [mode: string]) -> double", .lower = tuple_fact,
     .doc = "The summaries of a tuple sketch as one.", .example = "tuple_sketch_summary_double(tuple_sketch_agg_double(1, 1.5D), 'max')", .gives = "1.5"},
    {.name = "tuple_sketch_summary_integer", .signature = "(sketch: binary, [mode: string]) -> long", .lower = tuple_fact,
     .doc = "The summaries of a tuple sketch as one.", .example = "tuple_sketch_summary_integer(tuple_sketch_agg_integer(1, 2), 'max')", .gives = "2"},
    {.name = "tuple_sketch_theta_double", .signature = "(sketch: binary) -> double", .lower = tuple_fact,
     .doc = "The share of the keys that a tuple sketch keeps.", .example = "tuple_sketch_theta_double(tuple_sketch_agg_double(1, 1.5D))", .gives = "1.0"},
    {.name = "tuple_sketch_theta_integer", .signature = "(sketch: binary) -> double", .lower = tuple_fact,
     .doc = "The share of the keys that a tuple sketch keeps.", .example = "tuple_sketch_theta_integer(tuple_sketch_agg_integer(1, 2))", .gives = "1.0"},
    {.name = "tuple_union_agg_double", .signature = "(sketch: binary, [lg_nom_entries: int], [mode: string]) -> binary", .lower = tuple_merge_agg, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "The tuple sketch of the keys that those of a column have seen.", .example = "tuple_sketch_estimate_double(tuple_union_agg_double(X'01030901000ECC93'))", .gives = "0.0"},
    {.name = "tuple_union_agg_integer", .signature = "(sketch: binary, [lg_nom_entries: int], [mode: string]) -> binary", .lower = tuple_merge_agg, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "The tuple sketch of the keys that those of a column have seen.", .example = "tuple_sketch_estimate_integer(tuple_union_agg_integer(X'01030901000ECC93'))", .gives = "0.0"},
    {.name = "tuple_union_double", .signature = "(first: binary, second: binary, [lg_nom_entries: int], [mode: string]) -> binary", .lower = tuple_pair,
     .doc = "The tuple sketch of the keys that two have seen.", .example = "tuple_sketch_estimate_double(tuple_union_double(tuple_sketch_agg_double(1, 1.5D), tuple_sketch_agg_double(2, 1.5D)))", .gives = "2.0"},
    {.name = "tuple_union_integer", .signature = "(first: binary, second: binary, [lg_nom_entries: int], [mode: string]) -> binary", .lower = tuple_pair,
     .doc = "The tuple sketch of the keys that two have seen.", .example = "tuple_sketch_estimate_integer(tuple_union_integer(tuple_sketch_agg_integer(1, 2), tuple_sketch_agg_integer(2, 2)))", .gives = "2.0"},
    {.name = "tuple_union_theta_double", .signature = "(tuple_sketch: binary, theta_sketch: binary, [lg_nom_entries: int], [mode: string]) -> binary", .lower = tuple_pair,
     .doc = "The tuple sketch of the keys that it or a theta sketch has seen.", .example = "tuple_sketch_estimate_double(tuple_union_theta_double(tuple_sketch_agg_double(1, 1.5D), theta_sketch_agg(2)))", .gives = "2.0"},
    {.name = "tuple_union_theta_integer", .signature = "(tuple_sketch: binary, theta_sketch: binary, [lg_nom_entries: int], [mode: string]) -> binary", .lower = tuple_pair,
     .doc = "The tuple sketch of the keys that it or a theta sketch has seen.", .example = "tuple_sketch_estimate_integer(tuple_union_theta_integer(tuple_sketch_agg_integer(1, 2), theta_sketch_agg(2)))", .gives = "2.0"},
};
// clang-format on
static_assert(checked(kSketches));

std::span<const FunctionSpec> sketch_rows() { return kSketches; }

}  // namespace firesteel
