// The BERT family against what transformers recorded (tests/reference/record_bert.py).
#include "models/bert.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "models/model_folder.h"
#include "recorded.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;
using testing::distance;

const fs::path kFolder = fs::path(FIRESTEEL_SOURCE_DIR) / "tests/data/bert";

/// A recorded model with its weights, whatever its head.
struct Model {
  explicit Model(const fs::path& folder)
      : expected(read_safetensors(folder / "expected.safetensors").tensors) {
    const auto options = read_bert_options(folder);
    const auto name = folder.filename().string();
    const auto weights = read_model_weights(folder);
    const auto prefix = options.family + ".";
    std::shared_ptr<torch::nn::Module> made;
    if (name.ends_with("_sequence") || name.ends_with("_tokens")) {
      classifier = BertClassifier(
          options, name.ends_with("_tokens") ? BertHead::kTokens : BertHead::kSequence);
      made = classifier.ptr();
    } else {
      bert = Bert(options);
      made = bert.ptr();
    }
    EXPECT_TRUE(load_weights(*made, weights, prefix, folder).unused.empty());
    module = made;
    input = {expected.at("tokens"), expected.at("mask")};
    if (expected.contains("token_type_ids")) input.types = expected.at("token_type_ids");
  }

  torch::Tensor answer() { return classifier ? classifier(input) : bert(input); }
  torch::Tensor loss(const torch::Tensor& out) {
    if (bert) return out.index({input.mask}).square().mean();
    return torch::nn::functional::cross_entropy(out.flatten(0, -2),
                                                expected.at("labels").flatten());
  }

  std::map<std::string, torch::Tensor> expected;
  BertInput input;
  Bert bert{nullptr};
  BertClassifier classifier{nullptr};
  std::shared_ptr<torch::nn::Module> module;
};

class BertModels : public ::testing::TestWithParam<const char*> {};

TEST_P(BertModels, AnswerAndLearnAsInPython) {
  Model model(kFolder / GetParam());
  model.module->eval();
  const auto out = model.answer();
  EXPECT_LT(distance(out, model.expected.at("output")), 1e-4);
  if (model.expected.contains("pooled")) {
    EXPECT_LT(distance(model.bert->pooled(out), model.expected.at("pooled")), 1e-4);
  }
  model.loss(out).backward();
  // Some are zero but for rounding (the keys' biases): all are held to the largest.
  double largest = 0;
  for (const auto& [name, tensor] : model.expected)
    if (name.starts_with("grad.")) largest = std::max(largest, tensor.abs().max().item<double>());
  size_t gradients = 0;
  for (const auto& item : model.module->named_parameters()) {
    if (!item.value().grad().defined()) continue;
    ++gradients;
    const auto& expected = model.expected.at("grad." + item.key());
    ASSERT_EQ(item.value().sizes(), expected.sizes());
    EXPECT_LT((item.value().grad() - expected).abs().max().item<double>(), 1e-4 * largest)
        << item.key();
  }
  for (const auto& [name, tensor] : model.expected) gradients -= name.starts_with("grad.");
  EXPECT_EQ(gradients, 0u);
  torch::optim::SGD optimizer(model.module->parameters(), 0.05);
  std::vector<float> losses;
  for (int step = 0; step < 20; ++step) {
    optimizer.zero_grad();
    const auto loss = model.loss(model.answer());
    loss.backward();
    optimizer.step();
    losses.push_back(loss.item<float>());
  }
  EXPECT_LT(distance(torch::tensor(losses), model.expected.at("losses")), 1e-4);
}

