// Data sources written in Python: a worker (python_source.py) makes them and plans what they read
// and write; the rows themselves go through functions over Arrow batches, as any others.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/python_worker.h"
#include "lower/lower.h"
#include "lower/python_task.h"

namespace firesteel {

/// A registered class.
struct PythonSource {
  std::string name, command, client_version;
};

/// A worker that one thread asks. Its errors are PYTHON_DATA_SOURCE_ERROR with the traceback of
/// what the user's code raised; after one it is of no more use.
class PythonSourceWorker {
 public:
  using Options = std::map<std::string, std::string>;
  using Pickles = std::vector<std::string>;

  /// `session` has the settings of the session that the source is used in.
  PythonSourceWorker(const PythonSource& source, PythonTask session);
  ~PythonSourceWorker();
  const PythonSource& source() const { return source_; }
  /// Asked again and again while the user's code runs: true ends the worker.
  void interrupt_when(std::function<bool()> interrupted);

  /// A source as it was made with options, and its columns: the user's when these are given.
  struct Described {
    std::string pickled;
    Schema schema;
  };
  Described describe(const std::optional<Schema>& given, const Options& options);
  /// How its rows are read: a function over partitions.
  struct Planned {
    std::string command;
    Pickles partitions;
  };
  Planned plan(const Described& source);
  /// What rows are given to: a function whose rows are messages for the writer.
  struct Writer {
    std::string command, pickled;
  };
  Writer plan_write(const Schema& schema, const Options& options, bool overwrite, bool streams);
  /// `batch` is the number of a stream's.
  void commit(const Writer& writer, const Pickles& messages, std::optional<int64_t> batch = {});
  void abort(const Writer& writer, std::optional<int64_t> batch = {});

  // A stream's reader, which lives as long as the worker. Offsets are JSON text.
  /// The function that reads its partitions.
  std::string open_stream(const Described& source);
  std::string initial_offset();
  std::string latest_offset(const std::string& start);
  /// Whether the reader itself stops at what is there now.
  bool stops_at_latest();
  /// Partitions, or rows that were read already, as an Arrow stream that is empty without rows.
  struct Batch {
    bool rows = false;
    Pickles pickles;
  };
  Batch partitions(const std::string& start, const std::string& end);
  void commit_stream(const std::string& end);
  void stop_stream();

  /// The columns of a planned source's rows, read by so many workers at once.
  Scan scan(const Schema& schema, const Planned& planned, int workers) const;
  /// SQL of the messages that writing a query's rows gives, in base64.
  std::string write_sql(const Writer& writer, const Schema& schema, const std::string& rows) const;

 private:
  struct Request;
  struct Answer;
  Answer ask(const char* action, const Request& request);

  PythonSource source_;
  PythonTask session_;
  std::unique_ptr<PythonWorker> worker_;
  bool failed_ = false;
};

}  // namespace firesteel
