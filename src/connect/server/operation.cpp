// The buffer between an operation's thread and the streams that send its responses.
#include "connect/server/operation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"

namespace firesteel::connect {

namespace {

/// The work waits when so much was made that no stream has sent.
constexpr size_t kBytesAheadMax = 64 << 20;
/// What was sent stays for a client that loses its connection, unless it says that it has it.
constexpr size_t kBytesBehindMax = 16 << 20;
constexpr auto kProgressEvery = std::chrono::seconds(2);
constexpr auto kLostCheckEvery = std::chrono::milliseconds(200);

}  // namespace

Operation::Operation(Labels labels) : labels_(std::move(labels)) {}

Operation::~Operation() {
  interrupt();
  thread_ = DeepThread();  // waits; its members are still there
}

void Operation::start(std::function<void(Operation&)> work,
                      std::function<RpcError(std::exception_ptr)> explain_error) {
  thread_ = DeepThread([this, work = std::move(work), explain_error = std::move(explain_error)] {
    std::optional<RpcError> error;
    try {
      const QueryGroup::Scope scope(queries_);
      work(*this);
      if (labels_.reattachable) {
        proto::ExecutePlanResponse complete;
        complete.mutable_result_complete();
        send(std::move(complete));
      }
    } catch (...) {
      error = explain_error(std::current_exception());
    }
    std::lock_guard lock(mutex_);
    error_ = std::move(error);
    finished_ = true;
    changed_.notify_all();
  });
}

std::string Operation::response_id(uint64_t index) const {
  return fmt::format("{}-{}", labels_.operation_id, index);
}

void Operation::append(proto::ExecutePlanResponse response, std::unique_lock<std::mutex>&) {
  response.set_session_id(labels_.session_id);
  response.set_server_side_session_id(labels_.server_side_session_id);
  response.set_operation_id(labels_.operation_id);
  response.set_response_id(response_id(first_ + responses_.size()));
  bytes_ahead_ += response.ByteSizeLong();
  responses_.push_back(std::make_shared<const proto::ExecutePlanResponse>(std::move(response)));
  changed_.notify_all();
}

void Operation::send(proto::ExecutePlanResponse response) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return bytes_ahead_ < kBytesAheadMax || interrupted(); });
  if (interrupted()) throw Error("OPERATION_CANCELED", "The operation was cancelled.");
  append(std::move(response), lock);
}

void Operation::report_progress(std::unique_lock<std::mutex>& lock) {
  if (finished_ || Clock::now() - last_progress_ < kProgressEvery) return;
  last_progress_ = Clock::now();
  lock.unlock();
  const double share = queries_.progress();
  lock.lock();
  if (share < 0 || finished_) return;
  proto::ExecutePlanResponse response;
  auto* stage = response.mutable_execution_progress()->add_stages();
  stage->set_num_tasks(100);
  stage->set_num_completed_tasks(static_cast<int64_t>(share * 100));
  response.mutable_execution_progress()->set_num_inflight_tasks(1);
  append(std::move(response), lock);
}

std::optional<RpcError> Operation::stream(
    uint64_t index, const std::function<bool(const proto::ExecutePlanResponse&)>& write,
    const std::function<bool()>& is_lost) {
  std::unique_lock lock(mutex_);
  const auto number = ++stream_;
  attached_ = true;
  changed_.notify_all();
  const auto detach = [&] {
    if (stream_ != number) return;
    attached_ = false;
    last_attached_ = Clock::now();
  };
  for (;;) {
    while (stream_ == number && index >= first_ + responses_.size() && !finished_) {
      changed_.wait_for(lock, kLostCheckEvery);
      if (is_lost()) {
        detach();
        return RpcError::cancelled();
      }
      report_progress(lock);
    }
    if (stream_ != number) {
      return RpcError::of(Error("INVALID_CURSOR.DISCONNECTED",
                                "The cursor has been disconnected by the server: another stream "
                                "has taken the operation over."));
    }
    if (index < first_) {
      detach();
      return RpcError::of(
          Error("INVALID_CURSOR.POSITION_NOT_AVAILABLE",
                fmt::format("The cursor position {} is no longer available.", index)));
    }
    if (index >= first_ + responses_.size()) break;
    const auto response = responses_[index - first_];
    lock.unlock();
    const bool written = write(*response);
    lock.lock();
    if (!written) {
      detach();
      return RpcError::cancelled();
    }
    ++index;
    if (index > consumed_) {
      consumed_ = index;
      const auto size = response->ByteSizeLong();
      bytes_ahead_ -= std::min(bytes_ahead_, size);
      bytes_behind_ += size;
    }
    while (first_ < consumed_ && (bytes_behind_ > kBytesBehindMax || !labels_.reattachable)) {
      bytes_behind_ -= std::min(bytes_behind_, responses_.front()->ByteSizeLong());
      responses_.pop_front();
      ++first_;
    }
    changed_.notify_all();
  }
  detach();
  return error_;
}

std::optional<uint64_t> Operation::index_of(const std::string& id) const {
  uint64_t index = 0;
  const auto dash = id.rfind('-');
  if (dash == std::string::npos || id.compare(0, dash, labels_.operation_id) != 0) return {};
  if (std::from_chars(id.data() + dash + 1, id.data() + id.size(), index).ec != std::errc())
    return {};
  return index < first_ + responses_.size() ? std::optional(index) : std::nullopt;
}

uint64_t Operation::index_after(const std::string& id) const {
  if (id.empty()) return 0;
  std::lock_guard lock(mutex_);
  const auto index = index_of(id);
  if (!index) {
    throw Error("INVALID_CURSOR.POSITION_NOT_FOUND",
                fmt::format("The cursor position id {} is not found.", id));
  }
  return *index + 1;
}

void Operation::release_until(const std::string& id) {
  std::lock_guard lock(mutex_);
  const auto last = index_of(id);
  while (last && first_ <= *last && first_ < consumed_) {
    bytes_behind_ -= std::min(bytes_behind_, responses_.front()->ByteSizeLong());
    responses_.pop_front();
    ++first_;
  }
}

void Operation::interrupt() {
  queries_.interrupt();
  std::lock_guard lock(mutex_);
  changed_.notify_all();
}

bool Operation::finished() const {
  std::lock_guard lock(mutex_);
  return finished_;
}

proto::GetStatusResponse_OperationStatus_OperationState Operation::state() const {
  using Status = proto::GetStatusResponse_OperationStatus;
  std::lock_guard lock(mutex_);
  if (!finished_)
    return interrupted() ? Status::OPERATION_STATE_TERMINATING : Status::OPERATION_STATE_RUNNING;
  if (!error_) return Status::OPERATION_STATE_SUCCEEDED;
  return interrupted() ? Status::OPERATION_STATE_CANCELLED : Status::OPERATION_STATE_FAILED;
}

Operation::Clock::duration Operation::detached_for() const {
  std::lock_guard lock(mutex_);
  return attached_ ? Clock::duration::zero() : Clock::now() - last_attached_;
}

}  // namespace firesteel::connect
