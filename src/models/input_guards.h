// What a program demands of its inputs: how many, their types, ranks and sizes, and which dynamic
// sizes are the same or derived from one another.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firesteel {

/// A symbolic size, parsed from SymPy's own notation: Add(Mul(Integer(2), Symbol('s0', …)), …).
struct SizeExpression {
  enum class Kind : uint8_t { kNumber, kSymbol, kAdd, kMultiply, kFloorDivide, kMod, kMax, kMin };
  Kind kind = Kind::kNumber;
  int64_t number = 0;  // the value, or which symbol
  std::vector<SizeExpression> operands;
};

/// A program's inputs as a caller sees them.
struct ProgramInput {
  std::string name;
  bool is_number = false;  // an integer that the program takes; given as a tensor of one element
  torch::ScalarType type = torch::kFloat32;
  /// Fixed sizes, -1 for those that may differ from call to call.
  std::vector<int64_t> sizes;
};

/// One thread at a time.
class InputGuards {
 public:
  InputGuards() = default;
  /// `ranges` is the program's `range_constraints`.
  explicit InputGuards(const nlohmann::json& ranges);

  /// An input with the program's `meta` of it; null for a number.
  void add(std::string name, const nlohmann::json* meta);
  const std::vector<ProgramInput>& inputs() const { return inputs_; }

  /// Inputs of the first floating type are to have the second from now on.
  void change_type(torch::ScalarType from, torch::ScalarType to);
  /// Throws MODEL_INPUT_INVALID, which names the input and the size.
  void check(const std::vector<torch::Tensor>& inputs);

 private:
  struct Symbol {
    std::string name;
    int64_t min = 0, max = std::numeric_limits<int64_t>::max();
    int64_t value = -1;                 // of this call; -1: not known yet
    uint32_t input = 0, dimension = 0;  // that said so
  };
  struct Dimension {
    int64_t fixed = -1;
    std::optional<SizeExpression> expression;  // nothing: any size
  };

  std::optional<SizeExpression> parse(std::string_view* text);
  int64_t symbol(const std::string& name);
  std::optional<int64_t> value_of(const SizeExpression& expression) const;
  bool solve(const SizeExpression& expression, int64_t size, uint32_t input, uint32_t dimension);
  void check_dimension(const Dimension& dimension, int64_t size, uint32_t input, uint32_t index);
  void bind(int64_t which, int64_t size, uint32_t input, uint32_t dimension);

  std::map<std::string, std::pair<int64_t, int64_t>> ranges_;
  std::vector<ProgramInput> inputs_;
  std::vector<std::vector<Dimension>> dimensions_;
  std::vector<Symbol> symbols_;
};

}  // namespace firesteel
