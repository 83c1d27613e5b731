// Sketches of Apache DataSketches, in the bytes that Spark's own library writes and reads: distinct
// counts (HLL, theta, tuples with a summary) and quantiles (KLL).
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <optional>

#include "base/number_text.h"
#include "duckdb.hpp"
#include "duckdb/execution/expression_executor.hpp"
#include "duckdb/function/aggregate_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "engine/kernels.h"
#include "engine/typed_kernel.h"
#include "hll.hpp"
#include "kll_sketch.hpp"
#include "theta_a_not_b.hpp"
#include "theta_intersection.hpp"
#include "theta_sketch.hpp"
#include "theta_union.hpp"
#include "tuple_a_not_b.hpp"
#include "tuple_intersection.hpp"
#include "tuple_sketch.hpp"
#include "tuple_union.hpp"

namespace firesteel {

namespace {

using duckdb::AggregateFunction;
using duckdb::AggregateInputData;
using duckdb::LogicalType;
using duckdb::string_t;
using duckdb::Value;
using duckdb::Vector;
using Arguments = std::vector<Value>;

template <typename Bytes>
Value blob(const Bytes& bytes) {
  return Value::BLOB(reinterpret_cast<duckdb::const_data_ptr_t>(bytes.data()), bytes.size());
}

[[noreturn]] void not_a_sketch(const char* family, const std::string& function) {
  raise(fmt::format("{}_INVALID_INPUT_SKETCH_BUFFER", family),
        fmt::format("Invalid call to `{}`; only valid {} sketch buffers are supported as inputs.",
                    function, family));
}

/// Reads a sketch; what is none is the error of its family.
template <typename Sketch>
Sketch sketch_in(std::string_view bytes, const char* family, const std::string& function) {
  try {
    return Sketch::deserialize(bytes.data(), bytes.size());
  } catch (const std::exception&) {
    not_a_sketch(family, function);
  }
}

std::string_view view(const string_t& text) { return {text.GetData(), text.GetSize()}; }

/// Numbers are hashed as they are, text and bytes by their bytes; what is empty counts as nothing.
template <typename Sketch, typename T>
void feed(Sketch& sketch, const T& value) {
  if constexpr (std::is_same_v<T, string_t>) {
    if (value.GetSize() > 0) sketch.update(value.GetData(), value.GetSize());
  } else {
    sketch.update(value);
  }
}

// ---------------------------------------------------------------------------------------------
// Aggregates. An operation names its state and how a value, with the call's parameter, is added;
// perhaps with a summary beside it.

template <typename Operation>
concept Summarises = requires {
  typename Operation::Summary;
};

/// What an aggregate gives without a value: the call's last argument.
struct Empty : duckdb::FunctionData {
  std::string bytes;
  duckdb::unique_ptr<duckdb::FunctionData> Copy() const override {
    auto copy = duckdb::make_uniq<Empty>();
    copy->bytes = bytes;
    return copy;
  }
  bool Equals(const duckdb::FunctionData& other) const override {
    return other.Cast<Empty>().bytes == bytes;
  }
};

duckdb::unique_ptr<duckdb::FunctionData> bind(
    duckdb::ClientContext& context, AggregateFunction&,
    duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>& arguments) {
  auto empty = duckdb::make_uniq<Empty>();
  empty->bytes = duckdb::StringValue::Get(
      duckdb::ExpressionExecutor::EvaluateScalar(context, *arguments.back()));
  return empty;
}

template <typename Operation>
struct Aggregate {
  using State = typename Operation::State;
  using Input = typename Operation::Input;
  struct Slot {
    State* state;
  };

  static idx_t size(const AggregateFunction&) { return sizeof(Slot); }
  static void start(const AggregateFunction&, duckdb::data_ptr_t slot) {
    reinterpret_cast<Slot*>(slot)->state = nullptr;
  }

  static Slot* slot_at(duckdb::UnifiedVectorFormat& slots, idx_t row) {
    return duckdb::UnifiedVectorFormat::GetData<Slot*>(slots)[slots.sel->get_index(row)];
  }

