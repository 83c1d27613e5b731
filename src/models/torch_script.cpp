// libtorch does the work; here are names, modes, and errors that say which file.
#include "models/torch_script.h"

#include <fmt/format.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/csrc/jit/serialization/export.h>

#include <set>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "models/model_folder.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

/// What went wrong, without the C++ stack and the program's: the last error of Python's kind, or
/// the first line.
std::string reason(const std::exception& error) {
  const auto* known = dynamic_cast<const c10::Error*>(&error);
  std::string text = known ? known->what_without_backtrace() : error.what();
  if (const auto last = text.rfind("Error: "); last != std::string::npos) text.erase(0, last + 7);
  text.erase(0, text.find_first_not_of(" \n"));
  return text.substr(0, text.find('\n'));
}

/// Calls, and makes our errors of libtorch's.
template <typename Call>
auto checked(const char* condition, const std::string& begin, Call call) {
  try {
    return call();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(condition, begin + reason(error));
  }
}

constexpr const char* kFailed = "The program failed: ";

}  // namespace

TorchScriptImpl::TorchScriptImpl(const fs::path& path) {
  OpenFile{path};  // It says what is wrong with a path better than the reader of archives.
  script_ = checked("INVALID_ARTIFACT",
                    fmt::format("`{}` is no whole file of torch.jit.save: ", path.string()),
                    [&] { return torch::jit::load(path.string()); });
  std::set<const c10::TensorImpl*> seen;
  const auto last = [](const std::string& name) { return name.substr(name.rfind('.') + 1); };
  for (const auto& row : script_.named_parameters())
    if (seen.insert(row.value.unsafeGetTensorImpl()).second)
      owner_of(*this, row.name)
          .register_parameter(last(row.name), row.value, row.value.requires_grad());
  for (const auto& row : script_.named_buffers())
    if (seen.insert(row.value.unsafeGetTensorImpl()).second)
      owner_of(*this, row.name).register_buffer(last(row.name), row.value);
  torch::nn::Module::train(script_.is_training());
}

torch::IValue TorchScriptImpl::run(std::vector<torch::IValue> inputs) {
  return checked("MODEL_RUN_FAILED", kFailed, [&] { return script_.forward(std::move(inputs)); });
}

torch::Tensor TorchScriptImpl::forward(const torch::Tensor& input) {
  const auto output = run({input});
  if (!output.isTensor())
    throw Error("MODEL_RUN_FAILED",
                fmt::format("The program gives a {}, not one tensor.", output.type()->str()));
  return output.toTensor();
}

void TorchScriptImpl::train(bool on) {
  torch::nn::Module::train(on);
  script_.train(on);
}

void TorchScriptImpl::save(const fs::path& path) const {
  FileAside file(path);
  torch::jit::ExportModule(script_, [&](const void* bytes, size_t size) {
    file.write({static_cast<const char*>(bytes), size});
    return size;
  });
  file.commit();
}

CompiledPackage::CompiledPackage(const fs::path& path) {
  OpenFile{path};
  loader_ = checked(
      "INVALID_ARTIFACT", fmt::format("`{}` is no whole package of AOTInductor: ", path.string()),
      [&] { return std::make_unique<torch::inductor::AOTIModelPackageLoader>(path.string()); });
}

CompiledPackage::~CompiledPackage() = default;
CompiledPackage::CompiledPackage(CompiledPackage&&) noexcept = default;

std::vector<torch::Tensor> CompiledPackage::run(const std::vector<torch::Tensor>& inputs) const {
  const torch::NoGradGuard no_grad;
  return checked("MODEL_RUN_FAILED", kFailed, [&] { return loader_->run(inputs); });
}

}  // namespace firesteel
