// Sizes that are a symbol are bound by the first input that has it; those that are an expression
// are compared once all are known, or solved for their only unknown symbol where they are linear.
// The rules are those of torch.export's own module: a lower bound of 2 is not held, since the
// exporter sets it for every size that it did not see as 0 or 1.
#include "models/input_guards.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "models/pt2_archive.h"

namespace firesteel {

namespace {

using nlohmann::json;

constexpr int64_t kMinHeld = 3;  // a lower bound from which on it is held

[[noreturn]] void refuse(const std::string& what) { throw Error("MODEL_INPUT_INVALID", what); }

int64_t bound(const json& range, const char* key, int64_t otherwise) {
  const auto found = range.find(key);
  return found != range.end() && found->is_number_integer() ? found->get<int64_t>() : otherwise;
}

struct FunctionName {
  std::string_view name;
  SizeExpression::Kind kind;
};
constexpr FunctionName kFunctions[] = {
    {"Add", SizeExpression::Kind::kAdd},
    {"FloorDiv", SizeExpression::Kind::kFloorDivide},
    {"CleanDiv", SizeExpression::Kind::kFloorDivide},
    {"Max", SizeExpression::Kind::kMax},
    {"Min", SizeExpression::Kind::kMin},
    {"Mod", SizeExpression::Kind::kMod},
    {"Mul", SizeExpression::Kind::kMultiply},
    {"PythonMod", SizeExpression::Kind::kMod},
};

/// The word that the text begins with, taken off it together with blanks before it.
std::string_view take_word(std::string_view* text) {
  while (!text->empty() && (text->front() == ' ' || text->front() == ',')) text->remove_prefix(1);
  size_t length = 0;
  while (length < text->size() && (std::isalnum(static_cast<unsigned char>((*text)[length])) ||
                                   (*text)[length] == '_' || (*text)[length] == '-')) {
    ++length;
  }
  const auto word = text->substr(0, length);
  text->remove_prefix(length);
  return word;
}

bool take(std::string_view* text, char letter) {
  if (text->empty() || text->front() != letter) return false;
  text->remove_prefix(1);
  return true;
}

std::string size_text(const ProgramInput& input) {
  std::string text;
  for (const int64_t size : input.sizes) {
    text += fmt::format("{}{}", text.empty() ? "" : " x ", size < 0 ? "any" : std::to_string(size));
  }
  return text.empty() ? "a single element" : text;
}

}  // namespace

InputGuards::InputGuards(const json& ranges) {
  for (const auto& [name, range] : ranges.items()) {
    ranges_[name] = {bound(range, "min_val", 0),
                     bound(range, "max_val", std::numeric_limits<int64_t>::max())};
  }
}

void InputGuards::add(std::string name, const json* meta) {
  ProgramInput input{.name = std::move(name), .is_number = meta == nullptr};
  std::vector<Dimension> dimensions;
  if (meta) {
    input.type = archived_type(meta->at("dtype").get<int64_t>());
    for (const auto& size : meta->at("sizes")) {
      Dimension dimension;
      if (const auto fixed = size.find("as_int"); fixed != size.end()) {
        dimension.fixed = fixed->get<int64_t>();
      } else {
        const auto text = size.at("as_expr").at("expr_str").get<std::string>();
        std::string_view rest = text;
        dimension.expression = parse(&rest);
      }
      input.sizes.push_back(dimension.fixed);
      dimensions.push_back(std::move(dimension));
    }
  }
  inputs_.push_back(std::move(input));
  dimensions_.push_back(std::move(dimensions));
}

int64_t InputGuards::symbol(const std::string& name) {
  for (size_t i = 0; i < symbols_.size(); ++i) {
    if (symbols_[i].name == name) return i;
  }
  Symbol added{.name = name};
  if (const auto range = ranges_.find(name); range != ranges_.end()) {
    std::tie(added.min, added.max) = range->second;
  }
  symbols_.push_back(added);
  return symbols_.size() - 1;
}

/// Nothing for a function that is not known: such a size is left to the operators to check.
std::optional<SizeExpression> InputGuards::parse(std::string_view* text) {
  const auto word = take_word(text);
  SizeExpression expression;
  if (word == "Integer" || word == "Symbol") {
    if (!take(text, '(')) return std::nullopt;
    const auto end = text->find(')');
    auto inner = text->substr(0, end);
    if (end == std::string_view::npos) return std::nullopt;
    text->remove_prefix(end + 1);
    if (word == "Symbol") {
      if (!take(&inner, '\'')) return std::nullopt;
      expression.kind = SizeExpression::Kind::kSymbol;
      expression.number = symbol(std::string(inner.substr(0, inner.find('\''))));
      return expression;
    }
    const auto [rest, error] =
        std::from_chars(inner.data(), inner.data() + inner.size(), expression.number);
    return error == std::errc() ? std::optional(expression) : std::nullopt;
  }
  const auto* row =
      std::find_if(std::begin(kFunctions), std::end(kFunctions),
                   [&](const FunctionName& function) { return function.name == word; });
  if (row == std::end(kFunctions) || !take(text, '(')) return std::nullopt;
  expression.kind = row->kind;
  while (!take(text, ')')) {
    auto operand = parse(text);
    if (!operand) return std::nullopt;
    expression.operands.push_back(std::move(*operand));
  }
  return expression.operands.size() < 2 ? std::nullopt : std::optional(expression);
}

void InputGuards::change_type(torch::ScalarType from, torch::ScalarType to) {
  for (auto& input : inputs_) {
    if (input.type == from) input.type = to;
  }
}

std::optional<int64_t> InputGuards::value_of(const SizeExpression& expression) const {
  using Kind = SizeExpression::Kind;
  if (expression.kind == Kind::kNumber) return expression.number;
  if (expression.kind == Kind::kSymbol) {
    const int64_t value = symbols_[expression.number].value;
    return value < 0 ? std::nullopt : std::optional(value);
  }
  std::optional<int64_t> result;
  for (const auto& operand : expression.operands) {
    const auto value = value_of(operand);
    if (!value) return std::nullopt;
    if (!result) {
      result = value;
      continue;
    }
    switch (expression.kind) {
      case Kind::kAdd:
        *result += *value;
        break;
      case Kind::kMultiply:
        *result *= *value;
        break;
      case Kind::kMax:
        *result = std::max(*result, *value);
        break;
      case Kind::kMin:
        *result = std::min(*result, *value);
        break;
      case Kind::kFloorDivide:  // Sizes are not negative.
        if (*value == 0) return std::nullopt;
        *result /= *value;
        break;
      case Kind::kMod:
        if (*value == 0) return std::nullopt;
        *result %= *value;
        break;
      case Kind::kNumber:
      case Kind::kSymbol:
        break;
    }
  }
  return result;
}

void InputGuards::bind(int64_t which, int64_t size, uint32_t input, uint32_t dimension) {
  auto& symbol = symbols_[which];
  if (symbol.value >= 0 && symbol.value != size) {
    refuse(
        fmt::format("The input `{}` has the size {} in dimension {}, but must have {}, as "
                    "dimension {} of `{}`.",
                    inputs_[input].name, size, dimension, symbol.value, symbol.dimension,
                    inputs_[symbol.input].name));
  }
  if ((symbol.min >= kMinHeld && size < symbol.min) || size > symbol.max) {
    refuse(fmt::format(
        "The input `{}` has the size {} in dimension {}, where the program takes {} to {}. Export "
        "it with another range of this dimension to use other sizes.",
        inputs_[input].name, size, dimension, symbol.min,
        symbol.max == std::numeric_limits<int64_t>::max() ? "any" : std::to_string(symbol.max)));
  }
  symbol.value = size;
  symbol.input = input;
  symbol.dimension = dimension;
}

/// Finds the one unknown symbol of sums and products. False when the size does not fit any.
bool InputGuards::solve(const SizeExpression& expression, int64_t size, uint32_t input,
                        uint32_t dimension) {
  using Kind = SizeExpression::Kind;
  if (expression.kind == Kind::kSymbol) {
    bind(expression.number, size, input, dimension);
    return true;
  }
  if (expression.kind != Kind::kAdd && expression.kind != Kind::kMultiply) return true;
  const SizeExpression* unknown = nullptr;
  for (const auto& operand : expression.operands) {
    const auto value = value_of(operand);
    if (!value) {
      if (unknown) return true;  // Two unknowns: the operators will tell.
      unknown = &operand;
    } else if (expression.kind == Kind::kAdd) {
      size -= *value;
    } else {
      if (*value == 0 || size % *value != 0) return false;
      size /= *value;
    }
  }
  return unknown ? size >= 0 && solve(*unknown, size, input, dimension) : true;
}

void InputGuards::check_dimension(const Dimension& dimension, int64_t size, uint32_t input,
                                  uint32_t index) {
  if (!dimension.expression) return;
  const auto value = value_of(*dimension.expression);
  if (value ? *value == size : solve(*dimension.expression, size, input, index)) return;
  refuse(fmt::format("The input `{}` has the size {} in dimension {}, {}.", inputs_[input].name,
                     size, index,
                     value ? fmt::format("but must have {} with the sizes of the others", *value)
                           : std::string("which no size of the program's own fits")));
}

void InputGuards::check(const std::vector<torch::Tensor>& inputs) {
  if (inputs.size() != inputs_.size()) {
    std::vector<std::string> names;
    for (const auto& input : inputs_) names.push_back("`" + input.name + "`");
    refuse(fmt::format("The program takes {} inputs ({}), not {}.", inputs_.size(),
                       fmt::join(names, ", "), inputs.size()));
  }
  for (auto& symbol : symbols_) symbol.value = -1;
  bool derived = false;
  for (uint32_t i = 0; i < inputs.size(); ++i) {
    const auto& input = inputs[i];
    const auto& wanted = inputs_[i];
    if (!input.defined()) refuse(fmt::format("The input `{}` is not given.", wanted.name));
    if (wanted.is_number) {
      if (input.numel() != 1 || !at::isIntegralType(input.scalar_type(), false)) {
        refuse(fmt::format("The input `{}` is a whole number: give it as a tensor of one integer.",
                           wanted.name));
      }
      continue;
    }
    if (input.scalar_type() != wanted.type) {
      refuse(fmt::format("The input `{}` is of type {}, where the program takes {}.", wanted.name,
                         torch::toString(input.scalar_type()), torch::toString(wanted.type)));
    }
    const auto sizes = input.sizes();
    if (sizes.size() != wanted.sizes.size()) {
      refuse(fmt::format("The input `{}` has {} dimensions, where the program takes {} ({}).",
                         wanted.name, sizes.size(), wanted.sizes.size(), size_text(wanted)));
    }
    for (uint32_t j = 0; j < sizes.size(); ++j) {
      const auto& dimension = dimensions_[i][j];
      if (dimension.fixed >= 0 && dimension.fixed != sizes[j]) {
        refuse(fmt::format(
            "The input `{}` has the size {} in dimension {}, where the program takes {}. Export it "
            "with this dimension dynamic to use other sizes.",
            wanted.name, sizes[j], j, dimension.fixed));
      }
      if (!dimension.expression) continue;
      if (dimension.expression->kind == SizeExpression::Kind::kSymbol) {
        bind(dimension.expression->number, sizes[j], i, j);
      } else {
        derived = true;
      }
    }
  }
  if (!derived) return;
  for (uint32_t i = 0; i < inputs.size(); ++i) {
    for (uint32_t j = 0; j < dimensions_[i].size(); ++j) {
      check_dimension(dimensions_[i][j], inputs[i].size(j), i, j);
    }
  }
}

}  // namespace firesteel
