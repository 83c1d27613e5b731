// The DataFrame API with PySpark's names: every call builds Spark Connect proto, an action runs it
// on the Executor of the session. PySpark's documentation is this page's documentation.
#pragma once

#include <concepts>
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
class DataFrameNaFunctions;
class DataFrameStatFunctions;
class DataFrameWriterV2;
class MergeIntoWriter;

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
  DataFrameReader& options(const std::map<std::string, std::string>& options);
  /// DDL: "a INT, b STRING".
  DataFrameReader& schema(const std::string& ddl);
  /// Without a path: of a source that needs none.
  DataFrame load();
  DataFrame load(const std::string& path);
  DataFrame load(const std::vector<std::string>& paths);
  DataFrame parquet(const std::string& path);
  DataFrame parquet(const std::vector<std::string>& paths);
  DataFrame csv(const std::string& path);
  DataFrame json(const std::string& path);
  DataFrame orc(const std::string& path);
  DataFrame text(const std::string& path);
  DataFrame xml(const std::string& path);
  DataFrame table(const std::string& name);

 private:
  std::shared_ptr<Executor> executor_;
  std::string format_, schema_;
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
  DataFrameWriter& option(const std::string& key, const char* value);
  DataFrameWriter& option(const std::string& key, bool value);
  DataFrameWriter& option(const std::string& key, int64_t value);
  DataFrameWriter& options(const std::map<std::string, std::string>& options);
  DataFrameWriter& partitionBy(const std::vector<std::string>& columns);
  DataFrameWriter& bucketBy(int buckets, const std::vector<std::string>& columns);
  /// Within a bucket.
  DataFrameWriter& sortBy(const std::vector<std::string>& columns);
  DataFrameWriter& clusterBy(const std::vector<std::string>& columns);
  /// Without a path: to a source that needs none.
  void save(const std::string& path = "");
  void parquet(const std::string& path) { format("parquet").save(path); }
  void csv(const std::string& path) { format("csv").save(path); }
  void json(const std::string& path) { format("json").save(path); }
  void orc(const std::string& path) { format("orc").save(path); }
  void text(const std::string& path) { format("text").save(path); }
  void xml(const std::string& path) { format("xml").save(path); }
  /// A table of the catalog; "append" takes columns by name.
  void saveAsTable(const std::string& name);
  /// Rows for a table that there is, by the columns' positions. What the mode says, unless told.
  void insertInto(const std::string& name, std::optional<bool> overwrite = {});

 private:
  spark::connect::Command command() const;

  std::shared_ptr<const DataFrame> df_;
  std::string format_, mode_;
  std::map<std::string, std::string> options_;
  std::vector<std::string> partitions_, bucket_columns_, sort_columns_, cluster_columns_;
  int buckets_ = 0;
};

/// `df.groupBy("a").agg({sum("b")})`.
class GroupedData {
 public:
  GroupedData(const DataFrame& df, std::vector<Column> keys, int group_type);
  ~GroupedData();
  DataFrame agg(const std::vector<Column>& aggregates) const;
  template <typename... Columns>
  DataFrame agg(const Column& first, const Columns&... rest) const;
  /// Functions by column, in the order of the columns' names.
  template <std::same_as<std::map<std::string, std::string>> Functions>
  DataFrame agg(const Functions& functions) const;
  /// A column per value; the values are looked up when none are given.
  GroupedData pivot(const Column& column, const std::vector<Column>& values = {}) const;
  DataFrame count() const;
  /// Without columns: of all numeric ones.
  DataFrame sum(const std::vector<std::string>& columns = {}) const;
  DataFrame avg(const std::vector<std::string>& columns = {}) const;
  DataFrame mean(const std::vector<std::string>& columns = {}) const;
  DataFrame min(const std::vector<std::string>& columns = {}) const;
  DataFrame max(const std::vector<std::string>& columns = {}) const;

 private:
  friend class DataFrame;
  DataFrame by_name(const std::map<std::string, std::string>& functions) const;
  DataFrame each(const std::string& function, const std::vector<std::string>& columns) const;

