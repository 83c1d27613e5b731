// The part of Python's pickles that torch.save writes tensors with: a machine of our own, which
// makes tensors, containers, texts and numbers, and calls nothing. checkpoint_file.h has the files
// around them.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace firesteel {

/// Throws INVALID_ARTIFACT: the file `origin` is damaged.
[[noreturn]] void refuse_checkpoint(const std::filesystem::path& origin, const std::string& what);

/// A value of a pickle. Dicts have keys and values in turn; a storage is a tensor over all of it.
struct PickleValue {
  enum class Kind { kOther, kInteger, kText, kGlobal, kTuple, kList, kDict, kStorage, kTensor };
  using Items = std::vector<PickleValue*>;

  Kind kind = Kind::kOther;  // None, bools and floats, which name no tensor
  int64_t integer = 0;
  std::string text = {};  // a global's is "module.name"
  Items items = {};
  torch::Tensor tensor = {};
};

/// Reads pickles that stand one behind the other. Owns their values; one thread. Throws
/// INVALID_ARTIFACT for what ends too early, is out of bounds, or asks for anything of Python.
class CheckpointPickle {
 public:
  /// Gives the storage of a key with so many bytes; called for each tensor that is in it.
  using Storages = std::function<c10::Storage(const std::string& key, uint64_t bytes)>;

  CheckpointPickle(std::string_view bytes, std::filesystem::path origin, Storages storages);

  const PickleValue& next();
  /// The next bytes, which are no pickle.
  std::string_view take(uint64_t count);

 private:
  using Kind = PickleValue::Kind;
  using Items = PickleValue::Items;

  void step(unsigned char operation);
  void step_with_objects(unsigned char operation);
  [[noreturn]] void refuse(const std::string& what) const { refuse_checkpoint(origin_, what); }
  [[noreturn]] void refuse_global(const std::string& name) const;

  uint64_t number(size_t bytes);
  std::string line();
  PickleValue* make(Kind kind);
  void push(PickleValue* value) { stack_.push_back(value); }
  void push_integer(int64_t value) { make(Kind::kInteger)->integer = value; }
  void push_text(size_t length_bytes);
  void push_long(uint64_t bytes);
  void push_container(Kind kind, Items items) { make(kind)->items = std::move(items); }
  void push_global(std::string name);
  PickleValue* pop(Kind kind);
  PickleValue* pop();
  PickleValue* top(Kind kind);
  Items pop_last(size_t count);
  Items pop_mark();
  void extend(Kind kind, const Items& items);
  void remember(uint64_t number);
  PickleValue* remembered(uint64_t number) const;

  void call(const PickleValue& function, const Items& arguments);
  void push_tensor(const Items& arguments);
  void push_storage(const PickleValue& id);

  std::string_view bytes_;
  std::filesystem::path origin_;
  Storages storages_;
  std::deque<PickleValue> values_;
  std::vector<PickleValue*> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, PickleValue*> memo_;
};

}  // namespace firesteel
