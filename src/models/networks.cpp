// Which network a kind is, and what its parts are made of.
#include "models/networks.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "models/image_classifier.h"
#include "models/model_folder.h"
#include "models/pretrained.h"
#include "models/program_network.h"
#include "models/text_classifier.h"
#include "nn/tabular_net.h"

namespace firesteel {

namespace {

/// Logits of a row of labels; of classes one each.
int64_t output_count(const std::vector<EncoderSpec>& specs) {
  int64_t labels = 0;
  for (const auto& spec : specs) {
    if (spec.kind != EncoderKind::kLabel) continue;
    if (spec.task == Task::kMulticlass) return static_cast<int64_t>(spec.vocabulary.size());
    ++labels;
  }
  return labels;
}

/// An ncf's user and item are columns, not the parts of a date.
void check_ncf(const std::vector<EncoderSpec>& specs) {
  int categories = 0;
  for (const auto& spec : specs) {
    if (!spec.is_categorical() || ++categories > 2 || spec.kind != EncoderKind::kDate) continue;
    throw Error("INVALID_OPTION",
                fmt::format("An ncf takes the first two categorical features for the user and the "
                            "item, and `{}` is a part of a date: list two columns as categorical "
                            "or hashed.",
                            spec.feature_name()));
  }
}

/// Which features are the item's.
void add_item(const std::vector<EncoderSpec>& specs, const std::vector<std::string>& columns,
              nn::TabularNetOptions* shape) {
  const auto is_item = [&](const std::string& column) {
    return std::find(columns.begin(), columns.end(), column) != columns.end();
  };
  std::vector<std::string> names;
  int64_t number = 0, category = 0;
  for (const auto& spec : specs) {
    for (int64_t i = 0; i < spec.numeric_count(); ++i, ++number) {
      if (is_item(spec.column)) shape->item_numeric.push_back(number);
    }
    if (spec.is_categorical()) {
      if (is_item(spec.column)) shape->item_categorical.push_back(category);
      ++category;
    }
    if (spec.numeric_count() > 0 || spec.is_categorical()) names.push_back(spec.column);
  }
  for (const auto& column : columns) {
    if (std::find(names.begin(), names.end(), column) != names.end()) continue;
    const auto near = nearest_name(column, names);
    throw Error("INVALID_OPTION",
                fmt::format("The item's column `{}` is no feature.{}", column,
                            near.empty() ? "" : fmt::format(" Did you mean `{}`?", near)));
  }
}

Network make_tabular(const TabularOptions& options, const std::vector<EncoderSpec>& specs) {
  if (options.kind == "ncf") check_ncf(specs);
  const RecordLayout layout(specs, true);
  nn::TabularNetOptions shape;
  shape.numeric = layout.numeric_count;
  shape.cardinalities = layout.cardinalities;
  for (const auto& sequence : layout.sequences)
    shape.sequences.push_back({sequence.cardinality, sequence.length});
  shape.hidden = options.hidden;
  shape.dropout = options.dropout;
  shape.activation = nn::activation_from_name(options.activation);
  const bool linear = options.kind == "mlp" && shape.hidden.empty();
  shape.embedding_dimension = linear ? 1 : options.embedding_dimension;
  shape.batch_norm = options.batch_norm;
  shape.outputs = output_count(specs);
  shape.blocks = options.blocks;
  shape.heads = options.heads;
  shape.ensemble = options.ensemble;
  add_item(specs, options.item, &shape);
  const auto net = nn::make_tabular_net(options.kind, shape);
  return {net, [net](const Batch& batch) { return net->forward(batch); },
          [net](const Batch& batch) { return net->forward_rows(batch); }};
}

struct PretrainedKind {
  std::string_view name;
  Network (*make)(const TabularOptions&, const std::vector<EncoderSpec>&,
                  const std::filesystem::path&, Weights);
};
constexpr PretrainedKind kPretrainedKinds[] = {
    {"hf", make_text_classifier},
    {"vision", make_image_classifier},
    {"pt2", make_program_network},
};

}  // namespace

Network make_network(const TabularOptions& options, const std::vector<EncoderSpec>& specs,
                     const std::filesystem::path& path, Weights weights) {
  for (const auto& row : kPretrainedKinds)
    if (row.name == options.kind) return row.make(options, specs, path, weights);
  return make_tabular(options, specs);
}

std::vector<EncoderSpec> features_of(std::vector<EncoderSpec> specs) {
  std::erase_if(specs, [](const auto& spec) {
    return spec.kind == EncoderKind::kLabel || spec.kind == EncoderKind::kWeight;
  });
  return specs;
}

EncoderSpec only_feature(const std::vector<EncoderSpec>& specs, EncoderKind kind,
                         std::string_view network, std::string_view what) {
  const EncoderSpec* found = nullptr;
  const auto features = features_of(specs);
  for (const auto& feature : features) {
    if (found || feature.kind != kind)
      throw Error("INVALID_OPTION",
                  fmt::format("The network `{}` reads one {}; `{}` is one feature too many.",
                              network, what, feature.feature_name()));
    found = &feature;
  }
  if (!found)
    throw Error("INVALID_OPTION",
                fmt::format("The network `{}` reads one {} feature.", network, what));
  return *found;
}

bool is_classifier_folder(const std::string& folder) {
  return std::filesystem::exists(std::filesystem::path(folder) / "config.json") &&
         (has_architecture(folder, {"ForSequenceClassification"}) || !network_of(folder).empty());
}

bool is_pretrained(const std::string& kind) {
  return std::ranges::any_of(kPretrainedKinds, [&](const auto& row) { return row.name == kind; });
}

std::vector<std::string> pretrained_kinds() {
  std::vector<std::string> names;
  for (const auto& row : kPretrainedKinds) names.emplace_back(row.name);
  return names;
}

}  // namespace firesteel
