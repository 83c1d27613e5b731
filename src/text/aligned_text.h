// A text on its way through normalizers and pre-tokenizers, which knows of each byte the part of
// the user's text that it stems from.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "text/unicode.h"

namespace firesteel::text {

/// A value. One thread at a time.
class AlignedText {
 public:
  AlignedText() = default;
  /// `base`: where `text` begins in the user's text.
  AlignedText(std::string_view text, uint32_t base) { assign(text, base); }
  void assign(std::string_view text, uint32_t base);
  /// A part of another.
  void assign(const AlignedText& whole, Range part);

  const std::string& text() const { return text_; }
  uint32_t size() const { return static_cast<uint32_t>(text_.size()); }
  /// The part of the user's text that bytes [begin, end) stem from; end > begin.
  Range origin(uint32_t begin, uint32_t end) const;

  /// Bytes to write over: each stands for what it stood for.
  char* bytes() { return text_.data(); }

 private:
  friend class Rewrite;
  std::string text_, spare_text_;
  std::vector<Range> origins_, spare_origins_;  // empty while each byte is the user's own
  uint32_t base_ = 0;
};

/// Makes a text anew from left to right.
class Rewrite {
 public:
  explicit Rewrite(AlignedText& text);
  uint32_t size() const { return static_cast<uint32_t>(out_.size()); }
  void keep(uint32_t begin, uint32_t end);
  void put(std::string_view text, Range origin);
  void put(char32_t c, Range origin);
  /// Puts for each byte of [begin, end) what `table` says: one byte, or two when the second is not
  /// 0.
  void put_table(uint32_t begin, uint32_t end, const std::array<std::array<char, 2>, 256>& table);
  /// Puts what was made in the text's place.
  void finish();

 private:
  AlignedText& text_;
  std::string& out_;
  std::vector<Range>& origins_;
};

/// A character of a new text: 0 for one in place of the next one of the old text, 1 for one more,
/// -n for one in the place of the next 1 + n.
struct Change {
  char32_t character;
  int change;
};
/// What `changes` say in place of the whole text. A character that replaces has the first one's
/// origin, one more that of what stands before it.
void transform(AlignedText& text, const std::vector<Change>& changes);

}  // namespace firesteel::text
