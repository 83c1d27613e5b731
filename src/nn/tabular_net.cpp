// The table of kinds, and the parts that most kinds are made of.
#include "nn/tabular_net.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/named.h"
#include "nn/autoencoder.h"
#include "nn/dcn.h"
#include "nn/deepfm.h"
#include "nn/dlrm.h"
#include "nn/dropout.h"
#include "nn/ft_transformer.h"
#include "nn/lstm.h"
#include "nn/mlp.h"
#include "nn/ncf.h"
#include "nn/resnet.h"
#include "nn/tabm.h"
#include "nn/tcn.h"
#include "nn/transformer.h"
#include "nn/two_tower.h"

namespace firesteel::nn {

namespace {

template <typename Net>
std::shared_ptr<TabularNet> make(const TabularNetOptions& options) {
  check(options);
  return std::make_shared<Net>(options);
}

constexpr Named<Activation> kActivations[] = {
    {Activation::kRelu, "relu"}, {Activation::kGelu, "gelu"}, {Activation::kSilu, "silu"}};

template <typename Encoder>
std::shared_ptr<TabularNet> make_sequence_net(const TabularNetOptions& options) {
  check(options);
  return std::make_shared<SequenceNetImpl>(
      options,
      [](int64_t width, int64_t length_max,
         const TabularNetOptions& own) -> std::shared_ptr<SequenceEncoder> {
        return std::make_shared<Encoder>(width, length_max, own);
      });
}

struct KindRow {
  std::string_view name;
  std::shared_ptr<TabularNet> (*make)(const TabularNetOptions& options);
  bool reads_sequences = false;
};
constexpr KindRow kKinds[] = {
    {"mlp", make<MlpImpl>},
    {"resnet", make<ResNetImpl>},
    {"dcn", make<DcnImpl>},
    {"dlrm", make<DlrmImpl>},
    {"deepfm", make<DeepFmImpl>},
    {"ft_transformer", make<FtTransformerImpl>},
    {"tabm", make<TabMImpl>},
    {"ncf", make<NcfImpl>},
    {"lstm", make_sequence_net<LstmEncoder>, true},
    {"tcn", make_sequence_net<TcnEncoder>, true},
    {"transformer", make_sequence_net<TransformerEncoder>, true},
    {"two_tower", make<TwoTowerImpl>},
    {"autoencoder", make<AutoencoderImpl>},
};

int64_t embedding_width(int64_t cardinality, int64_t fixed) {
  if (fixed > 0) return fixed;
  return std::min<int64_t>(50, std::lround(1.6 * std::pow(static_cast<double>(cardinality), 0.56)));
}

}  // namespace

std::vector<std::string> tabular_net_kinds() {
  std::vector<std::string> names;
  for (const auto& row : kKinds) names.emplace_back(row.name);
  return names;
}

std::vector<std::string> sequence_net_kinds() {
  std::vector<std::string> names;
  for (const auto& row : kKinds) {
    if (row.reads_sequences) names.emplace_back(row.name);
  }
  return names;
}

std::shared_ptr<TabularNet> make_tabular_net(std::string_view kind,
                                             const TabularNetOptions& options) {
  for (const auto& row : kKinds) {
    if (row.name != kind) continue;
    if (row.reads_sequences == options.sequences.empty()) {
      throw Error("INVALID_OPTION",
                  row.reads_sequences
                      ? fmt::format("The network `{}` needs a sequence feature.", kind)
                      : fmt::format("The network `{}` reads no sequence features; use {}, or leave "
                                    "`sequence` out.",
                                    kind, fmt::join(sequence_net_kinds(), ", ")));
    }
    return row.make(options);
  }
  throw Error("INVALID_OPTION", fmt::format("There is no network `{}`; use {}.", kind,
                                            fmt::join(tabular_net_kinds(), ", ")));
}

void check(const TabularNetOptions& options) {
  const auto refuse = [](const std::string& what) { throw Error("INVALID_OPTION", what); };
  if (options.numeric == 0 && options.cardinalities.empty() && options.sequences.empty()) {
    refuse("The model has no feature.");
  }
  if (options.outputs < 1) refuse("The model has no output.");
  if (!(options.dropout >= 0 && options.dropout < 1)) {
    refuse(
        fmt::format("`dropout` is {}; it is a share of at least 0 and below 1.", options.dropout));
  }
  for (const int64_t width : options.hidden) {
    if (width < 1) refuse(fmt::format("A hidden layer has width {}; use at least 1.", width));
  }
  if (options.blocks < 1) refuse("`blocks` must be at least 1.");
  if (options.heads < 1) refuse("`heads` must be at least 1.");
  if (options.ensemble < 1) refuse("`ensemble` must be at least 1.");
}

std::string_view activation_name(Activation activation) {
  return name_of(kActivations, activation);
}

Activation activation_from_name(std::string_view name) {
  return value_named(kActivations, "activation", name);
}

torch::Tensor activated(const torch::Tensor& input, Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return torch::relu(input);
    case Activation::kGelu:
      return torch::gelu(input);
    case Activation::kSilu:
      return torch::silu(input);
  }
  return input;
}

torch::nn::ModuleList make_embeddings(const std::vector<int64_t>& cardinalities,
                                      int64_t dimension) {
  torch::nn::ModuleList list;
  for (const int64_t cardinality : cardinalities) {
    torch::nn::Embedding embedding(cardinality, embedding_width(cardinality, dimension));
    torch::NoGradGuard no_grad;
    embedding->weight.normal_(0, 0.05);
    list->push_back(embedding);
  }
  return list;
}

std::vector<torch::Tensor> embedding_tables(const torch::nn::ModuleList& embeddings) {
  std::vector<torch::Tensor> tables;
  for (const auto& module : *embeddings) {
    tables.push_back(module->as<torch::nn::Embedding>()->weight);
  }
  return tables;
}

int64_t total_width(const torch::nn::ModuleList& embeddings) {
  int64_t width = 0;
  for (const auto& table : embedding_tables(embeddings)) width += table.size(1);
  return width;
}

torch::nn::Sequential make_layers(int64_t inputs, const TabularNetOptions& options,
                                  int64_t outputs) {
  torch::nn::Sequential layers;
  int64_t width = inputs;
  for (const int64_t hidden : options.hidden) {
    layers->push_back(torch::nn::Linear(width, hidden));
    if (options.batch_norm) layers->push_back(torch::nn::BatchNorm1d(hidden));
    layers->push_back(torch::nn::Functional(activated, options.activation));
    if (options.dropout > 0) layers->push_back(Dropout(options.dropout));
    width = hidden;
  }
  if (outputs > 0) layers->push_back(torch::nn::Linear(width, outputs));
  return layers;
}

}  // namespace firesteel::nn
