// Bytes of the loader's batches to logits: augmented in training, the middle otherwise.
#include "models/image_classifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "models/checkpoint_file.h"
#include "models/class_labels.h"
#include "models/model_folder.h"
#include "models/pretrained.h"
#include "models/vision.h"
#include "tensor/image_transforms.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

constexpr int64_t kRowsAtOnce = 32;  // without gradients

struct ImageNet {
  std::shared_ptr<VisionNet> net;
  ClassLabels labels;
  VisionInput input;
  int64_t size = 0;
  std::vector<images::Transform> augment;

  torch::Tensor forward(const Batch& batch) const {
    auto x = batch.images.at(0);
    if (net->is_training() && !augment.empty()) x = images::apply_each(augment, x);
    x = images::to_float(images::center_crop(x, {size}));
    x = images::normalize(x, input.mean, input.deviation);
    return labels.outputs(net->forward(x.contiguous(torch::MemoryFormat::ChannelsLast)));
  }
};

/// Convolutions are faster so on a CPU and on a GPU.
void make_channels_last(torch::nn::Module& module) {
  for (auto& parameter : module.parameters())
    if (parameter.dim() == 4)
      parameter.set_data(parameter.contiguous(torch::MemoryFormat::ChannelsLast));
}

NamedTensors weights_at(const fs::path& path) {
  return fs::is_directory(path) ? read_model_weights(path) : read_weights(path);
}

}  // namespace

std::optional<VisionFolder> read_vision_folder(const fs::path& folder) {
  const auto file = folder / "config.json";
  if (!fs::exists(file)) return std::nullopt;
  try {
    const auto config = nlohmann::json::parse(read_file(file));
    if (!config.contains("architecture")) return std::nullopt;
    return VisionFolder{config["architecture"].get<std::string>(),
                        config.value("label_names", std::vector<std::string>())};
  } catch (const nlohmann::json::exception& error) {
    throw Error("INVALID_ARTIFACT", fmt::format("{} is damaged: {}", file.string(), error.what()));
  }
}

std::vector<EncoderSpec> image_specs(const VisionFolder& said, const fs::path& folder) {
  if (said.labels.size() < 2)
    throw Error("INVALID_ARTIFACT",
                fmt::format("{} names no labels: `label_names` is a list of as many as the network "
                            "has logits.",
                            (folder / "config.json").string()));
  const auto shape = image_shape(said.architecture);
  EncoderSpec image{.column = "content", .kind = EncoderKind::kImage};
  image.length = shape.size;
  image.resize = shape.resize;
  image.interpolation = shape.interpolation;
  EncoderSpec label{.column = "label", .kind = EncoderKind::kLabel};
  label.task = Task::kMulticlass;
  label.vocabulary = said.labels;
  return {image, label};
}

ImageShape image_shape(const std::string& network) {
  const auto input = vision_input(network);
  return {input.resize, input.crop, input.interpolation};
}

void check_transforms(const std::string& json) { images::transforms_from_json(json); }

std::string network_of(const std::string& folder) {
  const auto said = read_vision_folder(folder);
  return said ? said->architecture : "";
}

Network make_image_classifier(const TabularOptions& options, const std::vector<EncoderSpec>& specs,
                              const fs::path& path, Weights weights) {
  if (options.fine_tuning.of == FineTuning::Of::kLora)
    throw Error("INVALID_OPTION",
                "The network `vision` takes no adapters: fine_tune is all or head.");
  const auto labels = class_labels(specs, "vision");
  ImageNet images{
      .net = make_vision_net(options.network, static_cast<int64_t>(labels.names.size())),
      .labels = labels,
      .input = vision_input(options.network),
      .size = options.image_size,
      .augment = {}};
  if (images.size == 0) images.size = images.input.crop;
  if (!options.augment.empty()) images.augment = images::transforms_from_json(options.augment);
  const auto picture = only_feature(specs, EncoderKind::kImage, "vision", "image");
  if (picture.length < images.size)
    throw Error("INVALID_OPTION",
                fmt::format("Images of {} pixels are kept of `{}`, and the model is to see {}.",
                            picture.length, picture.column, images.size));
  Network network{images.net, [images](const Batch& batch) { return images.forward(batch); }};
  network.rows_at_once = kRowsAtOnce;
  network.head = images.net->head();
  if (weights != Weights::kNone && !path.empty())
    load_vision_weights(*images.net, weights_at(path), path,
                        weights == Weights::kWhole ? std::vector<std::string>() : network.head);
  make_channels_last(*images.net);
  const nlohmann::ordered_json said = {{"architecture", options.network},
                                       {"label_names", labels.names}};
  network.save = [text = said.dump(1, ' ', false, nlohmann::json::error_handler_t::replace)](
                     const fs::path& folder) {
    write_file_aside(folder / "config.json", text + "\n");
  };
  return network;
}

}  // namespace firesteel
