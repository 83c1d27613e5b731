// A user's stream reader and writer: what has come is asked of the one, batches go to the other.
#include "engine/streaming_python.h"

#include <fmt/format.h>

#include <chrono>

namespace firesteel {

namespace {

/// How long a reader may take to stop.
constexpr auto kStopTime = std::chrono::seconds(10);

class PythonStreamSource : public StreamSource {
 public:
  PythonStreamSource(const PythonSource& source, const proto::Read_DataSource& read,
                     EmbeddedExecutor& engine)
      : engine_(engine), name_(source.name), worker_(source, engine.python_session()) {
    worker_.interrupt_when([this] { return engine_.interrupted(); });
    const auto made = engine.describe_python(worker_, read);
    schema_ = made.schema;
    command_ = worker_.open_stream(made);
  }
  ~PythonStreamSource() override {
    const auto end = std::chrono::steady_clock::now() + kStopTime;
    worker_.interrupt_when([end] { return std::chrono::steady_clock::now() > end; });
    try {
      worker_.stop_stream();
    } catch (const Error&) {  // nobody is left to hear of it
    }
  }
  std::string description() const override {
    return fmt::format("PythonMicroBatchStream[{}]", name_);
  }
  std::string next(const std::string& start) override {
    const auto from = start.empty() ? first() : start;
    const auto end = last_.empty() ? worker_.latest_offset(from) : last_;
    if (ends_ && last_.empty()) last_ = end;
    if (end == from) return start;
    if (!start.empty()) worker_.commit_stream(start);
    return end;
  }
  void stop_at_latest() override { ends_ = !worker_.stops_at_latest(); }
  HeldRows rows(const std::string& start, const std::string& end) override {
    const auto batch = worker_.partitions(start.empty() ? first() : start, end);
    if (!batch.rows)
      return engine_.hold(
          worker_.scan(schema_, {command_, batch.pickles}, engine_.database().threads()));
    proto::Relation relation;
    relation.mutable_local_relation()->set_schema(schema_json(schema_));
    if (!batch.pickles.empty()) relation.mutable_local_relation()->set_data(batch.pickles[0]);
    return engine_.hold(relation);
  }

 private:
  const std::string& first() {
    if (first_.empty()) first_ = worker_.initial_offset();
    return first_;
  }

  EmbeddedExecutor& engine_;
  std::string name_, command_, first_;
  std::string last_;   // where an available-now query ends
  bool ends_ = false;  // at the next latest offset
  Schema schema_;
  PythonSourceWorker worker_;
};

class PythonSink : public StreamSink {
 public:
  PythonSink(const PythonSource& source, const SinkRequest& request)
      : engine_(request.engine), name_(source.name), worker_(source, engine_->python_session()) {
    PythonSourceWorker::Options options{request.start.options().begin(),
                                        request.start.options().end()};
    if (!request.start.path().empty()) options["path"] = request.start.path();
    writer_ = worker_.plan_write(engine_->schema(request.plan), options,
                                 request.mode == OutputMode::kComplete, true);
  }
  std::string description() const override { return fmt::format("PythonTable[{}]", name_); }
  int64_t write(int64_t batch, const proto::Relation& rows) override {
    engine_->write_python(worker_, writer_, rows, batch);
    return -1;
  }

 private:
  std::shared_ptr<EmbeddedExecutor> engine_;
  std::string name_;
  PythonSourceWorker worker_;
  PythonSourceWorker::Writer writer_;
};

}  // namespace

std::unique_ptr<StreamSource> make_python_source(const PythonSource& source,
                                                 const proto::Read_DataSource& read,
                                                 EmbeddedExecutor& engine) {
  return std::make_unique<PythonStreamSource>(source, read, engine);
}

std::unique_ptr<StreamSink> make_python_sink(const PythonSource& source,
                                             const SinkRequest& request) {
  return std::make_unique<PythonSink>(source, request);
}

}  // namespace firesteel
