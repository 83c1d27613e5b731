// Prompts go through the model once, then each token alone, before a cache of those behind it.
#include "models/token_generation.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace firesteel {

namespace {

/// Tokens [B, T] and where they are, undefined when everywhere.
std::pair<torch::Tensor, torch::Tensor> padded(std::span<const std::vector<int64_t>> prompts,
                                               int64_t padding) {
  size_t longest = 0, shortest = SIZE_MAX;
  for (const auto& prompt : prompts) {
    longest = std::max(longest, prompt.size());
    shortest = std::min(shortest, prompt.size());
  }
  const auto rows = static_cast<int64_t>(prompts.size()), width = static_cast<int64_t>(longest);
  auto tokens = torch::full({rows, width}, padding, torch::kInt64);
  auto mask = torch::ones({rows, width}, torch::kBool);
  for (int64_t row = 0; row < rows; ++row) {
    const auto& prompt = prompts[static_cast<size_t>(row)];
    const auto before = width - static_cast<int64_t>(prompt.size());
    std::ranges::copy(prompt, tokens.data_ptr<int64_t>() + row * width + before);
    std::fill_n(mask.data_ptr<bool>() + row * width, before, false);
  }
  return {tokens, shortest < longest ? mask : torch::Tensor()};
}

/// Chooses among [B, vocabulary] scores as transformers does, in its order.
class Chooser {
 public:
  Chooser(const GenerationOptions& options, const torch::Tensor& prompts, const torch::Tensor& mask,
          int64_t vocabulary)
      : options_(options) {
    if (options.repetition_penalty == 1) return;
    used_ = torch::zeros({prompts.size(0), vocabulary}, prompts.options().dtype(torch::kBool));
    use(mask.defined() ? torch::where(mask, prompts, prompts.slice(1, -1)) : prompts);
  }

  torch::Tensor choose(torch::Tensor scores) const {
    if (used_.defined()) {
      const auto p = options_.repetition_penalty;
      scores = torch::where(used_, torch::where(scores < 0, scores * p, scores / p), scores);
    }
    if (!options_.sample) return scores.argmax(-1);
    if (options_.temperature != 1) scores = scores / options_.temperature;
    if (options_.top_k > 0) scores = best(scores, options_.top_k);
    if (options_.top_p < 1) scores = most_probable(scores, options_.top_p);
    return torch::multinomial(scores.softmax(-1), 1).squeeze(1);
  }

  void use(const torch::Tensor& tokens) {
    if (used_.defined()) used_.scatter_(1, tokens, true);
  }

 private:
  static torch::Tensor best(const torch::Tensor& scores, int64_t count) {
    const auto top = std::get<0>(scores.topk(std::min(count, scores.size(-1))));
    return scores.masked_fill(scores < top.slice(-1, -1), -INFINITY);
  }

  static torch::Tensor most_probable(const torch::Tensor& scores, double share) {
    const auto [sorted, places] = scores.sort(-1, false);
    auto dropped = sorted.softmax(-1).cumsum(-1) <= 1 - share;
    dropped.slice(-1, -1).fill_(false);
    return scores.masked_fill(dropped.scatter(1, places, dropped), -INFINITY);
  }

  const GenerationOptions& options_;
  torch::Tensor used_;
};

/// How many tokens may follow each prompt.
std::vector<int64_t> rooms(std::span<const std::vector<int64_t>> prompts,
                           const GenerationOptions& options, int64_t positions) {
  std::vector<int64_t> out;
  for (const auto& prompt : prompts) {
    const auto length = static_cast<int64_t>(prompt.size());
    if (length >= positions)
      throw Error("MODEL_INPUT_INVALID",
                  fmt::format("The prompt has {} tokens; the model takes {} with those that "
                              "follow.",
                              length, positions));
    out.push_back(std::min(options.tokens_after(length), positions - length));
  }
  return out;
}

}  // namespace

std::vector<std::vector<int64_t>> generate_tokens(Decoder& model,
                                                  std::span<const std::vector<int64_t>> prompts,
                                                  const GenerationOptions& options,
                                                  const OnToken& on_token) {
  const torch::InferenceMode inference;
  if (options.sample && options.seed) torch::manual_seed(*options.seed);
  const auto room = rooms(prompts, options, model.options.positions);
  const auto device = model.words->weight.device();
  auto [tokens, mask] = padded(prompts, options.padding);
  tokens = tokens.to(device);
  if (mask.defined()) mask = mask.to(device);
  Chooser chooser(options, tokens, mask, model.options.vocabulary);
  KeyValueCache cache;
  std::vector<std::vector<int64_t>> out(prompts.size());
  std::vector<bool> over(prompts.size());
  for (size_t row = 0; row < room.size(); ++row) over[row] = room[row] < 1;
  while (!std::ranges::all_of(over, std::identity())) {
    const auto last = model.hidden(tokens, &cache, mask).select(1, -1);
    const auto chosen = chooser.choose(model.logits(last).to(torch::kFloat32)).cpu();
    auto* next = chosen.data_ptr<int64_t>();
    for (size_t row = 0; row < over.size(); ++row) {
      if (over[row]) {  // It goes on as padding, so that the others draw as in transformers.
        next[row] = options.padding;
        continue;
      }
      out[row].push_back(next[row]);
      const bool end = std::ranges::find(options.ends, next[row]) != options.ends.end();
      over[row] = end || (on_token && !on_token(row, next[row])) ||
                  static_cast<int64_t>(out[row].size()) >= room[row];
    }
    tokens = chosen.to(device).unsqueeze(1);
    mask = torch::Tensor();
    chooser.use(tokens);
  }
  return out;
}

}  // namespace firesteel
