// A sentence encoder against what transformers and tokenizers recorded
// (tests/reference/record_bert.py).
#include "models/sentence_encoder.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "recorded.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(FIRESTEEL_SOURCE_DIR) / "tests/data/bert/sentences";

std::vector<std::string> recorded_texts() {
  return nlohmann::json::parse(read_file(kFolder / "texts.json"));
}

torch::Tensor vectors_of(SentenceEncoder& encoder, const std::vector<std::string>& texts) {
  return torch::tensor(encoder.encode(texts)).view({-1, encoder.width()});
}

TEST(SentenceEncoders, GiveWhatPythonGives) {
  SentenceEncoder encoder(kFolder, "cpu");
  EXPECT_EQ(encoder.tokens_max(), 12);
  const auto expected = read_safetensors(kFolder / "expected.safetensors").tensors.at("vectors");
  EXPECT_LT(testing::distance(vectors_of(encoder, recorded_texts()), expected), 1e-5);
  // Alone or among others, in any order.
  auto texts = recorded_texts();
  std::reverse(texts.begin(), texts.end());
  EXPECT_LT(testing::distance(vectors_of(encoder, texts).flip(0), expected), 1e-5);
  for (size_t i = 0; i < texts.size(); ++i)
    EXPECT_LT(testing::distance(vectors_of(encoder, {texts[i]}),
                                expected.slice(0, -1 - static_cast<int64_t>(i)).slice(0, 0, 1)),
              1e-5);
  EXPECT_TRUE(encoder.encode(std::vector<std::string>()).empty());
}

TEST(SentenceEncoders, ManyTextsGoInBatches) {
  SentenceEncoder encoder(kFolder, "cpu");
  const auto texts = recorded_texts();
  const auto expected = vectors_of(encoder, texts);
  std::vector<std::string> many;
  for (int i = 0; i < 300; ++i) many.insert(many.end(), texts.begin(), texts.end());
  const auto vectors = vectors_of(encoder, many).view({300, expected.size(0), -1});
  EXPECT_LT(testing::distance(vectors, expected.expand_as(vectors)), 1e-5);
}

class BadSentenceEncoders : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = fs::path(::testing::TempDir()) / "firesteel-sentences";
    fs::remove_all(folder);
    fs::copy(kFolder, folder, fs::copy_options::recursive);
  }
  void TearDown() override { fs::remove_all(folder); }
  void write(const char* name, const std::string& text) { std::ofstream(folder / name) << text; }
  std::string failure(const std::string& text = "a cat") {
    try {
      SentenceEncoder(folder, "cpu").encode(std::vector<std::string>{text});
      return "none";
    } catch (const Error& error) {
      return error.what();
    }
  }
  fs::path folder;
};

TEST_F(BadSentenceEncoders, SayWhatIsWrong) {
  EXPECT_EQ(failure(), "none");
  EXPECT_NE(failure("\xff\xfe").find("MODEL_INPUT_INVALID"), std::string::npos);
  write("1_Pooling/config.json", "{\"pooling_mode_lasttoken\": true}");
  EXPECT_NE(failure().find("pooling"), std::string::npos) << failure();
  write("1_Pooling/config.json", "{");
  EXPECT_NE(failure().find("1_Pooling/config.json is damaged"), std::string::npos) << failure();
  write("modules.json", "[{\"type\": \"x.Dense\", \"path\": \"3_Dense\"}]");
  EXPECT_NE(failure().find("x.Dense"), std::string::npos) << failure();
  fs::remove(folder / "modules.json");
  EXPECT_EQ(failure(), "none");
  fs::remove(folder / "tokenizer.json");
  EXPECT_NE(failure().find("PATH_NOT_FOUND"), std::string::npos) << failure();
}

}  // namespace
}  // namespace firesteel
