// Layout, by torch/export/pt2_archive: models/NAME.json; data/weights/ and data/constants/, each
// with NAME_<folder>_config.json that says which raw record holds which tensor. torch 2.8 wrote one
// pickle, NAME.pt, in its place.
#include "models/pt2_archive.h"

#include <caffe2/serialize/inline_container.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/jit/serialization/pickle.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "models/storage_reach.h"

namespace firesteel {

namespace {

using nlohmann::json;

struct TypeNumber {
  torch::ScalarType type;
  int64_t number;
};
// ScalarType of torch/_export/serde/schema.py, which is not c10's.
constexpr TypeNumber kTypes[] = {
    {torch::kUInt8, 1},
    {torch::kInt8, 2},
    {torch::kInt16, 3},
    {torch::kInt32, 4},
    {torch::kInt64, 5},
    {torch::kFloat16, 6},
    {torch::kFloat32, 7},
    {torch::kFloat64, 8},
    {torch::kComplexHalf, 9},
    {torch::kComplexFloat, 10},
    {torch::kComplexDouble, 11},
    {torch::kBool, 12},
    {torch::kBFloat16, 13},
    {torch::kUInt16, 28},
    {torch::kFloat8_e4m3fn, 29},
    {torch::kFloat8_e5m2, 30},
    {torch::kFloat8_e4m3fnuz, 31},
    {torch::kFloat8_e5m2fnuz, 32},
    {torch::kFloat8_e8m0fnu, 33},
    {torch::kUInt32, 34},
    {torch::kUInt64, 35},
};
constexpr int64_t kStrided = 7;  // Layout of the same file

constexpr std::string_view kFolders[] = {"weights", "constants"};

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& what) {
  throw Error(
      "INVALID_ARTIFACT",
      fmt::format("`{}` is no whole .pt2 archive of torch 2.8 or newer: {}.", path.string(), what));
}

int64_t number_of(torch::ScalarType type) {
  for (const auto& row : kTypes) {
    if (row.type == type) return row.number;
  }
  throw Error(
      "INVALID_ARTIFACT",
      fmt::format("Tensors of type {} cannot be saved in a .pt2 archive.", torch::toString(type)));
}

std::string config_name(std::string_view folder, const std::string& model) {
  return fmt::format("data/{}/{}_{}_config.json", folder, model, folder);
}

/// Static sizes: [{"as_int": 3}, …].
std::vector<int64_t> integers(const json& list) {
  std::vector<int64_t> values;
  for (const auto& element : list) values.push_back(element.at("as_int").get<int64_t>());
  return values;
}

json integers(torch::IntArrayRef values) {
  auto list = json::array();
  for (const int64_t value : values) list.push_back({{"as_int", value}});
  return list;
}

json tensor_meta(const torch::Tensor& tensor, bool requires_grad) {
  return {{"dtype", number_of(tensor.scalar_type())},
          {"sizes", integers(tensor.sizes())},
          {"requires_grad", requires_grad},
          {"device", {{"type", "cpu"}, {"index", nullptr}}},
          {"strides", integers(tensor.strides())},
          {"storage_offset", {{"as_int", tensor.storage_offset()}}},
          {"layout", kStrided}};
}

/// The archive's own tensors with new values: storages are copied once, so that ties stay.
class ChangedTensors {
 public:
  ChangedTensors(const ArchivedTensors& archived, const ArchivedTensors& changed)
      : config_(json::object()) {
    torch::NoGradGuard no_grad;
    for (const auto& [name, row] : archived) {
      const auto& old = row.tensor;
      const auto [place, is_new] =
          records_.try_emplace(old.storage().unsafeGetStorageImpl(), order_.size());
      if (is_new) order_.push_back(copy_of(old.storage(), old.scalar_type()));
      const auto view = torch::empty({0}, old.options())
                            .set_(order_[place->second].storage(), old.storage_offset(),
                                  old.sizes(), old.strides());
      const auto found = changed.find(name);
      const auto& now = found == changed.end() ? row : found->second;
      if (now.tensor.sizes() != old.sizes()) {
        throw Error(
            "INVALID_ARTIFACT",
            fmt::format("The tensor `{}` has the shape {}, where the program was exported with {}.",
                        name, fmt::join(now.tensor.sizes(), "x"), fmt::join(old.sizes(), "x")));
      }
      if (found != changed.end()) view.copy_(now.tensor);
      config_[name] = {{"path_name", place->second},
                       {"is_param", now.is_parameter},
                       {"use_pickle", false},
                       {"tensor_meta", tensor_meta(view, now.requires_grad)}};
    }
  }

