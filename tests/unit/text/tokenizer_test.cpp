// Tokenizers against what Python's `tokenizers` gave (tests/reference/record_tokenizers.py), and
// what becomes of texts and files that are damaged.
#include "text/tokenizer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "base/error.h"
#include "text/unicode.h"

namespace firesteel {
namespace {

using nlohmann::json;

const std::filesystem::path kFolder = FIRESTEEL_SOURCE_DIR "/tests/data/tokenizers";

json read(const std::string& name) {
  std::ifstream file(kFolder / name);
  EXPECT_TRUE(file) << name << " is missing";
  return json::parse(file);
}

std::vector<std::string> names() {
  std::vector<std::string> names;
  constexpr std::string_view kEnd = ".recorded.json";
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    const std::string name = entry.path().filename();
    if (name.ends_with(kEnd)) names.push_back(name.substr(0, name.size() - kEnd.size()));
  }
  std::ranges::sort(names);
  return names;
}

/// As the recorder writes them: from the last end to the begin, and the length.
json compact(const std::vector<Offsets>& offsets) {
  json out = json::array();
  int64_t last = 0;
  for (const auto& [begin, end] : offsets) {
    out.push_back(begin - last);
    out.push_back(int64_t{end} - begin);
    last = end;
  }
  return out;
}

/// A tokenizer of a text in a file of its own.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) {
    path_ = std::filesystem::temp_directory_path() /
            fmt::format("firesteel_tokenizer_{}_{}.json", getpid(), ++count_);
    std::ofstream(path_) << text;
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  static inline int count_ = 0;
  std::filesystem::path path_;
};

std::string condition_of(const std::string& file) {
  const TemporaryFile temporary(file);
  try {
    Tokenizer tokenizer(temporary.path());
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(temporary.path()), std::string::npos) << error.what();
    return error.condition();
  }
  return "";
}

class Recorded : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Tokenizers, Recorded, testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

TEST_P(Recorded, EncodesAndDecodesAsPython) {
  const Tokenizer tokenizer(kFolder / (GetParam() + ".json"));
  const json texts = read("texts.json"), recorded = read(GetParam() + ".recorded.json");
  ASSERT_EQ(texts.size(), recorded.size());
  int shown = 0;
  for (size_t i = 0; i < texts.size() && shown < 10; ++i) {
    const auto text = texts[i].get<std::string>();
    const auto encoding = tokenizer.encode(text);
    const json& expected = recorded[i];
    const std::string decoded = tokenizer.decode(encoding.ids);
    json actual = {encoding.ids, compact(encoding.offsets),
                   decoded == text ? json(0) : json(decoded)};
    if (i % 8 == 0) actual.push_back(tokenizer.decode(encoding.ids, false));
    if (actual == expected) continue;
    ++shown;
    ADD_FAILURE() << "text " << i << ": " << texts[i] << "\nPython " << expected << "\nours   "
                  << actual;
  }
}

TEST_P(Recorded, IsTheSameInBatchesAndAfterManyTexts) {
  const Tokenizer tokenizer(kFolder / (GetParam() + ".json"));
  const auto texts = read("texts.json").get<std::vector<std::string>>();
  std::vector<std::string> many;
  for (int i = 0; i < 4; ++i) many.insert(many.end(), texts.begin(), texts.end());
  const auto encodings = tokenizer.encode_batch(many, {}, 4);
  ASSERT_EQ(encodings.size(), many.size());
  for (size_t i = 0; i < many.size(); ++i) {
    const auto alone = tokenizer.encode(many[i]);
    ASSERT_EQ(encodings[i].ids, alone.ids) << many[i];
    ASSERT_EQ(encodings[i].offsets, alone.offsets) << many[i];
  }
}

TEST_P(Recorded, TakesAnyTextAndGivesKnownIds) {
  const Tokenizer tokenizer(kFolder / (GetParam() + ".json"));
  std::mt19937 random(17);
  const auto character = [&]() -> char32_t {
    static constexpr char32_t kRanges[][2] = {
        {0, 0x7F},          {0x20, 0x7E},     {0x80, 0x24F},    {0x300, 0x36F},
        {0x370, 0x6FF},     {0x900, 0xFFF},   {0x1100, 0x11FF}, {0x2000, 0x206F},
        {0x3000, 0x9FFF},   {0xAC00, 0xD7A3}, {0xE000, 0xFFFF}, {0x1F000, 0x1FAFF},
        {0x10000, 0x10FFFF}};
    const auto& [low, high] = kRanges[random() % std::size(kRanges)];
    return low + random() % (high - low + 1);
  };
  for (int round = 0; round < 400; ++round) {
    std::string text;
    const size_t length = random() % 60;
    for (size_t i = 0; i < length; ++i) text::append_character(text, character());
    const auto encoding = tokenizer.encode(text, {.offsets = EncodeOptions::Unit::kBytes});
    for (size_t i = 0; i < encoding.size(); ++i) {
      ASSERT_TRUE(tokenizer.id_to_token(encoding.ids[i]))
          << encoding.ids[i] << " of " << json(text);
      ASSERT_LE(encoding.offsets[i].begin, encoding.offsets[i].end) << json(text);
      ASSERT_LE(encoding.offsets[i].end, text.size()) << json(text);
    }
    ASSERT_EQ(text::find_invalid(tokenizer.decode(encoding.ids)), std::string::npos);
  }
}

