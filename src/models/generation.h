// Text that goes on from a prompt, by a decoder's folder of Hugging Face: config.json,
// tokenizer.json, weights, and generation_config.json for the way of choosing tokens. No torch
// here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/arrow_stream.h"

namespace firesteel {

/// How the next token is chosen, and when it ends. The names are ours, those of transformers stand
/// behind them, whose `generate` gives the same tokens for the same seed.
struct GenerationOptions {
  std::optional<int64_t> tokens_max;  // max_new_tokens
  std::optional<int64_t> length_max;  // max_length: with the prompt's; where there is no tokens_max
  bool sample = false;                // do_sample; else the most probable token
  double temperature = 1;             // of samples: above 0, the higher the more of chance
  int64_t top_k = 50;                 // samples are of so many tokens at most; 0: of all
  double top_p = 1;                   // and of the most probable that have this share together
  double repetition_penalty = 1;      // above 1: tokens that were there are less probable
  std::optional<uint64_t> seed;       // of samples; else others each time
  std::vector<int64_t> ends;          // eos_token_id
  int64_t padding = 0;                // pad_token_id
  std::vector<std::string> stops;     // stop_strings: no part of the text

  /// How many tokens may follow a prompt of so many: 64 where nothing is said.
  int64_t tokens_after(int64_t prompt) const;
};

/// As the folder's config.json and generation_config.json say. Throws INVALID_ARTIFACT, and
/// UNSUPPORTED_MODEL for a way that is not done here, as beams.
GenerationOptions read_generation_options(const std::filesystem::path& folder);

/// Whether config.json says that the folder holds a decoder (…ForCausalLM, …LMHeadModel).
bool is_text_generator(const std::filesystem::path& folder);

/// One thread at a time.
class TextGenerator {
 public:
  /// `device`: auto, cpu or cuda. Throws PATH_NOT_FOUND, INVALID_ARTIFACT, UNSUPPORTED_MODEL.
  explicit TextGenerator(const std::filesystem::path& folder, const std::string& device = "auto");
  ~TextGenerator();

  /// The folder's.
  const GenerationOptions& defaults() const;

  /// Called with pieces of a prompt's text as they come, never within a character.
  using OnText = std::function<void(size_t prompt, std::string_view piece)>;
  /// What follows each prompt; nothing follows one without tokens. It ends with one of `ends` or
  /// `stops`, or when there are as many tokens as may be, or as the model takes. Throws
  /// MODEL_INPUT_INVALID for a prompt that is as long as the model takes, or no UTF-8;
  /// INVALID_OPTION.
  std::vector<std::string> generate(std::span<const std::string> prompts,
                                    const GenerationOptions& options, const OnText& on_text = {});

  /// The rows with one more column, `name`: what follows the texts of `column`, nothing for null.
  /// Throws UNRESOLVED_COLUMN.WITH_SUGGESTION, DATATYPE_MISMATCH and COLUMN_ALREADY_EXISTS. The
  /// generator must outlive the stream.
  ArrowStream transform(ArrowStream rows, const std::string& column, const std::string& name,
                        const GenerationOptions& options);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace firesteel
