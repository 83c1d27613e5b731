// What SQL says besides queries: statements about the catalog, the session and its tables. The
// protocol carries them as SQL text, so that these are not plans; the queries within them are.
#pragma once

#include <spark/connect/base.pb.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "plan/types.h"

namespace firesteel {

/// A name as written: "db.`my table`".
using SqlName = std::string;
using Properties = std::map<std::string, std::string>;
/// PARTITION (year = 2024, month): columns, with the value as text, nothing for null, when given.
struct PartitionValue {
  std::string column;
  bool given = false;
  std::optional<std::string> value;
};
using PartitionSpec = std::vector<PartitionValue>;

struct ColumnDefinition {
  Field field;
  std::string declared;  // the type as written, when it says more than `field`: "varchar(10)"
  std::string comment = {}, default_sql = {};
  bool operator==(const ColumnDefinition&) const = default;
};

struct CreateDatabase {
  SqlName name;
  bool if_not_exists = false;
  std::string comment, location;
  Properties properties;
};

struct CreateTable {
  SqlName name;
  bool replace = false, must_exist = false, if_not_exists = false;
  std::vector<ColumnDefinition> columns;
  std::string provider, location, comment;
  std::vector<std::string> partition_by;
  Properties options, properties;
  std::optional<spark::connect::Relation> query;  // AS …
  SqlName like;                                   // LIKE …
};

struct CreateView {
  SqlName name;
  bool replace = false, if_not_exists = false;
  std::vector<ColumnDefinition> columns;  // names and comments
  std::string comment, text;              // the query as written
  Properties properties;
  spark::connect::Relation query;
};

/// CREATE FUNCTION f(x INT) RETURNS INT RETURN x + 1.
struct CreateFunction {
  SqlName name;
  bool temporary = false, replace = false, if_not_exists = false;
  std::vector<ColumnDefinition> parameters;
  std::string returns;  // a type, a table's schema when `table`; empty: the body's
  bool table = false;
  std::string body, comment;
  bool python = false;  // the body is Python, else SQL
  std::string handler;  // what of the body is called; empty: the body is the function's own
};

struct DropObject {
  enum class Kind { kDatabase, kTable, kView, kFunction, kVariable };
  Kind kind;
  SqlName name;
  bool if_exists = false, cascade = false, temporary = false;
};

struct AlterTable {
  enum class Action {
    kRename,
    kAddColumns,
    kDropColumns,
    kRenameColumn,
    kColumnType,
    kColumnComment,
    kColumnDefault,  // dropped when default_sql is empty
    kReplaceColumns,
    kSetProperties,
    kUnsetProperties,
    kSetLocation,
    kAddPartitions,
    kDropPartitions,
    kRenamePartition,
    kRecoverPartitions,
    kViewQuery,
  };
  SqlName name;
  bool view = false;
  Action action;
  bool if_exists = false;
  SqlName new_name;
  std::vector<ColumnDefinition> columns;
  std::vector<std::string> names;  // of columns or properties
  Properties properties;
  std::string location, text;
  std::vector<PartitionSpec> partitions;
  spark::connect::Relation query;
};

struct AlterDatabase {
  SqlName name;
  Properties properties;
  std::string location;
};

/// COMMENT ON TABLE|DATABASE.
struct SetComment {
  SqlName name;
  bool database = false;
  std::string comment;
};

struct Insert {
  SqlName table;  // empty when `directory` is given
  std::string directory, format;
  Properties options;
  bool overwrite = false, by_name = false, if_not_exists = false;
  std::vector<std::string> columns;
  PartitionSpec partition;
  spark::connect::Relation query;
};

/// UPDATE, DELETE: the table's rows become those of a query over it.
struct Rewrite {
  SqlName table;
  spark::connect::Relation rows;
};

struct Merge {
  spark::connect::MergeIntoTableCommand command;
  std::string target_alias;
};

struct Truncate {
  SqlName table;
  PartitionSpec partition;
};

struct Show {
  enum class What {
    kCatalogs,
    kColumns,
    kCreateTable,
    kCurrentNamespace,
    kDatabases,
    kFunctions,
    kPartitions,
    kProperties,
    kTableExtended,
    kTables,
    kViews,
  };
  What what;
  SqlName name;
  std::optional<std::string> pattern;
  std::string scope = {};  // of functions: "", "user", "system"; of properties: the key
  PartitionSpec partition = {};
};

struct Describe {
  enum class What { kTable, kColumn, kDatabase, kFunction, kQuery };
  What what;
  SqlName name;
  std::string column = {};
  bool extended = false;
  PartitionSpec partition = {};
  spark::connect::Relation query = {};
};

struct SetConfig {
  std::string key;  // empty: all of them are shown
  std::optional<std::string> value;
  bool reset = false, verbose = false;
};

struct Use {
  SqlName name;
  bool catalog = false;
};

struct Cache {
  enum class Action { kCache, kUncache, kClear, kRefresh };
  Action action;
  SqlName table;
  bool if_exists = false;
  std::optional<spark::connect::Relation> query = {};
};

struct Analyze {
  SqlName table;
  bool scan = true;
  std::vector<std::string> columns;
};

/// DECLARE VARIABLE; SET VARIABLE when `assigns`.
struct Variable {
  std::vector<std::string> names;
  bool assigns = false, replace = false, to_default = false;
  std::string type;                // empty: the value's
  spark::connect::Relation value;  // one row of as many columns as names
};

struct ExecuteImmediate {
  spark::connect::Relation text;  // one row, one column
  std::vector<std::string> into;
  std::vector<std::pair<std::string, spark::connect::Expression>> arguments;  // names may be empty
};

struct Explain {
  std::string mode;       // simple, extended, codegen, cost, formatted or analyze
  std::string statement;  // its text
};

/// A step of a script. `branches` are conditions (rows of one boolean; of kFor the query that is
/// gone through) with what they lead to.
struct ScriptStep {
  enum class Kind { kStatement, kBlock, kIf, kWhile, kRepeat, kLoop, kFor, kLeave, kIterate };
  Kind kind = Kind::kStatement;
  std::string label;  // l: WHILE …
  std::string name;   // of LEAVE's and ITERATE's label; of FOR's rows
  std::string text;   // kStatement
  std::vector<std::pair<spark::connect::Relation, std::vector<ScriptStep>>> branches;
  std::vector<ScriptStep> otherwise;
};

/// BEGIN … END.
struct Script {
  std::string label;
  std::vector<ScriptStep> steps;
};

using Statement = std::variant<spark::connect::Plan, CreateDatabase, CreateTable, CreateView,
                               CreateFunction, DropObject, AlterTable, AlterDatabase, SetComment,
                               Insert, Rewrite, Merge, Truncate, Show, Describe, SetConfig, Use,
                               Cache, Analyze, Variable, ExecuteImmediate, Explain, Script>;

}  // namespace firesteel
