// Tokenizers of Hugging Face's tokenizer.json: text to the ids a model was trained on, and back.
// docs/tokenizers.md says what is known and how it is held to Python's `tokenizers`.
#pragma once

#include <concepts>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/encoding.h"

namespace firesteel {

/// A text, or two that are encoded as one. Refers to what it is made of.
struct TokenizerInput {
  template <std::convertible_to<std::string_view> Text>
  TokenizerInput(const Text& only) : text(only) {}  // NOLINT: a text is an input
  TokenizerInput(std::string_view first, std::string_view second) : text(first), pair(second) {}

  std::string_view text;
  std::optional<std::string_view> pair;
};

struct EncodeOptions {
  bool add_special = true;  // what the post-processor adds: [CLS], [SEP], …
  /// What offsets count in the user's text. Characters are Unicode's code points, as in Python.
  enum class Unit { kCharacters, kBytes } offsets = Unit::kCharacters;
};

/// Const calls are thread-safe; the setters are not, beside any other call.
class Tokenizer {
 public:
  /// `file`: a tokenizer.json, or the folder that has it. Throws PATH_NOT_FOUND, INVALID_ARTIFACT
  /// for a damaged file, UNSUPPORTED_MODEL for a part of a kind that is not known.
  explicit Tokenizer(const std::filesystem::path& file);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  /// Throws MODEL_INPUT_INVALID for a text that is no UTF-8, has a word that the vocabulary cannot
  /// express, or cannot be truncated as it is to be.
  Encoding encode(const TokenizerInput& input, EncodeOptions options = {}) const;
  /// In the order of the inputs, whatever the number of threads; of one length when there is
  /// padding.
  std::vector<Encoding> encode_batch(std::span<const TokenizerInput> inputs,
                                     EncodeOptions options = {}, int threads = 1) const;
  std::vector<Encoding> encode_batch(std::span<const std::string> texts, EncodeOptions options = {},
                                     int threads = 1) const;

  /// Ids that are not in the vocabulary are passed over.
  std::string decode(std::span<const int64_t> ids, bool skip_special = true) const;

  /// With the tokens that were added.
  size_t vocabulary_size() const;
  std::optional<int64_t> token_to_id(std::string_view token) const;
  std::optional<std::string> id_to_token(int64_t id) const;

  /// As the file says, or as set.
  const std::optional<Truncation>& truncation() const;
  void set_truncation(std::optional<Truncation> truncation);
  const std::optional<Padding>& padding() const;
  void set_padding(std::optional<Padding> padding);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace firesteel
