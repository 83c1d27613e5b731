// Spark Connect's calls. Plans come nested deep: they are worked on with a deep stack.
#include "connect/server/service.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <spark/connect/base.grpc.pb.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "connect/server/answers.h"
#include "connect/server/artifacts.h"
#include "connect/server/deep_stack.h"

namespace firesteel::connect {

namespace {

grpc::Status status_of(const RpcError& error) {
  return {static_cast<grpc::StatusCode>(error.code), error.message, error.details};
}

class Service final : public proto::SparkConnectService::Service {
 public:
  Service(SessionRegistry& sessions, ServiceOptions options)
      : sessions_(sessions), options_(std::move(options)) {}

  grpc::Status ExecutePlan(grpc::ServerContext* context, const proto::ExecutePlanRequest* request,
                           grpc::ServerWriter<proto::ExecutePlanResponse>* writer) override {
    return with_session(*context, *request, [&](ServerSession& session) {
      if (*options_.draining)
        throw Error("SERVER_STOPPING", "The server is stopping and takes no new operations.");
      Operation::Labels labels{.session_id = session.id(),
                               .server_side_session_id = session.server_side_id(),
                               .operation_id = request->operation_id(),
                               .tags = {request->tags().begin(), request->tags().end()},
                               .reattachable = is_reattachable(*request)};
      if (labels.operation_id.empty()) labels.operation_id = new_uuid();
      const auto operation = session.add_operation(labels);
      // The session lives as long as its operations: it is held by the call, and by the work.
      operation->start(
          [&session, kept = *request](Operation& running) {
            const auto begin = Operation::Clock::now();
            execute_plan(session, kept, running);
            spdlog::info(
                "\"event\": \"operation\", \"session\": \"{}\", \"operation\": \"{}\", \"ms\": {}",
                session.id(), running.labels().operation_id,
                std::chrono::duration_cast<std::chrono::milliseconds>(Operation::Clock::now() -
                                                                      begin)
                    .count());
          },
          [&session, id = labels.operation_id](std::exception_ptr thrown) {
            auto error = session.explain(thrown);
            spdlog::warn(
                "\"event\": \"operation failed\", \"session\": \"{}\", \"operation\": \"{}\", "
                "\"error\": {}",
                session.id(), id, nlohmann::json(error.message).dump());
            return error;
          });
      const auto status = stream(*context, session, *operation, 0, *writer);
      if (!labels.reattachable) session.remove_operation(labels.operation_id);
      return status;
    });
  }

  grpc::Status ReattachExecute(grpc::ServerContext* context,
                               const proto::ReattachExecuteRequest* request,
                               grpc::ServerWriter<proto::ExecutePlanResponse>* writer) override {
    return with_session(
        *context, *request,
        [&](ServerSession& session) {
          const auto operation = session.operation(request->operation_id());
          if (!operation->labels().reattachable) {
            throw Error("INVALID_CURSOR.NOT_REATTACHABLE",
                        "The cursor is invalid. The cursor is not reattachable.");
          }
          return stream(*context, session, *operation,
                        operation->index_after(request->last_response_id()), *writer);
        },
        true);
  }

  grpc::Status ReleaseExecute(grpc::ServerContext* context,
                              const proto::ReleaseExecuteRequest* request,
                              proto::ReleaseExecuteResponse* response) override {
    return with_session(
        *context, *request,
        [&](ServerSession& session) {
          identify(session, *response);
          if (request->has_release_until()) {
            for (const auto& operation : session.operations()) {
              if (operation->labels().operation_id != request->operation_id()) continue;
              operation->release_until(request->release_until().response_id());
              response->set_operation_id(request->operation_id());
            }
          } else if (session.remove_operation(request->operation_id())) {
            response->set_operation_id(request->operation_id());
          }
          return grpc::Status::OK;
        },
        true);
  }

