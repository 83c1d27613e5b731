// One pass over the nodes, one backwards over the steps; arguments are made in graph_operands.cpp.
#include "models/graph_planner.h"

#include <torch/torch.h>

#include <algorithm>
#include <set>
#include <utility>

#include "models/schema_json.h"

namespace firesteel {

namespace {

using nlohmann::json;
using torch::IValue;

constexpr std::string_view kTorchOps = "torch.ops.";
constexpr std::string_view kHigherOrder = "torch.ops.higher_order.";
constexpr int kKeyword = 2;  // ArgumentKind of the schema

struct RegionName {
  std::string_view name;
  Region region;
  uint32_t leading;  // operands before the graphs' own
};
// Operators of torch._higher_order_ops that say how a graph is run; those that matter to the
// compiler alone are run as they are.
constexpr RegionName kRegions[] = {
    {"associative_scan", Region::kAssociativeScan, 0},
    {"cond", Region::kCond, 1},
    {"hints_wrapper", Region::kWrap, 0},
    {"invoke_subgraph", Region::kWrap, 0},
    {"map_impl", Region::kMap, 0},
    {"scan", Region::kScan, 0},
    {"strict_mode", Region::kWrap, 0},
    {"tag_activation_checkpoint", Region::kWrap, 0},
    {"while_loop", Region::kWhileLoop, 0},
    {"wrap", Region::kWrap, 0},
    {"wrap_activation_checkpoint", Region::kWrap, 0},
    {"wrap_with_autocast", Region::kAutocast, 4},
    {"wrap_with_set_grad_enabled", Region::kSetGradEnabled, 1},
};

// They check what the inputs' guards have checked, by the types and devices of the export.
constexpr std::string_view kLeftOut[] = {"torch.ops.aten._assert_tensor_metadata.default"};

/// Names, and arguments by keyword, are for the compiler.
bool is_hint(const json& input, const std::string& kind) {
  const auto found = input.find("kind");
  const bool by_keyword = found != input.end() && found->is_number() && *found == kKeyword;
  return by_keyword || kind == "as_string" || kind == "as_string_to_argument";
}

/// The last line of Python in a node's stack trace: `File "net.py", line 3, in forward`.
std::string source_line(const json& node) {
  const auto metadata = node.find("metadata");
  if (metadata == node.end() || !metadata->contains("stack_trace")) return "";
  const auto trace = metadata->at("stack_trace").get<std::string>();
  const auto begin = trace.rfind("File \"");
  return begin == std::string::npos ? "" : trace.substr(begin, trace.find('\n', begin) - begin);
}

}  // namespace

Graph GraphPlanner::plan(const json& graph) {
  add_inputs(graph.at("inputs"));
  for (const auto& node : graph.at("nodes")) add_step(node);
  for (const auto& output : graph.at("outputs")) graph_.outputs.push_back(operand(output, nullptr));
  find_last_uses();
  return std::move(graph_);
}

void GraphPlanner::add_inputs(const json& inputs) {
  for (const auto& input : inputs) graph_.inputs.push_back(add_result(input).slot);
}

/// Gives a value that the graph makes its slot.
Result GraphPlanner::add_result(const json& output) {
  const auto [kind, value] = only(output);
  const auto place = [this](const json& named, const char* key) {
    slots_[named.at(key).get<std::string>()] = graph_.slots;
    return graph_.slots++;
  };
  Result result;
  if (kind == "as_tensor") {
    result.slot = place(*value, "name");
  } else if (kind == "as_sym_int" || kind == "as_sym_float" || kind == "as_sym_bool") {
    if (value->contains("as_name")) result.slot = place(*value, "as_name");
  } else if (kind == "as_optional_tensor") {
    if (value->contains("as_tensor")) result.slot = place(value->at("as_tensor"), "name");
  } else if (kind == "as_tensors" || kind == "as_optional_tensors") {
    result.is_list = true;
    for (const auto& element : *value) {
      const auto& tensor = element.contains("as_tensor") ? element.at("as_tensor") : element;
      result.elements.push_back(tensor.contains("name") ? place(tensor, "name") : kNoSlot);
    }
  }  // Others are known before the run: the graph holds them where they are used.
  return result;
}

void GraphPlanner::add_step(const json& node) {
  const auto target = node.at("target").get<std::string>();
  if (std::find(std::begin(kLeftOut), std::end(kLeftOut), target) != std::end(kLeftOut)) return;
  Step step;
  step.target = target;
  step.where = source_line(node);
  if (const auto name = node.find("name"); name != node.end() && name->is_string()) {
    step.name = name->get<std::string>();
  }
  if (target.starts_with(kHigherOrder)) {
    add_region(node, std::string_view(target).substr(kHigherOrder.size()), &step);
  } else if (const auto function = scalar_function(target)) {
    step.kind = Step::Kind::kScalar;
    step.scalar = function;
    for (const auto& input : node.at("inputs")) {
      step.operands.push_back(operand(input.at("arg"), nullptr));
    }
  } else {
    add_operator(node, &step);
  }
  for (const auto& output : node.at("outputs")) step.results.push_back(add_result(output));
  graph_.steps.push_back(std::move(step));
}

void GraphPlanner::add_operator(const json& node, Step* step) {
  // torch.ops.aten.add.Tensor: a namespace, a name, an overload.
  const std::string_view target = step->target;
  const auto name_end = target.rfind('.');
  const auto space_end = target.find('.', kTorchOps.size());
  if (!target.starts_with(kTorchOps) || name_end <= space_end) {
    unsupported(
        fmt::format("the operator `{}` is a function of Python, which is not run here", target));
  }
  const auto name =
      fmt::format("{}::{}", target.substr(kTorchOps.size(), space_end - kTorchOps.size()),
                  target.substr(space_end + 1, name_end - space_end - 1));
  const auto overload = target.substr(name_end + 1);
  step->op = c10::Dispatcher::singleton().findSchema(
      {name, overload == "default" ? "" : std::string(overload)});
  if (!step->op) {
    unsupported(fmt::format(
        "the operator `{}.{}` is not in this libtorch ({}). It comes with another library, or "
        "with another version of torch than {}",
        name, overload, TORCH_VERSION, program_->torch_version));
  }
  std::map<std::string, const json*> given;
  for (const auto& input : node.at("inputs")) {
    given[input.at("name").get<std::string>()] = &input.at("arg");
  }
  for (const auto& argument : step->op->schema().arguments()) {
    const auto found = given.find(argument.name());
    if (found != given.end()) {
      step->operands.push_back(operand(*found->second, &argument));
    } else if (argument.default_value()) {
      step->operands.push_back(constant(*argument.default_value()));
    } else {
      unsupported(
          fmt::format("the node `{}` gives `{}.{}` no argument `{}`, which it needs in this "
                      "version of torch ({})",
                      step->name, name, overload, argument.name(), TORCH_VERSION));
    }
    note_switch(argument, step->operands.back());
  }
  if (name == "aten::instance_norm") note_instance_norm(step->operands);
  step->train_only = name == "aten::add_" && is_batch_count(step->operands[0]);
}

/// Without running statistics it uses the input's in both modes.
void GraphPlanner::note_instance_norm(const std::vector<Operand>& operands) {
  constexpr size_t kRunningMean = 3, kUseInputStats = 5;
  const auto& mean = operands[kRunningMean];
  const auto flag = operands[kUseInputStats].index;
  if (mean.kind == Operand::Kind::kConstant && program_->constants[mean.index].isNone()) return;
  program_->switches.push_back({flag, program_->constants[flag], program_->constants[flag]});
}

bool GraphPlanner::is_batch_count(const Operand& operand) const {
  if (!is_root_ || operand.kind != Operand::Kind::kCopy) return false;
  for (size_t i = 0; i < graph_.inputs.size(); ++i) {
    const auto& input = program_->inputs[i];
    if (graph_.inputs[i] == operand.index && input.kind == InputSource::Kind::kState) {
      return program_->states[input.index].name.ends_with(kBatchCount);
    }
  }
  return false;
}

/// Arguments that say "in training", by the names that ATen's schemas give them: `train` of dropout
/// and recurrent layers, `training` of batch norms and rrelu, `dropout_p` of attention.
void GraphPlanner::note_switch(const c10::Argument& schema, const Operand& operand) {
  if (operand.kind != Operand::Kind::kConstant) return;
  const auto& value = program_->constants[operand.index];
  const auto& name = schema.name();
  if ((value.isBool() && (name == "train" || name == "training")) ||
      (value.isDouble() && name == "dropout_p")) {
    program_->switches.push_back({operand.index, value, value});
  }
}

void GraphPlanner::add_region(const json& node, std::string_view name, Step* step) {
  const auto* row =
      std::find_if(std::begin(kRegions), std::end(kRegions),
                   [&](const RegionName& candidate) { return candidate.name == name; });
  if (row == std::end(kRegions)) {
    unsupported(fmt::format("the higher-order operator `{}` is not run here", name));
  }
  step->kind = Step::Kind::kRegion;
  step->region = row->region;
  step->leading = row->leading;
  for (const auto& input : node.at("inputs")) {
    const auto [kind, value] = only(input.at("arg"));
    if (kind == "as_graph") {
      GraphPlanner planner(program_, origin_, false);
      step->graphs.push_back(std::make_unique<Graph>(planner.plan(value->at("graph"))));
    } else if (step->operands.size() < step->leading) {
      step->operands.push_back(operand(input.at("arg"), nullptr));
    } else if (value && !is_hint(input, kind)) {
      add_region_operands(input.at("arg"), step);
    }
  }
  const size_t graphs_wanted =
      row->region == Region::kCond || row->region == Region::kWhileLoop ? 2 : 1;
  if (step->graphs.size() != graphs_wanted || step->operands.size() < step->leading) {
    unsupported(fmt::format("the node `{}` gives the higher-order operator `{}` {} graphs, not {}",
                            step->name, name, step->graphs.size(), graphs_wanted));
  }
}

/// A tuple of values is a group of operands, a value by itself a group of one.
void GraphPlanner::add_region_operands(const json& argument, Step* step) {
  const auto [kind, pointer] = only(argument);
  const json& value = *pointer;
  const auto before = step->operands.size();
  if (kind == "as_tensors") {
    for (const auto& element : value) {
      step->operands.push_back(slot_of(element.at("name").get<std::string>()));
    }
  } else if (kind == "as_optional_tensors" || kind == "as_sym_ints" || kind == "as_sym_floats" ||
             kind == "as_sym_bools") {
    for (const auto& element : value) {
      const auto [inner_kind, inner] = only(element);
      if (inner_kind == "as_tensor") {
        step->operands.push_back(slot_of(inner->at("name").get<std::string>()));
      } else {
        step->operands.push_back(inner_kind == "as_none" ? constant(IValue())
                                                         : symbolic(element, nullptr));
      }
    }
  } else if (kind == "as_ints" || kind == "as_floats" || kind == "as_bools") {
    for (const auto& element : value) {
      step->operands.push_back(constant(kind == "as_ints"    ? IValue(element.get<int64_t>())
                                        : kind == "as_bools" ? IValue(element.get<bool>())
                                                             : IValue(real(element))));
    }
  } else {
    step->operands.push_back(operand(argument, nullptr));
  }
  step->groups.push_back(step->operands.size() - before);
}

/// The last reader of a value takes it, so that its memory is free as early as in Python.
void GraphPlanner::find_last_uses() {
  std::set<Slot> read;
  const auto mark = [&](Operand* operand, const auto& self) -> void {
    if (operand->kind == Operand::Kind::kList) {
      auto& elements = graph_.lists[operand->index].elements;
      for (auto element = elements.rbegin(); element != elements.rend(); ++element) {
        self(&*element, self);
      }
    } else if (operand->kind == Operand::Kind::kCopy && read.insert(operand->index).second) {
      operand->kind = Operand::Kind::kMove;
    }
  };
  for (auto output = graph_.outputs.rbegin(); output != graph_.outputs.rend(); ++output) {
    mark(&*output, mark);
  }
  for (auto step = graph_.steps.rbegin(); step != graph_.steps.rend(); ++step) {
    for (auto& result : step->results) {
      const auto drop = [&](Slot* slot) {
        if (*slot != kNoSlot && !read.count(*slot)) *slot = kNoSlot;
      };
      drop(&result.slot);
      for (auto& slot : result.elements) drop(&slot);
    }
    for (auto operand = step->operands.rbegin(); operand != step->operands.rend(); ++operand) {
      mark(&*operand, mark);
    }
  }
  for (auto& input : graph_.inputs) {
    if (input != kNoSlot && !read.count(input)) input = kNoSlot;
  }
}

}  // namespace firesteel
