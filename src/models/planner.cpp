// The version, the signature and the names around a graph; the graph itself is graph_planner's.
#include "models/planner.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/error.h"
#include "models/graph_planner.h"
#include "models/schema_json.h"

namespace firesteel {

namespace {

using nlohmann::json;
using torch::IValue;

constexpr int kSchemaMajor = 8;

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
