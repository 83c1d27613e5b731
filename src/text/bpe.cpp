// Byte pair encoding (Sennrich et al., https://arxiv.org/abs/1508.07909): of neighbours that may be
// merged those that were learned first are merged first, the leftmost before others.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "text/model.h"
#include "text/unicode.h"

namespace firesteel::text {

namespace {

struct Merge {
  uint32_t rank = UINT32_MAX, id = 0;  // the id of what comes out
};

/// Pairs of ids and their merges, by hash.
class Merges {
 public:
  void reserve(size_t count) {
    size_t size = 64;
    while (size < count * 2) size *= 2;
    slots_.assign(size, {});
  }
  /// The later of equal pairs counts.
  void add(uint32_t left, uint32_t right, Merge merge) {
    Slot& slot = const_cast<Slot&>(slot_of(key_of(left, right)));
    slot = {key_of(left, right), merge};
  }
  Merge find(uint32_t left, uint32_t right) const { return slot_of(key_of(left, right)).merge; }

 private:
  static constexpr uint64_t kFree = UINT64_MAX;
  struct Slot {
    uint64_t key = kFree;
    Merge merge;
  };
  static uint64_t key_of(uint32_t left, uint32_t right) {
    return static_cast<uint64_t>(left) << 32 | right;
  }
  const Slot& slot_of(uint64_t key) const {
    size_t at = (key * 0x9E3779B97F4A7C15) >> 20;
    for (;; ++at) {
      const Slot& slot = slots_[at & (slots_.size() - 1)];
      if (slot.key == key || slot.key == kFree) return slot;
    }
  }
  std::vector<Slot> slots_ = std::vector<Slot>(64);
};

/// A token of the word in the making; `size` 0 once it was merged into the one before.
struct Symbol {
  uint32_t id, size;
  int32_t previous, next;
};

class Bpe : public Model {
 public:
  explicit Bpe(const Config& config)
      : prefix_(config.text("continuing_subword_prefix", "")),
        suffix_(config.text("end_of_word_suffix", "")),
        fuse_unknown_(config.flag("fuse_unk", false)),
        byte_fallback_(config.flag("byte_fallback", false)),
        ignore_merges_(config.flag("ignore_merges", false)) {
    if (config.has("dropout") && config.at("dropout").value() != 0.0) {
      config.unsupported("dropout, which makes tokens a matter of chance, other than 0");
    }
    read_vocabulary(config, vocabulary_);
    if (config.has("unk_token")) {
      unknown_ = vocabulary_.find(config.text("unk_token"));
      unknown_missing_ = !unknown_;
    }
    if (byte_fallback_) {
      for (int byte = 0; byte < 256; ++byte)
        byte_tokens_[byte] = vocabulary_.find(fmt::format("<0x{:02X}>", byte));
    }
    for (uint32_t c = 0; c < kQuick; ++c) {
      std::string text;
      append_character(text, c);
      quick_[c] = vocabulary_.find(text).value_or(kNone);
    }
    read_merges(config);
  }

