// Decoders against what transformers and PEFT recorded (tests/reference/record_decoders.py).
#include "models/decoder.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "models/model_folder.h"
#include "recorded.h"
#include "train/optimizer.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;
using testing::distance;

const fs::path kFolder = fs::path(FIRESTEEL_SOURCE_DIR) / "tests/data/decoders";

class Decoders : public ::testing::TestWithParam<const char*> {
 protected:
  Decoders()
      : folder(kFolder / GetParam()),
        expected(read_safetensors(folder / "expected.safetensors").tensors),
        tokens(expected.at("tokens")),
        mask(expected.at("mask")),
        model(load_decoder(folder)) {}

  torch::Tensor loss() {
    return next_token_loss(model->forward(tokens, nullptr, mask), expected.at("labels"));
  }

  const fs::path folder;
  std::map<std::string, torch::Tensor> expected;
  torch::Tensor tokens, mask;
  std::shared_ptr<Decoder> model;
};

TEST_P(Decoders, AnswerAndLearnAsInPython) {
  const auto out = model->forward(tokens, nullptr, mask);
  EXPECT_LT(distance(out.index({mask}), expected.at("output").index({mask})), 1e-4);
  const auto first = loss();
  EXPECT_LT(distance(first, expected.at("loss")), 1e-4);
  first.backward();
  // Some are zero but for rounding (the keys' biases): all are held to the largest.
  double largest = 0;
  for (const auto& [name, tensor] : expected)
    if (name.starts_with("grad.")) largest = std::max(largest, tensor.abs().max().item<double>());
  size_t gradients = 0;
  for (const auto& item : model->named_parameters()) {
    ++gradients;
    const auto& gradient = expected.at("grad." + item.key());
    ASSERT_EQ(item.value().sizes(), gradient.sizes());
    EXPECT_LT((item.value().grad() - gradient).abs().max().item<double>(), 1e-4 * largest)
        << item.key();
  }
  for (const auto& [name, tensor] : expected) gradients -= name.starts_with("grad.");
  EXPECT_EQ(gradients, 0u);
  torch::optim::SGD optimizer(model->parameters(), 0.001);
  std::vector<float> losses;
  for (int step = 0; step < 20; ++step) {
    optimizer.zero_grad();
    const auto value = loss();
    value.backward();
    optimizer.step();
    losses.push_back(value.item<float>());
  }
  EXPECT_LT(distance(torch::tensor(losses), expected.at("losses")), 1e-4);
}

TEST_P(Decoders, CacheChangesNothing) {
  const auto whole = model->forward(tokens);
  KeyValueCache cache;
  const auto begin = model->forward(tokens.slice(1, 0, 4), &cache);
  auto rest = std::vector{begin, model->forward(tokens.slice(1, 4, 7), &cache)};
  for (int64_t i = 7; i < 9; ++i) rest.push_back(model->forward(tokens.slice(1, i, i + 1), &cache));
  EXPECT_EQ(cache.length(), 9);
  EXPECT_LT(distance(torch::cat(rest, 1), whole), 1e-5);
}

TEST_P(Decoders, PaddingOnTheLeftChangesNothing) {
  const auto whole = model->forward(tokens.slice(0, 1, 2));
  const auto before = torch::zeros({3, 2}, torch::kInt64);
  KeyValueCache cache;
  const auto given = torch::cat({before, tokens}, 1);
  const auto seen =
      torch::cat({before.to(torch::kBool), torch::ones_like(tokens, torch::kBool)}, 1);
  auto parts = std::vector{model->forward(given.slice(1, 0, 7), &cache, seen.slice(1, 0, 7))};
  for (int64_t i = 7; i < 11; ++i)
    parts.push_back(model->forward(given.slice(1, i, i + 1), &cache));
  EXPECT_LT(distance(torch::cat(parts, 1).slice(0, 1, 2).slice(1, 2), whole), 1e-5);
}

TEST_P(Decoders, CacheGrows) {
  KeyValueCache cache;
  const auto longest = std::min<int64_t>(model->options.positions, 64);
  const auto many = torch::arange(longest).remainder(61).view({1, -1}) + 3;
  std::vector<torch::Tensor> parts;
  parts.push_back(model->forward(many.slice(1, 0, 1), &cache));
  for (int64_t i = 1; i < longest; ++i)
    parts.push_back(model->forward(many.slice(1, i, i + 1), &cache));
  EXPECT_LT(distance(torch::cat(parts, 1), model->forward(many)), 1e-5);
  try {
    model->forward(torch::ones({1, model->options.positions}, torch::kInt64), &cache);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.condition(), "MODEL_INPUT_INVALID");
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Decoders,
                         ::testing::Values("gpt2", "gpt2_untied", "llama", "llama_linear",
                                           "mistral", "qwen2", "qwen3"));

