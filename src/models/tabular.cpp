// The tabular model over the layers below: encoders → loader → Mlp → trainer, and a prediction
// stream that adds a column to each Arrow batch.
#include "models/tabular.h"

#include <fmt/format.h>
#include <torch/torch.h>
#include <torch/version.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/added_columns.h"
#include "base/error.h"
#include "base/file.h"
#include "models/image_classifier.h"
#include "models/lora.h"
#include "models/networks.h"
#include "models/pretrained.h"
#include "models/tabular_loaders.h"
#include "models/text_classifier.h"
#include "nn/tabular_net.h"
#include "tensor/loader.h"
#include "train/checkpoint.h"
#include "train/loss.h"
#include "train/safetensors.h"
#include "train/trainer.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

size_t label_of(const std::vector<EncoderSpec>& specs) {
  for (size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].kind == EncoderKind::kLabel) return i;
  }
  throw Error("INVALID_ARTIFACT", "The encoders name no label.");
}

}  // namespace

struct TabularModel::State {
  std::vector<EncoderSpec> specs;
  TabularOptions options;
  size_t label;  // its place in `specs`
  Network net;

  State(std::vector<EncoderSpec> given, TabularOptions made, const fs::path& path, Weights weights)
      : specs(std::move(given)),
        options(std::move(made)),
        label(label_of(specs)),
        net(make_network(options, specs, path, weights)) {}
  Task task() const { return specs[label].task; }
  Trainable trainable() { return {net.module, net.forward}; }
  /// What is predicted of each row by itself: [B, outputs].
  torch::Tensor row_scores(const Batch& batch) const {
    const auto logits = net.forward_rows ? net.forward_rows(batch) : net.forward(batch);
    return task() == Task::kRetrieval ? logits.to(torch::kFloat32) : scores_of(logits, task());
  }
  /// Of a batch that nothing is trained on.
  int64_t batch_rows() const { return std::min(net.rows_at_once, LoaderOptions().batch_rows); }
  /// Streamed once: nothing is kept.
  std::unique_ptr<Loader> in_order(const OpenRows& rows) const {
    LoaderOptions order;
    order.shuffle = false;
    order.end_epoch = 1;
    order.memory_bytes_max = 0;
    order.batch_rows = batch_rows();
    return std::make_unique<Loader>(rows, specs, order);
  }
  /// The outputs of each row, in the label's own units.
  std::vector<float> predicted(const Batch& batch) const;
  /// To the label's own units.
  void restore_units(std::vector<float>* values) const {
    if (task() != Task::kRegression) return;
    const auto& spec = specs[label];
    for (auto& value : *values) value = static_cast<float>(value * spec.deviation + spec.mean);
  }
};

namespace {

LoaderOptions loader_options(const BatchOptions& batches, const TrainerOptions& options,
                             const char* file) {
  LoaderOptions loader;
  if (!batches.records.empty()) loader.records = batches.records / file;
  loader.records_key = batches.records_key;
  loader.share_records = batches.share_records;
  loader.rank = options.group.rank;
  loader.world = options.group.world;
  loader.pin_memory = device_of(options.device).is_cuda();
  return loader;
}

}  // namespace

LoaderOptions training_loader(const BatchOptions& batches, const TrainerOptions& options,
                              bool validated) {
  auto loader = loader_options(batches, options, "training.records");
  loader.batch_rows = batches.rows;
  loader.batch_elements = batches.elements;
  loader.by_length = batches.by_length;
  loader.sampling = batches.sampling;
  loader.memory_bytes_max = batches.memory_bytes_max / 4 * (validated ? 3 : 4);
  loader.rows_by_rank = batches.rows_by_rank;
  loader.seed = options.seed;
  loader.end_epoch = options.epochs;
  return loader;
}

LoaderOptions validation_loader(const BatchOptions& batches, const TrainerOptions& options) {
  auto loader = loader_options(batches, options, "validation.records");
  loader.memory_bytes_max = batches.memory_bytes_max / 4;
  loader.shuffle = false;
  if (!batches.rows_by_rank.empty()) loader.rank = 0, loader.world = 1;  // All that it has.
  return loader;
}

TabularModel::TabularModel(std::vector<EncoderSpec> specs, TabularOptions options, uint64_t seed) {
  for (const auto& row : kOwnTasks) {
    if ((options.kind == row.name) == (specs[label_of(specs)].task == row.value)) continue;
    throw Error("INVALID_OPTION",
                fmt::format("The network `{}` is for {} tasks, and no other network is.", row.name,
                            task_name(row.value)));
  }
  torch::manual_seed(seed);
  const fs::path path = options.path;
  state_ =
      std::make_shared<State>(std::move(specs), std::move(options), path, Weights::kPretrained);
}

