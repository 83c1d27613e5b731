// What the service's calls do, without gRPC: requests of a session in, responses out.
#pragma once

#include <spark/connect/base.pb.h>

#include "connect/server/session.h"

namespace firesteel::connect {

/// The work of ExecutePlan: a relation's rows or a command's results. execute.cpp
void execute_plan(ServerSession& session, const proto::ExecutePlanRequest& request,
                  Operation& operation);
/// Commands of streams; false when the command is another. streams.cpp
bool run_stream_command(ServerSession& session, const proto::Command& command,
                        Operation& operation);
/// analyze.cpp
void analyze_plan(ServerSession& session, const proto::AnalyzePlanRequest& request,
                  proto::AnalyzePlanResponse& response);
/// config.cpp
void answer_config(ServerSession& session, const proto::ConfigRequest& request,
                   proto::ConfigResponse& response);
/// Spark's version that the server answers as.
inline constexpr const char* kSparkVersion = "4.3.0";

/// The plan, taken out of its compressed form. Throws CONNECT_INVALID_PLAN.CANNOT_PARSE.
/// execute.cpp
proto::Plan plain_plan(const proto::Plan& plan);

}  // namespace firesteel::connect
