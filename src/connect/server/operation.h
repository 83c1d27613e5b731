// One ExecutePlan: its thread makes responses, a buffer keeps them until the client has them, and a
// stream, or a later one after the connection was lost, sends them.
#pragma once

#include <spark/connect/base.pb.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "connect/server/deep_stack.h"
#include "connect/server/rpc_error.h"
#include "engine/database.h"

namespace firesteel::connect {

namespace proto = spark::connect;

/// Thread-safe. The destructor stops what runs and waits for it.
class Operation {
 public:
  using Clock = std::chrono::steady_clock;
  struct Labels {
    std::string session_id, server_side_session_id, operation_id;
    std::vector<std::string> tags;
    bool reattachable = false;
  };

  explicit Operation(Labels labels);
  ~Operation();
  Operation(const Operation&) = delete;

  const Labels& labels() const { return labels_; }

  /// Runs `work` on a thread of the operation; what it throws becomes the stream's end, as
  /// `explain_error` says it.
  void start(std::function<void(Operation&)> work,
             std::function<RpcError(std::exception_ptr)> explain_error);
  /// A response of the work. Waits while the client is far behind. Throws OPERATION_CANCELED.
  void send(proto::ExecutePlanResponse response);

  /// Writes responses from `index` on until the last, or until `write` returns false. A later call
  /// takes the stream over from an earlier one. Nothing: the end; else why it ended.
  std::optional<RpcError> stream(
      uint64_t index, const std::function<bool(const proto::ExecutePlanResponse&)>& write,
      const std::function<bool()>& is_lost);
  /// The place after a response id. Throws INVALID_CURSOR… when it is unknown or gone.
  uint64_t index_after(const std::string& response_id) const;
  /// Responses up to this one are no longer needed.
  void release_until(const std::string& response_id);

  void interrupt();
  bool interrupted() const { return queries_.interrupted(); }
  bool finished() const;
  proto::GetStatusResponse_OperationStatus_OperationState state() const;
  /// How long no stream has been attached; zero while one is.
  Clock::duration detached_for() const;

 private:
  std::string response_id(uint64_t index) const;
  std::optional<uint64_t> index_of(const std::string& response_id) const;
  void append(proto::ExecutePlanResponse response, std::unique_lock<std::mutex>& lock);
  void report_progress(std::unique_lock<std::mutex>& lock);

  const Labels labels_;
  QueryGroup queries_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<const proto::ExecutePlanResponse>> responses_;
  uint64_t first_ = 0;     // index of responses_[0]
  uint64_t consumed_ = 0;  // index after the last that was written
  size_t bytes_ahead_ = 0, bytes_behind_ = 0;
  bool finished_ = false;
  std::optional<RpcError> error_;
  uint64_t stream_ = 0;  // the number of the stream that is attached
  bool attached_ = false;
  Clock::time_point last_attached_ = Clock::now(), last_progress_ = Clock::now();
  DeepThread thread_;
};

}  // namespace firesteel::connect
