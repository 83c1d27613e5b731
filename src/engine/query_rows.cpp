// The thread that asks works on the query itself, task by task, so that it can neither wait for
// threads that wait for it nor miss an interruption.
#include "engine/query_rows.h"

#include <chrono>
#include <thread>

#include "base/error.h"
#include "duckdb.hpp"
#include "duckdb/main/pending_query_result.hpp"
#include "duckdb/main/stream_query_result.hpp"
#include "engine/database.h"

namespace firesteel {

namespace {

void rest() { std::this_thread::sleep_for(std::chrono::microseconds(100)); }

}  // namespace

struct QueryRows::Running {
  duckdb::unique_ptr<duckdb::Connection> connection;
  duckdb::unique_ptr<duckdb::QueryResult> result;
  bool ended = false;
};

QueryRows::QueryRows(duckdb::ClientContext& asking, const std::string& sql)
    : asking_(asking), running_(std::make_unique<Running>()) {
  running_->connection = duckdb::make_uniq<duckdb::Connection>(*asking.db);
  const auto pending = running_->connection->PendingQuery(sql, true);
  if (pending->HasError()) throw from_duckdb(pending->GetError());
  for (;;) {
    const auto state = pending->ExecuteTask();
    if (duckdb::PendingQueryResult::IsResultReady(state)) break;
    check_interrupted();
    if (state != duckdb::PendingExecutionResult::RESULT_NOT_READY) rest();
  }
  if (pending->HasError()) throw from_duckdb(pending->GetError());
  running_->result = pending->Execute();
  if (running_->result->HasError()) throw from_duckdb(running_->result->GetError());
}

QueryRows::~QueryRows() = default;

void QueryRows::check_interrupted() {
  if (asking_.IsInterrupted()) throw Error("OPERATION_CANCELED", "The operation was cancelled.");
}

std::unique_ptr<duckdb::DataChunk> QueryRows::next() {
  if (running_->ended) return nullptr;
  if (running_->result->type == duckdb::QueryResultType::STREAM_RESULT) {
    auto& stream = running_->result->Cast<duckdb::StreamQueryResult>();
    while (stream.IsOpen()) {
      const auto state = stream.ExecuteTask();
      if (duckdb::StreamQueryResult::IsChunkReady(state)) break;
      check_interrupted();
      if (state != duckdb::StreamExecutionResult::CHUNK_NOT_READY) rest();
    }
  }
  duckdb::unique_ptr<duckdb::DataChunk> chunk;
  try {
    chunk = running_->result->Fetch();
  } catch (const std::exception& error) {
    throw from_duckdb(duckdb::ErrorData(error).Message());
  }
  if (running_->result->HasError()) throw from_duckdb(running_->result->GetError());
  running_->ended = !chunk || chunk->size() == 0;
  if (running_->ended) return nullptr;
  return std::unique_ptr<duckdb::DataChunk>(chunk.release());
}

}  // namespace firesteel
