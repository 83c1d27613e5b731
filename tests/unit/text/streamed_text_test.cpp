// Pieces of text: whole characters, and nothing of a stop.
#include "text/streamed_text.h"

#include <gtest/gtest.h>

namespace firesteel {
namespace {

const Tokenizer& tokenizer() {
  static const Tokenizer made(std::string(FIRESTEEL_SOURCE_DIR) + "/tests/data/decoders/llama");
  return made;
}

std::vector<std::string> pieces(const std::vector<std::string>& tokens,
                                std::vector<std::string> stops = {}) {
  const auto before = tokenizer().encode("the cat").ids;
  StreamedText text(tokenizer(), before, std::move(stops));
  std::vector<std::string> out;
  for (const auto& token : tokens) out.push_back(text.add(*tokenizer().token_to_id(token)));
  out.push_back(text.finish());
  return out;
}

using Pieces = std::vector<std::string>;

TEST(StreamedTexts, KeepBlanksBetweenWords) {
  EXPECT_EQ(pieces({"▁sat", "▁on", "a"}), (Pieces{" sat", " on", "a", ""}));
}

TEST(StreamedTexts, GiveWholeCharacters) {
  EXPECT_EQ(pieces({"<0xE2>", "<0x82>", "<0xAC>", "<0xC3>", "<0xA9>"}),
            (Pieces{"", "", "€", "", "é", ""}));
  EXPECT_EQ(pieces({"<0xF0>", "<0x9F>", "<0x98>", "<0x80>", "a"}),
            (Pieces{"", "", "", "😀", "a", ""}));
}

TEST(StreamedTexts, BytesThatAreNoCharacterAreReplaced) {
  EXPECT_EQ(pieces({"<0xE2>", "a"}), (Pieces{"", "\uFFFDa", ""}));
  EXPECT_EQ(pieces({"a", "<0xE2>"}), (Pieces{"a", "", "\uFFFD"}));
  EXPECT_EQ(pieces({"<0xC3>", "<0xA9>", "<0xE2>"}), (Pieces{"", "é", "", "\uFFFD"}));
}

TEST(StreamedTexts, EndBeforeAStop) {
  EXPECT_EQ(pieces({"a", "b", "c", "d"}, {"bc"}), (Pieces{"a", "", "", "", ""}));
  EXPECT_EQ(pieces({"a", "b", "d"}, {"bc"}), (Pieces{"a", "", "bd", ""}));
  EXPECT_EQ(pieces({"a", "b"}, {"bc"}), (Pieces{"a", "", "b"}));
  EXPECT_EQ(pieces({"a", "▁cat"}, {"c", " ca"}), (Pieces{"a", "", ""}));
}

TEST(StreamedTexts, SpecialTokensSayNothing) {
  EXPECT_EQ(pieces({"a", "<s>", "b"}), (Pieces{"a", "", "b", ""}));
  EXPECT_EQ(pieces({"a", "<s>", "▁cat", "▁", "▁cat"}), (Pieces{"a", "", " cat", " ", " cat", ""}));
}

}  // namespace
}  // namespace firesteel
