// A client's session: its engine session, the operations that run, the files it sent, and what went
// wrong lately.
#pragma once

#include <spark/connect/base.pb.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "connect/server/operation.h"
#include "connect/server/rpc_error.h"
#include "engine/embedded.h"
#include "engine/streaming.h"

namespace firesteel::connect {

/// A random id of version 4.
std::string new_uuid();

/// Thread-safe.
class ServerSession {
 public:
  using Clock = std::chrono::steady_clock;

  /// `folder` is the session's own, made now and removed with it.
  ServerSession(std::string user, std::string id, std::shared_ptr<EmbeddedExecutor> executor,
                std::filesystem::path folder);
  ~ServerSession();

  const std::string& user() const { return user_; }
  const std::string& id() const { return id_; }
  const std::string& server_side_id() const { return server_side_id_; }
  EmbeddedExecutor& executor() const { return *executor_; }
  const std::filesystem::path& folder() const { return folder_; }
  StreamingQueries& streams() { return streams_; }
  /// Events of streams are sent until the client ends it; the number tells one time from another.
  uint64_t listen() { return ++listening_; }
  bool listens(uint64_t generation) const { return listening_ == generation; }
  void end_listening() { ++listening_; }

  /// Throws INVALID_HANDLE.OPERATION_ALREADY_EXISTS, OPERATION_ABANDONED.
  std::shared_ptr<Operation> add_operation(Operation::Labels labels);
  /// Throws INVALID_HANDLE.OPERATION_NOT_FOUND, OPERATION_ABANDONED.
  std::shared_ptr<Operation> operation(const std::string& id);
  std::vector<std::shared_ptr<Operation>> operations();
  /// Stops it, and remembers that it was there. False when it is not there.
  bool remove_operation(const std::string& id);
  void interrupt_all();

  /// The error as the client gets it. Whatever was thrown becomes one; its details are kept for
  /// FetchErrorDetails.
  RpcError explain(std::exception_ptr thrown);
  void fetch_error(const std::string& error_id, proto::FetchErrorDetailsResponse& response);

  /// The client's name of itself, which says how it takes errors.
  void note_client(const std::string& type) {
    if (!type.empty()) remakes_messages_ = type.find("_SPARK_CONNECT_SCALA") != std::string::npos;
  }
  void touch() { used_ = Clock::now().time_since_epoch().count(); }
  /// A session whose streams run is in use.
  Clock::duration idle_for() {
    if (streams_.active()) return Clock::duration::zero();
    return Clock::now().time_since_epoch() - Clock::duration(used_.load());
  }

 private:
  const std::string user_, id_, server_side_id_ = new_uuid();
  const std::shared_ptr<EmbeddedExecutor> executor_;
  const std::filesystem::path folder_;
  StreamingQueries streams_{executor_};
  std::atomic<uint64_t> listening_ = 0;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Operation>> operations_;
  std::deque<std::string> gone_operations_;
  std::deque<std::pair<std::string, Error>> errors_;  // the latest, by id
  std::atomic<bool> remakes_messages_{false};
  std::atomic<Clock::rep> used_ = Clock::now().time_since_epoch().count();
};

/// The sessions of a server, by user and id. Thread-safe.
class SessionRegistry {
 public:
  struct Options {
    Database database;
    std::map<std::string, std::string> settings;  // every session begins with
    std::filesystem::path folder;                 // a folder of each session is in it
    size_t sessions_max = 0;
    /// Where a process of this machine reaches the server as a user; empty: nowhere.
    std::function<std::string(const std::string& user)> url = {};
  };
  explicit SessionRegistry(Options options) : options_(std::move(options)) {}
  ~SessionRegistry();

  /// The session; a new one unless `must_exist`. `observed` is the server side id that the client
  /// has seen; empty when none. Throws INVALID_HANDLE.FORMAT, SESSION_NOT_FOUND, SESSION_CLOSED,
  /// SESSION_CHANGED.
  std::shared_ptr<ServerSession> session(const std::string& user, const std::string& id,
                                         const std::string& observed, bool must_exist = false);
  /// A session with what another has. Throws INVALID_CLONE_SESSION_REQUEST….
  std::shared_ptr<ServerSession> clone(ServerSession& from, const std::string& new_id);
  /// Ends a session, which may not come again unless `may_return`. Nothing when it is not there.
  std::shared_ptr<ServerSession> release(const std::string& user, const std::string& id,
                                         bool may_return);
  std::vector<std::shared_ptr<ServerSession>> sessions();
  std::vector<std::shared_ptr<ServerSession>> release_idle(ServerSession::Clock::duration limit);

 private:
  using Key = std::pair<std::string, std::string>;
  std::shared_ptr<ServerSession> make(const Key& key, std::shared_ptr<EmbeddedExecutor> executor);
  void remember_closed(const Key& key);
  /// Those that a user's sessions share; the caller holds the lock.
  std::shared_ptr<TemporaryViews> global_views(const std::string& user);

  const Options options_;
  std::mutex mutex_;
  std::map<Key, std::shared_ptr<ServerSession>> sessions_;
  std::deque<Key> closed_;
  std::map<std::string, std::shared_ptr<TemporaryViews>> global_views_;  // by user
};

}  // namespace firesteel::connect
