// Weights of one file: safetensors, or what Python's torch.save wrote (.pth, .pt, .bin), of any
// version of PyTorch. Reading a file runs nothing that is in it.
#pragma once

#include <filesystem>

#include "train/safetensors.h"

namespace firesteel {

/// The tensors of a checkpoint by name. Dicts in dicts give names with dots, lists give numbers.
/// When a dict has no tensors of its own but holds a `state_dict`, `model_state_dict` or `model`
/// that has, it is that one's, and what stands beside it (an optimizer, the epoch) is left out.
/// Names are kept as they are. Tensors that share memory in the file share it here. Throws
/// PATH_NOT_FOUND, or INVALID_ARTIFACT when the file is damaged, or asks for anything but tensors,
/// containers, texts and numbers.
NamedTensors read_checkpoint(const std::filesystem::path& file);

/// The same of a file of any of these kinds, told by its content, not its name.
NamedTensors read_weights(const std::filesystem::path& file);

}  // namespace firesteel
