// Where the rows of a stream go, batch by batch.
#pragma once

#include <spark/connect/commands.pb.h>

#include <functional>
#include <memory>
#include <string>

#include "engine/embedded.h"
#include "engine/streaming_plan.h"

namespace firesteel {

/// Takes one batch after another; a batch may come again after a crash. One thread.
class StreamSink {
 public:
  virtual ~StreamSink() = default;
  /// As Spark's progress names it.
  virtual std::string description() const = 0;
  /// Takes a batch's rows and gives their number, or -1 when the sink does not know it.
  virtual int64_t write(int64_t batch, const proto::Relation& rows) = 0;
};

/// What calls users' functions: foreachBatch and foreach, of the query that it is made for. It may
/// throw; the query then ends with the error.
using BatchFunction = std::function<void(const proto::Relation& rows, int64_t batch)>;
using BatchFunctionFactory = std::function<BatchFunction(
    const proto::WriteStreamOperationStart& start, std::shared_ptr<EmbeddedExecutor> session)>;

struct SinkRequest {
  const proto::WriteStreamOperationStart& start;
  std::string query_id;
  OutputMode mode;
  std::shared_ptr<EmbeddedExecutor> session;  // the user's, in which temporary views are made
  std::shared_ptr<EmbeddedExecutor> engine;   // the query's own
  proto::Relation plan;                       // expanded
  const BatchFunctionFactory& functions;
};

/// Throws DATA_SOURCE_NOT_FOUND.
void check_sink_format(const proto::WriteStreamOperationStart& start, EmbeddedExecutor& session);
/// Whether the sink needs a checkpoint that stays.
bool sink_needs_checkpoint(const proto::WriteStreamOperationStart& start);
/// Throws what options and output mode deserve, before the query starts.
std::unique_ptr<StreamSink> make_stream_sink(const SinkRequest& request);

}  // namespace firesteel
