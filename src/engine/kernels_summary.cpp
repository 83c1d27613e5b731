// Summaries of a column, as kernels over the list of its values: histogram_numeric's bins and
// count_min_sketch's bytes.
#include <algorithm>
#include <cmath>
#include <vector>

#include "duckdb.hpp"
#include "duckdb/function/scalar_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "engine/java_random.h"
#include "engine/kernels.h"

namespace firesteel {

namespace {

using duckdb::idx_t;
using duckdb::list_entry_t;
using duckdb::LogicalType;
using duckdb::UnifiedVectorFormat;
using duckdb::Vector;

/// Runs `each` with the values of every row's list, in order; nulls are left out.
template <typename T, typename Each>
void for_each_list(duckdb::DataChunk& input, Each each) {
  UnifiedVectorFormat lists, values;
  input.data[0].ToUnifiedFormat(input.size(), lists);
  auto& child = duckdb::ListVector::GetEntry(input.data[0]);
  child.ToUnifiedFormat(duckdb::ListVector::GetListSize(input.data[0]), values);
  for (idx_t row = 0; row < input.size(); ++row) {
    const auto at = lists.sel->get_index(row);
    std::vector<T> out;
    if (lists.validity.RowIsValid(at)) {
      const auto entry = UnifiedVectorFormat::GetData<list_entry_t>(lists)[at];
      for (idx_t i = entry.offset; i < entry.offset + entry.length; ++i) {
        const auto place = values.sel->get_index(i);
        if (values.validity.RowIsValid(place))
          out.push_back(UnifiedVectorFormat::GetData<T>(values)[place]);
      }
    }
    each(row, out);
  }
}

/// Hive's histogram: a bin per value, of which the two nearest are merged when there are too many.
class Histogram {
 public:
  explicit Histogram(size_t most) : most_(most) {}

  struct Bin {
    double x, y;
  };
  const std::vector<Bin>& bins() const { return bins_; }

  void add(double value) {
    const auto at = std::lower_bound(bins_.begin(), bins_.end(), value,
                                     [](const Bin& bin, double x) { return bin.x < x; });
    if (at != bins_.end() && at->x == value) {
      ++at->y;
      return;
    }
    bins_.insert(at, {value, 1});
    if (bins_.size() > most_) merge_nearest();
  }

 private:
  void merge_nearest() {
    size_t nearest = 0;
    double least = bins_[1].x - bins_[0].x;
    int ties = 1;
    for (size_t i = 1; i + 1 < bins_.size(); ++i) {
      const double gap = bins_[i + 1].x - bins_[i].x;
      if (gap < least) {
        least = gap;
        nearest = i;
        ties = 1;
      } else if (gap == least && random_.uniform() <= 1.0 / ++ties) {
        nearest = i;
      }
    }
    auto& left = bins_[nearest];
    const auto& right = bins_[nearest + 1];
    const double total = left.y + right.y;
    left.x = left.x * (left.y / total) + right.x / total * right.y;
    left.y = total;
    bins_.erase(bins_.begin() + static_cast<std::ptrdiff_t>(nearest) + 1);
  }

  size_t most_;
  std::vector<Bin> bins_;
  JavaRandom random_{31183};
};

/// histogram(list of doubles, bins)
void histogram_kernel(duckdb::DataChunk& input, duckdb::ExpressionState&, Vector& result) {
  UnifiedVectorFormat counts;
  input.data[1].ToUnifiedFormat(input.size(), counts);
  for_each_list<double>(input, [&](idx_t row, const std::vector<double>& values) {
    const auto bins = UnifiedVectorFormat::GetData<int32_t>(counts)[counts.sel->get_index(row)];
    Histogram histogram(static_cast<size_t>(bins));
    for (const double value : values) histogram.add(value);
    if (values.empty()) {
      duckdb::FlatVector::SetNull(result, row, true);
      return;
    }
    duckdb::FlatVector::GetData<list_entry_t>(result)[row] = {
        duckdb::ListVector::GetListSize(result), histogram.bins().size()};
    for (const auto& [x, y] : histogram.bins()) {
      duckdb::ListVector::PushBack(
          result, duckdb::Value::STRUCT(
                      {{"x", duckdb::Value::DOUBLE(x)}, {"y", duckdb::Value::DOUBLE(y)}}));
    }
  });
  if (input.AllConstant()) result.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
}

/// Spark's CountMinSketch, and its bytes (version 1).
class CountMinSketch {
 public:
  CountMinSketch(double error, double confidence, int32_t seed)
      : depth_(static_cast<size_t>(std::ceil(-std::log1p(-confidence) / std::log(2)))),
        width_(static_cast<int32_t>(std::ceil(2 / error))),
        table_(depth_ * static_cast<size_t>(width_), 0) {
    JavaRandom random(seed);
    for (size_t i = 0; i < depth_; ++i) factors_.push_back(random.below(INT32_MAX));
  }

