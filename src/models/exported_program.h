// A program that Python's torch.export wrote (.pt2), as a module of libtorch: it runs, trains,
// moves to another device or type, and is written back.
#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/program.h"
#include "models/pt2_archive.h"
#include "train/safetensors.h"

namespace firesteel {

/// Parameters and buffers are registered under the names of the Python module (`layers.0.weight`);
/// tied weights once, under the first of their names.
///
/// `train()` and `eval()` do what they do in Python where the archive holds a program for each
/// mode, as `firesteel export` writes it. Otherwise the arguments of dropouts, batch norms and
/// attention are switched in the one program there is; what Python's own `if self.training` decided
/// stays as it was exported.
///
/// One thread at a time, since buffers change.
class ExportedProgramImpl : public torch::nn::Module {
 public:
  /// `model` is the program's name within the archive. Throws PATH_NOT_FOUND, INVALID_ARTIFACT,
  /// UNSUPPORTED_MODEL; the latter names what is not run here.
  explicit ExportedProgramImpl(const std::filesystem::path& path,
                               const std::string& model = "model");

  /// Inputs in the order of `inputs()`, or by name; outputs as `output_names()` says, undefined for
  /// None, numbers as tensors of one element. Throws MODEL_INPUT_INVALID, MODEL_RUN_FAILED.
  std::vector<torch::Tensor> forward(const std::vector<torch::Tensor>& inputs);
  std::vector<torch::Tensor> forward(const std::map<std::string, torch::Tensor>& inputs);

  const std::vector<ProgramInput>& inputs() const { return program().guards.inputs(); }
  /// Keys and numbers of the Python module's output, joined by dots; "" for a single tensor.
  const std::vector<std::string>& output_names() const { return program().output_names; }
  /// Whether the archive holds a program for each mode.
  bool has_both_modes() const { return train_program_.has_value(); }

  void train(bool on = true) override;
  /// Whole numbers keep their type, as in Python; arguments of the program that name the device or
  /// the floating type it was exported with follow.
  void to(torch::Device device, torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Device device, bool non_blocking = false) override;

  /// Writes the archive with the weights and buffers as they are now; `torch.export.load` reads it.
  void save(const std::filesystem::path& path) const;
  /// Parameters and persistent buffers by name, for a safetensors file.
  NamedTensors weights() const;

 private:
  /// A tensor of the module, shared with what is registered.
  struct State {
    StateInput::Kind kind = StateInput::Kind::kParameter;
    std::string name;
    torch::Tensor tensor;
    bool is_registered = false, persistent = true;
  };

  Program& program() { return train_program_ && is_training() ? *train_program_ : eval_program_; }
  const Program& program() const {
    return train_program_ && is_training() ? *train_program_ : eval_program_;
  }
  void add_states(Program* program);
  uint32_t add_state(const StateInput& input);
  void move(std::optional<torch::Device> device, std::optional<torch::Dtype> type,
            bool non_blocking);
  void follow(Program* program) const;
  void set_mode(Program* program) const;
  torch::IValue user_input(const torch::Tensor& tensor, uint32_t index) const;
  torch::Tensor target_of(const Mutation& mutation, const std::vector<torch::Tensor>& inputs) const;

  Pt2Archive archive_;
  Program eval_program_;
  std::optional<Program> train_program_;
  std::vector<State> states_;
  torch::ScalarType exported_type_ = torch::kFloat32, type_ = torch::kFloat32;
  torch::Device device_ = torch::kCPU;
};
TORCH_MODULE(ExportedProgram);

}  // namespace firesteel
