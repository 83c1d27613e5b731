// Alignment of a changed text with the user's.
#include "text/aligned_text.h"

namespace firesteel::text {

void AlignedText::assign(std::string_view text, uint32_t base) {
  text_.assign(text);
  origins_.clear();
  base_ = base;
}

void AlignedText::assign(const AlignedText& whole, Range part) {
  text_.assign(whole.text_, part.begin, part.size());
  origins_.clear();
  base_ = whole.base_ + part.begin;
  if (!whole.origins_.empty())
    origins_.assign(whole.origins_.begin() + part.begin, whole.origins_.begin() + part.end);
}

Range AlignedText::origin(uint32_t begin, uint32_t end) const {
  if (!origins_.empty()) return {origins_[begin].begin, origins_[end - 1].end};
  while (begin > 0 && is_continuation(text_[begin])) --begin;
  while (end < text_.size() && is_continuation(text_[end])) ++end;
  return {base_ + begin, base_ + end};
}

Rewrite::Rewrite(AlignedText& text)
    : text_(text), out_(text.spare_text_), origins_(text.spare_origins_) {
  out_.clear();
  origins_.clear();
  out_.reserve(text.size() + 16);
  origins_.reserve(text.size() + 16);
}

void Rewrite::keep(uint32_t begin, uint32_t end) {
  out_.append(text_.text_, begin, end - begin);
  if (!text_.origins_.empty()) {
    origins_.insert(origins_.end(), text_.origins_.begin() + begin, text_.origins_.begin() + end);
    return;
  }
  while (begin < end) {
    const uint32_t size = character_size(text_.text_[begin]);
    origins_.insert(origins_.end(), size, text_.origin(begin, begin + size));
    begin += size;
  }
}

void Rewrite::put(std::string_view text, Range origin) {
  out_.append(text);
  origins_.insert(origins_.end(), text.size(), origin);
}

void Rewrite::put(char32_t c, Range origin) {
  const size_t before = out_.size();
  append_character(out_, c);
  origins_.insert(origins_.end(), out_.size() - before, origin);
}

void Rewrite::put_table(uint32_t begin, uint32_t end,
                        const std::array<std::array<char, 2>, 256>& table) {
  const size_t before = out_.size();
  out_.resize(before + 2 * (end - begin));
  origins_.resize(out_.size());
  char* out = out_.data() + before;
  Range* origins = origins_.data() + before;
  for (uint32_t at = begin; at < end;) {
    const uint32_t size = character_size(text_.text_[at]);
    const Range origin = text_.origin(at, at + size);
    for (const uint32_t next = at + size; at < next; ++at) {
      const auto& [first, second] = table[static_cast<uint8_t>(text_.text_[at])];
      *out++ = first;
      *origins++ = origin;
      if (second == 0) continue;
      *out++ = second;
      *origins++ = origin;
    }
  }
  out_.resize(out - out_.data());
  origins_.resize(out_.size());
}

void Rewrite::finish() {
  out_.swap(text_.text_);
  origins_.swap(text_.origins_);
}

void transform(AlignedText& text, const std::vector<Change>& changes) {
  const std::string& old = text.text();
  Rewrite rewrite(text);
  uint32_t at = 0;  // in the old text
  for (const auto& [character, change] : changes) {
    Range origin;
    if (change <= 0 && at < old.size()) {
      origin = text.origin(at, at + 1);
    } else if (at > 0) {
      origin = text.origin(at - 1, at);
    }
    for (int consumed = change; consumed <= 0 && at < old.size(); ++consumed) {
      at += character_size(old[at]);
    }
    rewrite.put(character, origin);
  }
  rewrite.finish();
}

}  // namespace firesteel::text
