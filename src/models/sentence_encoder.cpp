// Texts of like length go through the network together, so that little of a batch is padding.
#include "models/sentence_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/added_columns.h"
#include "base/error.h"
#include "base/file.h"
#include "models/bert.h"
#include "models/model_folder.h"
#include "models/text_column.h"
#include "models/token_batches.h"
#include "text/tokenizer.h"
#include "train/trainer.h"

namespace firesteel {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

json read_json(const fs::path& file) {
  try {
    return json::parse(read_file(file));
  } catch (const json::exception& error) {
    throw Error("INVALID_ARTIFACT", fmt::format("{} is damaged: {}", file.string(), error.what()));
  }
}

}  // namespace

struct SentenceEncoder::State {
  enum class Pooling { kMean, kFirst, kMax };

  State(const fs::path& folder, torch::Device on);
  void read_modules(const fs::path& folder);
  torch::Tensor pooled(const torch::Tensor& hidden, const torch::Tensor& mask) const;
  torch::Tensor encode(std::span<const std::string> texts);

  BertOptions options;
  Tokenizer tokenizer;
  Bert bert;
  torch::Device device;
  Pooling pooling = Pooling::kMean;
  bool normalized = false;
  int64_t tokens_max = 0;
};

SentenceEncoder::State::State(const fs::path& folder, torch::Device on)
    : options(read_bert_options(folder)),
      tokenizer(folder),
      bert(options),
      device(on),
      tokens_max(options.tokens_max()) {
  read_modules(folder);
  const auto weights = read_model_weights(folder);
  const auto has_pooler = [&](const std::string& prefix) {
    return weights.tensors.contains(prefix + "pooler.dense.weight");
  };
  if (!has_pooler("") && !has_pooler(options.family + ".")) bert = Bert(options, false);
  load_weights(*bert, weights, options.family + ".", folder);
  bert->eval();
  bert->to(device);
  tokenizer.set_padding(std::nullopt);
  tokenizer.set_truncation(Truncation{.length_max = static_cast<uint32_t>(tokens_max)});
}

void SentenceEncoder::State::read_modules(const fs::path& folder) {
  if (!fs::exists(folder / "modules.json")) return;
  try {
    for (const auto& module : read_json(folder / "modules.json")) {
      const auto type = module.at("type").get<std::string>();
      const auto kind = type.substr(type.rfind('.') + 1);
      if (kind == "Normalize") {
        normalized = true;
      } else if (kind == "Pooling") {
        const auto config =
            read_json(folder / module.at("path").get<std::string>() / "config.json");
        if (config.value("pooling_mode_cls_token", false))
          pooling = Pooling::kFirst;
        else if (config.value("pooling_mode_max_tokens", false))
          pooling = Pooling::kMax;
        else if (!config.value("pooling_mode_mean_tokens", false))
          throw Error("UNSUPPORTED_MODEL",
                      fmt::format("{}: the pooling is not by mean, maximum or first token.",
                                  folder.string()));
      } else if (kind != "Transformer") {
        throw Error("UNSUPPORTED_MODEL", fmt::format("{}: modules of the type {} are not known.",
                                                     folder.string(), type));
      }
    }
    const auto limits = folder / "sentence_bert_config.json";
    if (fs::exists(limits))
      tokens_max = std::min(tokens_max, read_json(limits).value("max_seq_length", tokens_max));
  } catch (const json::exception& error) {
    throw Error("INVALID_ARTIFACT", fmt::format("{}/modules.json, or what it names, is damaged: {}",
                                                folder.string(), error.what()));
  }
}

torch::Tensor SentenceEncoder::State::pooled(const torch::Tensor& hidden,
                                             const torch::Tensor& mask) const {
  if (pooling == Pooling::kFirst) return hidden.select(1, 0);
  if (!mask.defined())
    return pooling == Pooling::kMean ? hidden.mean(1) : std::get<0>(hidden.max(1));
  const auto seen = mask.unsqueeze(-1);
  if (pooling == Pooling::kMax) return std::get<0>(hidden.masked_fill(~seen, -1e9).max(1));
  return hidden.mul(seen).sum(1) / seen.sum(1).clamp_min(1);
}

torch::Tensor SentenceEncoder::State::encode(std::span<const std::string> texts) {
  const torch::InferenceMode inference;
  const auto encodings =
      tokenizer.encode_batch(texts, {}, std::max(1, static_cast<int>(torch::get_num_threads())));
  std::vector<int64_t> lengths;
  for (const auto& encoding : encodings) lengths.push_back(static_cast<int64_t>(encoding.size()));
  auto out = torch::empty({static_cast<int64_t>(texts.size()), options.width});
  for (const auto& batch : token_batches(lengths)) {
    const auto rows = static_cast<int64_t>(batch.rows.size());
    auto tokens = torch::full({rows, batch.length}, options.padding, torch::kInt64);
    auto mask = torch::zeros({rows, batch.length}, torch::kBool);
    auto* token = tokens.data_ptr<int64_t>();
    auto* seen = mask.data_ptr<bool>();
    for (const auto row : batch.rows) {
      const auto& ids = encodings[static_cast<size_t>(row)].ids;
      std::copy(ids.begin(), ids.end(), token);
      std::fill_n(seen, ids.size(), true);
      token += batch.length;
      seen += batch.length;
    }
    BertInput input{tokens.to(device), batch.padded ? mask.to(device) : torch::Tensor()};
    auto vectors = pooled(bert(input), input.mask);
    if (normalized) vectors = torch::nn::functional::normalize(vectors);
    out.index_copy_(0, torch::tensor(batch.rows), vectors.to(torch::kFloat32).cpu());
  }
  return out;
}

SentenceEncoder::SentenceEncoder(const fs::path& folder, const std::string& device)
    : state_(std::make_unique<State>(folder, device_of(device))) {}

SentenceEncoder::~SentenceEncoder() = default;

int64_t SentenceEncoder::width() const { return state_->options.width; }

int64_t SentenceEncoder::tokens_max() const { return state_->tokens_max; }

std::vector<float> SentenceEncoder::encode(std::span<const std::string> texts) {
  const auto vectors = state_->encode(texts);
  const auto* values = vectors.data_ptr<float>();
  return {values, values + vectors.numel()};
}

ArrowStream SentenceEncoder::transform(ArrowStream rows, const std::string& text,
                                       const std::string& name) {
  const TextColumn column(*rows.schema().get(), text);
  return with_added_columns(
      std::move(rows), {{name, AddedColumn::Kind::kFloatList, width()}},
      [this, column](const ArrowArray& batch) {
        return std::vector<AddedValues>{{.lists = encode(column.texts(batch))}};
      });
}

}  // namespace firesteel
