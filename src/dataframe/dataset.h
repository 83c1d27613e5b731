// Rows of a plain struct, worked on by C++ functions: a typed face of DataFrames and tasks
// (base/task.h). Rows move by the engine's or Spark's own shuffle and sort, and a program runs
// unchanged where its plans run. docs/tasks.md shows it; row_arrow.h says which structs are rows.
#pragma once

#include <concepts>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/task.h"
#include "dataframe/dataframe.h"
#include "dataframe/row_arrow.h"
#include "dataframe/session.h"

namespace firesteel {

/// Rows to be read once: `for (const Word& word : words)`. One thread at a time.
template <typename T>
class Rows {
 public:
  /// `read` puts the next row in its argument; false at the end.
  explicit Rows(std::function<bool(T&)> read) : read_(std::move(read)) {}
  explicit Rows(ArrowStream rows)
      : read_([cursor = std::make_shared<RowCursor>(std::move(rows))](T& row) {
          if (!cursor->advance()) return false;
          const char* at = nullptr;
          const auto column = [&](size_t i) -> const ArrowArray& { return cursor->column(i); };
          if (!read_fields(row, column, cursor->place(), at)) cursor->fail_null(at);
          return true;
        }) {}
  /// False at the end, when `row` is as it was.
  bool next(T& row) { return read_(row); }

  struct Iterator {
    Rows* rows;
    T row{};
    const T& operator*() const { return row; }
    Iterator& operator++() {
      if (rows && !rows->next(row)) rows = nullptr;
      return *this;
    }
    bool operator==(std::default_sentinel_t) const { return !rows; }
  };
  Iterator begin() { return ++Iterator{this}; }
  std::default_sentinel_t end() const { return {}; }

 private:
  std::function<bool(T&)> read_;
};

/// What a function gives its rows to: `emit(Word{"a", 1})`.
template <typename T>
class Emit {
 public:
  explicit Emit(RowBuilder& rows) : rows_(rows) {}
  void operator()(const T& row) {
    add_fields(row, [&](size_t i) -> ColumnBuilder& { return rows_.column(i); });
    rows_.end_row();
  }

