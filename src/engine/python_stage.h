// A Python function over a relation: the relation's rows stream to a worker, whose rows stream
// back; neither are held but for a few batches.
#pragma once

#include <deque>
#include <memory>

#include "engine/python_kernel.h"

namespace firesteel {

/// One use of spark_python_rows. One thread at a time.
class PythonStage {
 public:
  PythonStage(duckdb::ClientContext& context, std::shared_ptr<const PythonKernel> kernel);
  ~PythonStage();
  /// Fills the chunk with the next rows; leaves it empty at the end.
  void next(duckdb::DataChunk& out);

 private:
  struct Side;
  bool feed();
  bool feed_rows();
  bool feed_groups();
  bool feed_pairs();
  bool feed_pickles();
  void send_ready(Side& side, bool all);
  void begin_group(Side& side);
  void end_group(Side& side);
  void keep(duckdb::DataChunk& chunk);
  bool read_columns();
  bool read_pickle();
  void emit(duckdb::DataChunk& out);
  void next_row();
  size_t place_kept(duckdb::DataChunk& out, size_t rows);

  duckdb::ClientContext& context_;
  std::shared_ptr<const PythonKernel> kernel_;
  std::unique_ptr<Side> left_, right_;
  /// Columns that go around the worker, oldest first, and how many rows of the first are used.
  std::deque<std::unique_ptr<duckdb::DataChunk>> kept_;
  size_t kept_used_ = 0;
  /// The worker's rows that are not yet given.
  arrow::ArrayVector columns_;
  std::unique_ptr<duckdb::DataChunk> pickled_;
  size_t rows_ = 0, given_ = 0;
  bool ended_ = false, answered_ = false;
  std::unique_ptr<PythonRun> run_;  // last: it is ended first
};

}  // namespace firesteel
