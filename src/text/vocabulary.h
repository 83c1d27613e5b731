// Tokens and their ids, by hash.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firesteel::text {

/// Const calls are thread-safe.
class Vocabulary {
 public:
  /// The last id of a token counts.
  void add(std::string_view token, uint32_t id);
  std::optional<uint32_t> find(std::string_view token) const;
  /// Null for an id that has none.
  const std::string* token(uint32_t id) const;
  /// How many tokens.
  size_t size() const { return entries_.size(); }
  /// One more than the greatest id.
  size_t ids() const { return by_id_.size(); }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Entry {
    std::string token;
    uint32_t id;
  };
  struct Slot {
    uint32_t hash = 0, entry = kNone;
  };
  const Slot& slot_of(std::string_view token, uint64_t hash) const;
  void grow();

  std::vector<Entry> entries_;
  std::vector<uint32_t> by_id_;  // entries
  std::vector<Slot> slots_ = std::vector<Slot>(64);
};

}  // namespace firesteel::text