TEST(Tokenizer, DoesEachPartAsPython) {
  const json stages = read("stages.json");
  std::vector<std::string> texts;
  for (const json& text : read("texts.json")) {
    if (text::count_characters(text.get<std::string>()) < 60) texts.push_back(text);
  }
  for (const json& stage : stages) {
    const TemporaryFile file(stage[1].dump());
    const Tokenizer tokenizer(file.path());
    ASSERT_GT(stage[2].size(), 100u);
    int shown = 0;
    for (size_t i = 0; i < stage[2].size() && shown < 5; ++i) {
      const json actual = compact(tokenizer.encode(texts[i]).offsets);
      if (actual == stage[2][i]) continue;
      ++shown;
      ADD_FAILURE() << stage[0] << " of " << json(texts[i]) << "\nPython " << stage[2][i]
                    << "\nours   " << actual;
    }
  }
}

TEST(Tokenizer, TruncatesAndPadsAsPython) {
  int refused = 0;
  for (const json& pairs = read("pairs.json"); const json& one : pairs) {
    json file = read(one[0].get<std::string>() + ".json");
    file.update(one[1]);
    const TemporaryFile temporary(file.dump());
    const Tokenizer tokenizer(temporary.path());
    std::vector<std::string> texts;  // two of each input
    for (const json& item : one[2]) {
      for (size_t i = 0; i < 2; ++i)
        texts.push_back(item.is_array() ? item[i] : i == 0 ? item : json(""));
    }
    std::vector<TokenizerInput> inputs;
    for (size_t i = 0; i < one[2].size(); ++i) {
      if (one[2][i].is_array()) {
        inputs.emplace_back(std::string_view(texts[2 * i]), std::string_view(texts[2 * i + 1]));
      } else {
        inputs.emplace_back(texts[2 * i]);
      }
    }
    const EncodeOptions options{.add_special = one[3].get<bool>()};
    if (one[4] == "Truncation error") {
      ++refused;
      EXPECT_THROW(tokenizer.encode_batch(inputs, options), Error) << one;
      continue;
    }
    json actual = json::array();
    for (const auto& e : tokenizer.encode_batch(inputs, options)) {
      actual.push_back(
          {e.ids, e.type_ids, e.attention_mask, e.special_tokens_mask, compact(e.offsets)});
    }
    EXPECT_EQ(actual, one[4]) << one[0] << " " << one[1] << " " << one[2] << " " << one[3];
  }
  EXPECT_GT(refused, 0);
}

