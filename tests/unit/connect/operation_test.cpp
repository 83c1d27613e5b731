// An operation's buffer: what streams see of it, whatever order they come, break and go in.
#include "connect/server/operation.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "base/error.h"

namespace firesteel::connect {
namespace {

constexpr const char* kId = "00112233-4455-6677-8899-aabbccddeeff";

Operation::Labels labels(bool reattachable) {
  return {.session_id = "session",
          .server_side_session_id = "server",
          .operation_id = kId,
          .reattachable = reattachable};
}

RpcError explained(std::exception_ptr thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    return RpcError::of(error);
  }
}

void send_rows(Operation& operation, int count, size_t bytes = 10) {
  for (int i = 0; i < count; ++i) {
    proto::ExecutePlanResponse response;
    response.mutable_arrow_batch()->set_row_count(i);
    response.mutable_arrow_batch()->set_data(std::string(bytes, 'x'));
    operation.send(std::move(response));
  }
}

const auto kNeverLost = [] { return false; };

struct Seen {
  std::vector<std::string> ids;
  std::vector<int64_t> rows;
  std::function<bool(const proto::ExecutePlanResponse&)> until(size_t count) {
    return [this, count](const proto::ExecutePlanResponse& response) {
      if (ids.size() == count) return false;
      ids.push_back(response.response_id());
      if (response.has_arrow_batch()) rows.push_back(response.arrow_batch().row_count());
      return true;
    };
  }
};

TEST(Operation, ALostStreamIsTakenUpWhereItBroke) {
  Operation operation(labels(true));
  operation.start([](Operation& running) { send_rows(running, 5); }, explained);
  Seen first, rest;
  EXPECT_EQ(operation.stream(0, first.until(2), kNeverLost)->code, RpcError::cancelled().code);
  EXPECT_FALSE(
      operation.stream(operation.index_after(first.ids.back()), rest.until(99), kNeverLost));
  EXPECT_EQ(first.rows, (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(rest.rows, (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(rest.ids.size(), 4u);  // and that the result is complete
  EXPECT_EQ(operation.state(), proto::GetStatusResponse_OperationStatus::OPERATION_STATE_SUCCEEDED);
}

TEST(Operation, WhatWasReleasedIsGone) {
  Operation operation(labels(true));
  operation.start([](Operation& running) { send_rows(running, 3); }, explained);
  Seen seen;
  EXPECT_FALSE(operation.stream(0, seen.until(99), kNeverLost));
  operation.release_until(seen.ids[1]);
  operation.release_until(seen.ids[0]);  // late, and harmless
  operation.release_until("no id of it");
  const auto again = operation.stream(0, seen.until(99), kNeverLost);
  ASSERT_TRUE(again);
  EXPECT_NE(again->message.find("INVALID_CURSOR.POSITION_NOT_AVAILABLE"), std::string::npos);
  Seen last;
  EXPECT_FALSE(operation.stream(operation.index_after(seen.ids[1]), last.until(99), kNeverLost));
  EXPECT_EQ(last.rows, (std::vector<int64_t>{2}));
  EXPECT_THROW(operation.index_after("no id of it"), Error);
}

TEST(Operation, ALaterStreamTakesOver) {
  Operation operation(labels(true));
  std::promise<void> go;
  operation.start(
      [&](Operation& running) {
        send_rows(running, 1);
        go.get_future().wait();
        send_rows(running, 1);
      },
      explained);
  Seen first, second;
  auto early = std::async(std::launch::async,
                          [&] { return operation.stream(0, first.until(99), kNeverLost); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  auto late = std::async(std::launch::async,
                         [&] { return operation.stream(0, second.until(99), kNeverLost); });
  const auto ended = early.get();
  go.set_value();
  ASSERT_TRUE(ended);
  EXPECT_NE(ended->message.find("INVALID_CURSOR.DISCONNECTED"), std::string::npos);
  EXPECT_FALSE(late.get());
  EXPECT_EQ(second.rows.size(), 2u);
}

TEST(Operation, TheWorkWaitsForASlowClient) {
  Operation operation(labels(true));
  std::atomic<int> sent{0};
  operation.start(
      [&](Operation& running) {
        for (; sent < 40; ++sent) send_rows(running, 1, 8 << 20);
      },
      explained);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LE(sent, 9);  // 64 MB
  Seen seen;
  EXPECT_FALSE(operation.stream(0, seen.until(99), kNeverLost));
  EXPECT_EQ(seen.rows.size(), 40u);
}

TEST(Operation, AnInterruptEndsAWorkThatWaits) {
  Operation operation(labels(true));
  operation.start([](Operation& running) { send_rows(running, 100, 8 << 20); }, explained);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  operation.interrupt();
  Seen seen;
  const auto end = operation.stream(0, seen.until(999), kNeverLost);
  ASSERT_TRUE(end);
  EXPECT_NE(end->message.find("OPERATION_CANCELED"), std::string::npos);
  EXPECT_EQ(operation.state(), proto::GetStatusResponse_OperationStatus::OPERATION_STATE_CANCELLED);
}

TEST(Operation, AClientThatWentAwayIsNoticed) {
  Operation operation(labels(true));
  std::promise<void> go;
  operation.start([&](Operation&) { go.get_future().wait(); }, explained);
  Seen seen;
  const auto end = operation.stream(0, seen.until(99), [] { return true; });
  go.set_value();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, RpcError::cancelled().code);
  EXPECT_GT(operation.detached_for().count(), 0);
}

TEST(Operation, AFailureIsTheStreamsEnd) {
  Operation operation(labels(false));
  operation.start(
      [](Operation& running) {
        send_rows(running, 1);
        throw Error("DIVIDE_BY_ZERO", "Division by zero.");
      },
      explained);
  Seen seen;
  const auto end = operation.stream(0, seen.until(99), kNeverLost);
  ASSERT_TRUE(end);
  EXPECT_EQ(seen.rows.size(), 1u);
  EXPECT_NE(end->message.find("[DIVIDE_BY_ZERO] Division by zero. SQLSTATE: 22012"),
            std::string::npos);
  EXPECT_NE(end->details.find("org.apache.spark.SparkArithmeticException"), std::string::npos);
}

}  // namespace
}  // namespace firesteel::connect
