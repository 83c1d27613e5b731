// The networks of models of rows, one table row each kind: tabular ones (nn/tabular_net.h), and
// pre-trained ones that are read from files.
#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/tabular.h"
#include "tensor/encoder.h"

namespace firesteel {

/// A module, and how it is applied to rows. Copies share the module. One thread at a time.
struct Network {
  std::shared_ptr<torch::nn::Module> module;
  /// Logits [B, outputs], of an ensemble [B, members, outputs].
  std::function<torch::Tensor(const Batch&)> forward;
  /// What predictions are made of, each row by itself; none: the logits.
  std::function<torch::Tensor(const Batch&)> forward_rows = {};
  /// Rows that go through at once where nothing is trained.
  int64_t rows_at_once = 8192;
  /// What the names of the last layers' parameters begin with, of a pre-trained model.
  std::vector<std::string> head = {};
  /// Layers that get adapters, by the last part of their names, unless others are asked for.
  std::vector<std::string> adapted = {};
  /// Writes what the model's folder needs beside model.safetensors to be read as any other of its
  /// kind.
  std::function<void(const std::filesystem::path&)> save = {};
};

/// Specs without labels and weights.
std::vector<EncoderSpec> features_of(std::vector<EncoderSpec> specs);
/// The only feature, of this kind. Throws INVALID_OPTION, naming the network and what it reads.
EncoderSpec only_feature(const std::vector<EncoderSpec>& specs, EncoderKind kind,
                         std::string_view network, std::string_view what);

/// Where a pre-trained model's weights come from.
enum class Weights {
  kPretrained,  // the path; a head of other labels is new
  kWhole,       // the path, the head too
  kNone,        // whoever asks sets them
};

/// New weights are drawn from PyTorch's generator. `path`: of a pre-trained model's files. Throws
/// INVALID_OPTION when options and features make no model; what reading the files throws.
Network make_network(const TabularOptions& options, const std::vector<EncoderSpec>& specs,
                     const std::filesystem::path& path, Weights weights);

}  // namespace firesteel