  std::shared_ptr<const DataFrame> df_;
  std::vector<Column> keys_;
  int group_type_;
  std::vector<std::vector<Column>> sets_;
  std::optional<Column> pivot_;
  std::vector<Column> pivot_values_;
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
  DataFrame withColumnsRenamed(const std::map<std::string, std::string>& names) const;
  /// The column with metadata, a JSON object.
  DataFrame withMetadata(const std::string& name, const std::string& json) const;
  DataFrame drop(const std::vector<std::string>& columns) const;
  DataFrame drop(std::initializer_list<const char*> columns) const {
    return drop(std::vector<std::string>(columns.begin(), columns.end()));
  }
  DataFrame drop(const Column& column) const;
  DataFrame toDF(const std::vector<std::string>& names) const;
  /// Columns by name, in the order of a schema ("a INT, b STRING"), cast where nothing is lost.
  DataFrame to(const std::string& schema) const;
  DataFrame alias(const std::string& name) const;
  /// This plan's own column, which tells two sides of a join apart.
  Column operator[](const std::string& name) const;
  /// A column that the source has beside the rows: `_metadata` of files.
  Column metadataColumn(const std::string& name) const;
  /// The columns whose whole name the pattern between backticks matches.
  Column colRegex(const std::string& pattern) const;
  template <typename Function>
  DataFrame transform(Function function) const;
  /// The rows that a task of this program (base/task.h) makes of each partition's: `df.
  /// mapPartitions("parse_log", "moment TIMESTAMP, status INT")`. See Executor::map_partitions.
  DataFrame mapPartitions(const std::string& task, const std::string& schema,
                          const std::string& argument = "") const;
  DataFrame mapPartitions(const TaskCall& call) const;
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
  /// Where all of the conditions hold.
  DataFrame join(const DataFrame& other, const std::vector<Column>& on,
                 const std::string& how = "inner") const;
  /// Every row with every row, unless a filter follows.
  DataFrame join(const DataFrame& other) const { return join(other, std::vector<std::string>{}); }
  DataFrame crossJoin(const DataFrame& other) const;
  /// The other plan may use this one's columns.
  DataFrame lateralJoin(const DataFrame& other, const std::optional<Column>& on = {},
                        const std::string& how = "inner") const;
  GroupedData groupBy(const std::vector<Column>& keys = {}) const;
  GroupedData rollup(const std::vector<Column>& keys) const;
  GroupedData cube(const std::vector<Column>& keys) const;
  GroupedData groupingSets(const std::vector<std::vector<Column>>& sets,
                           const std::vector<Column>& keys) const;
  DataFrame agg(const std::vector<Column>& aggregates) const;
  DataFrame orderBy(const std::vector<Column>& keys) const { return sorted(keys, true); }
  DataFrame sort(const std::vector<Column>& keys) const { return orderBy(keys); }
  DataFrame sortWithinPartitions(const std::vector<Column>& keys) const {
    return sorted(keys, false);
  }
  DataFrame distinct() const;
  DataFrame dropDuplicates(const std::vector<std::string>& columns = {}) const;
  /// Of a stream: rows that come later than the watermark are let go.
  DataFrame dropDuplicatesWithinWatermark(const std::vector<std::string>& columns = {}) const;
  /// Of a stream: how late rows may come.
  DataFrame withWatermark(const std::string& event_time, const std::string& delay) const;
  /// UNION ALL by position, as in PySpark.
  DataFrame unionAll(const DataFrame& other) const;
  /// PySpark's `union`, which is a word of C++.
  DataFrame union_(const DataFrame& other) const { return unionAll(other); }
  DataFrame unionByName(const DataFrame& other, bool allow_missing_columns = false) const;
  DataFrame intersect(const DataFrame& other) const;
  DataFrame intersectAll(const DataFrame& other) const;
  DataFrame exceptAll(const DataFrame& other) const;
  DataFrame subtract(const DataFrame& other) const;
  /// The columns of both side by side, row by row: both must be made of one DataFrame.
  DataFrame zip(const DataFrame& other) const;
  DataFrame limit(int64_t rows) const;
  DataFrame offset(int64_t rows) const;
  DataFrame fillna(double value, const std::vector<std::string>& columns = {}) const;
  DataFrame fillna(const std::string& value, const std::vector<std::string>& columns = {}) const;
  DataFrame fillna(bool value, const std::vector<std::string>& columns = {}) const;
  DataFrame fillna(const char* value, const std::vector<std::string>& columns = {}) const {
    return fillna(std::string(value), columns);
  }
  DataFrame fillna(int64_t value, const std::vector<std::string>& columns = {}) const;
  DataFrame fillna(int value, const std::vector<std::string>& columns = {}) const {
    return fillna(int64_t{value}, columns);
  }
  /// A constant per column: `{{"age", lit(0)}}`.
  DataFrame fillna(const std::map<std::string, Column>& values) const;
  /// `how`: "any" or "all".
  DataFrame dropna(const std::string& how = "any",
                   const std::vector<std::string>& columns = {}) const;
  /// Keeps rows with at least so many values.
  DataFrame dropna(int thresh, const std::vector<std::string>& columns = {}) const;
  /// Pairs of constants: `{{lit("x"), lit("y")}}`; nullptr for NULL.
  DataFrame replace(const std::vector<std::pair<Column, Column>>& values,
                    const std::vector<std::string>& columns = {}) const;
  DataFrameNaFunctions na() const;
  DataFrame describe(const std::vector<std::string>& columns = {}) const;
  DataFrame summary(const std::vector<std::string>& statistics = {}) const;
  DataFrame crosstab(const std::string& a, const std::string& b) const;
  DataFrame freqItems(const std::vector<std::string>& columns, double support = 0.01) const;
  /// A list per column, a value per probability.
  std::vector<std::vector<double>> approxQuantile(const std::vector<std::string>& columns,
                                                  const std::vector<double>& probabilities,
                                                  double relative_error = 0) const;
  double cov(const std::string& a, const std::string& b) const;
  double corr(const std::string& a, const std::string& b) const;
  /// A share per constant: `{{lit("London"), 0.5}}`.
  DataFrame sampleBy(const Column& column, const std::vector<std::pair<Column, double>>& fractions,
                     std::optional<int64_t> seed = {}) const;
  DataFrameStatFunctions stat() const;
  DataFrame unpivot(const std::vector<Column>& ids,
                    const std::optional<std::vector<Column>>& values,
                    const std::string& variable_column, const std::string& value_column) const;
  DataFrame melt(const std::vector<Column>& ids, const std::optional<std::vector<Column>>& values,
                 const std::string& variable_column, const std::string& value_column) const {
    return unpivot(ids, values, variable_column, value_column);
  }
  DataFrame transpose(const std::optional<Column>& index = {}) const;
  DataFrame toJSON() const;
  DataFrame zipWithIndex(const std::string& name = "index") const;
  DataFrame sample(double fraction, std::optional<int64_t> seed = {}) const {
    return sampled(false, fraction, seed);
  }
  template <std::same_as<bool> Bool>
  DataFrame sample(Bool with_replacement, double fraction, std::optional<int64_t> seed = {}) const {
    return sampled(with_replacement, fraction, seed);
  }
  std::vector<DataFrame> randomSplit(const std::vector<double>& weights,
                                     std::optional<int64_t> seed = {}) const;
  // On one machine these change nothing but the plan.
  DataFrame repartition(int partitions) const;
  DataFrame repartition(const std::vector<Column>& keys, std::optional<int> partitions = {}) const;
  DataFrame repartitionByRange(const std::vector<Column>& keys,
                               std::optional<int> partitions = {}) const;
  /// The partition that a column says.
  DataFrame repartitionById(int partitions, const Column& id) const;
  DataFrame coalesce(int partitions) const;
  DataFrame hint(const std::string& name, const std::vector<Column>& parameters = {}) const;
  /// The same rows, which are kept once something asks for them, until the executor ends. Use what
  /// is given back: this DataFrame stays as it is.
  DataFrame cache() const;
  DataFrame persist() const { return cache(); }
  /// The plan again, whose rows are made anew.
  DataFrame unpersist() const;
  DataFrame checkpoint(bool eager = true) const;
  DataFrame localCheckpoint(bool eager = true) const { return checkpoint(eager); }
  bool is_cached() const { return held_ != nullptr; }

