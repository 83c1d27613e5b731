// The DataFrame API with PySpark's names: every call builds Spark Connect proto, an action runs it
// on the Executor of the session. PySpark's documentation is this page's documentation.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dataframe/column.h"
#include "plan/executor.h"

namespace spark::connect {
class Command;
}

namespace firesteel {

class DataFrame;

/// One value of a collected row.
struct Value {
  bool null = true;
  /// Text as Spark's `show` prints it.
  std::string text;
  /// Numbers, booleans (0 or 1), dates (days) and timestamps (microseconds); 0 otherwise.
  double number = 0;
};
using Row = std::vector<Value>;

/// Reads files: `spark.read().option("header", true).csv("flights.csv")`.
class DataFrameReader {
 public:
  explicit DataFrameReader(std::shared_ptr<Executor> executor) : executor_(std::move(executor)) {}
  DataFrameReader& format(const std::string& source);
  DataFrameReader& option(const std::string& key, const std::string& value);
  DataFrameReader& option(const std::string& key, const char* value);
  DataFrameReader& option(const std::string& key, bool value);
  DataFrameReader& option(const std::string& key, int64_t value);
  /// DDL: "a INT, b STRING".
  DataFrameReader& schema(const std::string& ddl);
  DataFrame load(const std::string& path);
  DataFrame load(const std::vector<std::string>& paths);
  DataFrame parquet(const std::string& path);
  DataFrame csv(const std::string& path);
  DataFrame json(const std::string& path);
  DataFrame table(const std::string& name);

 private:
  std::shared_ptr<Executor> executor_;
  std::string format_ = "parquet", schema_;
  std::map<std::string, std::string> options_;
};

/// Writes files: `df.write().mode("overwrite").partitionBy({"year"}).parquet("out")`.
class DataFrameWriter {
 public:
  explicit DataFrameWriter(const DataFrame& df);
  ~DataFrameWriter();
  DataFrameWriter& format(const std::string& source);
  /// "error" (the default), "overwrite", "append" or "ignore".
  DataFrameWriter& mode(const std::string& mode);
  DataFrameWriter& option(const std::string& key, const std::string& value);
  DataFrameWriter& partitionBy(const std::vector<std::string>& columns);
  void save(const std::string& path);
  void parquet(const std::string& path) { format("parquet").save(path); }
  void csv(const std::string& path) { format("csv").save(path); }
  void json(const std::string& path) { format("json").save(path); }
  /// A table of the catalog; "append" takes columns by name.
  void saveAsTable(const std::string& name);
  /// Rows for a table that there is, by the columns' positions.
  void insertInto(const std::string& name, bool overwrite = false);

 private:
  spark::connect::Command command() const;

  std::shared_ptr<const DataFrame> df_;
  std::string format_ = "parquet", mode_ = "error";
  std::map<std::string, std::string> options_;
  std::vector<std::string> partitions_;
};

/// `df.groupBy("a").agg({sum("b")})`.
class GroupedData {
 public:
  GroupedData(const DataFrame& df, std::vector<Column> keys, int group_type);
  ~GroupedData();
  DataFrame agg(const std::vector<Column>& aggregates) const;
  template <typename... Columns>
  DataFrame agg(const Column& first, const Columns&... rest) const;
  DataFrame count() const;
  DataFrame sum(const std::vector<std::string>& columns) const;
  DataFrame avg(const std::vector<std::string>& columns) const;
  DataFrame min(const std::vector<std::string>& columns) const;
  DataFrame max(const std::vector<std::string>& columns) const;

 private:
  DataFrame each(const std::string& function, const std::vector<std::string>& columns) const;

  std::shared_ptr<const DataFrame> df_;
  std::vector<Column> keys_;
  int group_type_;
};

/// A plan and where it runs. A cheap value: copies share the plan. Thread-safe to read.
class DataFrame {
 public:
  DataFrame(std::shared_ptr<Executor> executor,
            std::shared_ptr<const spark::connect::Relation> plan);

