// A folder with a model as Hugging Face keeps it: config.json, and weights in safetensors
// files or pickles.
#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "train/safetensors.h"

namespace firesteel {

/// model.safetensors, else the files that model.safetensors.index.json names, else
/// pytorch_model.bin or those of its index. Throws PATH_NOT_FOUND when the folder has none and says
/// what it has; INVALID_ARTIFACT when a file is damaged or a tensor is missing from the file that
/// the index says.
NamedTensors read_model_weights(const std::filesystem::path& folder);

/// Whether config.json says that the folder holds a model of a class that ends in one of these, as
/// "ForSequenceClassification". Not when the file is damaged: whoever reads it says so.
bool has_architecture(const std::filesystem::path& folder,
                      std::initializer_list<std::string_view> endings);

/// What a folder's weights had beside the module's own.
struct LoadedWeights {
  std::vector<std::string> unused;
  std::vector<std::string> kept;  // the module's, which the weights do not have in this shape
};

/// Copies weights into a module's parameters and buffers by name; all of them or none. A checkpoint
/// may have the names of the whole model or of the part that `prefix` names ("bert."). Names that
/// begin with one of `may_be_new` stay as they are where there are no weights of that shape.
/// `origin` is for errors: INVALID_ARTIFACT names what is missing, or is of another shape.
LoadedWeights load_weights(torch::nn::Module& module, const NamedTensors& weights,
                           const std::string& prefix, const std::filesystem::path& origin,
                           const std::vector<std::string>& may_be_new = {});

/// Registers a module under a dotted name, with empty modules for the parts between.
template <typename Holder>
Holder placed(torch::nn::Module& in, const std::string& name, Holder made);

/// The module that such a name's last part belongs in.
torch::nn::Module& owner_of(torch::nn::Module& in, const std::string& name);

template <typename Holder>
Holder placed(torch::nn::Module& in, const std::string& name, Holder made) {
  return owner_of(in, name).register_module(name.substr(name.rfind('.') + 1), std::move(made));
}

}  // namespace firesteel