  grpc::Status AnalyzePlan(grpc::ServerContext* context, const proto::AnalyzePlanRequest* request,
                           proto::AnalyzePlanResponse* response) override {
    return with_session(*context, *request, [&](ServerSession& session) {
      identify(session, *response);
      on_deep_stack([&] { analyze_plan(session, *request, *response); });
      return grpc::Status::OK;
    });
  }

  grpc::Status Config(grpc::ServerContext* context, const proto::ConfigRequest* request,
                      proto::ConfigResponse* response) override {
    return with_session(*context, *request, [&](ServerSession& session) {
      identify(session, *response);
      answer_config(session, *request, *response);
      return grpc::Status::OK;
    });
  }

  grpc::Status AddArtifacts(grpc::ServerContext* context,
                            grpc::ServerReader<proto::AddArtifactsRequest>* reader,
                            proto::AddArtifactsResponse* response) override {
    proto::AddArtifactsRequest request;
    if (!reader->Read(&request)) return grpc::Status::OK;
    return with_session(*context, request, [&](ServerSession& session) {
      identify(session, *response);
      ArtifactReceiver receiver(session.folder());
      do {
        receiver.receive(request, *response);
      } while (reader->Read(&request));
      receiver.finish();
      return grpc::Status::OK;
    });
  }

  grpc::Status ArtifactStatus(grpc::ServerContext* context,
                              const proto::ArtifactStatusesRequest* request,
                              proto::ArtifactStatusesResponse* response) override {
    return with_session(*context, *request, [&](ServerSession& session) {
      identify(session, *response);
      for (const auto& name : request->names())
        (*response->mutable_statuses())[name].set_exists(has_artifact(session.folder(), name));
      return grpc::Status::OK;
    });
  }

  grpc::Status Interrupt(grpc::ServerContext* context, const proto::InterruptRequest* request,
                         proto::InterruptResponse* response) override {
    return with_session(*context, *request, [&](ServerSession& session) {
      identify(session, *response);
      for (const auto& operation : session.operations()) {
        const auto& labels = operation->labels();
        const bool meant =
            request->interrupt_type() == proto::InterruptRequest::INTERRUPT_TYPE_ALL ||
            (request->interrupt_type() == proto::InterruptRequest::INTERRUPT_TYPE_TAG &&
             std::ranges::find(labels.tags, request->operation_tag()) != labels.tags.end()) ||
            (request->interrupt_type() == proto::InterruptRequest::INTERRUPT_TYPE_OPERATION_ID &&
             labels.operation_id == request->operation_id());
        if (!meant || operation->finished()) continue;
        operation->interrupt();
        response->add_interrupted_ids(labels.operation_id);
      }
      return grpc::Status::OK;
    });
  }

  grpc::Status ReleaseSession(grpc::ServerContext* context,
                              const proto::ReleaseSessionRequest* request,
                              proto::ReleaseSessionResponse* response) override {
    return guarded(*context, request->user_context(), [&](const std::string& user) {
      response->set_session_id(request->session_id());
      if (const auto released =
              sessions_.release(user, request->session_id(), request->allow_reconnect()))
        response->set_server_side_session_id(released->server_side_id());
      return grpc::Status::OK;
    });
  }

  grpc::Status FetchErrorDetails(grpc::ServerContext* context,
                                 const proto::FetchErrorDetailsRequest* request,
                                 proto::FetchErrorDetailsResponse* response) override {
    return with_session(*context, *request, [&](ServerSession& session) {
      identify(session, *response);
      session.fetch_error(request->error_id(), *response);
      return grpc::Status::OK;
    });
  }

  grpc::Status CloneSession(grpc::ServerContext* context, const proto::CloneSessionRequest* request,
                            proto::CloneSessionResponse* response) override {
    return with_session(
        *context, *request,
        [&](ServerSession& session) {
          identify(session, *response);
          const auto made = sessions_.clone(session, request->new_session_id());
          response->set_new_session_id(made->id());
          response->set_new_server_side_session_id(made->server_side_id());
          return grpc::Status::OK;
        },
        true);
  }