TabularModel::TabularModel(std::shared_ptr<State> state) : state_(std::move(state)) {}
TabularModel::~TabularModel() = default;
TabularModel::TabularModel(const TabularModel&) = default;
TabularModel& TabularModel::operator=(const TabularModel&) = default;

const std::vector<EncoderSpec>& TabularModel::specs() const { return state_->specs; }
const TabularOptions& TabularModel::options() const { return state_->options; }
const EncoderSpec& TabularModel::label() const { return state_->specs[state_->label]; }

int64_t TabularModel::parameter_count() const {
  int64_t count = 0;
  for (const auto& parameter : state_->net.module->parameters()) count += parameter.numel();
  return count;
}

TrainResult TabularModel::train(const OpenRows& rows, const OpenRows& validation,
                                const TrainerOptions& given, const BatchOptions& batches,
                                const std::function<void(const TrainProgress&)>& progress) {
  TrainerOptions options = given;
  options.task = state_->task();
  // What the order of the rows depends on, beside the rows and the seed.
  options.data +=
      fmt::format("{}batches of {}{}, {} elements, {}, {} MB", options.data.empty() ? "" : ", ",
                  batches.rows, batches.by_length ? " by length" : "", batches.elements,
                  sampling_name(batches.sampling), batches.memory_bytes_max >> 20);
  const OpenLoader open_rows = [&](LoaderStart start) {
    auto loader = training_loader(batches, options, static_cast<bool>(validation));
    loader.start_epoch = start.epoch;
    loader.start_batch = start.batch;
    return std::make_unique<Loader>(rows, state_->specs, loader);
  };
  OpenLoader open_validation;
  if (validation) {
    open_validation = [&](LoaderStart) {
      auto loader = validation_loader(batches, options);
      loader.batch_rows = state_->batch_rows();
      return std::make_unique<Loader>(validation, state_->specs, loader);
    };
  }
  auto& net = state_->net;
  torch::manual_seed(options.seed);  // of adapters
  auto tuning = state_->options.fine_tuning;
  if (tuning.lora.targets.empty()) tuning.lora.targets = net.adapted;
  const FineTuned fine_tuned(*net.module, tuning, net.head);
  auto result =
      firesteel::train(state_->trainable(), open_rows, open_validation, options, progress);
  net.module->to(torch::kCPU);
  return result;
}

Scores TabularModel::score(const OpenRows& rows) const {
  const auto loader = state_->in_order(rows);
  Scores scores = predict(state_->trainable(), *loader, state_->task(), "cpu");
  state_->restore_units(&scores.values);
  state_->restore_units(&scores.labels);
  return scores;
}

namespace {

/// Rows [begin, end) of a batch.
Batch rows_of(const Batch& batch, int64_t begin, int64_t end) {
  Batch part;
  part.numeric = batch.numeric.slice(0, begin, end);
  part.categorical = batch.categorical.slice(0, begin, end);
  if (batch.label.defined()) part.label = batch.label.slice(0, begin, end);
  for (const auto& sequence : batch.sequences) {
    part.sequences.push_back(
        {sequence.values.slice(0, begin, end), sequence.lengths.slice(0, begin, end)});
  }
  for (const auto& images : batch.images) part.images.push_back(images.slice(0, begin, end));
  return part;
}

/// Batches as one, without their weights.
Batch joined(const std::vector<Batch>& batches) {
  const auto all = [&](const auto& tensor_of) {
    std::vector<torch::Tensor> tensors;
    for (const auto& batch : batches) tensors.push_back(tensor_of(batch));
    return torch::cat(tensors);
  };
  Batch whole;
  whole.numeric = all([](const Batch& batch) { return batch.numeric; });
  whole.categorical = all([](const Batch& batch) { return batch.categorical; });
  if (batches[0].label.defined()) whole.label = all([](const Batch& batch) { return batch.label; });
  for (size_t i = 0; i < batches[0].images.size(); ++i)
    whole.images.push_back(all([&](const Batch& batch) { return batch.images[i]; }));
  for (size_t i = 0; i < batches[0].sequences.size(); ++i) {
    int64_t longest = 0;
    for (const auto& batch : batches) {
      longest = std::max(longest, batch.sequences[i].values.size(1));
    }
    whole.sequences.push_back(
        {all([&](const Batch& batch) {
           const auto& values = batch.sequences[i].values;
           return torch::constant_pad_nd(values, {0, longest - values.size(1)});
         }),
         all([&](const Batch& batch) { return batch.sequences[i].lengths; })});
  }
  return whole;
}

/// The first rows of a source as one batch.
Batch head(Loader& loader, int64_t rows_max) {
  std::vector<Batch> batches;
  int64_t rows = 0;
  while (auto batch = loader.next()) {
    rows += batch->rows();
    batches.push_back(std::move(*batch));
    if (rows >= rows_max) break;
  }
  if (rows == 0) throw Error("TRAINING_DATA_INVALID", "There is no row to evaluate.");
  return rows_of(joined(batches), 0, rows_max);
}

std::vector<float> to_vector(const torch::Tensor& tensor) {
  const auto plain = tensor.to(torch::kFloat32).contiguous();
  const float* data = plain.const_data_ptr<float>();
  return {data, data + plain.numel()};
}

}  // namespace

