// Variance, skewness, kurtosis, covariance, correlation and regression by Spark's update and merge
// steps (CentralMomentAgg, Covariance, PearsonCorrelation), which are stabler than sums of powers.
#include <cmath>
#include <optional>

#include "duckdb.hpp"
#include "duckdb/function/aggregate_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "engine/kernels.h"

namespace firesteel {

namespace {

using duckdb::AggregateFinalizeData;
using duckdb::AggregateFunction;
using duckdb::AggregateInputData;
using duckdb::LogicalType;

/// Mean and sum of squares around it, of one column.
struct Spread {
  double n, mean, m2;

  void add(double x) {
    n += 1;
    const double delta = x - mean, step = delta / n;
    m2 += delta * (delta - step);
    mean += step;
  }

  void merge(const Spread& other) {
    if (other.n == 0) return;
    const double n1 = n, delta = other.mean - mean, step = delta / (n1 + other.n);
    m2 += other.m2 + delta * step * n1 * other.n;
    mean += step * other.n;
    n += other.n;
  }
};

/// Central moments up to the fourth.
struct Moments {
  double n, mean, m2, m3, m4;

  void add(double x) {
    const double next = n + 1, delta = x - mean, step = delta / next;
    const double delta2 = delta * delta, step2 = step * step;
    m2 += delta * (delta - step);
    m3 += -3.0 * step * m2 + delta * (delta2 - step2);
    m4 += -4.0 * step * m3 - 6.0 * step2 * m2 + delta * (delta * delta2 - step * step2);
    mean += step;
    n = next;
  }

  void merge(const Moments& other) {
    if (other.n == 0) return;
    const double n1 = n, n2 = other.n, delta = other.mean - mean, step = delta / (n1 + n2);
    const double a2 = m2, a3 = m3;
    m2 = a2 + other.m2 + delta * step * n1 * n2;
    m3 = a3 + other.m3 + step * step * delta * n1 * n2 * (n1 - n2) +
         3.0 * step * (n1 * other.m2 - n2 * a2);
    m4 = m4 + other.m4 + step * step * step * delta * n1 * n2 * (n1 * n1 - n1 * n2 + n2 * n2) +
         6.0 * step * step * (n1 * n1 * other.m2 + n2 * n2 * a2) +
         4.0 * step * (n1 * other.m3 - n2 * a3);
    mean += step * n2;
    n = n1 + n2;
  }
};

/// Pairs of (y, x).
struct Pairs {
  double n, x, y, x_squares, y_squares;  // means, then sums of squares around them
  double cross, cross_back;  // sums of products: of dx and y, of dy and x, which round differently
  Spread of_x, of_y;

  void add(double new_y, double new_x) {
    n += 1;
    const double dx = new_x - x, dy = new_y - y;
    x += dx / n;
    y += dy / n;
    cross += dx * (new_y - y);
    cross_back += dy * (new_x - x);
    x_squares += dx * (new_x - x);
    y_squares += dy * (new_y - y);
    of_x.add(new_x);
    of_y.add(new_y);
  }

