// The archive that torch.export.save writes: a zip of JSON graphs and raw little-endian tensors.
// Reads its records and tensors, and writes a copy with other weights.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

namespace caffe2::serialize {
class PyTorchStreamReader;
}

namespace firesteel {

/// A tensor by the name that the module gave it. Tied weights are views of one storage.
struct ArchivedTensor {
  torch::Tensor tensor;
  bool is_parameter = false, requires_grad = false;
};
using ArchivedTensors = std::map<std::string, ArchivedTensor>;

/// An open .pt2 file. One owner, one thread.
class Pt2Archive {
 public:
  /// `model` is the program's name within the archive. Throws PATH_NOT_FOUND, and INVALID_ARTIFACT
  /// for what is no whole archive of torch 2.8 or newer.
  explicit Pt2Archive(std::filesystem::path path, std::string model = "model");
  ~Pt2Archive();
  Pt2Archive(Pt2Archive&&) noexcept;

  bool has(const std::string& record) const;
  /// The bytes of a record. Throws INVALID_ARTIFACT when it is not there.
  std::string text(const std::string& record) const;
  /// The graph that was exported, JSON.
  std::string program() const { return text("models/" + model_ + ".json"); }

  /// Parameters and persistent buffers.
  const ArchivedTensors& weights() const { return weights_; }
  /// Buffers that are not persistent, and constants of the graph.
  const ArchivedTensors& constants() const { return constants_; }
  const std::filesystem::path& path() const { return path_; }

  /// Writes the same archive with these in the place of the weights and constants of their names,
  /// aside and renamed, so that it may be written over itself. Readable by torch 2.9 and newer.
  /// Throws INVALID_ARTIFACT for another shape, IO_ERROR.
  void write_copy(const std::filesystem::path& target, const ArchivedTensors& changed) const;

 private:
  struct Record;
  Record read(const std::string& record) const;
  ArchivedTensors read_tensors(const std::string& folder) const;

  std::filesystem::path path_;
  std::string model_;
  std::unique_ptr<caffe2::serialize::PyTorchStreamReader> reader_;
  ArchivedTensors weights_, constants_;
};

/// The type that the serializer's own number means: 7 is float32. Throws INVALID_ARTIFACT.
torch::ScalarType archived_type(int64_t number);

}  // namespace firesteel
