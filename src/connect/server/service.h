// The gRPC service: each call finds its session, does its work and turns errors into statuses.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "connect/server/session.h"

namespace grpc {
class Service;
}

namespace firesteel::connect {

struct ServiceOptions {
  std::map<std::string, std::string> tokens;  // ServerOptions::tokens
  std::atomic<bool>* draining = nullptr;      // new operations are refused
};

/// `sessions` outlives the service.
std::shared_ptr<grpc::Service> make_service(SessionRegistry& sessions, ServiceOptions options);

}  // namespace firesteel::connect
