// Arguments of nodes as operands: constants of the program, slots, lists of both; each in the type
// that the operator's schema asks for.
#include <ATen/ScalarOps.h>
#include <torch/torch.h>

#include <utility>

#include "models/graph_planner.h"
#include "models/pt2_archive.h"
#include "models/schema_json.h"

namespace firesteel {

namespace {

using nlohmann::json;
using torch::IValue;

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

c10::TypePtr without_optional(const c10::Argument* schema) {
  if (!schema) return nullptr;
  auto type = schema->type();
  while (const auto optional = type->cast<c10::OptionalType>()) type = optional->getElementType();
  return type;
}

}  // namespace

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

}  // namespace firesteel