  static void update(Vector inputs[], AggregateInputData&, idx_t columns, Vector& states,
                     idx_t count) {
    duckdb::UnifiedVectorFormat values, summaries, parameters, slots;
    inputs[0].ToUnifiedFormat(count, values);
    inputs[columns - 2].ToUnifiedFormat(count, parameters);
    states.ToUnifiedFormat(count, slots);
    const auto* value = duckdb::UnifiedVectorFormat::GetData<Input>(values);
    const auto* parameter = duckdb::UnifiedVectorFormat::GetData<int32_t>(parameters);
    if constexpr (Summarises<Operation>) inputs[1].ToUnifiedFormat(count, summaries);
    for (idx_t row = 0; row < count; ++row) {
      const auto at = values.sel->get_index(row);
      if (!values.validity.RowIsValid(at)) continue;
      const auto given = parameter[parameters.sel->get_index(row)];
      auto* slot = slot_at(slots, row);
      if constexpr (Summarises<Operation>) {
        const auto beside = summaries.sel->get_index(row);
        if (!summaries.validity.RowIsValid(beside)) continue;
        const auto* summary =
            duckdb::UnifiedVectorFormat::GetData<typename Operation::Summary>(summaries);
        if (!slot->state) slot->state = new State(Operation::make(value[at], given));
        Operation::add(*slot->state, value[at], summary[beside]);
      } else {
        if (!slot->state) slot->state = new State(Operation::make(value[at], given));
        Operation::add(*slot->state, value[at], given);
      }
    }
  }

  static void update_one(Vector inputs[], AggregateInputData& data, idx_t columns,
                         duckdb::data_ptr_t slot, idx_t count) {
    Vector states(Value::POINTER(reinterpret_cast<uintptr_t>(slot)));
    update(inputs, data, columns, states, count);
  }

  static void combine(Vector& from, Vector& into, AggregateInputData&, idx_t count) {
    duckdb::UnifiedVectorFormat sources, targets;
    from.ToUnifiedFormat(count, sources);
    into.ToUnifiedFormat(count, targets);
    for (idx_t row = 0; row < count; ++row) {
      auto* source = slot_at(sources, row);
      auto* target = slot_at(targets, row);
      if (!source->state) continue;
      if (!target->state) {
        target->state = new State(*source->state);
      } else {
        Operation::merge(*target->state, *source->state);
      }
    }
  }

  static void finish(Vector& states, AggregateInputData& data, Vector& result, idx_t count,
                     idx_t offset) {
    const auto& empty = data.bind_data->Cast<Empty>().bytes;
    duckdb::UnifiedVectorFormat slots;
    states.ToUnifiedFormat(count, slots);
    for (idx_t row = 0; row < count; ++row) {
      const auto* state = slot_at(slots, row)->state;
      result.SetValue(row + offset, state ? Operation::result(*state) : Value::BLOB_RAW(empty));
    }
  }

  static void release(Vector& states, AggregateInputData&, idx_t count) {
    duckdb::UnifiedVectorFormat slots;
    states.ToUnifiedFormat(count, slots);
    for (idx_t row = 0; row < count; ++row) {
      auto* slot = slot_at(slots, row);
      delete slot->state;
      slot->state = nullptr;
    }
  }

