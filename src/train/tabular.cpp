// The tabular model over the layers below: encoders → loader → Mlp → trainer, and a prediction
// stream that adds a column to each Arrow batch.
#include "train/tabular.h"

#include <fmt/format.h>
#include <torch/torch.h>
#include <torch/version.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "nn/tabular_net.h"
#include "tensor/loader.h"
#include "train/checkpoint.h"
#include "train/loss.h"
#include "train/safetensors.h"
#include "train/tabular_loaders.h"
#include "train/trainer.h"

namespace firesteel {

struct TabularModel::State {
  std::vector<EncoderSpec> specs;
  TabularOptions options;
  size_t label = 0;  // its place in `specs`
  RecordLayout layout;
  std::shared_ptr<nn::TabularNet> net;

  Task task() const { return specs[label].task; }
  Trainable trainable() {
    return {net,
            [this](const Batch& batch) { return net->forward(batch.numeric, batch.categorical); }};
  }
  /// Streamed once: nothing is kept.
  std::unique_ptr<Loader> in_order(const OpenRows& rows) const {
    LoaderOptions order;
    order.shuffle = false;
    order.end_epoch = 1;
    order.memory_bytes_max = 0;
    return std::make_unique<Loader>(rows, specs, order);
  }
  /// To the label's own units.
  void restore_units(std::vector<float>* values) const {
    if (task() != Task::kRegression) return;
    const auto& spec = specs[label];
    for (auto& value : *values) value = static_cast<float>(value * spec.deviation + spec.mean);
  }
};

namespace {

int64_t output_count(const EncoderSpec& label) {
  return label.task == Task::kMulticlass ? static_cast<int64_t>(label.vocabulary.size()) : 1;
}

size_t label_of(const std::vector<EncoderSpec>& specs) {
  for (size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].kind == EncoderKind::kLabel) return i;
  }
  throw Error("INVALID_ARTIFACT", "The encoders name no label.");
}

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
  loader.sampling = batches.sampling;
  loader.memory_bytes_max = batches.memory_bytes_max / 4 * (validated ? 3 : 4);
  loader.seed = options.seed;
  loader.end_epoch = options.epochs;
  return loader;
}

LoaderOptions validation_loader(const BatchOptions& batches, const TrainerOptions& options) {
  auto loader = loader_options(batches, options, "validation.records");
  loader.memory_bytes_max = batches.memory_bytes_max / 4;
  loader.shuffle = false;
  return loader;
}

TabularModel::TabularModel(std::vector<EncoderSpec> specs, TabularOptions options, uint64_t seed)
    : state_(std::make_shared<State>()) {
  state_->label = label_of(specs);
  state_->specs = std::move(specs);
  state_->options = std::move(options);
  state_->layout = RecordLayout(state_->specs, true);
  nn::TabularNetOptions shape;
  shape.numeric = state_->layout.numeric_count;
  shape.cardinalities = state_->layout.cardinalities;
  shape.hidden = state_->options.hidden;
  shape.dropout = state_->options.dropout;
  shape.activation = nn::activation_from_name(state_->options.activation);
  const bool linear = state_->options.kind == "mlp" && shape.hidden.empty();
  shape.embedding_dimension = linear ? 1 : state_->options.embedding_dimension;
  shape.batch_norm = state_->options.batch_norm;
  shape.outputs = output_count(state_->specs[state_->label]);
  torch::manual_seed(seed);
  shape.blocks = state_->options.blocks;
  shape.heads = state_->options.heads;
  state_->net = nn::make_tabular_net(state_->options.kind, shape);
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
  for (const auto& parameter : state_->net->parameters()) count += parameter.numel();
  return count;
}

TrainResult TabularModel::train(const OpenRows& rows, const OpenRows& validation,
                                const TrainerOptions& given, const BatchOptions& batches,
                                const std::function<void(const TrainProgress&)>& progress) {
  TrainerOptions options = given;
  options.task = state_->task();
  // What the order of the rows depends on, beside the rows and the seed.
  options.data +=
      fmt::format("{}batches of {}, {}, {} MB", options.data.empty() ? "" : ", ", batches.rows,
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
      return std::make_unique<Loader>(validation, state_->specs,
                                      validation_loader(batches, options));
    };
  }
  auto result =
      firesteel::train(state_->trainable(), open_rows, open_validation, options, progress);
  state_->net->to(torch::kCPU);
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

