// The streams of one session: started, asked, stopped and listened to, in the protocol's terms.
#pragma once

#include <spark/connect/commands.pb.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/streaming_sink.h"

namespace firesteel {

class StreamingQuery;

/// Thread-safe. Owns the queries; the destructor stops them.
class StreamingQueries {
 public:
  using Listener = std::function<void(const proto::StreamingQueryListenerEvent&)>;

  explicit StreamingQueries(std::shared_ptr<EmbeddedExecutor> session);
  ~StreamingQueries();
  StreamingQueries(const StreamingQueries&) = delete;

  /// What runs foreachBatch and foreach; without it they are refused.
  void set_functions(BatchFunctionFactory functions);

  /// Starts a query. Throws what Spark's analysis does.
  proto::WriteStreamOperationStartResult start(const proto::WriteStreamOperationStart& start);
  /// Throws STREAMING_QUERY_NOT_FOUND; of await_termination STREAM_FAILED.
  proto::StreamingQueryCommandResult run(const proto::StreamingQueryCommand& command);
  proto::StreamingQueryManagerCommandResult run(const proto::StreamingQueryManagerCommand& command);

  /// Is told what happens to the queries, in order, until it is removed. It must not block.
  uint64_t add_listener(Listener listener);
  void remove_listener(uint64_t id);
  void stop_all();
  /// Does one run?
  bool active();

 private:
  std::shared_ptr<StreamingQuery> find(const proto::StreamingQueryInstanceId& id);
  std::vector<std::shared_ptr<StreamingQuery>> queries();
  void tell(const proto::StreamingQueryListenerEvent& event);
  bool await_any(int64_t timeout_ms);

  const std::shared_ptr<EmbeddedExecutor> session_;
  BatchFunctionFactory functions_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<StreamingQuery>> queries_;  // by run id
  std::vector<std::string> terminated_;  // run ids, since they were last forgotten
  std::mutex listeners_mutex_;
  std::map<uint64_t, Listener> listeners_;
  uint64_t next_listener_ = 0;
};

}  // namespace firesteel