TEST(Tokenizer, RefusesTextsThatAreNoUtf8) {
  const Tokenizer tokenizer(kFolder / "minilm.json");
  for (const std::string text :
       {"a\xFF", "a\xC3", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xC0\x80"}) {
    try {
      tokenizer.encode(text);
      ADD_FAILURE() << "took a text that is no UTF-8";
    } catch (const Error& error) {
      EXPECT_EQ(error.condition(), "MODEL_INPUT_INVALID");
    }
  }
  EXPECT_GT(tokenizer.encode("still alive").size(), 2u);
}

TEST(Tokenizer, SaysWhichTextOfABatchIsBad) {
  const Tokenizer tokenizer(kFolder / "gpt2.json");
  std::vector<std::string> texts(200, "well");
  texts[150] = "ill \xFF";
  for (const int threads : {1, 3}) {
    try {
      tokenizer.encode_batch(texts, {}, threads);
      ADD_FAILURE() << "took a text that is no UTF-8";
    } catch (const Error& error) {
      EXPECT_EQ(error.message().find("Text 151 of 200: The text is no UTF-8 at its byte 4"), 0u)
          << error.message();
    }
  }
}

TEST(Tokenizer, CountsBytesWhenAsked) {
  const Tokenizer tokenizer(kFolder / "minilm.json");
  const auto characters = tokenizer.encode("é you");
  const auto bytes = tokenizer.encode("é you", {.offsets = EncodeOptions::Unit::kBytes});
  EXPECT_EQ(characters.offsets[2], (Offsets{2, 5}));
  EXPECT_EQ(bytes.offsets[2], (Offsets{3, 6}));
}

TEST(Tokenizer, KnowsItsVocabulary) {
  const Tokenizer tokenizer(kFolder / "minilm.json");
  EXPECT_EQ(tokenizer.vocabulary_size(), 30522u);
  EXPECT_EQ(tokenizer.token_to_id("[CLS]"), 101);
  EXPECT_EQ(tokenizer.id_to_token(101), "[CLS]");
  EXPECT_EQ(tokenizer.token_to_id("no such token"), std::nullopt);
  EXPECT_EQ(tokenizer.id_to_token(-1), std::nullopt);
  EXPECT_EQ(tokenizer.id_to_token(1 << 30), std::nullopt);
  EXPECT_EQ(tokenizer.decode(std::vector<int64_t>{-5, 7592, 1 << 30}), "hello");
}

TEST(Tokenizer, JoinsTwoTexts) {
  const Tokenizer tokenizer(kFolder / "minilm.json");
  const auto encoding = tokenizer.encode({"one", "two"});
  EXPECT_EQ(encoding.ids, (std::vector<int64_t>{101, 2028, 102, 2048, 102}));
  EXPECT_EQ(encoding.type_ids, (std::vector<int64_t>{0, 0, 0, 1, 1}));
  EXPECT_EQ(encoding.special_tokens_mask, (std::vector<int64_t>{1, 0, 1, 0, 1}));
  EXPECT_EQ(tokenizer.encode({"one", "two"}, {.add_special = false}).ids,
            (std::vector<int64_t>{2028, 2048}));
}

TEST(Tokenizer, SettingsAreReadAndSet) {
  Tokenizer tokenizer(kFolder / "minilm.json");
  EXPECT_FALSE(tokenizer.truncation());
  tokenizer.set_truncation(Truncation{.length_max = 4});
  tokenizer.set_padding(Padding{.length = 6, .id = 9});
  EXPECT_EQ(tokenizer.truncation()->length_max, 4u);
  EXPECT_EQ(tokenizer.encode("one two three four").ids,
            (std::vector<int64_t>{101, 2028, 2048, 102, 9, 9}));
}

TEST(Tokenizer, SaysWhatItDoesNotKnow) {
  const std::string model = R"("model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"})";
  EXPECT_EQ(condition_of("{" + model + "}"), "");
  for (const std::string part : {"normalizer", "pre_tokenizer", "decoder", "post_processor"}) {
    EXPECT_EQ(condition_of(fmt::format(R"({{{},"{}":{{"type":"New"}}}})", model, part)),
              "UNSUPPORTED_MODEL");
    EXPECT_EQ(condition_of(fmt::format(R"({{{},"{}":{{}}}})", model, part)), "INVALID_ARTIFACT");
    EXPECT_EQ(condition_of(fmt::format(R"({{{},"{}":{{"type":5}}}})", model, part)),
              "INVALID_ARTIFACT");
  }
  EXPECT_EQ(condition_of(R"({"model":{"type":"New"}})"), "UNSUPPORTED_MODEL");
  EXPECT_EQ(condition_of(R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[],"dropout":0.1}})"),
            "UNSUPPORTED_MODEL");
  EXPECT_EQ(
      condition_of(
          "{" + model +
          R"(,"pre_tokenizer":{"type":"Split","pattern":{"Regex":"[a[b]]"},"behavior":"Isolated"}})"),
      "UNSUPPORTED_MODEL");
}

TEST(Tokenizer, SaysWhatIsDamaged) {
  for (
      const std::string file :
      {"", "{", "[]", "{}", R"({"model":[]})", R"({"model":{"type":"WordLevel"}})",
       R"({"model":{"type":"WordLevel","vocab":{"a":-1}}})",
       R"({"model":{"type":"WordLevel","vocab":{"a":4000000000}}})",
       R"({"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}})",
       R"({"model":{"type":"BPE","vocab":{"a":0},"merges":["a"]}})",
       R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[[1,2]]}})",
       R"({"model":{"type":"Unigram","vocab":[["a"]]}})",
       R"({"model":{"type":"Unigram","vocab":[["a",0.0]],"unk_id":1}})",
       R"({"model":{"type":"WordLevel","vocab":{"a":0}},"added_tokens":[{"content":"x"}]})",
       R"({"model":{"type":"WordLevel","vocab":{"a":0}},"normalizer":{"type":"Precompiled","precompiled_charsmap":"AAAA"}})"}) {
    EXPECT_EQ(condition_of(file), "INVALID_ARTIFACT") << file;
  }
  EXPECT_THROW(Tokenizer("/no/such/folder"), Error);
}

/// Whatever happens to a file, it is read or refused.
TEST(Tokenizer, SurvivesDamagedFiles) {
  std::mt19937 random(3);
  int refused = 0;
  for (const std::string name : {"t5", "roberta", "bert_cased"}) {
    std::ifstream file(kFolder / (name + ".json"));
    const std::string whole(std::istreambuf_iterator<char>(file), {});
    for (int round = 0; round < 60; ++round) {
      std::string text = whole;
      for (int i = 0; i < 3; ++i) {
        const size_t at = random() % text.size();
        const int kind = random() % 3;
        if (kind == 0) text[at] = static_cast<char>(random() % 128);
        if (kind == 1) text.erase(at, random() % 5);
        if (kind == 2) text.insert(at, 1, "0]}{[\",-9"[random() % 9]);
      }
      const TemporaryFile temporary(text);
      try {
        const Tokenizer tokenizer(temporary.path());
        tokenizer.decode(tokenizer.encode("Hello, wörld! <mask> 123").ids);
      } catch (const Error&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 20);
}

}  // namespace
}  // namespace firesteel
