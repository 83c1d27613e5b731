// Every kind of network against the same network in Python PyTorch
// (tests/reference/record_nets.py): logits and gradients by parameter name; and what all kinds must
// bear.
#include "nn/tabular_net.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"

namespace firesteel::nn {
namespace {

torch::Tensor pattern(torch::IntArrayRef shape) {
  const auto count = c10::multiply_integers(shape);
  return (torch::sin(torch::arange(count, torch::kFloat64) * 0.7 + 0.3) / 2)
      .to(torch::kFloat32)
      .reshape(shape);
}

bool reads_sequences(const std::string& kind) {
  const auto kinds = sequence_net_kinds();
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

TabularNetOptions small(const std::string& kind) {
  TabularNetOptions options;
  options.numeric = 3;
  options.cardinalities = {5, 4};
  options.hidden = {6, 4};
  options.embedding_dimension = kind == "ft_transformer" ? 8 : 4;
  options.blocks = 2;
  options.heads = 2;
  options.ensemble = 3;
  if (kind == "autoencoder") options.cardinalities = {};
  if (kind == "two_tower") {
    options.item_numeric = {2};
    options.item_categorical = {1};
  }
  if (reads_sequences(kind)) {
    options.sequences = {{.cardinality = 6, .length = 5}, {.cardinality = 0, .length = 4}};
  }
  return options;
}

/// The rows of the reference. Behind the sequences' lengths stand values that must not matter.
Batch rows_of(const std::string& kind) {
  Batch batch;
  std::vector<int64_t> ids, words;
  for (int64_t i = 0; i < 6; ++i) ids.insert(ids.end(), {i % 5, i % 4});
  batch.numeric = pattern({6, 3});
  batch.categorical = torch::tensor(ids).reshape({6, 2});
  if (!reads_sequences(kind)) return batch;
  for (int64_t row = 0; row < 6; ++row) {
    for (int64_t i = 0; i < 5; ++i) words.push_back((row + 2 * i) % 6);
  }
  batch.sequences = {
      {torch::tensor(words).reshape({6, 5}), torch::tensor({5, 3, 0, 1, 5, 2}, torch::kInt64)},
      {pattern({6, 4}), torch::tensor({4, 0, 2, 1, 3, 4}, torch::kInt64)}};
  return batch;
}

TEST(TabularNet, LogitsAndGradientsAreThoseOfPython) {
  const auto reference = nlohmann::json::parse(
      read_file(std::string(FIRESTEEL_SOURCE_DIR) + "/tests/reference/nets.json"));
  for (const auto& kind : tabular_net_kinds()) {
    SCOPED_TRACE(kind);
    const auto& expected = reference.at("nets").at(kind);
    const auto net = make_tabular_net(kind, small(kind));
    {
      torch::NoGradGuard no_grad;
      for (auto& parameter : net->parameters()) parameter.copy_(pattern(parameter.sizes()));
    }
    const auto logits = net->forward(rows_of(kind));
    (logits * pattern(logits.sizes())).sum().backward();
    const auto same = [](const torch::Tensor& found, const nlohmann::json& values) {
      return torch::allclose(found.flatten(), torch::tensor(values.get<std::vector<float>>()), 1e-5,
                             1e-6);
    };
    EXPECT_TRUE(same(logits, expected.at("logits")));
    EXPECT_EQ(net->named_parameters().size(), expected.at("gradients").size());
    for (const auto& parameter : net->named_parameters()) {
      ASSERT_TRUE(expected.at("gradients").contains(parameter.key())) << parameter.key();
      const auto gradient = parameter.value().grad().defined()
                                ? parameter.value().grad()
                                : torch::zeros_like(parameter.value());
      EXPECT_TRUE(same(gradient, expected.at("gradients").at(parameter.key()))) << parameter.key();
    }
  }
}

TEST(TabularNet, NumbersOrCategoriesAloneWillDo) {
  const auto logits = [](const std::string& kind) {
    return kind == "tabm"          ? std::vector<int64_t>{4, 3, 1}
           : kind == "two_tower"   ? std::vector<int64_t>{4, 4}
           : kind == "autoencoder" ? std::vector<int64_t>{4, 3}
                                   : std::vector<int64_t>{4, 1};
  };
  for (const auto& kind : tabular_net_kinds()) {
    SCOPED_TRACE(kind);
    auto options = small(kind);
    options.dropout = 0.2;
    options.cardinalities = {5, 4, 3};
    options.numeric = 0;
    options.item_numeric = {};
    Batch batch;
    batch.numeric = torch::zeros({4, 0});
    batch.categorical = torch::randint(0, 3, {4, 3});
    for (const auto& sequence : rows_of(kind).sequences) {
      batch.sequences.push_back({sequence.values.slice(0, 0, 4), sequence.lengths.slice(0, 0, 4)});
    }
    if (kind == "autoencoder") {
      EXPECT_THROW(make_tabular_net(kind, options), Error);
    } else {
      EXPECT_EQ(make_tabular_net(kind, options)->forward(batch).sizes(), logits(kind));
    }
    options = small(kind);
    options.cardinalities = {};
    options.item_categorical = {};
    if (kind == "dlrm" || kind == "ncf") {
      EXPECT_THROW(make_tabular_net(kind, options), Error);
      continue;
    }
    batch.numeric = torch::randn({4, 3});
    batch.categorical = torch::zeros({4, 0}, torch::kInt64);
    EXPECT_EQ(make_tabular_net(kind, options)->forward(batch).sizes(), logits(kind));
    if (!reads_sequences(kind)) continue;
    options.numeric = 0;
    batch.numeric = torch::zeros({4, 0});
    EXPECT_EQ(make_tabular_net(kind, options)->forward(batch).sizes(), logits(kind));
  }
}

TEST(TabularNet, RefusesWhatMakesNoModel) {
  const auto refused = [](const std::string& kind, const TabularNetOptions& wrong,
                          const std::string& part) {
    try {
      make_tabular_net(kind, wrong);
      FAIL() << kind << " is not refused";
    } catch (const Error& error) {
      EXPECT_NE(error.message().find(part), std::string::npos) << error.message();
    }
  };
  refused("transformr", small(""), "There is no network `transformr`");
  for (const auto& kind : tabular_net_kinds()) {
    refused(kind, small(reads_sequences(kind) ? "mlp" : "lstm"),
            reads_sequences(kind) ? "needs a sequence feature" : "reads no sequence features");
  }
  auto wide = small("transformer");
  wide.heads = 3;
  refused("transformer", wide, "not a multiple");
  auto options = small("ft_transformer");
  options.heads = 3;
  EXPECT_THROW(make_tabular_net("ft_transformer", options), Error);
  options = small("deepfm");
  options.outputs = 3;
  EXPECT_THROW(make_tabular_net("deepfm", options), Error);
  for (const auto* kind : {"resnet", "tabm", "two_tower", "autoencoder"}) {
    options = small(kind);
    options.hidden = {};
    EXPECT_THROW(make_tabular_net(kind, options), Error);
  }
  options = small("tabm");
  options.ensemble = 0;
  EXPECT_THROW(make_tabular_net("tabm", options), Error);
  options = small("ncf");
  options.cardinalities = {5};
  refused("ncf", options, "there is 1");
}

TEST(TwoTower, ARowByItselfIsTheDiagonal) {
  torch::manual_seed(1);
  const auto net = make_tabular_net("two_tower", small("two_tower"));
  const auto batch = rows_of("two_tower");
  const auto all = net->forward(batch) * 0.05;
  EXPECT_TRUE(torch::allclose(net->forward_rows(batch).squeeze(1), all.diagonal(), 1e-5, 1e-6));
  EXPECT_LE(all.abs().max().item<double>(), 1 + 1e-5);
  auto options = small("two_tower");
  options.item_numeric = options.item_categorical = {};
  EXPECT_THROW(make_tabular_net("two_tower", options), Error);
}

TEST(TabM, MembersDifferAtFirstInTheSignsOfTheFeatures) {
  torch::manual_seed(1);
  const auto net = make_tabular_net("tabm", small("tabm"));
  const auto parameters = net->named_parameters();
  const auto r = parameters["blocks.0.r"];
  EXPECT_TRUE(r.abs().eq(1).all().item<bool>());
  for (int64_t at = 3; at < 11; at += 4) {  // embeddings have one sign each
    EXPECT_TRUE(r.slice(1, at, at + 4).eq(r.slice(1, at, at + 1)).all().item<bool>());
  }
  EXPECT_FALSE(torch::equal(r[0], r[1]) && torch::equal(r[1], r[2]));
  EXPECT_TRUE(parameters["blocks.1.r"].eq(1).all().item<bool>());
  EXPECT_TRUE(torch::equal(parameters["blocks.0.bias"][0], parameters["blocks.0.bias"][1]));
}

}  // namespace
}  // namespace firesteel::nn
