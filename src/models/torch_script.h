// Programs that Python has compiled: TorchScript files (torch.jit.save) as modules that run and
// train, and packages of AOTInductor for inference. Both are programs: only files that one trusts
// are opened.
#pragma once

#include <torch/script.h>
#include <torch/torch.h>

#include <filesystem>
#include <memory>
#include <vector>

namespace torch::inductor {
class AOTIModelPackageLoader;
}

namespace firesteel {

/// Parameters and buffers are registered under the names of the Python module; tied ones once,
/// under the first of their names. They are the program's own: optimizers, load_weights and moves
/// to a device act on it. One thread at a time, since buffers change.
class TorchScriptImpl : public torch::nn::Module {
 public:
  /// In the mode it was saved in. Throws PATH_NOT_FOUND, or INVALID_ARTIFACT for a damaged file.
  explicit TorchScriptImpl(const std::filesystem::path& path);

  /// Throws MODEL_RUN_FAILED with what the program says.
  torch::IValue run(std::vector<torch::IValue> inputs);
  /// Of a program from one tensor to one.
  torch::Tensor forward(const torch::Tensor& input);

  void train(bool on = true) override;
  /// With the weights as they are now; torch.jit.load reads it. Written aside and renamed.
  void save(const std::filesystem::path& path) const;

 private:
  torch::jit::Module script_;
};
TORCH_MODULE(TorchScript);

/// What torch._inductor.aoti_compile_and_package wrote: machine code for one kind of machine, with
/// its weights. Move-only. One thread at a time.
class CompiledPackage {
 public:
  /// Unpacks it into a temporary folder while this lives. Throws PATH_NOT_FOUND, or
  /// INVALID_ARTIFACT for a damaged file or one of another kind.
  explicit CompiledPackage(const std::filesystem::path& path);
  ~CompiledPackage();
  CompiledPackage(CompiledPackage&&) noexcept;

  /// Inputs and outputs in the order of the Python module's, flattened. Throws MODEL_RUN_FAILED.
  std::vector<torch::Tensor> run(const std::vector<torch::Tensor>& inputs) const;

 private:
  std::unique_ptr<torch::inductor::AOTIModelPackageLoader> loader_;
};

}  // namespace firesteel
