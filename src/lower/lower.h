// From a plan to DuckDB SQL: names and Spark's types resolved, relations fused into Select blocks,
// printed. Nothing runs here; what must be known of files and tables comes from the Environment.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "functions/spec.h"

namespace spark::connect {
class Catalog;
class CommonInlineUserDefinedFunction;
class CommonInlineUserDefinedTableFunction;
class Expression;
class LocalRelation;
class Parse;
class Read;
class Read_DataSource;
class Relation;
class SQL;
}  // namespace spark::connect

namespace firesteel {

struct AnalyzeArgument;
struct AnalyzedTable;
struct PythonTask;

/// A source of rows: `SELECT column.sql … FROM from`.
struct Scan {
  struct Column {
    Field field;
    std::string sql;
  };
  std::string from;
  std::vector<Column> columns;
  /// SQL of the path of a row's file and of its place in it; empty where there is none.
  std::string file = {}, row_index = {};
};

/// Where a name is looked up.
struct NameScope {
  std::string database = "default";
  bool temporary = true;  // temporary views and functions are seen
};

class Environment;

/// What a table's name means: rows, or the plan of a view, whose own names are those of `scope`.
struct NamedRelation {
  std::optional<Scan> scan;
  std::shared_ptr<const spark::connect::Relation> view;
  NameScope scope;
  std::vector<std::string> qualifiers;
  /// Where the view's names are looked up; null: where its own was.
  std::shared_ptr<Environment> environment = {};
};

/// A function written in SQL.
struct Routine {
  std::string name;  // in full, as columns are named by it
  Schema parameters;
  std::vector<std::string> defaults;  // SQL, empty where there is none
  std::optional<DataType> returns;    // of a scalar function, when it is said
  Schema columns;                     // of a table function, when they are said
  bool table = false;
  std::string body;
  std::string python = {};  // a pickle of the function, in place of the body
  std::string native = {};  // the engine's name of a function of the program, likewise
  NameScope scope;
};

/// Metrics that DataFrame.observe asks for: their names and types.
struct Observation {
  std::string name;
  int64_t plan_id = 0;
  Schema schema = {};
};

/// What lowering asks of the engine. Throws the error a user should see when a thing is not there.
class Environment {
 public:
  virtual ~Environment() = default;
  /// A table or view by its name's parts; nothing when there is neither.
  virtual std::optional<NamedRelation> relation(const std::vector<std::string>& name,
                                                const NameScope& scope) = 0;
  virtual std::vector<std::string> relation_names(const NameScope& scope) = 0;
  virtual std::optional<Routine> routine(const std::vector<std::string>& name,
                                         const NameScope& scope) = 0;
  /// A session variable's value.
  virtual std::optional<Resolved> variable(const std::vector<std::string>& name) = 0;
  /// Files, or what a user's Python reads, which is planned when it `runs` alone.
  virtual Scan source(const spark::connect::Read_DataSource& source, bool runs) = 0;
  /// What spark.catalog is asked.
  virtual Scan asked(const spark::connect::Catalog& call) = 0;
  /// Rows that came with the plan (local_relation) or before it (the cached kinds).
  virtual Scan local(const spark::connect::Relation& rows) = 0;
  /// The kept rows of a relation that was persisted; nothing when it was not.
  virtual std::optional<Scan> persisted(const spark::connect::Relation& relation) = 0;
  /// The plan that a client's checkpoint left under an id.
  virtual spark::connect::Relation remembered(const std::string& id) = 0;
  /// The columns of a stream's source; no rows.
  virtual Scan stream(const spark::connect::Read& read) = 0;
  /// Texts, the column `record` of a query, read as CSV or JSON.
  virtual Scan parsed(const spark::connect::Parse& parse, const std::string& sql) = 0;
  /// Makes a table of a query's rows, whose name it gives, and works out the metrics over it.
  virtual std::string observed(const Observation& observation, const std::string& rows,
                               const std::string& metrics) = 0;
  /// The text of an SQL expression of constants; nothing for null.
  virtual std::optional<std::string> evaluate(const std::string& sql) = 0;
  /// A small query's rows as text, when a plan's columns depend on them.
  virtual std::vector<std::vector<std::optional<std::string>>> rows(const std::string& sql) = 0;
  /// A Python function that was registered by this name, with no arguments; null when none was.
  virtual std::shared_ptr<const spark::connect::CommonInlineUserDefinedFunction> python_function(
      const std::vector<std::string>& name) = 0;
  virtual std::shared_ptr<const spark::connect::CommonInlineUserDefinedTableFunction>
  python_table_function(const std::vector<std::string>& name) = 0;
  /// Calls the method `analyze` of a table function.
  virtual AnalyzedTable analyzed(const PythonTask& task,
                                 const std::vector<AnalyzeArgument>& arguments) = 0;
  /// What Python workers are told of the session, and which Python they are.
  virtual std::map<std::string, std::string> python_settings() = 0;
  /// Throws RESOURCE_PROFILE_NOT_FOUND.
  virtual void check_resource_profile(int32_t id) = 0;
  virtual spark::connect::Relation parse_query(const spark::connect::SQL& sql) = 0;
  virtual spark::connect::Expression parse_expression(std::string_view sql) = 0;
};

struct LowerSettings {
  std::string time_zone = "UTC";
  bool case_sensitive = false;
  std::string database = "default";
  bool last_key_wins = false;  // CallContext::last_key_wins
  bool temporary = true;       // temporary views and functions are seen
  bool shows = false;          // for show(): rows of window functions in their windows' order
  bool runs = false;           // it is to be run now: metrics are worked out, streams refused
};

/// SQL for DuckDB and the schema of its rows, in Spark's types.
struct LoweredPlan {
  std::string sql;
  Schema schema;
  std::vector<std::string> tables = {};  // made for what is observed, to be dropped after
};

LoweredPlan lower(const spark::connect::Relation& plan, Environment& environment,
                  const LowerSettings& settings);

}  // namespace firesteel