  void add(int64_t value) {
    for (size_t i = 0; i < depth_; ++i) {
      auto hash =
          static_cast<int64_t>(static_cast<uint64_t>(factors_[i]) * static_cast<uint64_t>(value));
      hash = static_cast<int64_t>(static_cast<uint64_t>(hash) + static_cast<uint64_t>(hash >> 32));
      count(i, static_cast<int32_t>(hash & INT32_MAX) % width_);
    }
    ++total_;
  }
  void add(const duckdb::string_t& text) {
    const auto first = murmur3(text.GetData(), text.GetSize(), 0),
               second = murmur3(text.GetData(), text.GetSize(), first);
    for (size_t i = 0; i < depth_; ++i)
      count(i, std::abs(static_cast<int32_t>(first + i * second) % width_));
    ++total_;
  }

  std::string bytes() const {
    std::string out;
    const auto put = [&](uint64_t value, int size) {
      for (int shift = 8 * (size - 1); shift >= 0; shift -= 8)
        out += static_cast<char>(value >> shift & 255);
    };
    put(1, 4);
    put(static_cast<uint64_t>(total_), 8);
    put(depth_, 4);
    put(static_cast<uint64_t>(width_), 4);
    for (const auto factor : factors_) put(static_cast<uint64_t>(factor), 8);
    for (const auto cell : table_) put(static_cast<uint64_t>(cell), 8);
    return out;
  }

 private:
  void count(size_t row, int32_t place) {
    ++table_[row * static_cast<size_t>(width_) + static_cast<size_t>(place)];
  }

  size_t depth_;
  int32_t width_;
  int64_t total_ = 0;
  std::vector<int64_t> factors_, table_;
};

/// sketch(list, error, confidence, seed)
template <typename T>
void sketch_kernel(duckdb::DataChunk& input, duckdb::ExpressionState&, Vector& result) {
  UnifiedVectorFormat errors, confidences, seeds;
  input.data[1].ToUnifiedFormat(input.size(), errors);
  input.data[2].ToUnifiedFormat(input.size(), confidences);
  input.data[3].ToUnifiedFormat(input.size(), seeds);
  for_each_list<T>(input, [&](idx_t row, const std::vector<T>& values) {
    CountMinSketch sketch(
        UnifiedVectorFormat::GetData<double>(errors)[errors.sel->get_index(row)],
        UnifiedVectorFormat::GetData<double>(confidences)[confidences.sel->get_index(row)],
        UnifiedVectorFormat::GetData<int32_t>(seeds)[seeds.sel->get_index(row)]);
    for (const auto& value : values) sketch.add(value);
    duckdb::FlatVector::GetData<duckdb::string_t>(result)[row] =
        duckdb::StringVector::AddStringOrBlob(result, sketch.bytes());
  });
  if (input.AllConstant()) result.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
}

}  // namespace

void register_summaries(duckdb::ExtensionLoader& loader) {
  const LogicalType real = LogicalType::DOUBLE, integer = LogicalType::INTEGER;
  loader.RegisterFunction(duckdb::ScalarFunction(
      "spark_histogram", {LogicalType::LIST(real), integer},
      LogicalType::LIST(LogicalType::STRUCT({{"x", real}, {"y", real}})), histogram_kernel));
  duckdb::ScalarFunctionSet sketches("spark_count_min_sketch");
  const auto add = [&](const LogicalType& value, duckdb::scalar_function_t kernel) {
    sketches.AddFunction(duckdb::ScalarFunction({LogicalType::LIST(value), real, real, integer},
                                                LogicalType::BLOB, std::move(kernel)));
  };
  add(LogicalType::BIGINT, sketch_kernel<int64_t>);
  add(LogicalType::BLOB, sketch_kernel<duckdb::string_t>);
  loader.RegisterFunction(sketches);
}

}  // namespace firesteel
