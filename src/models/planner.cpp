// One pass over the nodes gives each value a slot and each argument an operand, by the operator's
// schema; one pass backwards finds where values are used last. Graphs within operators are planned
// alike and see only the values given to them.
#include "models/planner.h"

#include <ATen/ScalarOps.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/jit_type.h>
#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "models/pt2_archive.h"

namespace firesteel {

namespace {

using nlohmann::json;
using torch::IValue;

constexpr int kSchemaMajor = 8;
constexpr std::string_view kTorchOps = "torch.ops.";
// Batch norms count their batches in training, beside the operator whose mode is switched.
constexpr std::string_view kBatchCount = "num_batches_tracked";
constexpr std::string_view kHigherOrder = "torch.ops.higher_order.";

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

double real(const json& value) {
  if (value.is_string()) {  // JSON has no word for these.
    const auto text = value.get<std::string>();
    if (text == "Infinity") return std::numeric_limits<double>::infinity();
    if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
    return std::numeric_limits<double>::quiet_NaN();
  }
  return value.get<double>();
}

/// The one key of a union, {"as_tensor": …}, and its value. Writers of some versions list all keys.
std::pair<std::string, const json*> only(const json& value) {
  for (const auto& [key, inner] : value.items()) {
    if (!inner.is_null()) return {key, &inner};
  }
  return {"as_none", nullptr};
}

c10::Device device_of(const json& value) {
  const auto index = value.find("index");
  const bool numbered = index != value.end() && index->is_number_integer();
  return c10::Device(value.at("type").get<std::string>() +
                     (numbered ? ":" + std::to_string(index->get<int>()) : ""));
}

/// memory_format and layout as c10 numbers them.
int64_t memory_format_of(int64_t number) {
  constexpr c10::MemoryFormat kFormats[] = {
      c10::MemoryFormat::Contiguous, c10::MemoryFormat::Contiguous, c10::MemoryFormat::ChannelsLast,
      c10::MemoryFormat::ChannelsLast3d, c10::MemoryFormat::Preserve};
  return static_cast<int64_t>(kFormats[number >= 0 && number <= 4 ? number : 0]);
}
int64_t layout_of(int64_t number) {
  constexpr c10::Layout kLayouts[] = {c10::kStrided,   c10::kSparse,    c10::kSparseCsr,
                                      c10::kSparseCsc, c10::kSparseBsr, c10::kSparseBsc,
                                      c10::kMkldnn};
  return static_cast<int64_t>(kLayouts[number >= 1 && number <= 6 ? number : 0]);
}

/// The last line of Python in a node's stack trace: `File "net.py", line 3, in forward`.
std::string source_line(const json& node) {
  const auto metadata = node.find("metadata");
  if (metadata == node.end() || !metadata->contains("stack_trace")) return "";
  const auto trace = metadata->at("stack_trace").get<std::string>();
  const auto begin = trace.rfind("File \"");
  return begin == std::string::npos ? "" : trace.substr(begin, trace.find('\n', begin) - begin);
}

class GraphPlanner {
 public:
  GraphPlanner(Program* program, const std::string& origin, bool is_root)
      : program_(program), origin_(origin), is_root_(is_root) {}

  Graph plan(const json& graph);

 private:
  void add_inputs(const json& inputs);
  void add_step(const json& node);
  void add_operator(const json& node, Step* step);
  void add_region(const json& node, std::string_view name, Step* step);
  void add_region_operands(const json& argument, Step* step);
  Result add_result(const json& output);
  void find_last_uses();

