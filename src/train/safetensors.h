// The safetensors format (https://huggingface.co/docs/safetensors): named tensors and text
// metadata, as bytes and as files.
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace firesteel {

struct NamedTensors {
  std::map<std::string, torch::Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Types: F32, F64, F16, BF16, I64, I32, U8, BOOL. Throws INVALID_ARTIFACT for another.
std::string safetensors_bytes(const NamedTensors& named);
/// Tensors of their own memory. Throws INVALID_ARTIFACT naming `origin` when a byte is out of
/// place.
NamedTensors parse_safetensors(std::string_view bytes, std::string_view origin);

/// Written aside and renamed into place.
void write_safetensors(const std::filesystem::path& path, const NamedTensors& named);
NamedTensors read_safetensors(const std::filesystem::path& path);

}  // namespace firesteel