 private:
  RowBuilder& rows_;
};

/// The rows that `body` gives the builder, on a thread of its own, few batches ahead of the reader.
ArrowStream built_rows(const Schema& schema, std::function<void(RowBuilder&)> body);

/// A plan and the tasks over it that have not run. Once one is needed, all run as one, so that what
/// is between them goes nowhere. Copies share what has run. Thread-safe.
class TaskChain {
 public:
  explicit TaskChain(const DataFrame& df);
  TaskChain then(TaskCall call) const;
  const DataFrame& df() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// The columns of a schema, in its order. Throws UNRESOLVED_COLUMN.WITH_SUGGESTION and
/// DATATYPE_MISMATCH.
DataFrame columns_of(const DataFrame& df, const Schema& schema);
/// Rows of two structs, `left` and `right`, whose keys are equal.
DataFrame joined(const DataFrame& left, const std::string& left_key, const DataFrame& right,
                 const std::string& right_key);
/// Rows with the same key are in one partition, one behind the other.
DataFrame by_key(const DataFrame& df, const std::string& key, std::optional<int> partitions);

template <typename A, typename B>
struct Pair {
  A left;
  B right;
};
template <typename A, typename B>
constexpr auto firesteel_row(std::type_identity<Pair<A, B>>) {
  return std::make_tuple(row_field("left", &Pair<A, B>::left),
                         row_field("right", &Pair<A, B>::right));
}

/// Calls a task's function, with the caller's argument behind the others when it takes one.
template <auto f, typename... Values>
decltype(auto) call_task(const std::string& argument, Values&&... values) {
  if constexpr (std::is_invocable_v<decltype(f), Values..., const std::string&>) {
    return f(std::forward<Values>(values)..., argument);
  } else {
    return f(std::forward<Values>(values)...);
  }
}

template <typename Function>
struct EmittedBy : EmittedBy<decltype(&Function::operator())> {};
template <typename F, typename Rest, typename T, typename... More>
struct EmittedBy<void (F::*)(Rest, Emit<T>&, More...) const> : std::type_identity<T> {};
template <typename Rest, typename T, typename... More>
struct EmittedBy<void (*)(Rest, Emit<T>&, More...)> : std::type_identity<T> {};
template <typename F, typename Key, typename Rest, typename T, typename... More>
struct EmittedBy<void (F::*)(Key, Rest, Emit<T>&, More...) const> : std::type_identity<T> {};
template <typename Key, typename Rest, typename T, typename... More>
struct EmittedBy<void (*)(Key, Rest, Emit<T>&, More...)> : std::type_identity<T> {};
/// The struct of the Emit that a function takes.
template <auto f>
using Emitted = typename EmittedBy<std::remove_const_t<decltype(f)>>::type;

template <typename>
struct MemberOf;
template <typename Value, typename T>
struct MemberOf<Value T::*> {
  using Type = Value;
};
template <auto member>
using MemberType = typename MemberOf<std::remove_const_t<decltype(member)>>::Type;

template <typename Key>
concept DatasetKey = requires(const Key& key) {
  { std::hash<Key>{}(key) } -> std::convertible_to<size_t>;
  { key == key } -> std::same_as<bool>;
}
&&!std::is_floating_point_v<Key>;

/// A Body is a type with `static void run(Rows<In>&, Emit<Out>&, const TaskContext&)`. It is a task
/// by its own name, which a call registers in every process of the program.
template <typename In, typename Out, typename Body>
class TypedTask {
 public:
  static TaskCall call(const std::string& argument = "") {
    (void)&registration_;
    return {.task = typeid(Body).name(), .argument = argument, .output = row_schema<Out>()};
  }