  Operand constant(IValue value);
  Operand slot_of(const std::string& name) const;
  Operand operand(const json& argument, const c10::Argument* schema);
  Operand symbolic(const json& value, const c10::TypePtr& type);
  Operand number(IValue value, const c10::TypePtr& type);
  Operand list(ListOperand::Kind kind, const json& elements);
  Operand element(ListOperand::Kind kind, const json& element);
  IValue fixed_list(const json& elements, const c10::Argument* schema) const;
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
    } else if (kind != "as_string" && kind != "as_string_to_argument" && value) {
      add_region_operands(input.at("arg"), step);  // Texts are names and hints for the compiler.
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

Operand GraphPlanner::constant(IValue value) {
  program_->constants.push_back(std::move(value));
  return {.kind = Operand::Kind::kConstant,
          .index = static_cast<uint32_t>(program_->constants.size() - 1)};
}

Operand GraphPlanner::slot_of(const std::string& name) const {
  const auto found = slots_.find(name);
  if (found == slots_.end()) {
    throw Error("INVALID_ARTIFACT",
                fmt::format("`{}`: a node reads the value `{}`, which no node before it makes.",
                            origin_, name));
  }
  return {.kind = Operand::Kind::kCopy, .index = found->second};
}

/// A number where the schema may want a tensor of it, or a real one.
Operand GraphPlanner::number(IValue value, const c10::TypePtr& type) {
  if (type && type->kind() == c10::TypeKind::TensorType) {
    // Python's rule: such a tensor gives way to the other operand's type.
    auto tensor = c10::scalar_to_tensor(value.toScalar());
    tensor.unsafeGetTensorImpl()->set_wrapped_number(true);
    return constant(tensor);
  }
  if (type && type->kind() == c10::TypeKind::FloatType && value.isInt()) {
    return constant(static_cast<double>(value.toInt()));
  }
  return constant(std::move(value));
}

/// {"as_name": …} or a number.
Operand GraphPlanner::symbolic(const json& value, const c10::TypePtr& type) {
  const auto [kind, inner] = only(value);
  if (kind == "as_int") return number(inner->get<int64_t>(), type);
  if (kind == "as_float") return number(real(*inner), type);
  if (kind == "as_bool") return number(inner->get<bool>(), type);
  if (kind != "as_name")
    unsupported(fmt::format("a symbolic number of the kind `{}` is not known", kind));
  auto operand = slot_of(inner->get<std::string>());
  if (type && type->kind() == c10::TypeKind::TensorType) operand.as = Operand::As::kTensor;
  if (type && type->kind() == c10::TypeKind::FloatType) operand.as = Operand::As::kDouble;
  return operand;
}

Operand GraphPlanner::element(ListOperand::Kind kind, const json& element) {
  switch (kind) {
    case ListOperand::Kind::kTensors:
    case ListOperand::Kind::kOptionalTensors: {
      if (element.contains("name")) return slot_of(element.at("name").get<std::string>());
      const auto [inner_kind, inner] = only(element);
      return inner_kind == "as_tensor" ? slot_of(inner->at("name").get<std::string>())
                                       : constant(IValue());
    }
    case ListOperand::Kind::kInts:
    case ListOperand::Kind::kBools:
      return symbolic(element, nullptr);
    case ListOperand::Kind::kDoubles:
      return symbolic(element, c10::FloatType::get());
  }
  return {};
}

Operand GraphPlanner::list(ListOperand::Kind kind, const json& elements) {
  ListOperand made{.kind = kind};
  for (const auto& value : elements) made.elements.push_back(element(kind, value));
  graph_.lists.push_back(std::move(made));
  return {.kind = Operand::Kind::kList, .index = static_cast<uint32_t>(graph_.lists.size() - 1)};
}

c10::TypePtr without_optional(const c10::Argument* schema) {
  if (!schema) return nullptr;
  auto type = schema->type();
  while (const auto optional = type->cast<c10::OptionalType>()) type = optional->getElementType();
  return type;
}

/// Whole or real numbers as the schema's list wants them.
IValue GraphPlanner::fixed_list(const json& elements, const c10::Argument* schema) const {
  const auto type = without_optional(schema);
  const auto list_type = type ? type->cast<c10::ListType>() : nullptr;
  const bool reals = list_type ? list_type->getElementType()->kind() == c10::TypeKind::FloatType
                               : !elements.empty() && !elements[0].is_number_integer();
  if (reals) {
    std::vector<double> values;
    for (const auto& value : elements) values.push_back(real(value));
    return values;
  }
  return elements.get<std::vector<int64_t>>();
}

Operand GraphPlanner::operand(const json& argument, const c10::Argument* schema) {
  const auto [kind, pointer] = only(argument);
  if (kind == "as_none" || !pointer) return constant(IValue());
  const json& value = *pointer;
  const auto type = without_optional(schema);
  const auto list_type = type ? type->cast<c10::ListType>() : nullptr;
  using Kind = ListOperand::Kind;
  if (kind == "as_tensor") return slot_of(value.at("name").get<std::string>());
  if (kind == "as_optional_tensor") {
    return value.contains("as_tensor")
               ? slot_of(value.at("as_tensor").at("name").get<std::string>())
               : constant(IValue());
  }
  if (kind == "as_tensors" || kind == "as_optional_tensors") {
    const bool optional =
        list_type && list_type->getElementType()->kind() == c10::TypeKind::OptionalType;
    return list(optional ? Kind::kOptionalTensors : Kind::kTensors, value);
  }
  if (kind == "as_int" && list_type) {  // One number for all of `int[2] stride`.
    return constant(std::vector<int64_t>(schema->N().value_or(1), value.get<int64_t>()));
  }
  if (kind == "as_int") return number(value.get<int64_t>(), type);
  if (kind == "as_float") return number(real(value), type);
  if (kind == "as_bool") return number(value.get<bool>(), type);
  if (kind == "as_complex") {
    return number(c10::complex<double>(real(value.at("real")), real(value.at("imag"))), type);
  }
  if (kind == "as_sym_int" || kind == "as_sym_float" || kind == "as_sym_bool") {
    return symbolic(value, type);
  }
  if (kind == "as_ints" || kind == "as_floats") return constant(fixed_list(value, schema));
  if (kind == "as_bools") {
    c10::List<bool> flags;
    for (const auto& flag : value) flags.push_back(flag.get<bool>());
    return constant(flags);
  }
  if (kind == "as_sym_ints") return list(Kind::kInts, value);
  if (kind == "as_sym_floats") return list(Kind::kDoubles, value);
  if (kind == "as_sym_bools") return list(Kind::kBools, value);
  if (kind == "as_string") return constant(value.get<std::string>());
  if (kind == "as_memory_format") return constant(memory_format_of(value.get<int64_t>()));
  if (kind == "as_layout") return constant(layout_of(value.get<int64_t>()));
  if (kind == "as_scalar_type") {
    const auto scalar_type = archived_type(value.get<int64_t>());
    const auto made = constant(static_cast<int64_t>(scalar_type));
    if (schema && at::isFloatingType(scalar_type))
      program_->types.emplace_back(made.index, scalar_type);
    return made;
  }
  if (kind == "as_device") {
    const auto made = constant(device_of(value));
    program_->devices.push_back(made.index);
    return made;
  }
  unsupported(fmt::format("an argument of the kind `{}` is not known", kind));
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

/// Names of the outputs: the keys of dicts, the numbers of tuples, joined by dots.
void name_outputs(const json& spec, const std::string& prefix, std::vector<std::string>* names) {
  if (spec.at("type").is_null()) {
    names->push_back(prefix);
    return;
  }
  const auto& children = spec.at("children_spec");
  json keys;
  if (const auto& context = spec.at("context"); context.is_string()) {
    keys = json::parse(context.get<std::string>(), nullptr, false);
  }
  if (keys.is_array() && keys.size() == 2 && keys[0].is_array())
    keys = json(keys[0]);  // with a default
  for (size_t i = 0; i < children.size(); ++i) {
    const bool named = keys.is_array() && keys.size() == children.size() && keys[i].is_string();
    const auto name = named ? keys[i].get<std::string>() : std::to_string(i);
    name_outputs(children[i], prefix.empty() ? name : prefix + "." + name, names);
  }
}

class ProgramPlanner {
 public:
  explicit ProgramPlanner(const std::string& origin) : origin_(origin) {}
  Program plan(const json& document);

 private:
  void check_version(const json& document);
  void add_input(const json& spec, const json& graph);
  void add_state(StateInput::Kind kind, std::string name, bool persistent);
  void add_output(const json& spec, uint32_t index);
  InputSource state_named(const std::string& name) const;
  void set_modes();

  const std::string& origin_;
  Program program_;
  std::map<std::string, uint32_t> users_;
};

void ProgramPlanner::check_version(const json& document) {
  const auto& version = document.at("schema_version");
  program_.torch_version = document.value("torch_version", "2.4 or older");
  if (version.at("major").get<int>() != kSchemaMajor) {
    throw Error("UNSUPPORTED_MODEL",
                fmt::format("`{}` has version {}.{} of torch.export's schema, written by torch {}; "
                            "version {}.x is read, "
                            "which torch 2.8 to 2.13 write. Export it anew.",
                            origin_, version.at("major").dump(), version.at("minor").dump(),
                            program_.torch_version, kSchemaMajor));
  }
}

Program ProgramPlanner::plan(const json& document) {
  check_version(document);
  const auto& module = document.at("graph_module");
  const auto& graph = module.at("graph");
  const auto& signature = module.at("signature");
  program_.guards = InputGuards(document.at("range_constraints"));
  for (const auto& spec : signature.at("input_specs")) add_input(spec, graph);
  program_.graph = GraphPlanner(&program_, origin_, true).plan(graph);
  if (program_.inputs.size() != program_.graph.inputs.size() ||
      signature.at("output_specs").size() != program_.graph.outputs.size()) {
    throw Error("INVALID_ARTIFACT",
                fmt::format("`{}`: the signature of the program does not fit its graph.", origin_));
  }
  uint32_t index = 0;
  for (const auto& spec : signature.at("output_specs")) add_output(spec, index++);
  for (const auto& entry : module.at("module_call_graph")) {
    if (!entry.at("fqn").get<std::string>().empty() || entry.at("signature").is_null()) continue;
    const auto spec = json::parse(entry.at("signature").at("out_spec").get<std::string>());
    name_outputs(spec.at(1), "", &program_.output_names);
  }
  if (program_.output_names.size() != program_.user_outputs.size()) {
    program_.output_names.clear();
    for (size_t i = 0; i < program_.user_outputs.size(); ++i) {
      program_.output_names.push_back(std::to_string(i));
    }
  }
  set_modes();
  return std::move(program_);
}

void ProgramPlanner::add_state(StateInput::Kind kind, std::string name, bool persistent) {
  program_.inputs.push_back(
      {InputSource::Kind::kState, static_cast<uint32_t>(program_.states.size())});
  program_.states.push_back({kind, std::move(name), persistent});
}

void ProgramPlanner::add_input(const json& spec, const json& graph) {
  const auto [kind, pointer] = only(spec);
  if (!pointer) throw Error("INVALID_ARTIFACT", fmt::format("`{}`: an input of no kind.", origin_));
  const json& value = *pointer;
  if (kind == "parameter") {
    add_state(StateInput::Kind::kParameter, value.at("parameter_name"), true);
  } else if (kind == "buffer") {
    add_state(StateInput::Kind::kBuffer, value.at("buffer_name"), value.value("persistent", true));
  } else if (kind == "tensor_constant") {
    add_state(StateInput::Kind::kConstant, value.at("tensor_constant_name"), false);
  } else if (kind == "user_input") {
    const auto [argument_kind, argument] = only(value.at("arg"));
    const auto number = static_cast<uint32_t>(users_.size());
    std::string name;
    if (argument_kind == "as_tensor") {
      name = argument->at("name").get<std::string>();
      program_.guards.add(name, &graph.at("tensor_values").at(name));
    } else if ((argument_kind == "as_sym_int") && argument->contains("as_name")) {
      name = argument->at("as_name").get<std::string>();
      program_.guards.add(name, nullptr);
    } else if (argument_kind == "as_custom_obj") {
      throw Error("UNSUPPORTED_MODEL", fmt::format("`{}`: an input is a Python object.", origin_));
    } else {  // A constant of Python: the graph holds it.
      program_.inputs.push_back({});
      return;
    }
    users_[name] = number;
    program_.inputs.push_back({InputSource::Kind::kUser, number});
  } else if (kind == "constant_input" || kind == "token") {
    program_.inputs.push_back({});
  } else {
    throw Error("UNSUPPORTED_MODEL",
                fmt::format("`{}`: an input of the kind `{}` is not run here.", origin_, kind));
  }
}

InputSource ProgramPlanner::state_named(const std::string& name) const {
  for (uint32_t i = 0; i < program_.states.size(); ++i) {
    if (program_.states[i].name == name) return {InputSource::Kind::kState, i};
  }
  throw Error(
      "INVALID_ARTIFACT",
      fmt::format("`{}`: the program writes to `{}`, which it does not have.", origin_, name));
}

void ProgramPlanner::add_output(const json& spec, uint32_t index) {
  const auto [kind, value] = only(spec);
  if (kind == "user_output" || kind == "loss_output") {
    program_.user_outputs.push_back(index);
  } else if (kind == "buffer_mutation") {
    const auto name = value->at("buffer_name").get<std::string>();
    program_.mutations.push_back({index, state_named(name), name.ends_with(kBatchCount)});
  } else if (kind == "parameter_mutation") {
    program_.mutations.push_back({index, state_named(value->at("parameter_name")), false});
  } else if (kind == "user_input_mutation") {
    const auto user = users_.find(value->at("user_input_name").get<std::string>());
    if (user == users_.end()) {
      throw Error(
          "INVALID_ARTIFACT",
          fmt::format("`{}`: the program writes to an input that it does not have.", origin_));
    }
    program_.mutations.push_back({index, {InputSource::Kind::kUser, user->second}, false});
  }  // Gradients and tokens are for other runtimes.
}

/// What was exported says which mode that was: a dropout that is on is on in training alone. Then
/// what is off stays off in both modes, as a frozen batch norm. With all off, training turns on
/// all.
void ProgramPlanner::set_modes() {
  auto& switches = program_.switches;
  const auto is_on = [](const IValue& value) {
    return value.isBool() ? value.toBool() : value.toDouble() > 0;
  };
  program_.exported_in_training = std::any_of(switches.begin(), switches.end(),
                                              [&](const auto& row) { return is_on(row.train); });
  for (auto& row : switches) {
    if (program_.exported_in_training) {
      row.eval = row.eval.isBool() ? IValue(false) : IValue(0.0);
    } else if (row.train.isBool()) {
      row.train = true;
    }
  }
}

}  // namespace

Program plan_program(const std::string& text, const std::string& origin) {
  try {
    return ProgramPlanner(origin).plan(json::parse(text));
  } catch (const json::exception& error) {
    throw Error("INVALID_ARTIFACT",
                fmt::format("`{}`: its program cannot be read ({}).", origin, error.what()));
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    throw Error("INVALID_ARTIFACT", fmt::format("`{}`: its program cannot be read ({}).", origin,
                                                what.substr(0, what.find('\n'))));
  }
}

}  // namespace firesteel
