// The commands of streams: passed on to the session's queries; those that wait can be interrupted.
#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "base/error.h"
#include "connect/server/answers.h"
#include "engine/streaming.h"

namespace firesteel::connect {

namespace {

using Response = proto::ExecutePlanResponse;

constexpr int64_t kSliceMillis = 200;

[[noreturn]] void cancelled() { throw Error("OPERATION_CANCELED", "The operation was cancelled."); }

/// Waits for an end in slices, so that an interrupt is seen. `await` gives whether it has come.
template <typename Await>
bool sliced(bool limited, int64_t timeout_ms, const Operation& operation, Await await) {
  for (int64_t rest = timeout_ms; !limited || rest > 0; rest -= kSliceMillis) {
    if (operation.interrupted()) cancelled();
    if (await(limited ? std::min(rest, kSliceMillis) : kSliceMillis)) return true;
  }
  return false;
}

/// Events of the session's queries, until the listener is removed.
class EventQueue {
 public:
  void push(const proto::StreamingQueryListenerEvent& event) {
    {
      std::lock_guard lock(mutex_);
      events_.push_back(event);
    }
    changed_.notify_all();
  }
  /// Those that have come, after a short wait for one.
  std::deque<proto::StreamingQueryListenerEvent> take() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(kSliceMillis),
                      [&] { return !events_.empty(); });
    return std::exchange(events_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<proto::StreamingQueryListenerEvent> events_;
};

void send_events(ServerSession& session, Operation& operation) {
  const auto queue = std::make_shared<EventQueue>();
  const auto generation = session.listen();
  const auto id = session.streams().add_listener(
      [queue](const proto::StreamingQueryListenerEvent& event) { queue->push(event); });
  struct Removed {
    StreamingQueries& streams;
    uint64_t id;
    ~Removed() { streams.remove_listener(id); }
  } removed{session.streams(), id};
  Response added;
  added.mutable_streaming_query_listener_events_result()->set_listener_bus_listener_added(true);
  operation.send(std::move(added));
  for (bool last = false; !last;) {
    last = !session.listens(generation);  // what came before is still sent
    if (operation.interrupted()) cancelled();
    Response response;
    auto* result = response.mutable_streaming_query_listener_events_result();
    for (auto& event : queue->take()) *result->add_events() = std::move(event);
    if (result->events_size() > 0) operation.send(std::move(response));
  }
}

}  // namespace

bool run_stream_command(ServerSession& session, const proto::Command& command,
                        Operation& operation) {
  auto& streams = session.streams();
  Response response;
  switch (command.command_type_case()) {
    case proto::Command::kWriteStreamOperationStart:
      *response.mutable_write_stream_operation_start_result() =
          streams.start(command.write_stream_operation_start());
      break;
    case proto::Command::kStreamingQueryCommand: {
      auto given = command.streaming_query_command();
      auto* result = response.mutable_streaming_query_command_result();
      if (!given.has_await_termination()) {
        *result = streams.run(given);
        break;
      }
      const auto await = given.await_termination();
      *result->mutable_query_id() = given.query_id();
      result->mutable_await_termination()->set_terminated(
          sliced(await.has_timeout_ms(), await.timeout_ms(), operation, [&](int64_t millis) {
            given.mutable_await_termination()->set_timeout_ms(millis);
            return streams.run(given).await_termination().terminated();
          }));
      break;
    }
    case proto::Command::kStreamingQueryManagerCommand: {
      auto given = command.streaming_query_manager_command();
      auto* result = response.mutable_streaming_query_manager_command_result();
      if (!given.has_await_any_termination()) {
        *result = streams.run(given);
        break;
      }
      const auto await = given.await_any_termination();
      result->mutable_await_any_termination()->set_terminated(
          sliced(await.has_timeout_ms(), await.timeout_ms(), operation, [&](int64_t millis) {
            given.mutable_await_any_termination()->set_timeout_ms(millis);
            return streams.run(given).await_any_termination().terminated();
          }));
      break;
    }
    case proto::Command::kStreamingQueryListenerBusCommand:
      if (command.streaming_query_listener_bus_command().has_add_listener_bus_listener()) {
        send_events(session, operation);
      } else {
        session.end_listening();
      }
      return true;
    default:
      return false;
  }
  operation.send(std::move(response));
  return true;
}

}  // namespace firesteel::connect