 private:
  static ArrowStream run(ArrowStream rows, const TaskContext& context) {
    const auto in = std::make_shared<ArrowStream>(std::move(rows));
    return built_rows(row_schema<Out>(), [in, context](RowBuilder& out) {
      Rows<In> rows(std::move(*in));
      Emit<Out> emit(out);
      Body::run(rows, emit, context);
    });
  }
  static inline const TaskRegistration registration_{typeid(Body).name(), run};
};

template <typename T, auto f>
struct MapBody {
  using Out = std::remove_cvref_t<decltype(call_task<f>(std::string(), std::declval<const T&>()))>;
  static void run(Rows<T>& rows, Emit<Out>& out, const TaskContext& context) {
    for (const auto& row : rows) out(call_task<f>(context.argument, row));
  }
};

template <typename T, auto f>
struct FilterBody {
  static void run(Rows<T>& rows, Emit<T>& out, const TaskContext& context) {
    for (const auto& row : rows) {
      if (call_task<f>(context.argument, row)) out(row);
    }
  }
};

template <typename T, auto f>
struct FlatMapBody {
  static void run(Rows<T>& rows, Emit<Emitted<f>>& out, const TaskContext& context) {
    for (const auto& row : rows) call_task<f>(context.argument, row, out);
  }
};

template <typename T, auto f>
struct PartitionBody {
  static void run(Rows<T>& rows, Emit<Emitted<f>>& out, const TaskContext& context) {
    f(rows, out, context);
  }
};

/// One row for the rows of each key, of those that a bounded table holds at a time.
template <typename T, auto key, auto f>
struct CombineBody {
  static constexpr size_t kKeys = 65536;
  static void run(Rows<T>& rows, Emit<T>& out, const TaskContext&) {
    std::unordered_map<MemberType<key>, T> table;
    const auto give = [&] {
      for (const auto& [value, row] : table) out(row);
      table.clear();
    };
    for (const auto& row : rows) {
      const auto [found, added] = table.try_emplace(row.*key, row);
      if (!added) found->second = f(found->second, row);
      if (table.size() >= kKeys) give();
    }
    give();
  }
};

/// One row for each run of rows with the same key.
template <typename T, auto key, auto f>
struct MergeBody {
  static void run(Rows<T>& rows, Emit<T>& out, const TaskContext&) {
    std::optional<T> merged;
    for (const auto& row : rows) {
      if (merged && (*merged).*key == row.*key) {
        merged = f(*merged, row);
        continue;
      }
      if (merged) out(*merged);
      merged = row;
    }
    if (merged) out(*merged);
  }
};

/// Calls for each run of rows with the same key.
template <typename T, auto key, auto f>
struct GroupBody {
  static void run(Rows<T>& rows, Emit<Emitted<f>>& out, const TaskContext& context) {
    T ahead{};
    bool more = rows.next(ahead);
    while (more) {
      const auto value = ahead.*key;
      Rows<T> group([&](T& row) {
        if (!more || !(ahead.*key == value)) return false;
        row = std::move(ahead);
        more = rows.next(ahead);
        return true;
      });
      call_task<f>(context.argument, value, group, out);
      for (T rest{}; group.next(rest);) {
      }
    }
  }
};

template <typename T, typename Total, auto add>
struct FoldBody {
  static void run(Rows<T>& rows, Emit<Total>& out, const TaskContext& context) {
    Total total{};
    for (const auto& row : rows) call_task<add>(context.argument, total, row);
    out(total);
  }
};

/// Rows of a struct. A cheap value, as a DataFrame is; nothing runs before rows are asked for.
///
/// Functions are template arguments, since they run in other processes too: lambdas that capture
/// nothing, or plain functions. Those that `argument` is said of may take a `const std::string&`
/// more than written here, which is what the caller gives. What a function throws, the call that
/// asks for rows throws as it was. The order of rows is that of `sort`, and otherwise anyone's.
template <RowStruct T>
class Dataset {
 public:
  /// A DataFrame's columns by the names of the fields; others are left out. Throws
  /// UNRESOLVED_COLUMN.WITH_SUGGESTION or DATATYPE_MISMATCH at once, and NULL_IN_ROW while running.
  static Dataset of(const DataFrame& df) {
    return Dataset(TaskChain(columns_of(df, row_schema<T>())));
  }
  /// Rows at hand, which the session's engine holds.
  static Dataset of(const Session& session, const std::vector<T>& rows) {
    return of(session.createDataFrame(built_rows(row_schema<T>(), [&](RowBuilder& builder) {
      Emit<T> emit(builder);
      for (const auto& row : rows) emit(row);
    })));
  }
  const DataFrame& df() const { return chain_.df(); }

  /// `U f(const T&)`, with `argument`.
  template <auto f>
  auto map(const std::string& argument = "") const {
    return then<typename MapBody<T, f>::Out, MapBody<T, f>>(argument);
  }
  /// `bool f(const T&)`, with `argument`.
  template <auto f>
  Dataset filter(const std::string& argument = "") const {
    return then<T, FilterBody<T, f>>(argument);
  }
  /// `void f(const T&, Emit<U>&)`, with `argument`.
  template <auto f>
  auto flat_map(const std::string& argument = "") const {
    return then<Emitted<f>, FlatMapBody<T, f>>(argument);
  }
  /// `void f(Rows<T>&, Emit<U>&, const TaskContext&)`, once for each partition. It need not read
  /// all rows. Tasks that run `together` need a `repartition(n)` right before.
  template <auto f>
  auto map_partitions(const std::string& argument = "", bool together = false,
                      const std::vector<std::filesystem::path>& folders = {}) const {
    auto call = TypedTask<T, Emitted<f>, PartitionBody<T, f>>::call(argument);
    call.together = together;
    call.folders = folders;
    return Dataset<Emitted<f>>(chain_.then(std::move(call)));
  }