  void write(caffe2::serialize::PyTorchStreamWriter* writer, std::string_view folder,
             const std::string& model) {
    const std::string prefix = folder == "weights" ? "weight_" : "tensor_";
    for (size_t i = 0; i < order_.size(); ++i) {
      writer->writeRecord(fmt::format("data/{}/{}{}", folder, prefix, i), order_[i].data_ptr(),
                          order_[i].storage().nbytes());
    }
    for (auto& row : config_) {
      row["path_name"] = fmt::format("{}{}", prefix, row["path_name"].get<size_t>());
    }
    const auto text = json{{"config", config_}}.dump();
    writer->writeRecord(config_name(folder, model), text.data(), text.size());
  }

 private:
  static torch::Tensor copy_of(const c10::Storage& storage, torch::ScalarType type) {
    auto copy =
        torch::empty({static_cast<int64_t>(storage.nbytes() / torch::elementSize(type))}, type);
    if (storage.nbytes() > 0) std::memcpy(copy.data_ptr(), storage.data(), copy.nbytes());
    return copy;
  }

  json config_;
  std::map<c10::StorageImpl*, size_t> records_;
  std::vector<torch::Tensor> order_;
};

}  // namespace

torch::ScalarType archived_type(int64_t number) {
  for (const auto& row : kTypes) {
    if (row.number == number) return row.type;
  }
  throw Error("INVALID_ARTIFACT",
              fmt::format("The program has a tensor type of the number {}, which is not known to "
                          "this version of torch.",
                          number));
}

struct Pt2Archive::Record {
  c10::DataPtr data;
  size_t size;
};

Pt2Archive::Pt2Archive(std::filesystem::path path, std::string model)
    : path_(std::move(path)), model_(std::move(model)) {
  OpenFile{path_};  // It says what is wrong with a path better than the reader of archives.
  try {
    reader_ = std::make_unique<caffe2::serialize::PyTorchStreamReader>(path_.string());
  } catch (const c10::Error& error) {
    const std::string text = error.what_without_backtrace();
    refuse(path_, text.substr(0, text.find('\n')));
  }
  if (!has("archive_format") || text("archive_format") != "pt2") {
    refuse(path_, "it has no record `archive_format` that says pt2");
  }
  if (!has("models/" + model_ + ".json")) {
    refuse(path_, fmt::format("it has no program models/{}.json{}", model_,
                              has("data/aotinductor/" + model_ + "/metadata.json")
                                  ? " (it is an AOTInductor package)"
                                  : ""));
  }
  weights_ = read_tensors("weights");
  constants_ = read_tensors("constants");
}

Pt2Archive::~Pt2Archive() = default;
Pt2Archive::Pt2Archive(Pt2Archive&&) noexcept = default;

bool Pt2Archive::has(const std::string& record) const { return reader_->hasRecord(record); }

Pt2Archive::Record Pt2Archive::read(const std::string& record) const {
  try {
    auto [data, size] = reader_->getRecord(record);
    return {std::move(data), size};
  } catch (const c10::Error& error) {
    const std::string text = error.what_without_backtrace();
    refuse(path_, fmt::format("its record `{}` cannot be read ({})", record,
                              text.substr(0, text.find('\n'))));
  }
}

std::string Pt2Archive::text(const std::string& record) const {
  const auto bytes = read(record);
  return {static_cast<const char*>(bytes.data.get()), bytes.size};
}