  static AggregateFunction function(const duckdb::vector<LogicalType>& inputs) {
    auto arguments = inputs;
    arguments.push_back(LogicalType::INTEGER);
    arguments.push_back(LogicalType::BLOB);
    return AggregateFunction(arguments, LogicalType::BLOB, size, start, update, combine, finish,
                             duckdb::FunctionNullHandling::SPECIAL_HANDLING, update_one, bind,
                             release);
  }
};

/// The aggregate of a template of operations, for each kind of value that is hashed.
template <template <typename> class Operation>
void add_hashing(duckdb::ExtensionLoader& loader, const char* name) {
  duckdb::AggregateFunctionSet set(name);
  set.AddFunction(Aggregate<Operation<int64_t>>::function({LogicalType::BIGINT}));
  set.AddFunction(Aggregate<Operation<double>>::function({LogicalType::DOUBLE}));
  set.AddFunction(Aggregate<Operation<string_t>>::function({LogicalType::VARCHAR}));
  set.AddFunction(Aggregate<Operation<string_t>>::function({LogicalType::BLOB}));
  loader.RegisterFunction(set);
}

template <typename Operation>
void add_aggregate(duckdb::ExtensionLoader& loader, const std::string& name,
                   const LogicalType& input) {
  auto function = Aggregate<Operation>::function({input});
  function.name = name;
  loader.RegisterFunction(function);
}

// ---------------------------------------------------------------------------------------------
// HLL

using datasketches::hll_sketch;
using datasketches::hll_union;

hll_sketch hll_in(std::string_view bytes, const std::string& function) {
  return sketch_in<hll_sketch>(bytes, "HLL", function);
}

Value hll_result(const hll_union& all) {
  return blob(all.get_result(datasketches::HLL_8).serialize_updatable());
}

/// Unites a sketch, whose size must be that of the union unless `any_size`.
void unite(hll_union& all, const hll_sketch& sketch, bool any_size, const std::string& function) {
  const int size = all.get_lg_config_k(), other = sketch.get_lg_config_k();
  if (!any_size && size != other) {
    raise("HLL_UNION_DIFFERENT_LG_K",
          fmt::format("Sketches have different `lgConfigK` values: {} and {}. Set the "
                      "`allowDifferentLgConfigK` parameter to true to call `{}` with different "
                      "`lgConfigK` values.",
                      size, other, function));
  }
  if (other < size) {
    hll_union smaller(static_cast<uint8_t>(other));
    smaller.update(all.get_result(datasketches::HLL_8));
    all = smaller;
  }
  all.update(sketch);
}

template <typename T>
struct HllOperation {
  using State = hll_sketch;
  using Input = T;
  static State make(const T&, int32_t size) {
    return State(static_cast<uint8_t>(size), datasketches::HLL_8);
  }
  static void add(State& state, const T& value, int32_t) { feed(state, value); }
  static void merge(State& state, const State& other) {
    hll_union all(state.get_lg_config_k());
    all.update(state);
    all.update(other);
    state = all.get_result(datasketches::HLL_8);
  }
  static Value result(const State& state) { return blob(state.serialize_updatable()); }
};

struct HllUnionOperation {
  using State = hll_union;
  using Input = string_t;
  static State make(const string_t& bytes, int32_t) {
    return State(hll_in(view(bytes), "hll_union_agg").get_lg_config_k());
  }
  static void add(State& state, const string_t& bytes, int32_t any_size) {
    unite(state, hll_in(view(bytes), "hll_union_agg"), any_size != 0, "hll_union_agg");
  }
  static void merge(State& state, const State& other) {
    unite(state, other.get_result(datasketches::HLL_8), true, "hll_union_agg");
  }
  static Value result(const State& state) { return hll_result(state); }
};

TypedRow make_hll_estimate(const Typed&, const Zone&) {
  return [](const Arguments& a) {
    const auto sketch = hll_in(text_in(a[0]), "hll_sketch_estimate");
    return Value::BIGINT(static_cast<int64_t>(std::floor(sketch.get_estimate() + 0.5)));
  };
}

TypedRow make_hll_union(const Typed&, const Zone&) {
  return [](const Arguments& a) {
    const auto first = hll_in(text_in(a[0]), "hll_union"),
               second = hll_in(text_in(a[1]), "hll_union");
    hll_union all(first.get_lg_config_k());
    all.update(first);
    unite(all, second, duckdb::BooleanValue::Get(a[2]), "hll_union");
    return hll_result(all);
  };
}

// ---------------------------------------------------------------------------------------------
// Theta

using datasketches::compact_theta_sketch;
using datasketches::theta_intersection;
using datasketches::theta_union;
using datasketches::update_theta_sketch;

compact_theta_sketch theta_in(std::string_view bytes, const std::string& function) {
  return sketch_in<compact_theta_sketch>(bytes, "THETA", function);
}

Value theta_result(const compact_theta_sketch& sketch) {
  auto bytes = sketch.serialize_compressed();
  // Java marks a sketch of one hash, which C++ tells by its size.
  if (bytes.size() == 16 && sketch.get_num_retained() == 1) bytes[5] |= 0x20;
  return blob(bytes);
}

theta_union union_of_size(int32_t size) {
  return theta_union::builder().set_lg_k(static_cast<uint8_t>(size)).build();
}

template <typename T>
struct ThetaOperation {
  /// A sketch that is fed, and the union of those that other threads have fed.
  struct State {
    update_theta_sketch fed;
    std::optional<theta_union> united = std::nullopt;
    int32_t size;
  };
  using Input = T;
  static State make(const T&, int32_t size) {
    return {.fed = update_theta_sketch::builder().set_lg_k(static_cast<uint8_t>(size)).build(),
            .size = size};
  }
  static void add(State& state, const T& value, int32_t) { feed(state.fed, value); }
  static void merge(State& state, const State& other) {
    if (!state.united) state.united = union_of_size(state.size);
    state.united->update(other.fed);
    if (other.united) state.united->update(other.united->get_result());
  }
  /// Spark's final step unites, which leaves no more than the entries asked for.
  static Value result(const State& state) {
    auto all = state.united ? *state.united : union_of_size(state.size);
    auto fed = state.fed;
    fed.trim();
    all.update(fed);
    return theta_result(all.get_result());
  }
};

struct ThetaUnionOperation {
  using State = theta_union;
  using Input = string_t;
  static State make(const string_t&, int32_t size) { return union_of_size(size); }
  static void add(State& state, const string_t& bytes, int32_t) {
    state.update(theta_in(view(bytes), "theta_union_agg"));
  }
  static void merge(State& state, const State& other) { state.update(other.get_result()); }
  static Value result(const State& state) { return theta_result(state.get_result()); }
};

struct ThetaIntersectionOperation {
  using State = theta_intersection;
  using Input = string_t;
  static State make(const string_t&, int32_t) { return theta_intersection(); }
  static void add(State& state, const string_t& bytes, int32_t) {
    state.update(theta_in(view(bytes), "theta_intersection_agg"));
  }
  static void merge(State& state, const State& other) { state.update(other.get_result()); }
  static Value result(const State& state) { return theta_result(state.get_result()); }
};

TypedRow make_theta_estimate(const Typed&, const Zone&) {
  return [](const Arguments& a) {
    const auto sketch = theta_in(text_in(a[0]), "theta_sketch_estimate");
    return Value::BIGINT(static_cast<int64_t>(std::floor(sketch.get_estimate() + 0.5)));
  };
}
TypedRow make_theta_union(const Typed&, const Zone&) {
  return [](const Arguments& a) {
    auto all = union_of_size(a[2].GetValue<int32_t>());
    for (int i : {0, 1}) all.update(theta_in(text_in(a[i]), "theta_union"));
    return theta_result(all.get_result());
  };
}
TypedRow make_theta_intersection(const Typed&, const Zone&) {
  return [](const Arguments& a) {
    theta_intersection both;
    for (int i : {0, 1}) both.update(theta_in(text_in(a[i]), "theta_intersection"));
    return theta_result(both.get_result());
  };
}
TypedRow make_theta_difference(const Typed&, const Zone&) {
  return [](const Arguments& a) {
    const auto first = theta_in(text_in(a[0]), "theta_difference"),
               second = theta_in(text_in(a[1]), "theta_difference");
    return theta_result(datasketches::theta_a_not_b().compute(first, second));
  };
}

/// Arrays of integers are hashed by their bytes.
TypedRow make_integer_bytes(const Typed& typed, const Zone&) {
  const size_t width = typed.type.element().kind == TypeKind::kInteger ? 4 : 8;
  return [width](const Arguments& a) {
    std::string bytes;
    for (const auto& element : duckdb::ListValue::GetChildren(a[0])) {
      const auto number = element.IsNull() ? 0 : element.GetValue<int64_t>();
      bytes.append(reinterpret_cast<const char*>(&number), width);
    }
    return Value::BLOB_RAW(bytes);
  };
}

// ---------------------------------------------------------------------------------------------
// KLL

template <typename T>
using Kll = datasketches::kll_sketch<T>;

template <typename T>
Kll<T> kll_in(std::string_view bytes, const std::string& function) {
  return sketch_in<Kll<T>>(bytes, "KLL", function);
}

template <typename T>
struct KllOperation {
  using State = Kll<T>;
  using Input = T;
  static State make(const T&, int32_t k) { return State(static_cast<uint16_t>(k)); }
  static void add(State& state, const T& value, int32_t) { state.update(value); }
  static void merge(State& state, const State& other) { state.merge(other); }
  static Value result(const State& state) {
    State merged(state.get_k());  // Spark's final step merges once, which turns the order round
    merged.merge(state);
    return blob(merged.serialize());
  }
};

template <typename T>
struct KllMergeOperation {
  using State = Kll<T>;
  using Input = string_t;
  /// A parameter of 0 takes the first sketch's k.
  static State make(const string_t& bytes, int32_t k) {
    return State(k > 0 ? static_cast<uint16_t>(k) : kll_in<T>(view(bytes), name()).get_k());
  }
  static void add(State& state, const string_t& bytes, int32_t) {
    state.merge(kll_in<T>(view(bytes), name()));
  }
  static void merge(State& state, const State& other) { state.merge(other); }
  static Value result(const State& state) { return blob(state.serialize()); }
  static std::string name() {
    return std::is_same_v<T, int64_t>  ? "kll_merge_agg_bigint"
           : std::is_same_v<T, double> ? "kll_merge_agg_double"
                                       : "kll_merge_agg_float";
  }
};

template <typename T>
std::string item_text(T value) {
  if constexpr (std::is_same_v<T, int64_t>) {
    return std::to_string(value);
  } else {
    return java_text(value);
  }
}

/// Java's toString of the sketch.
template <typename T>
std::string kll_text(const Kll<T>& sketch) {
  const auto bytes = sketch.serialize();
  const auto number = [&](size_t at, size_t size) {
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) value |= static_cast<uint32_t>(bytes[at + i]) << (8 * i);
    return value;
  };
  const bool whole = bytes[0] == 5;  // else empty, or one item, which leave out what follows
  const uint32_t retained = sketch.get_num_retained();
  const uint32_t levels = whole ? bytes[18] : 1, min_k = whole ? number(16, 2) : sketch.get_k();
  const uint32_t free = whole ? number(20, 4) : sketch.get_k() - retained;
  const uint32_t capacity = free + retained;
  const bool sorted = whole && (bytes[3] & 2) != 0;
  const auto kind = std::is_same_v<T, int64_t>  ? "Longs"
                    : std::is_same_v<T, double> ? "Doubles"
                                                : "Floats";
  std::string out = fmt::format("\n### KllKll{}Sketch Summary:\n", kind);
  const auto line = [&](const char* name, const std::string& value) {
    out += fmt::format("   {:<23}: {}\n", name, value);
  };
  const auto truth = [](bool value) { return std::string(value ? "true" : "false"); };
  line("K", std::to_string(sketch.get_k()));
  line("Dynamic min K", std::to_string(min_k));
  line("M", "8");
  line("N", std::to_string(sketch.get_n()));
  line("Epsilon", fmt::format("{:.3f}%", 100 * sketch.get_normalized_rank_error(false)));
  line("Epsilon PMF", fmt::format("{:.3f}%", 100 * sketch.get_normalized_rank_error(true)));
  line("Empty", truth(sketch.is_empty()));
  line("Estimation Mode", truth(sketch.is_estimation_mode()));
  line("Levels", std::to_string(levels));
  line("Level 0 Sorted", truth(sorted));
  line("Capacity Items", std::to_string(capacity));
  line("Retained Items", std::to_string(retained));
  line("Free Space", std::to_string(free));
  line("ReadOnly", "false");
  line("Updatable Storage Bytes",
       std::to_string(20 + 4 * (levels + 1) + (capacity + 2) * sizeof(T)));
  line("Compact Storage Bytes", std::to_string(bytes.size()));
  line("Min Item", sketch.is_empty() ? "NaN" : item_text(sketch.get_min_item()));
  line("Max Item", sketch.is_empty() ? "NaN" : item_text(sketch.get_max_item()));
  return out + "### End sketch summary\n";
}

/// One answer, or an array of them for an array of questions.
template <typename Answer>
Value answers(const Value& questions, const LogicalType& type, Answer answer) {
  if (questions.type().id() != duckdb::LogicalTypeId::LIST) return answer(questions);
  duckdb::vector<Value> out;
  for (const auto& question : duckdb::ListValue::GetChildren(questions)) {
    out.push_back(question.IsNull() ? Value(type) : answer(question));
  }
  return Value::LIST(type, std::move(out));
}

template <typename T>
void register_kll(duckdb::ExtensionLoader& loader, const std::string& type, const std::string& sql,
                  const LogicalType& item) {
  const auto name = [&](const char* what) { return fmt::format("spark_kll_{}_{}", what, type); };
  const auto spark_name = [&](const char* what) {
    return fmt::format("kll_sketch_{}_{}", what, type);
  };
  add_aggregate<KllOperation<T>>(loader, name("agg"), item);
  add_aggregate<KllMergeOperation<T>>(loader, name("merge_agg"), LogicalType::BLOB);
  register_typed(loader, name("get_n").c_str(), {"binary"}, "bigint",
                 [function = spark_name("get_n")](const Typed&, const Zone&) {
                   return [function](const Arguments& a) {
                     const auto sketch = kll_in<T>(text_in(a[0]), function);
                     return Value::BIGINT(static_cast<int64_t>(sketch.get_n()));
                   };
                 });
  register_typed(loader, name("to_string").c_str(), {"binary"}, "string",
                 [function = spark_name("to_string")](const Typed&, const Zone&) {
                   return [function](const Arguments& a) {
                     return Value(kll_text(kll_in<T>(text_in(a[0]), function)));
                   };
                 });
  register_typed(loader, name("merge").c_str(), {"binary", "binary"}, "binary",
                 [function = spark_name("merge")](const Typed&, const Zone&) {
                   return [function](const Arguments& a) {
                     auto sketch = kll_in<T>(text_in(a[0]), function);
                     sketch.merge(kll_in<T>(text_in(a[1]), function));
                     return blob(sketch.serialize());
                   };
                 });
  // The type of the call is that of the question.
  const auto ask = [&](const char* what, const std::string& question, const std::string& result,
                       auto answer) {
    for (const bool many : {false, true}) {
      const auto of = [&](const std::string& one) { return many ? "array<" + one + ">" : one; };
      register_typed(
          loader, (name(what) + (many ? "_array" : "")).c_str(), {"binary", of(question)},
          of(result), [function = spark_name(what), answer](const Typed&, const Zone&) {
            return [function, answer](const Arguments& a) {
              const auto sketch = kll_in<T>(text_in(a[0]), function);
              if (sketch.is_empty()) {
                raise("KLL_INVALID_INPUT_SKETCH_BUFFER",
                      fmt::format("Invalid call to `{}`; the sketch is empty.", function));
              }
              return answer(sketch, a[1], function);
            };
          });
    }
  };
  ask("get_quantile", "double", sql,
      [item](const Kll<T>& sketch, const Value& ranks, const std::string& function) {
        return answers(ranks, item, [&](const Value& rank) {
          const double share = duckdb::DoubleValue::Get(rank);
          if (!(share >= 0 && share <= 1)) {
            raise("KLL_SKETCH_INVALID_QUANTILE_RANGE",
                  fmt::format("For function `{}`, the quantile value must be between 0.0 and 1.0 "
                              "(inclusive).",
                              function));
          }
          return Value::CreateValue<T>(sketch.get_quantile(share));
        });
      });
  ask("get_rank", sql, "double", [](const Kll<T>& sketch, const Value& values, const std::string&) {
    return answers(values, LogicalType::DOUBLE, [&](const Value& value) {
      return Value::DOUBLE(sketch.get_rank(value.GetValue<T>()));
    });
  });
}

// ---------------------------------------------------------------------------------------------
// Tuples: theta sketches whose entries have a summary each

enum Mode { kSum, kMin, kMax, kAlwaysOne };

/// A summary, and how it came about.
template <typename S>
struct Kept {
  S value;
  Mode mode;
};

/// How summaries of one key become one.
template <typename S>
struct Policy {
  Mode mode = kSum;

