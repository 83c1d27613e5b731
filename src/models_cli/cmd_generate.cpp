// firesteel generate: what a decoder says after a prompt, as it comes, or after the texts of rows.
#include <fmt/format.h>

#include <cstdio>

#include "base/error.h"
#include "models/generation.h"
#include "models_cli/input_rows.h"

namespace firesteel::cli {

namespace {

struct Options {
  std::string model, prompt, column = "text", name = "generated", device = "auto";
  InputRows in;
  OutputRows out;
  std::optional<int64_t> tokens_max, top_k;
  std::optional<double> temperature, top_p, repetition_penalty;
  std::optional<uint64_t> seed;
  std::vector<std::string> stops;
  bool greedy = false;

  /// The model's own, with what was said here. To say how to sample is to sample.
  GenerationOptions over(GenerationOptions all) const {
    if (tokens_max) all.tokens_max = tokens_max;
    if (temperature || top_k || top_p || seed) all.sample = true;
    if (greedy) all.sample = false;
    all.temperature = temperature.value_or(all.temperature);
    all.top_k = top_k.value_or(all.top_k);
    all.top_p = top_p.value_or(all.top_p);
    all.repetition_penalty = repetition_penalty.value_or(all.repetition_penalty);
    all.seed = seed;
    all.stops.insert(all.stops.end(), stops.begin(), stops.end());
    return all;
  }
};

void generate_one(TextGenerator& generator, const Options& options) {
  if (options.prompt.empty())
    throw Error("INVALID_OPTION", "The prompt is empty. Give a text, or rows with --in.");
  const std::string prompts[] = {options.prompt};
  generator.generate(prompts, options.over(generator.defaults()),
                     [](size_t, std::string_view piece) {
                       fmt::print("{}", piece);
                       std::fflush(stdout);
                     });
  fmt::print("\n");
}

}  // namespace

Run generate_command(CLI::App& app, const GlobalOptions& global) {
  auto options = std::make_shared<Options>();
  app.add_option("model", options->model,
                 "Folder of a decoder: config.json, tokenizer.json, model.safetensors")
      ->required();
  auto* prompt = app.add_option("prompt", options->prompt, "The text to go on from");
  app.add_option("--max-tokens", options->tokens_max,
                 "How many tokens at most (default: the model's, or 64)");
  app.add_flag("--greedy", options->greedy, "The most probable token each time");
  app.add_option("--temperature", options->temperature, "Above 0: the higher, the more of chance");
  app.add_option("--top-k", options->top_k, "Sample among so many tokens; 0: among all");
  app.add_option("--top-p", options->top_p,
                 "Sample among the most probable that have this share together");
  app.add_option("--repetition-penalty", options->repetition_penalty,
                 "Above 1: what was said is less probable");
  app.add_option("--seed", options->seed, "The same sample each time");
  app.add_option("--stop", options->stops, "A text that ends it; repeatable")
      ->allow_extra_args(false);
  auto* in = options->in.add_options(app, "Rows with a column of prompts")->excludes(prompt);
  app.add_option("--column", options->column, "The prompts' column (default: text)")->needs(in);
  app.add_option("--name", options->name, "The new column (default: generated)")->needs(in);
  in->needs(options->out.add_options(app)->needs(in));
  app.add_option("--device", options->device, "auto, cpu or cuda")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  return [options, &global] {
    TextGenerator generator(options->model, options->device);
    if (options->in.in.empty()) {
      generate_one(generator, *options);
      return 0;
    }
    const auto spark = open_session(global);
    options->out.write(spark.createDataFrame(
        generator.transform(options->in.read(spark).toArrowStream(), options->column, options->name,
                            options->over(generator.defaults()))));
    return 0;
  };
}

}  // namespace firesteel::cli
