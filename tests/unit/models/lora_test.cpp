// Fine-tuning of heads and with adapters, against what transformers and PEFT recorded
// (tests/reference/record_lora.py).
#include "models/lora.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "models/bert.h"
#include "models/model_folder.h"
#include "recorded.h"
#include "train/optimizer.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;
using testing::distance;

const fs::path kFolder = fs::path(FIRESTEEL_SOURCE_DIR) / "tests/data/bert";
const std::vector<std::string> kHead = {"classifier", "pre_classifier"};

class Tuned : public ::testing::TestWithParam<const char*> {
 protected:
  Tuned()
      : folder(kFolder / GetParam()),
        expected(read_safetensors(folder / "expected.safetensors").tensors),
        tuned(read_safetensors(folder / "tuned.safetensors").tensors),
        options(read_bert_options(folder)),
        model(options, BertHead::kSequence) {
    load_weights(*model, read_model_weights(folder), options.family + ".", folder);
    model->train();
  }

  torch::Tensor answer() { return model(BertInput{expected.at("tokens"), expected.at("mask")}); }
  /// 20 steps of AdamW.
  torch::Tensor losses() {
    Optimizer optimizer(*model, {.kind = OptimizerKind::kAdamW, .weight_decay = 0.01});
    std::vector<float> all;
    for (int step = 0; step < 20; ++step) {
      optimizer.zero_grad();
      const auto loss = torch::nn::functional::cross_entropy(answer(), expected.at("labels"));
      loss.backward();
      optimizer.step(0.02);
      all.push_back(loss.item<float>());
    }
    return torch::tensor(all);
  }

  const fs::path folder;
  std::map<std::string, torch::Tensor> expected, tuned;
  BertOptions options;
  BertClassifier model;
};

TEST_P(Tuned, HeadLearnsAsInPython) {
  const auto base = model->parameters()[0].clone();
  const FineTuned fine_tuned(*model, {.of = FineTuning::Of::kHead}, kHead);
  EXPECT_LT(distance(losses(), tuned.at("head.losses")), 1e-4);
  EXPECT_LT(distance(answer(), tuned.at("head.output")), 1e-4);
  EXPECT_TRUE(torch::equal(model->parameters()[0], base));
}

TEST_P(Tuned, AdaptersLearnAsInPython) {
  const auto names = [&] {
    std::vector<std::string> all;
    for (const auto& item : model->named_parameters()) all.push_back(item.key());
    return all;
  };
  const auto before = names();
  FineTuning how{.of = FineTuning::Of::kLora, .lora = {.rank = 4, .alpha = 8}};
  how.lora.targets = options.family == "distilbert" ? std::vector<std::string>{"q_lin", "v_lin"}
                                                    : std::vector<std::string>{"query", "value"};
  {
    const FineTuned fine_tuned(*model, how, kHead);
    const torch::NoGradGuard no_grad;
    size_t adapters = 0;
    for (auto& item : model->named_parameters()) {
      const auto found = tuned.find("lora." + item.key());
      if (found == tuned.end()) continue;
      item.value().copy_(found->second);
      ++adapters;
    }
    EXPECT_EQ(adapters, 4u);  // two layers' queries and values
    const torch::AutoGradMode grad(true);
    EXPECT_LT(distance(losses(), tuned.at("lora.losses")), 1e-4);
    EXPECT_LT(distance(answer(), tuned.at("lora.output")), 1e-4);
  }
  // Merged: the same answers of a plain model.
  EXPECT_EQ(names(), before);
  EXPECT_LT(distance(answer(), tuned.at("lora.output")), 1e-4);
  for (const auto& parameter : model->parameters()) EXPECT_TRUE(parameter.requires_grad());
}

INSTANTIATE_TEST_SUITE_P(Families, Tuned,
                         ::testing::Values("bert_sequence", "roberta_sequence",
                                           "distilbert_sequence"));

TEST(Lora, NamesTheLayersThereAre) {
  BertOptions options;
  options.layers = 1;
  options.vocabulary = 10;
  options.labels = {"a", "b"};
  BertClassifier model(options, BertHead::kSequence);
  FineTuning how{.of = FineTuning::Of::kLora};
  how.lora.targets = {"q_proj"};
  try {
    const FineTuned fine_tuned(*model, how, kHead);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.condition(), "INVALID_OPTION");
    EXPECT_NE(error.message().find("it has dense, key, query, value"), std::string::npos)
        << error.message();
  }
}

}  // namespace
}  // namespace firesteel
