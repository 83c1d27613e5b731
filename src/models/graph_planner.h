// Plans one graph of a program: a slot for each value, an operand for each argument by the
// operator's schema, and the last reader of each value. Graphs within operators are planned alike
// and see only the values given to them.
#pragma once

#include <ATen/core/jit_type.h>
#include <fmt/format.h>

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/error.h"
#include "models/program.h"

namespace firesteel {

/// Used once. Adds constants and switches to the program, which must outlive it.
class GraphPlanner {
 public:
  GraphPlanner(Program* program, const std::string& origin, bool is_root)
      : program_(program), origin_(origin), is_root_(is_root) {}

  Graph plan(const nlohmann::json& graph);

 private:
  void add_inputs(const nlohmann::json& inputs);
  void add_step(const nlohmann::json& node);
  void add_operator(const nlohmann::json& node, Step* step);
  void add_region(const nlohmann::json& node, std::string_view name, Step* step);
  void add_region_operands(const nlohmann::json& argument, Step* step);
  Result add_result(const nlohmann::json& output);
  void find_last_uses();

  Operand constant(torch::IValue value);
  Operand slot_of(const std::string& name) const;
  Operand operand(const nlohmann::json& argument, const c10::Argument* schema);
  Operand symbolic(const nlohmann::json& value, const c10::TypePtr& type);
  Operand number(torch::IValue value, const c10::TypePtr& type);
  Operand list(ListOperand::Kind kind, const nlohmann::json& elements);
  Operand element(ListOperand::Kind kind, const nlohmann::json& element);
  torch::IValue fixed_list(const nlohmann::json& elements, const c10::Argument* schema) const;
  void note_switch(const c10::Argument& schema, const Operand& operand);
  void note_instance_norm(const std::vector<Operand>& operands);
  bool is_batch_count(const Operand& operand) const;
  [[noreturn]] void unsupported(const std::string& what) const {
    throw Error("UNSUPPORTED_MODEL", fmt::format("`{}`: {}.", origin_, what));
  }

  Program* program_;
  const std::string& origin_;
  bool is_root_;
  Graph graph_;
  std::map<std::string, Slot> slots_;
};

}  // namespace firesteel
