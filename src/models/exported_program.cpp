// Binds the archive's tensors to the planned programs, and keeps both in step when the module
// changes its mode, device or type.
#include "models/exported_program.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "models/interpreter.h"
#include "models/planner.h"

namespace firesteel {

namespace {

using torch::IValue;

// Where `firesteel export` puts the program of the other mode; Python leaves extra files alone.
constexpr const char* kTrainProgram = "extra/train.json";

bool is_floating(const torch::Tensor& tensor) {
  return tensor.is_floating_point() || tensor.is_complex();
}

/// Two names of one parameter.
bool is_same_memory(const torch::Tensor& a, const torch::Tensor& b) {
  return a.storage().is_alias_of(b.storage()) && a.storage_offset() == b.storage_offset() &&
         a.sizes() == b.sizes() && a.strides() == b.strides();
}

torch::Tensor as_tensor(const IValue& value) {
  if (value.isTensor()) return value.toTensor();
  if (value.isNone()) return {};
  return c10::scalar_to_tensor(value.toScalar());
}

}  // namespace

ExportedProgramImpl::ExportedProgramImpl(const std::filesystem::path& path,
                                         const std::string& model)
    : torch::nn::Module("ExportedProgram"),
      archive_(path, model),
      eval_program_(plan_program(archive_.program(), path.string())) {
  if (archive_.has(kTrainProgram)) {
    train_program_ = plan_program(archive_.text(kTrainProgram), path.string());
    if (train_program_->guards.inputs().size() != inputs().size()) {
      throw Error(
          "INVALID_ARTIFACT",
          fmt::format("`{}`: its programs of training and evaluation take different inputs.",
                      path.string()));
    }
  }
  add_states(&eval_program_);
  if (train_program_) add_states(&*train_program_);
  for (const auto& state : states_) {
    if (!state.tensor.is_floating_point()) continue;
    exported_type_ = type_ = state.tensor.scalar_type();
    break;
  }
  // A program per mode needs no switches; that of one mode starts in the mode it was exported in.
  if (train_program_) {
    eval_program_.switches.clear();
    train_program_->switches.clear();
  }
  train(eval_program_.exported_in_training);
}

/// Numbers the states anew: those of both programs are the module's.
void ExportedProgramImpl::add_states(Program* program) {
  std::vector<uint32_t> numbers;
  for (const auto& input : program->states) numbers.push_back(add_state(input));
  for (auto& input : program->inputs) {
    if (input.kind == InputSource::Kind::kState) input.index = numbers[input.index];
  }
  for (auto& mutation : program->mutations) {
    if (mutation.target.kind == InputSource::Kind::kState) {
      mutation.target.index = numbers[mutation.target.index];
    }
  }
}

uint32_t ExportedProgramImpl::add_state(const StateInput& input) {
  const auto known = std::find_if(states_.begin(), states_.end(),
                                  [&](const State& state) { return state.name == input.name; });
  if (known != states_.end()) return known - states_.begin();
  const auto* found = &archive_.weights();
  if (!found->count(input.name)) found = &archive_.constants();
  const auto row = found->find(input.name);
  if (row == found->end()) {
    throw Error("INVALID_ARTIFACT",
                fmt::format("`{}`: the program reads `{}`, which the archive does not hold.",
                            archive_.path().string(), input.name));
  }
  State state{.kind = input.kind,
              .name = input.name,
              .tensor = row->second.tensor,
              .persistent = input.persistent};
  const bool is_parameter = input.kind == StateInput::Kind::kParameter;
  for (const auto& other : states_) {
    if (is_parameter && other.is_registered && is_same_memory(other.tensor, state.tensor)) {
      state.tensor = other.tensor;
      states_.push_back(std::move(state));
      return states_.size() - 1;
    }
  }
  if (input.kind != StateInput::Kind::kConstant) {
    // Of the same memory, but with a shape and type of its own.
    const auto& archived = row->second.tensor;
    state.tensor = torch::empty({0}, archived.options())
                       .set_(archived.storage(), archived.storage_offset(), archived.sizes(),
                             archived.strides());
    torch::nn::Module* owner = this;
    std::string_view rest = input.name;
    for (auto dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
      const std::string child(rest.substr(0, dot));
      const auto* existing = owner->named_children().find(child);
      owner = existing
                  ? existing->get()
                  : owner->register_module(child, std::make_shared<torch::nn::Module>(child)).get();
      rest.remove_prefix(dot + 1);
    }
    if (is_parameter) {
      owner->register_parameter(std::string(rest), state.tensor, row->second.requires_grad);
    } else {
      owner->register_buffer(std::string(rest), state.tensor);
    }
    state.is_registered = true;
  }
  states_.push_back(std::move(state));
  return states_.size() - 1;
}

IValue ExportedProgramImpl::user_input(const torch::Tensor& tensor, uint32_t index) const {
  if (inputs()[index].is_number) return tensor.item<int64_t>();
  return tensor;
}

std::vector<torch::Tensor> ExportedProgramImpl::forward(const std::vector<torch::Tensor>& inputs) {
  auto& program = this->program();
  program.guards.check(inputs);
  std::vector<IValue> values;
  values.reserve(program.inputs.size());
  for (const auto& input : program.inputs) {
    switch (input.kind) {
      case InputSource::Kind::kState:
        values.emplace_back(states_[input.index].tensor);
        break;
      case InputSource::Kind::kUser:
        values.push_back(user_input(inputs[input.index], input.index));
        break;
      case InputSource::Kind::kNone:
        values.emplace_back();
        break;
    }
  }
  // The program reads a copy of what is written to afterwards: the backward pass may still need it.
  for (const auto& mutation : program.mutations) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (program.inputs[i] == mutation.target) values[i] = values[i].toTensor().clone();
    }
  }
  const auto outputs = Interpreter(program, is_training()).run(program.graph, std::move(values));
  torch::NoGradGuard no_grad;
  for (const auto& mutation : program.mutations) {
    if (mutation.train_only && !is_training()) continue;
    target_of(mutation, inputs).copy_(outputs[mutation.output].toTensor());
  }
  std::vector<torch::Tensor> results;
  results.reserve(program.user_outputs.size());
  for (const auto output : program.user_outputs) results.push_back(as_tensor(outputs[output]));
  return results;
}

