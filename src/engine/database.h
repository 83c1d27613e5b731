// DuckDB behind a small door: SQL in, Arrow out, its errors turned into ours. Nothing of Spark's
// plans is known here, and no DuckDB header is needed to use it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/arrow_stream.h"
#include "base/error.h"
#include "base/native_function.h"
#include "plan/types.h"

namespace firesteel {

struct DatabaseOptions {
  std::string memory_limit;               // "4GB"; empty: 80% of the machine's memory
  int threads = 0;                        // 0: all cores
  std::string temp_directory;             // where operators spill; empty: a folder of the system's
  std::string temp_size_limit;            // "50GB"; empty: 90% of the free disk
  std::vector<NativeFunction> functions;  // see Database::add_function
};

/// A DuckDB column as Spark would type it.
struct DatabaseColumn {
  std::string name;
  DataType type;
  /// SQL that makes a `type` of the column; a bare name when it is one already.
  std::string sql;
};

/// A function of the program, as SQL calls it.
struct DatabaseFunction {
  std::string sql;  // its name in the database
  Schema parameters;
  DataType returns;
};

/// Queries that are stopped together, from any thread: those begun by threads in a `Scope` of it.
class QueryGroup {
 public:
  QueryGroup();
  /// Queries that run now, and those begun later, throw OPERATION_CANCELED.
  void interrupt();
  bool interrupted() const;
  /// Whether the group that this thread works for, if any, was interrupted.
  static bool interrupted_here();
  /// Share done of the query running now, 0 to 1; negative when unknown.
  double progress() const;

  /// While it lives, what this thread begins belongs to the group.
  class Scope {
   public:
    explicit Scope(const QueryGroup& group);
    ~Scope();
    Scope(const Scope&) = delete;

   private:
    const QueryGroup* outer_;
  };

 private:
  friend class Database;
  struct State;
  std::shared_ptr<State> state_;
};

/// A door to an in-memory database that spills to disk. Thread-safe: every query has its own
/// connection. A copy is another door to the same database; `interrupt` stops what came through
/// one door.
class Database {
 public:
  explicit Database(const DatabaseOptions& options);
  /// Another door, whose queries are interrupted apart.
  Database sibling() const;

  /// Runs a query. `schema` names the columns whose timestamps are moments in UTC.
  ArrowStream query(const std::string& sql, const Schema& schema);
  void execute(const std::string& sql);
  /// A query's columns without running it. Types that Spark lacks throw UNSUPPORTED_DATATYPE.
  std::vector<DatabaseColumn> describe(const std::string& sql);
  /// A small result as text, nulls as nothing.
  std::vector<std::vector<std::optional<std::string>>> rows(const std::string& sql);
  /// How many a query may use.
  int threads();
  /// A name that no table of the database has: the prefix and a number.
  std::string new_name(const std::string& prefix);
  /// Makes a table of a stream's rows. With `columns`, their number, they are named c0, c1 …
  void create_table(const std::string& name, ArrowStream rows, int columns = 0);
  /// Puts a stream's rows behind those of a table, by the columns' places.
  void append(const std::string& name, ArrowStream rows);
  /// Queries through all doors may call the function from now on, in place of one of the
  /// same name.
  void add_function(NativeFunction function);
  /// By its name, in any case; nothing when there is none.
  std::optional<DatabaseFunction> function(const std::string& name) const;
  /// DuckDB's plan of a query, as text; with `analyze` it is run, and says times and rows.
  std::string explain(const std::string& sql, bool analyze);

  void interrupt();
  double progress();
  static std::string version();
  /// The path of a DuckDB extension that stands by its library; empty when there is none.
  static std::string extension(const std::string& name);

 private:
  struct Instance;
  class Connected;
  struct Stream;
  explicit Database(std::shared_ptr<Instance> instance) : instance_(std::move(instance)) {}
  Connected connect();
  /// Runs SQL that reads the stream as `view`.
  void read_stream(ArrowStream rows, const std::string& view, const std::string& sql);
  std::shared_ptr<Instance> instance_;
  QueryGroup queries_;
};

/// DuckDB's message as Spark's error: class by kind, never the generated SQL.
Error from_duckdb(const std::string& message);

}  // namespace firesteel
