// The families' tables as one.
#include "models/vision.h"

#include <fmt/format.h>

#include <iterator>
#include <map>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "models/vision_layers.h"

namespace firesteel {

namespace {

constexpr std::pair<std::string_view, std::string_view> kOlderNames[] = {
    {".mlp.linear_1.", ".mlp.0."}, {".mlp.linear_2.", ".mlp.3."}};

const std::vector<VisionEntry>& entries() {
  static const auto all = [] {
    std::vector<VisionEntry> joined;
    for (const auto family : {resnet_family, mobilenet_family, efficientnet_family,
                              efficientnet_lite_family, convnext_family, vit_family})
      std::ranges::move(family(), std::back_inserter(joined));
    return joined;
  }();
  return all;
}

const VisionEntry& entry(const std::string& name) {
  for (const auto& row : entries())
    if (row.name == name) return row;
  const auto near = nearest_name(name, vision_names());
  throw Error("INVALID_OPTION",
              fmt::format("There is no vision network `{}`{}", name,
                          near.empty() ? "." : fmt::format(". Did you mean `{}`?", near)));
}

}  // namespace

std::vector<std::string> vision_names() {
  std::vector<std::string> names;
  for (const auto& row : entries()) names.push_back(row.name);
  return names;
}

VisionInput vision_input(const std::string& name) { return entry(name).input; }

std::shared_ptr<VisionNet> make_vision_net(const std::string& name, int64_t classes) {
  const auto& row = entry(name);
  if (classes < 1)
    throw Error("INVALID_OPTION", fmt::format("{} classes, where there is to be one.", classes));
  return row.make(classes);
}

LoadedWeights load_vision_weights(VisionNet& net, NamedTensors weights,
                                  const std::filesystem::path& origin,
                                  const std::vector<std::string>& may_be_new) {
  std::map<std::string, torch::Tensor> renamed;
  for (auto& [name, tensor] : weights.tensors) {
    auto now = name;
    for (const auto& [old, text] : kOlderNames)
      if (const auto at = now.find(old); at != std::string::npos) now.replace(at, old.size(), text);
    renamed.emplace(std::move(now), tensor);
  }
  for (const auto& item : net.named_buffers())
    if (item.key().ends_with(".num_batches_tracked")) renamed.try_emplace(item.key(), item.value());
  weights.tensors = std::move(renamed);
  return load_weights(net, weights, "", origin, may_be_new);
}

}  // namespace firesteel