  Kept<S> create() const {
    using Limits = std::numeric_limits<S>;
    constexpr bool real = Limits::has_infinity;
    switch (mode) {
      case kMin:
        return {real ? Limits::infinity() : Limits::max(), mode};
      case kMax:
        return {real ? -Limits::infinity() : Limits::min(), mode};
      case kAlwaysOne:
        return {1, mode};
      default:
        return {0, mode};
    }
  }
  void update(Kept<S>& kept, const S& value) const { kept = {joined(kept.value, value), mode}; }
  void operator()(Kept<S>& kept, const Kept<S>& other) const { update(kept, other.value); }

 private:
  S joined(S a, S b) const {
    if (mode == kMin) return std::min(a, b);
    if (mode == kMax) return std::max(a, b);
    if (mode == kAlwaysOne) return 1;
    if constexpr (std::is_integral_v<S>) {  // Java's int goes round
      return static_cast<S>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
    } else {
      return a + b;
    }
  }
};

template <typename S>
using CompactTuple = datasketches::compact_tuple_sketch<Kept<S>>;
template <typename S>
using TupleUnion = datasketches::tuple_union<Kept<S>, Policy<S>>;
template <typename S>
using TupleIntersection = datasketches::tuple_intersection<Kept<S>, Policy<S>>;

/// Java's summaries: the number, then a byte that says the mode.
template <typename S>
struct SummaryBytes {
  static constexpr size_t kSize = sizeof(S) + 1;

