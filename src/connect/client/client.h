// The calls of Spark Connect's service, tried again as PySpark's client does: what an operation has
// to say arrives once and whole, though connections are cut on the way.
#pragma once

#include <spark/connect/base.pb.h>

#include <atomic>
#include <functional>
#include <iosfwd>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "connect/client/connection.h"

namespace firesteel::connect {

namespace proto = spark::connect;

/// One client session on a server. Thread-safe. The destructor ends the session there.
/// Errors of calls are Spark's own, or CONNECT_UNAVAILABLE, CONNECT_UNAUTHENTICATED.
class Client {
 public:
  explicit Client(Connection connection);
  ~Client();
  Client(const Client&) = delete;

  /// What an operation says, in order. One thread; must not outlive the client. The destructor
  /// stops the operation unless it is complete.
  class Responses {
   public:
    Responses(Client& client, proto::Plan plan);
    ~Responses();
    Responses(const Responses&) = delete;
    /// Nothing at the end.
    std::optional<proto::ExecutePlanResponse> next();

   private:
    void release(const std::string& until);
    struct Stream;
    Client& client_;
    proto::ExecutePlanRequest request_;
    std::unique_ptr<Stream> stream_;
    std::string last_id_;
    size_t bytes_unreleased_ = 0;
    bool complete_ = false;
  };

  std::unique_ptr<Responses> execute(proto::Plan plan);
  proto::AnalyzePlanResponse analyze(proto::AnalyzePlanRequest request);
  proto::ConfigResponse config(proto::ConfigRequest::Operation operation);
  /// Files, modules, archives and blocks under the server's names for them ("files/x", "cache/…").
  void add_artifact(const std::string& name, const std::string& bytes);
  /// The same of a file, read as it is sent.
  void add_artifact_file(const std::string& name, const std::string& path);
  /// Whether the session has such a block ("cache/…").
  bool has_artifact(const std::string& name);

  /// Stops what runs: all of it, or what has a tag. Waits that a retry is in end too.
  void interrupt();
  void interrupt_tag(const std::string& tag);
  /// Operations begun from now on carry these tags.
  void set_tags(std::set<std::string> tags);
  /// Share of the tasks done, of the operation that spoke last; negative: unknown.
  double progress() const { return progress_; }
  /// "4.3.0", asked for once.
  const std::string& server_version();
  const Connection& connection() const { return connection_; }

 private:
  struct Stub;
  template <typename Request>
  Request about(Request request);
  template <typename Call>
  void retrying(Call call);
  template <typename Reply>
  void observe(const Reply& reply);
  void send_artifact(const std::string& name, int64_t total,
                     const std::function<std::unique_ptr<std::istream>()>& open);

  const Connection connection_;
  std::string session_id_;
  std::unique_ptr<Stub> stub_;
  std::mutex mutex_;
  std::string server_session_id_, server_version_;
  std::set<std::string> tags_;
  std::atomic<double> progress_{-1};
  std::atomic<uint64_t> interrupts_{0};
};

}  // namespace firesteel::connect