/// The first rows of a source as one batch.
Batch head(Loader& loader, int64_t rows_max) {
  std::vector<torch::Tensor> numeric, categorical, label;
  int64_t rows = 0;
  while (auto batch = loader.next()) {
    numeric.push_back(batch->numeric);
    categorical.push_back(batch->categorical);
    label.push_back(batch->label);
    rows += batch->rows();
    if (rows >= rows_max) break;
  }
  Batch all;
  if (rows == 0) throw Error("TRAINING_DATA_INVALID", "There is no row to evaluate.");
  all.numeric = torch::cat(numeric).slice(0, 0, rows_max);
  all.categorical = torch::cat(categorical).slice(0, 0, rows_max);
  all.label = torch::cat(label).slice(0, 0, rows_max);
  return all;
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
  state_->net->eval();
  const auto loader = state_->in_order(rows);
  const Batch batch = head(*loader, rows_max);
  torch::manual_seed(seed);
  const auto order = torch::randperm(batch.rows());
  const auto measure = [&](const torch::Tensor& numeric, const torch::Tensor& categorical) {
    Scores scores;
    scores.task = state_->task();
    scores.labels = to_vector(batch.label);
    std::vector<torch::Tensor> parts;
    for (int64_t begin = 0; begin < batch.rows(); begin += 8192) {
      parts.push_back(scores_of(state_->net->forward(numeric.slice(0, begin, begin + 8192),
                                                     categorical.slice(0, begin, begin + 8192)),
                                state_->task()));
    }
    const auto values = torch::cat(parts);
    scores.classes = values.size(1);
    scores.values = to_vector(values);
    state_->restore_units(&scores.values);
    state_->restore_units(&scores.labels);
    return metrics_of(scores).at(metric) * (larger_is_better(metric) ? 1 : -1);
  };
  const double whole = measure(batch.numeric, batch.categorical);
  std::vector<FeatureImportance> list;
  int64_t number = 0, category = 0;
  for (const auto& spec : state_->specs) {
    if (spec.kind == EncoderKind::kNumeric) {
      auto shuffled = batch.numeric.clone();
      const int64_t end = number + spec.numeric_count();
      shuffled.slice(1, number, end)
          .copy_(batch.numeric.slice(1, number, end).index_select(0, order));
      number = end;
      list.push_back({spec.feature_name(), whole - measure(shuffled, batch.categorical)});
    } else if (spec.is_categorical()) {
      auto shuffled = batch.categorical.clone();
      shuffled.select(1, category)
          .copy_(batch.categorical.select(1, category).index_select(0, order));
      ++category;
      list.push_back({spec.feature_name(), whole - measure(batch.numeric, shuffled)});
    }
  }
  return list;
}

