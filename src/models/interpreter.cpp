// A loop over steps: operands onto a stack, the operator, results into slots. What regions do
// beyond that is in regions.cpp.
#include "models/interpreter.h"

#include <ATen/ScalarOps.h>
#include <fmt/format.h>
#include <torch/torch.h>

#include <utility>

#include "base/error.h"

namespace firesteel {

namespace {

using torch::IValue;

[[noreturn]] void failed(const Step& step, std::string what) {
  what = what.substr(0, what.find('\n'));
  if (what.ends_with('.')) what.pop_back();
  throw Error(
      "MODEL_RUN_FAILED",
      fmt::format("The node `{}` ({}) of the program failed: {}.{}", step.name, step.target, what,
                  step.where.empty() ? "" : fmt::format(" It stems from {}.", step.where)));
}

IValue converted(IValue value, Operand::As as) {
  if (as == Operand::As::kDouble) return value.toScalar().toDouble();
  auto tensor = c10::scalar_to_tensor(value.toScalar());
  tensor.unsafeGetTensorImpl()->set_wrapped_number(true);
  return tensor;
}

/// A result's values into their slots.
void keep(const Result& result, IValue value, std::vector<IValue>* values) {
  if (!result.is_list) {
    if (result.slot != kNoSlot) (*values)[result.slot] = std::move(value);
    return;
  }
  const auto elements = value.toListRef();
  for (size_t i = 0; i < result.elements.size() && i < elements.size(); ++i) {
    if (result.elements[i] != kNoSlot) (*values)[result.elements[i]] = elements[i];
  }
}

}  // namespace

IValue Interpreter::take_list(const Graph& graph, const ListOperand& list, Values* values) const {
  using Kind = ListOperand::Kind;
  switch (list.kind) {
    case Kind::kTensors: {
      std::vector<at::Tensor> tensors;
      tensors.reserve(list.elements.size());
      for (const auto& element : list.elements) {
        auto value = take(graph, element, values);
        tensors.push_back(value.isNone() ? at::Tensor() : std::move(value).toTensor());
      }
      return tensors;
    }
    case Kind::kOptionalTensors: {
      c10::List<std::optional<at::Tensor>> tensors;
      tensors.reserve(list.elements.size());
      for (const auto& element : list.elements) {
        tensors.push_back(take(graph, element, values).toOptional<at::Tensor>());
      }
      return tensors;
    }
    case Kind::kInts: {
      std::vector<int64_t> numbers;
      numbers.reserve(list.elements.size());
      for (const auto& element : list.elements) {
        const auto value = take(graph, element, values);
        // A size may be computed by a tensor, too.
        numbers.push_back(value.isTensor() ? value.toTensor().item<int64_t>()
                                           : value.toScalar().toLong());
      }
      return numbers;
    }
    case Kind::kDoubles: {
      std::vector<double> numbers;
      for (const auto& element : list.elements) {
        numbers.push_back(take(graph, element, values).toScalar().toDouble());
      }
      return numbers;
    }
    case Kind::kBools: {
      c10::List<bool> flags;
      for (const auto& element : list.elements) {
        flags.push_back(take(graph, element, values).toScalar().toBool());
      }
      return flags;
    }
  }
  return {};
}

IValue Interpreter::take(const Graph& graph, const Operand& operand, Values* values) const {
  IValue value;
  switch (operand.kind) {
    case Operand::Kind::kConstant:
      return program_.constants[operand.index];
    case Operand::Kind::kCopy:
      value = (*values)[operand.index];
      break;
    case Operand::Kind::kMove:
      value = std::move((*values)[operand.index]);
      break;
    case Operand::Kind::kList:
      return take_list(graph, graph.lists[operand.index], values);
  }
  return operand.as == Operand::As::kIs ? value : converted(std::move(value), operand.as);
}

void Interpreter::run_step(const Graph& graph, const Step& step, Values* values,
                           Values* stack) const {
  stack->clear();
  for (const auto& operand : step.operands) stack->push_back(take(graph, operand, values));
  switch (step.kind) {
    case Step::Kind::kOperator:
      step.op->callBoxed(*stack);
      break;
    case Step::Kind::kScalar: {
      auto result = step.scalar(*stack);
      stack->clear();
      stack->push_back(std::move(result));
      break;
    }
    case Step::Kind::kRegion: {
      const auto results = run_region(step, std::exchange(*stack, {}));
      auto value = results.begin();
      for (const auto& result : step.results) {
        // Of some versions, a tuple of results is written as one list.
        const auto& slots = result.elements;
        for (size_t i = 0; i < (result.is_list ? slots.size() : 1); ++i) {
          if (value == results.end())
            throw Error("MODEL_RUN_FAILED", "A graph gives too few results.");
          keep({.slot = result.is_list ? slots[i] : result.slot}, *value++, values);
        }
      }
      return;
    }
  }
  for (size_t i = 0; i < step.results.size() && i < stack->size(); ++i) {
    keep(step.results[i], std::move((*stack)[i]), values);
  }
}

std::vector<IValue> Interpreter::run(const Graph& graph, std::vector<IValue> inputs) const {
  if (inputs.size() < graph.inputs.size()) {
    throw Error("MODEL_RUN_FAILED", fmt::format("A graph of the program takes {} inputs, not {}.",
                                                graph.inputs.size(), inputs.size()));
  }
  Values values(graph.slots), stack;
  stack.reserve(16);
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    if (graph.inputs[i] != kNoSlot) values[graph.inputs[i]] = std::move(inputs[i]);
  }
  inputs.clear();
  const auto* step = graph.steps.data();
  const auto* const end = step + graph.steps.size();
  try {
    for (; step != end; ++step) {
      if (!step->train_only || training_) run_step(graph, *step, &values, &stack);
    }
  } catch (const c10::Error& error) {
    failed(*step, error.what_without_backtrace());
  } catch (const Error& error) {
    if (error.condition() != "MODEL_RUN_FAILED" || step->kind != Step::Kind::kScalar) throw;
    failed(*step, error.message());
  }
  Values outputs;
  outputs.reserve(graph.outputs.size());
  for (const auto& output : graph.outputs) outputs.push_back(take(graph, output, &values));
  return outputs;
}

}  // namespace firesteel
