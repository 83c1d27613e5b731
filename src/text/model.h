// The models of a tokenizer.json: a word becomes tokens of the vocabulary.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "text/config.h"
#include "text/vocabulary.h"

namespace firesteel::text {

/// A token and its bytes within the word.
struct Token {
  uint32_t id = 0, begin = 0, end = 0;
};

/// Const calls are thread-safe.
class Model {
 public:
  virtual ~Model() = default;
  /// Adds the tokens of a word, which is not empty. Throws MODEL_INPUT_INVALID for a word without
  /// tokens in a vocabulary without an unknown token.
  virtual void tokenize(std::string_view word, std::vector<Token>& tokens) const = 0;
  /// Whether a table of words seen is faster than to find their tokens again.
  virtual bool worth_caching() const { return true; }
  const Vocabulary& vocabulary() const { return vocabulary_; }

 protected:
  Vocabulary vocabulary_;
};

/// Throws UNSUPPORTED_MODEL for a kind that is not known, INVALID_ARTIFACT for a damaged one.
std::unique_ptr<Model> make_model(const Config& config);

std::unique_ptr<Model> make_word_piece(const Config& config);
std::unique_ptr<Model> make_word_level(const Config& config);
std::unique_ptr<Model> make_bpe(const Config& config);
std::unique_ptr<Model> make_unigram(const Config& config);

/// The field "vocab", {token: id}.
void read_vocabulary(const Config& config, Vocabulary& vocabulary);
/// Throws MODEL_INPUT_INVALID.
[[noreturn]] void no_unknown_token(std::string_view word);

}  // namespace firesteel::text
