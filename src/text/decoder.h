// The decoders of a tokenizer.json: tokens become text again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "text/config.h"

namespace firesteel::text {

/// Const calls are thread-safe.
class Decoder {
 public:
  virtual ~Decoder() = default;
  /// What is left, one after another, is the text.
  virtual void apply(std::vector<std::string>& tokens) const = 0;
};

/// Throws UNSUPPORTED_MODEL for a kind that is not known, INVALID_ARTIFACT for a damaged one.
std::unique_ptr<Decoder> make_decoder(const Config& config);

}  // namespace firesteel::text
