// Operators whose arguments are graphs: branches, loops, scans, and graphs that run in a mode of
// their own. As torch._higher_order_ops defines them.
#include <ATen/autocast_mode.h>
#include <torch/torch.h>

#include <utility>

#include "base/error.h"
#include "models/interpreter.h"

namespace firesteel {

namespace {

using torch::IValue;
using Values = std::vector<IValue>;

bool truth(const IValue& value) {
  return value.isTensor() ? value.toTensor().item<bool>() : value.toScalar().toBool();
}

/// torch.autocast around a graph; the state before is the state after.
class AutocastRegion {
 public:
  AutocastRegion(at::DeviceType device, const IValue& type, bool enabled, const IValue& cache)
      : device_(device),
        enabled_before_(at::autocast::is_autocast_enabled(device)),
        cache_before_(at::autocast::is_autocast_cache_enabled()),
        type_before_(at::autocast::get_autocast_dtype(device)) {
    at::autocast::set_autocast_enabled(device, enabled);
    if (!type.isNone()) {
      at::autocast::set_autocast_dtype(device, static_cast<at::ScalarType>(type.toInt()));
    }
    if (!cache.isNone()) at::autocast::set_autocast_cache_enabled(cache.toBool());
    at::autocast::increment_nesting();
  }
  ~AutocastRegion() {
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device_, enabled_before_);
    at::autocast::set_autocast_dtype(device_, type_before_);
    at::autocast::set_autocast_cache_enabled(cache_before_);
  }
  AutocastRegion(const AutocastRegion&) = delete;
  AutocastRegion& operator=(const AutocastRegion&) = delete;

 private:
  at::DeviceType device_;
  bool enabled_before_, cache_before_;
  at::ScalarType type_before_;
};

/// Operands from one position on.
Values from(const Values& operands, size_t begin) {
  return {operands.begin() + static_cast<std::ptrdiff_t>(begin), operands.end()};
}

/// The operands in the groups that the node gave them in; missing ones are empty.
std::vector<Values> grouped(const Step& step, const Values& operands, size_t count) {
  std::vector<Values> groups(count);
  size_t at = step.leading;
  for (size_t i = 0; i < count && i < step.groups.size(); ++i) {
    const auto begin = operands.begin() + static_cast<std::ptrdiff_t>(at);
    groups[i].assign(begin, begin + step.groups[i]);
    at += step.groups[i];
  }
  return groups;
}

void append(Values* values, const Values& more) {
  values->insert(values->end(), more.begin(), more.end());
}

/// The i-th slice of each tensor, along dimension 0.
void append_slices(Values* values, const Values& tensors, int64_t i) {
  for (const auto& tensor : tensors) values->push_back(tensor.toTensor().select(0, i));
}

/// Rows of results, stacked by column.
Values stacked(const std::vector<Values>& rows) {
  Values columns;
  for (size_t column = 0; !rows.empty() && column < rows[0].size(); ++column) {
    std::vector<at::Tensor> tensors;
    for (const auto& row : rows) tensors.push_back(row[column].toTensor());
    columns.push_back(at::stack(tensors));
  }
  return columns;
}

}  // namespace

Values Interpreter::run_region(const Step& step, Values operands) const {
  const auto& graph = *step.graphs[0];
  switch (step.region) {
    case Region::kWrap:
      return run(graph, std::move(operands));
    case Region::kSetGradEnabled: {
      at::AutoGradMode mode(truth(operands[0]));
      return run(graph, from(operands, 1));
    }
    case Region::kAutocast: {
      auto device = c10::Device(operands[0].toStringRef()).type();
      // The module may have moved since: the first tensor says where to.
      for (size_t i = step.leading; i < operands.size(); ++i) {
        if (operands[i].isTensor()) {
          device = operands[i].toTensor().device().type();
          break;
        }
      }
      const AutocastRegion region(device, operands[1], truth(operands[2]), operands[3]);
      return run(graph, from(operands, step.leading));
    }
    case Region::kCond:
      return run(*step.graphs[truth(operands[0]) ? 0 : 1], from(operands, step.leading));
    case Region::kWhileLoop:
      return run_loop(step, std::move(operands));
    case Region::kScan:
    case Region::kAssociativeScan:
    case Region::kMap:
      return run_scan(step, std::move(operands));
  }
  return {};
}

Values Interpreter::run_loop(const Step& step, Values operands) const {
  const auto groups = grouped(step, operands, 2);
  Values carries = groups[0];
  const auto inputs = [&] {
    Values values = carries;
    append(&values, groups[1]);
    return values;
  };
  while (truth(run(*step.graphs[0], inputs()).at(0))) carries = run(*step.graphs[1], inputs());
  return carries;
}

/// Over dimension 0 of the elements: a scan's graph takes and gives carries before the row's own, a
/// map's has none, an associative scan carries its last result.
Values Interpreter::run_scan(const Step& step, Values operands) const {
  const bool is_scan = step.region == Region::kScan;
  const auto groups = grouped(step, operands, is_scan ? 3 : 2);
  Values carries = is_scan ? groups[0] : Values();
  const auto& elements = groups[is_scan ? 1 : 0];
  const auto& others = groups[is_scan ? 2 : 1];
  if (elements.empty()) throw Error("MODEL_RUN_FAILED", "A scan has no tensor to go over.");
  std::vector<Values> rows;
  for (int64_t i = 0; i < elements[0].toTensor().size(0); ++i) {
    Values inputs = carries;
    append_slices(&inputs, elements, i);
    if (step.region == Region::kAssociativeScan && i == 0) {
      rows.push_back(carries = inputs);
      continue;
    }
    append(&inputs, others);
    auto results = run(*step.graphs[0], std::move(inputs));
    if (step.region == Region::kAssociativeScan) carries = results;
    const auto row = results.begin() + static_cast<std::ptrdiff_t>(is_scan ? carries.size() : 0);
    rows.emplace_back(row, results.end());
    if (is_scan) carries.assign(results.begin(), row);
  }
  auto results = is_scan ? carries : Values();
  append(&results, stacked(rows));
  return results;
}

}  // namespace firesteel
