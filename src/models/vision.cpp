// The families' tables as one.
#include "models/vision.h"

#include <fmt/format.h>

#include <iterator>

#include "base/error.h"
#include "models/vision_layers.h"

namespace firesteel {

namespace {

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

}  // namespace firesteel
