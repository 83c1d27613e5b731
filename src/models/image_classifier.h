// The kind `vision`: an image column through one of the networks for images (vision.h), with
// weights of a file or new ones.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "models/networks.h"

namespace firesteel {

/// `path`: weights, or a folder with a config.json of the architecture and weights; empty: new
/// weights. In training the images go through options.augment, and to `image_size` by it.
Network make_image_classifier(const TabularOptions& options, const std::vector<EncoderSpec>& specs,
                              const std::filesystem::path& path, Weights weights);

/// What a folder's config.json says, as timm keeps it: `architecture`, a name of vision_names(),
/// and `label_names`.
struct VisionFolder {
  std::string architecture;
  std::vector<std::string> labels;
};
/// Nothing when it is no such folder. Throws INVALID_ARTIFACT.
std::optional<VisionFolder> read_vision_folder(const std::filesystem::path& folder);
/// Features and labels of such a folder's classifier as it is: the image is the column `content`.
/// Throws INVALID_ARTIFACT when it does not name its labels.
std::vector<EncoderSpec> image_specs(const VisionFolder& said, const std::filesystem::path& folder);

}  // namespace firesteel