  void merge(const Pairs& other) {
    if (other.n == 0) return;
    const double n1 = n, n2 = other.n, dx = other.x - x, dy = other.y - y, total = n1 + n2;
    cross += other.cross + dx * (dy / total) * n1 * n2;
    cross_back += other.cross_back + dy * (dx / total) * n1 * n2;
    x_squares += other.x_squares + dx * (dx / total) * n1 * n2;
    y_squares += other.y_squares + dy * (dy / total) * n1 * n2;
    x += dx / total * n2;
    y += dy / total * n2;
    n = total;
    of_x.merge(other.of_x);
    of_y.merge(other.of_y);
  }
};

using Result = std::optional<double>;

Result when(bool given, double value) { return given ? Result(value) : std::nullopt; }

Result variance_pop(const Spread& s) { return when(s.n > 0, s.m2 / s.n); }
Result variance_samp(const Spread& s) { return when(s.n > 1, s.m2 / (s.n - 1)); }
Result deviation_pop(const Spread& s) { return when(s.n > 0, std::sqrt(s.m2 / s.n)); }
Result deviation_samp(const Spread& s) { return when(s.n > 1, std::sqrt(s.m2 / (s.n - 1))); }
Result skewness(const Moments& s) {
  return when(s.m2 != 0, std::sqrt(s.n) * s.m3 / std::sqrt(s.m2 * s.m2 * s.m2));
}
Result kurtosis(const Moments& s) { return when(s.m2 != 0, s.n * s.m4 / (s.m2 * s.m2) - 3.0); }

Result covariance_pop(const Pairs& s) { return when(s.n > 0, s.cross_back / s.n); }
Result covariance_samp(const Pairs& s) { return when(s.n > 1, s.cross_back / (s.n - 1)); }
Result correlation(const Pairs& s) {
  const double scale = std::sqrt(s.y_squares * s.x_squares);
  return when(s.n > 1 && scale != 0, s.cross_back / scale);
}
Result determination(const Pairs& s) {
  if (s.n == 0 || s.x_squares == 0) return std::nullopt;
  if (s.y_squares == 0) return 1.0;
  const double r = s.cross_back / std::sqrt(s.y_squares * s.x_squares);
  return r * r;
}
Result slope(const Pairs& s) { return when(s.of_x.m2 != 0, s.cross / s.of_x.m2); }
Result intercept(const Pairs& s) {
  // Spark merges the one partial state into an empty one, which rounds the means once more.
  const double x = s.x / s.n * s.n, y = s.y / s.n * s.n;
  return when(s.of_x.m2 != 0, y - s.cross / s.of_x.m2 * x);
}
Result squares_of_x(const Pairs& s) { return when(s.n > 0, s.of_x.m2); }
Result squares_of_y(const Pairs& s) { return when(s.n > 0, s.of_y.m2); }
Result products(const Pairs& s) { return when(s.n > 0, s.cross); }

template <typename State, Result (*result)(const State&)>
struct Statistic {
  static void Initialize(State& state) { state = State{}; }
  static bool IgnoreNull() { return true; }

  template <class Input, class S, class Op>
  static void Operation(S& state, const Input& x, duckdb::AggregateUnaryInput&) {
    state.add(x);
  }
  template <class Input, class S, class Op>
  static void ConstantOperation(S& state, const Input& x, duckdb::AggregateUnaryInput&,
                                idx_t count) {
    for (idx_t i = 0; i < count; ++i) state.add(x);
  }
  template <class A, class B, class S, class Op>
  static void Operation(S& state, const A& y, const B& x, duckdb::AggregateBinaryInput&) {
    state.add(y, x);
  }
  template <class S, class Op>
  static void Combine(const S& source, S& target, AggregateInputData&) {
    if (target.n == 0) {
      target = source;
    } else {
      target.merge(source);
    }
  }
  template <class T, class S>
  static void Finalize(S& state, T& target, AggregateFinalizeData& finalize) {
    if (const auto value = result(state)) {
      target = *value;
    } else {
      finalize.ReturnNull();
    }
  }
};

template <typename State, Result (*result)(const State&)>
void add_unary(duckdb::ExtensionLoader& loader, const char* name) {
  auto function =
      AggregateFunction::UnaryAggregate<State, double, double, Statistic<State, result>>(
          LogicalType::DOUBLE, LogicalType::DOUBLE);
  function.name = name;
  loader.RegisterFunction(function);
}

template <Result (*result)(const Pairs&)>
void add_binary(duckdb::ExtensionLoader& loader, const char* name) {
  auto function =
      AggregateFunction::BinaryAggregate<Pairs, double, double, double, Statistic<Pairs, result>>(
          LogicalType::DOUBLE, LogicalType::DOUBLE, LogicalType::DOUBLE);
  function.name = name;
  loader.RegisterFunction(function);
}

}  // namespace

void register_statistics(duckdb::ExtensionLoader& loader) {
  add_unary<Spread, variance_pop>(loader, "spark_var_pop");
  add_unary<Spread, variance_samp>(loader, "spark_var_samp");
  add_unary<Spread, deviation_pop>(loader, "spark_stddev_pop");
  add_unary<Spread, deviation_samp>(loader, "spark_stddev_samp");
  add_unary<Moments, skewness>(loader, "spark_skewness");
  add_unary<Moments, kurtosis>(loader, "spark_kurtosis");
  add_binary<covariance_pop>(loader, "spark_covar_pop");
  add_binary<covariance_samp>(loader, "spark_covar_samp");
  add_binary<correlation>(loader, "spark_corr");
  add_binary<determination>(loader, "spark_regr_r2");
  add_binary<slope>(loader, "spark_regr_slope");
  add_binary<intercept>(loader, "spark_regr_intercept");
  add_binary<squares_of_x>(loader, "spark_regr_sxx");
  add_binary<squares_of_y>(loader, "spark_regr_syy");
  add_binary<products>(loader, "spark_regr_sxy");
}

}  // namespace firesteel
