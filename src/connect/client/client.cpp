// The retry policy, and reattaching, are those of pyspark/sql/connect/client.
#include "connect/client/client.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <spark/connect/base.grpc.pb.h>
#include <zlib.h>

#include <algorithm>
#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "connect/client/remote_error.h"

namespace firesteel::connect {

namespace {

using Milliseconds = std::chrono::milliseconds;

constexpr int kRetriesMax = 15;
constexpr double kBackoffFirst = 50, kBackoffMax = 60'000, kBackoffFactor = 4, kJitter = 500,
                 kJitterFrom = 2000;  // milliseconds
constexpr int64_t kChunkBytes = 32 * 1024;
constexpr size_t kReleaseBytes = 8 << 20;

std::string new_uuid() {
  static std::mutex mutex;
  static boost::uuids::random_generator generate;
  std::lock_guard lock(mutex);
  return boost::uuids::to_string(generate());
}

bool says(const grpc::Status& status, std::string_view text) {
  return status.error_message().find(text) != std::string::npos;
}

/// The operation or its session is not known to the server: it never came there, or was lost.
bool is_lost(const grpc::Status& status) {
  return says(status, "INVALID_HANDLE.OPERATION_NOT_FOUND") ||
         says(status, "INVALID_HANDLE.SESSION_NOT_FOUND");
}

bool can_retry(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         (status.error_code() == grpc::StatusCode::INTERNAL &&
          says(status, "INVALID_CURSOR.DISCONNECTED"));
}

Milliseconds backoff(int attempt) {
  static thread_local std::mt19937 random(std::random_device{}());
  double wait = std::min(kBackoffMax, kBackoffFirst * std::pow(kBackoffFactor, attempt));
  if (wait >= kJitterFrom) wait += std::uniform_real_distribution<>(0, kJitter)(random);
  return Milliseconds(std::lround(wait));
}

std::shared_ptr<grpc::Channel> channel_of(const Connection& connection) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  // A connection that died silently is noticed while a call waits on it.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  arguments.SetUserAgentPrefix("firesteel");
  auto credentials =
      connection.use_ssl || (!connection.token.empty() && connection.host != "localhost")
          ? grpc::SslCredentials({})
          : grpc::InsecureChannelCredentials();
  return grpc::CreateCustomChannel(connection.endpoint(), credentials, arguments);
}

}  // namespace

struct Client::Stub {
  explicit Stub(const Connection& connection)
      : rpc(proto::SparkConnectService::NewStub(channel_of(connection))) {}
  std::unique_ptr<proto::SparkConnectService::Stub> rpc;

  std::unique_ptr<grpc::ClientContext> context(const Connection& connection) const {
    auto out = std::make_unique<grpc::ClientContext>();
    if (!connection.token.empty()) out->AddMetadata("authorization", "Bearer " + connection.token);
    for (const auto& [name, value] : connection.headers) {
      if (!name.starts_with("grpc_"))
        out->AddMetadata(name, value);  // Those are Python's channel's.
    }
    return out;
  }
};

Client::Client(Connection connection)
    : connection_(std::move(connection)),
      session_id_(connection_.session_id.empty() ? new_uuid() : connection_.session_id),
      stub_(std::make_unique<Stub>(connection_)) {}

Client::~Client() {
  if (!connection_.session_id.empty()) return;  // Others may go on in it.
  std::string observed;
  {
    std::lock_guard lock(mutex_);
    observed = server_session_id_;
  }
  if (observed.empty()) return;  // The server never heard of it.
  proto::ReleaseSessionRequest request;
  request.set_session_id(session_id_);
  request.mutable_user_context()->set_user_id(connection_.user_id);
  proto::ReleaseSessionResponse reply;
  const auto context = stub_->context(connection_);
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(2));
  stub_->rpc->ReleaseSession(context.get(), request, &reply);  // An old server has no such call.
}

