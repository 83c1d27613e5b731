// Tokens of the words seen last, by hash.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/model.h"

namespace firesteel::text {

/// Of bounded size: when it is full it begins anew. One thread at a time.
class WordCache {
 public:
  /// Adds the tokens of `word`, found here or by the model.
  void tokenize(const Model& model, std::string_view word, std::vector<Token>& tokens);

 private:
  static constexpr size_t kSlots = 1 << 16;
  static constexpr size_t kWordsMax = kSlots / 2;
  static constexpr size_t kLengthMax = 64;  // bytes of a word that is kept
  struct Slot {
    uint64_t hash = 0;
    uint32_t text = 0, token = 0;  // where its bytes and its tokens begin
    uint16_t text_size = 0, token_count = 0;
  };

  std::vector<Slot> slots_;
  std::string texts_;
  std::vector<Token> tokens_;
  size_t words_ = 0;
};

}  // namespace firesteel::text