torch::Tensor ExportedProgramImpl::target_of(const Mutation& mutation,
                                             const std::vector<torch::Tensor>& inputs) const {
  const auto& target = mutation.target;
  return target.kind == InputSource::Kind::kState ? states_[target.index].tensor
                                                  : inputs[target.index];
}

std::vector<torch::Tensor> ExportedProgramImpl::forward(
    const std::map<std::string, torch::Tensor>& inputs) {
  std::vector<torch::Tensor> ordered;
  std::vector<std::string> names;
  for (const auto& input : this->inputs()) {
    names.push_back(input.name);
    const auto found = inputs.find(input.name);
    ordered.push_back(found == inputs.end() ? torch::Tensor() : found->second);
  }
  for (const auto& [name, tensor] : inputs) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    const auto near = nearest_name(name, names);
    throw Error("MODEL_INPUT_INVALID",
                fmt::format("The program has no input `{}`{}; it takes {}.", name,
                            near.empty() ? "" : fmt::format(" (did you mean `{}`?)", near),
                            fmt::join(names, ", ")));
  }
  return forward(ordered);
}

void ExportedProgramImpl::train(bool on) {
  torch::nn::Module::train(on);
  set_mode(&eval_program_);
}

void ExportedProgramImpl::set_mode(Program* program) const {
  for (const auto& row : program->switches) {
    program->constants[row.constant] = is_training() ? row.train : row.eval;
  }
}

void ExportedProgramImpl::to(torch::Device device, torch::Dtype dtype, bool non_blocking) {
  move(device, dtype, non_blocking);
}
void ExportedProgramImpl::to(torch::Dtype dtype, bool non_blocking) {
  move(std::nullopt, dtype, non_blocking);
}
void ExportedProgramImpl::to(torch::Device device, bool non_blocking) {
  move(device, std::nullopt, non_blocking);
}

void ExportedProgramImpl::move(std::optional<torch::Device> device,
                               std::optional<torch::Dtype> type, bool non_blocking) {
  torch::NoGradGuard no_grad;
  if (type && !at::isFloatingType(*type)) {
    throw Error("INVALID_OPTION",
                fmt::format("A model's weights cannot be of type {}; use a floating type.",
                            torch::toString(*type)));
  }
  if (device) device_ = *device;
  const auto before = type_;
  if (type) type_ = *type;
  std::set<c10::TensorImpl*> moved;  // of tied weights
  for (auto& state : states_) {
    if (!moved.insert(state.tensor.unsafeGetTensorImpl()).second) continue;
    auto options = state.tensor.options().device(device_);
    if (type && is_floating(state.tensor)) options = options.dtype(*type);
    const auto changed = state.tensor.to(options, non_blocking);
    if (state.is_registered) {
      try {
        state.tensor.set_data(changed);
      } catch (const c10::Error&) {
        throw Error("INVALID_OPTION",
                    fmt::format("The weight `{}` cannot be moved from {} to {}.", state.name,
                                state.tensor.device().str(), changed.device().str()));
      }
      if (auto& gradient = state.tensor.mutable_grad(); gradient.defined()) {
        gradient = gradient.to(options, non_blocking);
      }
    } else {
      state.tensor = changed;
    }
  }
  for (auto* program : {&eval_program_, train_program_ ? &*train_program_ : nullptr}) {
    if (!program) continue;
    follow(program);
    program->guards.change_type(before, type_);
  }
}

void ExportedProgramImpl::follow(Program* program) const {
  for (const auto constant : program->devices) program->constants[constant] = device_;
  for (const auto& [constant, type] : program->types) {
    program->constants[constant] = static_cast<int64_t>(type == exported_type_ ? type_ : type);
  }
}

void ExportedProgramImpl::save(const std::filesystem::path& path) const {
  ArchivedTensors changed;
  for (const auto& state : states_) {
    if (state.kind == StateInput::Kind::kConstant) continue;
    changed[state.name] = {state.tensor.detach(), state.kind == StateInput::Kind::kParameter,
                           state.tensor.requires_grad()};
  }
  archive_.write_copy(path, changed);
}

NamedTensors ExportedProgramImpl::weights() const {
  NamedTensors named;
  named.metadata["format"] = "pt";
  for (const auto& state : states_) {
    if (state.is_registered && state.persistent) named.tensors[state.name] = state.tensor.detach();
  }
  return named;
}

}  // namespace firesteel