  grpc::Status GetStatus(grpc::ServerContext* context, const proto::GetStatusRequest* request,
                         proto::GetStatusResponse* response) override {
    using Status = proto::GetStatusResponse_OperationStatus;
    return with_session(*context, *request, [&](ServerSession& session) {
      identify(session, *response);
      if (!request->has_operation_status()) return grpc::Status::OK;
      const auto& asked = request->operation_status().operation_ids();
      const auto operations = session.operations();
      const auto add = [&](const std::string& id, Status::OperationState state) {
        auto* out = response->add_operation_statuses();
        out->set_operation_id(id);
        out->set_state(state);
      };
      if (asked.empty()) {
        for (const auto& operation : operations)
          add(operation->labels().operation_id, operation->state());
      }
      for (const auto& id : asked) {
        const auto found = std::ranges::find_if(
            operations, [&](const auto& each) { return each->labels().operation_id == id; });
        add(id, found == operations.end() ? Status::OPERATION_STATE_UNKNOWN : (*found)->state());
      }
      return grpc::Status::OK;
    });
  }

 private:
  static bool is_reattachable(const proto::ExecutePlanRequest& request) {
    return std::ranges::any_of(request.request_options(), [](const auto& option) {
      return option.reattach_options().reattachable();
    });
  }

  template <typename Response>
  static void identify(const ServerSession& session, Response& response) {
    response.set_session_id(session.id());
    response.set_server_side_session_id(session.server_side_id());
  }

  /// Who calls: the token's user, or whom the client says it is. Throws UNAUTHENTICATED.
  std::string user_of(const grpc::ServerContext& context, const proto::UserContext& said) const {
    if (options_.tokens.empty()) return said.user_id();
    constexpr std::string_view kScheme = "Bearer ";
    const auto [begin, end] = context.client_metadata().equal_range("authorization");
    for (auto entry = begin; entry != end; ++entry) {
      const std::string_view value(entry->second.data(), entry->second.size());
      if (!value.starts_with(kScheme)) continue;
      const auto found = options_.tokens.find(std::string(value.substr(kScheme.size())));
      if (found != options_.tokens.end())
        return found->second.empty() ? said.user_id() : found->second;
    }
    throw Error(
        "UNAUTHENTICATED",
        "The server wants a token, e.g. sc://HOST:PORT/;token=…, and this is not one of its.");
  }

  template <typename Body>
  grpc::Status guarded(const grpc::ServerContext& context, const proto::UserContext& said,
                       Body body) {
    try {
      return body(user_of(context, said));
    } catch (const Error& error) {
      if (error.condition() == "UNAUTHENTICATED")
        return status_of(RpcError::unauthenticated(error.message()));
      return status_of(RpcError::of(error));
    } catch (const std::exception& error) {
      return status_of(RpcError::of(Error("INTERNAL_ERROR", error.what())));
    }
  }

  template <typename Request, typename Body>
  grpc::Status with_session(const grpc::ServerContext& context, const Request& request, Body body,
                            bool must_exist = false) {
    return guarded(context, request.user_context(), [&](const std::string& user) {
      const auto session = sessions_.session(
          user, request.session_id(), request.client_observed_server_side_session_id(), must_exist);
      session->note_client(request.client_type());
      try {
        return body(*session);
      } catch (...) {
        return status_of(session->explain(std::current_exception()));
      }
    });
  }

  static grpc::Status stream(grpc::ServerContext& context, ServerSession& session,
                             Operation& operation, uint64_t index,
                             grpc::ServerWriter<proto::ExecutePlanResponse>& writer) {
    const auto end = operation.stream(
        index, [&](const proto::ExecutePlanResponse& response) { return writer.Write(response); },
        [&] { return context.IsCancelled(); });
    session.touch();
    return end ? status_of(*end) : grpc::Status::OK;
  }

  SessionRegistry& sessions_;
  const ServiceOptions options_;
};

}  // namespace

std::shared_ptr<grpc::Service> make_service(SessionRegistry& sessions, ServiceOptions options) {
  return std::make_shared<Service>(sessions, std::move(options));
}

}  // namespace firesteel::connect
