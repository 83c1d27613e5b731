// Rows of a query that runs beside the one that asks for them, on a connection of its own.
#pragma once

#include <memory>
#include <string>

namespace duckdb {
class ClientContext;
class Connection;
class DataChunk;
class QueryResult;
}  // namespace duckdb

namespace firesteel {

/// In order, a chunk at a time; nothing is worked out far ahead. Ends when the query that asks is
/// interrupted. One thread at a time.
class QueryRows {
 public:
  QueryRows(duckdb::ClientContext& asking, const std::string& sql);
  ~QueryRows();
  /// Null at the end. Throws the query's error.
  std::unique_ptr<duckdb::DataChunk> next();

 private:
  void check_interrupted();

  duckdb::ClientContext& asking_;
  struct Running;
  std::unique_ptr<Running> running_;
};

}  // namespace firesteel
