// Open addressing with linear probing.
#include "text/word_cache.h"

#include <xxhash.h>

namespace firesteel::text {

void WordCache::tokenize(const Model& model, std::string_view word, std::vector<Token>& tokens) {
  if (word.size() > kLengthMax) return model.tokenize(word, tokens);
  if (slots_.empty() || words_ == kWordsMax) {
    slots_.assign(kSlots, {});
    texts_.clear();
    tokens_.clear();
    words_ = 0;
  }
  const uint64_t hash = XXH3_64bits(word.data(), word.size());
  size_t at = hash % kSlots;
  for (; slots_[at].text_size > 0; at = (at + 1) % kSlots) {
    const Slot& slot = slots_[at];
    if (slot.hash != hash || std::string_view(texts_).substr(slot.text, slot.text_size) != word)
      continue;
    const auto first = tokens_.begin() + slot.token;
    tokens.insert(tokens.end(), first, first + slot.token_count);
    return;
  }
  const size_t before = tokens.size();
  model.tokenize(word, tokens);
  slots_[at] = {hash, static_cast<uint32_t>(texts_.size()), static_cast<uint32_t>(tokens_.size()),
                static_cast<uint16_t>(word.size()), static_cast<uint16_t>(tokens.size() - before)};
  texts_ += word;
  tokens_.insert(tokens_.end(), tokens.begin() + before, tokens.end());
  ++words_;
}

}  // namespace firesteel::text
