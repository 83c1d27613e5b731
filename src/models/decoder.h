// Decoders: models that say which token comes next. What the families (gpt2.h, llama.h) share:
// options, attention over a cache of keys and values, the loss.
#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/lora.h"

namespace firesteel {

/// What config.json says. The names are ours, Hugging Face's stand behind them.
struct DecoderOptions {
  std::string family = "gpt2";          // model_type: gpt2, llama, mistral, qwen2, qwen3
  int64_t vocabulary = 50257;           // vocab_size
  int64_t width = 768;                  // hidden_size, n_embd
  int64_t layers = 12;                  // num_hidden_layers, n_layer
  int64_t heads = 12;                   // num_attention_heads, n_head
  int64_t key_value_heads = 12;         // num_key_value_heads: each serves several heads
  int64_t head_width = 64;              // head_dim
  int64_t inner = 3072;                 // intermediate_size, n_inner
  int64_t positions = 1024;             // max_position_embeddings, n_positions
  std::string activation = "gelu_new";  // hidden_act, activation_function
  double norm_epsilon = 1e-5;           // rms_norm_eps, layer_norm_epsilon
  bool tied = true;                     // tie_word_embeddings: the head is the embedding
  double embedding_dropout = 0;         // embd_pdrop
  double attention_dropout = 0;         // attention_dropout, attn_pdrop
  double residual_dropout = 0;          // resid_pdrop
  // GPT-2's:
  bool scaled = true;            // scale_attn_weights
  bool scaled_by_layer = false;  // scale_attn_by_inverse_layer_idx
  // The others':
  bool input_bias = false, output_bias = false;  // attention_bias: of queries, keys, values; after
  bool inner_bias = false;                       // mlp_bias
  bool head_norms = false;                       // of queries and keys
  int64_t window = 0;                            // sliding_window: tokens a token sees; 0: all
  std::vector<bool> windowed;                    // layer_types: by layer
  double rotary_base = 10000;                    // rope_theta
  /// rope_scaling, rope_parameters.
  struct RotaryScaling {
    std::string kind = "default";  // or linear, llama3
    double factor = 1, low = 1, high = 4;
    double positions = 8192;  // original_max_position_embeddings
  } rotary_scaling;
};

/// Of a folder's config.json. Throws UNSUPPORTED_MODEL for another family, or for what these do not
/// do, INVALID_ARTIFACT for a damaged file.
DecoderOptions read_decoder_options(const std::filesystem::path& folder);

/// Keys and values of the tokens that a batch has gone through, so that each is worked out once.
/// Memory is taken ahead, twice as much each time.
class KeyValueCache {
 public:
  /// Tokens so far, padding included.
  int64_t length() const { return length_; }
  /// Puts keys and values [B, heads, T, width] of a layer behind those there are; all of them.
  std::pair<torch::Tensor, torch::Tensor> extend(size_t layer, const torch::Tensor& keys,
                                                 const torch::Tensor& values);

 private:
  friend struct Decoder;
  struct Layer {
    torch::Tensor keys, values;  // [B, heads, capacity, width]
  };
  std::vector<Layer> layers_;
  int64_t length_ = 0;
  torch::Tensor seen_;  // [B, length] bool, false for padding; undefined without any
};

/// What a model's layers share while tokens go through.
struct DecoderPass {
  torch::Tensor positions;            // [1 or B, T] int64
  torch::Tensor mask, windowed_mask;  // added to scores, [1 or B, 1, T, all]; undefined: causal
  KeyValueCache* cache = nullptr;
};

/// …ForCausalLM, GPT2LMHeadModel: parameters have transformers' names.
struct Decoder : torch::nn::Module {
  explicit Decoder(DecoderOptions made) : options(std::move(made)) {}

  /// Tokens [B, T] int64 to logits [B, T, vocabulary]. With a cache they come behind those that it
  /// has. mask [B, T] bool: false for padding, on either side; undefined without any. Throws
  /// MODEL_INPUT_INVALID for more tokens than the model takes.
  torch::Tensor forward(const torch::Tensor& tokens, KeyValueCache* cache = nullptr,
                        const torch::Tensor& mask = {});
  /// The last layer's [B, T, width], of which `logits` makes those of the next token.
  torch::Tensor hidden(const torch::Tensor& tokens, KeyValueCache* cache = nullptr,
                       const torch::Tensor& mask = {});
  torch::Tensor logits(const torch::Tensor& hidden);

  const DecoderOptions options;
  torch::nn::Embedding words{nullptr};
  Dense head{nullptr};  // none when it is the embedding

 protected:
  virtual torch::Tensor layers(const torch::Tensor& x, const DecoderPass& pass) = 0;
  /// Called at the end of a family's constructor: names as the file's.
  void add_head();
};

/// Queries [B, heads, T, width], keys and values of `key_value_heads`; [B, T, heads · width].
torch::Tensor attend(const torch::Tensor& queries, torch::Tensor keys, torch::Tensor values,
                     size_t layer, const DecoderPass& pass, bool windowed, double dropout,
                     double scale);

/// Mean cross entropy of each token's logits [B, T, vocabulary] with the label behind it; labels
/// [B, T] int64, -100 for those that do not count. Labels are the tokens themselves.
torch::Tensor next_token_loss(const torch::Tensor& logits, const torch::Tensor& labels);

/// The folder's model with its weights, in eval mode. Throws as reading options and weights does.
std::shared_ptr<Decoder> load_decoder(const std::filesystem::path& folder);
/// With new weights.
std::shared_ptr<Decoder> make_decoder(const DecoderOptions& options);

}  // namespace firesteel
