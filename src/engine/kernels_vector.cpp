// Arrays of floats as vectors, and bitmaps: kernels over lists.
#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <optional>
#include <vector>

#include "duckdb.hpp"
#include "duckdb/function/scalar_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "engine/kernels.h"
#include "functions/coercion.h"

namespace firesteel {

namespace {

using duckdb::idx_t;
using duckdb::list_entry_t;
using duckdb::LogicalType;
using duckdb::UnifiedVectorFormat;
using duckdb::Vector;

[[noreturn]] void raise(const char* condition, const std::string& message) {
  throw duckdb::InvalidInputException(raised_text(condition, message));
}

/// A list column, read as vectors of its elements.
template <typename T>
class Lists {
 public:
  Lists(Vector& vector, idx_t rows) {
    vector.ToUnifiedFormat(rows, lists_);
    auto& child = duckdb::ListVector::GetEntry(vector);
    child.ToUnifiedFormat(duckdb::ListVector::GetListSize(vector), elements_);
  }

  /// Nothing where the list or one of its elements is null.
  std::optional<std::vector<T>> read(idx_t row) const {
    const idx_t at = lists_.sel->get_index(row);
    if (!lists_.validity.RowIsValid(at)) return std::nullopt;
    const auto entry = UnifiedVectorFormat::GetData<list_entry_t>(lists_)[at];
    std::vector<T> out;
    out.reserve(entry.length);
    for (idx_t i = entry.offset; i < entry.offset + entry.length; ++i) {
      const idx_t place = elements_.sel->get_index(i);
      if (!elements_.validity.RowIsValid(place)) return std::nullopt;
      out.push_back(UnifiedVectorFormat::GetData<T>(elements_)[place]);
    }
    return out;
  }