TEST_P(BertModels, PaddingChangesNothing) {
  Model model(kFolder / GetParam());
  model.module->eval();
  const auto whole = model.answer();
  model.input.tokens = model.input.tokens.slice(0, 2, 3).slice(1, 0, 1);  // its one token
  model.input.mask = torch::Tensor();
  if (model.input.types.defined())
    model.input.types = model.input.types.slice(0, 2, 3).slice(1, 0, 1);
  auto expected = whole.slice(0, 2, 3);
  if (whole.dim() == 3) expected = expected.slice(1, 0, 1);
  EXPECT_LT(distance(model.answer(), expected), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Family, BertModels,
                         ::testing::Values("bert", "bert_relu", "bert_sequence", "bert_tokens",
                                           "roberta", "roberta_sequence", "distilbert",
                                           "distilbert_sequence"));

/// A copy of a recorded folder, in which a file may be changed.
class BadFolders : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = fs::path(::testing::TempDir()) / "firesteel-bert";
    fs::remove_all(folder);
    fs::copy(kFolder / "bert", folder);
  }
  void TearDown() override { fs::remove_all(folder); }
  void write(const char* name, const std::string& text) { std::ofstream(folder / name) << text; }
  void replace(const std::string& from, const std::string& to) {
    auto text = read_file(folder / "config.json");
    text.replace(text.find(from), from.size(), to);
    write("config.json", text);
  }
  std::string failure() {
    try {
      Bert model(read_bert_options(folder));
      load_weights(*model, read_model_weights(folder), "bert.", folder);
      return "none";
    } catch (const Error& error) {
      return error.what();
    }
  }
  fs::path folder;
};

TEST_F(BadFolders, SayWhatIsWrong) {
  EXPECT_EQ(failure(), "none");
  replace("\"hidden_size\": 16", "\"hidden_size\": 20");
  EXPECT_NE(failure().find("has the shape"), std::string::npos) << failure();
  replace("\"hidden_size\": 20", "\"hidden_size\": 18");
  EXPECT_NE(failure().find("cannot be cut into 4 heads"), std::string::npos) << failure();
  replace("\"hidden_size\": 18", "\"hidden_size\": \"wide\"");
  EXPECT_NE(failure().find("INVALID_ARTIFACT"), std::string::npos) << failure();
  replace("\"hidden_size\": \"wide\"", "\"hidden_size\": 16");
  replace("\"hidden_act\": \"gelu\"", "\"hidden_act\": \"silu\"");
  EXPECT_NE(failure().find("`silu`"), std::string::npos) << failure();
  write("config.json", "{\"model_type\": \"t5\"}");
  EXPECT_NE(failure().find("`t5`"), std::string::npos) << failure();
}

TEST_F(BadFolders, SayWhichWeightsAreMissing) {
  auto weights = read_safetensors(folder / "model.safetensors");
  weights.tensors.erase("encoder.layer.1.output.dense.bias");
  write_safetensors(folder / "model.safetensors", weights);
  EXPECT_NE(failure().find("no weights for encoder.layer.1.output.dense.bias"), std::string::npos)
      << failure();
  fs::remove(folder / "model.safetensors");
  write("pytorch_model.bin", "pickle");
  EXPECT_NE(failure().find("pytorch_model.bin"), std::string::npos) << failure();
}

TEST_F(BadFolders, ShardsAreReadByTheirIndex) {
  const auto weights = read_safetensors(folder / "model.safetensors");
  NamedTensors parts[2];
  std::string map;
  int number = 0;
  for (const auto& [name, tensor] : weights.tensors) {
    parts[number % 2].tensors[name] = tensor;
    map += fmt::format("{}\"{}\": \"part{}.safetensors\"", map.empty() ? "" : ", ", name,
                       number++ % 2);
  }
  for (int i = 0; i < 2; ++i)
    write_safetensors(folder / fmt::format("part{}.safetensors", i), parts[i]);
  fs::remove(folder / "model.safetensors");
  write("model.safetensors.index.json", "{\"weight_map\": {" + map + "}}");
  EXPECT_EQ(failure(), "none");
  write("model.safetensors.index.json", "{\"weight_map\": {\"x\": \"part0.safetensors\"}}");
  EXPECT_NE(failure().find("has no tensor x"), std::string::npos) << failure();
  write("model.safetensors.index.json", "{\"weight_map\": {\"x\": \"../part0.safetensors\"}}");
  EXPECT_NE(failure().find("another folder"), std::string::npos) << failure();
}

}  // namespace
}  // namespace firesteel
