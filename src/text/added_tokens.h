// Tokens that stand above the model: found in a text before it is cut into words.
#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "text/config.h"
#include "text/normalizer.h"
#include "text/trie.h"
#include "text/unicode.h"
#include "text/vocabulary.h"

namespace firesteel::text {

/// Const calls are thread-safe.
class AddedTokens {
 public:
  AddedTokens() = default;
  /// The field "added_tokens". A token that the model has too keeps the model's id.
  AddedTokens(const Config& config, const Vocabulary& model, const Normalizer* normalizer);

  struct Part {
    Range range;
    int64_t id = -1;  // of the token; -1: a text between tokens
  };
  /// All of a text in parts, none of them empty. `normalized` says which tokens are looked for:
  /// those for texts before normalizing or those for texts after it.
  void find(std::string_view text, bool normalized, std::vector<Part>& parts) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }
  /// The text of an id as decoders expect it; null for no added token.
  const std::string* text(uint32_t id) const;
  bool is_special(const std::string& text) const { return special_.contains(text); }

 private:
  struct Rule {
    bool single_word, strip_left, strip_right;
  };
  struct Finder {
    Trie trie;  // of ids
    std::array<bool, 256> begins{};
  };

  Vocabulary vocabulary_;
  std::map<uint32_t, Rule> rules_;
  std::map<uint32_t, std::string> texts_;  // normalized
  std::set<std::string> special_;
  Finder raw_, normalized_;
};

}  // namespace firesteel::text
