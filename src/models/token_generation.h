// The loop that makes tokens, one of each row at a time.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "models/decoder.h"
#include "models/generation.h"

namespace firesteel {

/// Told of each new token but an end; false: the row is over.
using OnToken = std::function<bool(size_t row, int64_t token)>;

/// What follows each prompt (one token at least), with the end that it comes to. The prompts go
/// through as one batch, padded on the left. Samples are of torch's generator, which is set to
/// `options.seed`. Throws MODEL_INPUT_INVALID for a prompt that is too long.
std::vector<std::vector<int64_t>> generate_tokens(Decoder& model,
                                                  std::span<const std::vector<int64_t>> prompts,
                                                  const GenerationOptions& options,
                                                  const OnToken& on_token = {});

}  // namespace firesteel