/// The request with who asks, in which session.
template <typename Request>
Request Client::about(Request request) {
  request.set_session_id(session_id_);
  request.mutable_user_context()->set_user_id(connection_.user_id);
  request.mutable_user_context()->set_user_name(connection_.user_id);
  request.set_client_type(connection_.user_agent.empty() ? "firesteel" : connection_.user_agent);
  std::lock_guard lock(mutex_);
  if (!server_session_id_.empty())
    request.set_client_observed_server_side_session_id(server_session_id_);
  return request;
}

template <typename Reply>
void Client::observe(const Reply& reply) {
  std::lock_guard lock(mutex_);
  if (server_session_id_.empty()) server_session_id_ = reply.server_side_session_id();
}

/// `call` gives a status; it is tried again while that is one that passes.
template <typename Call>
void Client::retrying(Call call) {
  const auto interrupts = interrupts_.load();
  for (int attempt = 0;; ++attempt) {
    const grpc::Status status = call();
    if (status.ok()) return;
    if (!can_retry(status) || attempt >= kRetriesMax) {
      const auto fetch = [&](const std::string& id) {
        proto::FetchErrorDetailsRequest request;
        request.set_error_id(id);
        proto::FetchErrorDetailsResponse details;
        const auto context = stub_->context(connection_);
        context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
        stub_->rpc->FetchErrorDetails(context.get(), about(std::move(request)), &details);
        return details;
      };
      throw remote_error(status.error_code(), status.error_message(), status.error_details(),
                         connection_.url(), fetch);
    }
    const auto until = std::chrono::steady_clock::now() + backoff(attempt);
    while (std::chrono::steady_clock::now() < until) {
      if (interrupts_ != interrupts)
        throw Error("OPERATION_CANCELED", "The operation was canceled.");
      std::this_thread::sleep_for(Milliseconds(20));
    }
  }
}

proto::AnalyzePlanResponse Client::analyze(proto::AnalyzePlanRequest request) {
  proto::AnalyzePlanResponse reply;
  request = about(std::move(request));
  retrying(
      [&] { return stub_->rpc->AnalyzePlan(stub_->context(connection_).get(), request, &reply); });
  observe(reply);
  return reply;
}

proto::ConfigResponse Client::config(proto::ConfigRequest::Operation operation) {
  proto::ConfigRequest request;
  *request.mutable_operation() = std::move(operation);
  request = about(std::move(request));
  proto::ConfigResponse reply;
  retrying([&] { return stub_->rpc->Config(stub_->context(connection_).get(), request, &reply); });
  observe(reply);
  return reply;
}

const std::string& Client::server_version() {
  {
    std::lock_guard lock(mutex_);
    if (!server_version_.empty()) return server_version_;
  }
  proto::AnalyzePlanRequest request;
  request.mutable_spark_version();
  auto version = analyze(std::move(request)).spark_version().version();
  std::lock_guard lock(mutex_);
  if (server_version_.empty()) server_version_ = std::move(version);
  return server_version_;
}

void Client::interrupt() {
  ++interrupts_;
  proto::InterruptRequest request;
  request.set_interrupt_type(proto::InterruptRequest::INTERRUPT_TYPE_ALL);
  proto::InterruptResponse reply;
  const auto context = stub_->context(connection_);
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  stub_->rpc->Interrupt(context.get(), about(std::move(request)), &reply);
}

void Client::interrupt_tag(const std::string& tag) {
  proto::InterruptRequest request;
  request.set_interrupt_type(proto::InterruptRequest::INTERRUPT_TYPE_TAG);
  request.set_operation_tag(tag);
  request = about(std::move(request));
  proto::InterruptResponse reply;
  retrying(
      [&] { return stub_->rpc->Interrupt(stub_->context(connection_).get(), request, &reply); });
}

void Client::set_tags(std::set<std::string> tags) {
  for (const auto& tag : tags) {
    if (tag.empty() || tag.find(',') != std::string::npos)
      throw Error("INVALID_OPTION", fmt::format("A tag is text without commas, not '{}'.", tag));
  }
  std::lock_guard lock(mutex_);
  tags_ = std::move(tags);
}

