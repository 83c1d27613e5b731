// Unicode's normal forms and small letters, with alignment: ICU's tables, applied a character at a
// time.
#include <unicode/uchar.h>
#include <unicode/unorm2.h>

#include <algorithm>

#include "base/error.h"
#include "text/normalizer.h"

namespace firesteel::text {

namespace {

const UNormalizer2* normalizer_of(bool compatible) {
  UErrorCode status = U_ZERO_ERROR;
  const auto* normalizer =
      compatible ? unorm2_getNFKCInstance(&status) : unorm2_getNFCInstance(&status);
  if (U_FAILURE(status))
    throw Error("IO_ERROR", std::string("ICU's data cannot be read: ") + u_errorName(status));
  return normalizer;
}

struct Piece {
  char32_t character;
  int change;
  uint8_t combining;  // its combining class
};

/// Every character taken apart, marks in canonical order.
std::vector<Piece> decompose(std::string_view text, const UNormalizer2* normalizer) {
  std::vector<Piece> pieces;
  pieces.reserve(text.size());
  size_t marks = 0;  // where those that are not yet in order begin
  const auto put = [&](char32_t c, int change) {
    const uint8_t combining = u_getCombiningClass(c);
    if (combining == 0) {
      std::stable_sort(pieces.begin() + marks, pieces.end(),
                       [](const Piece& a, const Piece& b) { return a.combining < b.combining; });
      marks = pieces.size() + 1;
    }
    pieces.push_back({c, change, combining});
  };
  UChar parts[32];
  for (uint32_t at = 0; at < text.size();) {
    const char32_t c = next_character(text, at);
    UErrorCode status = U_ZERO_ERROR;
    const int32_t size = c < 0x80 ? -1 : unorm2_getDecomposition(normalizer, c, parts, 32, &status);
    if (size < 0 || U_FAILURE(status)) {
      put(c, 0);
      continue;
    }
    for (int32_t part = 0; part < size;) {
      const bool first = part == 0;
      UChar32 piece;
      U16_NEXT(parts, part, size, piece);
      put(piece, first ? 0 : 1);
    }
  }
  marks = std::min(marks, pieces.size());
  std::stable_sort(pieces.begin() + marks, pieces.end(),
                   [](const Piece& a, const Piece& b) { return a.combining < b.combining; });
  return pieces;
}

/// Pairs put together again, where nothing stands between that blocks it.
void compose(std::vector<Piece>& pieces) {
  const auto* canonical = normalizer_of(false);
  size_t out = 0;
  size_t starter = SIZE_MAX;
  int last_combining = -1;  // of what stands between the starter and this one; -1: nothing
  for (const Piece piece : pieces) {
    if (starter != SIZE_MAX && last_combining < static_cast<int>(piece.combining)) {
      const UChar32 pair =
          unorm2_composePair(canonical, pieces[starter].character, piece.character);
      if (pair >= 0) {
        pieces[starter].character = pair;
        pieces[starter].change += piece.change - 1;
        continue;
      }
    }
    if (piece.combining == 0) {
      starter = out;
      last_combining = -1;
    } else {
      last_combining = piece.combining;
    }
    pieces[out++] = piece;
  }
  pieces.resize(out);
}

/// Whether every character stays as it is, wherever it stands.
bool is_normal(std::string_view text, NormalForm form) {
  static constexpr UProperty kChecks[] = {UCHAR_NFC_QUICK_CHECK, UCHAR_NFD_QUICK_CHECK,
                                          UCHAR_NFKC_QUICK_CHECK, UCHAR_NFKD_QUICK_CHECK};
  if (is_ascii(text)) return true;
  const UProperty check = kChecks[static_cast<int>(form)];
  for (uint32_t at = 0; at < text.size();) {
    const char32_t c = next_character(text, at);
    if (c < 0x80) continue;
    if (u_getIntPropertyValue(c, check) != UNORM_YES || u_getCombiningClass(c) != 0) return false;
  }
  return true;
}

}  // namespace

void normalize(AlignedText& text, NormalForm form) {
  if (is_normal(text.text(), form)) return;
  const bool compatible = form == NormalForm::kNfkc || form == NormalForm::kNfkd;
  auto pieces = decompose(text.text(), normalizer_of(compatible));
  if (form == NormalForm::kNfc || form == NormalForm::kNfkc) compose(pieces);
  std::vector<Change> changes;
  changes.reserve(pieces.size());
  for (const Piece& piece : pieces) changes.push_back({piece.character, piece.change});
  transform(text, changes);
}

void lowercase(AlignedText& text) {
  constexpr char32_t kDottedI = 0x130;  // the only letter whose small form is two characters
  if (is_ascii(text.text())) {
    char* bytes = text.bytes();
    for (uint32_t at = 0; at < text.size(); ++at)
      bytes[at] = static_cast<char>(to_lower(bytes[at]));
    return;
  }
  if (text.text().find("\u0130") == std::string::npos) {
    map(text, to_lower);
    return;
  }
  std::vector<Change> changes;
  for (uint32_t at = 0; at < text.size();) {
    const char32_t c = next_character(text.text(), at);
    changes.push_back({c == kDottedI ? U'i' : to_lower(c), 0});
    if (c == kDottedI) changes.push_back({0x307, 1});
  }
  transform(text, changes);
}

}  // namespace firesteel::text