  size_t size_of_item(const Kept<S>&) const { return kSize; }
  size_t serialize(void* into, size_t capacity, const Kept<S>* items, unsigned count) const {
    datasketches::check_memory_size(count * kSize, capacity);
    auto* at = static_cast<char*>(into);
    for (unsigned i = 0; i < count; ++i, at += kSize) {
      std::memcpy(at, &items[i].value, sizeof(S));
      at[sizeof(S)] = static_cast<char>(items[i].mode);
    }
    return count * kSize;
  }
  size_t deserialize(const void* from, size_t capacity, Kept<S>* items, unsigned count) const {
    datasketches::check_memory_size(count * kSize, capacity);
    const auto* at = static_cast<const char*>(from);
    for (unsigned i = 0; i < count; ++i, at += kSize) {
      items[i].mode = static_cast<Mode>(at[sizeof(S)] & 3);
      std::memcpy(&items[i].value, at, sizeof(S));
    }
    return count * kSize;
  }
};

template <typename S>
CompactTuple<S> tuple_in(std::string_view bytes, const std::string& function) {
  try {
    return CompactTuple<S>::deserialize(bytes.data(), bytes.size(), datasketches::DEFAULT_SEED,
                                        SummaryBytes<S>());
  } catch (const std::exception&) {
    not_a_sketch("TUPLE", function);
  }
}

template <typename S>
Value tuple_result(const CompactTuple<S>& sketch) {
  auto bytes = sketch.serialize(0, SummaryBytes<S>());
  bytes[5] &= ~0x10;  // Java does not say that its one hash is sorted
  return blob(bytes);
}

template <typename S>
TupleUnion<S> tuple_union_of(int size, Mode mode) {
  return
      typename TupleUnion<S>::builder(Policy<S>{mode}).set_lg_k(static_cast<uint8_t>(size)).build();
}

// An aggregate's one parameter is the size and the mode.
int size_in(int32_t parameter) { return parameter & 0xff; }
Mode mode_in(int32_t parameter) { return static_cast<Mode>(parameter >> 8); }

template <typename S>
struct OfSummary {
  using UpdateSketch = datasketches::update_tuple_sketch<Kept<S>, S, Policy<S>>;

