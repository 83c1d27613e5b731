// Texts to tokens, tokens to texts, and what generation_config.json says of the way between.
#include "models/generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "base/added_columns.h"
#include "base/error.h"
#include "base/file.h"
#include "models/config_values.h"
#include "models/model_folder.h"
#include "models/text_column.h"
#include "models/token_batches.h"
#include "models/token_generation.h"
#include "text/streamed_text.h"
#include "text/tokenizer.h"
#include "train/trainer.h"

namespace firesteel {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr int64_t kTokensMax = 64;

/// Keys that would choose other tokens, and the values with which they do not.
void check_way(const json& config, const fs::path& file) {
  static const json kNeutral = {{"num_beams", 1},
                                {"num_return_sequences", 1},
                                {"no_repeat_ngram_size", 0},
                                {"typical_p", 1.0},
                                {"epsilon_cutoff", 0.0},
                                {"eta_cutoff", 0.0},
                                {"min_length", 0},
                                {"bad_words_ids", nullptr},
                                {"min_new_tokens", nullptr},
                                {"min_p", nullptr},
                                {"top_h", nullptr},
                                {"forced_bos_token_id", nullptr},
                                {"guidance_scale", nullptr},
                                {"sequence_bias", nullptr},
                                {"forced_eos_token_id", nullptr},
                                {"penalty_alpha", nullptr},
                                {"suppress_tokens", nullptr},
                                {"begin_suppress_tokens", nullptr},
                                {"exponential_decay_length_penalty", nullptr}};
  for (const auto& [key, neutral] : kNeutral.items()) {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null() || *found == neutral) continue;
    throw Error("UNSUPPORTED_MODEL",
                fmt::format("{}: {} = {} is not done here.", file.string(), key, found->dump()));
  }
}

void read(const json& config, GenerationOptions& out) {
  const auto optional = [&](const char* key, std::optional<int64_t>& value) {
    if (const auto found = config.find(key); found != config.end() && !found->is_null())
      value = found->get<int64_t>();
  };
  optional("max_new_tokens", out.tokens_max);
  optional("max_length", out.length_max);
  read_value(config, {"do_sample"}, out.sample);
  read_value(config, {"temperature"}, out.temperature);
  read_value(config, {"top_k"}, out.top_k);
  read_value(config, {"top_p"}, out.top_p);
  read_value(config, {"repetition_penalty"}, out.repetition_penalty);
  json ends, stops;
  read_value(config, {"eos_token_id"}, ends);
  if (!ends.is_null())
    out.ends = ends.is_array() ? ends.get<std::vector<int64_t>>()
                               : std::vector<int64_t>{ends.get<int64_t>()};
  if (!out.ends.empty()) out.padding = out.ends[0];
  read_value(config, {"pad_token_id"}, out.padding);
  read_value(config, {"stop_strings"}, stops);
  if (!stops.is_null())
    out.stops = stops.is_array() ? stops.get<std::vector<std::string>>()
                                 : std::vector<std::string>{stops.get<std::string>()};
}

void check(const GenerationOptions& options) {
  const auto demand = [](bool met, const char* what) {
    if (!met) throw Error("INVALID_OPTION", what);
  };
  demand(!options.sample || options.temperature > 0,
         "The temperature is above 0. Without chance the most probable token is chosen.");
  demand(options.top_k >= 0, "top_k is 0 or more.");
  demand(options.top_p >= 0 && options.top_p <= 1, "top_p is between 0 and 1.");
  demand(options.repetition_penalty > 0, "The repetition penalty is above 0.");
  demand(options.tokens_max.value_or(1) > 0, "At least one token is to be made.");
  demand(std::ranges::none_of(options.stops, &std::string::empty), "A text that stops is empty.");
}

}  // namespace

int64_t GenerationOptions::tokens_after(int64_t prompt) const {
  if (tokens_max) return *tokens_max;
  return length_max ? std::max<int64_t>(*length_max - prompt, 0) : kTokensMax;
}

