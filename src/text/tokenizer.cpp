// The way of a text: added tokens are found, what stands between them is normalized, cut into
// words, and each word becomes tokens; these are truncated, joined with special tokens and padded.
#include "text/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "text/added_tokens.h"
#include "text/decoder.h"
#include "text/model.h"
#include "text/post_processor.h"
#include "text/pre_tokenizer.h"
#include "text/word_cache.h"

namespace firesteel {

using namespace text;

namespace {

/// What encoding a text needs besides it; kept from one text to the next.
struct Workspace {
  AlignedText text;
  Words words;
  std::vector<AddedTokens::Part> raw, normalized;
  std::vector<Token> tokens;
  std::vector<uint32_t> characters;  // before each byte of the user's text; empty when it is ASCII
  WordCache cache;
  Part first, second;
};

/// Counts what stands before each byte.
void count_before(std::string_view text, std::vector<uint32_t>& characters) {
  characters.clear();
  if (is_ascii(text)) return;
  characters.reserve(text.size());
  uint32_t count = 0;
  for (const char byte : text) {
    count += !is_continuation(byte);
    characters.push_back(count - 1);
  }
}

/// The error with the number of its text, from 1, when there are several.
std::exception_ptr in_batch(std::exception_ptr failure, size_t at, size_t count) {
  if (count == 1) return failure;
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return std::make_exception_ptr(
        Error(error.condition(), fmt::format("Text {} of {}: {}", at + 1, count, error.message())));
  } catch (...) {
    return failure;
  }
}

Truncation read_truncation(const Config& config) {
  Truncation truncation{
      .length_max = config.number("max_length"),
      .side = config.text("direction", "Right") == "Left" ? Side::kLeft : Side::kRight};
  const std::string strategy = config.text("strategy", "LongestFirst");
  if (strategy == "OnlyFirst") {
    truncation.strategy = Truncation::Strategy::kOnlyFirst;
  } else if (strategy == "OnlySecond") {
    truncation.strategy = Truncation::Strategy::kOnlySecond;
  } else if (strategy != "LongestFirst") {
    config.unsupported(fmt::format("the strategy `{}`", strategy));
  }
  return truncation;
}

Padding read_padding(const Config& config) {
  Padding padding{.multiple_of = config.number("pad_to_multiple_of", 1),
                  .side = config.text("direction", "Right") == "Left" ? Side::kLeft : Side::kRight,
                  .id = config.number("pad_id", 0),
                  .type_id = config.number("pad_type_id", 0)};
  const Config strategy = config.at("strategy");
  if (strategy.value().is_object()) {
    padding.length = strategy.number("Fixed");
  } else if (strategy.value() != "BatchLongest") {
    strategy.unsupported("the strategy");
  }
  return padding;
}

}  // namespace

struct Tokenizer::State {
  explicit State(const std::filesystem::path& file);

  Encoding encode(const TokenizerInput& input, EncodeOptions options, Workspace& work) const;
  void encode_part(std::string_view text, EncodeOptions options, size_t wanted_max, Workspace& work,
                   Part& part) const;
  bool put_words(size_t wanted_max, Workspace& work, Part& part) const;
  void put_added(const AddedTokens::Part& found, Range origin, std::string_view text,
                 Part& part) const;
  void truncate(Part& first, Part* second, bool add_special) const;

  std::unique_ptr<Workspace> take() const;
  void give_back(std::unique_ptr<Workspace> work) const;

  std::unique_ptr<Normalizer> normalizer;
  std::unique_ptr<PreTokenizer> pre_tokenizer;
  std::unique_ptr<Model> model;
  std::unique_ptr<Decoder> decoder;
  PostProcessor post_processor;
  AddedTokens added;
  std::vector<Blanks> blanks;  // of each token of the model, when offsets are trimmed
  std::optional<Truncation> truncation;
  std::optional<Padding> padding;

  mutable std::mutex mutex;
  mutable std::vector<std::unique_ptr<Workspace>> idle;
};

