// The artifact: one folder that holds all a fitted pipeline is. Written aside and renamed into
// place; checked byte by byte when it is loaded.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

namespace firesteel {

struct ArtifactInfo {
  uint64_t seed = 0;
  std::map<std::string, std::string> versions;      // "torch" → "2.13.0"
  std::map<std::string, std::string> input_hashes;  // path → xxhash64
};

/// `fill` writes the files into the folder it is given; manifest.json, with their checksums, is
/// added and the folder put in place of `folder`.
void save_artifact(const std::filesystem::path& folder, const ArtifactInfo& info,
                   const std::function<void(const std::filesystem::path&)>& fill);

/// Throws PATH_NOT_FOUND, or INVALID_ARTIFACT naming the file that is absent, changed, or of a
/// newer format.
void check_artifact(const std::filesystem::path& folder);

}  // namespace firesteel