  void tokenize(std::string_view word, std::vector<Token>& tokens) const override {
    if (ignore_merges_) {
      if (const auto id = vocabulary_.find(word)) {
        tokens.push_back({*id, 0, static_cast<uint32_t>(word.size())});
        return;
      }
    }
    thread_local std::vector<Symbol> symbols;
    symbols.clear();
    take_apart(word, symbols);
    symbols.size() <= kShort ? merge_short(symbols) : merge_long(symbols);
    uint32_t begin = 0;
    for (const Symbol& symbol : symbols) {
      if (symbol.size == 0) continue;
      tokens.push_back({symbol.id, begin, begin + symbol.size});
      begin += symbol.size;
    }
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kQuick = 0x800;  // characters whose ids are at hand
  static constexpr size_t kShort = 24;       // symbols: fewer are faster gone through than queued

  void read_merges(const Config& config) {
    const Config list = config.at("merges");
    if (!list.value().is_array()) list.damaged("a list is expected");
    merges_.reserve(list.value().size());
    uint32_t rank = 0;
    for (const auto& item : list.value()) {
      std::string left, right;
      if (item.is_array() && item.size() == 2 && item[0].is_string() && item[1].is_string()) {
        left = item[0].get<std::string>();
        right = item[1].get<std::string>();
      } else if (item.is_string()) {
        const auto& text = item.get_ref<const std::string&>();
        const size_t blank = text.find(' ');
        left = text.substr(0, blank);
        right = blank == std::string::npos ? "" : text.substr(blank + 1);
        if (left.empty() || right.empty() || right.find(' ') != std::string::npos) {
          list.damaged(fmt::format("the merge {} is no two tokens", rank));
        }
      } else {
        list.damaged(fmt::format("the merge {} is no two tokens", rank));
      }
      const auto left_id = vocabulary_.find(left), right_id = vocabulary_.find(right);
      const auto id = right.size() < prefix_.size()
                          ? std::nullopt
                          : vocabulary_.find(left + right.substr(prefix_.size()));
      if (!left_id || !right_id || !id) {
        list.damaged(fmt::format("the vocabulary lacks a token of the merge {}, `{}` and `{}`",
                                 rank, left, right));
      }
      merges_.add(*left_id, *right_id, {rank++, *id});
    }
  }

  uint32_t find(std::string_view character, bool first, bool last) const {
    const bool plain = (first || prefix_.empty()) && (!last || suffix_.empty());
    if (!plain) {
      return vocabulary_
          .find(fmt::format("{}{}{}", first ? "" : prefix_, character, last ? suffix_ : ""))
          .value_or(kNone);
    }
    if (character.size() <= 2) {
      uint32_t at = 0;
      return quick_[next_character(character, at)];
    }
    return vocabulary_.find(character).value_or(kNone);
  }

  /// A symbol per character, or per byte of one that the vocabulary lacks.
  void take_apart(std::string_view word, std::vector<Symbol>& symbols) const {
    const auto add = [&](uint32_t id, uint32_t size) {
      const auto at = static_cast<int32_t>(symbols.size());
      symbols.push_back({id, size, at - 1, at + 1});
    };
    uint32_t unknown_size = 0;  // bytes of unknown characters that are not yet a symbol
    for (uint32_t at = 0; at < word.size();) {
      const uint32_t size = character_size(word[at]);
      const auto character = word.substr(at, size);
      const bool first = at == 0, last = at + size == word.size();
      at += size;
      const uint32_t id = find(character, first, last);
      if (id != kNone) {
        if (unknown_size > 0) add(*unknown_, unknown_size);
        unknown_size = 0;
        add(id, size);
        continue;
      }
      if (byte_fallback_ &&
          as_bytes(fmt::format("{}{}{}", first ? "" : prefix_, character, last ? suffix_ : ""),
                   add))
        continue;
      if (unknown_missing_) no_unknown_token(word);
      if (!unknown_) continue;
      if (unknown_size > 0 && !fuse_unknown_) {
        add(*unknown_, unknown_size);
        unknown_size = 0;
      }
      unknown_size += size;
    }
    if (unknown_size > 0) add(*unknown_, unknown_size);
    if (!symbols.empty()) symbols.back().next = -1;
  }

  template <typename Add>
  bool as_bytes(std::string_view character, Add add) const {
    const auto token_of = [this](char byte) { return byte_tokens_[static_cast<uint8_t>(byte)]; };
    if (!std::ranges::all_of(character, [&](char byte) { return token_of(byte).has_value(); }))
      return false;
    for (const char byte : character) add(*token_of(byte), 1);
    return true;
  }

  /// Looks for the best pair among all, again and again.
  void merge_short(std::vector<Symbol>& symbols) const {
    std::array<Merge, kShort> merges;  // of each symbol with the next
    size_t count = symbols.size();
    for (size_t at = 0; at + 1 < count; ++at)
      merges[at] = merges_.find(symbols[at].id, symbols[at + 1].id);
    while (count > 1) {
      size_t best = 0;
      for (size_t at = 1; at + 1 < count; ++at) {
        if (merges[at].rank < merges[best].rank) best = at;
      }
      if (merges[best].rank == UINT32_MAX) break;
      symbols[best].id = merges[best].id;
      symbols[best].size += symbols[best + 1].size;
      symbols.erase(symbols.begin() + best + 1);
      std::copy(merges.begin() + best + 1, merges.begin() + count - 1, merges.begin() + best);
      --count;
      if (best + 1 < count) merges[best] = merges_.find(symbols[best].id, symbols[best + 1].id);
      if (best > 0) merges[best - 1] = merges_.find(symbols[best - 1].id, symbols[best].id);
    }
  }

  /// Keeps pairs in a heap; those that are no more are found out when they come up.
  void merge_long(std::vector<Symbol>& symbols) const {
    struct Candidate {
      uint32_t rank, at, id;
      bool operator<(const Candidate& other) const {  // the best one is the heap's top
        return rank != other.rank ? rank > other.rank : at > other.at;
      }
    };
    thread_local std::vector<Candidate> heap;
    heap.clear();
    const auto offer = [&](uint32_t at) {
      const int32_t next = symbols[at].next;
      if (next < 0) return false;
      const Merge merge = merges_.find(symbols[at].id, symbols[next].id);
      if (merge.rank == UINT32_MAX) return false;
      heap.push_back({merge.rank, at, merge.id});
      return true;
    };
    for (uint32_t at = 0; at < symbols.size(); ++at) offer(at);
    std::make_heap(heap.begin(), heap.end());
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end());
      const Candidate top = heap.back();
      heap.pop_back();
      Symbol& left = symbols[top.at];
      if (left.size == 0 || left.next < 0) continue;
      Symbol& right = symbols[left.next];
      const Merge merge = merges_.find(left.id, right.id);
      if (merge.rank == UINT32_MAX || merge.id != top.id) continue;
      left.id = top.id;
      left.size += right.size;
      left.next = right.next;
      right.size = 0;
      if (left.next >= 0) symbols[left.next].previous = static_cast<int32_t>(top.at);
      if (left.previous >= 0 && offer(left.previous)) std::push_heap(heap.begin(), heap.end());
      if (offer(top.at)) std::push_heap(heap.begin(), heap.end());
    }
  }

  std::string prefix_, suffix_;
  bool fuse_unknown_, byte_fallback_, ignore_merges_;
  std::optional<uint32_t> unknown_;
  bool unknown_missing_ = false;  // named, but not in the vocabulary
  std::array<std::optional<uint32_t>, 256> byte_tokens_;
  std::array<uint32_t, kQuick> quick_;
  Merges merges_;
};

}  // namespace

std::unique_ptr<Model> make_bpe(const Config& config) { return std::make_unique<Bpe>(config); }

}  // namespace firesteel::text
