// A program of torch.export as it is run: every name is a number, every operator is resolved, every
// value is given up where it is used last. `plan_program` makes one from JSON, `Interpreter` runs
// it.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/types.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/input_guards.h"
#include "models/scalar_operations.h"

namespace firesteel {

/// Place of a value among those of one run of a graph.
using Slot = uint32_t;
/// Of a value that nobody reads.
constexpr Slot kNoSlot = std::numeric_limits<Slot>::max();

/// Where an argument comes from each time its step runs.
struct Operand {
  enum class Kind : uint8_t {
    kConstant,  // Program::constants[index]
    kCopy,      // the value of slot `index`
    kMove,      // the same, which nobody reads after
    kList,      // Graph::lists[index], made anew
  };
  /// What becomes of a symbolic number where the operator's schema asks for something else.
  enum class As : uint8_t { kIs, kTensor, kDouble };
  Kind kind = Kind::kConstant;
  As as = As::kIs;
  uint32_t index = 0;
};

/// A list with elements that are only known when it is used.
struct ListOperand {
  enum class Kind : uint8_t { kTensors, kOptionalTensors, kInts, kDoubles, kBools };
  Kind kind = Kind::kTensors;
  std::vector<Operand> elements;
};

/// Where one result goes: a slot, or a slot for each element of a list.
struct Result {
  Slot slot = kNoSlot;
  bool is_list = false;
  std::vector<Slot> elements;
};

struct Graph;

/// An operator whose arguments are graphs.
enum class Region : uint8_t {
  kWrap,            // the graph, in the same mode
  kSetGradEnabled,  // enabled
  kAutocast,        // device type, dtype, enabled, cache enabled
  kCond,            // predicate; graphs: true, false
  kWhileLoop,       // graphs: condition, body
  kScan,            // graphs: combine; groups: carries, elements, others
  kAssociativeScan,
  kMap,  // groups: elements, others
};

struct Step {
  enum class Kind : uint8_t { kOperator, kScalar, kRegion };
  Kind kind = Kind::kOperator;
  std::optional<c10::OperatorHandle> op;
  ScalarFunction scalar = nullptr;
  Region region = Region::kWrap;
  std::vector<std::unique_ptr<Graph>> graphs;
  /// Operands of a region: those before the graphs' own, then so many in each group.
  uint32_t leading = 0;
  std::vector<uint32_t> groups;
  std::vector<Operand> operands;
  std::vector<Result> results;
  bool train_only = false;

  std::string name, target, where;  // for errors: the node, its operator, the line of Python
};

struct Graph {
  Slot slots = 0;            // the first are the inputs
  std::vector<Slot> inputs;  // kNoSlot: the graph does not read it
  std::vector<ListOperand> lists;
  std::vector<Step> steps;
  std::vector<Operand> outputs;
};

/// A tensor that the module holds and the graph reads.
struct StateInput {
  enum class Kind : uint8_t { kParameter, kBuffer, kConstant };
  Kind kind = Kind::kParameter;
  std::string name;
  bool persistent = true;
};

/// Where an input of the root graph comes from.
struct InputSource {
  enum class Kind : uint8_t { kState, kUser, kNone };
  Kind kind = Kind::kNone;
  uint32_t index = 0;  // of Program::states or Program::guards.inputs()
  bool operator==(const InputSource&) const = default;
};

/// An output of the root graph that is written back after the run.
struct Mutation {
  uint32_t output = 0;
  InputSource target;
  bool train_only = false;
};

/// Plain data but for the operators' handles, which live as long as libtorch.
struct Program {
  std::string torch_version;
  Graph graph;
  std::vector<torch::IValue> constants;
  std::vector<InputSource> inputs;
  std::vector<StateInput> states;
  InputGuards guards;
  std::vector<uint32_t> user_outputs;  // of the graph's outputs
  std::vector<std::string> output_names;
  std::vector<Mutation> mutations;

  /// Constants that depend on the mode: what the argument is in training and in evaluation.
  struct Switch {
    uint32_t constant;
    torch::IValue train, eval;
  };
  std::vector<Switch> switches;
  /// Whether the module was in training when it was exported.
  bool exported_in_training = false;
  /// Constants that follow the module to another device or floating type, as they were exported.
  std::vector<uint32_t> devices;
  std::vector<std::pair<uint32_t, torch::ScalarType>> types;
};

}  // namespace firesteel