class TunedDecoders : public Decoders {};

TEST_P(TunedDecoders, AdaptersLearnAsInPython) {
  const auto tuned = read_safetensors(folder / "tuned.safetensors").tensors;
  model->train();
  FineTuning how{.of = FineTuning::Of::kLora, .lora = {.rank = 4, .alpha = 8}};
  how.lora.targets = std::string(GetParam()) == "gpt2"
                         ? std::vector<std::string>{"c_attn"}
                         : std::vector<std::string>{"q_proj", "v_proj"};
  {
    const FineTuned fine_tuned(*model, how, {});
    {
      const torch::NoGradGuard no_grad;
      for (auto& item : model->named_parameters())
        if (const auto found = tuned.find("lora." + item.key()); found != tuned.end())
          item.value().copy_(found->second);
    }
    Optimizer optimizer(*model, {.kind = OptimizerKind::kAdamW, .weight_decay = 0.01});
    std::vector<float> losses;
    for (int step = 0; step < 20; ++step) {
      optimizer.zero_grad();
      const auto value = loss();
      value.backward();
      optimizer.step(0.02);
      losses.push_back(value.item<float>());
    }
    EXPECT_LT(distance(torch::tensor(losses), tuned.at("losses")), 1e-4);
  }
  const auto merged = model->forward(tokens, nullptr, mask);
  EXPECT_LT(distance(merged.index({mask}), tuned.at("output").index({mask})), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Families, TunedDecoders, ::testing::Values("gpt2", "llama"));

/// A copy of a recorded folder, in which a file may be changed.
class BadDecoders : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = fs::path(::testing::TempDir()) / "firesteel-decoder";
    fs::remove_all(folder);
    fs::copy(kFolder / "llama", folder);
  }
  void TearDown() override { fs::remove_all(folder); }
  /// What loading says when config.json has `to` in place of `from`.
  std::string failure(const std::string& from = "", const std::string& to = "") {
    const auto before = read_file(folder / "config.json");
    auto text = before;
    text.replace(text.find(from), from.size(), to);
    std::ofstream(folder / "config.json") << text;
    std::string said = "none";
    try {
      load_decoder(folder);
    } catch (const Error& error) {
      said = error.what();
    }
    std::ofstream(folder / "config.json") << before;
    return said;
  }
  void expect(const std::string& from, const std::string& to, const std::string& what) {
    const auto said = failure(from, to);
    EXPECT_NE(said.find(what), std::string::npos) << said;
  }
  fs::path folder;
};

TEST_F(BadDecoders, SayWhatIsWrong) {
  EXPECT_EQ(failure(), "none");
  expect("\"model_type\": \"llama\"", "\"model_type\": \"t5\"", "`t5`");
  expect("\"silu\"", "\"swiglu\"", "`swiglu`");
  expect("\"llama3\"", "\"yarn\"", "`yarn`");
  expect("\"hidden_size\": 16", "\"hidden_size\": 20", "has the shape");
  expect("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3", "cannot be cut into 4 heads");
  expect("\"hidden_size\": 16", "\"hidden_size\": \"wide\"", "INVALID_ARTIFACT");
  expect("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", "no weights for model.layers.2");
  expect("{", "", "is damaged");
}

TEST_F(BadDecoders, OldNamesOfRotaryPositionsMeanTheSame) {
  const auto tokens = torch::arange(3, 13).unsqueeze(0);
  const auto expected = load_decoder(folder)->forward(tokens);
  auto text = read_file(folder / "config.json");
  const std::string from = "\"rope_parameters\"", base = "\"rope_theta\": 500.0,";
  text.erase(text.find(base), base.size());
  text.replace(text.find(from), from.size(), base + "\"rope_scaling\"");
  std::ofstream(folder / "config.json") << text;
  EXPECT_LT(distance(load_decoder(folder)->forward(tokens), expected), 1e-6);
}

}  // namespace
}  // namespace firesteel
