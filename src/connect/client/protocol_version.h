// What an older server's protocol does not have: protobuf would leave it out in silence.
#pragma once

#include <spark/connect/base.pb.h>

#include <string>

namespace firesteel::connect {

/// Throws UNSUPPORTED_FEATURE.CONNECT_VERSION, which names the field, when the plan says something
/// that a server of this version ("3.5.6") does not read. What only tells places in the user's
/// program is left out of the plan.
void fit_protocol(spark::connect::Plan& plan, const std::string& server_version);

/// Whether a server's version ("4.0.4") is this one ("4.1") or later.
bool is_since(const std::string& server_version, const std::string& version);

}  // namespace firesteel::connect
