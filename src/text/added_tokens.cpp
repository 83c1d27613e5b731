// Finds added tokens in a text: the leftmost, and of those the longest.
#include "text/added_tokens.h"

#include <algorithm>

namespace firesteel::text {

namespace {

char32_t character_before(std::string_view text, uint32_t end) {
  do {
    --end;
  } while (end > 0 && is_continuation(text[end]));
  return next_character(text, end);
}

}  // namespace

AddedTokens::AddedTokens(const Config& config, const Vocabulary& model,
                         const Normalizer* normalizer) {
  if (!config.has("added_tokens")) return;
  std::vector<std::pair<std::string, uint32_t>> raw, normalized;
  for (const Config& item : config.items("added_tokens")) {
    const std::string content = item.text("content");
    if (content.empty()) continue;
    const uint32_t id = model.find(content).value_or(item.number("id"));
    constexpr uint32_t kIdMax = 1 << 24;
    if (id > kIdMax) item.damaged("the id is greater than any vocabulary");
    const bool special = item.flag("special", false);
    AlignedText text(content, 0);
    if (item.flag("normalized", !special)) {
      if (normalizer) normalizer->apply(text);
      normalized.emplace_back(text.text(), id);
    } else {
      raw.emplace_back(content, id);
    }
    vocabulary_.add(content, id);
    texts_[id] = text.text();
    rules_[id] = {item.flag("single_word", false), item.flag("lstrip", false),
                  item.flag("rstrip", false)};
    if (special) special_.insert(content);
  }
  const auto fill = [](std::vector<std::pair<std::string, uint32_t>> texts, Finder& finder) {
    for (const auto& [text, id] : texts) {
      if (!text.empty()) finder.begins[static_cast<uint8_t>(text[0])] = true;
    }
    finder.trie = Trie(std::move(texts));
  };
  fill(std::move(raw), raw_);
  fill(std::move(normalized), normalized_);
}

const std::string* AddedTokens::text(uint32_t id) const {
  const auto found = texts_.find(id);
  return found == texts_.end() ? nullptr : &found->second;
}

void AddedTokens::find(std::string_view text, bool normalized, std::vector<Part>& parts) const {
  const Finder& finder = normalized ? normalized_ : raw_;
  const auto size = static_cast<uint32_t>(text.size());
  uint32_t done = 0;
  for (uint32_t at = 0; at < size && !finder.trie.empty();) {
    if (!finder.begins[static_cast<uint8_t>(text[at])]) {
      ++at;
      continue;
    }
    const auto match = finder.trie.longest(text.substr(at));
    if (match.size == 0) {
      ++at;
      continue;
    }
    Range range{at, at + match.size};
    at = range.end;
    const Rule& rule = rules_.at(match.value);
    if (rule.single_word) {
      uint32_t behind = range.end;
      if (range.begin > 0 && is_word(character_before(text, range.begin))) continue;
      if (range.end < size && is_word(next_character(text, behind))) continue;
    }
    while (rule.strip_left && range.begin > done &&
           is_whitespace(character_before(text, range.begin))) {
      do {
        --range.begin;
      } while (is_continuation(text[range.begin]));
    }
    for (uint32_t behind = range.end;
         rule.strip_right && behind < size && is_whitespace(next_character(text, behind));) {
      range.end = behind;
    }
    range.begin = std::max(range.begin, done);  // what the one before took with it
    if (range.begin >= range.end) continue;
    if (done < range.begin) parts.push_back({{done, range.begin}, -1});
    parts.push_back({range, static_cast<int64_t>(match.value)});
    done = range.end;
  }
  if (done < size) parts.push_back({{done, size}, -1});
}

}  // namespace firesteel::text