std::vector<FeatureImportance> TabularModel::importance(const OpenRows& rows,
                                                        const std::string& metric, int64_t rows_max,
                                                        uint64_t seed) const {
  torch::NoGradGuard no_grad;
  state_->net.module->eval();
  const auto loader = state_->in_order(rows);
  const Batch batch = head(*loader, rows_max);
  torch::manual_seed(seed);
  const auto order = torch::randperm(batch.rows());
  const auto measure = [&](const Batch& rows_measured) {
    Scores scores;
    scores.task = state_->task();
    if (batch.label.defined()) scores.labels = to_vector(batch.label);
    std::vector<torch::Tensor> parts;
    const auto step = state_->net.rows_at_once;
    for (int64_t begin = 0; begin < batch.rows(); begin += step) {
      const auto part = rows_of(rows_measured, begin, begin + step);
      parts.push_back(scores_of(state_->net.forward(part), state_->task()));
    }
    const auto values = torch::cat(parts);
    scores.classes = values.size(1);
    scores.values = to_vector(values);
    state_->restore_units(&scores.values);
    state_->restore_units(&scores.labels);
    return metrics_of(scores).at(metric) * (larger_is_better(metric) ? 1 : -1);
  };
  const double whole = measure(batch);
  std::vector<FeatureImportance> list;
  int64_t number = 0, category = 0;
  size_t sequence = 0;
  for (const auto& spec : state_->specs) {
    Batch shuffled = batch;
    if (spec.numeric_count() > 0) {
      shuffled.numeric = batch.numeric.clone();
      const int64_t end = number + spec.numeric_count();
      shuffled.numeric.slice(1, number, end)
          .copy_(batch.numeric.slice(1, number, end).index_select(0, order));
      number = end;
    } else if (spec.is_categorical()) {
      shuffled.categorical = batch.categorical.clone();
      shuffled.categorical.select(1, category)
          .copy_(batch.categorical.select(1, category).index_select(0, order));
      ++category;
    } else if (spec.is_sequence()) {
      for (auto* tensor :
           {&shuffled.sequences[sequence].values, &shuffled.sequences[sequence].lengths}) {
        *tensor = tensor->index_select(0, order);
      }
      ++sequence;
    } else {
      continue;
    }
    list.push_back({spec.feature_name(), whole - measure(shuffled)});
  }
  return list;
}

namespace {

/// The columns that a prediction adds.
std::vector<std::string> prediction_names(const std::vector<EncoderSpec>& specs,
                                          const std::string& name) {
  std::vector<std::string> names;
  for (const auto& spec : specs) {
    if (spec.kind != EncoderKind::kLabel) continue;
    if (spec.task != Task::kMultilabel) return {name};
    names.push_back(fmt::format("{}_{}", name, spec.column));
  }
  return names;
}

}  // namespace

std::vector<float> TabularModel::State::predicted(const Batch& batch) const {
  torch::NoGradGuard no_grad;
  net.module->eval();
  // In parts of one size: what some networks keep of a row is much larger than the row.
  const int64_t rows = batch.rows(), parts = std::max<int64_t>(1, rows / net.rows_at_once);
  std::vector<float> values;
  for (int64_t part = 0; part < parts; ++part) {
    const auto scores =
        to_vector(row_scores(rows_of(batch, rows * part / parts, rows * (part + 1) / parts)));
    values.insert(values.end(), scores.begin(), scores.end());
  }
  restore_units(&values);
  return values;
}

