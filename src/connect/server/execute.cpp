// The work of ExecutePlan.
#include <arrow/buffer.h>
#include <arrow/util/compression.h>
#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "connect/arrow_encoder.h"
#include "connect/server/answers.h"
#include "plan/types.h"

namespace firesteel::connect {

namespace {

/// A response's rows: small enough to come early, large enough that its envelope costs nothing.
constexpr int64_t kBatchBytesMax = 8 << 20;
/// Below the 128 MB that clients take as one message.
constexpr size_t kChunkBytesMax = 64 << 20;
constexpr size_t kPlanBytesMax = 512 << 20;
constexpr int kMessageDepthMax = 10000;  // as proto/deep_messages.h

using Response = proto::ExecutePlanResponse;

[[noreturn]] void cannot_parse(const std::string& why) {
  throw Error("CONNECT_INVALID_PLAN.CANNOT_PARSE",
              fmt::format("The Spark Connect plan is invalid. Cannot decompress or parse the input "
                          "plan ({}).",
                          why));
}

std::string decompressed(const std::string& data) {
  auto codec = arrow::util::Codec::Create(arrow::Compression::ZSTD);
  if (!codec.ok()) cannot_parse(codec.status().message());
  auto decompressor = (*codec)->MakeDecompressor();
  if (!decompressor.ok()) cannot_parse(decompressor.status().message());
  std::string out;
  size_t read = 0, size = std::max<size_t>(data.size() * 4, 1 << 16);
  while (!(*decompressor)->IsFinished()) {
    const auto begin = out.size();
    if (begin + size > kPlanBytesMax)
      cannot_parse(fmt::format("it is larger than {} MB", kPlanBytesMax >> 20));
    out.resize(begin + size);
    const auto result = (*decompressor)
                            ->Decompress(static_cast<int64_t>(data.size() - read),
                                         reinterpret_cast<const uint8_t*>(data.data()) + read,
                                         static_cast<int64_t>(size),
                                         reinterpret_cast<uint8_t*>(out.data()) + begin);
    if (!result.ok()) cannot_parse(result.status().message());
    read += static_cast<size_t>(result->bytes_read);
    out.resize(begin + static_cast<size_t>(result->bytes_written));
    if (result->need_more_output) size *= 2;
    if (result->bytes_read == 0 && result->bytes_written == 0 && !result->need_more_output)
      cannot_parse("it is cut off");
  }
  return out;
}

bool chunks_allowed(const proto::ExecutePlanRequest& request) {
  return std::ranges::any_of(request.request_options(), [](const auto& option) {
    return option.result_chunking_options().allow_arrow_batch_chunking();
  });
}

size_t chunk_bytes(const proto::ExecutePlanRequest& request) {
  for (const auto& option : request.request_options()) {
    const auto& chunking = option.result_chunking_options();
    if (chunking.has_preferred_arrow_chunk_size() && chunking.preferred_arrow_chunk_size() > 0)
      return std::clamp<size_t>(chunking.preferred_arrow_chunk_size(), 1 << 10, kChunkBytesMax);
  }
  return kChunkBytesMax;
}

void send_batch(EncodedBatch batch, int64_t offset, const proto::ExecutePlanRequest& request,
                Operation& operation) {
  const auto bytes_max = chunk_bytes(request);
  if (batch.data.size() <= bytes_max || !chunks_allowed(request)) {
    Response response;
    auto* out = response.mutable_arrow_batch();
    out->set_row_count(batch.rows);
    out->set_start_offset(offset);
    out->set_data(std::move(batch.data));
    operation.send(std::move(response));
    return;
  }
  const auto chunks = (batch.data.size() + bytes_max - 1) / bytes_max;
  for (size_t chunk = 0; chunk < chunks; ++chunk) {
    Response response;
    auto* out = response.mutable_arrow_batch();
    out->set_row_count(batch.rows);
    out->set_start_offset(offset);
    out->set_chunk_index(static_cast<int64_t>(chunk));
    out->set_num_chunks_in_batch(static_cast<int64_t>(chunks));
    out->set_data(batch.data.substr(chunk * bytes_max, bytes_max));
    operation.send(std::move(response));
  }
}

std::string session_zone(EmbeddedExecutor& executor) {
  return executor.setting("spark.sql.session.timeZone").value_or("UTC");
}

void send_observed(EmbeddedExecutor& executor, const google::protobuf::Message& plan,
                   Operation& operation) {
  Response response;
  for (const auto& observed : executor.observed(plan)) {
    auto* out = response.add_observed_metrics();
    out->set_name(observed.name);
    out->set_plan_id(observed.plan_id);
    for (const auto& key : observed.keys) out->add_keys(key);
    for (const auto& value : observed.values) *out->add_values() = value;
  }
  if (response.observed_metrics_size() > 0) operation.send(std::move(response));
}

void send_rows(EmbeddedExecutor& executor, const proto::Relation& relation,
               const proto::ExecutePlanRequest& request, Operation& operation) {
  const auto begin = std::chrono::steady_clock::now();
  auto query = executor.query(relation);
  Response first;
  type_to_proto(struct_type(query.schema), first.mutable_schema());
  operation.send(std::move(first));
  ArrowEncoder encoder(query.schema, session_zone(executor), std::move(query.rows), kBatchBytesMax);
  int64_t rows = 0;
  while (auto batch = encoder.next()) {
    const auto offset = rows;
    rows += batch->rows;
    send_batch(std::move(*batch), offset, request, operation);
  }
  Response last;
  auto* metrics = last.mutable_metrics()->add_metrics();
  metrics->set_name("Firesteel");
  const auto metric = [&](const char* name, const char* type, int64_t value) {
    auto& out = (*metrics->mutable_execution_metrics())[name];
    out.set_name(name);
    out.set_metric_type(type);
    out.set_value(value);
  };
  metric("number of output rows", "sum", rows);
  metric("duration", "timing",
         std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               begin)
             .count());
  operation.send(std::move(last));
  send_observed(executor, relation, operation);
}

/// What a statement answers, as rows that the client sends back to see them.
proto::Relation as_local_rows(EmbeddedExecutor& executor, const proto::Relation& answer) {
  auto query = executor.query(answer);
  proto::Relation out;
  out.mutable_local_relation()->set_schema(schema_json(query.schema));
  if (query.schema.empty()) return out;
  ArrowEncoder encoder(query.schema, session_zone(executor), std::move(query.rows), INT64_MAX);
  auto batch = encoder.next();
  if (encoder.next()) {
    out.mutable_cached_remote_relation()->set_relation_id(executor.checkpoint(answer));
  } else {
    out.mutable_local_relation()->set_data(std::move(batch->data));
  }
  return out;
}

void run_sql(EmbeddedExecutor& executor, const proto::SqlCommand& command, Operation& operation) {
  const auto statement = statement_of(command);
  const auto& sql =
      statement.has_with_relations() ? statement.with_relations().root().sql() : statement.sql();
  Response response;
  auto* result = response.mutable_sql_command_result()->mutable_relation();
  if (executor.is_query(sql)) {  // run when its rows are asked for
    *result = statement;
  } else {
    *result = as_local_rows(executor, executor.sql(sql));
  }
  operation.send(std::move(response));
}

void run_command(ServerSession& session, const proto::Command& command, Operation& operation) {
  auto& executor = session.executor();
  if (run_stream_command(session, command, operation)) return;
  switch (command.command_type_case()) {
    case proto::Command::kSqlCommand:
      return run_sql(executor, command.sql_command(), operation);
    case proto::Command::kCheckpointCommand: {
      Response response;
      response.mutable_checkpoint_command_result()->mutable_relation()->set_relation_id(
          executor.checkpoint(command.checkpoint_command().relation()));
      return operation.send(std::move(response));
    }
    case proto::Command::kRemoveCachedRemoteRelationCommand:
      return executor.forget_checkpoint(
          command.remove_cached_remote_relation_command().relation().relation_id());
    case proto::Command::kCreateResourceProfileCommand: {
      Response response;
      response.mutable_create_resource_profile_command_result()->set_profile_id(
          EmbeddedExecutor::add_resource_profile());
      return operation.send(std::move(response));
    }
    case proto::Command::kGetResourcesCommand: {
      Response response;
      response.mutable_get_resources_command_result();
      return operation.send(std::move(response));
    }
    default:
      executor.run(command);
      send_observed(executor, command, operation);
  }
}

}  // namespace

