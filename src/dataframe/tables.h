// Tables of the catalog as the target of a DataFrame: `df.writeTo("t")`, `df.mergeInto("t", on)`.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataframe/dataframe.h"

namespace spark::connect {
class MergeIntoTableCommand;
class WriteOperationV2;
}  // namespace spark::connect

namespace firesteel {

/// `df.writeTo("t").partitionedBy({"year"}).create()`. Columns go by name.
class DataFrameWriterV2 {
 public:
  DataFrameWriterV2(const DataFrame& df, const std::string& table);
  /// The format: PySpark's `using`, which is a word of C++.
  DataFrameWriterV2& using_(const std::string& provider);
  DataFrameWriterV2& option(const std::string& key, const std::string& value);
  DataFrameWriterV2& options(const std::map<std::string, std::string>& options);
  DataFrameWriterV2& tableProperty(const std::string& key, const std::string& value);
  DataFrameWriterV2& partitionedBy(const std::vector<Column>& columns);
  DataFrameWriterV2& clusterBy(const std::vector<std::string>& columns);
  void create();
  void replace();
  void createOrReplace();
  void append();
  /// The rows that meet the condition are replaced.
  void overwrite(const Column& condition);
  /// The partitions that the rows belong to are replaced.
  void overwritePartitions();

 private:
  void write(int mode);

  std::shared_ptr<Executor> executor_;
  std::shared_ptr<spark::connect::WriteOperationV2> operation_;
};

/// `df.mergeInto("t", on).whenMatched().updateAll().whenNotMatched().insertAll().merge()`.
class MergeIntoWriter {
 public:
  MergeIntoWriter(const DataFrame& df, const std::string& table, const Column& on);

  using Assignments = std::map<std::string, Column>;
  class WhenMatched {
   public:
    MergeIntoWriter& updateAll() { return add("update *", {}); }
    MergeIntoWriter& update(const Assignments& assignments) { return add("update", assignments); }
    MergeIntoWriter& delete_() { return add("delete", {}); }

   protected:
    friend class MergeIntoWriter;
    WhenMatched(MergeIntoWriter& writer, int list, std::optional<Column> condition)
        : writer_(writer), list_(list), condition_(std::move(condition)) {}
    MergeIntoWriter& add(const std::string& action, const Assignments& assignments);

   private:
    MergeIntoWriter& writer_;
    int list_;
    std::optional<Column> condition_;
  };
  class WhenNotMatched : WhenMatched {
   public:
    MergeIntoWriter& insertAll() { return add("insert *", {}); }
    MergeIntoWriter& insert(const Assignments& assignments) { return add("insert", assignments); }

   private:
    friend class MergeIntoWriter;
    using WhenMatched::WhenMatched;
  };

  WhenMatched whenMatched(std::optional<Column> condition = {});
  WhenNotMatched whenNotMatched(std::optional<Column> condition = {});
  WhenMatched whenNotMatchedBySource(std::optional<Column> condition = {});
  MergeIntoWriter& withSchemaEvolution();
  void merge();

 private:
  std::shared_ptr<Executor> executor_;
  std::shared_ptr<spark::connect::MergeIntoTableCommand> command_;
};

}  // namespace firesteel
