// The model is made once; calls of several threads take turns, since each uses all cores.
#include "models/model_function.h"

#include <fmt/format.h>

#include <memory>
#include <mutex>

#include "base/error.h"
#include "models/generation.h"
#include "models/networks.h"
#include "models/pretrained.h"
#include "models/sentence_encoder.h"
#include "models/tabular.h"
#include "models/text_column.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

NativeFunction encoder_function(const std::string& name, const fs::path& path,
                                const std::string& device) {
  const auto encoder = std::make_shared<SentenceEncoder>(path, device);
  const auto mutex = std::make_shared<std::mutex>();
  return {.name = name,
          .arguments = {NativeFunction::Argument::kText},
          .returns = {.kind = AddedColumn::Kind::kFloatList, .list_length = encoder->width()},
          .call = [encoder, mutex](const ArrowArray& rows) {
            const std::lock_guard lock(*mutex);
            return AddedValues{.lists = encoder->encode(TextColumn(0).texts(rows))};
          }};
}

NativeFunction generator_function(const std::string& name, const fs::path& path,
                                  const std::string& device) {
  const auto generator = std::make_shared<TextGenerator>(path, device);
  auto options = generator->defaults();
  options.sample = false;  // The same text each time.
  const auto mutex = std::make_shared<std::mutex>();
  return {.name = name,
          .arguments = {NativeFunction::Argument::kText},
          .returns = {.kind = AddedColumn::Kind::kText},
          .call = [generator, options, mutex](const ArrowArray& rows) {
            const std::lock_guard lock(*mutex);
            return AddedValues{.texts = generator->generate(TextColumn(0).texts(rows), options)};
          }};
}

NativeFunction prediction_function(const std::string& name, const fs::path& path,
                                   TabularModel model) {
  const auto read = features_of(model.specs());
  const bool image = !read.empty() && read[0].kind == EncoderKind::kImage;
  if (read.size() != 1 || (!image && read[0].kind != EncoderKind::kText))
    throw Error("UNSUPPORTED_MODEL",
                fmt::format("{} cannot be a function: its model reads something else than one text "
                            "or image.",
                            path.string()));
  // One column by the name that the model knows.
  ArrowSchema column{.format = image ? "z" : "u", .name = read[0].column.c_str()};
  ArrowSchema* columns[] = {&column};
  auto predictor = model.predictor(
      ArrowSchema{.format = "+s", .name = "", .n_children = 1, .children = columns});
  if (predictor.columns.size() != 1)
    throw Error("UNSUPPORTED_MODEL", fmt::format("{} cannot be a function: it predicts {} columns.",
                                                 path.string(), predictor.columns.size()));
  const auto mutex = std::make_shared<std::mutex>();
  return {.name = name,
          .arguments = {image ? NativeFunction::Argument::kBytes : NativeFunction::Argument::kText},
          .returns = predictor.columns[0],
          .call = [mutex, values = std::move(predictor.values)](const ArrowArray& rows) {
            const std::lock_guard lock(*mutex);
            return std::move(values(rows)[0]);
          }};
}

}  // namespace

NativeFunction make_model_function(const std::string& name, const fs::path& path,
                                   const std::string& device) {
  if (fs::exists(path / "model.json"))
    return prediction_function(name, path, TabularModel::load(path));
  if (is_classifier_folder(path.string()))
    return prediction_function(name, path, TabularModel::of_folder(path));
  if (is_text_generator(path)) return generator_function(name, path, device);
  return encoder_function(name, path, device);
}

}  // namespace firesteel