namespace {

/// The producer of a prediction stream.
struct Prediction {
  ArrowStream rows;
  std::function<std::vector<float>(const ArrowArray&)> scores;  // row after row
  EncoderSpec label;
  int64_t classes = 1;
  std::string name;
  bool is_text = false;
  std::string error;
  std::exception_ptr failure;
};

/// A column or batch made here: its buffers, and children taken from elsewhere.
struct Made {
  std::vector<double> numbers;
  std::vector<int32_t> offsets;
  std::string text;
  const void* buffers[3] = {};
  std::vector<ArrowArray> arrays;
  std::vector<ArrowArray*> children;
  std::vector<ArrowSchema> schemas;
  std::vector<ArrowSchema*> schema_children;
  ArrowBatch batch;
  ArrowSchemaHandle schema;
  std::string name, format;
};

void release_array(ArrowArray* array) {
  for (int64_t i = 0; i < array->n_children; ++i) {
    if (array->children[i]->release) array->children[i]->release(array->children[i]);
  }
  delete static_cast<Made*>(array->private_data);
  array->release = nullptr;
}

void release_schema(ArrowSchema* schema) {
  for (int64_t i = 0; i < schema->n_children; ++i) {
    if (schema->children[i]->release) schema->children[i]->release(schema->children[i]);
  }
  delete static_cast<Made*>(schema->private_data);
  schema->release = nullptr;
}

ArrowSchema column_schema(const std::string& name, const std::string& format) {
  auto* made = new Made;
  made->name = name;
  made->format = format;
  ArrowSchema schema{};
  schema.name = made->name.c_str();
  schema.format = made->format.c_str();
  schema.private_data = made;
  schema.release = release_schema;
  return schema;
}

/// `schema` with one more column.
ArrowSchema with_column(ArrowSchemaHandle schema, ArrowSchema column) {
  auto* made = new Made;
  ArrowSchema* from = schema.out();
  for (int64_t i = 0; i < from->n_children; ++i) {
    made->schemas.push_back(*from->children[i]);
    from->children[i]->release = nullptr;  // Moved, as the interface allows.
  }
  made->schemas.push_back(column);
  for (auto& child : made->schemas) made->schema_children.push_back(&child);
  ArrowSchema all{};
  all.format = "+s";
  all.name = "";
  all.n_children = static_cast<int64_t>(made->schemas.size());
  all.children = made->schema_children.data();
  all.private_data = made;
  all.release = release_schema;
  made->schema = std::move(schema);
  return all;
}

ArrowArray with_column(ArrowBatch batch, ArrowArray column) {
  auto* made = new Made;
  ArrowArray from = batch.release();
  for (int64_t i = 0; i < from.n_children; ++i) {
    made->arrays.push_back(*from.children[i]);
    from.children[i]->release = nullptr;
  }
  made->arrays.push_back(column);
  for (auto& child : made->arrays) made->children.push_back(&child);
  ArrowArray all{};
  all.length = from.length;
  all.offset = from.offset;
  all.n_buffers = 1;
  all.buffers = made->buffers;
  all.n_children = static_cast<int64_t>(made->arrays.size());
  all.children = made->children.data();
  all.private_data = made;
  all.release = release_array;
  made->batch = ArrowBatch(from);
  return all;
}

/// The prediction of each row; `skipped` rows come first that the batch's offset passes over.
ArrowArray prediction_column(const Prediction& state, const std::vector<float>& scores,
                             int64_t skipped) {
  auto* made = new Made;
  ArrowArray array{};
  const int64_t rows = static_cast<int64_t>(scores.size()) / state.classes;
  if (state.is_text) {
    made->offsets.assign(skipped + 1, 0);
    for (int64_t row = 0; row < rows; ++row) {
      const auto begin = scores.begin() + row * state.classes;
      made->text += state.label.vocabulary[std::max_element(begin, begin + state.classes) - begin];
      made->offsets.push_back(static_cast<int32_t>(made->text.size()));
    }
    made->buffers[1] = made->offsets.data();
    made->buffers[2] = made->text.data();
    array.n_buffers = 3;
  } else {
    made->numbers.assign(skipped, 0);
    made->numbers.insert(made->numbers.end(), scores.begin(), scores.end());
    made->buffers[1] = made->numbers.data();
    array.n_buffers = 2;
  }
  array.length = rows + skipped;
  array.buffers = made->buffers;
  array.private_data = made;
  array.release = release_array;
  return array;
}

int get_schema(ArrowArrayStream* stream, ArrowSchema* out) {
  auto& state = *static_cast<Prediction*>(stream->private_data);
  try {
    *out = with_column(state.rows.schema(), column_schema(state.name, state.is_text ? "u" : "g"));
    return 0;
  } catch (const std::exception& error) {
    state.error = error.what();
    state.failure = std::current_exception();
    return EINVAL;
  }
}

int get_next(ArrowArrayStream* stream, ArrowArray* out) {
  auto& state = *static_cast<Prediction*>(stream->private_data);
  try {
    *out = ArrowArray{};
    auto batch = state.rows.next();
    if (!batch) return 0;
    const auto scores = state.scores(*batch->get());
    const ArrowArray column = prediction_column(state, scores, batch->get()->offset);
    *out = with_column(std::move(*batch), column);
    return 0;
  } catch (const std::exception& error) {
    state.error = error.what();
    state.failure = std::current_exception();
    return EIO;
  }
}

}  // namespace