  template <typename T>
  struct Operation {
    struct State {
      UpdateSketch fed;
      std::optional<TupleUnion<S>> united = std::nullopt;
      int32_t parameter;
    };
    using Input = T;
    using Summary = S;
    static State make(const T&, int32_t parameter) {
      return {.fed = typename UpdateSketch::builder(Policy<S>{mode_in(parameter)})
                         .set_lg_k(static_cast<uint8_t>(size_in(parameter)))
                         .build(),
              .parameter = parameter};
    }
    static void add(State& state, const T& key, const S& summary) {
      if constexpr (std::is_same_v<T, string_t>) {
        if (key.GetSize() > 0) state.fed.update(key.GetData(), key.GetSize(), summary);
      } else {
        state.fed.update(key, summary);
      }
    }
    static void merge(State& state, const State& other) {
      if (!state.united) {
        state.united = tuple_union_of<S>(size_in(state.parameter), mode_in(state.parameter));
      }
      state.united->update(other.fed);
      if (other.united) state.united->update(other.united->get_result());
    }
    static Value result(const State& state) {
      if (!state.united) return tuple_result<S>(state.fed.compact(false));
      auto all = *state.united;
      all.update(state.fed);
      return tuple_result<S>(all.get_result(false));
    }
  };

  struct UnionOperation {
    using State = TupleUnion<S>;
    using Input = string_t;
    static State make(const string_t&, int32_t parameter) {
      return tuple_union_of<S>(size_in(parameter), mode_in(parameter));
    }
    static void add(State& state, const string_t& bytes, int32_t) {
      state.update(tuple_in<S>(view(bytes), "tuple_union_agg"));
    }
    static void merge(State& state, const State& other) { state.update(other.get_result()); }
    static Value result(const State& state) { return tuple_result<S>(state.get_result(false)); }
  };

