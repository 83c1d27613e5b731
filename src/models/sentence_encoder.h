// Texts to vectors by a sentence encoder's folder, as sentence-transformers keeps it: a BERT, its
// tokenizer, how tokens' vectors become one (modules.json, 1_Pooling/config.json).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/arrow_stream.h"

namespace firesteel {

/// One thread at a time.
class SentenceEncoder {
 public:
  /// `device`: auto, cpu or cuda. Throws PATH_NOT_FOUND, INVALID_ARTIFACT, UNSUPPORTED_MODEL.
  explicit SentenceEncoder(const std::filesystem::path& folder, const std::string& device = "auto");
  ~SentenceEncoder();

  /// [texts, width], row i of text i. A text of more tokens than the folder says (`tokens_max`) is
  /// cut, as sentence-transformers does; an empty one has a vector too. Throws MODEL_INPUT_INVALID
  /// for a text that is no UTF-8.
  std::vector<float> encode(std::span<const std::string> texts);
  int64_t width() const;
  int64_t tokens_max() const;

  /// The rows with one more column, `name`: lists of `width` numbers of the column `text`. A null
  /// has the vector of an empty text. Throws UNRESOLVED_COLUMN.WITH_SUGGESTION, DATATYPE_MISMATCH
  /// and COLUMN_ALREADY_EXISTS. The encoder must outlive the stream.
  ArrowStream transform(ArrowStream rows, const std::string& text, const std::string& name);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace firesteel