namespace {

void fill(proto::AddArtifactsRequest::ArtifactChunk* chunk, std::string bytes) {
  chunk->set_crc(static_cast<int64_t>(crc32(0, reinterpret_cast<const unsigned char*>(bytes.data()),
                                            static_cast<unsigned>(bytes.size()))));
  chunk->set_data(std::move(bytes));
}

}  // namespace

/// Bytes in chunks; `open` gives a stream of them for each attempt.
void Client::send_artifact(const std::string& name, int64_t total,
                           const std::function<std::unique_ptr<std::istream>()>& open) {
  const int64_t chunks = (total + kChunkBytes - 1) / kChunkBytes;
  proto::AddArtifactsResponse reply;
  retrying([&]() -> grpc::Status {
    const auto context = stub_->context(connection_);
    const auto writer = stub_->rpc->AddArtifacts(context.get(), &reply);
    const auto in = open();
    for (int64_t i = 0; i < std::max<int64_t>(1, chunks); ++i) {
      std::string bytes(static_cast<size_t>(std::min(kChunkBytes, total - i * kChunkBytes)), '\0');
      if (!in->read(bytes.data(), static_cast<std::streamsize>(bytes.size())))
        throw Error("IO_ERROR", fmt::format("`{}` cannot be read to its end.", name));
      proto::AddArtifactsRequest request;
      if (chunks <= 1) {
        auto* whole = request.mutable_batch()->add_artifacts();
        whole->set_name(name);
        fill(whole->mutable_data(), std::move(bytes));
      } else if (i == 0) {
        auto* begin = request.mutable_begin_chunk();
        begin->set_name(name);
        begin->set_total_bytes(total);
        begin->set_num_chunks(chunks);
        fill(begin->mutable_initial_chunk(), std::move(bytes));
      } else {
        fill(request.mutable_chunk(), std::move(bytes));
      }
      if (!writer->Write(about(std::move(request)))) break;
    }
    writer->WritesDone();
    return writer->Finish();
  });
  for (const auto& artifact : reply.artifacts()) {
    if (!artifact.is_crc_successful()) {
      throw Error("CONNECT_UNAVAILABLE", fmt::format("`{}` came damaged to {}; try again.",
                                                     artifact.name(), connection_.url()));
    }
  }
}

void Client::add_artifact(const std::string& name, const std::string& bytes) {
  send_artifact(name, static_cast<int64_t>(bytes.size()),
                [&] { return std::make_unique<std::istringstream>(bytes); });
}

void Client::add_artifact_file(const std::string& name, const std::string& path) {
  std::error_code missing;
  const auto total = std::filesystem::file_size(path, missing);
  if (missing)
    throw Error("PATH_NOT_FOUND", fmt::format("`{}` cannot be read: {}.", path, missing.message()));
  send_artifact(name, static_cast<int64_t>(total),
                [&] { return std::make_unique<std::ifstream>(path, std::ios::binary); });
}

bool Client::has_artifact(const std::string& name) {
  proto::ArtifactStatusesRequest request;
  request.add_names(name);
  request = about(std::move(request));
  proto::ArtifactStatusesResponse reply;
  retrying([&] {
    return stub_->rpc->ArtifactStatus(stub_->context(connection_).get(), request, &reply);
  });
  const auto found = reply.statuses().find(name);
  return found != reply.statuses().end() && found->second.exists();
}

std::unique_ptr<Client::Responses> Client::execute(proto::Plan plan) {
  progress_ = -1;
  return std::make_unique<Responses>(*this, std::move(plan));
}

struct Client::Responses::Stream {
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientReader<proto::ExecutePlanResponse>> reader;
};