  struct IntersectionOperation {
    using State = TupleIntersection<S>;
    using Input = string_t;
    static State make(const string_t&, int32_t parameter) {
      return State(datasketches::DEFAULT_SEED, Policy<S>{mode_in(parameter)});
    }
    static void add(State& state, const string_t& bytes, int32_t) {
      state.update(tuple_in<S>(view(bytes), "tuple_intersection_agg"));
    }
    static void merge(State& state, const State& other) { state.update(other.get_result()); }
    static Value result(const State& state) { return tuple_result<S>(state.get_result(false)); }
  };
};

/// A theta sketch as a tuple sketch, each entry with the mode's first summary.
template <typename S>
CompactTuple<S> second_in(std::string_view bytes, bool theta, Mode mode,
                          const std::string& function) {
  if (!theta) return tuple_in<S>(bytes, function);
  return CompactTuple<S>(theta_in(bytes, function), Policy<S>{mode}.create());
}

template <typename S>
void register_tuple(duckdb::ExtensionLoader& loader, const std::string& suffix,
                    const LogicalType& summary) {
  const auto name = [&](const char* what) {
    return fmt::format("spark_tuple_{}_{}", what, suffix);
  };
  duckdb::AggregateFunctionSet set(name("agg"));
  const auto add_key = [&]<typename T>(const LogicalType& key, T) {
    using Operation = typename OfSummary<S>::template Operation<T>;
    set.AddFunction(Aggregate<Operation>::function({key, summary}));
  };
  add_key(LogicalType::BIGINT, int64_t{});
  add_key(LogicalType::DOUBLE, double{});
  add_key(LogicalType::VARCHAR, string_t{});
  add_key(LogicalType::BLOB, string_t{});
  loader.RegisterFunction(set);
  add_aggregate<typename OfSummary<S>::UnionOperation>(loader, name("union_agg"),
                                                       LogicalType::BLOB);
  add_aggregate<typename OfSummary<S>::IntersectionOperation>(loader, name("intersection_agg"),
                                                              LogicalType::BLOB);
  using Sketch = CompactTuple<S>;
  const auto fact = [&](const char* what, const char* result, auto answer) {
    register_typed(loader, name(what).c_str(), {"binary"}, result,
                   [answer](const Typed& typed, const Zone&) {
                     const auto mode = std::stoi(typed.options.get("mode", "0"));
                     return [answer, mode = static_cast<Mode>(mode),
                             function = typed.options.get("function", "")](const Arguments& a) {
                       return answer(tuple_in<S>(text_in(a[0]), function), mode);
                     };
                   });
  };
  fact("estimate", "double",
       [](const Sketch& sketch, Mode) { return Value::DOUBLE(sketch.get_estimate()); });
  fact("theta", "double",
       [](const Sketch& sketch, Mode) { return Value::DOUBLE(sketch.get_theta()); });
  using Total = std::conditional_t<std::is_integral_v<S>, int64_t, double>;
  fact("summary", std::is_integral_v<S> ? "bigint" : "double", [](const Sketch& sketch, Mode mode) {
    std::optional<Total> total;
    for (const auto& [hash, kept] : sketch) {
      const auto item = static_cast<Total>(mode == kAlwaysOne ? 1 : kept.value);
      total = !total         ? item
              : mode == kMin ? std::min(*total, item)
              : mode == kMax ? std::max(*total, item)
                             : *total + item;
    }
    return Value::CreateValue<Total>(total.value_or(0));
  });
  const auto pair = [&](const char* what, bool theta, auto combine) {
    register_typed(loader, name(what).c_str(), {"binary", "binary"}, "binary",
                   [theta, combine](const Typed& typed, const Zone&) {
                     const auto mode = static_cast<Mode>(std::stoi(typed.options.get("mode", "0")));
                     const auto size = std::stoi(typed.options.get("size", "12"));
                     return [theta, combine, mode, size,
                             function = typed.options.get("function", "")](const Arguments& a) {
                       const auto first = tuple_in<S>(text_in(a[0]), function),
                                  second = second_in<S>(text_in(a[1]), theta, mode, function);
                       return tuple_result<S>(combine(first, second, mode, size));
                     };
                   });
  };
  for (const bool theta : {false, true}) {
    pair(theta ? "union_theta" : "union", theta,
         [](const Sketch& first, const Sketch& second, Mode mode, int size) {
           auto all = tuple_union_of<S>(size, mode);
           all.update(first);
           all.update(second);
           return all.get_result(false);
         });
    pair(theta ? "intersection_theta" : "intersection", theta,
         [](const Sketch& first, const Sketch& second, Mode mode, int) {
           TupleIntersection<S> both(datasketches::DEFAULT_SEED, Policy<S>{mode});
           both.update(first);
           both.update(second);
           return both.get_result(false);
         });
    pair(theta ? "difference_theta" : "difference", theta,
         [](const Sketch& first, const Sketch& second, Mode, int) {
           return datasketches::tuple_a_not_b<Kept<S>>().compute(first, second, false);
         });
  }
}

}  // namespace