GenerationOptions read_generation_options(const fs::path& folder) {
  GenerationOptions out;
  for (const char* name : {"config.json", "generation_config.json"}) {
    const auto file = folder / name;
    if (!fs::exists(file)) continue;
    try {
      const auto config = json::parse(read_file(file));
      check_way(config, file);
      read(config, out);
    } catch (const json::exception& error) {
      throw Error("INVALID_ARTIFACT",
                  fmt::format("{} is damaged: {}", file.string(), error.what()));
    }
  }
  return out;
}

bool is_text_generator(const fs::path& folder) {
  return has_architecture(folder, {"ForCausalLM", "LMHeadModel"});
}

struct TextGenerator::State {
  State(const fs::path& folder, torch::Device device)
      : model(load_decoder(folder)), tokenizer(folder), defaults(read_generation_options(folder)) {
    model->to(device);
    tokenizer.set_padding(std::nullopt);
    tokenizer.set_truncation(std::nullopt);
  }
  std::vector<std::string> generate(std::span<const std::string> prompts,
                                    const GenerationOptions& options, const OnText& on_text);

  std::shared_ptr<Decoder> model;
  Tokenizer tokenizer;
  GenerationOptions defaults;
};

std::vector<std::string> TextGenerator::State::generate(std::span<const std::string> prompts,
                                                        const GenerationOptions& given,
                                                        const OnText& on_text) {
  check(given);
  auto options = given;
  if (options.sample) torch::manual_seed(options.seed.value_or(std::random_device()()));
  options.seed.reset();  // One sequence for all batches.
  std::vector<std::vector<int64_t>> ids;
  std::vector<int64_t> rows, lengths;
  const auto threads = std::max(1, static_cast<int>(torch::get_num_threads()));
  for (auto& encoding : tokenizer.encode_batch(prompts, {}, threads)) {
    const auto row = ids.size();
    ids.push_back(std::move(encoding.ids));
    if (ids[row].empty() || prompts[row].empty()) continue;
    const auto length = static_cast<int64_t>(ids[row].size());
    rows.push_back(static_cast<int64_t>(row));
    lengths.push_back(length + options.tokens_after(length));
  }
  std::vector<std::string> texts(prompts.size());
  for (const auto& batch : token_batches(lengths)) {
    std::vector<std::vector<int64_t>> begun;
    std::vector<StreamedText> streamed;
    std::vector<size_t> places;
    for (const auto item : batch.rows) {
      places.push_back(static_cast<size_t>(rows[static_cast<size_t>(item)]));
      begun.push_back(ids[places.back()]);
      streamed.emplace_back(tokenizer, begun.back(), options.stops);
    }
    const auto put = [&](size_t row, const std::string& piece) {
      if (piece.empty()) return;
      texts[places[row]] += piece;
      if (on_text) on_text(places[row], piece);
    };
    generate_tokens(*model, begun, options, [&](size_t row, int64_t token) {
      put(row, streamed[row].add(token));
      return !streamed[row].stopped();
    });
    for (size_t row = 0; row < streamed.size(); ++row) put(row, streamed[row].finish());
  }
  return texts;
}

TextGenerator::TextGenerator(const fs::path& folder, const std::string& device)
    : state_(std::make_unique<State>(folder, device_of(device))) {}

TextGenerator::~TextGenerator() = default;

const GenerationOptions& TextGenerator::defaults() const { return state_->defaults; }

std::vector<std::string> TextGenerator::generate(std::span<const std::string> prompts,
                                                 const GenerationOptions& options,
                                                 const OnText& on_text) {
  return state_->generate(prompts, options, on_text);
}

ArrowStream TextGenerator::transform(ArrowStream rows, const std::string& column,
                                     const std::string& name, const GenerationOptions& options) {
  const TextColumn text(*rows.schema().get(), column);
  return with_added_columns(
      std::move(rows), {{name, AddedColumn::Kind::kText}},
      [this, text, options](const ArrowArray& batch) {
        return std::vector<AddedValues>{{.texts = generate(text.texts(batch), options)}};
      });
}

}  // namespace firesteel
