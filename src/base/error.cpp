// SQLSTATEs of the error classes (from Spark's error-conditions.json), and the rendering of errors.
#include "base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

namespace firesteel {

namespace {

struct ConditionState {
  std::string_view condition;
  std::string_view sqlstate;
};

// By name up to the first dot.
constexpr ConditionState kStates[] = {
    {"ARROW_TYPE_MISMATCH", "42K0G"},
    {"PYTHON_EXCEPTION", "38000"},
    {"STRUCT_ARRAY_LENGTH_MISMATCH", "2201E"},
    {"TABLE_VALUED_FUNCTION_FAILED_TO_ANALYZE_IN_PYTHON", "38000"},
    {"TABLE_VALUED_FUNCTION_TOO_MANY_TABLE_ARGUMENTS", "54023"},

    // Firesteel's own.
    {"AGGREGATE_FUNCTION_WITH_NONDETERMINISTIC_EXPRESSION", "42845"},
    {"ALL_PARTITION_COLUMNS_NOT_ALLOWED", "KD005"},
    {"AMBIGUOUS_COLUMN_OR_FIELD", "42702"},
    {"AMBIGUOUS_LATERAL_COLUMN_ALIAS", "42702"},
    {"AMBIGUOUS_REFERENCE", "42704"},
    {"ARITHMETIC_OVERFLOW", "22003"},
    {"ASSIGNMENT_ARITY_MISMATCH", "42802"},
    {"AS_OF_JOIN", "42604"},
    {"BINARY_ARITHMETIC_OVERFLOW", "22003"},
    {"CALL_ON_STREAMING_DATASET_UNSUPPORTED", "42KDE"},
    {"CANNOT_DECODE_URL", "22546"},
    {"CANNOT_MERGE_SCHEMAS", "42KD9"},
    {"CANNOT_PARSE_DECIMAL", "22018"},
    {"CANNOT_PARSE_INTERVAL", "22006"},
    {"CANNOT_PARSE_TIME", "22010"},
    {"CANNOT_PARSE_TIMESTAMP", "22007"},
    {"CANNOT_READ_FILE", "22000"},
    {"CANNOT_RESOLVE_STAR_EXPAND", "42704"},
    {"CAST_INVALID_INPUT", "22018"},
    {"CAST_OVERFLOW", "22003"},
    {"CAST_OVERFLOW_IN_TABLE_INSERT", "22003"},
    {"CATALOG_NOT_FOUND", "42P08"},
    {"CHECKPOINT_DAMAGED", "22000"},
    {"CODEC_NOT_AVAILABLE", "56038"},
    {"COLLATION_INVALID_NAME", "42704"},
    {"COLUMN_ALREADY_EXISTS", "42711"},
    {"COLUMN_IS_NOT_VARIANT_TYPE", "42K09"},
    {"COLUMN_NOT_DEFINED_IN_TABLE", "42703"},
    {"COLUMN_NOT_FOUND", "42703"},
    {"COMPARATOR_RETURNS_NULL", "22004"},
    {"CONCURRENT_STREAM_LOG_UPDATE", "40000"},
    {"CONFLICTING_PARTITION_COLUMN_NAMES", "KD009"},
    {"CONVERSION_INVALID_INPUT", "22018"},
    {"COUNTER_DIFF_NEGATIVE_COUNTER_VALUE", "22003"},
    {"COUNTER_DIFF_START_TIME_DECREASED", "22023"},
    {"CREATE_VIEW_COLUMN_ARITY_MISMATCH", "21S01"},
    {"DATAFRAME_INPUT_NOT_SINGLE_COLUMN", "42K09"},
    {"DATAFRAME_INPUT_NOT_STRING_TYPE", "42K09"},
    {"DATATYPE_MISMATCH", "42K09"},
    {"DATA_SOURCE_NOT_FOUND", "42K02"},
    {"DATETIME_FIELD_OUT_OF_BOUNDS", "22023"},
    {"DATETIME_OVERFLOW", "22008"},
    {"DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION", "22003"},
    {"DISK_FULL", "53100"},
    {"DISTINCT_WINDOW_FUNCTION_UNSUPPORTED", "0A000"},
    {"DIVIDE_BY_ZERO", "22012"},
    {"DUPLICATED_CTE_NAMES", "42602"},
    {"DUPLICATED_MAP_KEY", "23505"},
    {"EVENT_TIME_IS_NOT_ON_TIMESTAMP_TYPE", "42K09"},
    {"EXCEED_LIMIT_LENGTH", "54006"},
    {"EXCEPT_OVERLAPPING_COLUMNS", "42702"},
    {"EXPECT_TABLE_NOT_VIEW", "42809"},
    {"EXPECT_VIEW_NOT_TABLE", "42809"},
    {"EXPRESSION_TYPE_IS_NOT_ORDERABLE", "42822"},
    {"FAILED_READ_FILE", "KD001"},
    {"FAILED_TO_PARSE_TOO_COMPLEX", "54001"},
    {"FIELD_NOT_FOUND", "42704"},
    {"GROUPING_COLUMN_MISMATCH", "42803"},
    {"GROUPING_ID_COLUMN_MISMATCH", "42803"},
    {"GROUPING_SIZE_LIMIT_EXCEEDED", "54000"},
    {"GROUP_BY_AGGREGATE", "42903"},
    {"GROUP_BY_POS_AGGREGATE", "42903"},
    {"GROUP_BY_POS_OUT_OF_RANGE", "42805"},
    {"HLL_INVALID_INPUT_SKETCH_BUFFER", "22546"},
    {"HLL_INVALID_LG_K", "22546"},
    {"HLL_K_MUST_BE_CONSTANT", "42K0E"},
    {"HLL_UNION_DIFFERENT_LG_K", "22000"},
    {"ILLEGAL_DAY_OF_WEEK", "22009"},
    {"INCOMPATIBLE_COLUMN_TYPE", "42825"},
    {"INCOMPATIBLE_DATA_FOR_TABLE", "KD000"},
    {"INCONSISTENT_BEHAVIOR_CROSS_VERSION", "42K0B"},
    {"INTERNAL_ERROR", "XX000"},
    {"INTERVAL_DIVIDED_BY_ZERO", "22012"},
    {"INVALID_ARRAY_INDEX", "22003"},
    {"INVALID_ARRAY_INDEX_IN_ELEMENT_AT", "22003"},
    {"INVALID_ARTIFACT", "22000"},
    {"INVALID_BITMAP_POSITION", "22003"},
    {"INVALID_BOOLEAN_STATEMENT", "22546"},
    {"INVALID_COLUMN_OR_FIELD_DATA_TYPE", "42000"},
    {"INVALID_CONF_VALUE", "22022"},
    {"INVALID_CORRUPT_RECORD_TYPE", "42804"},
    {"INVALID_DATETIME_PATTERN", "22007"},
    {"INVALID_ESCAPE_CHAR", "42604"},
    {"INVALID_EXTRACT_BASE_FIELD_TYPE", "42000"},
    {"INVALID_EXTRACT_FIELD", "42601"},
    {"INVALID_EXTRACT_FIELD_TYPE", "42000"},
    {"INVALID_FORMAT", "42601"},
    {"INVALID_FRACTION_OF_SECOND", "22023"},
    {"INVALID_IDENTIFIER", "42602"},
    {"INVALID_INDEX_OF_ZERO", "22003"},
    {"INVALID_INLINE_TABLE", "42000"},
    {"INVALID_INTERVAL_FORMAT", "22006"},
    {"INVALID_INTERVAL_WITH_MICROSECONDS_ADDITION", "22006"},
    {"INVALID_JSON_DATA_TYPE", "2203G"},
    {"INVALID_LAMBDA_FUNCTION_CALL", "42K0D"},
    {"INVALID_LIMIT_LIKE_EXPRESSION", "42K0E"},
    {"INVALID_NUMERIC_LITERAL_RANGE", "22003"},
    {"INVALID_OBSERVED_METRICS", "42K0E"},
    {"INVALID_OPTION", "22023"},
    {"INVALID_OPTIONS", "42K06"},
    {"INVALID_PARAMETER_VALUE", "22023"},
    {"INVALID_PARTITION_OPERATION", "42601"},
    {"INVALID_PIPELINE", "42000"},
    {"INVALID_REGEXP_REPLACE", "22023"},
    {"INVALID_SCHEMA", "42K07"},
    {"INVALID_SCHEMA_OR_RELATION_NAME", "42602"},
    {"INVALID_SQL_SYNTAX", "42000"},
    {"INVALID_STATEMENT_FOR_EXECUTE_INTO", "07501"},
    {"INVALID_SUBQUERY_EXPRESSION", "42823"},
    {"INVALID_TEMP_OBJ_REFERENCE", "42K0F"},
    {"INVALID_TIMEZONE", "22009"},
    {"INVALID_TYPED_LITERAL", "42604"},
    {"INVALID_URL", "22P02"},
    {"INVALID_USAGE_OF_STAR_OR_REGEX", "42000"},
    {"INVALID_UTF8_STRING", "22029"},
    {"INVALID_VARIANT_CAST", "22023"},
    {"INVALID_VARIANT_GET_PATH", "22023"},
    {"INVALID_VARIANT_PATH", "22023"},
    {"INVALID_VECTOR_NORM_DEGREE", "22023"},
    {"INVALID_WHERE_CONDITION", "42903"},
    {"INVALID_WITHIN_GROUP_EXPRESSION", "42K0K"},
    {"IO_ERROR", "58030"},
    {"JOIN_CONDITION_IS_NOT_BOOLEAN_TYPE", "42K0E"},
    {"KLL_INVALID_INPUT_SKETCH_BUFFER", "22000"},
    {"KLL_SKETCH_INVALID_QUANTILE_RANGE", "22003"},
    {"LOCATION_ALREADY_EXISTS", "42710"},
    {"MALFORMED_CHARACTER_CODING", "22000"},
    {"MALFORMED_CSV_RECORD", "KD000"},
    {"MALFORMED_RECORD_IN_PARSING", "22023"},
    {"MALFORMED_VARIANT", "22023"},
    {"MAP_KEY_DOES_NOT_EXIST", "KD006"},
    {"MERGE_CARDINALITY_VIOLATION", "23K01"},
    {"MISSING_AGGREGATION", "42803"},
    {"MISSING_ATTRIBUTES", "XX000"},
    {"MISSING_GROUP_BY", "42803"},
    {"MISSING_WINDOW_SPECIFICATION", "42P20"},
    {"MODEL_INPUT_INVALID", "22000"},
    {"MODEL_RUN_FAILED", "XX000"},
    {"MULTI_SOURCES_UNSUPPORTED_FOR_EXPRESSION", "42K0E"},
    {"NEAREST_BY_JOIN", "42604"},
    {"NESTED_AGGREGATE_FUNCTION", "42607"},
    {"NON_BOOLEAN_FILTER", "42K09"},
    {"NON_LITERAL_PIVOT_VALUES", "42K08"},
    {"NON_TIME_WINDOW_NOT_SUPPORTED_IN_STREAMING", "42KDE"},
    {"NOT_A_CONSTANT_STRING", "42601"},
    {"NOT_A_PARTITIONED_TABLE", "42809"},
    {"NOT_A_SCALAR_FUNCTION", "42887"},
    {"NOT_SUPPORTED_CHANGE_COLUMN", "0A000"},
    {"NULLABLE_COLUMN_OR_FIELD", "42000"},
    {"NULL_MAP_KEY", "2200E"},
    {"NULL_QUERY_STRING_EXECUTE_IMMEDIATE", "22004"},
    {"NUMERIC_OUT_OF_SUPPORTED_RANGE", "22003"},
    {"NUMERIC_VALUE_OUT_OF_RANGE", "22003"},
    {"NUM_COLUMNS_MISMATCH", "42826"},
    {"OPERATION_CANCELED", "HY008"},
    {"ORDER_BY_POS_OUT_OF_RANGE", "42805"},
    {"OUT_OF_MEMORY", "53200"},
    {"PARSE_EMPTY_STATEMENT", "42617"},
    {"PARSE_MODE_UNSUPPORTED", "42601"},
    {"PARSE_SYNTAX_ERROR", "42601"},
    {"PARTITIONS_ALREADY_EXIST", "428FT"},
    {"PARTITIONS_NOT_FOUND", "428FT"},
    {"PATH_ALREADY_EXISTS", "42K04"},
    {"PATH_NOT_FOUND", "42K03"},
    {"PICKLE_ERROR", "38000"},
    {"PIPE_OPERATOR_CONTAINS_AGGREGATE_FUNCTION", "0A000"},
    {"PYTHON_WORKER_CRASHED", "38000"},
    {"PYTHON_WORKER_NOT_STARTED", "38000"},
    {"QUALIFY_REQUIRES_WINDOW_FUNCTION", "42601"},
    {"RECORDS_DAMAGED", "22000"},
    {"RECURSION_ROW_LIMIT_EXCEEDED", "42836"},
    {"RECURSIVE_VIEW", "42K0H"},
    {"REMAINDER_BY_ZERO", "22012"},
    {"REQUIRED_PARAMETER_NOT_FOUND", "4274K"},
    {"ROUTINE_ALREADY_EXISTS", "42723"},
    {"ROUTINE_NOT_FOUND", "42883"},
    {"ROW_SUBQUERY_TOO_MANY_ROWS", "21000"},
    {"SCALAR_SUBQUERY_TOO_MANY_ROWS", "21000"},
    {"SCHEMA_ALREADY_EXISTS", "42P06"},
    {"SCHEMA_NOT_EMPTY", "2BP01"},
    {"SCHEMA_NOT_FOUND", "42704"},
    {"SEED_EXPRESSION_IS_UNFOLDABLE", "42K08"},
    {"SKETCH_INVALID_LG_NOM_ENTRIES", "22003"},
    {"SORT_BY_WITHOUT_BUCKETING", "42601"},
    {"STREAMING_CHECKPOINT_LOG_WRITE_FAILURE", "58030"},
    {"STREAMING_CHECKPOINT_MISSING_METADATA_FILE", "42K03"},
    {"STREAMING_OUTPUT_MODE", "42KDE"},
    {"STREAMING_REAL_TIME_MODE", "0A000"},
    {"STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA", "42K03"},
    {"STREAM_FAILED", "XXKST"},
    {"TABLE_OR_VIEW_ALREADY_EXISTS", "42P07"},
    {"TABLE_OR_VIEW_NOT_FOUND", "42P01"},
    {"TEMP_TABLE_OR_VIEW_ALREADY_EXISTS", "42P07"},
    {"THETA_INVALID_INPUT_SKETCH_BUFFER", "22000"},
    {"THETA_LG_NOM_ENTRIES_MUST_BE_CONSTANT", "42K0E"},
    {"TRAILING_COMMA_IN_SELECT", "42601"},
    {"TRAINING_DATA_INVALID", "22000"},
    {"TRANSPOSE_EXCEED_ROW_LIMIT", "54006"},
    {"TRANSPOSE_NO_LEAST_COMMON_TYPE", "42K09"},
    {"TUPLE_INVALID_INPUT_SKETCH_BUFFER", "22000"},
    {"UNABLE_TO_INFER_SCHEMA", "42KD9"},
    {"UNBOUND_SQL_PARAMETER", "42P02"},
    {"UNCLOSED_BRACKETED_COMMENT", "42601"},
    {"UNEXPECTED_POSITIONAL_ARGUMENT", "4274K"},
    {"UNPIVOT_REQUIRES_VALUE_COLUMNS", "42K0B"},
    {"UNPIVOT_VALUE_DATA_TYPE_MISMATCH", "42K09"},
    {"UNPIVOT_VALUE_SIZE_MISMATCH", "428C4"},
    {"UNRECOGNIZED_PARAMETER_NAME", "4274K"},
    {"UNRECOGNIZED_SQL_TYPE", "42704"},
    {"UNRECOGNIZED_STATISTIC", "42704"},
    {"UNRESOLVABLE_TABLE_VALUED_FUNCTION", "42883"},
    {"UNRESOLVED_COLUMN", "42703"},
    {"UNRESOLVED_COLUMN_AMONG_FIELD_NAMES", "42703"},
    {"UNRESOLVED_FIELD", "42703"},
    {"UNRESOLVED_ROUTINE", "42883"},
    {"UNRESOLVED_STAR_STRUCT_FIELD", "42703"},
    {"UNRESOLVED_USING_COLUMN_FOR_JOIN", "42703"},
    {"UNRESOLVED_VARIABLE", "42883"},
    {"UNSUPPORTED_DATATYPE", "0A000"},
    {"UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE", "0A000"},
    {"UNSUPPORTED_FEATURE", "0A000"},
    {"UNSUPPORTED_GENERATOR", "42K0E"},
    {"UNSUPPORTED_GROUPING_EXPRESSION", "42K0E"},
    {"UNSUPPORTED_JOIN_TYPE", "0A000"},
    {"UNSUPPORTED_MODEL", "0A000"},
    {"UNSUPPORTED_PYTHON_WORKER", "0A000"},
    {"UNSUPPORTED_STREAMING_OPERATOR_WITHOUT_WATERMARK", "0A000"},
    {"UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY", "0A000"},
    {"UNSUPPORTED_TIME_PRECISION", "0A001"},
    {"UNSUPPORTED_TIME_TYPE", "0A000"},
    {"UNTERMINATED_COMMENT", "42601"},
    {"USER_RAISED_EXCEPTION", "P0001"},
    {"VARIABLE_ALREADY_EXISTS", "42723"},
    {"VARIABLE_NOT_FOUND", "42883"},
    {"VARIANT_DUPLICATE_KEY", "22023"},
    {"VARIANT_PATH_TYPE_MISMATCH", "22023"},
    {"VECTOR_DIMENSION_MISMATCH", "22000"},
    {"WINDOW_FUNCTION_FRAME_NOT_ORDERED", "42601"},
    {"WINDOW_FUNCTION_NOT_ALLOWED_IN_CLAUSE", "42601"},
    {"WINDOW_FUNCTION_WITHOUT_OVER_CLAUSE", "42601"},
    {"WORKER_LOST", "08006"},
    {"WRITE_STREAM_NOT_ALLOWED", "42601"},
    {"WRONG_COMMAND_FOR_OBJECT_TYPE", "42809"},
    {"WRONG_NUM_ARGS", "42605"},
    {"ZIP_PLANS_NOT_MERGEABLE", "42K03"},
};

/// Levenshtein distance, ignoring case.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = std::tolower(static_cast<unsigned char>(a[i - 1])) ==
                        std::tolower(static_cast<unsigned char>(b[j - 1]));
      const size_t replaced = diagonal + (same ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

Error::Error(std::string condition, std::string message)
    : condition_(std::move(condition)), message_(std::move(message)) {
  render();
}

Error Error::at(Span span) const {
  Error copy = *this;
  if (!copy.span_.known()) copy.span_ = span;
  copy.render();
  return copy;
}

Error Error::in(std::string_view sql_text) const {
  Error copy = *this;
  if (copy.sql_text_.empty()) copy.sql_text_ = sql_text;
  copy.render();
  return copy;
}

std::string_view Error::sqlstate() const {
  const auto name = std::string_view(condition_).substr(0, condition_.find('.'));
  for (const auto& row : kStates) {
    if (row.condition == name) return row.sqlstate;
  }
  return "XX000";
}

void Error::render() {
  what_ = fmt::format("[{}] {} SQLSTATE: {}", condition_, message_, sqlstate());
  if (!span_.known() || span_.start >= static_cast<int>(sql_text_.size())) return;
  const auto line_start =
      sql_text_.rfind('\n', span_.start) == std::string::npos || span_.start == 0
          ? 0
          : sql_text_.rfind('\n', span_.start - 1) + 1;
  auto line_end = sql_text_.find('\n', span_.start);
  if (line_end == std::string::npos) line_end = sql_text_.size();
  const auto stop = std::min<size_t>(span_.stop, line_end);
  const auto width = std::max<size_t>(1, stop - span_.start);
  what_ += fmt::format("\n{}\n{:{}}{:^>{}}", sql_text_.substr(line_start, line_end - line_start),
                       "", span_.start - line_start, "", width);
}

std::string nearest_name(std::string_view name, const std::string* candidates, size_t count) {
  const std::string* best = nullptr;
  size_t best_distance = std::max<size_t>(1, name.size() / 2) + 1;
  for (size_t i = 0; i < count; ++i) {
    const size_t distance = edit_distance(name, candidates[i]);
    if (distance < best_distance) {
      best_distance = distance;
      best = &candidates[i];
    }
  }
  return best ? *best : std::string();
}

}  // namespace firesteel