void register_sketches(duckdb::ExtensionLoader& loader) {
  add_hashing<HllOperation>(loader, "spark_hll_agg");
  add_aggregate<HllUnionOperation>(loader, "spark_hll_union_agg", LogicalType::BLOB);
  add_hashing<ThetaOperation>(loader, "spark_theta_agg");
  add_aggregate<ThetaUnionOperation>(loader, "spark_theta_union_agg", LogicalType::BLOB);
  add_aggregate<ThetaIntersectionOperation>(loader, "spark_theta_intersection_agg",
                                            LogicalType::BLOB);
  const auto add = [&](const char* name, const std::vector<std::string>& arguments,
                       const std::string& result, MakeRow make) {
    register_typed(loader, name, arguments, result, std::move(make));
  };
  add("spark_hll_estimate", {"binary"}, "bigint", make_hll_estimate);
  add("spark_hll_union", {"binary", "binary", "boolean"}, "binary", make_hll_union);
  add("spark_theta_estimate", {"binary"}, "bigint", make_theta_estimate);
  add("spark_theta_union", {"binary", "binary", "int"}, "binary", make_theta_union);
  add("spark_theta_intersection", {"binary", "binary"}, "binary", make_theta_intersection);
  add("spark_theta_difference", {"binary", "binary"}, "binary", make_theta_difference);
  add("spark_integer_bytes", {""}, "binary", make_integer_bytes);
  register_kll<int64_t>(loader, "bigint", "bigint", LogicalType::BIGINT);
  register_kll<double>(loader, "double", "double", LogicalType::DOUBLE);
  register_kll<float>(loader, "float", "float", LogicalType::FLOAT);
  register_tuple<double>(loader, "double", LogicalType::DOUBLE);
  register_tuple<int32_t>(loader, "integer", LogicalType::INTEGER);
}

}  // namespace firesteel