  Schema schema() const;
  std::vector<std::string> columns() const;
  std::vector<std::pair<std::string, std::string>> dtypes() const;
  std::string schemaJson() const;
  void printSchema() const;
  /// Modes are Spark's ("simple", "extended", "codegen", "cost", "formatted"), and "analyze", which
  /// runs the query and says each operator's rows and time.
  std::string explain(const std::string& mode = "simple") const;
  std::vector<Row> collect() const;
  std::vector<Row> head(int64_t rows) const { return limit(rows).collect(); }
  std::vector<Row> take(int64_t rows) const { return head(rows); }
  std::vector<Row> tail(int64_t rows) const;
  std::optional<Row> first() const;
  bool isEmpty() const { return !first(); }
  int64_t count() const;
  /// Prints as PySpark's `show` does.
  void show(int rows = 20, int truncate = 20, bool vertical = false) const;
  std::string showString(int rows = 20, int truncate = 20, bool vertical = false) const;
  /// The rows as an Arrow stream, which may be larger than memory.
  ArrowStream toArrowStream() const;
  void createTempView(const std::string& name) const { create_view(name, false, false); }
  void createOrReplaceTempView(const std::string& name) const { create_view(name, true, false); }
  void createGlobalTempView(const std::string& name) const { create_view(name, false, true); }
  void createOrReplaceGlobalTempView(const std::string& name) const {
    create_view(name, true, true);
  }
  DataFrameWriter write() const;
  // dataframe/tables.h:
  DataFrameWriterV2 writeTo(const std::string& table) const;
  MergeIntoWriter mergeInto(const std::string& table, const Column& on) const;

