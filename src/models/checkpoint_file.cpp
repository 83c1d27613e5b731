// torch.save writes a zip archive: data.pkl, and a record of data/ for each storage. Before
// PyTorch 1.6 it wrote pickles one behind the other (magic number, version, machine, the object,
// the keys of its storages), then the storages.
#include "models/checkpoint_file.h"

#include <caffe2/serialize/inline_container.h>
#include <fmt/format.h>

#include <cstring>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "models/checkpoint_pickle.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

using Kind = PickleValue::Kind;

constexpr std::string_view kMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr int kDepthMax = 64;
constexpr size_t kNameMax = 4096;
constexpr int64_t kVisitsMax = 10'000'000;  // a small file may name one value very often

/// Storages by key. All of them together are no larger than the file.
class StorageTable {
 public:
  StorageTable(fs::path origin, uint64_t file_bytes)
      : origin_(std::move(origin)), left_(file_bytes) {}

  template <typename Make>
  const c10::Storage& get(const std::string& key, uint64_t bytes, Make make) {
    auto& storage = storages_[key];
    if (!storage) {
      spend(bytes);
      storage = make();
    }
    return storage;
  }
  void spend(uint64_t bytes) {
    if (bytes > left_) refuse_checkpoint(origin_, "what it says it holds is larger than the file");
    left_ -= bytes;
  }
  const std::map<std::string, c10::Storage>& all() const { return storages_; }

 private:
  fs::path origin_;
  uint64_t left_;
  std::map<std::string, c10::Storage> storages_;
};

/// A pickle's value as tensors with names.
class Flattener {
 public:
  explicit Flattener(fs::path origin) : origin_(std::move(origin)) {}

  NamedTensors tensors(const PickleValue& value) {
    add(part_with_tensors(value), "", 0);
    if (out_.tensors.empty()) refuse_checkpoint(origin_, "it holds no tensors with names");
    return std::move(out_);
  }

 private:
  static bool has_tensors(const PickleValue& dict) {
    for (const auto* item : dict.items)
      if (item->kind == Kind::kTensor) return true;
    return false;
  }

  static const PickleValue& part_with_tensors(const PickleValue& whole) {
    if (whole.kind != Kind::kDict || has_tensors(whole)) return whole;
    for (const char* wanted : {"state_dict", "model_state_dict", "model"}) {
      for (size_t i = 0; i + 1 < whole.items.size(); i += 2) {
        const auto& part = *whole.items[i + 1];
        if (whole.items[i]->text == wanted && part.kind == Kind::kDict && has_tensors(part))
          return part;
      }
    }
    return whole;
  }

  void add(const PickleValue& value, const std::string& name, int depth) {
    if (depth > kDepthMax || name.size() > kNameMax || ++visits_ > kVisitsMax)
      refuse_checkpoint(origin_, "its containers are too deep or too many");
    if (value.kind == Kind::kTensor) {
      if (!name.empty() && !out_.tensors.emplace(name, value.tensor).second)
        refuse_checkpoint(origin_, fmt::format("it has two tensors with the name {}", name));
      return;
    }
    const auto below = [&](const std::string& last, const PickleValue& item) {
      add(item, name.empty() ? last : name + "." + last, depth + 1);
    };
    const auto& items = value.items;
    if (value.kind == Kind::kDict) {
      for (size_t i = 0; i + 1 < items.size(); i += 2)
        below(items[i]->kind == Kind::kText ? items[i]->text : std::to_string(items[i]->integer),
              *items[i + 1]);
    } else if (value.kind == Kind::kList || value.kind == Kind::kTuple) {
      for (size_t i = 0; i < items.size(); ++i) below(std::to_string(i), *items[i]);
    }
  }

  fs::path origin_;
  NamedTensors out_;
  int64_t visits_ = 0;
};

NamedTensors read_archive(const fs::path& path, uint64_t file_bytes) {
  caffe2::serialize::PyTorchStreamReader reader(path.string());
  if (reader.hasRecord("constants.pkl")) refuse_checkpoint(path, "it is a program of TorchScript");
  if (!reader.hasRecord("data.pkl")) refuse_checkpoint(path, "it has no record data.pkl");
  StorageTable storages(path, file_bytes);
  const auto read = [&](const std::string& name) {
    storages.spend(reader.getRecordSize(name));
    return reader.getRecord(name);
  };
  if (reader.hasRecord("byteorder")) {
    const auto [data, size] = read("byteorder");
    if (std::string_view(static_cast<const char*>(data.get()), size) != "little")
      refuse_checkpoint(path, "it is of a machine whose numbers begin with their highest byte");
  }
  const auto [data, size] = read("data.pkl");
  CheckpointPickle pickle(
      {static_cast<const char*>(data.get()), size}, path, [&](const std::string& key, uint64_t) {
        return storages.get(key, 0, [&] {
          auto [bytes, count] = read("data/" + key);
          return c10::Storage(c10::Storage::use_byte_size_t(), count, std::move(bytes));
        });
      });
  return Flattener(path).tensors(pickle.next());
}

NamedTensors read_pickles(const fs::path& path, std::string_view file) {
  StorageTable storages(path, file.size());
  CheckpointPickle pickle(file, path, [&](const std::string& key, uint64_t bytes) {
    return storages.get(key, bytes, [&] {
      return c10::Storage(c10::Storage::use_byte_size_t(), bytes,
                          c10::GetAllocator(c10::kCPU)->allocate(bytes));
    });
  });
  if (pickle.next().text != kMagic)
    refuse_checkpoint(path, "it does not begin with the magic number");
  if (pickle.next().integer != 1001) refuse_checkpoint(path, "its version is not 1001");
  pickle.next();  // the sizes of the machine's integers
  const auto& value = pickle.next();
  std::set<std::string> filled;
  for (const auto* key : pickle.next().items) {
    const auto found = storages.all().find(key->text);
    if (found == storages.all().end()) refuse_checkpoint(path, "it has a storage of no tensor");
    pickle.take(8);  // the number of elements, which the tensors say too
    const auto bytes = pickle.take(found->second.nbytes());
    if (!bytes.empty()) std::memcpy(found->second.mutable_data(), bytes.data(), bytes.size());
    filled.insert(key->text);
  }
  if (filled.size() != storages.all().size())
    refuse_checkpoint(path, "a tensor's storage is not in it");
  return Flattener(path).tensors(value);
}

}  // namespace

NamedTensors read_checkpoint(const fs::path& path) {
  const OpenFile file(path);
  const auto bytes = file.mapped();
  try {
    if (bytes.starts_with("PK\x03\x04")) return read_archive(path, bytes.size());
    return read_pickles(path, bytes);
  } catch (const c10::Error& error) {
    const std::string text = error.what_without_backtrace();
    refuse_checkpoint(path, text.substr(0, text.find('\n')));
  }
}

NamedTensors read_weights(const fs::path& path) {
  const OpenFile file(path);
  const auto bytes = file.mapped();
  const bool is_safetensors = bytes.size() > 8 && bytes[8] == '{';
  if (!is_safetensors && (bytes.starts_with("PK\x03\x04") || bytes.starts_with('\x80')))
    return read_checkpoint(path);
  return parse_safetensors(bytes, path.string());
}

}  // namespace firesteel