 private:
  UnifiedVectorFormat lists_, elements_;
};

using Floats = std::vector<float>;

/// The sum of a function of each place.
template <typename Term>
double sum(size_t size, Term term) {
  double total = 0;
  for (size_t i = 0; i < size; ++i) total += term(i);
  return total;
}

double inner_product(const Floats& x, const Floats& y) {
  return sum(x.size(), [&](size_t i) { return static_cast<double>(x[i]) * y[i]; });
}

std::optional<float> inner_product_of(const Floats& x, const Floats& y) {
  return static_cast<float>(inner_product(x, y));
}
std::optional<float> distance(const Floats& x, const Floats& y) {
  return static_cast<float>(std::sqrt(sum(x.size(), [&](size_t i) {
    const double difference = static_cast<double>(x[i]) - y[i];
    return difference * difference;
  })));
}
std::optional<float> cosine(const Floats& x, const Floats& y) {
  const double lengths = std::sqrt(inner_product(x, x) * inner_product(y, y));
  if (lengths == 0) return std::nullopt;
  return static_cast<float>(inner_product(x, y) / lengths);
}

float norm(const Floats& x, float degree) {
  if (degree == 2) return static_cast<float>(std::sqrt(inner_product(x, x)));
  if (degree == 1)
    return static_cast<float>(sum(x.size(), [&](size_t i) { return std::abs(x[i]); }));
  if (!std::isinf(degree)) {
    raise("INVALID_VECTOR_NORM_DEGREE",
          fmt::format("The degree {} of a vector's norm is none of 1.0, 2.0 and float('inf').",
                      degree));
  }
  float most = 0;
  for (const float value : x) most = std::max(most, std::abs(value));
  return most;
}

void refuse_sizes(size_t x, size_t y) {
  if (x == y) return;
  raise("VECTOR_DIMENSION_MISMATCH",
        fmt::format("Vectors must have the same dimension, but got {} and {}.", x, y));
}

template <std::optional<float> (*function)(const Floats&, const Floats&)>
void pair_kernel(duckdb::DataChunk& input, duckdb::ExpressionState&, Vector& result) {
  const Lists<float> left(input.data[0], input.size()), right(input.data[1], input.size());
  auto* out = duckdb::FlatVector::GetData<float>(result);
  for (idx_t row = 0; row < input.size(); ++row) {
    const auto x = left.read(row), y = right.read(row);
    std::optional<float> value;
    if (x && y) {
      refuse_sizes(x->size(), y->size());
      value = function(*x, *y);
    }
    if (value) out[row] = *value;
    if (!value) duckdb::FlatVector::SetNull(result, row, true);
  }
  if (input.AllConstant()) result.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
}

void norm_kernel(duckdb::DataChunk& input, duckdb::ExpressionState&, Vector& result) {
  const Lists<float> lists(input.data[0], input.size());
  UnifiedVectorFormat degrees;
  input.data[1].ToUnifiedFormat(input.size(), degrees);
  auto* out = duckdb::FlatVector::GetData<float>(result);
  for (idx_t row = 0; row < input.size(); ++row) {
    const auto x = lists.read(row);
    const idx_t degree = degrees.sel->get_index(row);
    if (x && degrees.validity.RowIsValid(degree)) {
      out[row] = norm(*x, UnifiedVectorFormat::GetData<float>(degrees)[degree]);
    } else {
      duckdb::FlatVector::SetNull(result, row, true);
    }
  }
  if (input.AllConstant()) result.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
}

/// The sum or the running mean of a list of vectors; those with a null are left out.
template <bool mean>
void total_kernel(duckdb::DataChunk& input, duckdb::ExpressionState&, Vector& result) {
  UnifiedVectorFormat groups;
  input.data[0].ToUnifiedFormat(input.size(), groups);
  auto& vectors = duckdb::ListVector::GetEntry(input.data[0]);
  const Lists<float> lists(vectors, duckdb::ListVector::GetListSize(input.data[0]));
  for (idx_t row = 0; row < input.size(); ++row) {
    const idx_t at = groups.sel->get_index(row);
    std::optional<Floats> total;
    float count = 0;
    const auto group = groups.validity.RowIsValid(at)
                           ? UnifiedVectorFormat::GetData<list_entry_t>(groups)[at]
                           : list_entry_t(0, 0);
    for (idx_t i = group.offset; i < group.offset + group.length; ++i) {
      const auto x = lists.read(i);
      if (!x) continue;
      if (!total) total = Floats(x->size(), 0);
      refuse_sizes(total->size(), x->size());
      ++count;
      for (size_t k = 0; k < x->size(); ++k) {
        auto& value = (*total)[k];
        value += mean ? ((*x)[k] - value) * (1 / count) : (*x)[k];
      }
    }
    if (!total) {
      duckdb::FlatVector::SetNull(result, row, true);
      continue;
    }
    auto& entry = duckdb::FlatVector::GetData<list_entry_t>(result)[row];
    entry = {duckdb::ListVector::GetListSize(result), total->size()};
    for (const float value : *total)
      duckdb::ListVector::PushBack(result, duckdb::Value::FLOAT(value));
  }
  if (input.AllConstant()) result.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
}

constexpr size_t kBitmapBytes = 4096;

/// The bitmap of a list of positions.
void bitmap_kernel(duckdb::DataChunk& input, duckdb::ExpressionState&, Vector& result) {
  const Lists<int64_t> lists(input.data[0], input.size());
  auto* out = duckdb::FlatVector::GetData<duckdb::string_t>(result);
  for (idx_t row = 0; row < input.size(); ++row) {
    std::string bits(kBitmapBytes, '\0');
    const auto positions = lists.read(row);
    for (const int64_t position : *positions) {
      if (position < 0 || position >= static_cast<int64_t>(8 * kBitmapBytes)) {
        raise("INVALID_BITMAP_POSITION",
              fmt::format("The 0-indexed bitmap position {} is out of bounds. The bitmap has {} "
                          "bits.",
                          position, 8 * kBitmapBytes));
      }
      bits[position / 8] = static_cast<char>(bits[position / 8] | 1 << position % 8);
    }
    out[row] = duckdb::StringVector::AddStringOrBlob(result, bits);
  }
  if (input.AllConstant()) result.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
}

/// All bitmaps of a list joined by `or` or `and`; a shorter one is as if zeros followed.
template <bool all>
void join_kernel(duckdb::DataChunk& input, duckdb::ExpressionState&, Vector& result) {
  const Lists<duckdb::string_t> lists(input.data[0], input.size());
  auto* out = duckdb::FlatVector::GetData<duckdb::string_t>(result);
  for (idx_t row = 0; row < input.size(); ++row) {
    std::string bits(kBitmapBytes, all ? '\xff' : '\0');
    const auto bitmaps = lists.read(row);
    for (const auto& bitmap : *bitmaps) {
      for (size_t i = 0; i < kBitmapBytes; ++i) {
        const char byte = i < bitmap.GetSize() ? bitmap.GetData()[i] : '\0';
        bits[i] = static_cast<char>(all ? bits[i] & byte : bits[i] | byte);
      }
    }
    out[row] = duckdb::StringVector::AddStringOrBlob(result, bits);
  }
  if (input.AllConstant()) result.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
}

void count_kernel(duckdb::DataChunk& input, duckdb::ExpressionState&, Vector& result) {
  duckdb::UnaryExecutor::Execute<duckdb::string_t, int64_t>(
      input.data[0], result, input.size(), [](duckdb::string_t bitmap) {
        int64_t count = 0;
        for (size_t i = 0; i < bitmap.GetSize(); ++i)
          count += std::popcount(static_cast<unsigned char>(bitmap.GetData()[i]));
        return count;
      });
}

}  // namespace

void register_vectors(duckdb::ExtensionLoader& loader) {
  const auto add = [&](const char* name, duckdb::vector<LogicalType> arguments, LogicalType result,
                       duckdb::scalar_function_t kernel) {
    loader.RegisterFunction(
        duckdb::ScalarFunction(name, std::move(arguments), std::move(result), std::move(kernel)));
  };
  const LogicalType real = LogicalType::FLOAT, floats = LogicalType::LIST(real),
                    bytes = LogicalType::BLOB, long_type = LogicalType::BIGINT;
  add("spark_vector_inner_product", {floats, floats}, real, pair_kernel<inner_product_of>);
  add("spark_vector_l2_distance", {floats, floats}, real, pair_kernel<distance>);
  add("spark_vector_cosine_similarity", {floats, floats}, real, pair_kernel<cosine>);
  add("spark_vector_norm", {floats, real}, real, norm_kernel);
  add("spark_vector_sum", {LogicalType::LIST(floats)}, floats, total_kernel<false>);
  add("spark_vector_avg", {LogicalType::LIST(floats)}, floats, total_kernel<true>);
  add("spark_bitmap", {LogicalType::LIST(long_type)}, bytes, bitmap_kernel);
  add("spark_bitmap_or", {LogicalType::LIST(bytes)}, bytes, join_kernel<false>);
  add("spark_bitmap_and", {LogicalType::LIST(bytes)}, bytes, join_kernel<true>);
  add("spark_bitmap_count", {bytes}, long_type, count_kernel);
}

}  // namespace firesteel
