// Open addressing with linear probing, at most half full.
#include "text/vocabulary.h"

#include <xxhash.h>

namespace firesteel::text {

void Vocabulary::add(std::string_view token, uint32_t id) {
  if (entries_.size() * 2 >= slots_.size()) grow();
  const uint64_t hash = XXH3_64bits(token.data(), token.size());
  auto& slot = const_cast<Slot&>(slot_of(token, hash));
  if (slot.entry == kNone) {
    slot = {static_cast<uint32_t>(hash >> 32), static_cast<uint32_t>(entries_.size())};
    entries_.push_back({std::string(token), id});
  }
  entries_[slot.entry].id = id;
  if (id >= by_id_.size()) by_id_.resize(id + 1, kNone);
  by_id_[id] = slot.entry;
}

std::optional<uint32_t> Vocabulary::find(std::string_view token) const {
  const auto& slot = slot_of(token, XXH3_64bits(token.data(), token.size()));
  if (slot.entry == kNone) return std::nullopt;
  return entries_[slot.entry].id;
}

const std::string* Vocabulary::token(uint32_t id) const {
  if (id >= by_id_.size() || by_id_[id] == kNone) return nullptr;
  return &entries_[by_id_[id]].token;
}

const Vocabulary::Slot& Vocabulary::slot_of(std::string_view token, uint64_t hash) const {
  const auto high = static_cast<uint32_t>(hash >> 32);
  for (size_t at = hash;; ++at) {
    const Slot& slot = slots_[at & (slots_.size() - 1)];
    if (slot.entry == kNone || (slot.hash == high && entries_[slot.entry].token == token))
      return slot;
  }
}

void Vocabulary::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.entry == kNone) continue;
    const std::string& token = entries_[slot.entry].token;
    const_cast<Slot&>(slot_of(token, XXH3_64bits(token.data(), token.size()))) = slot;
  }
}

}  // namespace firesteel::text
