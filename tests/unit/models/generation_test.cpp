// Tokens and texts that decoders go on with, against what transformers recorded
// (tests/reference/record_decoders.py).
#include "models/generation.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "models/token_generation.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Ids = std::vector<std::vector<int64_t>>;

const fs::path kFolder = fs::path(FIRESTEEL_SOURCE_DIR) / "tests/data/decoders";

GenerationOptions way_of(const json& way, uint64_t seed) {
  GenerationOptions options{.tokens_max = 16, .seed = seed, .ends = {2}};
  options.sample = way.at("do_sample");
  options.temperature = way.value("temperature", 1.0);
  options.top_k = way.value("top_k", int64_t{50});
  options.top_p = way.value("top_p", 1.0);
  options.repetition_penalty = way.value("repetition_penalty", 1.0);
  return options;
}

class Generation : public ::testing::TestWithParam<const char*> {};

TEST_P(Generation, GivesTheTokensOfTransformers) {
  const auto folder = kFolder / GetParam();
  const auto model = load_decoder(folder);
  const auto recorded = json::parse(read_file(folder / "generated.json"));
  EXPECT_EQ(recorded.at("cases").size(), 28u);
  for (const auto& item : recorded.at("cases")) {
    const auto prompts = item.at("prompts").get<Ids>();
    const auto options = way_of(item.at("way"), item.at("seed"));
    Ids told(prompts.size());
    const auto ids = generate_tokens(*model, prompts, options, [&](size_t row, int64_t id) {
      told[row].push_back(id);
      return true;
    });
    EXPECT_EQ(ids, item.at("ids").get<Ids>()) << item.dump();
    for (size_t row = 0; row < ids.size(); ++row) {
      auto all = ids[row];
      if (all.back() == 2) all.pop_back();
      EXPECT_EQ(told[row], all);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Generation,
                         ::testing::Values("gpt2", "gpt2_untied", "llama", "llama_linear",
                                           "mistral", "qwen2", "qwen3"));

class Texts : public ::testing::Test {
 protected:
  Texts() : generator(kFolder / "llama", "cpu") {
    const auto recorded = json::parse(read_file(kFolder / "llama/generated.json"));
    prompts = recorded.at("prompts");
    expected = recorded.at("texts");
    options.tokens_max = 16;
    options.repetition_penalty = 1.3;
    options.ends = {2};
  }
  std::string failure(const GenerationOptions& given, const std::string& prompt = "the cat") {
    try {
      generator.generate(std::vector{prompt}, given);
      return "none";
    } catch (const Error& error) {
      return error.what();
    }
  }

  TextGenerator generator;
  std::vector<std::string> prompts, expected;
  GenerationOptions options;
};

TEST_F(Texts, AreThoseOfTransformersAloneAndInABatch) {
  for (size_t i = 0; i < prompts.size(); ++i)
    EXPECT_EQ(generator.generate(std::span(prompts).subspan(i, 1), options)[0], expected[i]);
  std::vector<std::string> streamed(prompts.size());
  const auto texts = generator.generate(
      prompts, options, [&](size_t row, std::string_view piece) { streamed[row] += piece; });
  EXPECT_EQ(streamed, texts);
  EXPECT_EQ(texts, expected);
}

TEST_F(Texts, EndBeforeAStop) {
  ASSERT_EQ(expected[2].substr(0, 7), " do doj");
  options.stops = {"xyz", "doj"};
  EXPECT_EQ(generator.generate(std::span(prompts).subspan(2, 1), options)[0], " do ");
}

TEST_F(Texts, DefaultsAreTheFolders) {
  const auto& found = generator.defaults();
  EXPECT_TRUE(found.sample);
  EXPECT_EQ(found.tokens_max, 12);
  EXPECT_EQ(found.temperature, 0.6);
  EXPECT_EQ(found.top_k, 20);
  EXPECT_EQ(found.top_p, 0.9);
  EXPECT_EQ(found.repetition_penalty, 1.2);
  EXPECT_EQ(found.ends, std::vector<int64_t>{2});
  EXPECT_EQ(found.padding, 0);
  EXPECT_EQ(GenerationOptions{}.tokens_after(5), 64);
  EXPECT_EQ(GenerationOptions{.length_max = 20}.tokens_after(5), 15);
}

TEST_F(Texts, SeedsSayWhatIsSampled) {
  auto sampled = options;
  sampled.sample = true;
  sampled.seed = 5;
  const auto first = generator.generate(prompts, sampled);
  EXPECT_EQ(generator.generate(prompts, sampled), first);
  sampled.seed = 6;
  EXPECT_NE(generator.generate(prompts, sampled), first);
}

TEST_F(Texts, MistakesAreNamed) {
  EXPECT_EQ(failure(options), "none");
  EXPECT_NE(failure(options, "\xff").find("MODEL_INPUT_INVALID"), std::string::npos);
  std::string longer;
  for (int i = 0; i < 70; ++i) longer += "cat ";
  EXPECT_NE(failure(options, longer).find("the model takes 64"), std::string::npos);
  auto wrong = options;
  wrong.sample = true;
  wrong.temperature = 0;
  EXPECT_NE(failure(wrong).find("temperature"), std::string::npos);
  wrong = options;
  wrong.top_p = 1.5;
  EXPECT_NE(failure(wrong).find("top_p"), std::string::npos);
  wrong = options;
  wrong.tokens_max = 0;
  EXPECT_NE(failure(wrong).find("At least one token"), std::string::npos);
}

TEST(GenerationConfigs, WaysThatAreNotDoneAreNamed) {
  const auto folder = fs::path(::testing::TempDir()) / "firesteel-generation";
  fs::create_directories(folder);
  const auto said = [&](const std::string& text) -> std::string {
    std::ofstream(folder / "generation_config.json") << text;
    try {
      read_generation_options(folder);
      return "none";
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_EQ(said(R"({"num_beams": 1, "eos_token_id": [2, 3], "stop_strings": "."})"), "none");
  EXPECT_NE(said(R"({"num_beams": 4})").find("num_beams = 4"), std::string::npos);
  EXPECT_NE(said(R"({"top_k": "many"})").find("is damaged"), std::string::npos);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace firesteel
