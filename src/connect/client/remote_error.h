// Errors of a Spark Connect server as ours: its class, message, SQLSTATE, and the place in the
// user's text.
#pragma once

#include <spark/connect/base.pb.h>

#include <functional>
#include <string>

#include "base/error.h"

namespace firesteel::connect {

/// What Spark has to say of an error beyond its status; nothing when it does not tell.
using FetchDetails =
    std::function<spark::connect::FetchErrorDetailsResponse(const std::string& error_id)>;

/// A gRPC status (its code, text, serialized google.rpc.Status) as an Error. Errors that a task of
/// ours raised on an executor come out as they were raised.
Error remote_error(int code, const std::string& message, const std::string& details,
                   const std::string& url, const FetchDetails& fetch);

}  // namespace firesteel::connect
