// The unigram language model (Kudo, https://arxiv.org/abs/1804.10959): of all ways to cut a word
// into tokens the most probable one, by Viterbi's algorithm.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "text/model.h"
#include "text/trie.h"
#include "text/unicode.h"

namespace firesteel::text {

namespace {

class Unigram : public Model {
 public:
  explicit Unigram(const Config& config) : byte_fallback_(config.flag("byte_fallback", false)) {
    const Config list = config.at("vocab");
    if (!list.value().is_array()) list.damaged("a list of tokens and scores is expected");
    std::vector<std::pair<std::string, uint32_t>> tokens;
    for (const auto& item : list.value()) {
      if (!item.is_array() || item.size() != 2 || !item[0].is_string() || !item[1].is_number()) {
        list.damaged(fmt::format("the item {} is no token with a score", scores_.size()));
      }
      const auto id = static_cast<uint32_t>(scores_.size());
      tokens.emplace_back(item[0].get<std::string>(), id);
      vocabulary_.add(tokens.back().first, id);
      scores_.push_back(item[1].get<double>());
    }
    if (config.has("unk_id")) {
      unknown_ = config.number("unk_id");
      if (*unknown_ >= scores_.size()) config.damaged("`unk_id` is not in the vocabulary");
    }
    const double lowest = scores_.empty() ? 0 : *std::ranges::min_element(scores_);
    constexpr double kUnknownPenalty = 10;  // sentencepiece's
    unknown_score_ = lowest - kUnknownPenalty;
    trie_ = Trie(std::move(tokens));
    if (byte_fallback_) {
      for (int byte = 0; byte < 256; ++byte)
        byte_tokens_[byte] = vocabulary_.find(fmt::format("<0x{:02X}>", byte));
    }
  }

  void tokenize(std::string_view word, std::vector<Token>& tokens) const override {
    thread_local std::vector<Step> best;  // that ends at each byte
    best.assign(word.size() + 1, {});
    for (uint32_t begin = 0; begin < word.size();) {
      const double before = best[begin].score;
      const uint32_t size = character_size(word[begin]);
      bool whole = false;  // a token of the one character
      uint32_t node = Trie::kRoot;
      for (uint32_t at = begin; at < word.size();) {
        node = trie_.next(node, word[at++]);
        if (node == Trie::kNone) break;
        const uint32_t id = trie_.value(node);
        if (id == Trie::kNone) continue;
        best[at].offer(before + scores_[id], begin, id);
        whole |= at == begin + size;
      }
      if (!whole) {
        if (!unknown_) no_unknown_token(word);
        best[begin + size].offer(before + unknown_score_, begin, *unknown_);
      }
      begin += size;
    }
    go_back(word, best, tokens);
  }

 private:
  /// The last token of the best way to a place.
  struct Step {
    double score = 0;
    uint32_t begin = UINT32_MAX, id = 0;
    void offer(double offered, uint32_t from, uint32_t token) {
      if (begin == UINT32_MAX || offered > score) *this = {offered, from, token};
    }
  };

  void go_back(std::string_view word, const std::vector<Step>& best,
               std::vector<Token>& tokens) const {
    const size_t before = tokens.size();
    for (auto end = static_cast<uint32_t>(word.size()); end > 0;) {
      const Step& step = best[end];
      if (step.id == unknown_) {  // unknown characters that stand together are one
        uint32_t begin = step.begin;
        while (begin > 0 && best[begin].id == unknown_) begin = best[begin].begin;
        put_unknown(word, {begin, end}, tokens);
        end = begin;
      } else {
        tokens.push_back({step.id, step.begin, end});
        end = step.begin;
      }
    }
    std::reverse(tokens.begin() + before, tokens.end());
  }

  /// From the last token to the first, as all of them.
  void put_unknown(std::string_view word, Range range, std::vector<Token>& tokens) const {
    const auto text = word.substr(range.begin, range.size());
    if (const auto id = vocabulary_.find(text)) {
      tokens.push_back({*id, range.begin, range.end});
      return;
    }
    const auto token_of = [this](char byte) { return byte_tokens_[static_cast<uint8_t>(byte)]; };
    if (byte_fallback_ &&
        std::ranges::all_of(text, [&](char byte) { return token_of(byte).has_value(); })) {
      for (size_t at = text.size(); at > 0; --at)
        tokens.push_back({*token_of(text[at - 1]), range.begin, range.end});
      return;
    }
    tokens.push_back({*unknown_, range.begin, range.end});
  }

  bool byte_fallback_;
  std::vector<double> scores_;
  std::optional<uint32_t> unknown_;
  double unknown_score_ = 0;
  Trie trie_;
  std::array<std::optional<uint32_t>, 256> byte_tokens_;
};

}  // namespace

std::unique_ptr<Model> make_unigram(const Config& config) {
  return std::make_unique<Unigram>(config);
}

}  // namespace firesteel::text
