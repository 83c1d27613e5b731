// What Datasets of all structs share: tasks that run as one, rows that a thread makes, columns held
// to a struct.
#include "dataframe/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/made_stream.h"
#include "dataframe/derive.h"

namespace firesteel {

namespace {

/// Batches from the thread that makes them to the one that reads.
class BuiltRows {
 public:
  BuiltRows(const Schema& schema, std::function<void(RowBuilder&)> body)
      : thread_([this,
                 builder = RowBuilder(schema, [this](ArrowBatch batch) { give(std::move(batch)); }),
                 body = std::move(body)]() mutable {
          std::exception_ptr failure;
          try {
            body(builder);
            builder.end();
          } catch (const NobodyReads&) {
          } catch (...) {
            failure = std::current_exception();
          }
          const std::lock_guard lock(mutex_);
          failure_ = failure;
          ended_ = true;
          changed_.notify_all();
        }) {}
  ~BuiltRows() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

  std::optional<ArrowBatch> next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return batch_ || ended_; });
    if (!batch_ && failure_) std::rethrow_exception(failure_);
    changed_.notify_all();
    return std::exchange(batch_, std::nullopt);
  }

 private:
  struct NobodyReads {};

  void give(ArrowBatch batch) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !batch_ || closed_; });
    if (closed_) throw NobodyReads();
    batch_ = std::move(batch);
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<ArrowBatch> batch_;
  bool ended_ = false, closed_ = false;
  std::exception_ptr failure_;
  std::jthread thread_;  // last: it uses all the others
};

/// The tasks of a chain and their arguments as one argument: each text behind its length.
constexpr const char* kChain = "firesteel.chain";

std::string packed(const std::vector<TaskCall>& calls) {
  std::string out;
  for (const auto& call : calls) {
    for (const auto& text : {call.task, call.argument})
      out += fmt::format("{}:{}", text.size(), text);
  }
  return out;
}

std::string unpack(std::string_view& rest) {
  size_t size = 0;
  const auto end = std::from_chars(rest.data(), rest.data() + rest.size(), size).ptr;
  const auto begin = static_cast<size_t>(end - rest.data()) + 1;
  const auto text = rest.substr(begin, size);
  rest.remove_prefix(begin + size);
  return std::string(text);
}

const TaskRegistration chain_registration(kChain, [](ArrowStream rows, const TaskContext& context) {
  for (std::string_view rest = context.argument; !rest.empty();) {
    const auto& task = find_task(unpack(rest));
    auto own = context;
    own.argument = unpack(rest);
    rows = task(std::move(rows), own);
  }
  return rows;
});

/// Whether values are of one type; whether they may be NULL, and names of items, do not count.
bool same_type(const DataType& a, const DataType& b) {
  if (a.kind != b.kind) return false;
  if (!a.fields || !b.fields) return a == b;
  return std::ranges::equal(*a.fields, *b.fields, [&](const Field& x, const Field& y) {
    return (a.kind != TypeKind::kStruct || x.name == y.name) && same_type(x.type, y.type);
  });
}

}  // namespace

ArrowStream built_rows(const Schema& schema, std::function<void(RowBuilder&)> body) {
  const auto rows = std::make_shared<BuiltRows>(schema, std::move(body));
  return make_stream([schema] { return arrow_schema(schema); }, [rows] { return rows->next(); });
}

struct TaskChain::State {
  DataFrame df;
  std::vector<TaskCall> calls = {};
  std::mutex mutex = {};
};

TaskChain::TaskChain(const DataFrame& df) : state_(std::make_shared<State>(df)) {}

TaskChain TaskChain::then(TaskCall call) const {
  const auto alone = [](const TaskCall& one) { return one.together || !one.folders.empty(); };
  auto out = *this;
  {
    const std::lock_guard lock(state_->mutex);
    out.state_ = std::make_shared<State>(state_->df, state_->calls);
  }
  auto& calls = out.state_->calls;
  if (!calls.empty() && (alone(call) || alone(calls.back()))) out = TaskChain(df());
  out.state_->calls.push_back(std::move(call));
  return out;
}

const DataFrame& TaskChain::df() const {
  const std::lock_guard lock(state_->mutex);
  auto& calls = state_->calls;
  if (calls.size() == 1) {
    state_->df = state_->df.mapPartitions(calls[0]);
  } else if (!calls.empty()) {
    state_->df = state_->df.mapPartitions(
        {.task = kChain, .argument = packed(calls), .output = calls.back().output});
  }
  calls.clear();
  return state_->df;
}

DataFrame columns_of(const DataFrame& df, const Schema& schema) {
  const auto given = df.schema();
  std::vector<Column> columns;
  for (const auto& field : schema) {
    const auto found = std::ranges::find(given, field.name, &Field::name);
    if (found == given.end()) {
      std::vector<std::string> names;
      for (const auto& column : given) names.push_back(column.name);
      const auto near = nearest_name(field.name, names);
      throw Error("UNRESOLVED_COLUMN.WITH_SUGGESTION",
                  fmt::format("The rows have no column `{}`, which their struct asks for.{} They "
                              "have {}.",
                              field.name, near.empty() ? "" : fmt::format(" Is it `{}`?", near),
                              fmt::join(names, ", ")));
    }
    if (!same_type(found->type, field.type)) {
      throw Error(
          "DATATYPE_MISMATCH",
          fmt::format("The column `{}` is {}, and its struct asks for {}. Cast the column or "
                      "change the field.",
                      field.name, found->type.sql(), field.type.sql()));
    }
    columns.push_back(col("`" + field.name + "`"));
  }
  return df.select(columns);
}

DataFrame joined(const DataFrame& left, const std::string& left_key, const DataFrame& right,
                 const std::string& right_key) {
  return left.selectExpr({"struct(*) AS `left`"})
      .join(right.selectExpr({"struct(*) AS `right`"}),
            col("`left`.`" + left_key + "`") == col("`right`.`" + right_key + "`"));
}

DataFrame by_key(const DataFrame& df, const std::string& key, std::optional<int> partitions) {
  return df.repartition({col(key)}, partitions).sortWithinPartitions({col(key)});
}

}  // namespace firesteel