namespace {

/// Values with empty ones at the places that were left out.
template <typename Value>
void spread(std::vector<Value>* values, const std::vector<int64_t>& left_out, size_t rows) {
  std::vector<Value> all(rows);
  auto next = left_out.begin();
  for (size_t row = 0, from = 0; row < rows; ++row) {
    if (next != left_out.end() && *next == static_cast<int64_t>(row)) {
      ++next;
    } else {
      all[row] = std::move((*values)[from++]);
    }
  }
  *values = std::move(all);
}

}  // namespace

TabularModel::Predictor TabularModel::predictor(const ArrowSchema& schema,
                                                const std::string& name) const {
  const bool is_text = label().task == Task::kMulticlass;
  Predictor predictor;
  for (const auto& column : prediction_names(state_->specs, name))
    predictor.columns.push_back(
        {column, is_text ? AddedColumn::Kind::kText : AddedColumn::Kind::kDouble});
  const auto encoder = std::make_shared<Encoder>(state_->specs, schema, false);
  predictor.values = [state = state_, label = label(), encoder, is_text,
                      count = predictor.columns.size()](const ArrowArray& batch) {
    Encoder::LeftOut left_out;
    const auto scores = state->predicted(encoder->encode(batch, &left_out));
    const auto outputs = is_text ? label.vocabulary.size() : count;
    std::vector<AddedValues> out(count);
    for (size_t row = 0; row < scores.size(); row += outputs) {
      const auto begin = scores.begin() + static_cast<int64_t>(row);
      const auto best = std::max_element(begin, begin + static_cast<int64_t>(outputs)) - begin;
      if (is_text) out[0].texts.push_back(label.vocabulary[static_cast<size_t>(best)]);
      for (size_t place = 0; place < count && !is_text; ++place)
        out[place].numbers.push_back(begin[static_cast<int64_t>(place)]);
    }
    if (left_out.rows.empty()) return out;
    for (auto& values : out) {
      const auto rows = static_cast<size_t>(batch.length);
      is_text ? spread(&values.texts, left_out.rows, rows)
              : spread(&values.numbers, left_out.rows, rows);
      values.missing.assign(rows, false);
      for (const auto row : left_out.rows) values.missing[static_cast<size_t>(row)] = true;
    }
    return out;
  };
  return predictor;
}

ArrowStream TabularModel::transform(ArrowStream rows, const std::string& name) const {
  // Errors that can be known now are thrown as they are, not through the stream.
  auto made = predictor(*rows.schema().get(), name);
  return with_added_columns(std::move(rows), std::move(made.columns), std::move(made.values));
}

namespace {

constexpr const char* kTokenizerFile = "tokenizer.json";

/// The specs as an artifact has them, and the tokenizer that they name beside: its file, and those
/// that transformers reads with it.
std::vector<EncoderSpec> with_tokenizer(std::vector<EncoderSpec> specs, const fs::path& folder) {
  for (auto& spec : specs) {
    if (spec.kind != EncoderKind::kText) continue;
    const fs::path file = spec.tokenizer;
    for (const char* beside : {"tokenizer_config.json", "special_tokens_map.json"}) {
      if (fs::exists(file.parent_path() / beside))
        write_file_aside(folder / beside, read_file(file.parent_path() / beside));
    }
    write_file_aside(folder / kTokenizerFile, read_file(file));
    spec.tokenizer = kTokenizerFile;
  }
  return specs;
}

/// Of model.json.
TabularOptions options_from(const nlohmann::json& json) {
  TabularOptions options;
  options.kind = json.at("kind");
  if (is_pretrained(options.kind)) {
    auto& tuning = options.fine_tuning;
    tuning.of = value_named(kFineTunings, "fine-tuning", json.at("fine_tune").get<std::string>());
    tuning.lora.rank = json.at("lora_rank");
    tuning.lora.alpha = json.at("lora_alpha");
    tuning.lora.dropout = json.at("lora_dropout");
    tuning.lora.targets = json.at("lora_targets").get<std::vector<std::string>>();
    options.network = json.at("network");
    options.image_size = json.at("image_size");
    options.augment = json.at("augment");
    options.inputs = json.at("inputs").get<std::map<std::string, std::string>>();
    return options;
  }
  const auto kinds = nn::tabular_net_kinds();
  if (std::find(kinds.begin(), kinds.end(), options.kind) == kinds.end()) {
    throw Error("INVALID_OPTION", fmt::format("There is no kind `{}`.", options.kind));
  }
  options.hidden = json.at("hidden").get<std::vector<int64_t>>();
  options.dropout = json.at("dropout");
  options.activation = json.at("activation");
  options.embedding_dimension = json.at("embedding_dimension");
  options.batch_norm = json.at("batch_norm");
  options.blocks = json.value("blocks", options.blocks);
  options.heads = json.value("heads", options.heads);
  options.ensemble = json.value("ensemble", options.ensemble);
  options.item = json.value("item", options.item);
  return options;
}

}  // namespace