  DataFrame select(const std::vector<Column>& columns) const;
  DataFrame select(std::initializer_list<const char*> columns) const;
  DataFrame selectExpr(const std::vector<std::string>& expressions) const;
  DataFrame withColumn(const std::string& name, const Column& column) const;
  DataFrame withColumns(const std::vector<std::pair<std::string, Column>>& columns) const;
  DataFrame withColumnRenamed(const std::string& existing, const std::string& renamed) const;
  DataFrame drop(const std::vector<std::string>& columns) const;
  DataFrame toDF(const std::vector<std::string>& names) const;
  DataFrame alias(const std::string& name) const;
  DataFrame filter(const Column& condition) const;
  DataFrame filter(const std::string& condition) const;
  DataFrame filter(const char* condition) const { return filter(std::string(condition)); }
  DataFrame where(const Column& condition) const { return filter(condition); }
  /// `how`: inner, left, right, full (outer), semi, anti, cross and PySpark's other spellings.
  DataFrame join(const DataFrame& other, const std::vector<std::string>& on,
                 const std::string& how = "inner") const;
  DataFrame join(const DataFrame& other, std::initializer_list<const char*> on,
                 const std::string& how = "inner") const {
    return join(other, std::vector<std::string>(on.begin(), on.end()), how);
  }
  DataFrame join(const DataFrame& other, const Column& on, const std::string& how = "inner") const;
  DataFrame crossJoin(const DataFrame& other) const;
  GroupedData groupBy(const std::vector<Column>& keys = {}) const;
  GroupedData rollup(const std::vector<Column>& keys) const;
  GroupedData cube(const std::vector<Column>& keys) const;
  DataFrame agg(const std::vector<Column>& aggregates) const;
  DataFrame orderBy(const std::vector<Column>& keys) const;
  DataFrame sort(const std::vector<Column>& keys) const { return orderBy(keys); }
  DataFrame distinct() const;
  DataFrame dropDuplicates(const std::vector<std::string>& columns = {}) const;
  /// UNION ALL by position, as in PySpark.
  DataFrame unionAll(const DataFrame& other) const;
  DataFrame unionByName(const DataFrame& other, bool allow_missing_columns = false) const;
  DataFrame intersect(const DataFrame& other) const;
  DataFrame subtract(const DataFrame& other) const;
  DataFrame limit(int64_t rows) const;
  DataFrame offset(int64_t rows) const;
  DataFrame fillna(double value, const std::vector<std::string>& columns = {}) const;
  DataFrame fillna(const std::string& value, const std::vector<std::string>& columns = {}) const;
  /// `how`: "any" or "all".
  DataFrame dropna(const std::string& how = "any",
                   const std::vector<std::string>& columns = {}) const;
  DataFrame sample(double fraction, std::optional<int64_t> seed = {}) const;
  std::vector<DataFrame> randomSplit(const std::vector<double>& weights,
                                     std::optional<int64_t> seed = {}) const;
  DataFrame repartition(int partitions) const;

  Schema schema() const;
  std::vector<std::string> columns() const;
  void printSchema() const;
  /// Modes are Spark's ("simple", "extended", "codegen", "cost", "formatted"), and "analyze", which
  /// runs the query and says each operator's rows and time.
  std::string explain(const std::string& mode = "simple") const;
  std::vector<Row> collect() const;
  int64_t count() const;
  /// Prints as PySpark's `show` does.
  void show(int rows = 20, int truncate = 20, bool vertical = false) const;
  std::string showString(int rows = 20, int truncate = 20, bool vertical = false) const;
  /// The rows as an Arrow stream, which may be larger than memory.
  ArrowStream toArrowStream() const;
  void createOrReplaceTempView(const std::string& name) const;
  DataFrameWriter write() const;

  const std::shared_ptr<Executor>& executor() const { return executor_; }
  const spark::connect::Relation& plan() const { return *plan_; }

 private:
  template <typename Build>
  DataFrame derive(Build build) const;

  std::shared_ptr<Executor> executor_;
  std::shared_ptr<const spark::connect::Relation> plan_;
};

template <typename... Columns>
DataFrame GroupedData::agg(const Column& first, const Columns&... rest) const {
  return agg(std::vector<Column>{first, rest...});
}

}  // namespace firesteel