ArrowStream TabularModel::transform(ArrowStream rows, const std::string& name) const {
  // Errors that can be known now are thrown as they are, not through the stream.
  auto schema = rows.schema();
  for (int64_t i = 0; i < schema.get()->n_children; ++i) {
    if (schema.get()->children[i]->name == name) {
      throw Error(
          "COLUMN_ALREADY_EXISTS",
          fmt::format("The rows have a column `{}` already, and the prediction would hide it. "
                      "Rename or drop it.",
                      name));
    }
  }
  const auto encoder = std::make_shared<Encoder>(state_->specs, *schema.get(), false);
  auto* prediction = new Prediction;
  prediction->rows = std::move(rows);
  prediction->scores = [state = state_, encoder](const ArrowArray& batch) {
    torch::NoGradGuard no_grad;
    state->net->eval();
    const Batch tensors = encoder->encode(batch);
    auto values = to_vector(
        scores_of(state->net->forward(tensors.numeric, tensors.categorical), state->task()));
    state->restore_units(&values);
    return values;
  };
  prediction->label = label();
  prediction->classes = output_count(label());
  prediction->is_text = label().task == Task::kMulticlass;
  prediction->name = name;
  ArrowArrayStream stream{};
  stream.private_data = prediction;
  stream.get_schema = get_schema;
  stream.get_next = get_next;
  stream.get_last_error = [](ArrowArrayStream* self) {
    return static_cast<Prediction*>(self->private_data)->error.c_str();
  };
  stream.release = [](ArrowArrayStream* self) {
    delete static_cast<Prediction*>(self->private_data);
    self->release = nullptr;
  };
  ArrowStream predicted(stream);
  // The error of the rows as it was thrown. The stream's owner keeps `prediction` alive meanwhile.
  predicted.raise = [prediction](const std::string&) {
    if (prediction->failure) std::rethrow_exception(prediction->failure);
  };
  return predicted;
}

void TabularModel::save(const std::filesystem::path& folder) const {
  const auto& options = state_->options;
  const nlohmann::ordered_json model = {{"kind", options.kind},
                                        {"hidden", options.hidden},
                                        {"dropout", options.dropout},
                                        {"activation", options.activation},
                                        {"embedding_dimension", options.embedding_dimension},
                                        {"batch_norm", options.batch_norm},
                                        {"blocks", options.blocks},
                                        {"heads", options.heads}};
  write_file_aside(folder / "model.json", model.dump(1) + "\n");
  write_file_aside(folder / "encoders.json", encoders_to_json(state_->specs));
  NamedTensors named;
  named.tensors = weights_of(*state_->net);
  named.metadata["format"] = "pt";
  write_safetensors(folder / "model.safetensors", named);
}

TabularModel TabularModel::load(const std::filesystem::path& folder) {
  TabularOptions options;
  const auto path = folder / "model.json";
  try {
    const auto json = nlohmann::json::parse(read_file(path));
    options.kind = json.at("kind");
    const auto kinds = nn::tabular_net_kinds();
    if (std::find(kinds.begin(), kinds.end(), options.kind) == kinds.end()) {
      throw Error("INVALID_ARTIFACT", fmt::format("`{}` is of the unknown kind {}.", path.string(),
                                                  json.at("kind").dump()));
    }
    options.hidden = json.at("hidden").get<std::vector<int64_t>>();
    options.dropout = json.at("dropout");
    options.activation = json.at("activation");
    options.embedding_dimension = json.at("embedding_dimension");
    options.batch_norm = json.at("batch_norm");
    options.blocks = json.value("blocks", options.blocks);
    options.heads = json.value("heads", options.heads);
  } catch (const nlohmann::json::exception& error) {
    throw Error("INVALID_ARTIFACT",
                fmt::format("`{}` cannot be read: {}.", path.string(), error.what()));
  }
  TabularModel model(encoders_from_json(read_file(folder / "encoders.json")), options, 0);
  const auto weights = folder / "model.safetensors";
  assign_weights(*model.state_->net, read_safetensors(weights).tensors, weights.string());
  return model;
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
    const auto labels = to_vector(tensors.label);
    all.labels.insert(all.labels.end(), labels.begin(), labels.end());
    all.rows += batch->rows();
  }
  return all;
}

std::vector<std::string> tabular_kinds() { return nn::tabular_net_kinds(); }
std::string torch_version() { return TORCH_VERSION; }

}  // namespace firesteel