ArchivedTensors Pt2Archive::read_tensors(const std::string& folder) const {
  ArchivedTensors tensors;
  if (const auto pickle = fmt::format("data/{}/{}.pt", folder, model_); has(pickle)) {
    const auto bytes = text(pickle);
    if (bytes.empty()) return tensors;
    try {
      for (const auto& row : torch::pickle_load({bytes.begin(), bytes.end()}).toGenericDict()) {
        const auto& tensor = row.value().toTensor();
        tensors[row.key().toStringRef()] = {tensor.detach(), tensor.requires_grad(),
                                            tensor.requires_grad()};
      }
    } catch (const c10::Error& error) {
      const std::string text = error.what_without_backtrace();
      refuse(path_, fmt::format("its record `{}` holds more than tensors ({})", pickle,
                                text.substr(0, text.find('\n'))));
    }
    return tensors;
  }
  const auto config = config_name(folder, model_);
  std::map<std::string, c10::Storage> storages;
  try {
    const auto document = json::parse(text(config));
    for (const auto& [name, row] : document.at("config").items()) {
      const auto record = fmt::format("data/{}/{}", folder, row.at("path_name").get<std::string>());
      if (row.at("use_pickle").get<bool>()) {
        throw Error(
            "UNSUPPORTED_MODEL",
            fmt::format("`{}`: `{}` is a Python object, or a subclass of Tensor, which only "
                        "Python can read. Export the module with plain tensors.",
                        path_.string(), name));
      }
      const auto& meta = row.at("tensor_meta");
      const auto type = archived_type(meta.at("dtype").get<int64_t>());
      const auto sizes = integers(meta.at("sizes")), strides = integers(meta.at("strides"));
      const auto offset = meta.at("storage_offset").at("as_int").get<int64_t>();
      const auto bytes_needed = storage_reach(sizes, strides, offset, type);
      auto& storage = storages[record];
      if (!storage) {
        auto bytes = read(record);
        storage = c10::Storage(c10::Storage::use_byte_size_t(), bytes.size, std::move(bytes.data));
      }
      if (!bytes_needed || *bytes_needed > storage.nbytes()) {
        refuse(path_, fmt::format("`{}` does not fit into its record `{}` of {} bytes", name,
                                  record, storage.nbytes()));
      }
      tensors[name] = {torch::empty({0}, type).set_(storage, offset, sizes, strides),
                       row.at("is_param").get<bool>(), meta.at("requires_grad").get<bool>()};
    }
  } catch (const json::exception& error) {
    refuse(path_, fmt::format("its record `{}` cannot be read ({})", config, error.what()));
  }
  return tensors;
}

void Pt2Archive::write_copy(const std::filesystem::path& target,
                            const ArchivedTensors& changed) const {
  const auto records = reader_->getAllRecords();
  const auto programs = std::count_if(records.begin(), records.end(), [](const std::string& name) {
    return name.starts_with("models/");
  });
  if (programs > 1) {
    throw Error("UNSUPPORTED_MODEL",
                fmt::format("`{}` holds {} programs, which share weights; archives of one program "
                            "are written.",
                            path_.string(), programs));
  }
  FileAside file(target);
  caffe2::serialize::PyTorchStreamWriter writer([&file](const void* bytes, size_t size) {
    file.write({static_cast<const char*>(bytes), size});
    return size;
  });
  writer.setMinVersion(reader_->version());
  for (const auto& record : records) {
    // What the writer adds itself, and what is written anew below.
    bool is_ours = record.starts_with(".data/") || record == "version";
    for (const auto folder : kFolders)
      is_ours |= record.starts_with(fmt::format("data/{}/", folder));
    if (is_ours) continue;
    const auto bytes = read(record);
    writer.writeRecord(record, bytes.data.get(), bytes.size);
  }
  ChangedTensors(weights_, changed).write(&writer, "weights", model_);
  ChangedTensors(constants_, changed).write(&writer, "constants", model_);
  writer.writeEndOfFile();
  file.commit();
}

}  // namespace firesteel
