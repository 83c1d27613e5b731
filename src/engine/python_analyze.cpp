// The method `analyze` of a Python table function, which says the function's columns.
#include "base/error.h"
#include "engine/embedded.h"
#include "engine/python_protocol.h"
#include "engine/python_run.h"
#include "engine/values.h"

namespace firesteel {

namespace {

AnalyzedTable answer(PythonWorker& worker) {
  const int size = worker.read_int();
  if (size == python_mark::kException) {
    throw Error("TABLE_VALUED_FUNCTION_FAILED_TO_ANALYZE_IN_PYTHON",
                "Failed to analyze the Python user defined table function: " + worker.read_text());
  }
  const auto schema = worker.read_text(size);
  AnalyzedTable out{.columns = *type_from_json(schema).fields, .pickled = worker.read_text()};
  worker.read_int();  // one partition: there is but one
  for (int left = worker.read_int(); left > 0; --left) out.partition.push_back(worker.read_text());
  for (int left = worker.read_int(); left > 0; --left) {
    auto& term = out.order.emplace_back();
    term.expression = worker.read_text();
    term.ascending = worker.read_int() == 1;
    if (const int nulls = worker.read_int(); nulls != 0) term.nulls_first = nulls == 1;
  }
  for (int left = worker.read_int(); left > 0; --left) {
    auto expression = worker.read_text();
    out.select.emplace_back(std::move(expression), worker.read_text());
  }
  for (int left = worker.read_int(); left > 0; --left) worker.read_text();  // accumulators
  if (worker.read_int() == python_mark::kEndOfStream) worker.finish();
  return out;
}

}  // namespace

AnalyzedTable EmbeddedExecutor::analyzed(const PythonTask& task,
                                         const std::vector<AnalyzeArgument>& arguments) {
  const auto worker = PythonWorker::take(python_setup(task));
  worker->interrupted = QueryGroup::interrupted_here;
  auto told = arguments;
  for (auto& argument : told)  // a constant came as text
    if (argument.pickled) argument.pickled = bytes_of_base64(*argument.pickled);
  worker->send_text("pyspark.sql.worker.analyze_udtf");
  worker->send(python_analyze_message(task, told, *worker));
  return answer(*worker);
}

}  // namespace firesteel
