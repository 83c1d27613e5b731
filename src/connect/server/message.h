// Messages of Spark Connect parsed as deep as plans are.
#pragma once

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/message.h>

#include <string>

namespace firesteel::connect {

/// Each operator of a plan is two messages deep; protobuf's own limit is 100.
inline constexpr int kMessageDepthMax = 10000;

inline bool parse_message(google::protobuf::io::CodedInputStream& in,
                          google::protobuf::Message& message) {
  in.SetRecursionLimit(kMessageDepthMax);
  return message.ParseFromCodedStream(&in) && in.ConsumedEntireMessage();
}

inline bool parse_message(const std::string& bytes, google::protobuf::Message& message) {
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                                            static_cast<int>(bytes.size()));
  return parse_message(in, message);
}

}  // namespace firesteel::connect
