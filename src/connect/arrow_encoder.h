// Rows as Spark Connect sends them: Arrow IPC streams of one batch each, in Spark's Arrow types.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/arrow_stream.h"
#include "plan/types.h"

namespace arrow {
class Schema;
}

namespace firesteel::connect {

/// Spark's Arrow types of a schema.
std::shared_ptr<arrow::Schema> arrow_schema(const Schema& schema, const std::string& time_zone);
/// Spark's types of a stream's columns. Throws UNSUPPORTED_DATATYPE.
Schema spark_schema(ArrowStream& rows);

struct EncodedBatch {
  int64_t rows = 0;
  std::string data;  // a whole IPC stream: schema, one batch, end
};

/// Cuts a query's rows into batches of about `bytes_max`; a larger row is a batch of its own. Owns
/// the stream. One thread at a time.
class ArrowEncoder {
 public:
  ArrowEncoder(Schema schema, std::string time_zone, ArrowStream rows, int64_t bytes_max);
  ~ArrowEncoder();
  /// The next batch, or nothing at the end. A query without rows has one empty batch.
  std::optional<EncodedBatch> next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace firesteel::connect
