// The BERT family (Devlin et al. 2018, https://arxiv.org/abs/1810.04805): BERT, MiniLM, RoBERTa,
// DistilBERT, with the names of parameters that transformers gives them.
#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "models/lora.h"

namespace firesteel {

/// What config.json says. The names are ours, Hugging Face's stand behind them.
struct BertOptions {
  std::string family = "bert";      // model_type: bert, roberta, distilbert
  int64_t vocabulary = 30522;       // vocab_size
  int64_t width = 768;              // hidden_size, dim
  int64_t layers = 12;              // num_hidden_layers, n_layers
  int64_t heads = 12;               // num_attention_heads, n_heads
  int64_t inner = 3072;             // intermediate_size, hidden_dim
  int64_t positions = 512;          // max_position_embeddings
  int64_t types = 2;                // type_vocab_size; 0: none
  int64_t padding = 0;              // pad_token_id
  std::string activation = "gelu";  // hidden_act
  double dropout = 0.1;             // hidden_dropout_prob, dropout
  double attention_dropout = 0.1;   // attention_probs_dropout_prob, attention_dropout
  double head_dropout = 0.1;        // classifier_dropout, seq_classif_dropout
  double norm_epsilon = 1e-12;      // layer_norm_eps
  double new_deviation = 0.02;      // initializer_range: of a new head's weights
  std::vector<std::string> labels;  // id2label
  bool several_labels = false;      // problem_type: multi_label_classification

  /// How many tokens a text may have, special ones included.
  int64_t tokens_max() const { return family == "roberta" ? positions - padding - 1 : positions; }
};

/// Of a folder's config.json. Throws UNSUPPORTED_MODEL for another family, or for what this one
/// does not do (relative positions, other activations), INVALID_ARTIFACT for a damaged file.
BertOptions read_bert_options(const std::filesystem::path& folder);

/// Tokens [B, T] int64; mask [B, T] bool, true where a token is, undefined when all are; token
/// types [B, T] int64, undefined for zeros.
struct BertInput {
  torch::Tensor tokens;
  torch::Tensor mask = {};
  torch::Tensor types = {};
};

struct BertLayerImpl : torch::nn::Module {
  explicit BertLayerImpl(const BertOptions& options);
  /// x [B, T, width]; mask [B, 1, 1, T] bool or undefined.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& mask);

  int64_t heads;
  double dropout, attention_dropout;
  std::string activation;
  Dense query{nullptr}, key{nullptr}, value{nullptr}, attended{nullptr}, inner{nullptr},
      outer{nullptr};
  torch::nn::LayerNorm attended_norm{nullptr}, outer_norm{nullptr};
};
TORCH_MODULE(BertLayer);

/// BertModel, RobertaModel, DistilBertModel.
struct BertImpl : torch::nn::Module {
  /// `pooler`: with the dense layer over the first token, which DistilBERT does not have.
  explicit BertImpl(const BertOptions& options, bool pooler = true);
  /// The last layer's [B, T, width].
  torch::Tensor forward(const BertInput& input);
  /// tanh of a dense layer over the first token's, [B, width].
  torch::Tensor pooled(const torch::Tensor& hidden);

  BertOptions options;
  torch::nn::Embedding words{nullptr}, places{nullptr}, types{nullptr};
  torch::nn::LayerNorm norm{nullptr};
  std::vector<BertLayer> layers;
  Dense pooler{nullptr};
};
TORCH_MODULE(Bert);

enum class BertHead { kSequence, kTokens };

/// …ForSequenceClassification [B, labels] and …ForTokenClassification [B, T, labels]: logits.
struct BertClassifierImpl : torch::nn::Module {
  BertClassifierImpl(const BertOptions& options, BertHead head);
  torch::Tensor forward(const BertInput& input);

  BertOptions options;
  BertHead head;
  Bert bert{nullptr};
  torch::nn::Linear dense{nullptr}, classifier{nullptr};  // `dense`: before, where there is one
};
TORCH_MODULE(BertClassifier);

}  // namespace firesteel
