// The way in: `auto spark = Session::builder().getOrCreate();`
#pragma once

#include <memory>
#include <string>

#include "dataframe/catalog.h"
#include "dataframe/dataframe.h"
#include "dataframe/tables.h"

namespace firesteel {

/// A session on an Executor. Copies share it.
class Session {
 public:
  explicit Session(std::shared_ptr<Executor> executor) : executor_(std::move(executor)) {}

  class Builder;
  /// Makes sessions on the embedded engine; see firesteel/session_builder.h.
  static Builder builder();

  DataFrameReader read() const { return DataFrameReader(executor_); }
  /// A query is not run before an action asks for its rows; any other statement is.
  DataFrame sql(const std::string& text) const;
  DataFrame table(const std::string& name) const;
  /// The rows of a stream, which are held by the engine from now on.
  DataFrame createDataFrame(ArrowStream rows) const;
  Catalog catalog() const { return Catalog(executor_); }
  DataFrame range(int64_t start, int64_t end, int64_t step = 1) const;
  const std::shared_ptr<Executor>& executor() const { return executor_; }

 private:
  std::shared_ptr<Executor> executor_;
};

}  // namespace firesteel
