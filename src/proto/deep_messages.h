// Plans come nested deeper than protobuf parses by itself: an operator is two messages deep, and
// its limit is 100. Included ahead of the generated service, so that its two calls with plans are
// parsed by this in place of gRPC's own.
#pragma once

#include <google/protobuf/io/coded_stream.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>
#include <spark/connect/base.pb.h>

namespace grpc {

template <typename Request>
class DeepMessageTraits {
 public:
  static Status Serialize(const Request& message, ByteBuffer* out, bool* own) {
    return GenericSerialize<ProtoBufferWriter, Request>(message, out, own);
  }
  static Status Deserialize(ByteBuffer* buffer, Request* message) {
    if (!buffer) return Status(StatusCode::INTERNAL, "No payload");
    Status status = Status::OK;
    {
      ProtoBufferReader reader(buffer);
      if (!reader.status().ok()) return reader.status();
      google::protobuf::io::CodedInputStream in(&reader);
      in.SetRecursionLimit(10000);
      if (!message->ParseFromCodedStream(&in) || !in.ConsumedEntireMessage())
        status = Status(StatusCode::INVALID_ARGUMENT, "The message cannot be parsed.");
    }
    buffer->Clear();
    return status;
  }
};
template <>
class SerializationTraits<spark::connect::ExecutePlanRequest, void>
    : public DeepMessageTraits<spark::connect::ExecutePlanRequest> {};
template <>
class SerializationTraits<spark::connect::AnalyzePlanRequest, void>
    : public DeepMessageTraits<spark::connect::AnalyzePlanRequest> {};

}  // namespace grpc
