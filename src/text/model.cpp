// The table of models, and those that look words up whole or piece by piece.
#include "text/model.h"

#include <fmt/format.h>

#include "base/error.h"
#include "text/trie.h"
#include "text/unicode.h"

namespace firesteel::text {

namespace {

/// The longest piece that a word begins with, then the longest that goes on, and so forth.
class WordPiece : public Model {
 public:
  explicit WordPiece(const Config& config)
      : length_max_(config.number("max_input_chars_per_word", 100)) {
    read_vocabulary(config, vocabulary_);
    unknown_ = vocabulary_.find(config.text("unk_token", "[UNK]"));
    std::vector<std::pair<std::string, uint32_t>> tokens;
    for (uint32_t id = 0; id < vocabulary_.ids(); ++id) {
      if (const auto* token = vocabulary_.token(id)) tokens.emplace_back(*token, id);
    }
    pieces_ = Trie(std::move(tokens));
    inner_ = pieces_.walk(config.text("continuing_subword_prefix", "##"));
  }

  void tokenize(std::string_view word, std::vector<Token>& tokens) const override {
    const size_t before = tokens.size();
    bool known = word.size() <= length_max_ || count_characters(word) <= length_max_;
    for (uint32_t at = 0; known && at < word.size();) {
      const uint32_t node = at == 0 ? Trie::kRoot : inner_;
      const auto match =
          node == Trie::kNone ? Trie::Match{} : pieces_.longest(word.substr(at), node);
      known = match.size > 0;
      tokens.push_back({match.value, at, at + match.size});
      at += match.size;
    }
    if (known) return;
    if (!unknown_) no_unknown_token(word);
    tokens.resize(before);
    tokens.push_back({*unknown_, 0, static_cast<uint32_t>(word.size())});
  }

 private:
  uint32_t length_max_;  // characters
  std::optional<uint32_t> unknown_;
  Trie pieces_;
  uint32_t inner_;  // behind the prefix of pieces within a word
};

class WordLevel : public Model {
 public:
  explicit WordLevel(const Config& config) {
    read_vocabulary(config, vocabulary_);
    unknown_ = vocabulary_.find(config.text("unk_token", "<unk>"));
  }

  void tokenize(std::string_view word, std::vector<Token>& tokens) const override {
    auto id = vocabulary_.find(word);
    if (!id) id = unknown_;
    if (!id) no_unknown_token(word);
    tokens.push_back({*id, 0, static_cast<uint32_t>(word.size())});
  }

  bool worth_caching() const override { return false; }

 private:
  std::optional<uint32_t> unknown_;
};

/// Files of before 2021 do not say their model's kind.
std::string kind_of(const Config& config) {
  if (config.has("type")) return config.kind();
  if (config.has("merges")) return "BPE";
  if (config.has("continuing_subword_prefix")) return "WordPiece";
  return config.has("vocab") && config.at("vocab").value().is_array() ? "Unigram" : "WordLevel";
}

}  // namespace

std::unique_ptr<Model> make_word_piece(const Config& config) {
  return std::make_unique<WordPiece>(config);
}
std::unique_ptr<Model> make_word_level(const Config& config) {
  return std::make_unique<WordLevel>(config);
}

std::unique_ptr<Model> make_model(const Config& config) {
  const std::string kind = kind_of(config);
  if (kind == "WordPiece") return make_word_piece(config);
  if (kind == "WordLevel") return make_word_level(config);
  if (kind == "BPE") return make_bpe(config);
  if (kind == "Unigram") return make_unigram(config);
  config.unsupported(fmt::format("a model of the kind `{}`", kind));
}

void read_vocabulary(const Config& config, Vocabulary& vocabulary) {
  constexpr uint64_t kIdMax = 1 << 24;
  const Config tokens = config.at("vocab");
  if (!tokens.value().is_object()) tokens.damaged("an object of tokens and ids is expected");
  for (const auto& [token, id] : tokens.value().items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > kIdMax) {
      tokens.damaged(fmt::format("the id of `{}` is no number from 0 to {}", token, kIdMax));
    }
    vocabulary.add(token, id.get<uint32_t>());
  }
}

void no_unknown_token(std::string_view word) {
  throw Error(
      "MODEL_INPUT_INVALID",
      fmt::format(
          "`{}` has no tokens in the tokenizer's vocabulary, which has no token for unknown words.",
          word));
}

}  // namespace firesteel::text
