// Tokens of the loader's batches to logits, and the config.json of what was trained.
#include "models/text_classifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "models/bert.h"
#include "models/class_labels.h"
#include "models/model_folder.h"
#include "models/pretrained.h"
#include "models/token_batches.h"
#include "text/tokenizer.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

constexpr int64_t kRowsAtOnce = 1024;  // a token each, they make a few batches

void check_text(const EncoderSpec& text, const BertOptions& options) {
  if (text.length > options.tokens_max())
    throw Error("INVALID_OPTION",
                fmt::format("The model takes {} tokens of a text, and `{}` has up to {}: lower "
                            "`text_length`.",
                            options.tokens_max(), text.column, text.length));
  if (text.cardinality() > options.vocabulary)
    throw Error("INVALID_OPTION",
                fmt::format("The tokenizer of `{}` has {} ids, and the model {}: it is another "
                            "model's.",
                            text.column, text.cardinality(), options.vocabulary));
}

/// A classifier and what it is for.
struct TextNet {
  BertClassifier model;
  ClassLabels labels;

  torch::Tensor forward(const Batch& batch) const {
    const auto& tokens = batch.sequences.at(0);
    return torch::GradMode::is_enabled() ? logits(tokens.values, tokens.lengths)
                                         : by_length(tokens);
  }
  torch::Tensor logits(const torch::Tensor& values, const torch::Tensor& lengths) const {
    const auto mask =
        torch::arange(values.size(1), lengths.options()).unsqueeze(0) < lengths.unsqueeze(1);
    return labels.outputs(model.ptr()->forward(
        {values.masked_fill(mask.logical_not(), model->options.padding), mask}));
  }
  /// Texts of like length together: what is not trained is not bound to batches.
  torch::Tensor by_length(const SequenceBatch& tokens) const {
    const auto lengths = tokens.lengths.cpu();
    const auto* length = lengths.const_data_ptr<int64_t>();
    torch::Tensor out;
    for (const auto& batch : token_batches({length, length + lengths.numel()})) {
      const auto rows = torch::tensor(batch.rows, tokens.values.options());
      const auto part = logits(tokens.values.index_select(0, rows).slice(1, 0, batch.length),
                               tokens.lengths.index_select(0, rows));
      if (!out.defined()) out = part.new_empty({lengths.numel(), part.size(1)});
      out.index_copy_(0, rows, part);
    }
    return out;
  }
};

/// The model's own config.json with the labels of the head that it has now.
std::string config_with(const std::string& text, const std::string& family,
                        const ClassLabels& labels) {
  auto config = nlohmann::ordered_json::parse(text);
  nlohmann::ordered_json by_id, by_name;
  for (size_t i = 0; i < labels.names.size(); ++i) {
    by_id[std::to_string(i)] = labels.names[i];
    by_name[labels.names[i]] = i;
  }
  config["id2label"] = by_id;
  config["label2id"] = by_name;
  config["problem_type"] = labels.task == Task::kRegression   ? "regression"
                           : labels.task == Task::kMultilabel ? "multi_label_classification"
                                                              : "single_label_classification";
  const char* prefix = family == "roberta" ? "Roberta" : family == "bert" ? "Bert" : "DistilBert";
  config["architectures"] = {fmt::format("{}ForSequenceClassification", prefix)};
  return config.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

int64_t text_length_max(const std::string& folder) {
  return read_bert_options(folder).tokens_max();
}

std::vector<EncoderSpec> text_specs(const fs::path& folder) {
  const auto options = read_bert_options(folder);
  const auto tokenizer = folder / "tokenizer.json";
  EncoderSpec text{.column = "text", .kind = EncoderKind::kText};
  text.length = options.tokens_max();
  text.buckets = static_cast<int64_t>(Tokenizer(tokenizer).vocabulary_size());
  text.tokenizer = tokenizer.string();
  std::vector<EncoderSpec> specs = {text};
  if (options.several_labels) {
    for (const auto& name : options.labels)
      specs.push_back({.column = name, .kind = EncoderKind::kLabel, .task = Task::kMultilabel});
    return specs;
  }
  EncoderSpec label{.column = "label", .kind = EncoderKind::kLabel};
  label.task = options.labels.size() == 1 ? Task::kRegression : Task::kMulticlass;
  if (label.task == Task::kMulticlass) label.vocabulary = options.labels;
  specs.push_back(std::move(label));
  return specs;
}

Network make_text_classifier(const TabularOptions& /*options*/,
                             const std::vector<EncoderSpec>& specs, const fs::path& folder,
                             Weights weights) {
  auto shape = read_bert_options(folder);
  check_text(only_feature(specs, EncoderKind::kText, "hf", "text"), shape);
  const auto labels = class_labels(specs, "hf");
  shape.labels = labels.names;
  TextNet net{BertClassifier(shape, BertHead::kSequence), labels};
  Network network{net.model.ptr(), [net](const Batch& batch) { return net.forward(batch); }};
  network.rows_at_once = kRowsAtOnce;
  network.head = {"classifier", "pre_classifier"};
  network.adapted = shape.family == "distilbert" ? std::vector<std::string>{"q_lin", "v_lin"}
                                                 : std::vector<std::string>{"query", "value"};
  if (weights != Weights::kNone) {
    const std::string pooler = shape.family + ".pooler";
    std::vector<std::string> may_be_new;
    if (weights == Weights::kPretrained) {
      may_be_new = network.head;
      may_be_new.push_back(pooler);
    }
    const auto loaded = load_weights(*net.model, read_model_weights(folder), shape.family + ".",
                                     folder, may_be_new);
    if (std::any_of(loaded.kept.begin(), loaded.kept.end(),
                    [&](const auto& name) { return name.starts_with(pooler); }))
      network.head.push_back(pooler);
  }
  const auto config = config_with(read_file(folder / "config.json"), shape.family, labels);
  network.save = [config](const fs::path& to) { write_file_aside(to / "config.json", config); };
  return network;
}

}  // namespace firesteel
