// firesteel embed: texts to vectors by a sentence encoder.
#include "models/sentence_encoder.h"
#include "models_cli/input_rows.h"

namespace firesteel::cli {

Run embed_command(CLI::App& app, const GlobalOptions& options) {
  struct Options {
    std::string model, column = "text", name = "embedding", device = "auto";
    InputRows in;
    OutputRows out;
  };
  auto embed = std::make_shared<Options>();
  app.add_option("model", embed->model,
                 "Folder of a sentence encoder: config.json, tokenizer.json, model.safetensors")
      ->required();
  embed->in.add_options(app, "Rows with a column of texts")->required();
  app.add_option("--column", embed->column, "The texts' column (default: text)");
  app.add_option("--name", embed->name, "The new column of vectors (default: embedding)");
  app.add_option("--device", embed->device, "auto, cpu or cuda")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  embed->out.add_options(app)->required();
  return [embed, &options] {
    SentenceEncoder encoder(embed->model, embed->device);
    const auto spark = open_session(options);
    embed->out.write(spark.createDataFrame(
        encoder.transform(embed->in.read(spark).toArrowStream(), embed->column, embed->name)));
    return 0;
  };
}

}  // namespace firesteel::cli
