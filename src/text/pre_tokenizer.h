// The pre-tokenizers of a tokenizer.json: a text is cut into the words that the model sees.
#pragma once

#include <memory>
#include <vector>

#include "text/aligned_text.h"
#include "text/config.h"

namespace firesteel::text {

/// A text and the words in it, from left to right; none is empty.
struct Words {
  AlignedText text;
  std::vector<Range> words;
  std::vector<Range> spare;  // the words to be
};

/// Const calls are thread-safe.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void apply(Words& words) const = 0;
};

/// Throws UNSUPPORTED_MODEL for a kind that is not known, INVALID_ARTIFACT for a damaged one.
std::unique_ptr<PreTokenizer> make_pre_tokenizer(const Config& config);

}  // namespace firesteel::text
