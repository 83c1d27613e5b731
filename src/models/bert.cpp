// One layer for the family; a table says what each calls its parts.
#include "models/bert.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "models/activation.h"
#include "models/config_values.h"
#include "models/model_folder.h"

namespace firesteel {

namespace nn = torch::nn;
using nlohmann::json;

namespace {

/// Names of a family's parts, as transformers has them.
struct Names {
  const char* family;
  const char *layers, *query, *key, *value, *attended, *attended_norm, *inner, *outer, *outer_norm;
};
constexpr Names kNames[] = {
    {"bert", "encoder.layer", "attention.self.query", "attention.self.key", "attention.self.value",
     "attention.output.dense", "attention.output.LayerNorm", "intermediate.dense", "output.dense",
     "output.LayerNorm"},
    {"distilbert", "transformer.layer", "attention.q_lin", "attention.k_lin", "attention.v_lin",
     "attention.out_lin", "sa_layer_norm", "ffn.lin1", "ffn.lin2", "output_layer_norm"}};

const Names* names_of(const std::string& family) {
  for (const auto& names : kNames)
    if (names.family == family) return &names;
  return family == "roberta" ? kNames : nullptr;  // as BERT
}

nn::LayerNorm layer_norm(const BertOptions& options) {
  return nn::LayerNorm(nn::LayerNormOptions({options.width}).eps(options.norm_epsilon));
}

void check(const BertOptions& options, const json& config, const std::string& file) {
  const auto unsupported = [&](const std::string& what) {
    throw Error("UNSUPPORTED_MODEL", fmt::format("{}: {}", file, what));
  };
  if (!names_of(options.family))
    unsupported(fmt::format("models of the type `{}` are not among bert, roberta and distilbert.",
                            options.family));
  if (config.value("position_embedding_type", "absolute") != "absolute")
    unsupported("positions that are not absolute");
  if (config.value("is_decoder", false)) unsupported("a decoder");
  for (const char* known : {"gelu", "gelu_new", "gelu_pytorch_tanh", "relu"})
    if (options.activation == known) return;
  unsupported(
      fmt::format("the activation `{}`, which is not gelu, gelu_new or relu", options.activation));
}

}  // namespace

BertOptions read_bert_options(const std::filesystem::path& folder) {
  const auto file = (folder / "config.json").string();
  BertOptions out;
  try {
    const auto config = json::parse(read_file(file));
    read_value(config, {"model_type"}, out.family);
    if (out.family == "distilbert") out.types = 0;
    read_value(config, {"vocab_size"}, out.vocabulary);
    read_value(config, {"hidden_size", "dim"}, out.width);
    read_value(config, {"num_hidden_layers", "n_layers"}, out.layers);
    read_value(config, {"num_attention_heads", "n_heads"}, out.heads);
    read_value(config, {"intermediate_size", "hidden_dim"}, out.inner);
    read_value(config, {"max_position_embeddings"}, out.positions);
    read_value(config, {"type_vocab_size"}, out.types);
    read_value(config, {"pad_token_id"}, out.padding);
    read_value(config, {"hidden_act", "activation"}, out.activation);
    read_value(config, {"hidden_dropout_prob", "dropout"}, out.dropout);
    read_value(config, {"attention_probs_dropout_prob", "attention_dropout"},
               out.attention_dropout);
    out.head_dropout = out.dropout;
    read_value(config, {"classifier_dropout", "seq_classif_dropout"}, out.head_dropout);
    read_value(config, {"layer_norm_eps"}, out.norm_epsilon);
    read_value(config, {"initializer_range"}, out.new_deviation);
    std::string problem;
    read_value(config, {"problem_type"}, problem);
    out.several_labels = problem == "multi_label_classification";
    std::map<std::string, std::string> labels;
    read_value(config, {"id2label"}, labels);
    int64_t count = labels.empty() ? 2 : static_cast<int64_t>(labels.size());
    read_value(config, {"num_labels"}, count);
    for (int64_t i = 0; i < count; ++i) {
      const auto found = labels.find(std::to_string(i));
      out.labels.push_back(found == labels.end() ? fmt::format("LABEL_{}", i) : found->second);
    }
    check(out, config, file);
  } catch (const json::exception& error) {
    throw Error("INVALID_ARTIFACT", fmt::format("{} is damaged: {}", file, error.what()));
  }
  if (out.width < 1 || out.heads < 1 || out.width % out.heads != 0)
    throw Error("INVALID_ARTIFACT", fmt::format("{}: a width of {} cannot be cut into {} heads.",
                                                file, out.width, out.heads));
  return out;
}

BertLayerImpl::BertLayerImpl(const BertOptions& options)
    : heads(options.heads),
      dropout(options.dropout),
      attention_dropout(options.attention_dropout),
      activation(options.activation) {
  const auto& names = *names_of(options.family);
  const auto linear = [&](const char* name, int64_t in, int64_t out) {
    return placed(*this, name, Dense(in, out));
  };
  query = linear(names.query, options.width, options.width);
  key = linear(names.key, options.width, options.width);
  value = linear(names.value, options.width, options.width);
  attended = linear(names.attended, options.width, options.width);
  attended_norm = placed(*this, names.attended_norm, layer_norm(options));
  inner = linear(names.inner, options.width, options.inner);
  outer = linear(names.outer, options.inner, options.width);
  outer_norm = placed(*this, names.outer_norm, layer_norm(options));
}

torch::Tensor BertLayerImpl::forward(const torch::Tensor& x, const torch::Tensor& mask) {
  const auto split = [&](const torch::Tensor& all) {
    return all.view({all.size(0), all.size(1), heads, -1}).transpose(1, 2);
  };
  std::optional<torch::Tensor> seen;
  if (mask.defined()) seen = mask;
  auto y = at::scaled_dot_product_attention(split(query(x)), split(key(x)), split(value(x)), seen,
                                            is_training() ? attention_dropout : 0.0);
  y = attended(y.transpose(1, 2).reshape(x.sizes()));
  const auto middle = attended_norm(torch::dropout(y, dropout, is_training()) + x);
  y = inner(middle);
  y = outer(activate(activation, y));
  return outer_norm(torch::dropout(y, dropout, is_training()) + middle);
}

BertImpl::BertImpl(const BertOptions& made, bool with_pooler) : options(made) {
  // A padding's row does not learn.
  const auto embedding = [&](const char* name, int64_t rows, bool pads = false) {
    auto made = nn::EmbeddingOptions(rows, options.width);
    return placed(*this, name, nn::Embedding(pads ? made.padding_idx(options.padding) : made));
  };
  words = embedding("embeddings.word_embeddings", options.vocabulary, true);
  places =
      embedding("embeddings.position_embeddings", options.positions, options.family == "roberta");
  if (options.types > 0) types = embedding("embeddings.token_type_embeddings", options.types);
  norm = placed(*this, "embeddings.LayerNorm", layer_norm(options));
  const std::string list = names_of(options.family)->layers;
  for (int64_t i = 0; i < options.layers; ++i)
    layers.push_back(placed(*this, fmt::format("{}.{}", list, i), BertLayer(options)));
  if (with_pooler && options.family != "distilbert")
    pooler = placed(*this, "pooler.dense", Dense(options.width, options.width));
}

torch::Tensor BertImpl::forward(const BertInput& input) {
  const auto count = input.tokens.size(1);
  if (count > options.tokens_max())
    throw Error("MODEL_INPUT_INVALID", fmt::format("A text has {} tokens; the model takes {}.",
                                                   count, options.tokens_max()));
  torch::Tensor place;
  if (options.family == "roberta") {  // counted from behind the padding's number
    const auto seen = input.tokens.ne(options.padding).to(torch::kInt64);
    place = seen.cumsum(1) * seen + options.padding;
  } else {
    place = torch::arange(count, input.tokens.options()).unsqueeze(0);
  }
  auto x = words(input.tokens) + places(place);
  if (types)
    x = x + (input.types.defined() ? types(input.types) : types->weight[0].view({1, 1, -1}));
  x = torch::dropout(norm(x), options.dropout, is_training());
  const auto mask = input.mask.defined() ? input.mask.unsqueeze(1).unsqueeze(1) : torch::Tensor();
  for (auto& layer : layers) x = layer(x, mask);
  return x;
}

torch::Tensor BertImpl::pooled(const torch::Tensor& hidden) {
  return torch::tanh(pooler(hidden.select(1, 0)));
}

BertClassifierImpl::BertClassifierImpl(const BertOptions& made, BertHead kind)
    : options(made), head(kind) {
  const bool sequence = head == BertHead::kSequence;
  const bool pooler = sequence && options.family == "bert";
  const auto labels = static_cast<int64_t>(options.labels.size());
  bert = register_module(options.family, Bert(options, pooler));
  const auto linear = [&](const char* name, int64_t out) {
    nn::Linear made(options.width, out);
    nn::init::normal_(made->weight, 0, options.new_deviation);
    nn::init::zeros_(made->bias);
    return placed(*this, name, made);
  };
  if (sequence && options.family == "distilbert") dense = linear("pre_classifier", options.width);
  if (sequence && options.family == "roberta") dense = linear("classifier.dense", options.width);
  classifier = linear(
      sequence && options.family == "roberta" ? "classifier.out_proj" : "classifier", labels);
}

torch::Tensor BertClassifierImpl::forward(const BertInput& input) {
  const auto dropped = [&](const torch::Tensor& x) {
    return torch::dropout(x, options.head_dropout, is_training());
  };
  auto x = bert(input);
  if (head == BertHead::kTokens) return classifier(dropped(x));
  if (options.family == "bert") return classifier(dropped(bert->pooled(x)));
  x = x.select(1, 0);
  if (options.family == "distilbert") return classifier(dropped(torch::relu(dense(x))));
  return classifier(dropped(torch::tanh(dense(dropped(x)))));
}

}  // namespace firesteel
