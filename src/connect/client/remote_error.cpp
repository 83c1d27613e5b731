// Reads google.rpc.Status and what FetchErrorDetails adds to it.
#include "connect/client/remote_error.h"

#include <fmt/format.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "cluster/task_run.h"

namespace firesteel::connect {

namespace proto = spark::connect;

namespace {

// Of grpc::StatusCode, whose headers stay out.
constexpr int kCancelled = 1, kDeadline = 4, kUnimplemented = 12, kUnavailable = 14,
              kUnauthenticated = 16;

std::optional<Error> task_error(const std::string& message) {
  const auto at =
      message.rfind(cluster::kErrorMark);  // A traceback quotes the line that raises it.
  if (at == std::string::npos) return std::nullopt;
  std::istringstream rest(message.substr(at + cluster::kErrorMark.size()));
  nlohmann::json json;
  try {
    rest >> json;  // What stands behind it is Spark's.
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
  if (!json.is_object() || !json.contains("condition")) return std::nullopt;
  return Error(json["condition"], json.value("message", ""));
}

/// "[CLASS] text SQLSTATE: 42703\n== SQL …" as its three parts.
struct Parts {
  std::string condition, text, sqlstate;
};

Parts parts_of(const std::string& message) {
  Parts parts;
  std::string_view text = message;
  // The exception's Java class, which some messages begin with.
  if (const auto bracket = text.find(" ["); text.starts_with("org.apache.") &&
                                            bracket != std::string_view::npos &&
                                            text.find(':') == bracket - 1)
    text.remove_prefix(bracket + 1);
  if (const auto end = text.find("] ");
      text.starts_with('[') && end != std::string_view::npos &&
      text.substr(1, end - 1).find_first_of(" \n") == std::string_view::npos) {
    parts.condition = text.substr(1, end - 1);
    text.remove_prefix(end + 2);
  }
  constexpr std::string_view kState = " SQLSTATE: ";
  if (const auto state = text.rfind(kState);
      state != std::string_view::npos && text.size() >= state + kState.size() + 5) {
    parts.sqlstate = text.substr(state + kState.size(), 5);
    text = text.substr(0, state);
  } else {
    text = text.substr(0, text.find("\n== "));
  }
  while (text.ends_with('\n') || text.ends_with(' ')) text.remove_suffix(1);
  parts.text = text;
  return parts;
}

}  // namespace

Error remote_error(int code, const std::string& message, const std::string& details,
                   const std::string& url, const FetchDetails& fetch) {
  std::string whole = message, condition, sqlstate;
  std::optional<proto::FetchErrorDetailsResponse::QueryContext> place;
  google::rpc::Status status;
  if (!details.empty() && status.ParseFromString(details)) {
    if (!status.message().empty()) whole = status.message();
    google::rpc::ErrorInfo info;
    for (const auto& detail : status.details()) {
      if (!detail.Is<google::rpc::ErrorInfo>()) continue;
      detail.UnpackTo(&info);
      const auto value = [&](const char* key) {
        const auto found = info.metadata().find(key);
        return found == info.metadata().end() ? std::string() : found->second;
      };
      condition = value("errorClass");
      sqlstate = value("sqlState");
      const auto id = value("errorId");
      if (id.empty() || !fetch) continue;
      const auto more = fetch(id);
      for (const auto& error : more.errors()) {
        if (auto own = task_error(error.message())) return *own;
      }
      if (!more.has_root_error_idx() || more.root_error_idx() >= more.errors_size()) continue;
      const auto& root = more.errors(more.root_error_idx());
      whole = root.message();
      if (!root.has_spark_throwable()) continue;
      const auto& throwable = root.spark_throwable();
      if (throwable.has_error_class()) condition = throwable.error_class();
      if (throwable.has_sql_state()) sqlstate = throwable.sql_state();
      for (const auto& context : throwable.query_contexts()) {
        if (context.context_type() == proto::FetchErrorDetailsResponse::QueryContext::SQL)
          place = context;
      }
    }
  }
  if (auto own = task_error(whole)) return *own;
  auto parts = parts_of(whole);
  if (condition.empty()) condition = parts.condition;
  if (sqlstate.empty()) sqlstate = parts.sqlstate;
  if (condition.empty()) {
    switch (code) {
      case kCancelled:
        return Error("OPERATION_CANCELED", "The operation was canceled.");
      case kUnavailable:
      case kDeadline:
        return Error("CONNECT_UNAVAILABLE",
                     fmt::format("No Spark Connect server answers at {}: {}. Is it running, and is "
                                 "the address right?",
                                 url, parts.text));
      case kUnauthenticated:
        return Error("CONNECT_UNAUTHENTICATED",
                     fmt::format("{} does not let us in: {}. Give its token, as in "
                                 "sc://host:15002/;token=…",
                                 url, parts.text));
      case kUnimplemented:
        return Error("UNSUPPORTED_FEATURE.CONNECT_CALL",
                     fmt::format("{} does not know this call: {}.", url, parts.text));
      default:
        condition = "SPARK_ERROR";
    }
  }
  Error error = Error(condition, parts.text).with_sqlstate(sqlstate);
  if (place && place->stop_index() >= place->start_index() && !place->fragment().empty()) {
    // The whole text is the caller's to add; the fragment tells whether it is the same text.
    error = error.at({place->start_index(), place->stop_index() + 1})
                .with("fragment", place->fragment());
  }
  return error;
}

}  // namespace firesteel::connect