Client::Responses::Responses(Client& client, proto::Plan plan) : client_(client) {
  *request_.mutable_plan() = std::move(plan);
  request_.set_operation_id(new_uuid());
  request_.add_request_options()->mutable_reattach_options()->set_reattachable(true);
  auto* chunks = request_.add_request_options()->mutable_result_chunking_options();
  chunks->set_allow_arrow_batch_chunking(true);
  request_ = client_.about(std::move(request_));
  std::lock_guard lock(client_.mutex_);
  for (const auto& tag : client_.tags_) request_.add_tags(tag);
}

Client::Responses::~Responses() {
  if (complete_) return;
  if (stream_) stream_->context->TryCancel();
  try {
    proto::InterruptRequest request;
    request.set_interrupt_type(proto::InterruptRequest::INTERRUPT_TYPE_OPERATION_ID);
    request.set_operation_id(request_.operation_id());
    proto::InterruptResponse reply;
    const auto context = client_.stub_->context(client_.connection_);
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(2));
    client_.stub_->rpc->Interrupt(context.get(), client_.about(std::move(request)), &reply);
    release("");
  } catch (const std::exception&) {  // NOLINT: the server ends what nobody asks for.
  }
}

std::optional<proto::ExecutePlanResponse> Client::Responses::next() {
  if (complete_) return std::nullopt;
  proto::ExecutePlanResponse response;
  bool read = false;
  auto& rpc = *client_.stub_->rpc;
  bool again = last_id_.empty() && !stream_;  // ExecutePlan, not yet ReattachExecute
  try {
    client_.retrying([&]() -> grpc::Status {
      // A stream that ends without an error, before it is complete, goes on in another.
      for (;;) {
        if (!stream_) {
          stream_ = std::make_unique<Stream>();
          stream_->context = client_.stub_->context(client_.connection_);
          if (again) {
            stream_->reader = rpc.ExecutePlan(stream_->context.get(), request_);
          } else {
            proto::ReattachExecuteRequest request;
            request.set_operation_id(request_.operation_id());
            if (!last_id_.empty()) request.set_last_response_id(last_id_);
            stream_->reader =
                rpc.ReattachExecute(stream_->context.get(), client_.about(std::move(request)));
          }
          again = false;
        }
        read = stream_->reader->Read(&response);
        if (read) return grpc::Status::OK;
        const auto status = stream_->reader->Finish();
        stream_.reset();
        if (status.ok()) continue;
        if (!is_lost(status)) return status;
        if (!last_id_.empty()) {
          throw Error("CONNECT_UNAVAILABLE",
                      fmt::format("{} was started anew, or forgot the query, after it had given "
                                  "rows of it. Run it again.",
                                  client_.connection_.url()));
        }
        again = true;
        return {grpc::StatusCode::UNAVAILABLE, status.error_message()};
      }
    });
  } catch (...) {
    complete_ = true;
    release("");
    throw;
  }
  client_.observe(response);
  last_id_ = response.response_id();
  if (response.has_execution_progress()) {
    int64_t tasks = 0, done = 0;
    for (const auto& stage : response.execution_progress().stages()) {
      tasks += stage.num_tasks();
      done += stage.num_completed_tasks();
    }
    if (tasks > 0) client_.progress_ = static_cast<double>(done) / static_cast<double>(tasks);
  }
  if (response.has_result_complete()) {
    complete_ = true;
    stream_.reset();
    release("");
    return std::nullopt;
  }
  bytes_unreleased_ += response.ByteSizeLong();
  if (bytes_unreleased_ > kReleaseBytes) {
    release(last_id_);
    bytes_unreleased_ = 0;
  }
  return response;
}

/// Tells the server what it need not keep; nothing: all. If that fails it finds out by itself.
void Client::Responses::release(const std::string& until) {
  proto::ReleaseExecuteRequest request;
  request.set_operation_id(request_.operation_id());
  if (until.empty())
    request.mutable_release_all();
  else
    request.mutable_release_until()->set_response_id(until);
  proto::ReleaseExecuteResponse reply;
  const auto context = client_.stub_->context(client_.connection_);
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  client_.stub_->rpc->ReleaseExecute(context.get(), client_.about(std::move(request)), &reply);
}

}  // namespace firesteel::connect
