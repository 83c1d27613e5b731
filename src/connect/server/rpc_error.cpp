// Which of Spark's exceptions an error class is, and the messages that carry it.
#include "connect/server/rpc_error.h"

#include <fmt/format.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "base/condition.h"

namespace firesteel::connect {

namespace {

constexpr size_t kMessageBytesMax = 2048;
constexpr size_t kMetadataBytesMax = 1024;  // as Spark's spark.connect.grpc.maxMetadataSize
// Of grpc::StatusCode, whose headers stay out.
constexpr int kCancelled = 1, kInternal = 13, kUnauthenticated = 16;

struct ExceptionRow {
  std::string_view condition;
  std::string_view exception;  // as PySpark calls it
};
constexpr ExceptionRow kExceptions[] = {
#include "connect/server/exceptions.inc"
};
/// Those that no recorded statement has, by the beginning of the error class.
constexpr ExceptionRow kMoreExceptions[] = {
    {"PARSE_", "ParseException"},
    {"INVALID_HANDLE", "SparkException"},
    {"INVALID_CURSOR", "SparkException"},
    {"OPERATION_CANCELED", "SparkException"},
    {"OUT_OF_MEMORY", "SparkException"},
    {"DISK_FULL", "SparkException"},
    {"INTERNAL_ERROR", "SparkException"},
    {"FAILED_READ_FILE", "SparkException"},
    {"SQL_CONF_NOT_FOUND", "SparkNoSuchElementException"},
    {"INVALID_CONF_VALUE", "IllegalArgumentException"},
    {"CONNECT_INVALID_PLAN", "InvalidPlanInput"},
    {"DATAFRAME_NOT_FOUND", "InvalidPlanInput"},
    {"PYTHON_EXCEPTION", "PythonException"},
    {"PYTHON_WORKER_", "SparkException"},
    {"PICKLE_ERROR", "SparkException"},
    {"ARROW_TYPE_MISMATCH", "SparkException"},
    {"RESOURCE_PROFILE_NOT_FOUND", "SparkException"},
    {"UNSUPPORTED_FEATURE", "UnsupportedOperationException"},
};

std::string_view exception_of(const std::string& condition,
                              const std::map<std::string, std::string>& parameters) {
  // What a malformed text is depends on what it should have been.
  if (const auto target = parameters.find("targetType");
      condition == "CAST_INVALID_INPUT" && target != parameters.end()) {
    const auto& type = target->second;
    if (type == "\"DATE\"" || type.starts_with("\"TIME")) return "DateTimeException";
    if (type == "\"BOOLEAN\"") return "SparkRuntimeException";
  }
  const auto exact =
      std::ranges::find(kExceptions, std::string_view(condition), &ExceptionRow::condition);
  if (exact != std::end(kExceptions)) return exact->exception;
  for (const auto& row : kMoreExceptions) {
    if (condition.starts_with(row.condition)) return row.exception;
  }
  return "AnalysisException";
}

/// The Java classes of an exception, from its own to the general ones.
std::vector<std::string> classes_of(const std::string& condition,
                                    const std::map<std::string, std::string>& parameters) {
  static constexpr std::pair<std::string_view, std::string_view> kClasses[] = {
      {"ParseException",
       "org.apache.spark.sql.catalyst.parser.ParseException "
       "org.apache.spark.sql.AnalysisException"},
      {"AnalysisException", "org.apache.spark.sql.AnalysisException"},
      {"ArithmeticException",
       "org.apache.spark.SparkArithmeticException java.lang.ArithmeticException"},
      {"NumberFormatException",
       "org.apache.spark.SparkNumberFormatException java.lang.NumberFormatException "
       "java.lang.IllegalArgumentException"},
      {"IllegalArgumentException",
       "org.apache.spark.SparkIllegalArgumentException java.lang.IllegalArgumentException"},
      {"UnsupportedOperationException",
       "org.apache.spark.SparkUnsupportedOperationException "
       "java.lang.UnsupportedOperationException"},
      {"ArrayIndexOutOfBoundsException",
       "org.apache.spark.SparkArrayIndexOutOfBoundsException "
       "java.lang.ArrayIndexOutOfBoundsException"},
      {"DateTimeException", "org.apache.spark.SparkDateTimeException java.time.DateTimeException"},
      {"SparkRuntimeException", "org.apache.spark.SparkRuntimeException"},
      {"SparkUpgradeException", "org.apache.spark.SparkUpgradeException"},
      {"SparkNoSuchElementException",
       "org.apache.spark.SparkNoSuchElementException java.util.NoSuchElementException"},
      {"PythonException", "org.apache.spark.api.python.PythonException"},
      {"InvalidPlanInput", "org.apache.spark.sql.connect.common.InvalidPlanInput"},
      {"StreamingQueryException", "org.apache.spark.sql.streaming.StreamingQueryException"},
      {"SparkException", "org.apache.spark.SparkException"},
  };
  const auto name = exception_of(condition, parameters);
  std::vector<std::string> classes;
  const auto* row =
      std::ranges::find(kClasses, name, &std::pair<std::string_view, std::string_view>::first);
  std::string_view rest =
      row != std::end(kClasses) ? row->second : "org.apache.spark.SparkException";
  while (!rest.empty()) {
    const auto end = std::min(rest.find(' '), rest.size());
    classes.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return classes;
}

struct Place {
  int line = 1, column = 0;  // from 1 and 0, as Spark counts
  std::string_view text;     // the line
};

Place place_of(const Error& error) {
  const std::string_view sql = error.sql_text();
  const auto start = std::min<size_t>(error.span().start, sql.size());
  Place place;
  size_t line_start = 0;
  for (size_t i = 0; i < start; ++i) {
    if (sql[i] != '\n') continue;
    ++place.line;
    line_start = i + 1;
  }
  place.column = static_cast<int>(start - line_start);
  place.text = sql.substr(line_start, sql.find('\n', line_start) - line_start);
  return place;
}

bool has_place(const Error& error) { return error.span().known() && !error.sql_text().empty(); }

/// The line of the place, and what stands at fault underlined.
std::string summary_of(const Error& error) {
  const auto place = place_of(error);
  const auto width =
      std::min<size_t>(error.span().stop - error.span().start, place.text.size() - place.column);
  return fmt::format("== SQL (line {}, position {}) ==\n{}\n{}{}\n", place.line, place.column + 1,
                     place.text, std::string(place.column, ' '),
                     std::string(std::max<size_t>(width, 1), '^'));
}

/// As Spark prints it: class, message, SQLSTATE, then the place.
std::string message_of(const Error& error) {
  const auto state = error.sqlstate();
  auto text = fmt::format("[{}] {}", error.condition(), error.message());
  if (!state.empty()) text += fmt::format(" SQLSTATE: {}", state);
  return has_place(error) ? text + "\n" + summary_of(error) : text;
}

/// Cut between characters.
std::string shortened(std::string text) {
  if (text.size() <= kMessageBytesMax) return text;
  size_t end = kMessageBytesMax - 3;
  while (end > 0 && (text[end] & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

}  // namespace

RpcError RpcError::of(const Error& error, const std::string& error_id, bool remakes) {
  const auto parameters = message_parameters(error);
  const auto classes = classes_of(error.condition(), parameters.values);
  google::rpc::ErrorInfo info;
  info.set_reason(classes.front());
  info.set_domain("org.apache.spark");
  auto& metadata = *info.mutable_metadata();
  metadata["classes"] = nlohmann::json(classes).dump();
  const auto text = nlohmann::json(parameters.values)
                        .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const bool fits = text.size() <= kMetadataBytesMax;
  if (!remakes || (parameters.complete && fits)) metadata["errorClass"] = error.condition();
  if (metadata.contains("errorClass") && fits) metadata["messageParameters"] = text;
  metadata["sqlState"] = std::string(error.sqlstate());
  if (!error_id.empty()) metadata["errorId"] = error_id;
  google::rpc::Status status;
  status.set_code(kInternal);
  status.set_message(shortened(message_of(error)));
  status.add_details()->PackFrom(info);
  return {kInternal, status.message(), status.SerializeAsString()};
}

RpcError RpcError::cancelled() { return {kCancelled, "The client went away.", ""}; }

RpcError RpcError::unauthenticated(const std::string& message) {
  return {kUnauthenticated, message, ""};
}

void describe_error(const Error& error, bool remakes,
                    spark::connect::FetchErrorDetailsResponse& response) {
  response.set_root_error_idx(0);
  auto* out = response.add_errors();
  const auto parameters = message_parameters(error);
  for (const auto& name : classes_of(error.condition(), parameters.values))
    out->add_error_type_hierarchy(name);
  out->set_message(message_of(error));
  if (remakes && !parameters.complete) return;
  auto* throwable = out->mutable_spark_throwable();
  throwable->set_error_class(error.condition());
  for (const auto& [name, value] : parameters.values)
    (*throwable->mutable_message_parameters())[name] = value;
  if (!error.sqlstate().empty()) throwable->set_sql_state(std::string(error.sqlstate()));
  if (!has_place(error)) return;
  auto* context = throwable->add_query_contexts();
  const auto& span = error.span();
  context->set_context_type(spark::connect::FetchErrorDetailsResponse_QueryContext::SQL);
  context->set_start_index(span.start);
  context->set_stop_index(span.stop - 1);
  context->set_fragment(error.sql_text().substr(span.start, span.stop - span.start));
  context->set_summary(summary_of(error));
}

}  // namespace firesteel::connect
