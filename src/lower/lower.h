// From a plan to DuckDB SQL: names and Spark's types resolved, relations fused into Select blocks,
// printed. Nothing runs here; what must be known of files and tables comes from the Catalog.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/types.h"

namespace spark::connect {
class Expression;
class LocalRelation;
class Read_DataSource;
class Relation;
}  // namespace spark::connect

namespace firesteel {

/// A source of rows: `SELECT column.sql … FROM from`.
struct Scan {
  struct Column {
    Field field;
    std::string sql;
  };
  std::string from;
  std::vector<Column> columns;
};

/// What lowering asks of the engine. Throws the error a user should see when a thing is not there.
class Catalog {
 public:
  virtual ~Catalog() = default;
  /// A table by its name's parts, or a view's plan in `view`; nothing when there is neither.
  virtual std::optional<Scan> table(const std::vector<std::string>& name) = 0;
  virtual const spark::connect::Relation* view(const std::vector<std::string>& name) = 0;
  virtual std::vector<std::string> table_names() = 0;
  virtual Scan source(const spark::connect::Read_DataSource& source) = 0;
  virtual Scan local(const spark::connect::LocalRelation& rows) = 0;
  /// The text of an SQL expression of constants; nothing for null.
  virtual std::optional<std::string> evaluate(const std::string& sql) = 0;
  virtual spark::connect::Relation parse_query(std::string_view sql) = 0;
  virtual spark::connect::Expression parse_expression(std::string_view sql) = 0;
};

struct LowerSettings {
  std::string time_zone = "UTC";
  bool case_sensitive = false;
};

/// SQL for DuckDB and the schema of its rows, in Spark's types.
struct LoweredPlan {
  std::string sql;
  Schema schema;
};

LoweredPlan lower(const spark::connect::Relation& plan, Catalog& catalog,
                  const LowerSettings& settings);

}  // namespace firesteel
