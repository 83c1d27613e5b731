// Errors as gRPC carries them: google.rpc.Status with Spark's ErrorInfo, from which clients make
// the exception that Spark would throw.
#pragma once

#include <spark/connect/base.pb.h>

#include <string>

#include "base/error.h"

namespace firesteel::connect {

/// A gRPC status, without gRPC's headers.
struct RpcError {
  int code = 0;         // grpc::StatusCode
  std::string message;  // at most 2 KB
  std::string details;  // a serialized google.rpc.Status

  /// INTERNAL, with Spark's error class, SQLSTATE and exception. `error_id` is what the client asks
  /// the whole message by (FetchErrorDetails); empty: it is not kept.
  /// The JVM's client `remakes` the message from the class and its parameters: without all of them
  /// the class is left out.
  static RpcError of(const Error& error, const std::string& error_id = "", bool remakes = false);
  static RpcError cancelled();
  static RpcError unauthenticated(const std::string& message);
};

/// The error's message, classes, parameters and place, for FetchErrorDetails.
void describe_error(const Error& error, bool remakes,
                    spark::connect::FetchErrorDetailsResponse& response);

}  // namespace firesteel::connect