  const std::shared_ptr<Executor>& executor() const { return executor_; }
  /// Of a cached DataFrame, the rows that are kept: they are made now if they are not yet.
  const spark::connect::Relation& plan() const;

 private:
  struct Held;
  DataFrame sampled(bool with_replacement, double fraction, std::optional<int64_t> seed) const;
  DataFrame sorted(const std::vector<Column>& keys, bool global) const;
  void create_view(const std::string& name, bool replace, bool global) const;
  template <typename Build>
  DataFrame derive(Build build) const;

  std::shared_ptr<Executor> executor_;
  std::shared_ptr<const spark::connect::Relation> plan_;
  std::shared_ptr<Held> held_;
};

template <typename Function>
DataFrame DataFrame::transform(Function function) const {
  return function(*this);
}

/// `df.na()`: what fills, drops and replaces values that are not there.
class DataFrameNaFunctions {
 public:
  explicit DataFrameNaFunctions(const DataFrame& df) : df_(df) {}
  template <typename... Arguments>
  DataFrame fill(const Arguments&... arguments) const {
    return df_.fillna(arguments...);
  }
  template <typename... Arguments>
  DataFrame drop(const Arguments&... arguments) const {
    return df_.dropna(arguments...);
  }
  DataFrame replace(const std::vector<std::pair<Column, Column>>& values,
                    const std::vector<std::string>& columns = {}) const {
    return df_.replace(values, columns);
  }

 private:
  DataFrame df_;
};

/// `df.stat()`: the statistics, which are methods of the DataFrame too.
class DataFrameStatFunctions {
 public:
  explicit DataFrameStatFunctions(const DataFrame& df) : df_(df) {}
  std::vector<std::vector<double>> approxQuantile(const std::vector<std::string>& columns,
                                                  const std::vector<double>& probabilities,
                                                  double relative_error = 0) const {
    return df_.approxQuantile(columns, probabilities, relative_error);
  }
  double corr(const std::string& a, const std::string& b) const { return df_.corr(a, b); }
  double cov(const std::string& a, const std::string& b) const { return df_.cov(a, b); }
  DataFrame crosstab(const std::string& a, const std::string& b) const {
    return df_.crosstab(a, b);
  }
  DataFrame freqItems(const std::vector<std::string>& columns, double support = 0.01) const {
    return df_.freqItems(columns, support);
  }
  DataFrame sampleBy(const Column& column, const std::vector<std::pair<Column, double>>& fractions,
                     std::optional<int64_t> seed = {}) const {
    return df_.sampleBy(column, fractions, seed);
  }

 private:
  DataFrame df_;
};

template <std::same_as<std::map<std::string, std::string>> Functions>
DataFrame GroupedData::agg(const Functions& functions) const {
  return by_name(functions);
}

template <typename... Columns>
DataFrame GroupedData::agg(const Column& first, const Columns&... rest) const {
  return agg(std::vector<Column>{first, rest...});
}

}  // namespace firesteel
