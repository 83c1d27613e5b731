// Walking over the messages of a plan, whatever their kinds.
#pragma once

#include <functional>

namespace google::protobuf {
class Message;
}

namespace firesteel {

/// Calls `visit` with the message and, while it gives true, with those inside, outer ones first.
/// Maps are left out.
void for_each_message(const google::protobuf::Message& message,
                      const std::function<bool(const google::protobuf::Message&)>& visit);

}  // namespace firesteel
