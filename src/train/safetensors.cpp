// 8 bytes of header length, a JSON header, the data without gaps. Every number of the header is
// checked before a byte of data is touched.
#include "train/safetensors.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace firesteel {

namespace {

struct TypeName {
  torch::ScalarType type;
  std::string_view name;
};
constexpr TypeName kTypes[] = {
    {torch::kFloat32, "F32"},   {torch::kFloat64, "F64"}, {torch::kFloat16, "F16"},
    {torch::kBFloat16, "BF16"}, {torch::kInt64, "I64"},   {torch::kInt32, "I32"},
    {torch::kUInt8, "U8"},      {torch::kBool, "BOOL"},
};

constexpr uint64_t kHeaderBytesMax = 100'000'000;  // as the reference implementation

[[noreturn]] void refuse(std::string_view origin, const std::string& what) {
  throw Error("INVALID_ARTIFACT",
              fmt::format("`{}` is no whole safetensors file: {}.", origin, what));
}

torch::ScalarType type_of(const std::string& name, std::string_view origin) {
  for (const auto& row : kTypes) {
    if (row.name == name) return row.type;
  }
  refuse(origin, fmt::format("its tensor type `{}` is not read", name));
}

std::string_view name_of(torch::ScalarType type) {
  for (const auto& row : kTypes) {
    if (row.type == type) return row.name;
  }
  throw Error("INVALID_ARTIFACT",
              fmt::format("Tensors of type {} cannot be saved.", torch::toString(type)));
}

/// Bytes of a tensor of this shape, or an error where that overflows.
uint64_t byte_count(const std::vector<int64_t>& shape, torch::ScalarType type,
                    std::string_view origin) {
  uint64_t bytes = torch::elementSize(type);
  for (const int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) {
      refuse(origin, "the shape of a tensor is out of bounds");
    }
  }
  return bytes;
}

}  // namespace

std::string safetensors_bytes(const NamedTensors& named) {
  auto header = nlohmann::ordered_json::object();
  if (!named.metadata.empty()) header["__metadata__"] = named.metadata;
  std::vector<torch::Tensor> plain;
  uint64_t offset = 0;
  for (const auto& [name, tensor] : named.tensors) {
    plain.push_back(tensor.detach().to(torch::kCPU).contiguous());
    const uint64_t end = offset + plain.back().nbytes();
    header[name] = {{"dtype", name_of(tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // The data starts at a multiple of 8.
  std::string bytes;
  bytes.reserve(8 + text.size() + offset);
  const uint64_t length = text.size();
  bytes.append(reinterpret_cast<const char*>(&length), 8);
  bytes += text;
  for (const auto& tensor : plain) {
    bytes.append(static_cast<const char*>(tensor.data_ptr()), tensor.nbytes());
  }
  return bytes;
}

NamedTensors parse_safetensors(std::string_view bytes, std::string_view origin) {
  uint64_t length = 0;
  if (bytes.size() < 8) refuse(origin, "it ends within the header");
  std::memcpy(&length, bytes.data(), 8);
  if (length > kHeaderBytesMax || length > bytes.size() - 8) {
    refuse(origin, "it ends within the header");
  }
  const std::string_view data = bytes.substr(8 + length);
  NamedTensors named;
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  try {
    const auto header = nlohmann::json::parse(bytes.substr(8, length));
    if (!header.is_object()) refuse(origin, "its header is no JSON object");
    for (const auto& [name, row] : header.items()) {
      if (name == "__metadata__") {
        named.metadata = row.get<std::map<std::string, std::string>>();
        continue;
      }
      const auto type = type_of(row.at("dtype").get<std::string>(), origin);
      const auto shape = row.at("shape").get<std::vector<int64_t>>();
      const auto offsets = row.at("data_offsets").get<std::vector<uint64_t>>();
      if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data.size() ||
          offsets[1] - offsets[0] != byte_count(shape, type, origin)) {
        refuse(origin, fmt::format("the place of its tensor `{}` is out of bounds", name));
      }
      ranges.emplace_back(offsets[0], offsets[1]);
      auto tensor = torch::empty(shape, type);
      if (tensor.nbytes() > 0) {
        std::memcpy(tensor.data_ptr(), data.data() + offsets[0], tensor.nbytes());
      }
      named.tensors.emplace(name, std::move(tensor));
    }
  } catch (const nlohmann::json::exception& error) {
    refuse(origin, fmt::format("its header cannot be read ({})", error.what()));
  }
  std::sort(ranges.begin(), ranges.end());
  uint64_t end = 0;
  for (const auto& range : ranges) {
    if (range.first != end) refuse(origin, "its tensors overlap or leave a gap");
    end = range.second;
  }
  if (end != data.size()) refuse(origin, "its data does not end with the last tensor");
  return named;
}

void write_safetensors(const std::filesystem::path& path, const NamedTensors& named) {
  write_file_aside(path, safetensors_bytes(named));
}

NamedTensors read_safetensors(const std::filesystem::path& path) {
  return parse_safetensors(read_file(path), path.string());
}

}  // namespace firesteel
