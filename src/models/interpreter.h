// Runs a Program's graphs.
#pragma once

#include <torch/types.h>

#include <vector>

#include "models/program.h"

namespace firesteel {

/// One run of a program. Made anew for each; holds no values afterwards. One thread.
class Interpreter {
 public:
  Interpreter(const Program& program, bool training) : program_(program), training_(training) {}

  /// Takes the inputs, gives the outputs, both in the graph's order. Autograd records what the
  /// caller's mode says. Throws MODEL_RUN_FAILED, which names the node and the line of Python.
  std::vector<torch::IValue> run(const Graph& graph, std::vector<torch::IValue> inputs) const;

 private:
  using Values = std::vector<torch::IValue>;
  void run_step(const Graph& graph, const Step& step, Values* values, Values* stack) const;
  torch::IValue take(const Graph& graph, const Operand& operand, Values* values) const;
  torch::IValue take_list(const Graph& graph, const ListOperand& list, Values* values) const;
  Values run_region(const Step& step, Values operands) const;
  Values run_loop(const Step& step, Values operands) const;
  Values run_scan(const Step& step, Values operands) const;

  const Program& program_;
  bool training_;
};

}  // namespace firesteel