proto::Plan plain_plan(const proto::Plan& plan) {
  if (!plan.has_compressed_operation()) return plan;
  using Compressed = proto::Plan_CompressedOperation;
  const auto& operation = plan.compressed_operation();
  if (operation.compression_codec() != proto::COMPRESSION_CODEC_ZSTD)
    cannot_parse("its compression is not ZSTD");
  const auto bytes = decompressed(operation.data());
  proto::Plan out;
  google::protobuf::Message* inner = nullptr;
  if (operation.op_type() == Compressed::OP_TYPE_RELATION) inner = out.mutable_root();
  if (operation.op_type() == Compressed::OP_TYPE_COMMAND) inner = out.mutable_command();
  if (!inner) cannot_parse("it is neither a relation nor a command");
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                                            static_cast<int>(bytes.size()));
  in.SetRecursionLimit(kMessageDepthMax);
  if (!inner->ParseFromCodedStream(&in) || !in.ConsumedEntireMessage())
    cannot_parse("it is no message of Spark Connect");
  return out;
}

void execute_plan(ServerSession& session, const proto::ExecutePlanRequest& request,
                  Operation& operation) {
  const auto plain =
      request.plan().has_compressed_operation() ? plain_plan(request.plan()) : proto::Plan();
  const auto& plan = request.plan().has_compressed_operation() ? plain : request.plan();
  if (plan.has_root()) return send_rows(session.executor(), plan.root(), request, operation);
  if (plan.has_command()) return run_command(session, plan.command(), operation);
  throw Error("CONNECT_INVALID_PLAN.ROOT", "The plan has neither a relation nor a command.");
}

}  // namespace firesteel::connect
