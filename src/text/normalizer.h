// The normalizers of a tokenizer.json: what is changed in a text before it is cut into words.
#pragma once

#include <memory>
#include <optional>

#include "text/aligned_text.h"
#include "text/config.h"

namespace firesteel::text {

/// Const calls are thread-safe.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void apply(AlignedText& text) const = 0;
};

/// Throws UNSUPPORTED_MODEL for a kind that is not known, INVALID_ARTIFACT for a damaged one.
std::unique_ptr<Normalizer> make_normalizer(const Config& config);

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };
void normalize(AlignedText& text, NormalForm form);
void lowercase(AlignedText& text);

/// Sentencepiece's own map of characters.
std::unique_ptr<Normalizer> make_precompiled(const Config& config);

/// Leaves out the characters that `keep` says no to.
template <typename Keep>
void filter(AlignedText& text, Keep keep) {
  const std::string& old = text.text();
  std::optional<Rewrite> rewrite;  // once something is left out
  uint32_t kept = 0;
  for (uint32_t at = 0; at < old.size();) {
    const uint32_t begin = at;
    if (keep(next_character(old, at))) continue;
    if (!rewrite) rewrite.emplace(text);
    rewrite->keep(kept, begin);
    kept = at;
  }
  if (!rewrite) return;
  rewrite->keep(kept, text.size());
  rewrite->finish();
}

/// Puts `change(c)` in the place of each character.
template <typename Map>
void map(AlignedText& text, Map change) {
  const std::string& old = text.text();
  std::optional<Rewrite> rewrite;
  uint32_t kept = 0;
  for (uint32_t at = 0; at < old.size();) {
    const uint32_t begin = at;
    const char32_t c = next_character(old, at);
    const char32_t changed = change(c);
    if (changed == c) continue;
    if (!rewrite) rewrite.emplace(text);
    rewrite->keep(kept, begin);
    rewrite->put(changed, text.origin(begin, begin + 1));
    kept = at;
  }
  if (!rewrite) return;
  rewrite->keep(kept, text.size());
  rewrite->finish();
}

}  // namespace firesteel::text