  /// `T f(const T&, const T&)` makes one row of all that have the key, in any order, so it must be
  /// associative and commutative; the row it gives has the key too. Rows are combined before they
  /// move. Keys are integers, booleans or texts, or optional ones, where NULL is a key.
  template <auto key, auto f>
  requires DatasetKey<MemberType<key>> Dataset reduce_by_key(std::optional<int> partitions = {})
  const {
    const auto combined = then<T, CombineBody<T, key, f>>();
    return Dataset(TaskChain(by_key(combined.df(), field_name<key>(key), partitions)))
        .template then<T, MergeBody<T, key, f>>();
  }
  /// `void f(const Key&, Rows<T>&, Emit<U>&)` for the rows of each key, with `argument`. A group is
  /// read as it comes and may be larger than memory.
  template <auto key, auto f>
  requires std::equality_comparable<MemberType<key>>
  auto group_by_key(const std::string& argument = "", std::optional<int> partitions = {}) const {
    return Dataset(TaskChain(by_key(df(), field_name<key>(key), partitions)))
        .template then<Emitted<f>, GroupBody<T, key, f>>(argument);
  }
  /// `void add(Total&, const T&)` adds a row to a total, with `argument`, `void merge(Total&, const
  /// Total&)` a total to another. Totals begin as `Total{}` and are described by FIRESTEEL_ROW.
  template <typename Total, auto add, auto merge>
  Total aggregate(const std::string& argument = "") const {
    Total total{};
    for (const auto& part : then<Total, FoldBody<T, Total, add>>(argument).collect())
      merge(total, part);
    return total;
  }

  template <auto key>
  Dataset sort(bool ascending = true) const {
    const auto column = col(field_name<key>(key));
    return Dataset(TaskChain(df().orderBy({ascending ? column.asc() : column.desc()})));
  }
  /// A pair for each two rows whose keys are equal; NULL equals nothing.
  template <auto key, auto other_key, typename U>
  Dataset<Pair<T, U>> join(const Dataset<U>& other) const {
    return Dataset<Pair<T, U>>::of(
        joined(df(), field_name<key>(key), other.df(), field_name<other_key>(other_key)));
  }
  /// `V f(const T&, const U&)` of each pair.
  template <auto key, auto other_key, auto f, typename U>
  auto join(const Dataset<U>& other) const {
    return join<key, other_key>(other).template map<&apply_to_pair<f, U>>();
  }
  Dataset repartition(int partitions) const {
    return Dataset(TaskChain(df().repartition(partitions)));
  }

  /// The same rows, which the engine keeps once they are asked for.
  Dataset cache() const { return Dataset(TaskChain(df().cache())); }
  /// Writes the rows to a new folder of Parquet files, now, and goes on from these.
  Dataset checkpoint(const std::string& path) const {
    df().write().parquet(path);
    return of(DataFrameReader(df().executor()).parquet(path));
  }

  int64_t count() const { return df().count(); }
  std::vector<T> collect() const { return collect(df()); }
  std::vector<T> take(int64_t rows) const { return collect(df().limit(rows)); }

 private:
  template <RowStruct>
  friend class Dataset;
  explicit Dataset(TaskChain chain) : chain_(std::move(chain)) {}

  template <typename Out, typename Body>
  Dataset<Out> then(const std::string& argument = "") const {
    return Dataset<Out>(chain_.then(TypedTask<T, Out, Body>::call(argument)));
  }
  template <auto f, typename U>
  static auto apply_to_pair(const Pair<T, U>& pair) {
    return f(pair.left, pair.right);
  }
  static std::vector<T> collect(const DataFrame& df) {
    Rows<T> rows(df.toArrowStream());
    std::vector<T> out;
    for (const auto& row : rows) out.push_back(row);
    return out;
  }

  TaskChain chain_;
};

}  // namespace firesteel
