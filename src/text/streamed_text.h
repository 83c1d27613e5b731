// Text of tokens as they come: pieces that never end within a character, nor within what may be the
// beginning of a text that ends it all.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace firesteel {

/// Refers to the tokenizer. One thread at a time.
class StreamedText {
 public:
  /// `before`: tokens that the text goes on from, as blanks between words depend on them.
  /// `stops`: texts that end it, none of them empty; they are no part of it.
  StreamedText(const Tokenizer& tokenizer, std::span<const int64_t> before,
               std::vector<std::string> stops = {});

  /// What is certain with one token more; often nothing.
  std::string add(int64_t id);
  /// What is left when no more tokens come.
  std::string finish();
  /// One of `stops` was found.
  bool stopped() const { return stopped_; }

 private:
  std::string decoded(size_t begin, size_t end) const;
  std::string without_stops(const std::string& more, bool last);

  const Tokenizer& tokenizer_;
  std::vector<int64_t> ids_;
  // The text of [0, given_) is out; it is told from what follows by decoding from `context_` on.
  size_t context_ = 0, given_ = 0;
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace firesteel
