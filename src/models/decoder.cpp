// Reads options, keeps keys and values, says which tokens see which.
#include "models/decoder.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "models/config_values.h"
#include "models/gpt2.h"
#include "models/llama.h"
#include "models/model_folder.h"

namespace firesteel {

namespace fs = std::filesystem;
namespace nn = torch::nn;
using nlohmann::json;

namespace {

/// Where the families differ from Llama; GPT-2 has a module of its own.
struct Family {
  const char* name;
  bool tied = false;
  int64_t head_width = 0;   // where config.json does not say; 0: width / heads
  bool input_bias = false;  // always
  bool head_norms = false;
  int64_t key_value_heads = 0;  // where config.json does not say; 0: as many as heads
};
constexpr Family kFamilies[] = {{.name = "gpt2", .tied = true},
                                {.name = "llama"},
                                {.name = "mistral", .key_value_heads = 8},
                                {.name = "qwen2", .input_bias = true},
                                {.name = "qwen3", .head_width = 128, .head_norms = true}};

constexpr const char* kActivations[] = {"gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu"};

[[noreturn]] void unsupported(const fs::path& file, const std::string& what) {
  throw Error("UNSUPPORTED_MODEL", fmt::format("{}: {}", file.string(), what));
}

const Family& family_of(const std::string& name, const fs::path& file) {
  for (const auto& family : kFamilies)
    if (family.name == name) return family;
  unsupported(file, fmt::format("models of the type `{}` are no decoders that are known: gpt2, "
                                "llama, mistral, qwen2 and qwen3.",
                                name));
}

void read_gpt2(const json& config, DecoderOptions& out, const fs::path& file) {
  read_value(config, {"embd_pdrop"}, out.embedding_dropout = 0.1);
  read_value(config, {"attn_pdrop"}, out.attention_dropout = 0.1);
  read_value(config, {"resid_pdrop"}, out.residual_dropout = 0.1);
  read_value(config, {"scale_attn_weights"}, out.scaled);
  read_value(config, {"scale_attn_by_inverse_layer_idx"}, out.scaled_by_layer);
  if (config.value("add_cross_attention", false)) unsupported(file, "attention to an encoder");
}

/// transformers writes rope_parameters; before version 5 it was rope_theta and rope_scaling.
void read_rotary(const json& config, DecoderOptions& out, const fs::path& file) {
  read_value(config, {"rope_theta"}, out.rotary_base);
  json given = json::object();
  read_value(config, {"rope_parameters", "rope_scaling"}, given);
  auto& scaling = out.rotary_scaling;
  read_value(given, {"rope_theta"}, out.rotary_base);
  read_value(given, {"rope_type", "type"}, scaling.kind);
  read_value(given, {"factor"}, scaling.factor);
  read_value(given, {"low_freq_factor"}, scaling.low);
  read_value(given, {"high_freq_factor"}, scaling.high);
  read_value(given, {"original_max_position_embeddings"}, scaling.positions);
  if (scaling.kind != "default" && scaling.kind != "linear" && scaling.kind != "llama3")
    unsupported(file, fmt::format("rotary positions of the type `{}`, which is not default, linear "
                                  "or llama3",
                                  scaling.kind));
  if (given.value("partial_rotary_factor", config.value("partial_rotary_factor", 1.0)) != 1)
    unsupported(file, "rotary positions of a part of each head");
}

void read_windows(const json& config, DecoderOptions& out) {
  out.windowed.assign(static_cast<size_t>(out.layers), out.family == "mistral");
  const bool qwen = out.family.starts_with("qwen");
  if (out.family != "mistral" && !(qwen && config.value("use_sliding_window", false))) return;
  out.window = config.contains("sliding_window") ? 0 : 4096;
  read_value(config, {"sliding_window"}, out.window);
  if (!qwen) return;
  int64_t first = 28;
  read_value(config, {"max_window_layers"}, first);
  std::vector<std::string> types;
  read_value(config, {"layer_types"}, types);
  for (size_t i = 0; i < out.windowed.size(); ++i)
    out.windowed[i] =
        i < types.size() ? types[i] == "sliding_attention" : static_cast<int64_t>(i) >= first;
}

void read_llama(const json& config, const Family& family, DecoderOptions& out,
                const fs::path& file) {
  out.activation = "silu";
  out.norm_epsilon = 1e-6;
  read_value(config, {"rms_norm_eps"}, out.norm_epsilon);
  read_value(config, {"hidden_act"}, out.activation);
  read_value(config, {"attention_dropout"}, out.attention_dropout);
  read_value(config, {"num_key_value_heads"},
             out.key_value_heads = family.key_value_heads ? family.key_value_heads : out.heads);
  if (out.family == "llama" || out.family == "qwen3")
    read_value(config, {"attention_bias"}, out.output_bias);
  out.input_bias = family.input_bias || out.output_bias;
  if (out.family == "llama") read_value(config, {"mlp_bias"}, out.inner_bias);
  out.head_norms = family.head_norms;
  read_rotary(config, out, file);
  read_windows(config, out);
}

void check(const DecoderOptions& options, const fs::path& file) {
  if (std::ranges::find(kActivations, options.activation) == std::end(kActivations))
    unsupported(file, fmt::format("the activation `{}`, which is not gelu, gelu_new, relu or silu",
                                  options.activation));
  const bool whole = options.heads > 0 && options.key_value_heads > 0 && options.head_width > 0 &&
                     options.heads % options.key_value_heads == 0;
  if (!whole || (options.family == "gpt2" && options.width % options.heads != 0))
    throw Error("INVALID_ARTIFACT",
                fmt::format("{}: a width of {} cannot be cut into {} heads, {} of them with keys.",
                            file.string(), options.width, options.heads, options.key_value_heads));
}

}  // namespace

DecoderOptions read_decoder_options(const fs::path& folder) {
  const auto file = folder / "config.json";
  DecoderOptions out;
  try {
    const auto config = json::parse(read_file(file));
    read_value(config, {"model_type"}, out.family = "");
    const auto& family = family_of(out.family, file);
    read_value(config, {"vocab_size"}, out.vocabulary);
    read_value(config, {"hidden_size", "n_embd"}, out.width);
    read_value(config, {"num_hidden_layers", "n_layer"}, out.layers);
    read_value(config, {"num_attention_heads", "n_head"}, out.heads);
    read_value(config, {"intermediate_size", "n_inner"}, out.inner = 4 * out.width);
    read_value(config, {"max_position_embeddings", "n_positions"}, out.positions);
    read_value(config, {"activation_function"}, out.activation);
    read_value(config, {"layer_norm_epsilon"}, out.norm_epsilon);
    read_value(config, {"tie_word_embeddings"}, out.tied = family.tied);
    out.key_value_heads = out.heads;
    out.head_width = family.head_width ? family.head_width
                     : out.heads > 0   ? out.width / out.heads
                                       : 0;
    read_value(config, {"head_dim"}, out.head_width);
    if (out.family == "gpt2")
      read_gpt2(config, out, file);
    else
      read_llama(config, family, out, file);
  } catch (const json::exception& error) {
    throw Error("INVALID_ARTIFACT", fmt::format("{} is damaged: {}", file.string(), error.what()));
  }
  check(out, file);
  return out;
}

std::pair<torch::Tensor, torch::Tensor> KeyValueCache::extend(size_t layer,
                                                              const torch::Tensor& keys,
                                                              const torch::Tensor& values) {
  if (layers_.size() <= layer) layers_.resize(layer + 1);
  const auto end = length_ + keys.size(2);
  const auto put = [&](torch::Tensor& all, const torch::Tensor& more) {
    if (!all.defined() || all.size(2) < end) {
      const auto capacity = all.defined() ? std::max(2 * all.size(2), end) : end + 64;
      auto grown = more.new_empty({more.size(0), more.size(1), capacity, more.size(3)});
      if (all.defined()) grown.narrow(2, 0, length_).copy_(all.narrow(2, 0, length_));
      all = grown;
    }
    all.narrow(2, length_, more.size(2)).copy_(more);
    return all.narrow(2, 0, end);
  };
  auto& to = layers_[layer];
  return {put(to.keys, keys), put(to.values, values)};
}

namespace {

/// What is added to the scores of `count` tokens behind `past` others: 0, or -infinity for a token
/// that is not seen. A padding sees itself, so that nothing is divided by zero.
torch::Tensor score_mask(int64_t past, int64_t count, int64_t window, const torch::Tensor& seen,
                         const torch::TensorOptions& like) {
  const auto all = past + count;
  if (window >= all) window = 0;
  if (!seen.defined() && window == 0 && (count == 1 || past == 0)) return {};
  const auto key = torch::arange(all, like.dtype(torch::kInt64));
  const auto query = key.slice(0, past).unsqueeze(1);
  auto allowed = key <= query;
  if (window > 0) allowed = allowed & (key > query - window);
  if (seen.defined()) allowed = (allowed & seen.unsqueeze(1)) | (key == query);
  const auto mask = torch::zeros(allowed.sizes(), like).masked_fill_(~allowed, -INFINITY);
  return allowed.dim() == 3 ? mask.unsqueeze(1) : mask.view({1, 1, count, all});
}

}  // namespace

torch::Tensor Decoder::hidden(const torch::Tensor& tokens, KeyValueCache* cache,
                              const torch::Tensor& mask) {
  const auto past = cache ? cache->length_ : 0;
  const auto count = tokens.size(1);
  auto seen = cache ? cache->seen_ : torch::Tensor();
  if (mask.defined() || seen.defined()) {
    const auto or_ones = [&](const torch::Tensor& given, int64_t size) {
      return given.defined()
                 ? given
                 : torch::ones({tokens.size(0), size}, tokens.options().dtype(at::kBool));
    };
    seen = torch::cat({or_ones(seen, past), or_ones(mask, count)}, 1);
  } else if (past + count > options.positions) {
    throw Error("MODEL_INPUT_INVALID", fmt::format("A text has {} tokens; the model takes {}.",
                                                   past + count, options.positions));
  }
  DecoderPass pass{.cache = cache};
  pass.positions = seen.defined()
                       ? (seen.cumsum(1).slice(1, past) - 1).clamp(0, options.positions - 1)
                       : torch::arange(past, past + count, tokens.options()).unsqueeze(0);
  const auto like = words->weight.options().requires_grad(false);
  pass.mask = score_mask(past, count, 0, seen, like);
  pass.windowed_mask =
      options.window > 0 ? score_mask(past, count, options.window, seen, like) : pass.mask;
  auto out = layers(words(tokens), pass);
  if (cache) {
    cache->length_ += count;
    cache->seen_ = seen;
  }
  return out;
}

torch::Tensor Decoder::logits(const torch::Tensor& hidden) {
  return head ? head(hidden) : torch::linear(hidden, words->weight);
}

torch::Tensor Decoder::forward(const torch::Tensor& tokens, KeyValueCache* cache,
                               const torch::Tensor& mask) {
  return logits(hidden(tokens, cache, mask));
}

void Decoder::add_head() {
  if (options.tied) return;
  head = register_module("lm_head",
                         Dense(nn::LinearOptions(options.width, options.vocabulary).bias(false)));
}

torch::Tensor attend(const torch::Tensor& queries, torch::Tensor keys, torch::Tensor values,
                     size_t layer, const DecoderPass& pass, bool windowed, double dropout,
                     double scale) {
  if (pass.cache) std::tie(keys, values) = pass.cache->extend(layer, keys, values);
  const auto rows = queries.size(0), heads = queries.size(1), count = queries.size(2);
  const auto times = heads / keys.size(1);
  auto asked = queries;
  if (count == 1) {  // The heads that share keys are as so many tokens.
    asked = queries.reshape({rows, heads / times, times, -1});
  } else if (times > 1) {
    const auto repeated = [&](const torch::Tensor& x) {
      return x.unsqueeze(2)
          .expand({rows, heads / times, times, x.size(2), x.size(3)})
          .reshape({rows, heads, x.size(2), x.size(3)});
    };
    keys = repeated(keys);
    values = repeated(values);
  }
  const auto& mask = windowed ? pass.windowed_mask : pass.mask;
  std::optional<torch::Tensor> added;
  if (mask.defined()) added = mask;
  const auto seen = at::scaled_dot_product_attention(asked, keys, values, added, dropout,
                                                     !added && count > 1, scale);
  return seen.reshape({rows, heads, count, -1}).transpose(1, 2).reshape({rows, count, -1});
}

torch::Tensor next_token_loss(const torch::Tensor& logits, const torch::Tensor& labels) {
  return nn::functional::cross_entropy(logits.slice(1, 0, -1).flatten(0, 1).to(torch::kFloat32),
                                       labels.slice(1, 1).flatten());
}

std::shared_ptr<Decoder> make_decoder(const DecoderOptions& options) {
  if (options.family == "gpt2") return std::make_shared<Gpt2>(options);
  return std::make_shared<Llama>(options);
}

std::shared_ptr<Decoder> load_decoder(const fs::path& folder) {
  auto model = make_decoder(read_decoder_options(folder));
  load_weights(*model, read_model_weights(folder),
               model->options.family == "gpt2" ? "transformer." : "model.", folder);
  model->eval();
  return model;
}

}  // namespace firesteel