Tokenizer::Tokenizer(const std::filesystem::path& file)
    : state_(std::make_unique<State>(is_directory(file) ? file / "tokenizer.json" : file)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

Tokenizer::State::State(const std::filesystem::path& file) {
  nlohmann::json root;
  try {
    root = nlohmann::json::parse(read_file(file));
  } catch (const nlohmann::json::exception& error) {
    throw Error("INVALID_ARTIFACT", fmt::format("{} is no tokenizer that can be read: {}.",
                                                file.string(), error.what()));
  }
  const Config config(root, file.string(), "");
  if (config.has("normalizer")) normalizer = make_normalizer(config.at("normalizer"));
  if (config.has("pre_tokenizer")) pre_tokenizer = make_pre_tokenizer(config.at("pre_tokenizer"));
  model = make_model(config.at("model"));
  if (config.has("decoder")) decoder = make_decoder(config.at("decoder"));
  if (config.has("post_processor")) post_processor = PostProcessor(config.at("post_processor"));
  if (config.has("truncation")) truncation = read_truncation(config.at("truncation"));
  if (config.has("padding")) padding = read_padding(config.at("padding"));
  added = AddedTokens(config, model->vocabulary(), normalizer.get());
  if (!post_processor.trims()) return;
  const Vocabulary& vocabulary = model->vocabulary();
  for (uint32_t id = 0; id < vocabulary.ids(); ++id) {
    const auto* token = vocabulary.token(id);
    blanks.push_back(token ? blanks_of(*token) : Blanks{});
  }
}

std::unique_ptr<Workspace> Tokenizer::State::take() const {
  const std::lock_guard lock(mutex);
  if (idle.empty()) return std::make_unique<Workspace>();
  auto work = std::move(idle.back());
  idle.pop_back();
  return work;
}

void Tokenizer::State::give_back(std::unique_ptr<Workspace> work) const {
  constexpr size_t kTokensKept = 1 << 18;  // What a longer text needed is not held for the next.
  if (work->first.ids.capacity() > kTokensKept || work->second.ids.capacity() > kTokensKept) return;
  const std::lock_guard lock(mutex);
  idle.push_back(std::move(work));
}

Encoding Tokenizer::State::encode(const TokenizerInput& input, EncodeOptions options,
                                  Workspace& work) const {
  // Of a text alone that is cut at its end, no more words need tokens than it may have.
  const bool cut = truncation && truncation->side == Side::kRight && !input.pair;
  encode_part(input.text, options, cut ? truncation->length_max : SIZE_MAX, work, work.first);
  if (input.pair) encode_part(*input.pair, options, SIZE_MAX, work, work.second);
  Part* second = input.pair ? &work.second : nullptr;
  truncate(work.first, second, options.add_special);
  return post_processor.join(work.first, second, options.add_special);
}

void Tokenizer::State::encode_part(std::string_view text, EncodeOptions options, size_t wanted_max,
                                   Workspace& work, Part& part) const {
  part.clear();
  constexpr size_t kSizeMax = 1 << 28;
  if (text.size() > kSizeMax)
    throw Error("MODEL_INPUT_INVALID",
                fmt::format("A text of {} bytes is longer than {}.", text.size(), kSizeMax));
  if (const size_t place = find_invalid(text); place != std::string_view::npos) {
    throw Error("MODEL_INPUT_INVALID",
                fmt::format("The text is no UTF-8 at its byte {}: convert it, or replace what is "
                            "not valid, before it is encoded.",
                            place));
  }
  work.raw.clear();
  added.find(text, false, work.raw);
  bool wanted = true;
  for (size_t i = 0; wanted && i < work.raw.size(); ++i) {
    const AddedTokens::Part& raw = work.raw[i];
    const auto raw_text = text.substr(raw.range.begin, raw.range.size());
    if (raw.id >= 0) {
      put_added(raw, raw.range, raw_text, part);
      continue;
    }
    work.text.assign(raw_text, raw.range.begin);
    if (normalizer) normalizer->apply(work.text);
    work.normalized.clear();
    added.find(work.text.text(), true, work.normalized);
    for (size_t j = 0; wanted && j < work.normalized.size(); ++j) {
      const AddedTokens::Part& found = work.normalized[j];
      const auto& [begin, end] = found.range;
      if (found.id >= 0) {
        put_added(found, work.text.origin(begin, end),
                  std::string_view(work.text.text()).substr(begin, end - begin), part);
        continue;
      }
      if (work.normalized.size() == 1) {
        std::swap(work.words.text, work.text);
      } else {
        work.words.text.assign(work.text, found.range);
      }
      work.words.words.assign(1, {0, work.words.text.size()});
      if (pre_tokenizer) pre_tokenizer->apply(work.words);
      wanted = put_words(wanted_max, work, part);
    }
  }
  if (options.offsets != EncodeOptions::Unit::kCharacters) return;
  count_before(text, work.characters);
  if (work.characters.empty()) return;
  const auto size = static_cast<uint32_t>(text.size());
  for (auto& [begin, end] : part.offsets) {
    if (begin >= size) continue;
    end = end < size ? work.characters[end] : work.characters[size - 1] + 1;
    begin = work.characters[begin];
  }
}

/// Adds the tokens of `work.words`; false when no more are wanted.
bool Tokenizer::State::put_words(size_t wanted_max, Workspace& work, Part& part) const {
  const AlignedText& text = work.words.text;
  const bool caching = model->worth_caching();
  for (const Range word : work.words.words) {
    const std::string_view bytes = std::string_view(text.text()).substr(word.begin, word.size());
    work.tokens.clear();
    caching ? work.cache.tokenize(*model, bytes, work.tokens) : model->tokenize(bytes, work.tokens);
    for (const Token& token : work.tokens) {
      // Bytes of a suffix that the word does not have stand for its last one.
      const uint32_t begin = std::min(word.begin + token.begin, word.end - 1);
      const Range origin =
          text.origin(begin, std::clamp(word.begin + token.end, begin + 1, word.end));
      part.ids.push_back(token.id);
      part.offsets.push_back({origin.begin, origin.end});
      if (!blanks.empty()) part.blanks.push_back(blanks[token.id]);
    }
    if (part.ids.size() >= wanted_max) return false;
  }
  return true;
}

void Tokenizer::State::put_added(const AddedTokens::Part& found, Range origin,
                                 std::string_view text, Part& part) const {
  part.ids.push_back(found.id);
  part.offsets.push_back({origin.begin, origin.end});
  if (post_processor.trims()) part.blanks.push_back(blanks_of(text));
}

void Tokenizer::State::truncate(Part& first, Part* second, bool add_special) const {
  if (!truncation) return;
  const size_t added_tokens = add_special ? post_processor.added(second != nullptr) : 0;
  const size_t most =
      truncation->length_max > added_tokens ? truncation->length_max - added_tokens : 0;
  const size_t size = first.ids.size() + (second ? second->ids.size() : 0);
  if (size <= most) return;
  if (most == 0 || (truncation->strategy == Truncation::Strategy::kLongestFirst && !second)) {
    first.truncate(most, truncation->side);
    if (second) second->truncate(most, truncation->side);
    return;
  }
  if (truncation->strategy == Truncation::Strategy::kLongestFirst) {
    // The longer one goes down to the shorter one's length, then both.
    size_t shorter = std::min(first.ids.size(), second->ids.size());
    size_t longer = std::max(shorter, most - std::min(shorter, most));
    if (shorter + longer > most) {
      shorter = most / 2;
      longer = most - shorter;
    }
    const bool first_longer = first.ids.size() > second->ids.size();
    first.truncate(first_longer ? longer : shorter, truncation->side);
    second->truncate(first_longer ? shorter : longer, truncation->side);
    return;
  }
  const bool only_second = truncation->strategy == Truncation::Strategy::kOnlySecond;
  Part* only = only_second ? second : &first;
  if (!only || only->ids.size() <= size - most) {
    throw Error(
        "MODEL_INPUT_INVALID",
        fmt::format("{} tokens are to become {}, but the {} text, which alone may be shortened, "
                    "{}: choose another "
                    "strategy of truncation or a greater length.",
                    size + added_tokens, truncation->length_max, only_second ? "second" : "first",
                    only ? "is shorter than that" : "is not there"));
  }
  only->truncate(only->ids.size() - (size - most), truncation->side);
}

Encoding Tokenizer::encode(const TokenizerInput& input, EncodeOptions options) const {
  return std::move(encode_batch(std::span(&input, 1), options).front());
}

std::vector<Encoding> Tokenizer::encode_batch(std::span<const TokenizerInput> inputs,
                                              EncodeOptions options, int threads) const {
  constexpr size_t kAtOnce = 16;
  std::vector<Encoding> encodings(inputs.size());
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto run = [&] {
    size_t at = 0;
    try {
      auto work = state_->take();
      for (size_t begin; (begin = next.fetch_add(kAtOnce)) < inputs.size();) {
        for (at = begin; at < std::min(begin + kAtOnce, inputs.size()); ++at) {
          encodings[at] = state_->encode(inputs[at], options, *work);
        }
      }
      state_->give_back(std::move(work));
    } catch (...) {
      next = inputs.size();
      const std::lock_guard lock(mutex);
      failure = in_batch(std::current_exception(), at, inputs.size());
    }
  };
  {
    std::vector<std::jthread> workers;
    const size_t most = (inputs.size() + kAtOnce - 1) / kAtOnce;
    for (size_t i = 1; i < std::min<size_t>(std::max(threads, 1), most); ++i)
      workers.emplace_back(run);
    run();
  }
  if (failure) std::rethrow_exception(failure);
  if (state_->padding) pad(encodings, *state_->padding);
  return encodings;
}

std::vector<Encoding> Tokenizer::encode_batch(std::span<const std::string> texts,
                                              EncodeOptions options, int threads) const {
  const std::vector<TokenizerInput> inputs(texts.begin(), texts.end());
  return encode_batch(std::span<const TokenizerInput>(inputs), options, threads);
}

std::string Tokenizer::decode(std::span<const int64_t> ids, bool skip_special) const {
  std::vector<std::string> tokens;
  for (const int64_t id : ids) {
    if (id < 0 || id > UINT32_MAX) continue;
    const auto* token = state_->added.text(static_cast<uint32_t>(id));
    if (!token) token = state_->model->vocabulary().token(static_cast<uint32_t>(id));
    if (token && !(skip_special && state_->added.is_special(*token))) tokens.push_back(*token);
  }
  if (!state_->decoder) return fmt::format("{}", fmt::join(tokens, " "));
  state_->decoder->apply(tokens);
  return fmt::format("{}", fmt::join(tokens, ""));
}

size_t Tokenizer::vocabulary_size() const {
  const Vocabulary& model = state_->model->vocabulary();
  const Vocabulary& added = state_->added.vocabulary();
  size_t size = model.size();
  for (uint32_t id = 0; id < added.ids(); ++id) {
    const auto* token = added.token(id);
    size += token && !model.find(*token);
  }
  return size;
}

std::optional<int64_t> Tokenizer::token_to_id(std::string_view token) const {
  auto id = state_->added.vocabulary().find(token);
  if (!id) id = state_->model->vocabulary().find(token);
  return id;
}

std::optional<std::string> Tokenizer::id_to_token(int64_t id) const {
  if (id < 0 || id > UINT32_MAX) return std::nullopt;
  const auto* token = state_->added.vocabulary().token(static_cast<uint32_t>(id));
  if (!token) token = state_->model->vocabulary().token(static_cast<uint32_t>(id));
  return token ? std::optional(*token) : std::nullopt;
}

const std::optional<Truncation>& Tokenizer::truncation() const { return state_->truncation; }
void Tokenizer::set_truncation(std::optional<Truncation> truncation) {
  state_->truncation = truncation;
}
const std::optional<Padding>& Tokenizer::padding() const { return state_->padding; }
void Tokenizer::set_padding(std::optional<Padding> padding) { state_->padding = padding; }

}  // namespace firesteel
