// The embedded engine's session: views, settings, variables and the warehouse around a Database.
// engine.cpp runs plans, names.cpp says what names mean, statements.cpp runs SQL's statements,
// tables.cpp changes tables.
#pragma once

#include <spark/connect/base.pb.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/database.h"
#include "engine/observed.h"
#include "engine/python_source.h"
#include "engine/sources.h"
#include "engine/temporary_views.h"
#include "engine/warehouse.h"
#include "engine/write.h"
#include "lower/lower.h"
#include "lower/python_task.h"
#include "plan/executor.h"
#include "sql/parser.h"

namespace firesteel {

namespace proto = spark::connect;

/// Rows that the engine holds as a table, with Spark's types.
struct HeldRows {
  std::string name;  // of the table, in SQL and in plans
  Schema schema;
  int64_t rows = 0;

  proto::Relation relation() const;
  /// SQL's name of a column.
  static std::string column(size_t place) { return "c" + std::to_string(place); }
};

/// Tables that a plan needs while it runs.
struct PlanTables {
  Database& database;
  std::vector<std::string> names;
  ~PlanTables() {
    for (const auto& name : names) {
      try {
        database.execute("DROP TABLE IF EXISTS " + name);
      } catch (const Error&) {  // the next run makes another
      }
    }
  }
};

class EmbeddedExecutor : public Executor,
                         public Environment,
                         public std::enable_shared_from_this<EmbeddedExecutor> {
 public:
  explicit EmbeddedExecutor(const DatabaseOptions& options) : EmbeddedExecutor(Database(options)) {}
  /// A session of its own beside others of the database.
  explicit EmbeddedExecutor(const Database& shared) : database_(shared.sibling()) {}
  /// What the session kept in the database goes with it.
  ~EmbeddedExecutor() override;
  /// A session with the same settings, views, functions and variables.
  std::shared_ptr<EmbeddedExecutor> clone();

  // Executor: engine.cpp
  Schema schema(const proto::Relation& relation) override;
  ArrowStream execute(const proto::Relation& relation) override;
  void run(const proto::Command& command) override;
  proto::Relation sql(std::string_view text) override;
  bool is_remote() const override { return false; }
  proto::Relation import(ArrowStream rows) override;
  proto::Relation map_partitions(const proto::Relation& rows,
                                 const TaskCall& call) override;  // tasks.cpp
  void add_function(NativeFunction function) override {
    database_.add_function(std::move(function));
  }
  std::string explain(const proto::Relation& relation, std::string_view mode) override;
  void interrupt() override;
  bool interrupted() const { return interrupted_; }
  /// How often `interrupt` was called.
  int64_t interruptions() const { return interruptions_; }
  double progress() override { return database_.progress(); }
  void set_config(const std::string& key, const std::string& value) override;
  std::string config(const std::string& key) override;
  /// A setting or its default; nothing when it has none.
  std::optional<std::string> setting(const std::string& key);
  /// Those that were set.
  std::map<std::string, std::string> settings_set();
  void unset_config(const std::string& key);
  /// From now on static settings, and those that name the server's folders, stay as they are.
  void seal_static_settings() { sealed_ = true; }

  /// Global temporary views are these from now on, which others share: whoever makes one lives on
  /// in it. Call it before the first is made.
  void share_global_views(std::shared_ptr<TemporaryViews> views);

  /// The rows of a plan as they are now, under an id that cached_remote_relation names.
  std::string checkpoint(const proto::Relation& relation);
  void forget_checkpoint(const std::string& id);
  /// From its next use on, the rows of this very plan are kept.
  void persist(const proto::Relation& relation, const proto::StorageLevel& level);
  void unpersist(const proto::Relation& relation);
  /// Nothing when it is not persisted.
  std::optional<proto::StorageLevel> storage_level(const proto::Relation& relation);

  struct Query {
    Schema schema;
    ArrowStream rows;
  };
  /// `schema` and `execute` at once, for half of the planning.
  Query query(const proto::Relation& relation);
  /// Whether a statement is a query, which runs when its rows are asked for.
  bool is_query(const proto::SQL& sql);

  /// `sql` of a text with parameters.
  proto::Relation sql(const proto::SQL& sql);
  /// The id of a new resource profile. One machine has nothing to choose by it, so it is a number.
  static int32_t add_resource_profile();
  /// The metrics of a plan's or command's observations, once it has run. observed.cpp
  std::vector<ObservedMetrics> observed(const google::protobuf::Message& plan);

  // What a plan is known to be without running it: analysis.cpp
  /// The files that a plan reads, as URIs.
  std::vector<std::string> input_files(const proto::Relation& relation);
  bool is_streaming(const proto::Relation& relation);
  /// Whether two plans are equal but for names that nobody sees, ids and places.
  bool same_semantics(const proto::Relation& a, const proto::Relation& b);
  int32_t semantic_hash(const proto::Relation& relation);

  /// The folder with the files that the client sent: Python functions run and find modules there,
  /// rows stand in `cache/` by their hash.
  void set_artifacts(std::filesystem::path folder) { artifacts_ = std::move(folder); }

  // What streams (streaming*.cpp) ask, besides the above: held.cpp
  /// A plan's rows as a table of the engine that plans may read by its name, until it is released.
  HeldRows hold(const proto::Relation& relation);
  HeldRows hold(const Scan& scan);
  void release(const std::string& name);
  /// The columns that a table of this schema has in SQL.
  HeldRows hold_table(const std::string& name, const Schema& schema);
  std::string next_held_name();
  /// The plan of a temporary view, or nothing.
  std::shared_ptr<const proto::Relation> temporary_view(const std::string& name);
  std::optional<TableEntry> table(const std::string& name);
  std::string current_database();
  /// Writes rows that are appended once, whatever is tried again: see WriteRequest::once.
  void write_once(const proto::Relation& rows, WriteRequest request);
  LoweredPlan lowered(const proto::Relation& relation, bool runs = false, bool shows = false);
  /// A plan's first rows as the table of show().
  std::string shown(const proto::Relation& relation, int rows, int truncate);
  SourceRequest request_for(const std::string& format, Properties options);
  Database& database() { return database_; }

  // Data sources written in Python: python_session.cpp
  /// The source that was registered by a name, or nothing.
  std::shared_ptr<const PythonSource> python_source(const std::string& format);
  PythonTask python_session();
  /// What a worker makes of a source's options and the user's schema.
  PythonSourceWorker::Described describe_python(PythonSourceWorker& worker,
                                                const proto::Read_DataSource& source);
  /// Gives rows to a writer and commits, or aborts and throws; `batch` is a stream's.
  void write_python(PythonSourceWorker& worker, const PythonSourceWorker::Writer& writer,
                    const proto::Relation& rows, std::optional<int64_t> batch = {});

  // Environment: names.cpp
  std::optional<NamedRelation> relation(const std::vector<std::string>& name,
                                        const NameScope& scope) override;
  std::vector<std::string> relation_names(const NameScope& scope) override;
  std::optional<Routine> routine(const std::vector<std::string>& name,
                                 const NameScope& scope) override;
  std::optional<Resolved> variable(const std::vector<std::string>& name) override;
  Scan source(const proto::Read_DataSource& source, bool runs) override;
  Scan asked(const proto::Catalog& call) override;
  Scan local(const proto::Relation& rows) override;  // local_rows.cpp
  std::optional<Scan> persisted(const proto::Relation& relation) override;
  proto::Relation remembered(const std::string& id) override;
  Scan stream(const proto::Read& read) override;  // streaming_source.cpp
  Scan parsed(const proto::Parse& parse, const std::string& sql) override;
  std::string observed(const Observation& observation, const std::string& rows,
                       const std::string& metrics) override;
  std::optional<std::string> evaluate(const std::string& sql) override;
  std::vector<std::vector<std::optional<std::string>>> rows(const std::string& sql) override {
    return database_.rows(sql);
  }
  std::shared_ptr<const proto::CommonInlineUserDefinedFunction> python_function(
      const std::vector<std::string>& name) override;
  std::shared_ptr<const proto::CommonInlineUserDefinedTableFunction> python_table_function(
      const std::vector<std::string>& name) override;
  AnalyzedTable analyzed(const PythonTask& task,
                         const std::vector<AnalyzeArgument>& arguments) override;
  std::map<std::string, std::string> python_settings() override;
  void check_resource_profile(int32_t id) override;
  proto::Relation parse_query(const proto::SQL& sql) override;
  proto::Expression parse_expression(std::string_view sql) override;

 private:
  using Cell = std::optional<std::string>;
  using Rows = std::vector<std::vector<Cell>>;
  struct TableName {
    std::string database, name;
  };

  // engine.cpp
  std::string new_name(std::string_view kind);
  std::string canonical_sql(const proto::Relation& relation);
  LowerSettings settings();
  std::string time_zone();
  bool is_set(const std::string& key);
  Scan kept(const Scan& scan);
  ArrowStream show(const proto::ShowString& show);
  ArrowStream show_html(const proto::HtmlString& show);
  struct ShownRows {
    std::vector<std::string> titles;
    Rows cells;
  };
  /// A plan's first rows as text, one more than asked for.
  ShownRows shown_rows(const proto::Relation& relation, int rows);
  void write(const proto::WriteOperation& operation);
  void write(const proto::WriteOperationV2& operation);  // write_v2.cpp
  void write_rows(const proto::Relation& rows, WriteRequest request);
  void create_view(const proto::CreateDataFrameViewCommand& view);
  /// Rows of text, and of booleans in columns named is…, as a plan.
  static proto::Relation text_rows(const Rows& rows,
                                   const std::vector<std::string>& names = {"result"});
  static proto::Relation no_rows() { return text_rows({}, {}); }

  // catalog_api.cpp
  /// Changes are made when it `runs`; otherwise it says what the rows would look like.
  LoweredPlan catalog_call(const proto::Catalog& call, bool runs);

  // local_rows.cpp
  Scan local_rows(const std::vector<std::string>& streams, const std::string& schema);
  std::string artifact(const std::string& name);
  /// Drops the oldest tables of local rows when there are many.
  void drop_local_rows();

  // names.cpp
  Warehouse warehouse();
  TableName table_name(const std::vector<std::string>& parts);
  TableName table_name(const SqlName& name);
  /// Throws SCHEMA_NOT_FOUND.
  DatabaseEntry database_entry(const std::string& name);
  /// Throws TABLE_OR_VIEW_NOT_FOUND.
  TableEntry table_entry(const SqlName& name);
  /// The name that a temporary view would have; empty when it would have none.
  static std::string temporary_key(const std::vector<std::string>& parts);
  /// Where a temporary view of this name would be.
  TemporaryViews& views(std::string_view key);
  Scan scan_table(const TableEntry& table);
  Scan scanned(const SourceRequest& request);
  NamedRelation view_relation(const TableEntry& view);

  // python_session.cpp
  void register_python(const proto::CommonInlineUserDefinedFunction& function);
  void register_python(const proto::CommonInlineUserDefinedTableFunction& function);
  void register_python(const proto::CommonInlineUserDefinedDataSource& source);
  void write_python(const PythonSource& source, const proto::WriteOperation& operation);

  // statements.cpp
  proto::Relation run(const proto::Plan& plan);
  proto::Relation run(const CreateDatabase& statement);
  proto::Relation run(const CreateTable& statement);
  proto::Relation run(const CreateView& statement);
  proto::Relation run(const CreateFunction& statement);
  proto::Relation run(const DropObject& statement);
  proto::Relation run(const AlterTable& statement);
  proto::Relation run(const AlterDatabase& statement);
  proto::Relation run(const SetComment& statement);
  proto::Relation run(const Show& statement);
  proto::Relation run(const Describe& statement);
  proto::Relation run(const SetConfig& statement);
  proto::Relation run(const Use& statement);
  proto::Relation run(const Cache& statement);
  proto::Relation run(const Analyze& statement);
  proto::Relation run(const Variable& statement);
  proto::Relation run(const ExecuteImmediate& statement);
  proto::Relation run(const Explain& statement);
  proto::Relation run(const Script& script);
  void drop_table(const TableEntry& table);
  void change_partitions(const AlterTable& statement, const TableEntry& table);
  Rows describe_table(const Describe& statement);
  std::string create_table_text(const TableEntry& table);
  Rows list_tables(const Show& statement);

  // script.cpp
  enum class Flow { kNext, kLeave, kIterate };
  class VariableBlock;
  Flow run_steps(const std::vector<ScriptStep>& steps, proto::Relation& result, std::string& label);
  Flow run_block(const std::vector<ScriptStep>& steps, proto::Relation& result, std::string& label);
  Flow run_step(const ScriptStep& step, proto::Relation& result, std::string& label);
  Flow run_rows(const ScriptStep& step, proto::Relation& result, std::string& label);
  bool holds(const proto::Relation& condition);
  proto::Relation materialized(const proto::Relation& rows);

  // tables.cpp
  proto::Relation run(const Insert& statement);
  proto::Relation run(const Rewrite& statement);
  proto::Relation run(const Merge& statement);
  proto::Relation run(const Truncate& statement);
  void save_as_table(const proto::WriteOperation& operation);
  /// A new table with a query's rows.
  void create_table_as(TableEntry table, const proto::Relation& query, bool replace);
  TableEntry new_table(const CreateTable& statement);
  /// A query's rows as the table's columns, by the rules of store assignment.
  std::string assigned(const LoweredPlan& rows, const std::vector<ColumnDefinition>& columns,
                       const TableEntry& table, bool by_name);
  void write_table(const TableEntry& table, const std::string& sql, WriteRequest request);
  void forget_cached(const TableEntry& table);

  struct CachedTable {
    proto::Relation plan;
    std::optional<Scan> scan;  // made at the first use, and after the table has changed
  };
  /// Rows that came with a plan, which clients send again with each plan over them.
  struct LocalRows {
    Scan scan;
    uint64_t bytes = 0;
    std::chrono::steady_clock::time_point used;
  };
  struct PersistedPlan {
    proto::StorageLevel level;
    std::optional<Scan> scan;
    bool runs = false;  // its rows are being made
  };
  struct SessionVariable {
    DataType type;
    std::string table;  // of one row with a column `v`
    int depth = 0;      // of the script's block that it belongs to; 0: the session
  };

  Database database_;
  /// The names of the session's own tables in the database begin so.
  const std::string prefix_ = database_.new_name("__session") + "_";
  std::mutex mutex_;
  TemporaryViews views_;
  std::shared_ptr<TemporaryViews> global_views_ = std::make_shared<TemporaryViews>();
  bool shares_global_views_ = false;
  std::map<std::string, CreateFunction> functions_;
  /// Registered Python functions by lower-case name.
  std::map<std::string, std::shared_ptr<const proto::CommonInlineUserDefinedFunction>>
      python_functions_;
  std::map<std::string, std::shared_ptr<const proto::CommonInlineUserDefinedTableFunction>>
      python_tables_;
  std::map<std::string, std::shared_ptr<const PythonSource>> python_sources_;
  std::map<std::string, SessionVariable> variables_;
  std::map<std::string, CachedTable> cached_;
  /// Plans of persistent views, by their text.
  std::map<std::string, std::shared_ptr<const proto::Relation>> parsed_views_;
  static std::map<std::string, std::string> first_config() {
    return {{"spark.sql.ansi.enabled", "true"},
            {"spark.sql.session.timeZone", "UTC"},
            {"spark.sql.warehouse.dir", "spark-warehouse"}};
  }
  std::map<std::string, std::string> config_ = first_config();
  std::string current_database_ = "default";
  std::map<std::string, std::pair<std::string, Scan>> scans_;
  std::map<std::string, Scan> held_;
  std::filesystem::path artifacts_;
  std::map<std::string, LocalRows> local_rows_;  // by the hash of their bytes and schema
  std::map<std::string, proto::Relation> remembered_;
  std::map<std::string, PersistedPlan> persisted_;  // by the plan's bytes
  bool sealed_ = false;
  std::map<std::string, ObservedMetrics> observed_;  // the last of each name
  std::atomic<bool> interrupted_{false};             // a script
  std::atomic<int64_t> interruptions_{0};
  int script_depth_ = 0;
};

/// The database that global temporary views are named in.
inline constexpr std::string_view kGlobalViews = "global_temp";

/// Throws INVALID_SCHEMA_OR_RELATION_NAME unless it is letters, digits and underscores: names
/// become folders.
void check_new_name(const std::string& name);
/// Marks a folder that no table of the catalog owns any more, or not yet: it may be removed.
void mark_orphan(const std::filesystem::path& folder);
/// A pickle that makes a Python function of its text (python_routine.py).
std::string python_command(const CreateFunction& function);
void read_write_options(const Properties& options, WriteRequest& request);
/// Spark's patterns of SHOW: `*` is any text, `|` separates patterns, capitals do not matter.
bool fits_pattern(std::string_view name, std::string_view pattern);
SqlParameters parameters_of(const proto::SQL& sql);
/// The statement of a command. Scala's client sends its text and arguments apart still.
proto::Relation statement_of(const proto::SqlCommand& command);
/// The SQL text that a plan, or the plan it stands on, was made from.
std::string text_of(const proto::Relation& relation);

}  // namespace firesteel