void TabularModel::save(const fs::path& folder) const {
  const auto& options = state_->options;
  const auto& tuning = options.fine_tuning;
  nlohmann::ordered_json model = {{"kind", options.kind},
                                  {"hidden", options.hidden},
                                  {"dropout", options.dropout},
                                  {"activation", options.activation},
                                  {"embedding_dimension", options.embedding_dimension},
                                  {"batch_norm", options.batch_norm},
                                  {"blocks", options.blocks},
                                  {"heads", options.heads},
                                  {"ensemble", options.ensemble},
                                  {"item", options.item}};
  if (is_pretrained(options.kind)) {
    model = {{"kind", options.kind},
             {"fine_tune", name_of(kFineTunings, tuning.of)},
             {"lora_rank", tuning.lora.rank},
             {"lora_alpha", tuning.lora.alpha},
             {"lora_dropout", tuning.lora.dropout},
             {"lora_targets", tuning.lora.targets},
             {"network", options.network},
             {"image_size", options.image_size},
             {"augment", options.augment},
             {"inputs", options.inputs}};
  }
  write_file_aside(folder / "model.json", model.dump(1) + "\n");
  write_file_aside(folder / "encoders.json",
                   encoders_to_json(with_tokenizer(state_->specs, folder)));
  if (state_->net.save) state_->net.save(folder);
  NamedTensors named;
  named.tensors = weights_of(*state_->net.module);
  named.metadata["format"] = "pt";
  write_safetensors(folder / "model.safetensors", named);
}

TabularModel TabularModel::load(const fs::path& folder) {
  TabularOptions options;
  const auto path = folder / "model.json";
  try {
    options = options_from(nlohmann::json::parse(read_file(path)));
  } catch (const nlohmann::json::exception& error) {
    throw Error("INVALID_ARTIFACT",
                fmt::format("`{}` cannot be read: {}.", path.string(), error.what()));
  } catch (const Error& error) {
    if (error.condition() != "INVALID_OPTION") throw;
    throw Error("INVALID_ARTIFACT",
                fmt::format("`{}` cannot be read: {}", path.string(), error.message()));
  }
  auto specs = encoders_from_json(read_file(folder / "encoders.json"));
  for (auto& spec : specs)
    if (spec.kind == EncoderKind::kText) spec.tokenizer = folder / spec.tokenizer;
  TabularModel model(std::make_shared<State>(std::move(specs), options, folder, Weights::kNone));
  const auto weights = folder / "model.safetensors";
  assign_weights(*model.state_->net.module, read_safetensors(weights).tensors, weights.string());
  return model;
}

TabularModel TabularModel::of_folder(const fs::path& folder) {
  TabularOptions options;
  options.path = folder.string();
  const auto images = read_vision_folder(folder);
  options.kind = images ? "vision" : "hf";
  if (images) options.network = images->architecture;
  auto specs = images ? image_specs(*images, folder) : text_specs(folder);
  return TabularModel(
      std::make_shared<State>(std::move(specs), std::move(options), folder, Weights::kWhole));
}

EncodedRows encode_rows(const std::vector<EncoderSpec>& specs, const OpenRows& rows) {
  auto stream = rows();
  const auto schema = stream.schema();
  const Encoder encoder(specs, *schema.get());
  const auto& layout = encoder.layout();
  EncodedRows all;
  all.columns = layout.numeric_count + static_cast<int64_t>(layout.categorical.size());
  all.names = layout.names;
  for (int64_t i = 0; i < all.columns; ++i) all.is_categorical.push_back(i >= layout.numeric_count);
  while (const auto batch = stream.next()) {
    const Batch tensors = encoder.encode(*batch->get());
    const auto values =
        to_vector(torch::cat({tensors.numeric, tensors.categorical.to(torch::kFloat32)}, 1));
    all.values.insert(all.values.end(), values.begin(), values.end());
    auto label = tensors.label;
    if (!label.defined()) label = torch::zeros({batch->rows()});
    const auto labels = to_vector(label.dim() == 2 ? label.select(1, 0) : label);
    all.labels.insert(all.labels.end(), labels.begin(), labels.end());
    all.rows += batch->rows();
  }
  return all;
}

std::vector<std::string> tabular_kinds() { return nn::tabular_net_kinds(); }
std::vector<std::string> sequence_kinds() { return nn::sequence_net_kinds(); }
std::string torch_version() { return TORCH_VERSION; }

}  // namespace firesteel
